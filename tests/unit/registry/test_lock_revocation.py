"""What revocation lists make of a lock: status and freshness, at `valid_at`, by what was known at `known_at`."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.revocation.crl import parse_crl
from keys.revocation.judgement import KnownCrl
from registry.decision import Decision
from registry.trust import key_digest
from tests.support import der_writer as der
from tests.support.der_writer import IssuingDistributionPoint, Revoked
from tests.support.pki import AT, NOT_AFTER, unit
from tests.unit.registry.locks import (
    DAY,
    HOUR,
    KIND,
    Shelf,
    ca,
    check,
    codes,
    honest_lock,
    intermediate,
    judge,
    long_shelf,
    reissued,
    root,
    shelf,
    told,
    world,
)

LOCK = honest_lock()
TICK = timedelta(microseconds=1)
OTHER = Revoked(serial=7, at=AT - 90 * DAY)
Outcome = tuple[str, str | None, str]
GOOD = ("passed", "status.in_force", "certificate")
FRESH = ("passed", "revocation.fresh", "")
REVOKED = ("failed", "status.revoked", "certificate")
MISSING = ("indeterminate", "revocation.missing", "")
STALE = ("indeterminate", "revocation.stale", "")
COMPROMISED = ("indeterminate", "revocation.stale", "compromise")


def both_of(decision: Decision) -> tuple[Outcome, Outcome]:
    return told(decision, "status"), told(decision, "freshness")


# An entry


@pytest.mark.parametrize(
    ("at", "reason", "expected"),
    [
        (AT - TICK, None, REVOKED),
        (AT, None, REVOKED),
        (AT, "superseded", REVOKED),
        (AT, "cessationOfOperation", REVOKED),
        (AT, "keyCompromise", ("failed", "status.revoked", "compromise")),
        (AT, "cACompromise", ("failed", "status.revoked", "compromise")),
        (AT, "certificateHold", ("failed", "status.suspended", "certificate")),
        (AT + HOUR, None, GOOD),
        (AT + HOUR, "affiliationChanged", GOOD),
        (AT + HOUR, "certificateHold", GOOD),
        (AT + HOUR, "keyCompromise", COMPROMISED),
        (AT + HOUR, "aACompromise", COMPROMISED),
    ],
)
def test_an_entry_counts_from_its_instant_on(at: datetime, reason: str | None, expected: Outcome) -> None:
    # Times in a CRL are whole seconds: the tick before is given as the second before.
    entry = LOCK.revoked(at.replace(microsecond=0), **({} if reason is None else {"reason": reason}))
    lists = long_shelf(OTHER, entry, until=AT + 2 * HOUR)
    decision = judge(LOCK, lists, now=AT + DAY, valid_at=AT)
    assert told(decision, "status") == expected
    status, freshness = check(decision, "status"), check(decision, "freshness")
    if expected[0] == "failed":
        assert dict(status.params) == {"effective_at": at.replace(microsecond=0), "reason": reason or "unspecified"}
        assert decision.outcome == "not_recognized"
    elif expected == COMPROMISED:
        assert (freshness.result, freshness.variant) == ("indeterminate", "compromise")
        assert (decision.outcome, set(codes(decision))) == ("indeterminate", {"revocation.stale"})
    else:
        assert (freshness.result, freshness.code, decision.outcome) == ("passed", "revocation.fresh", "recognized")


def test_the_invalidity_date_is_honoured() -> None:
    entry = LOCK.revoked(AT + HOUR, reason="keyCompromise", invalidity=AT - DAY)
    decision = judge(LOCK, long_shelf(entry, until=AT + 2 * HOUR), now=AT + DAY, valid_at=AT)
    assert told(decision, "status") == ("failed", "status.revoked", "compromise")
    assert check(decision, "status").params["effective_at"] == AT - DAY


@pytest.mark.parametrize("old", [AT - 300 * DAY, AT - 30 * DAY])
def test_a_revocation_counts_in_however_old_a_list(old: datetime) -> None:
    decision = judge(LOCK, long_shelf(LOCK.revoked(old), until=old))
    assert both_of(decision) == (REVOKED, FRESH)
    assert check(decision, "freshness").params["as_of"] == old


def test_a_hold_that_was_lifted_is_over() -> None:
    lists = long_shelf(LOCK.revoked(AT - 20 * DAY, reason="certificateHold"), until=AT - 15 * DAY)
    lists.add(ca(), ca().crl()).add(root(), root().crl())
    assert both_of(judge(LOCK, lists)) == (GOOD, FRESH)
    assert told(judge(LOCK, lists, valid_at=AT - 14 * DAY), "status")[1] == "status.suspended"


# Age


@pytest.mark.parametrize(
    ("issued", "until", "expected"),
    [
        (AT - HOUR, AT + TICK + timedelta(seconds=1), (GOOD, FRESH)),
        (AT - HOUR, AT, (STALE, STALE)),
        (AT - 30 * DAY, AT - 29 * DAY, (STALE, STALE)),
        # Without nextUpdate the profile's limit of 24 hours counts.
        (AT - 24 * HOUR + timedelta(seconds=1), None, (GOOD, FRESH)),
        (AT - 24 * HOUR, None, (STALE, STALE)),
    ],
)
def test_a_list_serves_while_it_is_in_force(
    issued: datetime, until: datetime | None, expected: tuple[Outcome, Outcome]
) -> None:
    lists = shelf(OTHER, this_update=issued, next_update=until and until.replace(microsecond=0))
    decision = judge(LOCK, lists)
    assert both_of(decision) == expected
    # A yes reaches as far as the list that reaches least; the root's is six hours old.
    reached = min(issued, AT - 6 * HOUR) if expected[0] == GOOD else issued
    assert check(decision, "freshness").params["as_of"] == reached
    assert decision.outcome == ("recognized" if expected[0] == GOOD else "indeterminate")


@pytest.mark.parametrize("valid_at", [AT - 100 * DAY, AT - TICK, AT])
def test_a_list_issued_after_the_instant_serves_it(valid_at: datetime) -> None:
    lists = long_shelf(until=AT)
    assert both_of(judge(LOCK, lists, now=AT + 300 * DAY, valid_at=valid_at)) == (GOOD, FRESH)


@pytest.mark.parametrize(("ahead", "expected"), [(timedelta(minutes=5), GOOD), (timedelta(minutes=6), MISSING)])
def test_an_authoritys_clock_may_be_five_minutes_ahead(ahead: timedelta, expected: Outcome) -> None:
    lists = long_shelf(until=AT + ahead)
    assert told(judge(LOCK, lists), "status") == expected


def test_a_list_issued_after_the_certificates_end_cannot_say_that_it_was_good() -> None:
    asked = {"now": NOT_AFTER + 60 * DAY, "valid_at": NOT_AFTER - DAY}
    assert both_of(judge(LOCK, long_shelf(until=NOT_AFTER + DAY), **asked)) == (MISSING, MISSING)
    assert both_of(judge(LOCK, long_shelf(until=NOT_AFTER), **asked)) == (GOOD, FRESH)


# What is not there


@pytest.mark.parametrize("who", ["nobody", "root", "ca"])
def test_without_the_lists_of_every_authority_of_the_path_nothing_can_be_said(who: str) -> None:
    lists = Shelf()
    if who == "root":
        lists.add(root(), root().crl())
    if who == "ca":
        lists.add(ca(), ca().crl())
    decision = judge(LOCK, lists)
    assert both_of(decision) == (MISSING, MISSING)
    assert decision.outcome == "indeterminate"
    assert decision.fresh_until is None


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (IssuingDistributionPoint(only_user=True), GOOD),
        (IssuingDistributionPoint(only_ca=True), MISSING),
        (IssuingDistributionPoint(uris=("http://crl.example/2.crl",)), MISSING),
    ],
)
def test_a_list_of_another_part_says_nothing(part: Any, expected: Outcome) -> None:
    assert told(judge(LOCK, shelf(OTHER, part=part)), "status") == expected


def test_a_partitioned_list_serves_the_locks_of_its_distribution_point() -> None:
    uri = "http://crl.example/7.crl"
    lock = ca().issue(unit(KIND, points=(der.distribution_point([uri]),)))
    part = IssuingDistributionPoint(uris=(uri,))
    assert told(judge(lock, shelf(OTHER, part=part)), "status") == GOOD
    assert told(judge(lock, shelf(lock.revoked(), part=part)), "status") == REVOKED
    assert told(judge(lock, shelf(OTHER, part=IssuingDistributionPoint(uris=(uri + "x",)))), "status") == MISSING


def test_a_delta_brings_a_list_up_to_date_and_both_are_named() -> None:
    lists = Shelf().add(root(), root().crl())
    full = ca().crl([OTHER], number=5, this_update=AT - 2 * HOUR)
    delta = ca().crl([LOCK.revoked()], number=6, base=5, this_update=AT - HOUR)
    lists.add(ca(), full)
    assert told(judge(LOCK, lists), "status") == GOOD
    lists.add(ca(), delta)
    assert told(judge(LOCK, lists), "status") == REVOKED
    quiet = ca().crl([OTHER], number=7, base=5, this_update=AT - HOUR)
    lists = Shelf().add(root(), root().crl()).add(ca(), full).add(ca(), quiet)
    decision = judge(LOCK, lists)
    assert told(decision, "status") == GOOD
    assert decision.lock is not None
    assert decision.lock.revocation is not None
    named = {parse_crl(one).digest for one in (full, quiet, root().crl())}
    assert set(decision.lock.revocation.lists) == named


def test_the_lists_behind_an_answer_are_all_named() -> None:
    decision = judge(LOCK)
    assert decision.lock is not None
    assert decision.lock.revocation is not None
    expected = {parse_crl(crl).digest for crl in (root().crl(), ca().crl())}
    assert set(decision.lock.revocation.lists) == expected
    assert decision.lock.revocation.verdict.state == "good"


# What was known


def known_later(entry: Revoked, instant: datetime) -> Shelf:
    made = shelf(OTHER)
    return made.add(ca(), ca().crl([OTHER, entry], this_update=AT - HOUR), known_from=instant)


@pytest.mark.parametrize(("known_at", "expected"), [(AT - TICK, GOOD), (AT, REVOKED), (AT + DAY, REVOKED)])
def test_a_list_is_not_seen_before_it_was_known(known_at: datetime, expected: Outcome) -> None:
    lists = known_later(LOCK.revoked(AT - 2 * DAY), AT)
    decision = judge(LOCK, lists, now=AT + DAY, known_at=known_at, valid_at=AT - DAY)
    assert told(decision, "status") == expected


def test_a_shelf_that_shows_too_much_is_not_believed() -> None:
    class Indiscreet(Shelf):
        def lists_of(self, issuer: Any, known_at: datetime, about: Any) -> list[KnownCrl]:
            return self.lists.get(key_digest(issuer), [])

    lists = Indiscreet(lists=known_later(LOCK.revoked(AT - 2 * DAY), AT).lists)
    decision = judge(LOCK, lists, now=AT + DAY, known_at=AT - HOUR, valid_at=AT - DAY)
    assert told(decision, "status") == GOOD


# Authorities above


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"at": AT - DAY}, REVOKED),
        ({"at": AT - DAY, "reason": "cACompromise"}, ("failed", "status.revoked", "compromise")),
        ({"at": AT - DAY, "reason": "certificateHold"}, ("failed", "status.suspended", "certificate")),
        ({"at": AT + HOUR}, GOOD),
        ({"at": AT + HOUR, "reason": "cACompromise"}, COMPROMISED),
    ],
)
def test_an_authority_that_was_revoked_takes_its_locks_along(entry: dict[str, Any], expected: Outcome) -> None:
    dated = {"this_update": AT + 2 * HOUR, "next_update": AT + 9 * DAY}
    lists = Shelf().add(ca(), ca().crl(**dated)).add(root(), root().crl([ca().certificate.revoked(**entry)], **dated))
    decision = judge(LOCK, lists, now=AT + DAY, valid_at=AT)
    assert told(decision, "status") == expected
    assert decision.outcome == {"passed": "recognized", "failed": "not_recognized"}.get(expected[0], "indeterminate")


@pytest.mark.parametrize(
    ("own", "above", "expected"),
    [
        ("good", "good", GOOD),
        ("good", "missing", MISSING),
        ("missing", "good", MISSING),
        ("missing", "stale", STALE),
        ("stale", "compromised", COMPROMISED),
        ("compromised", "stale", COMPROMISED),
        ("compromised", "revoked", REVOKED),
        ("revoked", "missing", REVOKED),
        ("missing", "revoked", REVOKED),
    ],
)
def test_the_worst_of_the_path_speaks(own: str, above: str, expected: Outcome) -> None:
    lists = Shelf()
    for issuer, subject, state in ((ca(), LOCK, own), (root(), ca().certificate, above)):
        entries = {
            "revoked": [subject.revoked(AT - DAY)],
            "compromised": [subject.revoked(AT + HOUR, reason="keyCompromise")],
        }.get(state, [OTHER])
        issued = AT - 40 * DAY if state == "stale" else AT + 2 * HOUR
        if state != "missing":
            lists.add(issuer, issuer.crl(entries, this_update=issued, next_update=issued + DAY))
    assert told(judge(LOCK, lists, now=AT + DAY, valid_at=AT), "status") == expected


def test_an_answer_is_fresh_until_the_first_of_its_lists_ends() -> None:
    lists = Shelf().add(ca(), ca().crl()).add(root(), root().crl(next_update=AT + DAY))
    assert judge(LOCK, lists).fresh_until == AT + DAY


def test_a_revoked_authority_outweighs_a_lock_on_hold() -> None:
    dated = {"this_update": AT + HOUR, "next_update": AT + 9 * DAY}
    lists = Shelf().add(ca(), ca().crl([LOCK.revoked(AT - DAY, reason="certificateHold")], **dated))
    lists.add(root(), root().crl([ca().certificate.revoked(AT - DAY)], **dated))
    assert codes(judge(LOCK, lists, now=AT + DAY, valid_at=AT)) == ["status.revoked"]


def test_the_asker_does_not_choose_among_the_certificates_of_an_authority() -> None:
    again = reissued(ca(), root(), serial=99)
    policy = world(("trust-anchor", intermediate("t-again", again.certificate.der)))
    lists = Shelf().add(ca(), ca().crl()).add(root(), root().crl([ca().certificate.revoked(AT - DAY)]))
    one, other = ca().certificate.der, again.certificate.der
    chains = ([], [one], [other], [one, other], [other, one])
    assert len({judge(LOCK, lists, policy, chain=chain).outcome for chain in chains}) == 1


def test_another_certificate_of_a_compromised_key_is_as_bad() -> None:
    again = reissued(ca(), root(), serial=99)
    policy = world(("trust-anchor", intermediate("t-again", again.certificate.der)))
    for reason, outcome in (("cACompromise", "not_recognized"), ("superseded", "recognized")):
        entries = [ca().certificate.revoked(AT - DAY, reason=reason)]
        lists = Shelf().add(ca(), ca().crl()).add(root(), root().crl(entries))
        for chain in ([], [again.certificate.der], [ca().certificate.der, again.certificate.der]):
            assert judge(LOCK, lists, policy, chain=chain).outcome == outcome


# Laws

ENTRIES = st.lists(
    st.builds(
        lambda days, reason: LOCK.revoked(AT + days * DAY, **({"reason": reason} if reason else {})),
        st.integers(-5, 5),
        st.sampled_from([None, "keyCompromise", "certificateHold", "superseded"]),
    ),
    max_size=1,
)
LISTS = st.lists(
    st.tuples(ENTRIES, st.integers(-9, 9), st.integers(1, 6), st.integers(-9, 9)),
    max_size=4,
    unique_by=lambda each: each[1],
)


def filled(made: list[tuple[list[Revoked], int, int, int]]) -> Shelf:
    lists = Shelf().add(root(), root().crl(this_update=AT, next_update=AT + 99 * DAY))
    for entries, issued, lasts, known in made:
        start = AT + issued * DAY
        lists.add(ca(), ca().crl(entries, this_update=start, next_update=start + lasts * DAY), AT + known * DAY)
    return lists


def seen(decision: Decision) -> object:
    assert decision.lock is not None
    return decision.outcome, both_of(decision), decision.lock.revocation, decision.fresh_until


@settings(max_examples=60, deadline=None)
@given(LISTS, st.randoms(use_true_random=False), st.integers(-9, 0))
def test_the_order_of_lists_plays_no_part(made: list[Any], random: Any, back: int) -> None:
    shuffled = random.sample(made, len(made))
    asked = {"now": AT + 9 * DAY, "valid_at": AT + back * DAY}
    assert seen(judge(LOCK, filled(made), **asked)) == seen(judge(LOCK, filled(shuffled), **asked))


@settings(max_examples=60, deadline=None)
@given(LISTS, LISTS, st.integers(0, 9), st.integers(-9, 0))
def test_what_became_known_later_changes_nothing(now: list[Any], later: list[Any], known: int, back: int) -> None:
    known_at = AT + known * DAY
    asked = {"now": AT + 99 * DAY, "known_at": known_at, "valid_at": AT + back * DAY}
    before = filled(now)
    after = filled([*now, *((entries, issued, lasts, known + 1 + abs(day)) for entries, issued, lasts, day in later)])
    assert seen(judge(LOCK, before, **asked)) == seen(judge(LOCK, after, **asked))


@settings(max_examples=40, deadline=None)
@given(LISTS, st.integers(-9, 0))
def test_one_more_list_that_has_the_lock_revoked_never_helps_it(made: list[Any], back: int) -> None:
    asked = {"now": AT + 9 * DAY, "valid_at": AT + back * DAY}
    proof = [LOCK.revoked(asked["valid_at"])]
    lists = filled(made).add(ca(), ca().crl(proof, this_update=AT - 20 * DAY, next_update=AT - 19 * DAY))
    assert told(judge(LOCK, lists, **asked), "status")[:2] == ("failed", "status.revoked")
