from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from keys.revocation.judgement import RevocationPolicy, RevocationVerdict
from tests.support.der_writer import IssuingDistributionPoint
from tests.support.pki import AT
from tests.unit.keys.crl_lists import FLAGS, SERIAL, day, entry, listed, state, verdict

# Days from AT, which is `valid_at` below.
AGES = {"stale": (-10, -3), "fresh": (-1, 6), "later": (1, 8)}
EFFECTS = {"before": -20.0, "at": 0.0, "after": 0.5}


# before, at, after × what the entry says × how old the list is

REVOKED = {("before", age): "status.revoked" for age in AGES} | {("at", age): "status.revoked" for age in AGES}
LATER = {("after", "stale"): "revocation.stale", ("after", "fresh"): "revocation.later"}
LATER |= {("after", "later"): "revocation.later"}
HOLD = {
    ("before", "stale"): "revocation.stale",
    ("before", "fresh"): "status.suspended",
    ("before", "later"): "status.suspended",
    ("at", "stale"): "revocation.stale",
    ("at", "fresh"): "status.suspended",
    ("at", "later"): "status.suspended",
    ("after", "stale"): "revocation.stale",
    ("after", "fresh"): "revocation.not_listed",
    ("after", "later"): "revocation.not_listed",
}
# Against RFC 5280 §5.3.1 in a complete list: it neither shows a revocation nor that there is none.
REMOVED = {(effect, age): "revocation.missing" for effect in EFFECTS for age in AGES}
COMPROMISED = REVOKED | {("after", age): "revocation.compromised_later" for age in AGES}
TABLE = {
    None: REVOKED | LATER,
    "superseded": REVOKED | LATER,
    "privilegeWithdrawn": REVOKED | LATER,
    "certificateHold": HOLD,
    "removeFromCRL": REMOVED,
    "keyCompromise": COMPROMISED,
    "cACompromise": COMPROMISED,
    "aACompromise": COMPROMISED,
}
CASES = [(reason, effect, age, code) for reason, rows in TABLE.items() for (effect, age), code in rows.items()]
STATES = {
    "status.revoked": "revoked",
    "status.suspended": "revoked",
    "revocation.later": "good",
    "revocation.not_listed": "good",
    "revocation.stale": "stale",
    "revocation.missing": "missing",
    "revocation.compromised_later": "undetermined",
}


@pytest.mark.parametrize(("reason", "effect", "age", "code"), CASES)
def test_one_list_says_what_the_table_says(reason: str | None, effect: str, age: str, code: str) -> None:
    issued, until = AGES[age]
    known = listed((entry(EFFECTS[effect], reason),), issued=issued, until=until)
    said = verdict(known)
    assert (said.reason, said.state) == (code, STATES[code])
    tells = code not in ("revocation.missing", "revocation.not_listed") and (reason, effect, age) not in {
        (each, "after", "stale") for each in (None, "superseded", "privilegeWithdrawn", "certificateHold")
    }
    assert (said.entry == known.crl.find(SERIAL)) == tells
    assert (said.entry is None) != tells
    assert said.crls == (() if code == "revocation.missing" else (known.crl.digest,))
    assert said.as_of == (None if code == "revocation.missing" else day(issued))
    assert said.fresh_until == (day(until) if said.state == "good" else None)


def test_every_row_of_the_table_is_there() -> None:
    assert len(CASES) == len(TABLE) * len(EFFECTS) * len(AGES)


@pytest.mark.parametrize(("age", "expected"), [("stale", "stale"), ("fresh", "good"), ("later", "good")])
def test_a_list_without_the_certificate_is_good_only_where_it_serves(age: str, expected: str) -> None:
    issued, until = AGES[age]
    said = verdict(listed(issued=issued, until=until))
    assert said.state == expected
    assert said.entry is None


def test_no_list_is_not_good() -> None:
    assert verdict() == RevocationVerdict(state="missing", reason="revocation.missing")


# Freshness


def test_a_list_is_in_force_up_to_its_end_and_the_grace_after_it() -> None:
    until_now = listed(issued=-5, until=0)
    assert state(until_now) == "stale"
    graced = RevocationPolicy(max_age=timedelta(0), grace=timedelta(hours=1))
    assert state(until_now, policy=graced) == "good"
    assert state(until_now, policy=graced, valid_at=day(1 / 24)) == "stale"
    assert state(listed(issued=-5, until=1 / 86400)) == "good"


