"""Finding paths with those of CAs kept: bounded, blind to what was asked before, and not to be misled by hints."""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.certificate import Certificate, parse_certificate
from keys.path_validation import ground
from keys.path_validation.errors import PathError
from keys.path_validation.finder import MAX_GIVEN, MAX_ISSUERS, PathFinder
from keys.path_validation.path import Path
from tests.support import der_writer as der
from tests.support.der_writer import Subject
from tests.support.pki import AT, CA_USAGE, NOT_AFTER, NOT_BEFORE, Authority, Issued, key_id, unit
from tests.support.unsafe_sm2 import Key

DAY = timedelta(days=1)
KIND = "p-256"


def read(made: Issued | Authority | bytes) -> Certificate:
    if isinstance(made, Authority):
        made = made.certificate
    return parse_certificate(made if isinstance(made, bytes) else made.der)


@cache
def root(**changes: Any) -> Authority:
    return Authority.root(KIND, **changes)


@cache
def ca() -> Authority:
    return root().subordinate()


@cache
def lock(number: int = 1) -> Certificate:
    return read(ca().issue(unit(KIND, number)))


def find(
    leaf: Certificate,
    hints: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime = AT,
    finder: PathFinder | None = None,
) -> Path:
    return (finder or PathFinder()).find(leaf, hints, anchors, at)


def step(leaf: Certificate, hints: Sequence[Certificate], anchors: Sequence[Certificate], at: datetime = AT) -> str:
    with pytest.raises(PathError) as caught:
        find(leaf, hints, anchors, at)
    return caught.value.step


@pytest.fixture
def validated(monkeypatch: pytest.MonkeyPatch) -> list[Certificate]:
    """The CAs whose paths were validated, each time one was."""
    seen: list[Certificate] = []
    real = ground.valid_paths

    def counted(leaf: Certificate, *rest: Any, **more: Any) -> Iterator[Path]:
        seen.append(leaf)
        return real(leaf, *rest, **more)

    monkeypatch.setattr(ground, "valid_paths", counted)
    return seen


# Paths


def test_a_path_goes_from_the_lock_to_the_anchor() -> None:
    found = find(lock(), [read(ca())], [read(root())])
    assert found.certificates == (lock(), read(ca()), read(root()))
    assert (found.not_before, found.not_after) == (NOT_BEFORE, NOT_AFTER)
    assert not found.may_issue


def test_a_lock_of_the_anchor_itself_needs_no_hint() -> None:
    own = read(root().issue(unit(KIND)))
    assert find(own, [], [read(root())]).certificates == (own, read(root()))


@pytest.mark.parametrize("at", [NOT_BEFORE - 300 * DAY, NOT_AFTER + 300 * DAY])
def test_a_lock_outside_its_validity_still_has_its_path(at: datetime) -> None:
    assert find(lock(), [read(ca())], [read(root())], at).certificates[-1] == read(root())


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2017, 12, 31, tzinfo=UTC), "validity"),
        (datetime(2018, 1, 1, tzinfo=UTC), None),
        (datetime(2038, 1, 1, tzinfo=UTC), None),
        (datetime(2038, 1, 1, 0, 0, 1, tzinfo=UTC), "validity"),
    ],
)
def test_the_authorities_must_be_valid_at_the_instant(at: datetime, expected: str | None) -> None:
    if expected is None:
        assert find(lock(), [read(ca())], [read(root())], at).certificates[1] == read(ca())
    else:
        assert step(lock(), [read(ca())], [read(root())], at) == expected


def test_an_authority_renewed_after_the_locks_end_does_not_speak_for_it() -> None:
    late = read(root().subordinate(not_before=NOT_AFTER + DAY))
    assert late.spki == read(ca()).spki
    asked = NOT_AFTER + 2 * DAY
    assert step(lock(), [late], [read(root())], asked) == "validity"
    assert find(lock(), [late, read(ca())], [read(root())], asked).certificates[1] == read(ca())


