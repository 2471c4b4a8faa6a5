"""Agreements: whom they bind, when, on which conditions; and that two of equal strength never overlap."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.agreement import Agreement, Party, Where, overlap, read_agreement
from registry.errors import PolicyError
from registry.jurisdiction import Gazetteer, read_jurisdiction
from registry.period import Period
from registry.policy import build_policy
from tests.unit.registry.specimens import (
    ABSENT,
    CONFIRMED,
    IN_FORCE,
    SOURCE,
    Content,
    agreement,
    both,
    document,
    documents,
    edited,
    jurisdiction_aa,
    jurisdiction_bb,
    jurisdiction_nation,
    never,
    policy,
)

GAZETTEER = Gazetteer(
    tuple(
        read_jurisdiction(document("jurisdiction", made))
        for made in (jurisdiction_aa(), jurisdiction_bb(), jurisdiction_nation())
    )
)
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


def read(content: Content) -> Agreement:
    return read_agreement(document("agreement", content))


def side(*names: str, **areas: list[str]) -> list[Content]:
    return [{"jurisdiction": name} for name in names] + [
        {"jurisdiction": name, "areas": codes} for name, codes in areas.items()
    ]


def test_an_agreement_is_read_as_written() -> None:
    made = read(
        agreement(
            "pact/1",
            binds={"issued_in": side("AA", "CN"), "recognized_in": side(BB=["120100", "120200"])},
            effective={"from": "2020-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z"},
            issued={"from": "2020-01-01T08:00:00+08:00"},
            where=[{"attribute": "certified", "value": False}, {"attribute": "grade", "value": "high"}],
            note=both("说明"),
        )
    )
    assert (made.id, made.version, made.strength, made.effect) == ("pact/1", 1, "agreement", "recognized")
    assert (made.types, made.purposes, made.confidence) == (("licence",), ("trade",), "V")
    assert made.issued_in == {
        "AA": Party(jurisdiction="AA", areas=()),
        "CN": Party(jurisdiction="CN", areas=()),
    }
    assert made.recognized_in == {"BB": Party(jurisdiction="BB", areas=("120100", "120200"))}
    assert made.effective == Period(start=START, end=END)
    assert made.issued == Period(start=START)
    assert made.where == (Where(attribute="certified", value=False), Where(attribute="grade", value="high"))
    assert [entry.kind for entry in made.conditions] == ["checks"]
    assert [(basis.instrument, basis.number, basis.article) for basis in made.legal_basis] == [
        ("pact/1 协议", "1", "2")
    ]
    assert made.note is not None
    assert made.note.zh == "说明"
    assert made.repealed_at is None


def test_what_is_left_out_is_open() -> None:
    made = read(agreement(effective=ABSENT))
    assert made.effective == made.issued == made.in_force == Period()
    assert (made.where, made.note) == ((), None)


def test_a_law_against_recognition_has_no_parties_and_no_conditions() -> None:
    made = read(never())
    assert (made.effect, dict(made.issued_in), dict(made.recognized_in), made.conditions) == (
        "never_recognized",
        {},
        {},
        (),
    )


FULL = agreement(
    issued={"from": "2020-01-01T00:00:00Z"},
    where=[{"attribute": "certified", "value": True}],
    note=both("说明"),
)


@pytest.mark.parametrize(
    ("path", "value", "key", "problem"),
    [
        ("strength", "custom", "strength", "'custom' is not allowed; allowed: statute, agreement, plan"),
        ("effect", "maybe", "effect", "'maybe' is not allowed; allowed: recognized, never_recognized"),
        ("confidence", ABSENT, "confidence", "is missing"),
        ("types", [], "types", "must not be empty"),
        ("types", ["licence", "licence"], "types", "names something twice"),
        ("purposes", [], "purposes", "must not be empty"),
        ("binds", ABSENT, "binds", "is missing"),
        ("binds/issued_in", [], "binds.issued_in", "needs at least 1"),
        ("binds/recognized_in", ABSENT, "binds.recognized_in", "needs at least 1"),
        ("binds/issued_in", side("AA", "AA"), "binds.issued_in[1].jurisdiction", "AA is named twice"),
        ("binds/issued_in/0/area", "110100", "binds.issued_in[0].area", "unknown key; known: areas, jurisdiction"),
        ("binds/both", side("AA"), "binds.both", "unknown key; known: issued_in, recognized_in"),
        ("effective/from", "2020-01-01T00:00:00", "effective.from", "must be a date-time with an offset"),
        ("effective/until", "2020-01-01T00:00:00Z", "effective.until", "a period ends after it starts"),
        ("effective/to", "2030-01-01T00:00:00Z", "effective.to", "unknown key; known: from, until"),
        ("issued/to", "2030-01-01T00:00:00Z", "issued.to", "unknown key; known: from, until"),
        ("repealed_at", "2020-01-01T00:00:00Z", "repealed_at", "must be after the agreement takes effect"),
        ("repealed_at", "2019-01-01T00:00:00Z", "repealed_at", "must be after the agreement takes effect"),
        ("where/0/value", 1, "where[0].value", "must be a text, true or false"),
        ("where/0/op", "=", "where[0].op", "unknown key; known: attribute, value"),
        ("legal_basis", [], "legal_basis", "needs at least 1"),
        ("conditions", [], "conditions", "needs at least 1"),
        ("conditions", [IN_FORCE, IN_FORCE], "conditions", "names an id twice"),
        ("conditions/0/kind", "hope", "conditions[0].kind", "'hope' is not allowed; allowed: checks"),
        ("strength", "plan", "conditions", "strength 'plan' needs a condition of kind 'authority_confirms'"),
        ("note", "text", "note", "must be a table"),
        ("until", "2030-01-01T00:00:00Z", "until", "unknown key; known: binds, conditions, confidence"),
    ],
)
def test_an_agreement_that_is_wrong_is_refused(path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(edited(FULL, path, value))
    assert (caught.value.source, caught.value.key) == (SOURCE, key)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("changes", "key", "problem"),
    [
        ({"binds": {"issued_in": side("AA"), "recognized_in": side("BB")}}, "binds", "unknown key"),
        ({"conditions": [IN_FORCE]}, "conditions", "do not belong to effect 'never_recognized'"),
        ({"strength": "plan"}, "conditions", "strength 'plan' needs a condition"),
    ],
)
def test_a_law_against_recognition_that_is_wrong_is_refused(changes: Content, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(never(**changes))
    assert caught.value.key == key
    assert problem in caught.value.problem


def test_a_plan_with_its_confirmation_is_accepted() -> None:
    made = read(agreement(strength="plan", conditions=[IN_FORCE, CONFIRMED]))
    assert [entry.kind for entry in made.conditions] == ["checks", "authority_confirms"]


@pytest.mark.parametrize(
    ("effective", "repealed", "in_force"),
    [
        ({"from": "2020-01-01T00:00:00Z"}, None, Period(start=START)),
        ({"from": "2020-01-01T00:00:00Z"}, "2030-01-01T00:00:00Z", Period(start=START, end=END)),
        ({"until": "2040-01-01T00:00:00Z"}, "2030-01-01T00:00:00Z", Period(end=END)),
        ({"until": "2030-01-01T00:00:00Z"}, "2040-01-01T00:00:00Z", Period(end=END)),
        (ABSENT, "2030-01-01T00:00:00Z", Period(end=END)),
    ],
)
def test_a_repeal_cuts_the_period_short(effective: Any, repealed: str | None, in_force: Period) -> None:
    content = agreement(effective=effective, repealed_at=ABSENT if repealed is None else repealed)
    assert read(content).in_force == in_force


def one_way(issuing: str, receiving: str, **areas: list[str]) -> Content:
    def of(name: str) -> list[Content]:
        return side(**{name: areas[name]}) if name in areas else side(name)

    return {"issued_in": of(issuing), "recognized_in": of(receiving)}


APART: dict[str, tuple[Content, Content]] = {
    "type": ({"types": ["licence"]}, {"types": ["lock", "device"]}),
    "purpose": ({"purposes": ["trade"]}, {"purposes": ["inspect", "rate"]}),
    "direction": ({"binds": one_way("AA", "BB")}, {"binds": one_way("BB", "AA")}),
    "issuing area": (
        {"binds": one_way("AA", "BB", AA=["110101"])},
        {"binds": one_way("AA", "BB", AA=["110102", "110200"])},
    ),
    "receiving area": (
        {"binds": one_way("AA", "BB", BB=["120100"])},
        {"binds": one_way("AA", "BB", BB=["120200"])},
    ),
    "period": (
        {"effective": {"until": "2025-01-01T00:00:00Z"}},
        {"effective": {"from": "2025-01-01T00:00:00Z"}},
    ),
    "repeal": (
        {"repealed_at": "2025-01-01T00:00:00Z"},
        {"effective": {"from": "2025-01-01T00:00:00Z"}},
    ),
    "strength": ({"strength": "agreement"}, {"strength": "statute"}),
}
TOGETHER: dict[str, tuple[Content, Content]] = {
    "all alike": ({}, {}),
    "some type": ({"types": ["licence", "device"]}, {"types": ["lock", "device"]}),
    "some purpose": ({"purposes": ["trade", "rate"]}, {"purposes": ["inspect", "rate"]}),
    "one way of two": ({"binds": one_way("AA", "BB")}, {}),
    "area inside area": (
        {"binds": one_way("AA", "BB", AA=["110101"])},
        {"binds": one_way("AA", "BB", AA=["110200", "110100"])},
    ),
    "area inside all": ({"binds": one_way("AA", "BB", BB=["120101"])}, {"binds": one_way("AA", "BB")}),
    "one microsecond": (
        {"effective": {"until": "2025-01-01T00:00:00Z"}},
        {"effective": {"from": "2024-12-31T23:59:59.999999Z"}},
    ),
    "repeal too late": (
        {"repealed_at": "2025-01-01T00:00:00.000001Z"},
        {"effective": {"from": "2025-01-01T00:00:00Z"}},
    ),
}


def pair(left: Content, right: Content) -> tuple[Agreement, Agreement]:
    return read(agreement("left", **left)), read(agreement("right", **right))


@pytest.mark.parametrize("dimension", APART)
def test_one_dimension_apart_is_enough(dimension: str) -> None:
    left, right = pair(*APART[dimension])
    assert not overlap(left, right, GAZETTEER)
    assert not overlap(right, left, GAZETTEER)


@pytest.mark.parametrize("dimension", TOGETHER)
def test_what_overlaps_in_every_dimension_overlaps(dimension: str) -> None:
    left, right = pair(*TOGETHER[dimension])
    assert overlap(left, right, GAZETTEER)
    assert overlap(right, left, GAZETTEER)


def test_both_sides_in_one_jurisdiction_bind_nobody_across_a_border() -> None:
    left, right = pair(
        {"binds": one_way("AA", "AA")}, {"binds": {"issued_in": side("AA"), "recognized_in": side("AA", "BB")}}
    )
    assert not overlap(left, right, GAZETTEER)


@pytest.mark.parametrize(
    ("changes", "overlapping"),
    [
        ({}, True),
        ({"strength": "agreement"}, False),
        ({"purposes": ["inspect"]}, False),
        ({"types": ["device"]}, False),
        ({"effective": {"until": "2020-01-01T00:00:00Z"}}, False),
    ],
)
def test_a_law_against_recognition_overlaps_wherever_it_speaks(changes: Content, overlapping: bool) -> None:
    allowed, banned = read(agreement(strength="statute")), read(never(**changes))
    assert overlap(allowed, banned, GAZETTEER) is overlapping
    assert overlap(banned, allowed, GAZETTEER) is overlapping


def test_areas_of_the_nation_meet_those_of_every_province() -> None:
    left, right = pair({"binds": one_way("AA", "BB", BB=["000000"])}, {"binds": one_way("AA", "BB", BB=["120101"])})
    assert overlap(left, right, GAZETTEER)


@st.composite
def agreements(draw: st.DrawFn, identity: str) -> Agreement:
    effective = {"from": f"{draw(st.integers(2018, 2023))}-01-01T00:00:00Z"}
    end = draw(st.one_of(st.none(), st.integers(2024, 2026)))
    if end is not None:
        effective["until"] = f"{end}-01-01T00:00:00Z"

    def parties() -> list[Content]:
        chosen = draw(st.lists(st.sampled_from(["AA", "BB"]), min_size=1, unique=True))
        codes = {"AA": ["110100", "110101", "110200"], "BB": ["120100", "120101", "120200"]}
        return [
            {"jurisdiction": name, "areas": draw(st.lists(st.sampled_from(codes[name]), max_size=2, unique=True))}
            for name in chosen
        ]

    return read(
        agreement(
            identity,
            types=draw(st.lists(st.sampled_from(["licence", "device"]), min_size=1, unique=True)),
            purposes=draw(st.lists(st.sampled_from(["trade", "rate"]), min_size=1, unique=True)),
            strength=draw(st.sampled_from(["statute", "agreement"])),
            effective=effective,
            repealed_at=draw(st.sampled_from([ABSENT, "2023-06-01T00:00:00Z"])),
            binds={"issued_in": parties(), "recognized_in": parties()},
        )
    )


LEAVES = {"AA": ("110101", "110102", "110200"), "BB": ("120101", "120200")}


def claims(made: Agreement) -> set[tuple[str, ...]]:
    """Every case (type, purpose, year, issuing and receiving place) that the agreement could claim, by brute force."""

    def places(parties: dict[str, Party]) -> list[tuple[str, str]]:
        return [
            (name, leaf)
            for name, party in parties.items()
            for leaf in LEAVES[name]
            if not party.areas or GAZETTEER.covers(party.areas, leaf)
        ]

    return {
        (made.strength, type_id, purpose, str(year), start, end)
        for type_id in made.types
        for purpose in made.purposes
        for year in range(2018, 2030)
        if datetime(year, 3, 1, tzinfo=UTC) in made.in_force
        for origin, start in places(dict(made.issued_in))
        for destination, end in places(dict(made.recognized_in))
        if origin != destination
    }


@settings(deadline=None)
@given(agreements("left"), agreements("right"))
def test_agreements_overlap_where_some_case_belongs_to_both(left: Agreement, right: Agreement) -> None:
    assert overlap(left, right, GAZETTEER) == bool(claims(left) & claims(right))
    assert overlap(right, left, GAZETTEER) == overlap(left, right, GAZETTEER)


def test_a_policy_with_two_that_overlap_is_refused_and_both_are_named() -> None:
    with pytest.raises(PolicyError) as caught:
        policy(agreement("b-pact"), agreement("a-pact"), agreement("c-pact", purposes=["rate"]))
    assert caught.value.source == "agreements/a-pact.toml"
    assert caught.value.key == ""
    assert caught.value.problem == (
        "'a-pact' overlaps 'b-pact' (agreements/b-pact.toml) in type, purpose, direction, area and period"
        " at equal strength 'agreement'; give one an end, another area or another strength"
    )


# Only purposes of the licence with a place, so that the whole policy can be built.
@pytest.mark.parametrize("dimension", [name for name in APART if name != "type"])
def test_a_policy_of_two_that_are_apart_is_accepted(dimension: str) -> None:
    left, right = APART[dimension]
    made = policy(agreement("left", **left), agreement("right", **right))
    assert set(made.agreements) == {"left", "right"}


def test_the_same_agreement_for_another_type_is_accepted() -> None:
    pact = agreement("right", types=["device"], purposes=["survey"])
    assert len(build_policy(documents(agreement("left"), pact)).agreements) == 2
