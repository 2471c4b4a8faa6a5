"""Revocation lists about one certificate, in days around one instant, for the tests of how lists are judged."""

from datetime import datetime, timedelta
from functools import cache

from keys.certificate.extensions import DistributionPoint
from keys.revocation.crl import parse_crl
from keys.revocation.judgement import KnownCrl, RevocationPolicy, RevocationVerdict, judge
from tests.support import der_writer as der
from tests.support.der_writer import Extension, IssuingDistributionPoint, Revoked
from tests.support.pki import AT, Authority

SERIAL = 77
CA = Authority.root("sm2")
STRANGER = Authority.root("sm2", "乙CA")
ISSUER, STRANGER_NAME = CA.subject.der, STRANGER.subject.der
POLICY = RevocationPolicy(max_age=timedelta(days=5))
END = AT + timedelta(days=300)
FLAGS = tuple(reason for reason in der.REASONS if reason not in ("unspecified", "removeFromCRL"))
HERE, THERE = "http://crl.test/1.crl", "http://crl.test/2.crl"
INDIRECT = IssuingDistributionPoint(indirect=True)


def day(number: float) -> datetime:
    return AT + timedelta(days=number)


@cache
def listed(
    entries: tuple[Revoked, ...] = (),
    *,
    issued: float = -1,
    until: float | None = 6,
    known: float | None = None,
    authority: Authority = CA,
    number: int | None = None,
    base: int | None = None,
    part: IssuingDistributionPoint | None = None,
    more: tuple[Extension, ...] = (),
    key_ids: bool = True,
) -> KnownCrl:
    """A list whose signature nobody looks at, in days from AT; known when it was issued unless told."""
    data = authority.crl(
        entries,
        this_update=day(issued),
        next_update=None if until is None else day(until),
        number=number,
        base=base,
        part=part,
        more=more,
        key_ids=key_ids,
        signature=b"\0",
    )
    return KnownCrl(crl=parse_crl(data), known_from=day(issued if known is None else known))


def entry(effect: float = -20, reason: str | None = None, **more: object) -> Revoked:
    return Revoked(serial=SERIAL, at=day(effect), reason=reason, **more)


def verdict(*crls: KnownCrl, known_at: float = 20, **changes: object) -> RevocationVerdict:
    question = {"valid_at": AT, "known_at": day(known_at), "certificate_end": END, "policy": POLICY}
    return judge(SERIAL, ISSUER, crls, **(question | changes))


def state(*crls: KnownCrl, **changes: object) -> str:
    return verdict(*crls, **changes).state


def point(*uris: str, **more: object) -> DistributionPoint:
    """A distribution point of the certificate."""
    return DistributionPoint(uris=uris, **more)