def test_a_list_without_an_end_is_in_force_for_as_long_as_the_policy_says() -> None:
    assert state(listed(issued=-5, until=None)) == "stale"
    assert state(listed(issued=-4.99, until=None)) == "good"
    said = verdict(listed(issued=-1, until=None))
    assert said.fresh_until == day(4)


def test_a_list_up_to_the_end_of_time_has_no_grace() -> None:
    endless = listed(until=(datetime(9999, 12, 31, tzinfo=UTC) - AT).days)
    graced = RevocationPolicy(max_age=timedelta(0), grace=timedelta(days=400))
    assert verdict(endless, policy=graced).fresh_until == datetime.max.replace(tzinfo=UTC)


def test_a_list_from_after_the_certificate_ended_may_have_dropped_it() -> None:
    dropped = listed(issued=1, until=8)
    assert state(dropped, certificate_end=day(1)) == "good"
    assert state(dropped, certificate_end=day(0.99)) == "missing"
    listed_still = listed((entry(),), issued=1, until=8)
    assert state(listed_still, certificate_end=day(0.99)) == "revoked"


def test_a_list_that_is_not_known_yet_is_not_seen() -> None:
    shows, serves = listed((entry(),), issued=1, until=8), listed(known=2)
    assert state(shows, serves, known_at=0.5) == "missing"
    assert state(shows, serves, known_at=1) == "revoked"
    assert state(serves, known_at=2) == "good"
    assert state(serves, known_at=1.99) == "missing"


def test_a_list_dated_after_it_was_known_serves_only_within_the_skew_of_clocks() -> None:
    ahead = listed(issued=2 / 1440, until=7, known=0)
    skewed = RevocationPolicy(max_age=timedelta(0), skew=timedelta(minutes=2))
    assert state(ahead, known_at=0) == "missing"
    assert state(ahead, known_at=0, policy=skewed) == "good"
    assert state(listed(issued=3 / 1440, until=7, known=0), known_at=0, policy=skewed) == "missing"


# Dates of an entry


def test_the_invalidity_date_counts_where_it_is_earlier() -> None:
    invalid_before = entry(0.5, "superseded", invalidity=day(-1))
    assert state(listed((invalid_before,), issued=1, until=8)) == "revoked"
    assert state(listed((entry(-1, "superseded", invalidity=day(0.5)),), issued=1, until=8)) == "revoked"
    assert state(listed((entry(0.7, "superseded", invalidity=day(0.5)),), issued=1, until=8)) == "good"


@pytest.mark.parametrize(
    ("proven", "expected"), [(-1.0, "good"), (0.49, "good"), (0.5, "undetermined"), (None, "undetermined")]
)
def test_a_compromise_leaves_only_signatures_that_are_proven_older(proven: float | None, expected: str) -> None:
    later = listed((entry(0.7, "keyCompromise", invalidity=day(0.5)),), issued=1, until=8)
    assert state(later, proven_time=None if proven is None else day(proven)) == expected


def test_proof_of_an_older_signature_does_not_undo_a_revocation() -> None:
    assert state(listed((entry(-1, "keyCompromise"),)), proven_time=day(-2)) == "revoked"


# Holds


def test_a_hold_that_a_later_list_no_longer_has_was_lifted() -> None:
    held = listed((entry(-9, "certificateHold"),), issued=-8, until=6)
    assert verdict(held).reason == "status.suspended"
    assert state(held, listed(issued=-1)) == "good"
    assert state(held, listed(issued=0)) == "good"
    # In force at AT was the list with the hold; a list after AT does not say when the hold ended.
    assert verdict(held, listed(issued=1, until=8)).reason == "status.suspended"
    assert verdict(held, listed(issued=-9, until=6)).reason == "status.suspended"
    assert verdict(held, listed(issued=-8, until=7)).reason == "status.suspended"


def test_a_hold_in_a_list_that_went_out_of_force_is_neither_good_nor_revoked() -> None:
    held = listed((entry(-9, "certificateHold"),), issued=-8, until=-2)
    said = verdict(held, listed(issued=1, until=8))
    assert (said.state, said.entry) == ("stale", held.crl.find(SERIAL))
    assert state(held, listed(issued=-1)) == "good"


