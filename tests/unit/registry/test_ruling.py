"""How agreements are tried: parties, areas, time, scope and conditions, from the strongest basis to the weakest."""

from typing import Any

import pytest

from registry.decision import Decision
from registry.document import LocalText
from registry.policy import Policy, build_policy
from registry.ruling import office_of
from tests.unit.registry.specimens import (
    ABSENT,
    CONFIRMED,
    IN_FORCE,
    NOW,
    Content,
    agreement,
    ask,
    authorisations,
    authorised_row,
    condition,
    credential,
    device_profile,
    documents,
    edited,
    event,
    field,
    find,
    judge,
    jurisdiction_aa,
    never,
    policy,
    replaced,
)

TRAINED = condition("fact_is", "trained", fact="trained", value=True)
Told = list[tuple[str, str]]


def answer(world: Policy, question: Content | None = None, **held: Any) -> Decision:
    return judge(world, ask(world, **(question or {})), credential(world, **held))


def told(decision: Decision) -> Told:
    return [(reason.code, reason.variant) for reason in decision.reasons]


def agreement_check(decision: Decision) -> tuple[str, str | None, str]:
    (finding,) = (entry for entry in decision.checks if entry.check == "agreement")
    return finding.result, finding.code, finding.variant


def party(name: str, *codes: str) -> Content:
    return {"jurisdiction": name, "areas": list(codes)}


def binding(issued_in: list[Content], recognized_in: list[Content], **more: Any) -> Policy:
    return policy(agreement(binds={"issued_in": issued_in, "recognized_in": recognized_in}, **more))


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (binding([party("AA")], [party("BB")]), [("agreement.in_force", "")]),
        (binding([party("BB")], [party("AA")]), [("agreement.party_not_bound", "direction")]),
        (binding([party("AA")], [party("AA")]), [("agreement.party_not_bound", "direction")]),
        (binding([party("CN")], [party("BB")]), [("agreement.party_not_bound", "direction")]),
    ],
)
def test_an_agreement_binds_in_its_direction_only(world: Policy, expected: Told) -> None:
    assert told(answer(world)) == expected


@pytest.mark.parametrize(
    ("issuer", "areas", "bound"),
    [
        ("aa-district", ["110101"], True),
        ("aa-district", ["110100"], True),
        ("aa-city", ["110100"], True),
        ("aa-office", ["110000"], True),
        ("aa-office", ["110200", "110000"], True),
        # Every area that the issuer declares must be bound.
        ("aa-city", ["110101"], False),
        ("aa-office", ["110100"], False),
        ("aa-district", ["110102", "110200"], False),
    ],
)
def test_the_issuer_must_lie_in_the_areas_bound(issuer: str, areas: list[str], bound: bool) -> None:
    decision = answer(binding([party("AA", *areas)], [party("BB")]), issuer=issuer)
    expected = [("agreement.in_force", "")] if bound else [("agreement.party_not_bound", "issuing_area")]
    assert told(decision) == expected


def test_an_issuer_without_areas_of_its_own_is_in_none() -> None:
    content = edited(jurisdiction_aa(), "authorities/1/competences", [])
    binds = {"issued_in": [party("AA", "110000")], "recognized_in": [party("BB")]}
    world = build_policy(replaced(documents(agreement(binds=binds)), "jurisdiction", content))
    decision = answer(world, issuer="aa-city")
    assert ("agreement.party_not_bound", "issuing_area") in told(decision)


@pytest.mark.parametrize(
    ("areas", "place", "expected"),
    [
        ([], None, [("agreement.in_force", "")]),
        ([], "120101", [("agreement.in_force", "")]),
        ([], "999999", [("agreement.in_force", "")]),
        ([], "110101", [("agreement.party_not_bound", "receiving_area")]),
        (["120100"], "120100", [("agreement.in_force", "")]),
        (["120100"], "120101", [("agreement.in_force", "")]),
        (["120200", "120100"], "120101", [("agreement.in_force", "")]),
        (["120100"], "120200", [("agreement.party_not_bound", "receiving_area")]),
        (["120100"], "110101", [("agreement.party_not_bound", "receiving_area")]),
        # Missing, undeclared or too wide: it would settle the question.
        (["120100"], None, [("facts.missing", "")]),
        (["120100"], "999999", [("facts.missing", "unclear")]),
        (["120100"], "120000", [("facts.missing", "unclear")]),
        (["120101"], "120100", [("facts.missing", "unclear")]),
        (["120101"], "000000", [("facts.missing", "unclear")]),
    ],
)
def test_the_place_of_use_must_lie_in_the_areas_bound(areas: list[str], place: str | None, expected: Told) -> None:
    world = binding([party("AA")], [party("BB", *areas)])
    decision = answer(world, {"facts": {} if place is None else {"place": place}})
    assert told(decision) == expected
    outcomes = {"agreement.in_force": "recognized", "facts.missing": "indeterminate"}
    assert decision.outcome == outcomes.get(expected[0][0], "not_recognized")


