"""The everyday disputes about a lock, by their dates; and what must not matter."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.usecases.challenge import LIFETIME, Challenger, problem_with
from keys.path_validation.finder import PathFinder
from registry.canonical import canonical_json
from registry.policy import KnownDocument, PolicyHistory
from registry.receipt import core
from tests.support.pki import (
    AT,
    NOT_AFTER,
    Authority,
    Issued,
    renewed,
    unit,
)
from tests.unit.registry.locks import (
    DAY,
    HOUR,
    KIND,
    LONG_AGO,
    accepted,
    anchor,
    ca,
    certificate_of,
    codes,
    day,
    foreign,
    honest_lock,
    impostors,
    intermediate,
    judge,
    long_shelf,
    policy_documents,
    possession_of,
    reissued,
    root,
    shelf,
    told,
    world,
)
from tests.unit.registry.specimens import Content, document

# The everyday disputes. The lock runs from 2025-01-01 to 2027-01-01, its bid is signed on 2026-06-01.

SIGNED, OPENED = day("2026-06-01T16:00"), day("2026-06-20T01:00")


def lock_until(end: datetime) -> Issued:
    return ca().issue(unit(KIND, not_after=end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A question some time after the fact: at which instant it counts, and what was then on record."""

    valid_at: datetime
    asked: datetime
    lock_ends: datetime = NOT_AFTER
    entry: tuple[datetime, str | None] | None = None
    lists: tuple[Content, ...] = ()
    party: str | None = None
    expected: str
    reasons: list[str] = field(default_factory=list)


AFTER = OPENED + DAY
EXPIRED_ON_THE_DAY = day("2026-06-20T00:59:59")
BETWEEN = day("2026-06-10")
TODAY_OFF = accepted("l-bb", {"ca": "t-ca", "until": "2026-06-21T00:00:00+08:00"})
OWN = accepted("l-own", {"ca": "t-ca", "from": "2026-06-15T00:00:00+08:00"}, relying_party="bb-platform")

GOOD, GONE = ["agreement.in_force"], ["status.revoked"]

DISPUTES: dict[str, Dispute] = {
    "expired on the opening day, asked about the signing": Dispute(
        valid_at=SIGNED,
        asked=AFTER,
        lock_ends=EXPIRED_ON_THE_DAY,
        expected="recognized",
        reasons=GOOD,
    ),
    "expired on the opening day, asked about the opening": Dispute(
        valid_at=OPENED,
        asked=AFTER,
        lock_ends=EXPIRED_ON_THE_DAY,
        expected="not_recognized",
        reasons=["validity.expired", "revocation.stale"],
    ),
    "ends with the second of the opening": Dispute(
        valid_at=OPENED, asked=OPENED, lock_ends=OPENED, expected="recognized", reasons=GOOD
    ),
    "revoked between signing and opening, asked about the signing": Dispute(
        valid_at=SIGNED,
        asked=AFTER,
        entry=(BETWEEN, "superseded"),
        expected="recognized",
        reasons=GOOD,
    ),
    "revoked between signing and opening, asked about the opening": Dispute(
        valid_at=OPENED,
        asked=AFTER,
        entry=(BETWEEN, "superseded"),
        expected="not_recognized",
        reasons=GONE,
    ),
    "revoked the second after the signing": Dispute(
        valid_at=SIGNED,
        asked=AFTER,
        entry=(SIGNED + timedelta(seconds=1), None),
        expected="recognized",
        reasons=GOOD,
    ),
    "revoked in the second of the signing": Dispute(
        valid_at=SIGNED, asked=AFTER, entry=(SIGNED, None), expected="not_recognized", reasons=GONE
    ),
    "key compromised after the signing, and nothing proves when it was signed": Dispute(
        valid_at=SIGNED,
        asked=AFTER,
        entry=(BETWEEN, "keyCompromise"),
        expected="indeterminate",
        reasons=["revocation.stale"],
    ),
    "key compromised before the signing": Dispute(
        valid_at=OPENED,
        asked=AFTER,
        entry=(BETWEEN, "keyCompromise"),
        expected="not_recognized",
        reasons=GONE,
    ),
    "on hold on the opening day": Dispute(
        valid_at=OPENED,
        asked=AFTER,
        entry=(BETWEEN, "certificateHold"),
        expected="not_recognized",
        reasons=["status.suspended"],
    ),
    "the CA leaves the list today, asked about yesterday": Dispute(
        valid_at=OPENED, asked=AFTER, lists=(TODAY_OFF,), expected="recognized", reasons=GOOD
    ),
    "the CA leaves the list today, asked about today": Dispute(
        valid_at=AFTER, asked=AFTER, lists=(TODAY_OFF,), expected="not_recognized", reasons=["issuer.not_accepted"]
    ),
    "the platform's own list accepts the CA only after the signing": Dispute(
        valid_at=SIGNED,
        asked=AFTER,
        lists=(OWN,),
        party="bb-platform",
        expected="not_recognized",
        reasons=["issuer.not_accepted"],
    ),
    "the platform's own list accepts the CA at the opening": Dispute(
        valid_at=OPENED,
        asked=AFTER,
        lists=(OWN,),
        party="bb-platform",
        expected="recognized",
        reasons=GOOD,
    ),
    "another platform goes by the province's list": Dispute(
        valid_at=SIGNED, asked=AFTER, lists=(OWN,), party="other", expected="recognized", reasons=GOOD
    ),
}


