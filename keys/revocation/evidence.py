"""An OCSP response as evidence about one certificate: read, looked into and verified in one step."""

from datetime import datetime

from keys.certificate import Certificate
from keys.revocation.judgement import KnownOcsp
from keys.revocation.ocsp import (
    OcspAnswer,
    OcspResponse,
    Usable,
    answer_for,
    needs_check,
    parse_ocsp,
    verify_ocsp,
)


def known_answer(
    data: bytes,
    serial: int,
    issuer_name: bytes,
    issuer: Certificate,
    *,
    instant: datetime,
    known_from: datetime | None = None,
    usable: Usable | None = None,
) -> KnownOcsp | None:
    """Gives what a response (DER) says of a certificate, for `judge`; None when it speaks of others only.

    The certificate is named by serial number and by the Name (DER) in its issuer field. `instant` and `usable` are
    those of `verify_ocsp`. Without `known_from` the answer counts as known since it was produced. Raises what
    `parse_ocsp` and `verify_ocsp` raise.
    """
    response = parse_ocsp(data)
    answer = answer_for(response, serial, issuer_name, issuer)
    if answer is None:
        return None
    signer = verify_ocsp(response, issuer, instant, usable=usable)
    return as_known(response, answer, signer, issuer, known_from)


def as_known(
    response: OcspResponse,
    answer: OcspAnswer,
    signer: Certificate,
    issuer: Certificate,
    known_from: datetime | None = None,
) -> KnownOcsp:
    """An answer that `answer_for` found in a response, as evidence; `signer` is what `verify_ocsp` gave.

    Without `known_from` it counts as known since it was produced.
    """
    return KnownOcsp(
        answer=answer,
        digest=response.digest,
        known_from=known_from or response.produced_at,
        unchecked=signer if needs_check(signer, issuer) else None,
    )
