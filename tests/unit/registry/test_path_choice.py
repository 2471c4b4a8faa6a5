"""Several paths to one lock: any that nothing speaks against suffices, and no thief hides behind another one."""

from datetime import datetime
from functools import cache
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.policy import Policy
from tests.support import der_writer as der
from tests.support.der_writer import Subject
from tests.support.ocsp import Responder, Said
from tests.support.pki import AT, CA_USAGE, Authority, Issued, unit
from tests.unit.registry.locks import (
    DAY,
    HOUR,
    KIND,
    Shelf,
    accepted,
    anchor,
    certificate_of,
    codes,
    intermediate,
    judge,
    reissued,
    root,
    told,
    world,
)
from tests.unit.registry.test_proven_time import clock, lists, proven, refused

# A root, a CA of policy, the CA that issues. The one between has two certificates of one key.

DATED = {"this_update": AT - HOUR, "next_update": AT + 30 * DAY}


@cache
def between() -> Authority:
    return root().subordinate("中间测试CA")


@cache
def again() -> Authority:
    """The one between with another certificate, by the same root."""
    return reissued(between(), root(), serial=700)


@cache
def second_root() -> Authority:
    return root("第二测试根CA")


@cache
def crossed() -> Authority:
    """The one between, certified by another root."""
    return reissued(between(), second_root(), serial=701)


@cache
def issuing() -> Authority:
    return between().subordinate("签发测试CA")


@cache
def lock() -> Issued:
    return issuing().issue(unit(KIND))


@cache
def trusting(*more: str, only: str = "t-root") -> Policy:
    """Both roots are known, and one of them is accepted unless told otherwise."""
    files = [
        ("trust-anchor", anchor("t-second", second_root().certificate.der)),
        ("accepted-list", accepted("l-bb", only, *more)),
    ]
    return world(*files, without=["t-ca"])


def shelf(*gone: tuple[Authority, datetime, str | None]) -> Shelf:
    """A list of every authority's; on those of the roots these certificates of authorities, since when and why."""
    made = Shelf().add(issuing(), issuing().crl(**DATED)).add(between(), between().crl(**DATED))
    for by in (root(), second_root()):
        entries = [one.certificate.revoked(at, reason=why) for one, at, why in gone if one.above is by]
        made.add(by, by.crl(entries, **DATED))
    return made


def outcomes(lists: Shelf, *chain: Authority, policy: Policy | None = None, **more: Any) -> set[tuple[str, str]]:
    """Outcome and first code of every order of the chain."""
    orders = permutations([each.certificate.der for each in (*chain, issuing())])
    rules = trusting("t-second") if policy is None else policy
    found = [judge(lock(), lists, rules, chain=list(order), **more) for order in orders]
    assert len({each.lock.path for each in found if each.lock is not None}) == 1
    return {(each.outcome, codes(each)[0]) for each in found}


@pytest.mark.parametrize("other", [again, crossed], ids=["the same root", "another root"])
@pytest.mark.parametrize("first", [True, False])
def test_one_of_two_certificates_above_was_superseded(other: Any, first: bool) -> None:
    gone = between() if first else other()
    held = shelf((gone, AT - 9 * DAY, "superseded"))
    assert outcomes(held, between(), other()) == {("recognized", "agreement.in_force")}
    assert outcomes(held, gone) == {("not_recognized", "status.revoked")}


@pytest.mark.parametrize("other", [again, crossed], ids=["the same root", "another root"])
@pytest.mark.parametrize("first", [True, False])
def test_a_stolen_key_above_is_stolen_in_every_certificate(other: Any, first: bool) -> None:
    gone = between() if first else other()
    held = shelf((gone, AT - 9 * DAY, "cACompromise"))
    assert outcomes(held, between(), other()) == {("not_recognized", "status.revoked")}