@pytest.mark.parametrize("name", DISPUTES)
def test_the_everyday_disputes(name: str) -> None:
    dispute = DISPUTES[name]
    lock = lock_until(dispute.lock_ends)
    entries = [lock.revoked(dispute.entry[0], reason=dispute.entry[1])] if dispute.entry else []
    lists = long_shelf(*entries, until=dispute.asked - HOUR)
    # A list from before the end of a lock that has expired since, as authorities drop those.
    earlier = {"this_update": SIGNED + HOUR, "next_update": SIGNED + 2 * DAY}
    lists.add(ca(), ca().crl(**earlier)).add(root(), root().crl(**earlier))
    policy = world(*(("accepted-list", content) for content in dispute.lists))
    party = {"relying_party": dispute.party} if dispute.party else {}
    decision = judge(lock, lists, policy, now=dispute.asked, valid_at=dispute.valid_at, **party)
    assert (decision.outcome, codes(decision)) == (dispute.expected, dispute.reasons)


def test_a_renewed_lock_serves_from_its_own_start_and_the_old_one_until_its_end() -> None:
    old = lock_until(OPENED)
    new = ca().issue(renewed(old.spec))
    lists = long_shelf(old.revoked(OPENED - HOUR, reason="superseded"), until=OPENED)
    asked = {"now": OPENED + 2 * DAY}
    assert judge(old, lists, valid_at=SIGNED, **asked).outcome == "recognized"
    assert codes(judge(old, lists, valid_at=OPENED, **asked)) == ["status.revoked"]
    assert judge(new, lists, valid_at=OPENED, **asked).outcome == "recognized"
    assert codes(judge(new, lists, valid_at=SIGNED, **asked)) == ["validity.not_yet"]
    assert told(judge(new, lists, possession=possession_of(old), **asked), "signature")[1] == "signature.wrong"


def test_a_renewed_lock_of_the_same_key_is_another_certificate() -> None:
    old = lock_until(OPENED)
    new = ca().issue(renewed(old.spec, same_key=True))
    lists = long_shelf(old.revoked(OPENED - HOUR), until=OPENED + DAY)
    asked = {"now": OPENED + 2 * DAY, "valid_at": OPENED}
    assert codes(judge(old, lists, possession=possession_of(new), **asked)) == ["status.revoked"]
    assert judge(new, lists, possession=possession_of(old), **asked).outcome == "recognized"


@pytest.mark.parametrize(
    ("skew", "expected"),
    [
        (timedelta(minutes=-2), "recognized"),
        (timedelta(0), "recognized"),
        (timedelta(minutes=2), "recognized"),
        (LIFETIME - timedelta(microseconds=1), "recognized"),
        (LIFETIME, "challenge.expired"),
        (LIFETIME + timedelta(minutes=2), "challenge.expired"),
    ],
)
def test_clocks_two_minutes_apart_do_not_spoil_a_challenge(skew: timedelta, expected: str) -> None:
    """The answer is judged by the clock of a process that is so far ahead of the one that gave the challenge out."""
    lock, purpose, party = honest_lock(), "sign", "bb-platform"
    challenge = Challenger(b"secret", "issuer").make(party, purpose, AT)
    read = Challenger(b"secret", "issuer").read(challenge.id)
    assert read is not None
    problem = problem_with(read, party, purpose, AT + skew)
    decision = judge(
        lock,
        possession=possession_of(lock, read.to_be_signed, problem=problem),
        now=AT + skew,
        relying_party=party,
    )
    assert expected == (decision.outcome if problem is None else codes(decision)[0])


# What must not matter


