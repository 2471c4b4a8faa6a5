"""What a credential is at a legal instant, what its register knew when, and how a version is kept."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.canonical import canonical_json
from registry.credential import (
    EVENTS,
    REVOCATION_KINDS,
    Credential,
    CredentialState,
    Event,
    Subject,
    credential_id,
    known_from,
    read_credential,
    read_version,
    standing,
    versions,
)
from registry.document import LegalBasis
from registry.period import Period
from registry.profile import read_profile
from tests.unit.registry.specimens import Content, document, event, licence, licence_profile

PROFILE = read_profile(document("profile", licence_profile()))
MOMENT = timedelta(microseconds=1)
SUCCESSOR = {"number": "LC120019", "issuer": "bb-office"}


def read(*events: Content, **more: Any) -> Credential:
    return read_credential(licence(events=list(events), **more), PROFILE)


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T00:00:00+00:00")


def status(made: Credential, on: str) -> str:
    return made.state_at(day(on)).status


def test_without_events_everything_is_as_it_was_issued() -> None:
    made = read()
    state = made.state_at(day("2000-01-01"))
    assert state == CredentialState(
        status="valid",
        event=None,
        subject=made.subject,
        valid_from=made.valid_from,
        valid_until=made.valid_until,
        attributes=made.attributes,
    )


def test_an_event_counts_from_the_very_instant_at_which_it_takes_effect() -> None:
    made = read(event("suspended", "2025-01-01"))
    assert made.state_at(day("2025-01-01") - MOMENT).status == "valid"
    state = made.state_at(day("2025-01-01"))
    assert (state.status, state.event) == ("suspended", made.events[0])


def test_a_suspension_ends_with_the_reinstatement() -> None:
    made = read(event("suspended", "2025-01-01"), event("reinstated", "2025-02-01"), event("suspended", "2025-03-01"))
    assert [status(made, on) for on in ("2024-12-31", "2025-01-15", "2025-02-15", "2025-03-15")] == [
        "valid",
        "suspended",
        "valid",
        "suspended",
    ]
    assert made.state_at(day("2025-02-15")).event is None
    assert made.state_at(day("2025-03-15")).event == made.events[2]


@pytest.mark.parametrize(
    ("event_name", "more"),
    [("revoked", {"kind": "penalty"}), ("cancelled", {}), ("superseded", {"successor": SUCCESSOR})],
)
def test_nothing_brings_back_what_is_final(event_name: str, more: Content) -> None:
    made = read(
        event(event_name, "2025-01-01", **more), event("suspended", "2025-02-01"), event("reinstated", "2025-03-01")
    )
    for on in ("2025-01-01", "2025-02-15", "2025-03-15", "2029-01-01"):
        assert made.state_at(day(on)).status == event_name
        assert made.state_at(day(on)).event == made.events[0]


@pytest.mark.parametrize("order", list(permutations(("revoked", "cancelled", "superseded"))))
def test_of_several_final_steps_the_gravest_counts(order: tuple[str, ...]) -> None:
    more = {"revoked": {"kind": "annulled"}, "superseded": {"successor": SUCCESSOR}}
    made = read(*(event(name, f"2025-0{month}-01", **more.get(name, {})) for month, name in enumerate(order, start=1)))
    gravity = ["revoked", "cancelled", "superseded"]
    for month in (1, 2, 3):
        state = made.state_at(day(f"2025-0{month}-15"))
        expected = min(order[:month], key=gravity.index)
        assert state.status == expected
        assert state.event is not None
        assert state.event.event == expected


def test_of_two_equal_final_steps_the_first_is_told() -> None:
    made = read(event("revoked", "2025-01-01", kind="annulled"), event("revoked", "2025-02-01", kind="penalty"))
    state = made.state_at(day("2026-01-01"))
    assert state.event is not None
    assert state.event.kind == "annulled"


def test_a_final_step_ends_a_suspension() -> None:
    made = read(event("suspended", "2025-01-01"), event("cancelled", "2025-02-01"))
    assert [status(made, on) for on in ("2025-01-15", "2025-02-15")] == ["suspended", "cancelled"]


def test_amendments_add_up() -> None:
    made = read(
        event("amended", "2025-01-01", changes={"attributes": {"items": ["茶"]}}),
        event(
            "amended",
            "2025-02-01",
            changes={"subject": {"kind": "person", "name": "测试人员"}, "attributes": {"grade": "low"}},
        ),
        event("amended", "2025-03-01", changes={"valid_until": "2027-01-01T00:00:00Z"}),
        event("amended", "2025-04-01", changes={"valid_until": None, "attributes": {"items": ["酒"]}}),
    )
    before, first, second, third, fourth = (
        made.state_at(day(on)) for on in ("2024-12-31", "2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01")
    )
    assert before.attributes["items"] == ["面包", "蛋糕"]
    assert (first.attributes["items"], first.attributes["grade"]) == (["茶"], "high")
    assert (second.attributes["items"], second.attributes["grade"]) == (["茶"], "low")
    assert first.subject == made.subject
    assert second.subject == Subject(kind="person", name="测试人员", uscc=None)
    assert (second.valid_from, second.valid_until) == (made.valid_from, made.valid_until)
    assert (third.valid_from, third.valid_until) == (made.valid_from, day("2027-01-01"))
    assert (fourth.valid_from, fourth.valid_until) == (made.valid_from, None)
    assert fourth.attributes == {**made.attributes, "items": ["酒"], "grade": "low"}
    assert {state.status for state in (first, second, third, fourth)} == {"valid"}
    # What was issued is never written over.
    assert made.attributes["items"] == ["面包", "蛋糕"]


def test_an_end_before_the_start_that_is_held_all_the_same_ends_the_credential() -> None:
    # Intake refuses it; a version kept from elsewhere may have it.
    content = read(event("amended", "2025-01-01", changes={"valid_until": "2027-01-01T00:00:00Z"})).content()
    for end in ("2020-01-01T00:00:00Z", "2024-01-01T00:00:00Z"):
        content["events"][0]["changes"] = {"valid_until": end}
        state = read_version(canonical_json(content)).state_at(day("2026-01-01"))
        assert standing(state, day("2026-01-01")) == "expired"
        assert (state.valid_from, state.valid_until) == (None, datetime.fromisoformat(end))


def test_an_amendment_does_not_lift_a_suspension() -> None:
    made = read(event("suspended", "2025-01-01"), event("amended", "2025-02-01", changes={"valid_until": None}))
    assert status(made, "2025-03-01") == "suspended"


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (day("2024-01-01") - MOMENT, "not_yet_valid"),
        (day("2024-01-01"), "valid"),
        (day("2029-01-01") - MOMENT, "valid"),
        (day("2029-01-01"), "expired"),
    ],
)
def test_people_see_status_and_period_as_one(instant: datetime, expected: str) -> None:
    made = read()
    assert standing(made.state_at(instant), instant) == expected
    suspended = read(event("suspended", "2020-01-01", "2024-01-02"))
    assert standing(suspended.state_at(instant), instant) == "suspended"
    endless = read(valid_from=None, valid_until=None)
    assert standing(endless.state_at(instant), instant) == "valid"


def test_each_recording_makes_a_version() -> None:
    made = read(
        event("amended", "2023-06-01", "2025-09-01", changes={"valid_until": None}),
        event("suspended", "2025-01-01", "2025-01-05"),
        event("reinstated", "2025-02-01", "2025-02-05"),
        event("cancelled", "2025-02-03", "2025-02-05"),
    )
    held = versions(made)
    assert [known_from(version) for version in held] == [
        day("2024-01-02"),
        day("2025-01-05"),
        day("2025-02-05"),
        day("2025-09-01"),
    ]
    assert [[entry.event for entry in version.events] for version in held] == [
        [],
        ["suspended"],
        ["suspended", "reinstated", "cancelled"],
        ["amended", "suspended", "reinstated", "cancelled"],
    ]
    assert held[-1] == made
    assert {(version.number, version.subject, version.recorded_at) for version in held} == {
        (made.number, made.subject, made.recorded_at)
    }


def test_a_credential_without_events_has_one_version() -> None:
    made = read()
    assert versions(made) == (made,)
    assert known_from(made) == day("2024-01-02")


INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12).filter(str.strip)
SUBJECTS = st.builds(
    Subject, kind=st.sampled_from(["organisation", "person"]), name=TEXT, uscc=st.none() | st.just("11430000006122244L")
)
ATTRIBUTES: st.SearchStrategy[Mapping[str, Any]] = st.fixed_dictionaries(
    {"items": st.lists(TEXT, min_size=1, max_size=3)},
    optional={
        "certified": st.booleans(),
        "remark": TEXT,
        "rows": st.lists(st.fixed_dictionaries({"parameter": TEXT, "method": TEXT}), min_size=1, max_size=2),
    },
)
PERIODS = st.one_of(
    st.builds(Period, start=st.none() | INSTANTS),
    st.builds(lambda start, days: Period(start=start, end=start + timedelta(days=days)), INSTANTS, st.integers(1, 999)),
)
BASES = st.builds(LegalBasis, instrument=TEXT, number=st.none() | TEXT, article=st.none() | TEXT)


def written(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


@st.composite
def events(draw: st.DrawFn) -> Event:
    name = draw(st.sampled_from(EVENTS))
    recorded = draw(INSTANTS)
    changes = st.fixed_dictionaries(
        {},
        optional={
            "attributes": ATTRIBUTES,
            "subject": st.fixed_dictionaries({"kind": st.just("person"), "name": TEXT, "uscc": st.none()}),
        },
    )
    return Event(
        event=name,
        effective_at=draw(INSTANTS),
        recorded_at=recorded,
        kind=draw(st.sampled_from(REVOCATION_KINDS)) if name == "revoked" else draw(st.none() | TEXT),
        reason_code=draw(st.none() | TEXT),
        legal_basis=tuple(draw(st.lists(BASES, max_size=2))),
        successor=SUCCESSOR if name == "superseded" else None,
        changes=draw(changes) if name == "amended" else None,
    )


@st.composite
def credentials(draw: st.DrawFn) -> Credential:
    period = draw(PERIODS)
    return Credential(
        type="licence",
        number=draw(TEXT),
        issuer=draw(TEXT),
        subject=draw(SUBJECTS),
        issued_at=draw(INSTANTS),
        valid_from=period.start,
        valid_until=period.end,
        attributes=draw(ATTRIBUTES),
        recorded_at=draw(INSTANTS),
        predecessor=draw(st.none() | TEXT),
        events=tuple(draw(st.lists(events(), max_size=4))),
    )


LAW = settings(deadline=None, max_examples=100)


@LAW
@given(credentials())
def test_a_version_is_read_back_as_it_was_kept(made: Credential) -> None:
    kept = canonical_json(made.content())
    assert read_version(kept) == made
    assert canonical_json(read_version(kept).content()) == kept


@pytest.mark.parametrize("name", ["type", "subject", "issued_at", "valid_from", "attributes", "events"])
def test_a_version_without_a_member_is_not_read(name: str) -> None:
    content = read().content()
    del content[name]
    with pytest.raises(ValueError, match=f"required field `{name}`"):
        read_version(canonical_json(content))


def test_what_we_did_not_write_is_no_version() -> None:
    content = read().content()
    for wrong in (
        content | {"surplus": 1},
        content | {"issued_at": "2024-01-01T00:00:00"},
        content | {"issued_at": "yesterday"},
        content | {"subject": "测试公司"},
    ):
        with pytest.raises(ValueError, match="no version of a credential"):
            read_version(canonical_json(wrong))
    with pytest.raises(ValueError, match="no version of a credential"):
        read_version(canonical_json(content)[:-1])


@LAW
@given(credentials(), INSTANTS)
def test_the_state_at_an_instant_does_not_look_ahead(made: Credential, instant: datetime) -> None:
    state = made.state_at(instant)
    past = [entry for entry in made.events if entry.effective_at <= instant]
    if not past:
        assert (state.status, state.event, state.subject, state.attributes) == (
            "valid",
            None,
            made.subject,
            made.attributes,
        )
    assert (state.event is None) == (state.status == "valid")
    assert state.event is None or (state.event in past and state.event.event == state.status)
    finals = {entry.event for entry in past} & {"revoked", "cancelled", "superseded"}
    if finals:
        assert state.status == min(finals, key=["revoked", "cancelled", "superseded"].index)
    else:
        assert state.status in ("valid", "suspended")


@LAW
@given(credentials())
def test_later_versions_know_more(made: Credential) -> None:
    held = versions(made)
    instants = [known_from(version) for version in held]
    assert instants[-1] == max([made.recorded_at, *(entry.recorded_at for entry in made.events)])
    assert held[-1] == made
    for sooner, later in pairwise(held):
        assert [entry for entry in later.events if entry in sooner.events] == list(sooner.events)


def test_an_id_is_opaque_and_always_the_same() -> None:
    made = credential_id("licence", "LC110015", "aa-office")
    assert made == credential_id("licence", "LC110015", "aa-office")
    assert made.startswith("cred_")
    assert len(made) == 29
    assert made[5:].isalnum()
    assert made[5:] == made[5:].lower()
    assert "110015" not in made
    # What was once given out must name the same credential for ever.
    assert made == "cred_fl2z6behst4fihdcc2d74xps"


@given(*(st.tuples(*(st.sampled_from(["a", "b", "ab", "ba", "", " "]) for _ in range(3))) for _ in range(2)))
def test_ids_differ_where_type_number_or_issuer_differ(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (credential_id(*one) == credential_id(*other)) == (one == other)
