"""What the OpenAPI document says of signatures of documents: requests and answers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas import (
    Answer,
    Check,
    ExpectedSubject,
    Instant,
    PathStep,
    Reason,
    ShortText,
    ShownCertificate,
    SignatureEvidence,
    Strict,
)
from keys.content import KINDS
from registry.decision import OUTCOMES


class SignatureRequirement(Strict):
    """Who must have signed: how many of each, and whether for the same company."""

    unit: Annotated[int, Field(ge=0, le=16)] = 0
    legal_representative: Annotated[int, Field(ge=0, le=16)] = 0
    same_subject: bool = False


class SignatureFetch(Strict):
    """Whether revocation evidence may be fetched before the answer, and for how long."""

    deadline_ms: Annotated[int, Field(ge=1, le=10_000)]


class DocumentSignature(Strict):
    """A signed document: `signature` is base64 of CMS (RFC 5652 or GB/T 35275), or of a bare signature.

    `content` is base64 of what was signed, unless it is inside; or `digest` (base64) with `digest_kind` for it.
    """

    content: str | None = None
    digest: str | None = None
    digest_kind: Literal[KINDS] | None = None  # type: ignore[valid-type]
    signature: Annotated[str, Field(min_length=1)]
    signature_format: Literal["raw", "cms"] = "raw"
    certificate: str | None = None
    chain: Annotated[list[str], Field(max_length=8)] | None = None
    evidence: Annotated[list[SignatureEvidence], Field(max_length=16)] | None = None
    requirement: SignatureRequirement | None = None
    deadline: Instant | None = None
    fetch: SignatureFetch | None = None
    jurisdiction: ShortText
    purpose: ShortText
    relying_party: ShortText | None = None
    valid_at: Instant | None = None
    known_at: Instant | None = None
    expected_subject: ExpectedSubject | None = None


class ProvenInstant(Strict):
    """An instant by which a signature is proven to have existed, and by what."""

    instant: Instant
    kind: Literal["timestamp", "receipt"]
    by: str
    digest: str
    kid: str | None = None
    """Of a receipt, the key that signed it."""


class RefusedProof(Strict):
    """Evidence that proves nothing here, and why: `detail` is for who has to mend it."""

    kind: Literal["timestamp", "receipt", "ocsp"]
    digest: str
    code: str
    message: str
    detail: str


class Countersignature(Strict):
    """A signature over the signer's signature. It is reported and changes no answer."""

    right: bool
    fingerprint: str | None
    claimed_time: Instant | None


class DocumentSigner(Strict):
    """One signer: `claimed_time` is what he says himself, `proven_time` what others vouch for.

    `signature` null: he breaks a rule of form, so that his signature cannot be right.
    """

    role: Literal["unit", "legal_representative", "unknown"]
    decision: Literal[OUTCOMES]  # type: ignore[valid-type]
    reasons: list[Reason | dict[str, Any]]
    checks: list[Check]
    certificate: ShownCertificate | None
    path: list[PathStep]
    signature: str | None
    scheme: str | None
    valid_at: Instant | None = None
    claimed_time: Instant | None
    proven_time: ProvenInstant | None
    evidence: list[RefusedProof]
    countersignatures: list[Countersignature]
    oddities: list[str]


class SignatureFacts(Strict):
    """What was handed in: its digest, its format, and digests of the content by kind, in hexadecimal."""

    digest: str
    format: Literal["raw", "rfc5652", "gm"]
    content: dict[str, str]
    content_seen: bool
    """Whether the content itself was there, or only a digest that the asker gave."""


class RequirementVerdict(SignatureRequirement):
    """The requirement, and how many of each are missing."""

    met: bool
    missing: dict[str, int]


class SignatureAnswer(Answer):
    """The answer on a document: checks, certificate and path of the signer who decides, and every signer."""

    time_source: Literal["asserted", "proven"]
    signature: SignatureFacts
    requirement: RequirementVerdict | None
    signers: Annotated[list[DocumentSigner], Field(min_length=1)]