def test_nobody_known_issued_it() -> None:
    stranger = read(Authority.root(KIND, "别家").issue(unit(KIND)))
    assert step(stranger, [read(ca())], [read(root())]) == "no_anchor"
    assert step(lock(), [], [read(root())]) == "no_anchor"
    assert step(lock(), [read(ca())], []) == "no_anchor"
    assert step(lock(), [], []) == "no_anchor"


def test_a_holder_is_nobodys_issuer_and_a_ca_is_nobodys_lock() -> None:
    holder = root().issue(unit(KIND))
    fake = Authority(subject=holder.spec.subject, key=holder.key, certificate=holder)
    assert step(read(fake.issue(unit(KIND, 2))), [read(holder)], [read(root())]) == "no_anchor"
    assert step(read(ca()), [], [read(root())]) == "basic_constraints"
    assert step(read(root()), [], [read(root())]) == "basic_constraints"


# Several paths


def test_every_path_is_given() -> None:
    twins = [read(root().issue(replace(ca().certificate.spec, serial=90 + number))) for number in range(3)]
    roots = [read(root()), read(Authority.root(KIND, serial=99))]
    assert roots[0].spki == roots[1].spki
    found = PathFinder().find_all(lock(), twins, roots, AT).paths
    ways = {(lock(), twin, anchor) for twin in twins for anchor in roots}
    assert {path.certificates for path in found} == ways
    assert len(found) == len(ways)


def test_an_anchor_among_the_hints_makes_no_second_path() -> None:
    renewed = read(Authority.root(KIND, serial=98))
    found = PathFinder().find_all(lock(), [read(root()), renewed, read(ca())], [read(root())], AT).paths
    assert [path.certificates for path in found] == [(lock(), read(ca()), read(root()))]


def test_a_path_that_does_not_hold_leaves_the_others() -> None:
    ended = read(root().issue(replace(ca().certificate.spec, serial=90, not_after=NOT_BEFORE + DAY)))
    for hints in ([ended, read(ca())], [read(ca()), ended]):
        found = PathFinder().find_all(lock(), hints, [read(root())], NOT_BEFORE + 2 * DAY).paths
        assert [path.certificates[1] for path in found] == [read(ca())]


def crossing(number: int) -> list[Certificate]:
    """Self-made certificates with the name and the key identifier of the root."""
    said = (der.basic_constraints(True), der.key_usage(CA_USAGE), der.subject_key_id(key_id(root().key)))
    name = str(root().subject.common_name)
    more = (*said, der.authority_key_id(key_id(root().key)))
    return [read(Authority.root(KIND, name, seed=str(i), serial=i, extensions=more)) for i in range(1, number + 1)]


@pytest.mark.parametrize("before", [True, False])
def test_what_no_ca_signed_makes_nothing_dear(before: bool) -> None:
    junk = crossing(30)
    hints = [read(ca()), *junk] if before else [*junk, read(ca())]
    assert find(lock(), hints, [read(root())]).certificates == (lock(), read(ca()), read(root()))


def test_more_than_can_be_looked_at_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bulk = der.Extension("1.2.3", bytes(60_000))
    long = [read(Authority.root(KIND, "大", seed=str(number), more=(bulk,))) for number in range(5)]
    assert step(lock(), [read(ca()), *long], [read(root())]) == "too_complex"
    monkeypatch.setattr(ground, "MAX_CHECKED", 4)
    assert step(lock(), [read(ca()), *crossing(5)], [read(root())]) == "too_complex"
    assert find(lock(), [read(ca()), *crossing(4)], [read(root())]).certificates[1] == read(ca())


def test_what_the_node_holds_and_is_no_ca_is_nobodys_issuer() -> None:
    found = PathFinder().find_all(lock(), [read(ca())], [read(root())], AT, [lock(2)])
    assert found.paths[0].certificates == (lock(), read(ca()), read(root()))


