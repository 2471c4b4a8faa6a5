"""The tables. Instants are whole microseconds since 1970 in UTC, so that they compare and index as integers."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, UniqueConstraint
from sqlmodel import Field, SQLModel


class StoreInfo(SQLModel, table=True):
    """One row: the store's mode, stamped once, the newest instant of recording, and a secret for salts."""

    __tablename__ = "store_info"
    id: int = Field(primary_key=True)
    mode: str
    created_at: int = Field(sa_type=BigInteger)
    last_recorded_at: int = Field(sa_type=BigInteger)
    secret: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PolicyRow(SQLModel, table=True):
    """A version of a policy document; `seq` grows, and its maximum is the policy's generation."""

    __tablename__ = "policy_document"
    __table_args__ = (UniqueConstraint("kind", "document_id", "version"),)
    seq: int | None = Field(default=None, primary_key=True)
    kind: str
    document_id: str
    version: int
    digest: str
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    known_from: int = Field(sa_type=BigInteger)


class TypeRow(SQLModel, table=True):
    """Credential types by small number, to keep the hot index narrow."""

    __tablename__ = "credential_type"
    no: int | None = Field(default=None, primary_key=True)
    type_id: str = Field(unique=True)


class IssuerRow(SQLModel, table=True):
    """Issuers by small number, to keep the hot index narrow."""

    __tablename__ = "issuer"
    no: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(unique=True)


class CredentialRow(SQLModel, table=True):
    """A credential's name, and its place in a status list. Look-ups go by the unique index over (type, number, issuer).

    No index is over the places: each is found by its credential, and would cost an import a random B-tree.
    """

    __tablename__ = "credential"
    __table_args__ = (UniqueConstraint("type_no", "number", "issuer_no"),)
    no: int | None = Field(default=None, primary_key=True)
    credential_id: str = Field(unique=True)
    type_no: int = Field(foreign_key="credential_type.no")
    number: str
    issuer_no: int = Field(foreign_key="issuer.no")
    status_list: int | None
    status_index: int | None


class StatusListRow(SQLModel, table=True):
    """A status list of an issuer and type, the `ordinal`-th from 0, and how many of its places were given out."""

    __tablename__ = "status_list"
    __table_args__ = (UniqueConstraint("type_no", "issuer_no", "ordinal"),)
    no: int | None = Field(default=None, primary_key=True)
    list_id: str = Field(unique=True)
    type_no: int = Field(foreign_key="credential_type.no")
    issuer_no: int = Field(foreign_key="issuer.no")
    ordinal: int
    given: int


class StatusTurnRow(SQLModel, table=True):
    """When the status at a place of a list turns, as known from an instant on (`registry.status_timeline`).

    Derived from versions, so that a list is built without reading them; `accord log verify` holds it against them.
    """

    __tablename__ = "status_turn"
    __table_args__ = ({"sqlite_with_rowid": False},)
    list_no: int = Field(primary_key=True, foreign_key="status_list.no")
    place: int = Field(primary_key=True)
    known_from: int = Field(primary_key=True, sa_type=BigInteger)
    turns: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class VersionRow(SQLModel, table=True):
    """What was known of a credential from an instant on. Never updated, never deleted."""

    __tablename__ = "credential_version"
    __table_args__ = (
        UniqueConstraint("credential_no", "known_from"),
        Index("credential_version_subject", "subject_uscc"),
    )
    no: int | None = Field(default=None, primary_key=True)
    credential_no: int = Field(foreign_key="credential.no")
    known_from: int = Field(sa_type=BigInteger)
    digest: str
    subject_uscc: str | None
    subject_name: str | None
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ReportRow(SQLModel, table=True):
    """An issuer's register of a type was complete up to `as_of`, as known from an instant on."""

    __tablename__ = "register_report"
    __table_args__ = (UniqueConstraint("type_no", "issuer_no", "known_from"),)
    no: int | None = Field(default=None, primary_key=True)
    type_no: int = Field(foreign_key="credential_type.no")
    issuer_no: int = Field(foreign_key="issuer.no")
    as_of: int = Field(sa_type=BigInteger)
    known_from: int = Field(sa_type=BigInteger)


class RevocationListRow(SQLModel, table=True):
    """A CRL whose signature was verified, by the digest of its authority's key and what part of it the list speaks of.

    Never updated, never deleted.
    """

    __tablename__ = "revocation_list"
    __table_args__ = (Index("revocation_list_issuer", "issuer_key", "this_update"),)
    no: int | None = Field(default=None, primary_key=True)
    issuer_key: str
    scope: str
    digest: str = Field(unique=True)
    this_update: int = Field(sa_type=BigInteger)
    known_from: int = Field(sa_type=BigInteger)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ChangedEntryRow(SQLModel, table=True):
    """A certificate of which a list says what the next one of its scope does not: what was said is not forgotten."""

    __tablename__ = "changed_entry"
    issuer_key: str = Field(primary_key=True)
    serial: str = Field(primary_key=True)
    list_no: int = Field(primary_key=True, foreign_key="revocation_list.no")


