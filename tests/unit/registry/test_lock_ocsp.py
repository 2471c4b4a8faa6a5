"""What OCSP answers make of a lock: those that a node holds, and those that came with the question."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.revocation.crl import parse_crl
from keys.revocation.ocsp import parse_ocsp
from registry.decision import Decision
from tests.support.der_writer import Revoked
from tests.support.ocsp import LIES, Responder, Said, lie
from tests.support.pki import AT, Issued, unit
from tests.unit.registry.locks import (
    DAY,
    HOUR,
    KIND,
    LONG_AGO,
    Shelf,
    anchor,
    ca,
    check,
    honest_lock,
    judge,
    root,
    shelf,
    told,
    world,
)
from tests.unit.registry.test_lock_revocation import COMPROMISED, FRESH, GOOD, MISSING, REVOKED, STALE, both_of

LOCK = honest_lock()
OTHER = Revoked(serial=7, at=AT - 90 * DAY)
CONTRADICTORY = ("indeterminate", "revocation.stale", "contradictory")
OF_CA = Responder.direct(ca())


def roots_only() -> Shelf:
    """The list about the CA, and none about its locks."""
    return Shelf().add(root(), root().crl())


def said(responder: Responder = OF_CA, at: datetime = AT - HOUR, about: Issued = LOCK, **changes: Any) -> bytes:
    """An answer of an instant, in force for a week."""
    dated = {"this_update": at, "next_update": at + 7 * DAY}
    return responder.reply(about, Said(produced_at=at), **dated | changes)


def held(*answers: bytes, by: Shelf | None = None, known_from: datetime = LONG_AGO) -> Shelf:
    made = by or roots_only()
    made.answers += [(data, known_from) for data in answers]
    return made


def lists_of(decision: Decision) -> set[str]:
    assert decision.lock is not None
    assert decision.lock.revocation is not None
    return set(decision.lock.revocation.lists)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (GOOD, FRESH)),
        ({"status": "revoked"}, (REVOKED, FRESH)),
        (
            {"status": "revoked", "reason": "certificateHold"},
            (("failed", "status.suspended", "certificate"), FRESH),
        ),
        (
            {"status": "revoked", "reason": "keyCompromise"},
            (("failed", "status.revoked", "compromise"), FRESH),
        ),
        ({"status": "unknown"}, (MISSING, MISSING)),
        ({"next_update": AT - HOUR / 2}, (STALE, STALE)),
        ({"serial": 5}, (MISSING, MISSING)),
    ],
)
def test_an_answer_serves_held_and_brought_along(changes: dict[str, Any], expected: Any) -> None:
    data = said(**changes)
    assert both_of(judge(LOCK, held(data))) == expected
    assert both_of(judge(LOCK, roots_only(), stapled=(data,))) == expected


def test_an_answer_is_named_and_tells_how_fresh_the_decision_is() -> None:
    data = said(next_update=AT + DAY)
    decision = judge(LOCK, held(data))
    assert lists_of(decision) == {parse_ocsp(data).digest, parse_crl(root().crl()).digest}
    assert decision.fresh_until == AT + DAY
    assert decision.outcome == "recognized"


def test_the_fresher_of_list_and_answer_tells_how_far_the_evidence_reaches() -> None:
    roots = {"this_update": AT - HOUR / 4}
    for hours, answer in ((2, True), (0.5, False)):
        lists = Shelf().add(root(), root().crl(**roots)).add(ca(), ca().crl([OTHER], this_update=AT - hours * HOUR))
        decision = judge(LOCK, held(said(), by=lists))
        assert both_of(decision) == (GOOD, FRESH)
        assert check(decision, "freshness").params["as_of"] == AT - (1 if answer else 0.5) * HOUR


def test_a_revocation_by_then_wins_over_good_of_either_kind() -> None:
    revoked = said(status="revoked", at=AT - 2 * HOUR)
    assert told(judge(LOCK, held(revoked, by=shelf(OTHER, this_update=AT - HOUR))), "status") == REVOKED
    assert told(judge(LOCK, held(revoked, said())), "status") == REVOKED
    assert told(judge(LOCK, held(said(), by=shelf(LOCK.revoked(), this_update=AT - 2 * HOUR))), "status") == REVOKED


def test_what_contradicts_is_told_as_that() -> None:
    asked = {"now": AT + DAY, "valid_at": AT}
    revoked = said(status="revoked", revoked_at=AT + HOUR, at=AT + 2 * HOUR)
    denied = said(at=AT + 3 * HOUR)
    for evidence in (held(revoked, denied), held(said(status="unknown"), by=shelf(OTHER))):
        decision = judge(LOCK, evidence, **asked)
        assert both_of(decision) == (CONTRADICTORY, CONTRADICTORY)
        assert decision.outcome == "indeterminate"
    compromised = said(status="revoked", reason="keyCompromise", revoked_at=AT + HOUR, at=AT + 2 * HOUR)
    assert told(judge(LOCK, held(compromised, denied), **asked), "status") == COMPROMISED


def test_answers_about_the_authorities_of_the_path_count_too() -> None:
    above = Responder.direct(root())
    asked = {"lists": Shelf(), "stapled": (said(), said(above, about=ca().certificate))}
    assert both_of(judge(LOCK, **asked)) == (GOOD, FRESH)
    revoked = said(above, about=ca().certificate, status="revoked", reason="cACompromise")
    assert told(judge(LOCK, Shelf(), stapled=(said(), revoked)), "status") == ("failed", "status.revoked", "compromise")


def test_an_authority_that_may_not_sign_lists_still_answers() -> None:
    authority = root().subordinate("重庆测试CA", key_usage=("keyCertSign",))
    lock = authority.issue(unit(KIND))
    data = said(Responder.direct(authority), about=lock)
    assert told(judge(lock, held(data), chain=[authority.certificate.der]), "status") == GOOD


# When it was known


@pytest.mark.parametrize(("known_at", "expected"), [(AT - HOUR, MISSING), (AT, GOOD), (AT + DAY, GOOD)])
def test_an_answer_is_not_heard_before_it_was_known(known_at: datetime, expected: Any) -> None:
    asked = {"now": AT + DAY, "known_at": known_at, "valid_at": AT - 2 * HOUR}
    assert told(judge(LOCK, held(said(), known_from=AT), **asked), "status") == expected
    assert told(judge(LOCK, roots_only(), stapled=(said(at=AT),), **asked), "status") == expected


# Lies


@pytest.mark.parametrize("name", LIES)
def test_a_response_that_lies_is_passed_over(name: str) -> None:
    expected = STALE if name == "stale" else MISSING
    data = lie(name, ca(), LOCK, digest="sm3")
    assert told(judge(LOCK, roots_only(), stapled=(data,)), "status") == expected
    assert told(judge(LOCK, roots_only(), stapled=(data, said())), "status") == GOOD
    assert told(judge(LOCK, shelf(OTHER), stapled=(b"", data, b"\x30\x03\x0a\x01\x01")), "status") == GOOD


def test_an_algorithm_that_may_not_be_relied_on_proves_nothing() -> None:
    authority = root(kind="rsa-2048").subordinate("测试CA")
    lock = authority.issue(unit("rsa-2048"))
    sha1 = Responder.direct(authority).reply(lock, Said(scheme="rsa-pkcs1-sha1"))
    trusted = world(("trust-anchor", anchor("t-root", root(kind="rsa-2048").certificate.der)))
    policy = {"chain": [authority.certificate.der], "policy": trusted}
    roots = Shelf().add(root(kind="rsa-2048"), root(kind="rsa-2048").crl())
    right = Responder.direct(authority).reply(lock)
    assert told(judge(lock, roots, stapled=(sha1,), **policy), "status") == MISSING
    assert told(judge(lock, roots, stapled=(sha1, right), **policy), "status") == GOOD


# Responders who could be revoked


@pytest.mark.parametrize(
    ("since", "reason", "issued", "believed"),
    [
        (None, None, AT - HOUR / 2, True),
        (None, None, AT - 30 * DAY, False),  # a list that is too old to tell
        (AT - 2 * HOUR, "superseded", AT - HOUR / 2, False),
        (AT - HOUR / 2, "superseded", AT - HOUR / 4, True),
        (AT - HOUR / 2, "keyCompromise", AT - HOUR / 4, False),
    ],
)
def test_a_responder_without_nocheck_is_judged_by_lists_for_when_it_signed(
    since: datetime | None, reason: str | None, issued: datetime, believed: bool
) -> None:
    responder = Responder.delegated(ca(), no_check=False)
    assert responder.certificate is not None
    entries = [] if since is None else [responder.certificate.revoked(since, reason=reason)]
    lists = roots_only().add(ca(), ca().crl(entries, this_update=issued, next_update=issued + DAY))
    data = said(responder, status="revoked")
    assert (told(judge(LOCK, lists, stapled=(data,)), "status") == REVOKED) is believed
    # What the node held before its responder's key was stolen is his.
    known_before = reason == "keyCompromise"
    assert (told(judge(LOCK, held(data, by=lists)), "status") == REVOKED) is (believed or known_before)
    again = roots_only().add(ca(), ca().crl(entries, this_update=issued, next_update=issued + DAY))
    assert (told(judge(LOCK, held(data, by=again, known_from=AT - HOUR / 3)), "status") == REVOKED) is believed


@pytest.mark.parametrize("brought", [True, False])
def test_an_accusation_by_a_responder_who_cannot_be_judged_leaves_doubt(brought: bool) -> None:
    """It is no proof, and must not vanish either."""
    data = said(Responder.delegated(ca(), no_check=False), status="revoked")

    def status(*others: bytes) -> tuple[str, str | None, str]:
        evidence = held(*others) if brought else held(data, *others)
        return told(judge(LOCK, evidence, stapled=(data,) if brought else ()), "status")

    assert status() == MISSING
    assert status(said()) == CONTRADICTORY
    assert status(said(status="revoked")) == REVOKED
    data = said(Responder.delegated(ca(), no_check=False), status="revoked", revoked_at=AT + DAY)
    assert status(said()) == GOOD, "it accuses of nothing that counts by then"
    assert told(judge(LOCK, roots_only(), stapled=(said(Responder.delegated(ca())),)), "status") == GOOD


@pytest.mark.parametrize("reason", [None, "superseded", "privilegeWithdrawn"])
@pytest.mark.parametrize("days", [-2.0, 1.0, 900.0])
def test_who_was_revoked_later_can_only_accuse(reason: str | None, days: float) -> None:
    """A revocation that counts from after the instant would be silence about it, and lift a hold."""
    responder = Responder.delegated(ca(), no_check=False)
    assert responder.certificate is not None
    gone = responder.certificate.revoked(AT - DAY, reason=reason)
    stale = roots_only().add(ca(), ca().crl([gone], this_update=AT - HOUR, next_update=AT - HOUR / 2))
    forged = said(responder, at=AT - 3 * DAY, status="revoked", revoked_at=AT + days * DAY)
    alone = told(judge(LOCK, stale), "status")
    with_it = told(judge(LOCK, stale, stapled=(forged,)), "status")
    assert alone == STALE
    assert with_it == (REVOKED if days < 0 else STALE)
    assert told(judge(LOCK, roots_only(), stapled=(said(Responder.delegated(ca())),)), "status") == GOOD


# Laws

STATUSES = st.sampled_from([("good", None), ("unknown", None), *(("revoked", why) for why in (None, "keyCompromise"))])
ANSWERS = st.lists(st.tuples(STATUSES, st.integers(-9, 9), st.integers(-9, 9), st.integers(-9, 9)), max_size=4)


def answers_from(made: list[tuple[tuple[str, str | None], int, int, int]]) -> list[tuple[bytes, datetime]]:
    return [
        (
            said(at=AT + at * DAY, status=status, reason=why, revoked_at=AT + since * DAY),
            AT + known * DAY,
        )
        for (status, why), at, since, known in made
    ]


@settings(max_examples=20, deadline=None)
@given(ANSWERS, st.randoms(use_true_random=False), st.integers(-9, 0))
def test_the_order_of_answers_plays_no_part(made: list[Any], chance: Any, back: int) -> None:
    asked = {"now": AT + 9 * DAY, "valid_at": AT + back * DAY}
    answers = answers_from(made)
    shuffled = chance.sample(answers, len(answers))
    decisions = [judge(LOCK, Shelf(roots_only().lists, each), **asked) for each in (answers, shuffled)]
    assert both_of(decisions[0]) == both_of(decisions[1])
    assert lists_of(decisions[0]) == lists_of(decisions[1])
    stapled = tuple(data for data, _ in answers)
    brought = [judge(LOCK, roots_only(), stapled=each, **asked) for each in (stapled, stapled[::-1])]
    assert both_of(brought[0]) == both_of(brought[1])


@settings(max_examples=20, deadline=None)
@given(ANSWERS, st.integers(-9, 0), st.integers(0, 9))
def test_what_became_known_later_changes_nothing(made: list[Any], back: int, known: int) -> None:
    known_at = AT + known * DAY
    asked = {"now": AT + 99 * DAY, "known_at": known_at, "valid_at": AT + back * DAY}
    answers = answers_from(made)
    then = [entry for entry in answers if entry[1] <= known_at]
    everything, early = (judge(LOCK, Shelf(roots_only().lists, each), **asked) for each in (answers, then))
    assert (both_of(everything), lists_of(everything)) == (both_of(early), lists_of(early))