def test_the_path_that_is_shown_has_the_certificate_that_was_revoked() -> None:
    for gone in (between(), again()):
        held = shelf((gone, AT - 9 * DAY, "keyCompromise"))
        chain = [each.certificate.der for each in (between(), again(), issuing())]
        decision = judge(lock(), held, trusting(), chain=chain)
        assert decision.lock is not None
        assert decision.lock.path[2] == certificate_of(gone)


def test_a_key_stolen_after_the_instant_leaves_doubt_by_whatever_path() -> None:
    held = shelf((again(), AT - DAY, "cACompromise"))
    told = outcomes(held, between(), again(), valid_at=AT - 2 * DAY)
    assert told == {("indeterminate", "revocation.stale")}


def test_who_is_certified_by_another_key_as_well_does_not_suffer() -> None:
    other = second_root().subordinate("另一中间测试CA")
    by_other = reissued(issuing(), other, serial=702)
    held = shelf((between(), AT - 9 * DAY, "cACompromise")).add(other, other.crl(**DATED))
    assert outcomes(held, between(), other, by_other) == {("recognized", "agreement.in_force")}


def test_an_anchor_whose_key_another_anchor_declares_stolen() -> None:
    stolen = reissued(root(), second_root(), serial=703)
    held = shelf((stolen, AT - 9 * DAY, "cACompromise"))
    assert outcomes(held, between(), stolen) == {("not_recognized", "status.revoked")}
    harmless = shelf((stolen, AT - 9 * DAY, "superseded"))
    assert outcomes(harmless, between(), stolen) == {("recognized", "agreement.in_force")}


@pytest.mark.parametrize("only", ["t-root", "t-second"])
def test_the_path_by_which_the_list_accepts_it_counts(only: str) -> None:
    assert outcomes(shelf(), between(), crossed(), policy=trusting(only=only)) == {("recognized", "agreement.in_force")}


def test_what_fails_is_no_answer_where_another_path_is_merely_unclear() -> None:
    unclear = Shelf().add(issuing(), issuing().crl(**DATED)).add(between(), between().crl(**DATED))
    unclear.add(second_root(), second_root().crl(**DATED))
    told = outcomes(unclear, between(), crossed(), policy=trusting(only="t-root"))
    assert told == {("indeterminate", "revocation.missing")}


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([between, again, crossed]),
            st.integers(-20, 5),
            st.sampled_from([None, "superseded", "cACompromise"]),
        ),
        max_size=3,
        unique_by=lambda entry: entry[0],
    ),
    st.booleans(),
)
def test_a_further_path_helps_unless_it_shows_a_theft(gone: Any, both: bool) -> None:
    """Law: more certificates never make an answer worse but by a compromise, and a compromise is never got around."""
    held = shelf(*[(which(), AT + days * DAY, why) for which, days, why in gone if days < 0])
    order = ["not_recognized", "indeterminate", "conditional", "recognized"]
    few = [between()] if both else [again()]
    ((before, _),) = outcomes(held, *few)
    ((after, _),) = outcomes(held, between(), again(), crossed())
    theft = any(why == "cACompromise" and days < 0 for _, days, why in gone)
    assert after == "not_recognized" if theft else order.index(after) >= order.index(before)


# What a thief could hide behind


def theft(at: datetime, *others: bytes, stolen: Authority | None = None, why: str = "cACompromise") -> Shelf:
    """The root's lists: the one that tells of the theft, and others."""
    gone = (stolen or between()).certificate.revoked(at, reason=why)
    held = Shelf().add(issuing(), issuing().crl(**DATED)).add(between(), between().crl(**DATED))
    held.add(second_root(), second_root().crl(**DATED))
    for crl in (root().crl([gone], **DATED), *others):
        held.add(root(), crl)
    return held


def answer(at: datetime, said_at: datetime, reason: str | None, days: int = 1) -> bytes:
    """A genuine OCSP answer of the root's that the certificate was revoked, for this reason."""
    dated = {"this_update": said_at, "next_update": said_at + days * DAY}
    made = Responder.direct(root())
    return made.reply(
        between().certificate, Said(produced_at=said_at), status="revoked", revoked_at=at, reason=reason, **dated
    )


