"""The two certificates of one lock: Chinese CAs issue a signing and an encryption certificate with one subject."""

from collections.abc import Iterable

from keys.algorithms.schemes import load_key, scheme_from_identifier, verify
from keys.certificate import Certificate
from keys.errors import KeysError
from keys.revocation.names import folded

_OTHER = {"signing": "encryption", "encryption": "signing"}


def pair_of(certificate: Certificate, issuer: Certificate, others: Iterable[Certificate]) -> Certificate | None:
    """The other certificate of the lock among those that came along, None where it is not there.

    It is for the other use, has the same subject and issuer, overlaps in validity, and the same authority signed it.
    Its revocation is not judged. Of several the one that lasts longest, then by fingerprint.
    """
    wanted = _OTHER.get(certificate.use)
    found = [
        other for other in others if other.use == wanted and _same_lock(certificate, other) and _issued(issuer, other)
    ]
    return max(found, key=lambda other: (other.not_after, other.fingerprint), default=None)


def _same_lock(one: Certificate, other: Certificate) -> bool:
    return (
        folded(one.subject) == folded(other.subject)
        and folded(one.issuer) == folded(other.issuer)
        and max(one.not_before, other.not_before) <= min(one.not_after, other.not_after)
    )


def _issued(issuer: Certificate, other: Certificate) -> bool:
    try:
        verify(load_key(issuer.spki), scheme_from_identifier(other.signature_algorithm), other.signature, other.tbs)
    except KeysError:
        return False
    return True
