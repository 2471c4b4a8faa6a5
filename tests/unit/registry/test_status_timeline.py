"""Turns are the lifecycle of a version and nothing else; a list stands at an instant as its credentials do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.canonical import canonical_json
from registry.credential import EVENTS, Credential, read_credential, read_version
from registry.period import from_micros, to_micros
from registry.profile import read_profile
from registry.status_list import INVALID, SUSPENDED, VALID
from registry.status_timeline import STATUSES, in_one_bit, read_turns, standing_at, turns_of, write_turns
from tests.unit.registry.specimens import Content, document, licence, licence_profile

PROFILE = read_profile(document("profile", licence_profile()))
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(hours=7, microseconds=3)
EXTRAS: dict[str, Content] = {
    "revoked": {"kind": "penalty"},
    "superseded": {"successor": {"number": "LC120019", "issuer": "bb-office"}},
    "amended": {"changes": {"valid_until": "2039-01-01T00:00:00Z"}},
}


def step(name: str, at: int) -> Content:
    instant = (BEGIN + at * STEP).isoformat()
    return {"event": name, "effective_at": instant, "recorded_at": instant, **EXTRAS.get(name, {})}


STEPS = st.builds(step, st.sampled_from(EVENTS), st.integers(0, 9))
LIVES = st.lists(STEPS, max_size=6).map(lambda steps: read_credential(licence(events=steps), PROFILE))


def content_of(made: Credential) -> bytes:
    return canonical_json(made.content())


def naive(made: Credential, at: datetime) -> int:
    """What the draft's three statuses make of a lifecycle, in its own words."""
    status = made.state_at(at).status
    return VALID if status == "valid" else SUSPENDED if status == "suspended" else INVALID


@given(LIVES, st.integers(-1, 10), st.integers(-1, 1))
def test_turns_say_what_the_lifecycle_says(made: Credential, at: int, moment: int) -> None:
    instant = BEGIN + at * STEP + timedelta(microseconds=moment)
    turns = turns_of(content_of(made))
    standing = standing_at({7: turns}, to_micros(instant))
    assert standing.exceptions.get(7, VALID) == naive(made, instant)
    assert read_turns(write_turns(turns)) == turns


@given(st.lists(LIVES, max_size=5), st.integers(-1, 10))
def test_a_list_stands_as_its_credentials_do_and_nothing_turns_before_it_says(lives: list[Credential], at: int) -> None:
    timelines = {3 * index: turns_of(content_of(made)) for index, made in enumerate(lives)}
    instant = to_micros(BEGIN + at * STEP)
    standing = standing_at(timelines, instant)
    wanted = {3 * index: naive(made, from_micros(instant)) for index, made in enumerate(lives)}
    assert standing.exceptions == {index: status for index, status in wanted.items() if status != VALID}
    assert in_one_bit(standing.exceptions) == dict.fromkeys(standing.exceptions, 1)
    turns = sorted(turned for turns in timelines.values() for turned, _ in turns)
    assert standing.since == max((turned for turned in turns if turned <= instant), default=None)
    assert standing.until == min((turned for turned in turns if turned > instant), default=None)


def test_a_turn_is_to_another_status_only() -> None:
    names = ("amended", "suspended", "suspended", "amended", "reinstated", "cancelled", "superseded", "revoked")
    made = read_credential(licence(events=[step(name, at) for at, name in enumerate(names)]), PROFILE)
    turns = turns_of(content_of(made))
    assert turns == tuple(
        (to_micros(BEGIN + at * STEP), status) for at, status in ((1, SUSPENDED), (4, VALID), (5, INVALID))
    )


def test_every_status_of_a_credential_has_one_in_a_list() -> None:
    made = [read_credential(licence(events=[step(name, 0)]), PROFILE) for name in EVENTS]
    assert {one.state_at(BEGIN).status for one in made} == STATUSES.keys()


def test_a_version_without_events_is_not_read_any_further() -> None:
    assert turns_of(b'{"events":[],"type":7}') == ()
    with pytest.raises(ValueError, match="no version of a credential"):
        read_version(b'{"events":[],"type":7}')


@pytest.mark.parametrize("content", [b"", b"{}", b'{"events":null}', b'{"events":[{}]}', b'{"events":7}'])
def test_what_is_no_version_has_no_turns(content: bytes) -> None:
    with pytest.raises(ValueError, match="no version of a credential"):
        turns_of(content)


DAMAGED: list[Any] = [
    b"\0",
    write_turns([(5, INVALID)])[:-1],
    write_turns([(5, INVALID), (4, VALID)]),
    write_turns([(5, 3)]),
]


@pytest.mark.parametrize("octets", DAMAGED)
def test_damaged_turns_are_not_read(octets: bytes) -> None:
    with pytest.raises(ValueError, match="turns"):
        read_turns(octets)