@pytest.mark.parametrize("place", [0, -1])
def test_genuine_certificates_hide_no_path_but_are_refused_together(place: int) -> None:
    """A path that is not looked at could be the one that tells."""
    many = [read(root().issue(replace(ca().certificate.spec, serial=100 + i))) for i in range(MAX_ISSUERS + 1)]
    many.insert(place, read(ca()))
    assert step(lock(), many, [read(root())]) == "too_complex"


def test_every_certificate_of_a_key_is_told_with_its_issuers_wherever_it_stands() -> None:
    other = Authority.root(KIND, "别的根CA")
    spec = ca().certificate.spec
    ended = read(other.issue(replace(spec, serial=91, not_after=NOT_BEFORE + DAY)))
    renamed = read(other.issue(replace(spec, serial=92, subject=Subject(common_name="改名CA"))))
    said = (der.basic_constraints(True), der.key_usage(CA_USAGE), der.subject_key_id(bytes(20)))
    other_id = read(other.issue(replace(spec, serial=93, extensions=said)))
    hints = [read(ca()), ended, renamed, other_id]
    own = (read(other),)
    found = PathFinder().find_all(lock(), hints, [read(root())], AT, own)
    assert [path.certificates for path in found.paths] == [(lock(), read(ca()), read(root()))]
    expected = {(one, read(other)) for one in (ended, renamed, other_id)} | {(read(ca()), read(root()))}
    assert found.steps[read(ca()).spki] == expected
    assert not PathFinder().find_all(lock(), hints, [read(root())], AT).steps, "who is nobody's accuses nobody"
    assert not PathFinder().find_all(lock(), hints[:1], [read(root())], AT, own).steps


# Several issuers of one name


def namesakes(number: int, **changes: Any) -> list[Certificate]:
    name = str(ca().subject.common_name)
    return [read(Authority.root(KIND, name, seed=str(i), serial=i, **changes)) for i in range(1, number + 1)]


@pytest.mark.parametrize("place", [0, 1, 3])
def test_among_several_of_one_name_the_one_that_signed_is_found(place: int) -> None:
    others = [read(root().subordinate(seed=str(index))) for index in range(3)]
    hints = [*others[:place], read(ca()), *others[place:]]
    assert find(lock(), hints, [read(root())]).certificates[1] == read(ca())


def test_without_key_identifiers_every_namesake_is_tried() -> None:
    lone = read(ca().issue(unit(KIND), key_ids=False))
    others = [read(root().subordinate(seed=str(index))) for index in range(MAX_ISSUERS - 1)]
    assert find(lone, [*others, read(ca())], [read(root())]).certificates[1] == read(ca())
    assert step(lone, others, [read(root())]) == "signature"


@pytest.mark.parametrize("key_ids", [True, False])
def test_namesakes_do_not_crowd_out_the_one_whose_key_identifier_fits(key_ids: bool) -> None:
    crowd = namesakes(MAX_ISSUERS + 8, key_ids=key_ids)
    assert find(lock(), [*crowd, read(ca())], [read(root())]).certificates == (lock(), read(ca()), read(root()))
    assert step(lock(), crowd, [read(root())]) == "no_anchor"


def test_a_stolen_key_identifier_is_no_key() -> None:
    said = (der.basic_constraints(True), der.key_usage(CA_USAGE), der.subject_key_id(key_id(ca().key)))
    thief = Authority.root(KIND, str(ca().subject.common_name), seed="thief", extensions=said)
    assert step(lock(), [read(thief)], [read(thief)]) == "signature"
    assert find(lock(), [read(thief), read(ca())], [read(root())]).certificates[1] == read(ca())


@pytest.mark.parametrize("first", ["no_anchor", "signature"])
def test_the_refusal_that_says_most_is_given(first: str) -> None:
    lone = read(ca().issue(unit(KIND), key_ids=False))
    trusted, untrusted = read(root().subordinate(seed="other")), namesakes(1)[0]
    hints = [untrusted, trusted] if first == "no_anchor" else [trusted, untrusted]
    assert step(lone, hints, [read(root())]) == "signature"


