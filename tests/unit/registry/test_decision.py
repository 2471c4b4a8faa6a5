"""From findings to a decision: the precedence of outcomes and the reasons that are told."""

from typing import Any

import pytest

from registry.decision import OUTCOMES, Decision
from registry.document import LocalText
from registry.dossier import RegisterState
from registry.finding import CHECKS
from registry.policy import Policy, build_policy
from tests.unit.registry.specimens import (
    CONFIRMED,
    DAY,
    IN_FORCE,
    NOW,
    Content,
    agreement,
    ask,
    condition,
    credential,
    device_profile,
    documents,
    edited,
    event,
    judge,
    licence_profile,
    never,
    policy,
    replaced,
)

TRAINED = condition("fact_is", "trained", fact="trained", value=True)
SIGNED = condition("step", "signed", fact="signed")
WORLD = policy(
    agreement("pact", conditions=[TRAINED, SIGNED]),
    agreement("law", strength="statute", purposes=["inspect", "rate"]),
    agreement("wish", strength="plan", purposes=["settle"], conditions=[CONFIRMED]),
)
OFFICE = "bb-office"


def answer(world: Policy = WORLD, question: Content | None = None, **held: Any) -> Decision:
    """The decision on a licence of AA, asked in BB unless the question says otherwise."""
    return judge(world, ask(world, **(question or {})), credential(world, **held))


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def result(decision: Decision, check: str) -> str:
    (finding,) = (entry for entry in decision.checks if entry.check == check)
    return finding.result


TAKEN: Content = {"trained": True, "signed": True}
INSPECTED: Content = {"purpose": "inspect", "facts": {"items": ["面包"]}}


@pytest.mark.parametrize(
    ("question", "outcome", "reasons", "states"),
    [
        ({"facts": TAKEN}, "recognized", ["agreement.in_force"], {"trained": "met", "signed": "met"}),
        ({"facts": {"trained": True}}, "conditional", ["agreement.in_force"], {"trained": "met", "signed": "open"}),
        ({}, "conditional", ["agreement.in_force"], {"trained": "open", "signed": "open"}),
        ({"facts": {"trained": False}}, "not_recognized", ["agreement.condition_unmet"], {}),
        (
            {"purpose": "inspect", "facts": {"items": ["面包"]}},
            "recognized",
            ["inspection.genuine"],
            {"in_force": "met"},
        ),
        ({"purpose": "rate", "facts": {"grade": "high"}}, "recognized", ["statute.nationwide"], {"in_force": "met"}),
        ({"purpose": "settle"}, "conditional", ["agreement.in_force"], {"confirmed": "open"}),
    ],
)
def test_an_agreement_decides_by_its_conditions(
    question: Content, outcome: str, reasons: list[str], states: Content
) -> None:
    decision = answer(question=question)
    assert (decision.outcome, codes(decision)) == (outcome, reasons)
    assert {entry.condition.id: entry.state for entry in decision.conditions} == states
    assert (decision.agreement is None) == (outcome == "not_recognized")
    assert [finding.check for finding in decision.checks] == list(CHECKS)


def test_an_unmet_condition_is_named_with_the_office_to_ask() -> None:
    (reason,) = answer(question={"facts": {"trained": False}}).reasons
    assert reason.params == {
        "agreement": LocalText(zh="pact", en="pact (en)"),
        "agreement_id": "pact",
        "condition": LocalText(zh="trained", en="trained (en)"),
        "condition_id": "trained",
    }
    assert [basis.instrument for basis in reason.legal_basis] == ["pact 协议"]
    assert reason.contact is WORLD.authorities[OFFICE]
    nearer = answer(question={"facts": {"trained": False, "place": "120101"}}).reasons[0].contact
    assert nearer is WORLD.authorities["bb-city"]


