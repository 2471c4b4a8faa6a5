"""When a signature over a document is proven to have existed, before anything else is judged by that instant."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import sha256

from msgspec.structs import replace

from keys.algorithms.schemes import load_key
from keys.certificate import Certificate
from keys.content import Content, Octets
from keys.errors import KeysError
from registry.certificate_status import status_evidence
from registry.evidence import DocumentSignature, Established, LockEvidence, ProvenTime
from registry.policy import Policy
from registry.profile import CredentialProfile
from registry.proven_time import Refusal, proven_by_timestamp
from registry.query import MAX_CHAIN, RecognitionQuery
from registry.refused_evidence import RefusedEvidence
from registry.trust import Trust

TIMESTAMP = "timestamp"
"""What a trust anchor must be qualified for, so that timestamp authorities under it prove anything."""


_Judge = Callable[..., ProvenTime | Refusal]
"""`proven_by_timestamp` with all but a token, the content, and since when the token is proven to be there."""


def established(
    query: RecognitionQuery, profile: CredentialProfile, policy: Policy, evidence: LockEvidence, *, dated: bool
) -> tuple[RecognitionQuery, LockEvidence]:
    """The evidence with what it proves of the time of a document's signature.

    Who gave no `valid_at` (not `dated`) asks about that time, if there is one.
    """
    document = evidence.shown
    if not isinstance(document, DocumentSignature):
        return query, evidence
    judged = partial(
        proven_by_timestamp,
        paths=evidence.paths,
        anchors=partial(_serving, policy.trust, query.jurisdiction),
        hints=query.chain[:MAX_CHAIN],
        own=policy.trust.certificates,
        status=status_evidence(query, profile, policy, evidence),
    )
    found = _found(document, judged, query)
    if dated:
        found = replace(found, named=query.valid_at)
    elif found.proven is not None:
        query = replace(query, valid_at=min(found.proven.instant, query.known_at))
    return query, replace(evidence, established=found)


def _serving(trust: Trust, jurisdiction: str, instant: datetime) -> list[Certificate]:
    """The anchors that serve timestamps there and then."""
    return [anchor.certificate for anchor in trust.serving(TIMESTAMP, jurisdiction, instant)]


def _found(document: DocumentSignature, judged: _Judge, query: RecognitionQuery) -> Established:
    """The earliest time that is proven."""
    known_at = query.known_at
    proven = [entry for entry in document.receipts if entry.instant <= known_at]
    refused = [*document.refused]
    refused += [
        RefusedEvidence(kind="receipt", digest=entry.digest, code="evidence.later", detail="issued after known_at")
        for entry in document.receipts
        if entry.instant > known_at
    ]
    whole = document.signer is not None
    shown = proven.copy()
    value, message = Octets(document.value), document.message
    for token in document.timestamps:
        name = f"sha256:{sha256(token).hexdigest()}"
        # A receipt over the signature says nothing of a token that was made since, by a stolen key perhaps.
        archived = min((entry.instant for entry in shown if name in entry.tokens), default=None)
        verdict, over = _first(token, (value, message) if whole else (value,), judged, archived)
        if isinstance(verdict, Refusal):
            refused.append(RefusedEvidence(kind="timestamp", digest=name, code=verdict.code, detail=verdict.detail))
            continue
        covered = _covered(document, query.certificate, message=over is message)
        if _may_be_of_another_key(query.certificate, covered):
            detail = "it covers a value for which anybody can make a key later: the certificate's hash was not signed"
            refused.append(RefusedEvidence(kind="timestamp", digest=name, code="timestamp.key_open", detail=detail))
            continue
        proven.append(replace(verdict, certificates=covered))
    proven.sort(key=lambda entry: (entry.instant, entry.digest))
    return Established(proofs=tuple(proven), refused=tuple(refused))


def _covered(document: DocumentSignature, certificate: Certificate | None, *, message: bool) -> frozenset[str]:
    """The certificates that a timestamp shows to have been there: that whose hash was signed, those in the message.

    Any other may have been made later, by an authority's key that was broken since.
    """
    found = document.inside if message else frozenset()
    hashed = document.signer is not None and document.signer.certificate_hashes
    return found.union((certificate.fingerprint,)) if hashed and certificate is not None else found


def _may_be_of_another_key(certificate: Certificate | None, covered: frozenset[str]) -> bool:
    """Whether the value that was stamped may be older than the key: of RSA and ECDSA a key can be made for a value.

    What SM2 and Ed25519 sign depends on the public key.
    """
    if certificate is None or certificate.fingerprint in covered:
        return False
    try:
        return load_key(certificate.spki).family in ("rsa", "ec")
    except KeysError:
        return True


def _first(
    token: bytes, contents: tuple[Content, ...], judged: _Judge, archived: datetime | None
) -> tuple[ProvenTime | Refusal, Content]:
    """The verdict on a token for whichever of the contents it is over; of those it is not over, that on the first."""
    verdict = judged(token, contents[0], existed_at=archived)
    over = contents[0]
    for content in contents[1:]:
        if isinstance(verdict, ProvenTime) or verdict.code != "timestamp.imprint_wrong":
            break
        other = judged(token, content, existed_at=archived)
        if isinstance(other, ProvenTime) or other.code != "timestamp.imprint_wrong":
            verdict, over = other, content
    return verdict, over
