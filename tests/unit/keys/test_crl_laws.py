import itertools
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.revocation import judgement
from keys.revocation.crl import parse_crl
from keys.revocation.judgement import KnownCrl, RevocationPolicy, RevocationVerdict
from keys.revocation.silence import Silences
from tests.support.der_writer import Extension, IssuingDistributionPoint
from tests.support.pki import AT
from tests.unit.keys.crl_lists import (
    CA,
    FLAGS,
    HERE,
    INDIRECT,
    ISSUER,
    STRANGER,
    day,
    entry,
    listed,
    point,
    verdict,
)

offsets = st.sampled_from((-12.0, -8.0, -3.0, -1.0, 0.0, 1.0, 4.0, 9.0))
entries = st.none() | st.builds(
    entry,
    offsets,
    st.sampled_from((None, "superseded", "keyCompromise", "certificateHold", "removeFromCRL")),
    invalidity=st.none() | offsets.map(day),
)
parts = st.sampled_from(
    (
        None,
        None,
        IssuingDistributionPoint(only_user=True),
        IssuingDistributionPoint(only_ca=True),
        IssuingDistributionPoint(uris=(HERE,)),
        IssuingDistributionPoint(only_reasons=FLAGS[:6]),
        IssuingDistributionPoint(only_reasons=FLAGS[6:]),
    )
)


@st.composite
def known_lists(draw: st.DrawFn) -> KnownCrl:
    issued, shown = draw(offsets), draw(entries)
    return listed(
        () if shown is None else (shown,),
        issued=issued,
        until=draw(st.none() | st.sampled_from((1.0, 7.0)).map(lambda length: issued + length)),
        known=draw(offsets),
        part=draw(parts),
        number=draw(st.sampled_from((-1, 5, 6, 8))),
        base=draw(st.none() | st.sampled_from((4, 5, 6))),
    )


pools = st.lists(known_lists(), max_size=6)
questions = st.fixed_dictionaries(
    {
        "known_at": st.sampled_from((-2, 0, 5, 20)),
        "certificate_end": st.sampled_from((0.5, 300.0)).map(day),
        "distribution_points": st.sampled_from(((), (point(HERE),))),
        "proven_time": st.none() | offsets.map(day),
    }
)
STOLEN = ("revocation.compromised_later", "status.revoked")
laws = settings(max_examples=400, deadline=None)
# So many examples are slow to trace; test_crl_judgement.py reaches every branch.
pytestmark = pytest.mark.no_cover


def strangers() -> Sequence[KnownCrl]:
    """Lists that say nothing of the certificate, whatever they say."""
    return (
        listed((entry(),), authority=STRANGER),
        listed((entry(issuer=ISSUER),), authority=STRANGER, part=INDIRECT),
        listed(part=IssuingDistributionPoint(only_attribute=True)),
        listed((entry(),), more=(Extension("1.2.3.4", b"\x05\x00", True),)),
    )


@laws
@given(pools, questions, st.randoms(use_true_random=False))
def test_the_order_and_the_number_of_copies_play_no_part(
    pool: list[KnownCrl], question: dict[str, object], chance: object
) -> None:
    shuffled = pool + pool[:2]
    chance.shuffle(shuffled)
    assert verdict(*pool, **question) == verdict(*shuffled, **question)


@laws
@given(pools, questions, known_lists())
def test_a_list_that_is_not_known_yet_changes_nothing(
    pool: list[KnownCrl], question: dict[str, object], added: KnownCrl
) -> None:
    unknown = KnownCrl(crl=parse_crl(CA.crl((entry(),), number=99, signature=b"\0")), known_from=day(21))
    assert verdict(*pool, unknown, **question) == verdict(*pool, **question)
    late = KnownCrl(crl=added.crl, known_from=day(21))
    assert verdict(*pool, late, **question) == verdict(*pool, **question)


