"""The OCSP answers of a store: each known from its instant on, none forgotten that matters, none believed blindly."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.ports import OcspQuestion, StoreError
from app.store.ocsp_answers import SERVING
from app.store.revocations import RevocationShelf
from app.store.writer import SqliteWriter
from keys.certificate import Certificate, parse_certificate
from keys.revocation.ocsp import answer_about, parse_ocsp
from registry.trust import key_digest
from tests.store.rows import change, rows_of
from tests.support.ocsp import Responder, Said
from tests.support.pki import NOT_AFTER, Authority, Issued, unit

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
CA = Authority.root("p-256").subordinate("重庆测试CA")
ISSUER = parse_certificate(CA.certificate.der)
LOCK: Issued = CA.issue(unit("p-256", number=1))
HOLDER: Certificate = parse_certificate(LOCK.der)
DIRECT = Responder.direct(CA)


def said(number: float, responder: Responder = DIRECT, about: Issued = LOCK, **changes: Any) -> bytes:
    at = NOW + number * DAY
    dated = {"this_update": at, "next_update": at + DAY}
    return responder.reply(about, Said(produced_at=at), **dated | changes)


def question(about: Issued = LOCK, issuer: Certificate = ISSUER, url: str = "http://ocsp.example/") -> OcspQuestion:
    certificate = parse_certificate(about.der)
    return OcspQuestion(
        serial=certificate.serial,
        issuer_name=certificate.issuer,
        issuer_key=key_digest(issuer),
        not_after=certificate.not_after,
        url=url,
    )


def leaping(store: Path) -> SqliteWriter:
    """A writer whose clock leaps where it would wait."""
    instants = [clock.now()]

    def leap(seconds: float) -> None:
        instants.append(instants[-1] + timedelta(seconds=seconds))

    return SqliteWriter(store, now=lambda: instants[-1], wait=leap)


def enter(store: Path, *answers: bytes, about: Issued = LOCK, known: float | None = None) -> list[bool]:
    """Enters answers, each a day after the one before; at `known` days where that is given."""
    writer = leaping(store)
    results = []
    for number, data in enumerate(answers):
        answer = answer_about(parse_ocsp(data), parse_certificate(about.der), ISSUER)
        assert answer is not None
        since = NOW + (number if known is None else known) * DAY
        results.append(writer.add_ocsp_answer(data, answer, question(about), since))
    writer.close()
    return results


def entered(store: Path, *answers: bytes, **more: Any) -> RevocationShelf:
    assert all(enter(store, *answers, **more))
    return RevocationShelf(store)


def days(shelf: RevocationShelf, about: Certificate = HOLDER, known_at: datetime | None = None) -> list[float]:
    known = shelf.answers_of(ISSUER, known_at or clock.now(), about)
    return sorted((each.answer.this_update - NOW) / DAY for each in known)


def test_the_newest_answers_about_a_certificate_are_given(store: Path) -> None:
    shelf = entered(store, *(said(number) for number in range(SERVING + 3)))
    assert days(shelf) == [3, 4, 5, 6]
    assert days(shelf, known_at=NOW + 2 * DAY) == [0, 1, 2]
    assert days(shelf, known_at=NOW - DAY) == []
    other = parse_certificate(CA.issue(unit("p-256", number=2)).der)
    assert days(shelf, other) == []
    assert list(shelf.answers_of(parse_certificate(Authority.root("p-256").certificate.der), NOW, HOLDER)) == []
    shelf.close()


def test_a_store_without_answers_gives_none(store: Path) -> None:
    assert days(RevocationShelf(store)) == []
    assert asked_again(store, 9) == []


def test_an_answer_is_given_with_its_digest_and_since_when_it_was_known(store: Path) -> None:
    data = said(0)
    (known,) = entered(store, data, known=2).answers_of(ISSUER, clock.now(), HOLDER)
    assert (known.digest, known.known_from, known.unchecked) == (parse_ocsp(data).digest, NOW + 2 * DAY, None)
    assert known.answer == parse_ocsp(data).answers[0]


def test_a_responder_who_could_be_revoked_is_named(store: Path) -> None:
    responder = Responder.delegated(CA, no_check=False)
    (known,) = entered(store, said(0, responder)).answers_of(ISSUER, clock.now(), HOLDER)
    assert known.unchecked is not None
    assert responder.certificate is not None
    assert known.unchecked.der == responder.certificate.der


def test_what_an_answer_said_is_not_forgotten_with_it(store: Path) -> None:
    revoked = said(0, status="revoked", revoked_at=NOW)
    weaker = said(0.5, status="revoked", reason="certificateHold", revoked_at=NOW)
    shelf = entered(store, revoked, weaker, *(said(number) for number in range(1, SERVING + 4)))
    assert days(shelf) == [0, 0.5, 4, 5, 6, 7]
    assert days(RevocationShelf(store)) == [0, 0.5, 4, 5, 6, 7]


def test_an_answer_that_comes_in_late_is_not_forgotten_either(store: Path) -> None:
    answers = [said(0, status="revoked", revoked_at=NOW), *(said(number) for number in range(1, SERVING + 4))]
    assert 0 in days(entered(store, *reversed(answers)))


def test_answers_from_before_the_end_of_the_certificate_stay(store: Path) -> None:
    end = (NOT_AFTER - NOW) / DAY
    numbers = [end - 2, end - 1, *(end + number for number in range(1, SERVING + 2))]
    assert days(entered(store, *(said(number) for number in numbers), known=0)) == [
        *numbers[:2],
        *numbers[-SERVING:],
    ]


def test_the_same_answer_is_kept_once_and_none_is_replaced(store: Path) -> None:
    data = said(0)
    assert enter(store, data, data) == [True, False]
    before = rows_of(store, "SELECT * FROM ocsp_answer")
    assert enter(store, data, known=9) == [False]
    assert rows_of(store, "SELECT * FROM ocsp_answer") == before
    # One response may speak of several certificates.
    other = CA.issue(unit("p-256", number=2))
    both = DIRECT.respond([DIRECT.about(LOCK), DIRECT.about(other)])
    assert enter(store, both) == enter(store, both, about=other) == [True]


def test_an_answer_that_came_in_since_is_seen(store: Path) -> None:
    shelf = entered(store, said(0))
    enter(store, said(1, status="revoked"))
    shelf._lookout.forget()
    shelf.refresh()
    assert days(shelf) == [0, 1]


def test_a_live_store_is_told_nothing_after_the_fact(live_store: Path) -> None:
    data = said(0)
    writer = leaping(live_store)
    with pytest.raises(StoreError, match="live"):
        writer.add_ocsp_answer(data, parse_ocsp(data).answers[0], question(), NOW)
    assert writer.add_ocsp_answer(data, parse_ocsp(data).answers[0], question())
    writer.close()


def test_an_answer_is_verified_when_it_is_used(store: Path) -> None:
    intruder = said(0, Responder.delegated(CA, by=Authority.root("p-256", "乙CA")))
    assert days(entered(store, intruder)) == []
    renamed = CA.issue(unit("p-256", number=1), serial=LOCK.serial, issuer=Authority.root("p-256").subject.der)
    assert days(entered(store, said(1)), parse_certificate(renamed.der)) == []


def test_a_damaged_answer_is_told(store: Path) -> None:
    shelf = entered(store, said(0))
    change(store, "UPDATE ocsp_answer SET content = ?1", b"0")
    with pytest.raises(StoreError, match="is damaged"):
        days(shelf)


# What to ask again


def asked_again(store: Path, days_later: float) -> list[OcspQuestion]:
    shelf = RevocationShelf(store)
    try:
        return list(shelf.ending(NOW + days_later * DAY))
    finally:
        shelf.close()


def test_an_answer_is_asked_for_again_when_half_its_time_is_over(store: Path) -> None:
    enter(store, said(0))
    assert asked_again(store, 0.49) == []
    assert asked_again(store, 0.5) == [question()]
    enter(store, said(0.4))
    assert asked_again(store, 0.5) == []
    assert asked_again(store, 0.9) == [question()]
    # A late one changes nothing.
    enter(store, said(0.1))
    assert asked_again(store, 0.5) == []


def test_an_answer_without_an_end_is_asked_for_every_time(store: Path) -> None:
    enter(store, said(0, next_update=None))
    assert asked_again(store, 0) == [question()]


def test_what_has_ended_or_is_revoked_for_good_is_not_asked_again(store: Path) -> None:
    enter(store, said(0))
    assert asked_again(store, (NOT_AFTER - NOW) / DAY) == [question()]
    assert asked_again(store, (NOT_AFTER - NOW) / DAY + 1) == []
    enter(store, said(1, status="revoked", reason="certificateHold"))
    assert asked_again(store, 9) == [question()]
    enter(store, said(2, status="unknown"))
    assert asked_again(store, 9) == [question()]
    enter(store, said(3, status="revoked"))
    assert asked_again(store, 9) == []