def test_a_list_of_other_reasons_does_not_lift_a_hold() -> None:
    held = listed((entry(-9, "certificateHold"),), issued=-8, until=6)
    others = tuple(reason for reason in FLAGS if reason != "certificateHold")
    assert verdict(held, listed(part=IssuingDistributionPoint(only_reasons=others))).reason == "status.suspended"
    assert state(held, listed(part=IssuingDistributionPoint(only_reasons=("certificateHold",)))) == "missing"


def test_a_hold_that_became_a_revocation_is_a_revocation() -> None:
    held = listed((entry(-9, "certificateHold"),), issued=-8, until=6)
    said = verdict(held, listed((entry(-3, "keyCompromise"),), issued=-1))
    assert (said.reason, said.entry and said.entry.reason) == ("status.revoked", "keyCompromise")


def test_both_entries_of_a_certificate_that_is_listed_twice_count() -> None:
    assert state(listed((entry(2), entry(-2)), issued=1, until=8)) == "revoked"
    assert state(listed((entry(-2, "certificateHold"), entry(-2, "superseded")))) == "revoked"


# Deltas


def test_a_delta_brings_its_base_up_to_date() -> None:
    full = listed(issued=-9, until=-2, number=5)
    assert state(full) == "stale"
    said = verdict(full, listed(issued=-1, number=8, base=5))
    assert (said.state, said.as_of, said.fresh_until) == ("good", day(-1), day(6))
    assert len(said.crls) == 2
    assert state(full, listed((entry(),), number=8, base=5)) == "revoked"
    assert verdict(full, listed((entry(-1.5, "certificateHold"),), number=8, base=5)).reason == "status.suspended"


def test_a_delta_removes_what_its_base_has_on_hold() -> None:
    held = listed((entry(-9, "certificateHold"),), issued=-8, until=6, number=5)
    removed = entry(-2, "removeFromCRL")
    assert state(held, listed((removed,), number=8, base=5)) == "good"
    assert state(held, listed((removed,), issued=-7, until=-6, number=8, base=5)) == "stale"
    assert verdict(held, listed((removed,), issued=1, until=8, number=8, base=5)).reason == "status.suspended"
    assert verdict(held, listed(number=8, base=5)).reason == "status.suspended"
    assert state(listed((removed,), number=8, base=5)) == "missing"


def test_a_delta_does_not_remove_a_revocation() -> None:
    revoked = listed((entry(-9, "superseded"),), issued=-8, until=6, number=5)
    assert state(revoked, listed((entry(-2, "removeFromCRL"),), number=8, base=5)) == "revoked"


def test_a_delta_shows_a_revocation_without_its_base() -> None:
    assert state(listed((entry(),), number=8, base=5)) == "revoked"
    assert verdict(listed((entry(-1.5, "certificateHold"),), number=8, base=5)).reason == "status.suspended"


@pytest.mark.parametrize(
    "delta",
    [
        {"number": 8, "base": 6},
        {"number": 5, "base": 5},
        {"number": 4, "base": 3},
        {"number": -1, "base": 5},
        {"number": 8, "base": 5, "part": IssuingDistributionPoint(only_user=True)},
        {"number": 8, "base": 5, "key_ids": False},
    ],
    ids=["base too new", "same number", "lower number", "no number", "another scope", "another key"],
)
def test_a_delta_that_does_not_continue_a_list_says_nothing_of_what_it_leaves_out(delta: dict[str, object]) -> None:
    full = listed(issued=-9, until=-2, number=5)
    assert state(full, listed(**delta)) == "stale"


def test_a_delta_on_a_list_without_number_says_nothing() -> None:
    assert state(listed(issued=-9, until=-2, number=-1), listed(number=8, base=5)) == "stale"


def test_a_delta_stands_on_the_latest_list_that_it_continues() -> None:
    held = listed((entry(-9, "certificateHold"),), issued=-8, until=-7, number=5)
    lifted = listed(issued=-6, until=-5, number=6)
    said = verdict(held, lifted, listed(number=8, base=5))
    assert said.state == "good"
    assert lifted.crl.digest in said.crls


def test_a_list_of_the_beginning_of_time_is_only_old() -> None:
    known = listed(number=19_700, known=-2)
    early = replace(known.crl, this_update=datetime(1, 1, 2, tzinfo=UTC), next_update=datetime(1, 1, 9, tzinfo=UTC))
    cautious = RevocationPolicy(max_age=timedelta(days=1), skew=timedelta(days=30))
    assert verdict(structs.replace(known, crl=early), policy=cautious).state == "stale"