def test_a_purpose_of_which_no_agreement_speaks_is_refused_with_the_office_to_ask() -> None:
    decision = answer(policy())
    assert (decision.outcome, codes(decision)) == ("not_recognized", ["agreement.none"])
    (reason,) = decision.reasons
    assert reason.params == {
        "type": LocalText(zh="许可证", en="许可证 (en)"),
        "purpose": LocalText(zh="经营", en="经营 (en)"),
    }
    assert [basis.instrument for basis in reason.legal_basis] == ["许可办法"]
    assert reason.contact is not None
    assert reason.contact.id == OFFICE


HOME = {"jurisdiction": "AA"}


@pytest.mark.parametrize(
    ("question", "outcome", "reasons"),
    [
        ({}, "recognized", ["jurisdiction.home"]),
        ({"purpose": "rate"}, "recognized", ["jurisdiction.home"]),
        (
            {"purpose": "inspect", "facts": {"items": ["面包"]}},
            "recognized",
            ["jurisdiction.home", "inspection.genuine"],
        ),
        ({"purpose": "inspect"}, "indeterminate", ["facts.missing"]),
        ({"purpose": "inspect", "facts": {"items": ["茶"]}}, "not_recognized", ["scope.not_covered"]),
        ({"purpose": "settle"}, "not_recognized", ["purpose.never_recognized"]),
        (
            {"facts": {"grade": "high"}, "valid_at": (NOW + DAY).isoformat()},
            "recognized",
            ["jurisdiction.home", "facts.not_needed", "assumes.no_change"],
        ),
    ],
)
def test_at_home_no_agreement_is_needed(question: Content, outcome: str, reasons: list[str]) -> None:
    decision = answer(question={**HOME, **question})
    assert decision.outcome == outcome
    assert sorted(codes(decision)) == sorted(reasons)
    assert codes(decision)[0] == reasons[0]
    assert (decision.agreement, decision.conditions) == (None, ())
    assert result(decision, "agreement") == ("failed" if question.get("purpose") == "settle" else "skipped")


def test_why_a_licence_does_not_serve_at_home_is_told() -> None:
    (reason,) = answer(question={**HOME, "purpose": "settle"}).reasons
    assert reason.variant == "home"
    assert reason.params == {"why": LocalText(zh="须另行申请", en="须另行申请 (en)")}
    assert reason.contact is WORLD.authorities["aa-office"]


def test_the_nation_has_no_home_to_ask_in() -> None:
    national = {"issued_in": [{"jurisdiction": "CN"}], "recognized_in": [{"jurisdiction": "BB"}]}
    issued = {"issuer": "cn-body", "number": "LC000018"}
    assert codes(answer(policy(agreement(binds=national)), **issued)) == ["agreement.in_force"]
    assert codes(answer(**issued)) == ["agreement.party_not_bound"]


GRAVEST_FIRST = ["status.revoked", "status.cancelled", "credential.superseded", "status.suspended", "validity.expired"]
STATUS_EVENTS = {
    "status.revoked": event("revoked", "2026-01-01", kind="penalty"),
    "status.cancelled": event("cancelled", "2026-01-01"),
    "credential.superseded": event("superseded", "2026-01-01", successor={"number": "1", "issuer": "aa-office"}),
    "status.suspended": event("suspended", "2026-01-01"),
}


@pytest.mark.parametrize("code", GRAVEST_FIRST[:4])
def test_the_gravest_failure_is_the_first_reason(code: str) -> None:
    decision = answer(
        question={"purpose": "inspect", "facts": {"items": ["茶"]}, "expected_subject": {"name": "别的公司"}},
        events=[STATUS_EVENTS[code]],
        valid_until="2026-01-01T00:00:00Z",
        issuer="aa-district",
        attributes={"items": ["面包"], "area": "110102"},
    )
    assert decision.outcome == "not_recognized"
    # The agreement's condition that status and validity pass says nothing new and is left out.
    assert codes(decision) == [
        code,
        "validity.expired",
        "issuer.not_competent",
        "scope.not_covered",
        "subject.mismatch",
    ]
    assert result(decision, "agreement") == "failed"


