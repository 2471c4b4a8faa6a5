"""When a signature over a document is proven to have existed, before anything else is judged by that instant."""

from datetime import datetime

from msgspec.structs import replace

from keys.content import Content, Octets
from registry.evidence import DocumentSignature, Established, LockEvidence, ProvenTime, RefusedEvidence
from registry.policy import Policy
from registry.profile import CredentialProfile
from registry.proven_time import Vouching, proven_by_timestamp
from registry.query import RecognitionQuery

TIMESTAMP = "timestamp"
"""What a trust anchor must be qualified for, so that timestamp authorities under it prove anything."""


def established(
    query: RecognitionQuery, profile: CredentialProfile, policy: Policy, evidence: LockEvidence, *, dated: bool
) -> tuple[RecognitionQuery, LockEvidence]:
    """The evidence with what it proves of the time of a document's signature.

    Who gave no `valid_at` (not `dated`) asks about that time, if there is one.
    """
    document = evidence.shown
    if not isinstance(document, DocumentSignature):
        return query, evidence
    vouching = Vouching(
        paths=evidence.paths,
        revocation=evidence.revocation,
        trust=policy.trust,
        rules=policy.algorithms.rules,
        max_age=profile.max_age,
        jurisdiction=query.jurisdiction,
        known_at=query.known_at,
        hints=query.chain,
    )
    found = _found(document, vouching, query.known_at)
    if not dated and found.proven is not None:
        query = replace(query, valid_at=min(found.proven.instant, query.known_at))
    return query, replace(evidence, established=found)


def _found(document: DocumentSignature, vouching: Vouching, known_at: datetime) -> Established:
    proven = [entry for entry in document.receipts if entry.instant <= known_at]
    refused = [*document.refused]
    refused += [
        RefusedEvidence(kind="receipt", digest=entry.digest, code="evidence.later", detail="issued after known_at")
        for entry in document.receipts
        if entry.instant > known_at
    ]
    archived = min((entry.instant for entry in proven), default=None)
    covers = {entry.digest for entry in proven}
    whole = document.signer is not None  # a message names the certificate of its signer, or has it inside
    for token in document.timestamps:
        value, message = Octets(document.value), Octets(document.message)
        verdict = _first(token, (value, message) if whole else (value,), vouching, archived)
        if isinstance(verdict[0], RefusedEvidence):
            refused.append(verdict[0])
            continue
        proven.append(verdict[0])
        if verdict[1] is message or (document.signer is not None and document.signer.certificate_hashes):
            covers.add(verdict[0].digest)
    first = min(proven, key=lambda entry: (entry.instant, entry.digest), default=None)
    return Established(
        proven=first, binds_certificate=first is not None and first.digest in covers, refused=tuple(refused)
    )


def _first(
    token: bytes, contents: tuple[Content, ...], vouching: Vouching, archived: datetime | None
) -> tuple[ProvenTime | RefusedEvidence, Content]:
    """The verdict on a token for whichever of the contents it is over; of those it is not over, that on the first."""
    refusal: tuple[RefusedEvidence, Content] | None = None
    for content in contents:
        verdict = proven_by_timestamp(token, content, vouching, existed_at=archived)
        if isinstance(verdict, ProvenTime):
            return verdict, content
        if refusal is None or refusal[0].code == "timestamp.imprint_wrong":
            refusal = verdict, content
    if refusal is None:
        raise ValueError("a token is over something")
    return refusal
