from datetime import timedelta

import pytest

from keys.certificate import parse_certificate
from keys.revocation.judgement import RevocationPolicy, RevocationVerdict
from tests.support import der_writer as der
from tests.support.der_writer import Extension, IssuingDistributionPoint
from tests.unit.keys.crl_lists import CA, FLAGS, day, entry, listed
from tests.unit.keys.ocsp_answers import answer, reason, revoked, state, verdict
from tests.unit.keys.test_crl_judgement import AGES, CASES, EFFECTS, STATES

CONTRADICTORY = "revocation.contradictory"

# Everything that one list says of one certificate, one answer says in the same way.


@pytest.mark.parametrize(("why", "effect", "age", "code"), CASES)
def test_one_answer_says_what_one_list_says(why: str | None, effect: str, age: str, code: str) -> None:
    issued, until = AGES[age]
    known = revoked(EFFECTS[effect], why, issued=issued, until=until)
    said, by_list = verdict(known), verdict(listed((entry(EFFECTS[effect], why),), issued=issued, until=until))
    assert (said.reason, said.state) == (code, STATES[code])
    assert (said.as_of, said.fresh_until) == (by_list.as_of, by_list.fresh_until)
    assert (said.entry is None) == (by_list.entry is None)
    assert said.crls == (() if code == "revocation.missing" else (known.digest,))


@pytest.mark.parametrize(("age", "expected"), [("stale", "stale"), ("fresh", "good"), ("later", "good")])
def test_a_good_answer_serves_as_the_silence_of_a_list_does(age: str, expected: str) -> None:
    issued, until = AGES[age]
    known = answer(issued=issued, until=until)
    said = verdict(known)
    assert (said.state, said.entry, said.crls, said.as_of) == (expected, None, (known.digest,), day(issued))
    assert said.fresh_until == (day(until) if expected == "good" else None)


def test_an_answer_without_an_end_is_in_force_for_as_long_as_the_policy_says() -> None:
    assert state(answer(issued=-5, until=None)) == "stale"
    assert state(answer(issued=-4.99, until=None)) == "good"
    graced = RevocationPolicy(max_age=timedelta(0), grace=timedelta(hours=1))
    assert state(answer(issued=-5, until=0)) == "stale"
    assert state(answer(issued=-5, until=0), policy=graced) == "good"


def test_an_answer_that_is_not_known_yet_is_not_heard() -> None:
    assert state(answer(known=2), known_at=1.99) == "missing"
    assert state(answer(known=2), known_at=2) == "good"
    assert state(answer(), revoked(known=2), known_at=1) == "good"


def test_an_answer_dated_after_it_was_known_serves_only_within_the_skew_of_clocks() -> None:
    skewed = RevocationPolicy(max_age=timedelta(0), skew=timedelta(minutes=2))
    assert state(answer(issued=2 / 1440, until=7, known=0), known_at=0) == "missing"
    assert state(answer(issued=2 / 1440, until=7, known=0), known_at=0, policy=skewed) == "good"


def test_a_good_answer_from_after_the_end_serves_only_where_the_responder_keeps_what_ended() -> None:
    ended = {"certificate_end": day(0.99)}
    assert state(answer(issued=1, until=8), **ended) == "missing"
    assert state(answer(issued=1, until=8, cutoff=0.99), **ended) == "good"
    assert state(answer(issued=1, until=8, cutoff=1), **ended) == "missing"
    assert state(revoked(issued=1, until=8), **ended) == "revoked"
    assert state(answer(), answer("unknown", issued=1, until=8), **ended) == "good"
    assert reason(answer(), answer("unknown", issued=1, until=8, cutoff=0), **ended) == CONTRADICTORY


# Which of several


def test_the_later_of_two_that_serve_tells_how_far_the_evidence_reaches() -> None:
    rows = [(listed(issued=-2, until=5), answer(issued=-1)), (answer(issued=-2, until=5), listed(issued=-1))]
    for earlier, later in rows:
        said = verdict(earlier, later)
        named = later.digest if hasattr(later, "answer") else later.crl.digest
        assert (said.state, said.as_of, said.fresh_until, said.crls) == ("good", day(-1), day(6), (named,))
    assert verdict(answer(issued=-3, until=5), answer(issued=-2, until=4)).as_of == day(-2)


def test_an_answer_completes_what_lists_of_some_reasons_say() -> None:
    part = listed(part=IssuingDistributionPoint(only_reasons=FLAGS[:6]))
    assert state(part) == "missing"
    said = verdict(part, answer(issued=-2, until=5))
    assert (said.state, said.as_of, said.fresh_until, len(said.crls)) == ("good", day(-1), day(5), 2)


def test_a_revocation_by_then_wins_over_whatever_is_later() -> None:
    for proof in (revoked(), listed((entry(),))):
        for other in (answer(issued=0), listed(issued=0), answer("unknown", issued=0)):
            said = verdict(proof, other)
            assert (said.reason, said.state) == ("status.revoked", "revoked")