def test_a_condition_that_only_repeats_a_check_is_told_by_the_check() -> None:
    suspended = [STATUS_EVENTS["status.suspended"]]
    decision = answer(policy(agreement(conditions=[IN_FORCE])), events=suspended)
    assert codes(decision) == ["status.suspended"]
    # A condition of its own is told, whatever stands beside it.
    world = policy(agreement(conditions=[IN_FORCE, TRAINED]))
    decision = answer(world, question={"facts": {"trained": False}}, events=suspended)
    assert codes(decision) == ["status.suspended", "agreement.condition_unmet"]
    assert decision.reasons[1].params["condition_id"] == "trained"


def test_what_failed_is_told_before_what_is_unclear_and_what_is_worth_knowing() -> None:
    world = policy(agreement("pact", conditions=[TRAINED]))
    decision = judge(
        world,
        ask(world, facts={"grade": "high", "trained": True}),
        credential(world, number="LC110014", valid_until="2026-01-01T00:00:00Z"),
        registers=(RegisterState(issuer="aa-office", as_of=None),),
    )
    assert decision.outcome == "not_recognized"
    assert codes(decision) == ["validity.expired", "register.stale", "number.check_digit_wrong", "facts.not_needed"]
    # The agreement itself would have accepted it.
    assert decision.agreement is not None
    assert result(decision, "agreement") == "passed"


def test_anything_unclear_is_never_a_yes() -> None:
    world = policy(agreement())
    decision = judge(world, ask(world), credential(world), registers=(RegisterState(issuer="aa-office", as_of=None),))
    assert (decision.outcome, codes(decision)) == ("indeterminate", ["register.stale"])


def test_an_issuer_that_nobody_lists_leaves_everything_open() -> None:
    decision = answer(issuer="zz-office")
    assert decision.outcome == "indeterminate"
    assert codes(decision) == ["issuer.unknown"] * len(codes(decision))
    assert (result(decision, "issuer"), result(decision, "agreement")) == ("indeterminate", "indeterminate")
    assert decision.issuer is None
    assert decision.agreement is None


def test_a_lock_waits_for_its_accepted_list() -> None:
    query = ask(WORLD, credential={"type": "lock", "number": "A1B2"}, purpose="sign", jurisdiction="AA")
    decision = judge(WORLD, query, credential(WORLD, type="lock", number="A1B2", attributes={}))
    assert decision.outcome == "indeterminate"
    assert codes(decision) == ["signature.missing", "path.no_anchor", "agreement.none"]
    assert decision.reasons[-1].variant == "accepted_list"
    assert result(decision, "agreement") == "indeterminate"


FRESH = (RegisterState(issuer="aa-office", as_of=NOW),)
STALE = (RegisterState(issuer="aa-office", as_of=NOW - 9 * DAY),)


@pytest.mark.parametrize(
    ("number", "registers", "outcome", "reasons"),
    [
        ("LC110015", FRESH, "not_found", ["credential.unknown"]),
        ("LC110014", FRESH, "not_found", ["credential.unknown", "number.check_digit_wrong"]),
        ("XX", FRESH, "not_found", ["number.malformed"]),
        # A number that cannot exist is not found however old the registers are.
        ("XX", STALE, "not_found", ["number.malformed"]),
        ("LC110015", STALE, "indeterminate", ["register.stale"]),
        ("LC110014", STALE, "indeterminate", ["register.stale", "number.check_digit_wrong"]),
        ("LC110015", (), "indeterminate", ["register.stale"]),
    ],
)
def test_what_is_not_held(number: str, registers: tuple[RegisterState, ...], outcome: str, reasons: list[str]) -> None:
    query = ask(WORLD, credential={"type": "licence", "number": number})
    decision = judge(WORLD, query, registers=registers)
    assert (decision.outcome, codes(decision)) == (outcome, reasons)
    assert decision.searched == registers
    assert result(decision, "agreement") == "skipped"
    assert (decision.held, decision.state, decision.issuer, decision.agreement) == (None,) * 4