@settings(max_examples=25, deadline=None)
@given(st.permutations([*ca().chain, *foreign().chain, *impostors(2)]), st.integers(0, 6))
def test_the_order_of_hints_plays_no_part(chain: list[bytes], number: int) -> None:
    bare = world(("accepted-list", accepted("l-bb", "t-root")), without=["t-ca"])
    with_ca = judge(honest_lock(), policy=bare, chain=chain)
    assert with_ca.outcome == "recognized"
    assert with_ca.lock is not None
    assert with_ca.lock.path == tuple(map(certificate_of, (honest_lock(), ca(), root())))
    shown = judge(honest_lock(), chain=chain[:number])
    assert shown.outcome == "recognized"


@cache
def strangers() -> list[tuple[str, Content]]:
    others = [root(f"无关根{index}") for index in range(3)]
    files = [("trust-anchor", anchor(f"t-{index}", other.certificate.der)) for index, other in enumerate(others)]
    other = others[0].subordinate("无关CA")
    twin = Authority.root(KIND, str(root().subject.common_name), seed="twin")
    return [
        *files,
        ("trust-anchor", intermediate("t-z", other.certificate.der)),
        ("trust-anchor", anchor("t-twin", twin.certificate.der)),
        ("accepted-list", accepted("l-aa", "t-0", jurisdiction="AA")),
    ]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), unique=True), st.booleans())
def test_unrelated_anchors_and_lists_do_not_matter(which: list[int], twin: bool) -> None:
    files = strangers()
    chosen = [files[index] for index in which] + ([files[4]] if twin else [])
    policy = world(*chosen)
    for lock in (honest_lock(), foreign().issue(unit(KIND))):
        there, here = judge(lock, policy=policy), judge(lock)
        assert canonical_json(core(there)) == canonical_json(core(here))


def test_what_a_finder_was_asked_before_does_not_matter() -> None:
    early = replace(root(), certificate=Authority.root(KIND, "测试根CA", serial=4, not_after=AT + 30 * DAY).certificate)
    late = replace(root(), certificate=Authority.root(KIND, "测试根CA", serial=5, not_before=AT - 30 * DAY).certificate)
    policy = world(
        ("trust-anchor", anchor("t-early", early.certificate.der)),
        ("trust-anchor", anchor("t-late", late.certificate.der)),
        without=["t-root"],
    )
    lists = long_shelf(until=AT + 90 * DAY)
    instants = [AT - 60 * DAY, AT, AT + 60 * DAY]
    used = PathFinder()
    asked = {"now": AT + 91 * DAY}
    for valid_at in (*instants, *reversed(instants)):
        kept = judge(honest_lock(), lists, policy, finder=used, valid_at=valid_at, **asked)
        anew = judge(honest_lock(), lists, policy, valid_at=valid_at, **asked)
        assert canonical_json(core(kept)) == canonical_json(core(anew))
        assert kept.outcome == "recognized"


# Replay


def later_files() -> list[tuple[str, Content]]:
    """What may happen to trust afterwards: the CA is struck off, the root ends, new ones come."""
    after = reissued(ca(), root(), serial=99)
    return [
        ("accepted-list", {**accepted("l-bb"), "version": 2}),
        ("trust-anchor", {**anchor("t-root", root().certificate.der, until="2020-01-01T00:00:00Z"), "version": 2}),
        ("trust-anchor", intermediate("t-new", after.certificate.der)),
        ("accepted-list", accepted("l-own", relying_party="bb-platform")),
    ]


@pytest.mark.parametrize("chain", [(), ca().chain])
@pytest.mark.parametrize("back", [0, 100])
def test_the_same_question_gives_the_same_core_whatever_became_known_later(chain: tuple[bytes, ...], back: int) -> None:
    lock = honest_lock()
    known = [KnownDocument(document=entry, known_from=LONG_AGO) for entry in policy_documents()]
    later = [KnownDocument(document=document(*entry), known_from=AT + HOUR) for entry in later_files()]
    before, after = PolicyHistory(known, 1), PolicyHistory([*known, *later], 2)
    lists, more = shelf(), shelf()
    more.add(ca(), ca().crl([lock.revoked(AT - 200 * DAY)], this_update=AT - HOUR), AT + HOUR)
    more.add(root(), root().crl([ca().certificate.revoked()], this_update=AT - HOUR), AT + HOUR)
    asked: dict[str, Any] = {"valid_at": AT - back * DAY, "relying_party": "bb-platform", "chain": chain}
    cores = []
    for history, held, now in ((before, lists, AT), (after, more, AT), (after, more, AT + 400 * DAY)):
        policy = history.at(AT)
        assert policy is not None
        decision = judge(lock, held, policy, now=now, known_at=AT, **asked)
        assert decision.outcome == "recognized"
        cores.append(canonical_json(core(decision)))
    assert len(set(cores)) == 1
    today = judge(lock, more, after.latest, now=AT + 2 * HOUR, **asked)
    assert today.outcome == "not_recognized"