def other_list(at: datetime, said_at: datetime, reason: str | None) -> bytes:
    dated = {"this_update": said_at, "next_update": said_at + DAY}
    return root().crl([between().certificate.revoked(at, reason=reason)], **dated)


BEFORE, AFTER = AT - 9 * DAY, AT - DAY
MASKS: dict[str, tuple[Shelf, dict[str, Any], str]] = {
    "an answer of today gives no reason": (
        theft(BEFORE),
        {"stapled": (answer(BEFORE, AT - HOUR / 2, None),)},
        "not_recognized",
    ),
    "an old answer said superseded": (
        theft(BEFORE),
        {"stapled": (answer(AT - 20 * DAY, AT - 19 * DAY, "superseded"),)},
        "not_recognized",
    ),
    "the next list gives no reason": (
        theft(BEFORE, other_list(BEFORE, AT - HOUR / 6, None)),
        {},
        "not_recognized",
    ),
    "the list before said superseded": (
        theft(BEFORE, other_list(AT - 20 * DAY, AT - 19 * DAY, "superseded")),
        {},
        "not_recognized",
    ),
    "superseded before the instant, stolen after it": (
        theft(AFTER, other_list(AT - 20 * DAY, AT - 19 * DAY, "superseded")),
        {"valid_at": AT - 2 * DAY},
        "indeterminate",
    ),
    "on hold at the instant, stolen after it": (
        theft(AFTER),
        {"valid_at": AT - 2 * DAY, "stapled": (answer(AT - 8 * DAY, AT - 7 * DAY, "certificateHold", 6),)},
        "indeterminate",
    ),
}


@pytest.mark.parametrize("mask", MASKS)
def test_no_other_word_about_a_certificate_hides_that_its_key_was_stolen(mask: str) -> None:
    held, more, expected = MASKS[mask]
    chain = [each.certificate.der for each in (between(), crossed(), issuing())]
    for order in (chain, chain[::-1]):
        assert judge(lock(), held, trusting("t-second"), chain=order, **more).outcome == expected


def written_otherwise(authority: Authority) -> bytes:
    """Its key with a compressed point."""
    algorithm, _ = der.members_of(authority.key.spki)
    point = authority.key.point
    return der.sequence(algorithm, der.bit_string(bytes([2 + (point[-1] & 1)]) + point[1:33]))


def for_agreement(authority: Authority) -> bytes:
    """Its key as one that signs nothing: id-ecDH (RFC 5480 §2.1.2)."""
    algorithm, bits = der.members_of(authority.key.spki)
    return der.sequence(der.sequence(der.oid("1.3.132.1.12"), der.members_of(algorithm)[1]), bits)


def renamed(authority: Authority) -> Authority:
    return reissued(authority, second_root(), serial=711, subject=Subject(common_name="改名测试CA"))


def identified_otherwise(authority: Authority) -> Authority:
    said = (der.basic_constraints(True), der.key_usage(CA_USAGE), der.subject_key_id(bytes(20)))
    return reissued(authority, second_root(), serial=712, extensions=said)


TWINS = {
    "the key is written otherwise": lambda: reissued(
        between(), second_root(), serial=710, spki=written_otherwise(between())
    ),
    "for other algorithms only": lambda: reissued(between(), second_root(), serial=715, spki=for_agreement(between())),
    "another name": lambda: renamed(between()),
    "another key identifier": lambda: identified_otherwise(between()),
    "ended before the instant": lambda: reissued(between(), second_root(), serial=713, not_after=AT - 2 * DAY),
}


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("qualifiers", [["bidding"], ["government-seal"]])
def test_a_theft_is_seen_wherever_a_certificate_of_the_key_stands(twin: str, qualifiers: list[str]) -> None:
    stolen = TWINS[twin]()
    files = [("trust-anchor", anchor("t-second", second_root().certificate.der, qualifiers=qualifiers))]
    policy = world(*files, ("accepted-list", accepted("l-bb", "t-root")), without=["t-ca"])
    held = shelf((stolen, AT - 9 * DAY, "keyCompromise"))
    assert outcomes(held, between(), stolen, policy=policy) == {("not_recognized", "status.revoked")}
    harmless = shelf((stolen, AT - 9 * DAY, "superseded"))
    assert outcomes(harmless, between(), stolen, policy=policy) == {("recognized", "agreement.in_force")}