def test_an_issuer_whose_name_is_written_in_another_encoding_is_found() -> None:
    printable = Subject(organisation="Test CA Ltd", common_name="Test CA")
    written = Subject(organisation=der.printable("Test CA Ltd"), common_name=der.printable("TEST  CA"))
    authority = root().subordinate("Test CA", subject=written)
    assert authority.subject.der != printable.der
    leaf = read(authority.issue(unit(KIND), issuer=printable.der))
    assert find(leaf, [read(authority)], [read(root())]).certificates[1] == read(authority)


def test_a_lie_of_the_last_step_is_found_behind_a_kept_path() -> None:
    finder = PathFinder()
    hints, anchors = [read(ca())], [read(root())]
    find(lock(), hints, anchors, finder=finder)
    for changes, expected in (
        ({"signed_by": Key(KIND, "intruder")}, "signature"),
        ({"signature": b""}, "signature"),
        ({"ca": True, "key_usage": CA_USAGE}, "basic_constraints"),
    ):
        with pytest.raises(PathError) as caught:
            find(read(ca().issue(unit(KIND, 2), **changes)), hints, anchors, finder=finder)
        assert caught.value.step == expected


def test_an_authority_with_constraints_is_judged_whole_each_time() -> None:
    inside = der.name_constraints([der.directory_name(der.name([("2.5.4.6", "CN")]))])
    limited = root().subordinate(more=(inside,))
    finder = PathFinder()
    for subject, fits in ((Subject(common_name="a"), True), (Subject(country="US", common_name="a"), False)):
        leaf = read(limited.issue(unit(KIND, subject=subject)))
        if fits:
            assert find(leaf, [read(limited)], [read(root())], finder=finder).constrained
        else:
            with pytest.raises(PathError) as caught:
                find(leaf, [read(limited)], [read(root())], finder=finder)
            assert caught.value.step == "name_constraints"


# What is kept


def test_the_path_of_a_ca_is_judged_once(validated: list[Certificate]) -> None:
    finder = PathFinder()
    for number in range(1, 6):
        find(lock(number), [read(ca())], [read(root())], AT + number * DAY, finder)
    assert validated == [read(ca())]


def test_other_hints_anchors_or_orders_are_judged_anew(validated: list[Certificate]) -> None:
    finder = PathFinder()
    first, second = read(ca()), read(root().subordinate("别的CA"))
    other = read(Authority.root(KIND, "别家"))
    for hints, anchors in (
        ([first], [read(root())]),
        ([first, second], [read(root())]),
        ([second, first], [read(root())]),
        ([first], [read(root()), other]),
        ([first], [other, read(root())]),
        ([first, other], [read(root())]),
    ):
        find(lock(), hints, anchors, finder=finder)
        find(lock(), hints, anchors, finder=finder)
    assert len(validated) == 6


def test_a_refusal_is_not_kept(validated: list[Certificate]) -> None:
    finder = PathFinder()
    late = datetime(2039, 1, 1, tzinfo=UTC)
    for _ in range(2):
        with pytest.raises(PathError):
            find(lock(), [read(ca())], [read(root())], late, finder)
    assert validated == [read(ca())] * 2
    assert find(lock(), [read(ca())], [read(root())], finder=finder).certificates[1] == read(ca())


def test_no_more_paths_are_kept_than_allowed_and_the_least_used_go_first(validated: list[Certificate]) -> None:
    finder = PathFinder(kept=2)
    cas = [root().subordinate(f"CA{index}") for index in range(3)]
    leaves = [read(each.issue(unit(KIND))) for each in cas]
    hints = [read(each) for each in cas]
    for place in (0, 1, 0, 2, 0, 1):
        find(leaves[place], hints[place : place + 1], [read(root())], finder=finder)
    assert validated == [hints[0], hints[1], hints[2], hints[1]]
    assert len(finder._kept) == 2