def test_what_is_held_was_not_searched() -> None:
    assert answer().searched == ()


def test_an_unknown_credential_is_named_as_it_was_asked() -> None:
    by_number = judge(WORLD, ask(WORLD), registers=FRESH)
    assert by_number.reasons[0].params == {"number": "LC110015", "issuer": ""}
    assert by_number.reasons[0].variant == ""
    by_id = judge(WORLD, ask(WORLD, credential={"type": "licence", "id": "cred_a"}), registers=())
    assert (by_id.outcome, codes(by_id)) == ("not_found", ["credential.unknown"])
    assert by_id.reasons[0].params == {"number": "cred_a", "issuer": ""}
    assert by_id.reasons[0].contact is WORLD.authorities[OFFICE]
    named = {"type": "licence", "number": "LC110015", "issuer": "aa-office"}
    of_issuer = judge(WORLD, ask(WORLD, credential=named), registers=FRESH).reasons[0]
    assert of_issuer.variant == "of_issuer"
    assert of_issuer.params["issuer"] == LocalText(zh="aa-office", en="aa-office (en)")


def test_the_register_of_another_place_was_not_searched() -> None:
    decision = judge(WORLD, ask(WORLD, credential={"type": "licence", "number": "LC990011"}), registers=FRESH)
    assert (decision.outcome, codes(decision)) == ("indeterminate", ["register.stale"])
    assert decision.reasons[0].variant == "outside"
    stale = judge(WORLD, ask(WORLD, credential={"type": "licence", "number": "LC990011"}), registers=STALE)
    assert stale.reasons[0].variant == ""


def test_a_malformed_number_on_general_knowledge_is_not_found_with_a_warning() -> None:
    query = ask(WORLD, credential={"type": "device", "number": "zz"}, purpose="survey")
    decision = judge(WORLD, query)
    assert (decision.outcome, codes(decision)) == ("not_found", ["credential.unknown", "number.malformed"])


def test_several_matches_are_never_decided_between() -> None:
    query = ask(WORLD, credential={"type": "device", "number": "99F166"}, purpose="survey")
    held = [
        credential(WORLD, type="device", number="99-F166", issuer=issuer, attributes={"instrument": "水表"})
        for issuer in ("aa-office", "bb-office")
    ]
    decision = judge(WORLD, query, *held)
    assert (decision.outcome, codes(decision)) == ("indeterminate", ["number.ambiguous"])
    assert decision.held is None


def placement(facts: Content, *held: Any, world: Policy = WORLD, **more: Any) -> Decision:
    named = {"type": "device", "number": "99-F166"} if held else {"type": "device"}
    return judge(world, ask(world, credential=named, purpose="placement", facts=facts, **more), *held)


def device(world: Policy = WORLD, **more: Any) -> Any:
    return credential(world, type="device", number="99-F166", attributes={"instrument": "水表"}, **more)


@pytest.mark.parametrize(
    ("facts", "variant"),
    [({"instrument": "望远镜"}, ""), ({"instrument": "充电桩"}, ""), ({"instrument": "水表", "size": "DN80"}, "size")],
)
def test_what_is_off_the_catalogue_needs_no_credential(facts: Content, variant: str) -> None:
    revoked = device(events=[event("revoked", "2025-01-01", kind="penalty")])
    for decision in (placement(facts), placement(facts, device()), placement(facts, revoked)):
        assert (decision.outcome, codes(decision)) == ("not_required", ["catalogue.not_listed"])
        (reason,) = decision.reasons
        assert reason.variant == variant
        assert reason.params == {
            "instrument": facts["instrument"],
            "catalogue": LocalText(zh="目录", en="目录 (en)"),
        }
        assert [basis.article for basis in reason.legal_basis] == ["3"]
        assert [finding.check for finding in decision.checks] == list(CHECKS)
        assert {name for name in CHECKS if result(decision, name) != "skipped"} == {"scope"}