def test_a_hold_ends_with_an_answer_that_no_longer_has_it() -> None:
    held = revoked(-9, "certificateHold", issued=-8)
    assert reason(held) == "status.suspended"
    assert state(held, answer(issued=-1)) == "good"
    assert state(held, listed(issued=-1)) == "good"
    assert reason(held, answer(issued=1, until=8)) == "status.suspended"
    listed_hold = listed((entry(-9, "certificateHold"),), issued=-8, until=6)
    assert state(listed_hold, answer(issued=-1)) == "good"
    assert reason(listed_hold, answer("unknown")) == "status.suspended"


def test_proof_of_an_older_signature_counts_for_answers_too() -> None:
    later = revoked(0.5, "keyCompromise", issued=1, until=8)
    assert reason(later) == "revocation.compromised_later"
    assert state(later, proven_time=day(0.49)) == "good"


# Contradictions


@pytest.mark.parametrize(
    ("told", "denied"),
    [
        (revoked(0.5, issued=1), answer(issued=2)),
        (revoked(0.5, issued=1), answer(issued=1)),
        (revoked(0.5, issued=1), listed(issued=2)),
        (listed((entry(0.5),), issued=1), answer(issued=2)),
        (revoked(0.5, "superseded", issued=1), listed(issued=2, part=IssuingDistributionPoint(only_reasons=FLAGS))),
        (revoked(0.5, issued=1), listed(issued=2, part=IssuingDistributionPoint(only_reasons=FLAGS[:1]))),
        (revoked(4, issued=1), answer(issued=4)),
    ],
)
def test_a_revocation_that_is_no_longer_told_contradicts(told: object, denied: object) -> None:
    said = verdict(told, denied)
    assert (said.reason, said.state) == (CONTRADICTORY, "undetermined")
    assert said.entry is not None
    assert len(said.crls) == 2
    assert said.as_of is not None
    assert said.fresh_until is None


@pytest.mark.parametrize(
    ("told", "other", "expected"),
    [
        # Told later than it was denied: that is news, no contradiction.
        (revoked(0.5, issued=2), answer(issued=1), "revocation.later"),
        (revoked(0.5, issued=2), listed(issued=1), "revocation.later"),
        # Denied before it counts.
        (revoked(4, issued=1), answer(issued=3), "revocation.later"),
        # A list of other reasons denies nothing.
        (
            revoked(0.5, "superseded", issued=1),
            listed(issued=2, part=IssuingDistributionPoint(only_reasons=("keyCompromise",))),
            "revocation.later",
        ),
        (revoked(0.5, issued=1), listed(issued=2, part=IssuingDistributionPoint(only_ca=True)), "revocation.later"),
        # Two lists, as ever.
        (listed((entry(0.5),), issued=1), listed(issued=2), "revocation.later"),
        # What is worse than doubt, or the same with more to say.
        (revoked(0.5, "keyCompromise", issued=1), answer(issued=2), "revocation.compromised_later"),
        # A list after the end may have dropped it.
        (revoked(0.5, issued=1), listed(issued=301, until=310, known=1), "revocation.later"),
    ],
)
def test_what_does_not_contradict(told: object, other: object, expected: str) -> None:
    assert reason(told, other) == expected


def test_a_contradiction_is_more_than_a_hold_that_may_be_over() -> None:
    hold = listed((entry(-9, "certificateHold"),), issued=-8, until=-2)
    assert reason(hold) == "revocation.stale"
    assert reason(hold, revoked(0.5, issued=1), answer(issued=2)) == CONTRADICTORY


def test_unknown_says_nothing_alone_and_contradicts_an_older_silence() -> None:
    unknown = answer("unknown", issued=-1)
    assert verdict(unknown) == RevocationVerdict(state="missing", reason="revocation.missing")
    for silent in (listed(issued=-2), answer(issued=-2)):
        said = verdict(silent, unknown)
        assert (said.reason, said.as_of, len(said.crls), said.entry) == (CONTRADICTORY, day(-1), 2, None)
    for silent in (listed(issued=-1), answer(issued=-1), listed(issued=0), answer(issued=0)):
        assert state(silent, unknown) == "good"
    assert state(listed(issued=-10, until=-3), unknown) == "stale"
    assert state(listed(issued=-2), answer("unknown", issued=-1, known=21)) == "good"


def test_unknown_contradicts_whichever_of_several_lists_it_is_fresher_than() -> None:
    parts = [
        listed(issued=issued, part=IssuingDistributionPoint(only_reasons=FLAGS[low:high]))
        for issued, low, high in ((-3, 0, 4), (-1, 4, 8))
    ]
    assert state(*parts) == "good"
    assert reason(*parts, answer("unknown", issued=-2)) == CONTRADICTORY
    assert state(*parts, answer("unknown", issued=-4)) == "good"


# What does not count


def test_an_answer_of_a_responder_who_is_still_to_be_checked_says_nothing() -> None:
    responder = parse_certificate(CA.certificate.der)
    for unchecked in (
        answer(unchecked=responder),
        revoked(unchecked=responder),
        answer("unknown", unchecked=responder),
    ):
        assert state(unchecked) == "missing"
        assert state(listed(issued=-2), unchecked) == "good"


def test_answers_about_others_or_with_unknown_critical_extensions_say_nothing() -> None:
    critical = (Extension("1.2.3.4", der.null(), True),)
    for other in (answer(serial=78), answer(more=critical), revoked(serial=78), revoked(more=critical)):
        assert state(other) == "missing"
        assert state(listed(issued=-2), other) == "good"
