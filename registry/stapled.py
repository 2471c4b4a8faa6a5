"""OCSP responses that came with a question: what of them counts as evidence about a certificate."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import pairwise

from keys.algorithm_policy import AlgorithmPolicy, allowed
from keys.algorithms.schemes import SignatureScheme, VerifyingKey
from keys.certificate import Certificate
from keys.errors import KeysError
from keys.revocation.evidence import known_answer
from keys.revocation.judgement import KnownOcsp
from keys.revocation.ocsp import parse_ocsp
from registry.evidence import RefusedEvidence


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


def of_no_use(
    responses: Iterable[bytes],
    paths: Iterable[Sequence[Certificate]],
    known_at: datetime,
    algorithms: AlgorithmPolicy,
) -> tuple[RefusedEvidence, ...]:
    """The responses that say nothing of any certificate on these paths, each with the reason."""
    steps = [step for path in paths for step in pairwise(path)]
    found = [(data, _why_not(data, steps, known_at, algorithms)) for data in responses]
    return tuple(
        RefusedEvidence(kind="ocsp", digest=f"sha256:{sha256(data).hexdigest()}", code=why.code, detail=why.detail)
        for data, why in found
        if why is not None
    )


def _why_not(
    data: bytes, steps: Iterable[tuple[Certificate, Certificate]], known_at: datetime, algorithms: AlgorithmPolicy
) -> KeysError | None:
    why = KeysError("ocsp.about_others", "the response speaks of no certificate on the path")
    try:
        parse_ocsp(data)
    except KeysError as error:
        return error
    for subject, issuer in steps:
        if brought_along((data,), subject, issuer, known_at, algorithms):
            return None
        try:
            # Without a look at its algorithms: what is left then is that they are not allowed.
            if known_answer(data, subject.serial, subject.issuer, issuer, instant=known_at) is not None:
                why = KeysError("signature.algorithm_not_allowed", "the response is signed by an algorithm not allowed")
        except KeysError as error:
            why = error
    return why