def test_that_the_catalogue_stays_as_it_is_can_only_be_assumed() -> None:
    decision = placement({"instrument": "望远镜"}, valid_at=(NOW + DAY).isoformat())
    assert codes(decision) == ["catalogue.not_listed", "assumes.no_change"]
    assert result(decision, "freshness") == "passed"


def test_what_is_on_the_catalogue_needs_its_credential() -> None:
    assert codes(placement({"instrument": "水表"})) == ["facts.missing"]
    assert placement({"instrument": "水表"}).outcome == "indeterminate"
    assert placement({}).outcome == "indeterminate"
    assert placement({"instrument": "水表"}, device()).reasons[0].code == "agreement.none"


def test_an_incomplete_catalogue_frees_nothing_that_it_does_not_name() -> None:
    partial = next(entry for entry in documents() if entry.kind == "catalogue").content
    world = build_policy(replaced(documents(), "catalogue", edited(dict(partial), "complete", False)))
    assert placement({"instrument": "望远镜"}, world=world).outcome == "indeterminate"
    assert placement({"instrument": "充电桩"}, world=world).outcome == "not_required"


def test_every_outcome_is_one_of_six() -> None:
    seen = {
        answer(question={"facts": TAKEN}).outcome,
        answer().outcome,
        answer(issuer="zz").outcome,
        answer(policy()).outcome,
        judge(WORLD, ask(WORLD)).outcome,
        placement({"instrument": "望远镜"}).outcome,
    }
    assert seen == set(OUTCOMES)


def test_a_reason_is_told_once() -> None:
    decision = answer(issuer="zz-office")
    assert (result(decision, "issuer"), result(decision, "agreement")) == ("indeterminate", "indeterminate")
    told = [(reason.code, reason.variant, reason.params) for reason in decision.reasons]
    assert told == [("issuer.unknown", "", {"issuer": "zz-office"})]


def test_the_decision_names_everything_that_it_rests_on() -> None:
    decision = answer()
    assert decision.policy is WORLD
    assert decision.profile is WORLD.profiles["licence"]
    assert decision.purpose is decision.profile.purposes["trade"]
    assert decision.issuer is WORLD.authorities["aa-office"]
    assert decision.held is not None
    assert decision.state is not None
    assert decision.fresh_until == NOW + 2 * DAY


def test_a_profile_with_a_catalogue_that_no_purpose_asks_is_judged_like_any() -> None:
    profile = edited(device_profile(), "purposes/placement/catalogue", False)
    world = build_policy(replaced(documents(agreement(types=["device"], purposes=["placement"])), "profile", profile))
    held = device(world)
    assert placement({"instrument": "水表", "size": "DN80"}, held, world=world).outcome == "recognized"


def test_a_fact_that_is_not_needed_never_helps() -> None:
    profile = edited(licence_profile(), "purposes/inspect/required", [])
    profile = edited(profile, "purposes/inspect/optional", ["items", "place"])
    rests_on_scope = agreement(purposes=["inspect"], conditions=[condition("checks", checks=["scope"])])
    world = build_policy(replaced(documents(rests_on_scope), "profile", profile))
    assert answer(world, question={"purpose": "inspect"}).outcome == "conditional"
    surplus = answer(world, question={"purpose": "inspect", "facts": {"trained": True}})
    assert (surplus.outcome, codes(surplus)[1:]) == ("conditional", ["facts.not_needed"])


def test_a_law_against_recognition_needs_no_parties() -> None:
    world = policy(never(), agreement("pact"))
    decision = answer(world, question={"facts": TAKEN})
    assert (decision.outcome, codes(decision)) == ("not_recognized", ["purpose.never_recognized"])
    assert answer(world, question=HOME).outcome == "recognized"
