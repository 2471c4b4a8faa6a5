"""The wire shapes of what issuers state, of objections and of access tokens, for the OpenAPI document."""

from app.api.schemas import Fault, Instant, Strict


class ObjectionSubmission(Strict):
    """What is wrong, with a credential by its id or with a receipt, and where to reach whoever says so."""

    credential_id: str | None = None
    receipt: str | None = None
    message: str
    contact: str


class Objection(Strict):
    """How an objection stands. Whoever holds the id may see it."""

    id: str
    status: str
    credential_id: str | None
    receipt: str | None
    issuer: str | None
    received_at: Instant
    answer: str | None
    answered_at: Instant | None


class ReceivedObjection(Objection):
    """An objection as its issuer sees it."""

    message: str
    contact: str


class ObjectionPage(Strict):
    """Objections in the order in which they came; `next` is where to go on."""

    data: list[ReceivedObjection]
    next: int | None


class ObjectionAnswer(Strict):
    """What is answered, once."""

    answer: str


class AccessToken(Strict):
    """A token to call with for ten minutes (RFC 6749 §5.1)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class TokenRefusal(Strict):
    """Why no token is given (RFC 6749 §5.2)."""

    error: str


class StatementSubmission(Strict):
    """What an issuer states: a compact JWS of the type `credential-statement+jwt`."""

    statement: str


class StatementTaken(Strict):
    """What a statement made of the register: the credential's new version, and its place in the log."""

    id: str
    type: str
    number: str
    issuer: str
    version: str
    statement: str
    recorded_at: Instant
    log_index: int


class ReportTaken(Strict):
    """Up to when a register of a type is complete, as its issuer stated."""

    issuer: str
    type: str
    as_of: Instant
    statement: str
    recorded_at: Instant
    log_index: int


class ImportProgress(Strict):
    """How far a load is: rows of the file (null before they are counted), rows judged, and the tries so far."""

    rows: int | None
    done: int
    tries: int


class ImportResult(Strict):
    """What came of the rows of a file. `missing` are credentials in force that it does not name."""

    rows: int
    new: int
    changed: int
    unchanged: int
    refused: int
    missing: int


class Import(Strict):
    """An uploaded file. `state`: waiting, running, done, refused (file or statement are wrong), failed (our fault)."""

    id: str
    state: str
    type: str
    issuer: str
    dry_run: bool
    file: str
    received_at: Instant
    started_at: Instant | None
    finished_at: Instant | None
    progress: ImportProgress
    result: ImportResult | None
    register_complete_as_of: Instant | None
    problem: Fault | None
    errors: str


class RowError(Strict):
    """What is wrong with a row, and how to mend it. `row` is null for a credential that the file does not name."""

    row: int | None
    column: str
    code: str
    message: str
    value: str


class ImportErrors(Strict):
    """What is wrong, in the order of the file; `next_cursor` is where to go on."""

    data: list[RowError]
    next_cursor: str | None
    has_more: bool