def test_the_place_that_is_needed_is_told_with_the_areas() -> None:
    world = binding([party("AA")], [party("BB", "120100", "120200")])
    (reason,) = answer(world, {"facts": {"place": "999999"}}).reasons
    assert reason.params == {
        "facts": "place",
        "label": LocalText(zh="标area", en="标area (en)"),
        "count": 1,
        "given": "999999",
        "nearest": "120100, 120200",
    }
    (missing,) = answer(world).reasons
    assert missing.params["given"] == ""


def test_what_is_certain_comes_before_a_missing_place() -> None:
    area_bound = {"issued_in": [party("AA")], "recognized_in": [party("BB", "120100")]}
    unmet = policy(agreement(binds=area_bound, conditions=[TRAINED]))
    assert told(answer(unmet, {"facts": {"trained": False}})) == [("agreement.condition_unmet", "")]
    assert told(answer(unmet, {"facts": {"trained": True}})) == [("facts.missing", "")]
    ended = policy(agreement(binds=area_bound, effective={"until": "2026-01-01T00:00:00Z"}))
    assert told(answer(ended)) == [("agreement.not_in_force", "ended")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"effective": {"from": "2026-06-01T00:00:00Z"}}, ("agreement.in_force", "")),
        ({"effective": {"from": "2026-06-01T00:00:00.000001Z"}}, ("agreement.not_in_force", "not_yet")),
        ({"effective": {"until": "2026-06-01T00:00:00.000001Z"}}, ("agreement.in_force", "")),
        ({"effective": {"until": "2026-06-01T00:00:00Z"}}, ("agreement.not_in_force", "ended")),
        ({"repealed_at": "2026-06-01T00:00:00.000001Z"}, ("agreement.in_force", "")),
        ({"repealed_at": "2026-06-01T00:00:00Z"}, ("agreement.repealed", "")),
        (
            {"repealed_at": "2026-01-01T00:00:00Z", "effective": {"until": "2026-03-01T00:00:00Z"}},
            ("agreement.repealed", ""),
        ),
        (
            {"repealed_at": "2026-09-01T00:00:00Z", "effective": {"until": "2026-03-01T00:00:00Z"}},
            ("agreement.not_in_force", "ended"),
        ),
        ({"effective": ABSENT}, ("agreement.in_force", "")),
    ],
)
def test_an_agreement_counts_while_it_is_in_force(changes: Content, expected: tuple[str, str]) -> None:
    decision = answer(policy(agreement(**changes)))
    assert told(decision) == [expected]
    assert agreement_check(decision)[1:] == expected


def test_the_instant_at_which_it_changes_is_told() -> None:
    for changes, name in (
        ({"effective": {"from": "2027-01-01T00:00:00Z"}}, "starts"),
        ({"effective": {"until": "2026-01-01T00:00:00Z"}}, "ended"),
        ({"repealed_at": "2026-01-01T00:00:00Z"}, "repealed_at"),
    ):
        (reason,) = answer(policy(agreement(**changes))).reasons
        assert set(reason.params) == {"agreement", "agreement_id", name}
        assert reason.contact is not None


@pytest.mark.parametrize(
    ("changes", "held", "bound"),
    [
        ({"issued": {"from": "2024-01-01T00:00:00Z"}}, {}, True),
        ({"issued": {"from": "2024-01-01T00:00:00.000001Z"}}, {}, False),
        ({"issued": {"until": "2024-01-01T00:00:00Z"}}, {}, False),
        ({"where": [{"attribute": "certified", "value": True}]}, {}, True),
        ({"where": [{"attribute": "certified", "value": False}]}, {}, False),
        ({"where": [{"attribute": "grade", "value": "HIGH "}]}, {}, True),
        ({"where": [{"attribute": "grade", "value": "low"}]}, {}, False),
        ({"where": [{"attribute": "remark", "value": "甲"}]}, {}, False),
        ({"where": [{"attribute": "certified", "value": "true"}]}, {}, False),
        (
            {"where": [{"attribute": "certified", "value": True}, {"attribute": "grade", "value": "low"}]},
            {},
            False,
        ),
        (
            {"where": [{"attribute": "grade", "value": "low"}]},
            {"events": [event("amended", "2026-01-01", changes={"attributes": {"grade": "low"}})]},
            True,
        ),
    ],
)
def test_an_agreement_speaks_of_some_credentials_only(changes: Content, held: Content, bound: bool) -> None:
    decision = answer(policy(agreement(**changes)), **held)
    assert told(decision) == [("agreement.in_force" if bound else "agreement.out_of_scope", "")]