def test_hostile_hints_fill_no_memory() -> None:
    finder = PathFinder()
    bulk = der.Extension("1.2.3", bytes(20_000))
    hostile = [read(Authority.root(KIND, "大", seed=str(number), more=(bulk,))) for number in range(3)]
    for hints in itertools.permutations((*hostile, read(ca()))):
        find(lock(), hints, [read(root())], finder=finder)
    assert {len(digest) for digest, _, _ in finder._kept} == {32}
    assert len(finder._kept) == 24
    assert len(finder._given) == MAX_GIVEN < 24
    assert {len(part) for asked in finder._given for part in asked[1:]} == {len("sha256:") + 64}


def test_threads_share_a_finder() -> None:
    finder = PathFinder(kept=1)
    other = root().subordinate("别的CA")
    leaves = [lock(), read(other.issue(unit(KIND)))] * 20
    hints = [read(ca()), read(other)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda leaf: find(leaf, hints, [read(root())], finder=finder), leaves))
    assert [path.certificates[0] for path in found] == leaves
    assert len(finder._kept) == 1


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"signature": b"", "ca": True, "key_usage": CA_USAGE}, "signature"),
        ({"signed_by": Key(KIND, "intruder"), "more": (der.key_usage(("cRLSign",)),)}, "signature"),
        ({"ca": True, "key_usage": CA_USAGE}, "basic_constraints"),
        ({"more": (der.key_usage(("cRLSign",)),)}, "malformed"),
    ],
)
def test_a_refusal_is_the_same_before_and_after_a_path_is_kept(changes: dict[str, Any], step: str) -> None:
    wrong, finder, anchors = read(ca().issue(unit(KIND, 2), **changes)), PathFinder(), [read(root())]
    refused = [outcome(finder, wrong, [read(ca())], anchors, AT)]
    find(lock(), [read(ca())], anchors, finder=finder)
    refused.append(outcome(finder, wrong, [read(ca())], anchors, AT))
    assert refused == [step, step]


# Laws

EDGES = [datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)]


@cache
def generations() -> tuple[list[Certificate], list[Certificate]]:
    """Roots and CAs of the same keys whose validities follow each other with overlaps."""
    roots, cas = [], []
    first, last = datetime(2012, 1, 1, tzinfo=UTC), datetime(2042, 1, 1, tzinfo=UTC)
    spans = [(first, EDGES[2]), (EDGES[0], EDGES[1]), (EDGES[1], last)]
    for index, (start, end) in enumerate(spans):
        dated = {"not_before": start, "not_after": end, "serial": index + 1}
        roots.append(read(Authority.root(KIND, **dated)))
        cas.append(read(root().issue(replace(ca().certificate.spec, **dated))))
    return roots, cas


def outcome(finder: PathFinder, leaf: Certificate, hints: Any, anchors: Any, at: datetime) -> object:
    try:
        return finder.find(leaf, hints, anchors, at).certificates
    except PathError as error:
        return error.step


@pytest.mark.no_cover
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-200, 500), st.permutations([0, 1, 2])), min_size=1, max_size=6))
def test_what_was_asked_before_changes_no_answer(asked: list[tuple[int, list[int]]]) -> None:
    roots, cas = generations()
    used = PathFinder()
    for days, order in asked:
        at = AT + days * DAY
        hints, anchors = [cas[place] for place in order], [roots[place] for place in order]
        assert outcome(used, lock(), hints, anchors, at) == outcome(PathFinder(), lock(), hints, anchors, at)


@pytest.mark.no_cover
@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(range(6)), max_size=6), st.randoms(use_true_random=False))
def test_no_hints_make_a_wrong_path_right_nor_the_right_one_wrong(which: list[int], random: Any) -> None:
    stranger = Authority.root(KIND, "测试根CA", seed="别家")
    pool = [*namesakes(3), read(stranger), read(stranger.subordinate(seed="别家")), lock(7)]
    hints = [pool[place] for place in which] + [read(ca())]
    random.shuffle(hints)
    assert find(lock(), hints, [read(root())]).certificates == (lock(), read(ca()), read(root()))
    foreign = read(stranger.subordinate(seed="别家").issue(unit(KIND)))
    assert isinstance(outcome(PathFinder(), foreign, hints, [read(root())], AT), str)