@laws
@given(pools, questions, known_lists())
def test_nothing_that_is_added_hides_that_a_key_was_compromised(
    pool: list[KnownCrl], question: dict[str, object], added: KnownCrl
) -> None:
    def stolen(*lists: KnownCrl) -> int:
        said = verdict(*lists, only=judgement.COMPROMISES, **question)
        return STOLEN.index(said.reason) + 1 if said.reason in STOLEN else 0

    assert stolen(*pool, added) >= stolen(*pool)


@laws
@given(pools, questions, st.sampled_from(strangers()))
def test_a_list_about_others_changes_nothing(
    pool: list[KnownCrl], question: dict[str, object], added: KnownCrl
) -> None:
    assert verdict(*pool, added, **question) == verdict(*pool, **question)


@laws
@given(
    pools,
    questions,
    st.sampled_from((None, "superseded", "keyCompromise", "unspecified")),
    offsets.filter(lambda offset: offset <= 0),
    offsets,
    parts,
    st.none() | st.just(5),
)
def test_a_list_that_shows_a_revocation_is_never_outvoted(
    pool: list[KnownCrl],
    question: dict[str, object],
    reason: str | None,
    effect: float,
    issued: float,
    part: IssuingDistributionPoint | None,
    base: int | None,
) -> None:
    shows = listed((entry(effect, reason),), issued=issued, until=issued + 1, known=-2, part=part, base=base)
    assert verdict(*pool, shows, **question).reason == "status.revoked"


@laws
@given(pools, questions)
def test_good_rests_on_lists_that_were_known_and_serve(pool: list[KnownCrl], question: dict[str, object]) -> None:
    said, instant = verdict(*pool, **question), day(question["known_at"])
    crls = {known.crl.digest: known.crl for known in pool if known.known_from <= instant}
    used = [crls[digest] for digest in said.crls]
    assert (said.state == "good") == (said.fresh_until is not None)
    assert (said.as_of is None) == (said.state == "missing") == (used == [])
    if said.fresh_until is not None and said.as_of is not None:
        assert said.as_of <= min(instant, question["certificate_end"])
        assert said.as_of in {crl.this_update for crl in used}
        assert said.as_of >= AT or said.fresh_until > AT


@laws
@given(pools, questions)
def test_the_verdict_of_an_instant_of_knowledge_does_not_change_with_what_is_learnt_later(
    pool: list[KnownCrl], question: dict[str, object]
) -> None:
    then = [known for known in pool if known.known_from <= day(question["known_at"])]
    assert verdict(*then, **question) == verdict(*pool, **question)


# Dense, so that some lie on each instant that matters and on both sides of it.
DAYS = [number / 2 for number in range(-26, 40)]
skews = st.sampled_from((0.0, 1.0, 4.0))


@laws
@given(st.lists(known_lists(), min_size=1, max_size=2), skews, st.permutations(DAYS), st.permutations(DAYS))
def test_what_is_remembered_is_what_would_be_found_anew(
    pool: list[KnownCrl], skew: float, valid: list[float], known: list[float]
) -> None:
    others = itertools.product((False, True), ((), (point(HERE),)), (0.5, 300.0), (3, 6))

    def asked(valid_at: float, known_at: float, other: tuple[object, ...]) -> RevocationVerdict:
        is_ca, points, end, age = other
        policy = RevocationPolicy(max_age=timedelta(days=age), skew=timedelta(days=skew))
        question = {"is_ca": is_ca, "distribution_points": points, "certificate_end": day(end), "policy": policy}
        return verdict(*pool, **question, valid_at=day(valid_at), known_at=known_at)

    for valid_at, known_at, other in zip(valid, known, itertools.cycle(others), strict=False):
        remembered = asked(valid_at, known_at, other)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(judgement, "_SILENCES", Silences())
            assert remembered == asked(valid_at, known_at, other)


def test_only_so_many_groups_of_lists_are_remembered() -> None:
    kept = Silences[str](most=2)
    first, second = kept.add("a", [day(1)]), kept.add("b", [day(1)])
    assert (kept.find("a"), kept.find("b"), kept.find("c")) == (first, second, None)
    third = kept.add("c", [day(1)])
    assert (kept.find("a"), kept.find("b"), kept.find("c")) == (None, None, third)
