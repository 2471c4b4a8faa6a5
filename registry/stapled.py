"""OCSP responses that came with a question: what of them counts as evidence about a certificate."""

from collections.abc import Iterable
from datetime import datetime

from keys.algorithm_policy import AlgorithmPolicy, allowed
from keys.algorithms.schemes import SignatureScheme, VerifyingKey
from keys.certificate import Certificate
from keys.errors import KeysError
from keys.revocation.evidence import known_answer
from keys.revocation.judgement import KnownOcsp


def brought_along(
    responses: Iterable[bytes],
    certificate: Certificate,
    issuer: Certificate,
    known_at: datetime,
    algorithms: AlgorithmPolicy,
) -> list[KnownOcsp]:
    """The answers about a certificate of an issuer, each known since its response was produced.

    Whoever asks chooses what he brings: what cannot be read, does not verify by algorithms that may be relied on at
    `known_at`, or was produced later, is passed over. A responder who could have been revoked is still to be judged.
    """

    def usable(scheme: SignatureScheme, key: VerifyingKey) -> str | None:
        return allowed(algorithms, scheme, key, known_at)

    serial, name = certificate.serial, certificate.issuer
    found: list[KnownOcsp] = []
    for data in responses:
        try:
            known = known_answer(data, serial, name, issuer, instant=known_at, usable=usable)
        except KeysError:
            continue
        if known is not None:
            found.append(known)
    return found