class OcspAnswerRow(SQLModel, table=True):
    """What a verified OCSP response says of one certificate, and what to ask its responder again. No holder's name.

    `said` tells answers of different meaning apart; `ends` is the end of the certificate. Never updated, never deleted.
    """

    __tablename__ = "ocsp_answer"
    __table_args__ = (UniqueConstraint("digest", "issuer_key", "serial"),)
    no: int | None = Field(default=None, primary_key=True)
    issuer_key: str
    serial: str
    digest: str
    said: str
    this_update: int = Field(sa_type=BigInteger)
    next_update: int | None = Field(sa_type=BigInteger, nullable=True)
    known_from: int = Field(sa_type=BigInteger)
    issuer_name: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    ends: int = Field(sa_type=BigInteger)
    url: str
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class UsedChallengeRow(SQLModel, table=True):
    """A challenge that was answered well, by the digest of its id, with the request and the answer it got."""

    __tablename__ = "used_challenge"
    __table_args__ = (Index("used_challenge_used_at", "used_at"),)
    challenge: str = Field(primary_key=True)
    request: str
    used_at: int = Field(sa_type=BigInteger)
    answer: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogEntryRow(SQLModel, table=True):
    """An entry of the log at its place, from 0, and the row that it speaks of. Never updated, never deleted."""

    __tablename__ = "log_entry"
    __table_args__ = (UniqueConstraint("event", "row_no"),)
    no: int | None = Field(default=None, primary_key=True)
    event: str
    row_no: int
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogTileRow(SQLModel, table=True):
    """A tile of the log's tree: up to 256 hashes. It grows until it is full."""

    __tablename__ = "log_tile"
    level: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    hashes: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogHeadRow(SQLModel, table=True):
    """Size and root of the log after one write."""

    __tablename__ = "log_head"
    size: int | None = Field(default=None, primary_key=True)
    root: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    recorded_at: int = Field(sa_type=BigInteger)


class LogCheckpointRow(SQLModel, table=True):
    """A head as it was signed: once said, it is kept."""

    __tablename__ = "log_checkpoint"
    size: int | None = Field(default=None, primary_key=True)
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class StatementRow(SQLModel, table=True):
    """What an issuer signed, byte for byte. Never updated, never deleted. A `jti` is used once by each issuer."""

    __tablename__ = "statement"
    __table_args__ = (UniqueConstraint("issuer_no", "jti"),)
    no: int | None = Field(default=None, primary_key=True)
    digest: str = Field(unique=True)
    issuer_no: int = Field(foreign_key="issuer.no")
    jti: str
    recorded_at: int = Field(sa_type=BigInteger)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class OnceRow(SQLModel, table=True):
    """The answer to a request that was to be done once, by whose and under which Idempotency-Key."""

    __tablename__ = "done_once"
    principal: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request: str
    recorded_at: int = Field(sa_type=BigInteger)
    credential_id: str
    version: str
    answer: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ApiKeyRow(SQLModel, table=True):
    """A key to call with, as its keyed hash: who calls, as what, until when. Stopped keys stay."""

    __tablename__ = "api_key"
    no: int | None = Field(default=None, primary_key=True)
    key_id: str = Field(unique=True)
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    name: str
    role: str
    issuer: str | None
    scopes: str
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(sa_type=BigInteger, nullable=True)
    stopped_at: int | None = Field(sa_type=BigInteger, nullable=True)
    used_at: int | None = Field(sa_type=BigInteger, nullable=True)


class ObjectionRow(SQLModel, table=True):
    """What somebody holds against a credential or a receipt, with the answer once there is one. Never deleted."""

    __tablename__ = "objection"
    __table_args__ = (Index("objection_credential", "credential_id"), Index("objection_issuer", "issuer", "no"))
    no: int | None = Field(default=None, primary_key=True)
    objection_id: str = Field(unique=True)
    credential_id: str | None
    receipt: str | None
    issuer: str | None
    message: str
    contact: str
    received_at: int = Field(sa_type=BigInteger)
    answer: str | None
    answered_by: str | None
    answered_at: int | None = Field(sa_type=BigInteger, nullable=True)


class ReadAuditRow(SQLModel, table=True):
    """Who read what is not public, what for, and when. Never updated, never deleted."""

    __tablename__ = "read_audit"
    no: int | None = Field(default=None, primary_key=True)
    key_id: str
    what: str
    purpose: str
    read_at: int = Field(sa_type=BigInteger)


class FileImportRow(SQLModel, table=True):
    """A file that an issuer uploaded, and what came of it. The file itself is beside the store until it is loaded."""

    __tablename__ = "file_import"
    __table_args__ = (UniqueConstraint("key_id", "once"), Index("file_import_state", "state", "issuer"))
    no: int | None = Field(default=None, primary_key=True)
    import_id: str = Field(unique=True)
    key_id: str
    issuer: str
    type: str
    dry_run: bool
    statement: str
    file: str
    once: str | None
    received_at: int = Field(sa_type=BigInteger)
    state: str
    tries: int
    started_at: int | None = Field(sa_type=BigInteger, nullable=True)
    finished_at: int | None = Field(sa_type=BigInteger, nullable=True)
    rows: int | None
    done: int
    report: str | None
    problem: str | None


def core(model: type[SQLModel]) -> Table:
    """The table behind a model, for statements."""
    table: Table = SQLModel.metadata.tables[str(model.__tablename__)]
    return table


STORE_INFO = core(StoreInfo)
POLICY = core(PolicyRow)
TYPE = core(TypeRow)
ISSUER = core(IssuerRow)
CREDENTIAL = core(CredentialRow)
VERSION = core(VersionRow)
REPORT = core(ReportRow)
REVOCATION_LIST = core(RevocationListRow)
CHANGED_ENTRY = core(ChangedEntryRow)
OCSP_ANSWER = core(OcspAnswerRow)
USED_CHALLENGE = core(UsedChallengeRow)
STATEMENT = core(StatementRow)
DONE_ONCE = core(OnceRow)
API_KEY = core(ApiKeyRow)