def test_an_anchor_that_calls_its_own_key_stolen() -> None:
    """Whoever signed that, the key is lost; and it counts whatever is sent along."""
    held = Shelf().add(issuing(), issuing().crl(**DATED)).add(between(), between().crl(**DATED))
    own = root().certificate
    held.add(root(), root().crl([own.revoked(AT - DAY, reason="superseded")], **DATED))
    assert outcomes(held, between()) == {("recognized", "agreement.in_force")}
    held.add(root(), root().crl([own.revoked(AT - DAY, reason="cACompromise")], **DATED))
    assert outcomes(held, between()) == {("not_recognized", "status.revoked")}
    held.add(second_root(), second_root().crl(**DATED))
    assert outcomes(held, between(), crossed()) == {("recognized", "agreement.in_force")}


def test_who_is_nobodys_accuses_nobody() -> None:
    stranger = root("陌生测试根CA")
    accused = reissued(between(), stranger, serial=714)
    held = shelf().add(
        stranger, stranger.crl([accused.certificate.revoked(AT - 9 * DAY, reason="keyCompromise")], **DATED)
    )
    assert outcomes(held, between(), accused) == {("recognized", "agreement.in_force")}


def test_an_anchor_that_its_superior_calls_stolen() -> None:
    files = [
        ("trust-anchor", anchor("t-own", issuing().certificate.der)),
        ("accepted-list", accepted("l-bb", "t-own")),
    ]
    policy = world(*files, without=["t-ca"])
    held = Shelf().add(issuing(), issuing().crl(**DATED)).add(root(), root().crl(**DATED))
    stolen = issuing().certificate.revoked(AT - DAY, reason="cACompromise")
    assert outcomes(held, between(), policy=policy) == {("recognized", "agreement.in_force")}
    held.add(between(), between().crl([stolen], **DATED))
    assert outcomes(held, between(), policy=policy) == {("not_recognized", "status.revoked")}


def test_too_many_genuine_certificates_leave_doubt() -> None:
    many = [reissued(between(), root(), serial=720 + number).certificate.der for number in range(40)]
    files = [("trust-anchor", intermediate(f"t-{place}", one)) for place, one in enumerate(many)]
    asked: dict[str, Any] = {"lists": shelf(), "chain": [issuing().certificate.der]}
    few = judge(lock(), policy=world(*files[:8], ("accepted-list", accepted("l-bb", "t-root"))), **asked)
    assert few.outcome == "recognized"
    crowded = judge(lock(), policy=world(*files, ("accepted-list", accepted("l-bb", "t-root"))), **asked)
    assert (crowded.outcome, codes(crowded)) == ("indeterminate", ["path.invalid"])
    assert told(crowded, "path") == ("indeterminate", "path.invalid", "too_complex")


# Timestamps


def test_an_authority_of_timestamps_is_judged_by_every_path_too() -> None:
    top = clock().issuer.above
    assert top is not None
    second = reissued(clock().issuer, top, serial=704)
    for order in ((clock().issuer, second), (second, clock().issuer)):
        token = clock().token(certificates=(clock().certificate.der, *[each.certificate.der for each in order]))
        gone = lists(clock(), above=[second.certificate.revoked(AT - DAY, reason="superseded")])
        assert proven(clock(), token, gone).instant == AT
        stolen = lists(clock(), above=[second.certificate.revoked(AT - DAY, reason="cACompromise")])
        assert refused(clock(), token, stolen) == "status.revoked"
