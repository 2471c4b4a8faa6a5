"""OCSP answers about the certificate of `crl_lists`, in days from AT, whose signature nobody looks at."""

from datetime import timedelta
from functools import cache

from keys.certificate import Certificate
from keys.revocation.judgement import KnownCrl, KnownOcsp, RevocationVerdict, judge
from keys.revocation.ocsp import parse_ocsp
from tests.support.der_writer import Extension
from tests.support.ocsp import Answer, Responder
from tests.support.pki import AT
from tests.unit.keys.crl_lists import CA, END, ISSUER, POLICY, SERIAL, day

RESPONDER = Responder.direct(CA)


@cache
def answer(
    status: str = "good",
    *,
    issued: float = -1,
    until: float | None = 6,
    known: float | None = None,
    effect: float = -20,
    reason: str | None = None,
    cutoff: float | None = None,
    serial: int = SERIAL,
    more: tuple[Extension, ...] = (),
    unchecked: Certificate | None = None,
) -> KnownOcsp:
    """An answer in days from AT; known when it was issued unless told."""
    said = Answer(
        serial=serial,
        issuer_name=ISSUER,
        issuer_spki=CA.key.spki,
        status=status,
        revoked_at=day(effect),
        reason=reason,
        this_update=day(issued),
        next_update=None if until is None else day(until),
        cutoff=None if cutoff is None else day(cutoff),
        more=more,
    )
    response = parse_ocsp(RESPONDER.respond([said], produced_at=day(issued) + timedelta(minutes=1), signature=b"\0"))
    return KnownOcsp(
        answer=response.answers[0],
        digest=response.digest,
        known_from=day(issued if known is None else known),
        unchecked=unchecked,
    )


def revoked(effect: float = -20, reason: str | None = None, **more: object) -> KnownOcsp:
    return answer("revoked", effect=effect, reason=reason, **more)


def verdict(*evidence: KnownCrl | KnownOcsp, known_at: float = 20, **changes: object) -> RevocationVerdict:
    """As that of `crl_lists`, by lists and answers."""
    question = {"valid_at": AT, "known_at": day(known_at), "certificate_end": END, "policy": POLICY}
    crls = [each for each in evidence if isinstance(each, KnownCrl)]
    answers = [each for each in evidence if isinstance(each, KnownOcsp)]
    return judge(SERIAL, ISSUER, crls, answers=answers, **(question | changes))


def state(*evidence: KnownCrl | KnownOcsp, **changes: object) -> str:
    return verdict(*evidence, **changes).state


def reason(*evidence: KnownCrl | KnownOcsp, **changes: object) -> str:
    return verdict(*evidence, **changes).reason
