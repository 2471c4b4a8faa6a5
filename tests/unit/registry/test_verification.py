"""Nine of the ten checks: what each finds, with the law on it and the office that can mend it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.document import LocalText
from registry.finding import CHECKS, Finding, Reason, reason_of
from registry.policy import build_policy
from tests.unit.registry.specimens import (
    ABSENT,
    NOW,
    Content,
    agreement,
    ask,
    credential,
    documents,
    edited,
    event,
    find,
    jurisdiction_aa,
    licence_profile,
    lock_profile,
    policy,
    replaced,
)

WORLD = policy(agreement())
VERIFIED = tuple(check for check in CHECKS if check != "agreement")
Found = tuple[str, str | None, str]


def check(name: str, question: Content | None = None, world: Any = WORLD, **held: Any) -> Finding:
    """One check of a licence of AA, asked in BB."""
    return find(world, ask(world, **(question or {})), credential(world, **held)).checks[name]


def told(finding: Finding) -> Found:
    return finding.result, finding.code, finding.variant


def test_every_check_but_the_agreement_is_found_in_order() -> None:
    found = find(WORLD, ask(WORLD), credential(WORLD))
    assert tuple(found.checks) == VERIFIED
    assert all(finding.check == name for name, finding in found.checks.items())
    assert (found.matches, found.listing) == (1, None)
    assert found.issuer is WORLD.authorities["aa-office"]
    assert found.stale == ()


@pytest.mark.parametrize("name", ["signature", "path"])
def test_a_registered_licence_has_no_signature_and_no_path(name: str) -> None:
    assert told(check(name)) == ("skipped", None, "")


def test_a_lock_given_by_number_proves_nothing() -> None:
    query = ask(WORLD, credential={"type": "lock", "number": "A1B2"}, purpose="sign")
    held = credential(WORLD, type="lock", number="A1B2", attributes={})
    found = find(WORLD, query, held).checks
    assert told(found["signature"]) == ("indeterminate", "signature.missing", "")
    assert told(found["path"]) == ("indeterminate", "path.no_anchor", "")
    assert [basis.instrument for basis in found["path"].legal_basis] == ["签名法"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("LC110015", ("passed", "number.well_formed", "")),
        ("lc-1100 15", ("passed", "number.well_formed", "")),
        # Held is held: an odd number only warns.
        ("LC110014", ("passed", "number.check_digit_wrong", "held")),
        ("OLD-1", ("passed", "number.malformed", "held")),
        ("LC120019", ("passed", "number.province_mismatch", "")),
        ("LC000018", ("passed", "number.province_mismatch", "")),
        # The digits name no jurisdiction: nothing to compare.
        ("LC990011", ("passed", "number.well_formed", "")),
    ],
)
def test_the_number_of_a_held_licence_at_most_warns(number: str, expected: Found) -> None:
    finding = check("format", number=number)
    assert told(finding) == expected
    assert finding.params == {"number": number}
    assert (finding.contact is not None) == (finding.code != "number.well_formed")


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({}, ("passed", "issuer.competent", "")),
        ({"issuer": "aa-district"}, ("passed", "issuer.competent", "")),
        ({"issuer": "cn-body"}, ("passed", "issuer.competent", "")),
        ({"attributes": {"items": ["面包"]}}, ("passed", "issuer.competent", "")),
        ({"issuer": "bb-office"}, ("failed", "issuer.not_competent", "")),
        (
            {"issuer": "aa-district", "attributes": {"items": ["面包"], "area": "110102"}},
            ("failed", "issuer.not_competent", ""),
        ),
        ({"issued_at": "2009-12-31T23:59:59Z"}, ("failed", "issuer.not_competent", "")),
        (
            {"attributes": {"items": ["面包"], "area": "110199"}},
            ("indeterminate", "issuer.not_competent", "area_unknown"),
        ),
        ({"issuer": "zz-office"}, ("indeterminate", "issuer.unknown", "")),
    ],
)
def test_the_issuer_must_have_been_competent_when_it_issued(held: Content, expected: Found) -> None:
    assert told(check("issuer", **held)) == expected


def test_competence_is_for_the_area_at_the_time_of_issue() -> None:
    moved = event("amended", "2025-01-01", changes={"attributes": {"area": "110102"}})
    assert told(check("issuer", issuer="aa-district", events=[moved])) == ("passed", "issuer.competent", "")


def test_a_beginning_that_is_not_sure_leaves_the_issuer_open() -> None:
    content = edited(jurisdiction_aa(), "authorities/0/competences/0/from_confidence", "G")
    world = build_policy(replaced(documents(agreement()), "jurisdiction", content))
    finding = check("issuer", world=world, issued_at="2009-12-31T00:00:00Z")
    assert told(finding) == ("indeterminate", "issuer.not_competent", "beginning_unsure")
    assert finding.params["issued_at"] == datetime(2009, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("held", "params"),
    [
        ({"issuer": "zz-office"}, {"issuer": "zz-office"}),
        (
            {"attributes": {"items": ["面包"], "area": "110199"}},
            {
                "issuer": LocalText(zh="aa-office", en="aa-office (en)"),
                "issued_at": datetime(2024, 1, 1, tzinfo=UTC),
                "area": "110199",
            },
        ),
    ],
)
def test_what_is_said_of_the_issuer(held: Content, params: Content) -> None:
    assert check("issuer", **held).params == params


def test_the_contact_is_the_issuer_else_the_office_of_the_place() -> None:
    known = check("subject", {"expected_subject": {"name": "别的公司"}}, issuer="aa-city")
    assert known.contact is WORLD.authorities["aa-city"]
    unknown = check("issuer", issuer="zz-office")
    assert unknown.contact is WORLD.authorities["bb-office"]
    placed = check("issuer", {"facts": {"place": "120101"}}, issuer="zz-office")
    assert placed.contact is WORLD.authorities["bb-city"]


def test_what_an_office_no_longer_answers_for_its_successor_mends() -> None:
    # The district issued the licence and ended since; the city answers for its area.
    content = edited(jurisdiction_aa(), "authorities/2/answers_for", [])
    world = build_policy(replaced(documents(agreement()), "jurisdiction", content))
    suspended = [event("suspended", "2026-01-01")]
    assert check("status", issuer="aa-district", events=suspended).contact is WORLD.authorities["aa-district"]
    ended = check("status", world=world, issuer="aa-district", events=suspended)
    assert ended.contact is world.authorities["aa-city"]
    without_area = {"items": ["面包"]}
    placeless = check("status", world=world, issuer="aa-district", events=suspended, attributes=without_area)
    assert placeless.contact is world.authorities["aa-office"]


def test_an_office_that_was_not_competent_is_not_the_one_to_ask() -> None:
    attributes = {"items": ["面包"], "area": "110102"}
    finding = check("issuer", issuer="aa-district", attributes=attributes)
    assert told(finding) == ("failed", "issuer.not_competent", "")
    assert finding.contact is WORLD.authorities["aa-city"]


SUCCESSOR = {"number": "LC120019", "issuer": "bb-office"}
REVOKED = {kind: event("revoked", "2026-06-01", kind=kind) for kind in ("annulled", "withdrawn")}


@pytest.mark.parametrize(
    ("events", "expected", "params"),
    [
        ([], ("passed", "status.in_force", ""), {}),
        ([event("suspended", "2026-06-02")], ("passed", "status.in_force", ""), {}),
        ([event("suspended", "2026-05-01"), event("reinstated", "2026-05-02")], ("passed", "status.in_force", ""), {}),
        ([event("suspended", "2026-06-01")], ("failed", "status.suspended", ""), {"effective_at": NOW}),
        ([event("cancelled", "2026-06-01", kind="自愿")], ("failed", "status.cancelled", ""), {"effective_at": NOW}),
        (
            [REVOKED["annulled"]],
            ("failed", "status.revoked", "annulled"),
            {"effective_at": NOW},
        ),
        (
            [REVOKED["withdrawn"]],
            ("failed", "status.revoked", "withdrawn"),
            {"effective_at": NOW},
        ),
        (
            [event("superseded", "2026-06-01", successor=SUCCESSOR)],
            ("failed", "credential.superseded", ""),
            {"effective_at": NOW, "successor": "LC120019", "successor_issuer": "bb-office"},
        ),
    ],
)
def test_the_status_is_that_of_the_instant_asked_about(events: list[Content], expected: Found, params: Content) -> None:
    finding = check("status", events=events)
    assert told(finding) == expected
    assert finding.params == params


def test_the_law_on_an_event_is_its_own_or_else_that_of_the_check() -> None:
    basis = {"instrument": "决定书", "number": "1", "article": None}
    own = check("status", events=[event("cancelled", "2026-01-01", legal_basis=[basis])])
    assert [entry.statement() for entry in own.legal_basis] == [basis]
    general = check("status", events=[event("cancelled", "2026-01-01")])
    assert [entry.instrument for entry in general.legal_basis] == ["执法办法"]


@pytest.mark.parametrize(
    ("held", "expected", "params"),
    [
        ({}, ("passed", "validity.current", ""), {"valid_until": datetime(2029, 1, 1, tzinfo=UTC)}),
        ({"valid_until": None}, ("passed", "validity.current", "open_ended"), {}),
        ({"valid_from": None, "valid_until": None}, ("passed", "validity.current", "open_ended"), {}),
        (
            {"valid_from": "2026-06-01T00:00:00Z"},
            ("passed", "validity.current", ""),
            {"valid_until": datetime(2029, 1, 1, tzinfo=UTC)},
        ),
        (
            {"valid_from": "2026-06-01T00:00:00.000001Z"},
            ("failed", "validity.not_yet", ""),
            {"valid_from": NOW + timedelta(microseconds=1)},
        ),
        ({"valid_until": "2026-06-01T00:00:00Z"}, ("failed", "validity.expired", ""), {"valid_until": NOW}),
        (
            {"valid_until": "2026-06-01T00:00:00.000001Z"},
            ("passed", "validity.current", ""),
            {"valid_until": NOW + timedelta(microseconds=1)},
        ),
    ],
)
def test_the_period_contains_the_instant_asked_about(held: Content, expected: Found, params: Content) -> None:
    finding = check("validity", **held)
    assert told(finding) == expected
    assert finding.params == params


def scope(purpose: str, facts: Content, **held: Any) -> Finding:
    return check("scope", {"purpose": purpose, "facts": facts}, **held)


@pytest.mark.parametrize(
    ("purpose", "facts", "expected"),
    [
        ("trade", {}, ("passed", "scope.covered", "no_scope")),
        ("inspect", {"items": ["面包"], "place": "110101"}, ("passed", "scope.covered", "")),
        ("inspect", {"items": ["面包"]}, ("passed", "scope.covered", "")),
        ("inspect", {"items": ["茶"]}, ("failed", "scope.not_covered", "")),
        ("inspect", {"items": ["面包"], "place": "110102"}, ("failed", "scope.not_covered", "area")),
        # What is certain comes before what is missing, and both before what is not needed.
        ("inspect", {"place": "110102"}, ("failed", "scope.not_covered", "area")),
        ("inspect", {}, ("indeterminate", "facts.missing", "")),
        ("inspect", {"place": "110199"}, ("indeterminate", "facts.missing", "")),
        ("inspect", {"items": ["面包"], "place": "110199"}, ("indeterminate", "facts.missing", "area_unknown")),
        ("inspect", {"items": ["面包"], "place": "110100"}, ("indeterminate", "facts.missing", "unclear")),
        (
            "inspect",
            {"items": ["面包"], "trained": True, "place": "110199"},
            ("indeterminate", "facts.missing", "area_unknown"),
        ),
        ("inspect", {"items": ["面包"], "trained": True}, ("passed", "facts.not_needed", "")),
        ("rate", {"grade": "high"}, ("passed", "scope.covered", "")),
    ],
)
def test_the_facts_lie_inside_what_the_licence_covers(purpose: str, facts: Content, expected: Found) -> None:
    assert told(scope(purpose, facts)) == expected


def test_the_scope_is_that_of_the_instant_asked_about() -> None:
    grown = event("amended", "2026-01-01", changes={"attributes": {"items": ["茶"]}})
    assert scope("inspect", {"items": ["茶"]}, events=[grown]).result == "passed"
    later = {"purpose": "inspect", "facts": {"items": ["茶"]}, "valid_at": "2025-12-31T00:00:00Z"}
    assert check("scope", later, events=[grown]).result == "failed"


def test_a_scope_to_which_nothing_was_given_was_not_checked() -> None:
    profile = edited(licence_profile(), "purposes/inspect/required", [])
    profile = edited(profile, "purposes/inspect/optional", ["items", "place"])
    world = build_policy(replaced(documents(), "profile", profile))
    bare = check("scope", {"purpose": "inspect"}, world=world)
    assert told(bare) == ("skipped", None, "nothing_given")
    surplus = check("scope", {"purpose": "inspect", "facts": {"trained": True}}, world=world)
    assert told(surplus) == ("skipped", "facts.not_needed", "")
    given_one = check("scope", {"purpose": "inspect", "facts": {"items": ["面包"]}}, world=world)
    assert told(given_one) == ("passed", "scope.covered", "")


def label(text: str) -> LocalText:
    return LocalText(zh=text, en=f"{text} (en)")


def test_what_is_not_covered_is_told_with_the_nearest_entry() -> None:
    finding = scope("inspect", {"items": ["蛋糕", "蛋挞"]})
    assert finding.params == {"fact": "items", "label": label("标texts"), "given": "蛋挞", "nearest": "蛋糕"}
    bare = scope("rate", {"grade": "low"}, attributes={"items": ["面包"], "certified": True})
    assert told(bare) == ("failed", "scope.not_covered", "nothing_near")


def test_a_choice_is_told_by_its_label() -> None:
    finding = scope("rate", {"grade": "low"})
    assert finding.params == {
        "fact": "grade",
        "label": label("标choice"),
        "given": label("乙级"),
        "nearest": label("甲级"),
    }


def test_an_attribute_that_speaks_against_it_is_told_as_one() -> None:
    attributes = {"items": ["面包"], "grade": "high", "certified": False}
    finding = scope("rate", {}, attributes=attributes)
    assert told(finding) == ("failed", "scope.not_covered", "attribute")
    assert finding.params == {"fact": "certified", "label": label("标boolean"), "given": "false", "nearest": "true"}


def test_an_attribute_that_the_register_does_not_give_leaves_it_open() -> None:
    finding = scope("rate", {}, attributes={"items": ["面包"]})
    assert (finding.result, finding.code) == ("indeterminate", "facts.missing")
    assert finding.variant == "attribute"
    assert finding.params == {"attribute": "certified", "label": label("标boolean")}


def test_what_is_called_missing_can_be_given() -> None:
    finding = scope("rate", {}, attributes={"items": ["面包"]})
    assert finding.variant != "" or finding.params["facts"] in WORLD.profiles["licence"].facts


def test_missing_and_superfluous_facts_are_named() -> None:
    profile = edited(licence_profile(), "purposes/inspect/required", ["items", "trained", "signed"])
    world = build_policy(replaced(documents(), "profile", profile))
    question = {"purpose": "inspect", "facts": {"trained": True}}
    missing = check("scope", question, world=world)
    assert missing.params == {"facts": "items, signed", "label": label("标texts"), "count": 2}
    surplus = scope("inspect", {"items": ["面包"], "trained": True, "grade": "high"})
    assert surplus.params == {"facts": "grade, trained", "label": label("标choice"), "count": 2}


@pytest.mark.parametrize(
    ("expected_subject", "expected"),
    [
        (ABSENT, ("skipped", None, "")),
        ({"uscc": "11430000006122244L"}, ("passed", "subject.matches", "")),
        ({"name": "测试 公司"}, ("passed", "subject.matches", "")),
        ({"uscc": "1143 0000-006122244l", "name": "测试公司"}, ("passed", "subject.matches", "")),
        ({"uscc": "11100000000013338W"}, ("failed", "subject.mismatch", "")),
        ({"name": "别的公司"}, ("failed", "subject.mismatch", "")),
        ({"uscc": "11430000006122244L", "name": "别的公司"}, ("failed", "subject.mismatch", "")),
        ({"uscc": "11100000000013338W", "name": "测试公司"}, ("failed", "subject.mismatch", "")),
    ],
)
def test_the_holder_is_the_one_expected(expected_subject: Any, expected: Found) -> None:
    assert told(check("subject", {"expected_subject": expected_subject})) == expected


def test_a_holder_without_a_code_can_be_told_by_name_only() -> None:
    person = {"kind": "person", "name": "测试人员"}
    by_code = check("subject", {"expected_subject": {"uscc": "11430000006122244L"}}, subject=person)
    assert told(by_code) == ("indeterminate", "subject.mismatch", "uscc_unknown")
    by_name = check("subject", {"expected_subject": {"name": "测试人员"}}, subject=person)
    assert told(by_name) == ("passed", "subject.matches", "")


def test_the_holder_is_that_of_the_instant_asked_about() -> None:
    sold = event("amended", "2026-01-01", changes={"subject": {"kind": "organisation", "name": "新公司"}})
    question = {"expected_subject": {"name": "新公司"}}
    assert check("subject", question, events=[sold]).result == "passed"
    before = {**question, "valid_at": "2025-12-31T00:00:00Z"}
    assert check("subject", before, events=[sold]).result == "failed"


def test_a_finding_becomes_the_reason_that_says_the_same() -> None:
    finding = check("status", events=[event("revoked", "2026-01-01", kind="penalty")])
    assert reason_of(finding) == Reason(
        code="status.revoked",
        variant="penalty",
        params=finding.params,
        legal_basis=finding.legal_basis,
        contact=WORLD.authorities["aa-office"],
    )
    with pytest.raises(ValueError, match="the finding of path has no code"):
        reason_of(Finding(check="path", result="skipped"))


def test_a_profile_of_certificates_has_a_law_for_every_check() -> None:
    world = build_policy(replaced(documents(), "profile", lock_profile()))
    assert set(world.profiles["lock"].bases) == set(CHECKS)
