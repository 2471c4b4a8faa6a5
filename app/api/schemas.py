"""The wire shapes as models, for the OpenAPI document. Answers are built lean; a test holds them to these."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from registry.decision import OUTCOMES
from registry.finding import CHECKS

Instant = Annotated[datetime, Field(examples=["2026-10-01T00:00:00Z"])]
ShortText = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    """A model with no members but its own."""

    model_config = ConfigDict(extra="forbid")


class CredentialReference(Strict):
    """How the credential is named: by `id`, by `type` and `number`, or by `type` and `certificate`.

    `issuer` is needed where a number alone is not unique. A certificate is PEM or base64 DER, with its `chain` where
    its authorities are not known here.
    """

    id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    type: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    number: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    issuer: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    certificate: Annotated[str, Field(min_length=1)] | None = None
    chain: Annotated[list[str], Field(max_length=8)] | None = None


class ExpectedSubject(Strict):
    """Whom the asker believes to be the holder."""

    uscc: ShortText | None = None
    name: ShortText | None = None


class Query(Strict):
    """Does this credential count there, for this purpose, at this time?"""

    credential: CredentialReference | None = None
    jurisdiction: ShortText
    purpose: ShortText
    valid_at: Instant | None = None
    known_at: Instant | None = None
    relying_party: ShortText | None = None
    expected_subject: ExpectedSubject | None = None
    facts: dict[str, str | bool | list[str]] | None = None


class LegalBasis(Strict):
    """A citation."""

    instrument: str
    number: str | None
    article: str | None


class Contact(Strict):
    """The office to ask."""

    id: str
    name: str
    phone: str | None
    url: str | None


class Reason(Strict):
    """Why, by which law, what can be done and who can be asked. `details` are the message's values for programs."""

    code: str
    message: str
    remedy: str | None
    contact: Contact | None
    legal_basis: list[LegalBasis]
    details: dict[str, str | int]


class Check(Strict):
    """One of the ten checks."""

    name: Literal[CHECKS]  # type: ignore[valid-type]
    result: Literal["passed", "failed", "indeterminate", "skipped"]
    code: str | None
    message: str
    evidence: list[str]


class Condition(Strict):
    """A condition of the agreement that decides."""

    id: str
    kind: str
    state: Literal["met", "open", "unmet"]
    fact: str | None
    message: str


class AgreementReference(Strict):
    """The agreement that decides."""

    id: str
    version: int
    digest: str
    basis_strength: Literal["statute", "agreement", "plan"]


class IssuerReference(Strict):
    """Who issued it; name and jurisdiction are null for an issuer that is not listed."""

    id: str
    name: str | None
    jurisdiction: str | None


class Subject(Strict):
    """The holder; a natural person's name is withheld."""

    kind: Literal["organisation", "person"]
    name: str | None
    uscc: str | None


class Credential(Strict):
    """The public view of a credential at `valid_at`. `valid_until` is the first instant that no longer counts."""

    id: str
    type: str
    number: str
    issuer: IssuerReference
    subject: Subject
    status: Literal["valid", "suspended", "revoked", "cancelled", "superseded", "expired", "not_yet_valid"]
    issued_at: Instant
    valid_from: Instant | None
    valid_until: Instant | None
    predecessor: str | None
    attributes: dict[str, Any]


class Searched(Strict):
    """A register that was searched, and how old its knowledge was at `known_at`."""

    issuer: str
    name: str
    as_of: Instant | None
    age_seconds: int | None


class LockPair(Strict):
    """The other certificate of the same lock, where it came along."""

    fingerprint: str
    use: Literal["signing", "encryption"]


class ShownCertificate(Strict):
    """The certificate that was shown, without a natural person's name and number. Both ends of its validity count."""

    subject: str | None
    uscc: str | None
    serial: str
    issuer: str
    fingerprint: str
    algorithm: str | None
    key_usage: list[str] | None
    use: Literal["signing", "encryption", "both", "ca"]
    not_before: Instant
    not_after: Instant
    pair: LockPair | None = None


class PathStep(Strict):
    """An authority on the certification path, the last being the trust anchor."""

    subject: str
    fingerprint: str
    trust_anchor: str | None
    name: str | None
    not_before: Instant
    not_after: Instant


class ChallengeRequest(Strict):
    """For whom and for what a lock is to sign."""

    purpose: ShortText
    relying_party: ShortText


class Challenge(Strict):
    """What the lock signs: the bytes that `to_be_signed` is the base64 of."""

    challenge_id: str
    to_be_signed: str
    expires_at: Instant


class SignatureEvidence(Strict):
    """Evidence with a signature: base64 of a timestamp token or an OCSP response, or a receipt of this node."""

    kind: Literal["timestamp", "ocsp", "receipt"]
    value: Annotated[str, Field(min_length=1)]


class LockVerification(Strict):
    """An answer to a challenge: base64 of DER or r‖s (SM2, ECDSA), of an RSA signature, or of a CMS message.

    A CMS message may hold the certificate; of a bare signature it must be given.
    """

    challenge_id: Annotated[str, Field(min_length=1, max_length=2048)]
    certificate: Annotated[str, Field(min_length=1)] | None = None
    chain: Annotated[list[str], Field(max_length=8)] | None = None
    signature: Annotated[str, Field(min_length=1, max_length=60_000)]
    signature_format: Literal["raw", "cms"]
    evidence: Annotated[list[SignatureEvidence], Field(max_length=16)] | None = None
    jurisdiction: ShortText
    purpose: ShortText
    relying_party: ShortText
    valid_at: Instant | None = None
    expected_subject: ExpectedSubject | None = None


