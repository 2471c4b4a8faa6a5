"""The laws of judging by lists and answers: those of lists alone, and what answers add."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from keys.certificate import parse_certificate
from keys.revocation import judgement
from keys.revocation.judgement import KnownCrl, KnownOcsp
from keys.revocation.silence import Silences
from tests.support import der_writer as der
from tests.support.der_writer import Extension
from tests.support.pki import AT
from tests.unit.keys import crl_lists
from tests.unit.keys.crl_lists import CA, day
from tests.unit.keys.ocsp_answers import answer, revoked, verdict
from tests.unit.keys.test_crl_laws import known_lists, offsets, questions

Evidence = KnownCrl | KnownOcsp
REASONS = (None, "superseded", "keyCompromise", "certificateHold", "removeFromCRL")


@st.composite
def known_answers(draw: st.DrawFn, statuses: tuple[str, ...] = ("good", "good", "revoked", "unknown")) -> KnownOcsp:
    issued = draw(offsets)
    return answer(
        draw(st.sampled_from(statuses)),
        issued=issued,
        until=draw(st.none() | st.sampled_from((1.0, 7.0)).map(lambda length: issued + length)),
        known=draw(offsets),
        effect=draw(offsets),
        reason=draw(st.sampled_from(REASONS)),
        cutoff=draw(st.none() | st.sampled_from((0.0, 300.0))),
    )


pools = st.lists(known_lists() | known_answers(), max_size=6)
laws = settings(max_examples=60, deadline=None)


def strangers() -> Sequence[KnownOcsp]:
    """Answers that say nothing of the certificate, whatever they say."""
    critical = (Extension("1.2.3.4", der.null(), True),)
    responder = parse_certificate(CA.certificate.der)
    return (
        *(said(serial=78) for said in (answer, revoked)),
        *(said(more=critical) for said in (answer, revoked)),
        *(said(unchecked=responder) for said in (answer, revoked)),
        answer("unknown", serial=78, issued=4),
    )


@laws
@given(pools, questions, st.randoms(use_true_random=False))
def test_the_order_and_the_number_of_copies_play_no_part(
    pool: list[Evidence], question: dict[str, object], chance: object
) -> None:
    shuffled = pool + pool[:2]
    chance.shuffle(shuffled)
    assert verdict(*pool, **question) == verdict(*shuffled, **question)


@laws
@given(pools, questions, known_answers(), st.sampled_from(strangers()))
def test_what_is_not_known_yet_or_about_others_changes_nothing(
    pool: list[Evidence], question: dict[str, object], added: KnownOcsp, stranger: KnownOcsp
) -> None:
    said = verdict(*pool, **question)
    assert verdict(*pool, structs.replace(added, known_from=day(21)), **question) == said
    assert verdict(*pool, stranger, **question) == said


@laws
@given(pools, questions)
def test_the_verdict_of_an_instant_of_knowledge_does_not_change_with_what_is_learnt_later(
    pool: list[Evidence], question: dict[str, object]
) -> None:
    then = [known for known in pool if known.known_from <= day(question["known_at"])]
    assert verdict(*then, **question) == verdict(*pool, **question)


@laws
@given(
    pools,
    questions,
    st.sampled_from((None, "superseded", "keyCompromise", "unspecified")),
    offsets.filter(lambda offset: offset <= 0),
    offsets,
)
def test_an_answer_that_shows_a_revocation_is_never_outvoted(
    pool: list[Evidence], question: dict[str, object], reason: str | None, effect: float, issued: float
) -> None:
    shows = revoked(effect, reason, issued=issued, until=issued + 1, known=-2)
    assert verdict(*pool, shows, **question).reason == "status.revoked"


@laws
@given(pools, questions, known_answers(("unknown",)))
def test_unknown_never_makes_good_and_leaves_all_but_good_alone(
    pool: list[Evidence], question: dict[str, object], unknown: KnownOcsp
) -> None:
    before, after = verdict(*pool, **question), verdict(*pool, unknown, **question)
    doubtful = "revocation.contradictory"
    assert after == before or (after.reason == doubtful and (before.state == "good" or before.reason == doubtful))


@laws
@given(st.lists(known_answers(), max_size=4), st.lists(known_lists(), max_size=2), questions)
def test_good_rests_on_what_was_known_and_serves(
    answers: list[KnownOcsp], lists: list[KnownCrl], question: dict[str, object]
) -> None:
    said, instant = verdict(*answers, *lists, **question), day(question["known_at"])
    at = {known.digest: known.answer.this_update for known in answers if known.known_from <= instant}
    at |= {known.crl.digest: known.crl.this_update for known in lists if known.known_from <= instant}
    used = [at[digest] for digest in said.crls]
    assert (said.state == "good") == (said.fresh_until is not None)
    assert (said.as_of is None) == (said.state == "missing") == (used == [])
    if said.fresh_until is not None and said.as_of is not None:
        assert said.as_of <= instant
        assert said.as_of in used
        assert said.as_of >= AT or said.fresh_until > AT


@laws
@given(st.lists(known_lists(), min_size=1, max_size=2), known_answers(), questions)
def test_nothing_is_remembered_of_one_certificate_for_another(
    lists: list[KnownCrl], added: KnownOcsp, question: dict[str, object]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judgement, "_SILENCES", Silences())
        alone = verdict(*lists, **question)
        patch.setattr(judgement, "_SILENCES", Silences())
        first = verdict(*lists, added, **question)
        assert crl_lists.verdict(*lists, **question) == alone
        assert verdict(*lists, added, **question) == first