LADDER = (
    agreement("law", strength="statute", conditions=[TRAINED]),
    agreement("pact", conditions=[condition("fact_is", "signed", fact="signed", value=True)]),
    agreement("wish", strength="plan", conditions=[CONFIRMED]),
)


@pytest.mark.parametrize(
    ("facts", "deciding", "outcome", "expected"),
    [
        ({"trained": True, "signed": True}, "law", "recognized", [("statute.nationwide", "")]),
        ({"signed": True}, "law", "conditional", [("statute.nationwide", "open")]),
        (
            {"trained": False, "signed": True},
            "pact",
            "recognized",
            [("agreement.in_force", ""), ("agreement.condition_unmet", "")],
        ),
        (
            {"trained": False, "signed": False},
            "wish",
            "conditional",
            [("agreement.in_force", "open"), ("agreement.condition_unmet", ""), ("agreement.condition_unmet", "")],
        ),
    ],
)
def test_the_first_agreement_with_nothing_unmet_decides(
    facts: Content, deciding: str, outcome: str, expected: Told
) -> None:
    decision = answer(policy(*reversed(LADDER)), {"facts": facts})
    assert decision.agreement is not None
    assert (decision.agreement.id, decision.outcome) == (deciding, outcome)
    assert told(decision) == expected
    named = [reason.params["agreement_id"] for reason in decision.reasons]
    assert named == [deciding, *[name for name in ("law", "pact") if name != deciding]][: len(expected)]


def test_when_none_decides_the_nearest_miss_is_told_first() -> None:
    world = policy(
        agreement(
            "a-elsewhere", strength="statute", binds={"issued_in": [party("BB")], "recognized_in": [party("AA")]}
        ),
        agreement("b-ended", effective={"until": "2021-01-01T00:00:00Z"}),
        agreement("c-repealed", effective={"from": "2021-01-01T00:00:00Z"}, repealed_at="2022-01-01T00:00:00Z"),
        agreement("d-other", effective={"from": "2023-01-01T00:00:00Z"}, issued={"until": "2020-01-01T00:00:00Z"}),
        agreement("e-unmet", strength="plan", conditions=[TRAINED, CONFIRMED]),
    )
    decision = answer(world, {"facts": {"trained": False}})
    assert decision.outcome == "not_recognized"
    assert [reason.params["agreement_id"] for reason in decision.reasons] == [
        "e-unmet",
        "d-other",
        "c-repealed",
        "b-ended",
        "a-elsewhere",
    ]
    assert [code for code, _ in told(decision)] == [
        "agreement.condition_unmet",
        "agreement.out_of_scope",
        "agreement.repealed",
        "agreement.not_in_force",
        "agreement.party_not_bound",
    ]
    assert agreement_check(decision) == ("failed", "agreement.condition_unmet", "")


def test_a_missing_place_is_asked_for_once() -> None:
    here, there = ({"issued_in": [party("AA")], "recognized_in": [party("BB", area)]} for area in ("120100", "120200"))
    world = policy(agreement("a", binds=here), agreement("b", binds=there))
    decision = answer(world)
    assert told(decision) == [("facts.missing", "")]
    assert decision.reasons[0].params["nearest"] == "120100"


@pytest.mark.parametrize(
    ("limits", "banned"),
    [
        ({}, True),
        ({"effective": {"from": "2026-06-01T00:00:00Z"}}, True),
        ({"effective": {"from": "2026-06-02T00:00:00Z"}}, False),
        ({"effective": {"until": "2026-06-01T00:00:00Z"}}, False),
        ({"repealed_at": "2026-06-01T00:00:00Z"}, False),
        ({"repealed_at": "2026-06-02T00:00:00Z"}, True),
        ({"issued": {"from": "2025-01-01T00:00:00Z"}}, False),
        ({"where": [{"attribute": "certified", "value": True}]}, True),
        ({"where": [{"attribute": "certified", "value": False}]}, False),
    ],
)
def test_a_law_against_recognition_counts_within_its_limits(limits: Content, banned: bool) -> None:
    decision = answer(policy(never(**limits), agreement("pact")))
    if banned:
        assert (decision.outcome, told(decision)) == ("not_recognized", [("purpose.never_recognized", "")])
        assert decision.agreement is None
    else:
        assert (decision.outcome, told(decision)) == ("recognized", [("agreement.in_force", "")])