class Answer(Strict):
    """The answer to a query. `certificate` and `path` are there when a certificate was shown."""

    decision: Literal[OUTCOMES]  # type: ignore[valid-type]
    label: str
    reasons: Annotated[list[Reason], Field(min_length=1)]
    checks: Annotated[list[Check], Field(min_length=10, max_length=10)]
    conditions: list[Condition]
    agreement: AgreementReference | None
    credential: Credential | None
    jurisdiction: str
    purpose: str
    valid_at: Instant
    known_at: Instant
    fresh_until: Instant | None
    searched: list[Searched] | None = None
    certificate: ShownCertificate | None = None
    path: list[PathStep] | None = None
    evaluated_at: Instant
    receipt: str
    livemode: bool
    request_id: str


class Fault(Strict):
    """One thing wrong with the request. `parameter` is given for requests by link, `technical` where there is more.

    `technical` is in English, for who has to mend it.
    """

    pointer: str
    code: str
    detail: str
    technical: str | None = None
    parameter: str | None = None


class ProblemDocument(Strict):
    """RFC 9457, with our `code`, `request_id` and `errors`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: Annotated[list[Fault], Field(min_length=1)]


class Event(Strict):
    """A lifecycle event."""

    event: str
    kind: str | None
    effective_at: Instant
    recorded_at: Instant
    reason_code: str | None
    legal_basis: list[LegalBasis]
    successor: dict[str, str] | None


class StatusPlace(Strict):
    """Where a credential's status stands: the list, and the index in it (`uri` and `idx` of a referenced token)."""

    uri: str
    index: int


class ObjectionCount(Strict):
    """How many objections to a credential are open, and how many answered. They change nothing by themselves."""

    open: int
    answered: int


class CredentialRecord(Credential):
    """A credential with its events, as known at `known_at`."""

    status_list: StatusPlace | None
    events: list[Event]
    objections: ObjectionCount
    digest: str
    known_from: Instant
    valid_at: Instant
    known_at: Instant
    livemode: bool


class HistoryStep(Strict):
    """An event with the version it came with; `effective_at` is null where only the entry was corrected."""

    event: str
    kind: str | None
    effective_at: Instant | None
    recorded_at: Instant
    reason_code: str | None
    legal_basis: list[LegalBasis]
    successor: dict[str, str] | None
    known_from: Instant
    digest: str
    statement: str | None
    log_index: int


class CredentialHistory(Strict):
    """Every event of a credential that was known at `known_at`, in the order it became known."""

    id: str
    known_at: Instant
    data: list[HistoryStep]
    livemode: bool


class CredentialPage(Strict):
    """A page of credentials. A page restricted by status may be shorter than `limit` although more follow."""

    data: list[Credential]
    next_cursor: str | None
    has_more: bool
    valid_at: Instant
    known_at: Instant
    livemode: bool


class PolicyEntry(BaseModel):
    """One entry of a public policy list."""

    id: str
    version: int
    digest: str
    confidence: Literal["V", "S", "G", "U"]
    name: str


class PolicyList(Strict):
    """A public policy list."""

    data: list[PolicyEntry]


class ReceiptSubmission(Strict):
    """A receipt to be checked."""

    receipt: Annotated[str, Field(min_length=1)]


class Difference(Strict):
    """A member of the answer that would be another today."""

    name: str
    then: Any
    now: Any


class Today(Strict):
    """What would be answered today."""

    decision: Literal[OUTCOMES]  # type: ignore[valid-type]
    reasons: list[str]
    known_at: Instant


class ReceiptReport(Strict):
    """Whether a receipt is genuine, and whether today's answer would be another.

    Where it is not, `message` says why, and `why` says it in English for who has to mend it.
    `changed` is null where the question can no longer be asked (`problem` says why) or the receipt is not genuine. One
    by a key that is declared compromised is not shown to be genuine: `code` is `key.compromised`, and `problem` says
    what would settle it. `problem` also names claims of a genuine one that cannot be read here (`receipt.unread`).
    """

    genuine: bool
    code: str | None
    message: str | None
    why: str | None
    kid: str | None
    claims: dict[str, Any] | None
    changed: bool | None
    differences: list[Difference]
    today: Today | None
    problem: list[Fault] | None
    livemode: bool


class Revoked(Strict):
    """When a key was declared compromised, in seconds since 1970 (OpenID Federation 1.0 §8.7.2)."""

    revoked_at: int
    reason: Literal["compromised"]


class Jwks(Strict):
    """RFC 7517. A key with the member `revoked` proves nothing, whatever time is named in what it signed: refuse it.

    It stays in the set, so that it can be told from one that never was ours. Software that does not know the member
    must drop such keys before it verifies.
    """

    keys: list[dict[str, str | Revoked]]


class Part(Strict):
    """One part of readiness."""

    name: str
    ready: bool
    detail: str | None


class Readiness(Strict):
    """Readiness by part. A stale register is named but takes nothing down: answers become `indeterminate`."""

    ready: bool
    parts: list[Part]


class Health(Strict):
    """Alive."""

    status: Literal["ok"]


class PolicyVersion(Strict):
    """A policy document in force."""

    kind: str
    id: str
    version: int
    digest: str


class About(Strict):
    """Versions of software, policy and standards."""

    name: str
    software: str
    api: str
    issuer: str
    livemode: bool
    schema_revision: str
    policy_generation: int
    policy: list[PolicyVersion]
    standards: list[str]
    notices: list[str]
    log_key: str | None


class InclusionProof(Strict):
    """An entry of the log with the hashes that lead from it to the root of the log of a size; octets in base64."""

    index: int
    size: int
    root: str
    entry: str
    leaf_hash: str
    proof: list[str]


class ConsistencyProof(Strict):
    """The hashes that lead from the roots of two sizes to each other: the first log begins the second."""

    first: int
    first_root: str
    second: int
    second_root: str
    proof: list[str]