def test_a_law_against_recognition_silences_weaker_agreements_only() -> None:
    weak_ban = never(strength="agreement", purposes=["trade"])
    decision = answer(policy(agreement("law", strength="statute"), weak_ban))
    assert told(decision) == [("statute.nationwide", "")]
    unmet = policy(agreement("law", strength="statute", conditions=[TRAINED]), weak_ban, LADDER[2])
    decision = answer(unmet, {"facts": {"trained": False}})
    assert told(decision) == [("purpose.never_recognized", "")]


def evaluation_world(*rows: Content) -> Policy:
    """Devices carry what a laboratory tested; an agreement rests on what it was authorised for."""
    profile = device_profile()
    profile["attributes"]["tested_at"] = field("instant")
    for name in ("low", "high"):
        profile["facts"][name] = field("decimal")
    profile["facts"] |= {"unit": field("text"), "class": field("text")}
    profile["purposes"]["survey"]["optional"] += ["low", "high", "unit", "class"]
    judged = condition(
        "laboratory_authorised",
        at="tested_at",
        instrument="instrument",
        range=["low", "high", "unit"],
        classes="class",
    )
    pact = agreement(types=["device"], purposes=["survey"], conditions=[judged])
    made = replaced(documents(pact), "profile", profile)
    return build_policy(replaced(made, "authorisation", authorisations(*rows)))


@pytest.mark.parametrize(
    ("rows", "issuer", "outcome"),
    [
        ([authorised_row()], "aa-office", "recognized"),
        ([authorised_row(instrument="冷水水表")], "aa-office", "recognized"),
        ([authorised_row(max="1")], "aa-office", "not_recognized"),
        ([authorised_row()], "bb-office", "conditional"),
    ],
)
def test_a_laboratory_is_judged_by_its_own_authorisations(rows: list[Content], issuer: str, outcome: str) -> None:
    world = evaluation_world(*rows)
    query = ask(
        world,
        credential={"type": "device", "number": "99-F166"},
        purpose="survey",
        jurisdiction="BB" if issuer == "aa-office" else "AA",
        facts={"instrument": "水表", "low": "1", "high": "2", "unit": "m³/h", "class": "2级"},
    )
    attributes = {"instrument": "水表", "tested_at": "2024-01-01T00:00:00Z"}
    held = credential(world, type="device", number="99-F166", issuer=issuer, attributes=attributes)
    assert judge(world, query, held).outcome == outcome


def test_conditions_rest_on_the_checks_of_the_case() -> None:
    world = policy(agreement(conditions=[IN_FORCE]))
    decision = answer(world, events=[event("suspended", "2026-01-01")])
    assert agreement_check(decision) == ("failed", "agreement.condition_unmet", "check_failed")
    assert told(decision) == [("status.suspended", "")]


def test_a_condition_of_its_own_is_told_before_one_that_repeats_a_check() -> None:
    world = policy(agreement(conditions=[IN_FORCE, TRAINED]))
    decision = answer(world, {"facts": {"trained": False}}, events=[event("suspended", "2026-01-01")])
    assert agreement_check(decision) == ("failed", "agreement.condition_unmet", "")


def test_an_open_condition_names_the_office_that_can_close_it() -> None:
    world = policy(agreement(conditions=[TRAINED]))
    (still,) = answer(world, {"facts": {"place": "120101"}}).reasons
    assert (still.variant, still.contact) == ("open", world.authorities["bb-city"])
    (closed,) = answer(world, {"facts": {"trained": True}}).reasons
    assert (closed.variant, closed.contact) == ("", None)
    named = {"agreement": LocalText(zh="pact", en="pact (en)"), "agreement_id": "pact"}
    assert still.params == closed.params == named
    assert closed.legal_basis == world.agreements["pact"].legal_basis


def test_the_office_is_that_of_the_place_asked_about() -> None:
    world = policy(agreement())
    for facts, office in (({}, "bb-office"), ({"place": "120101"}, "bb-city"), ({"place": "120200"}, "bb-office")):
        query = ask(world, facts=facts)
        assert office_of(query, find(world, query)).id == office


def test_time_is_the_legal_instant_and_not_the_day_of_asking() -> None:
    world = policy(agreement(effective={"until": "2026-01-01T00:00:00Z"}))
    assert told(answer(world, {"valid_at": "2025-12-31T23:59:59.999999Z"})) == [("agreement.in_force", "")]
    assert told(answer(world, {"valid_at": NOW.isoformat()})) == [("agreement.not_in_force", "ended")]
