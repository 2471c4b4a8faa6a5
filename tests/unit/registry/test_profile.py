"""Credential profiles: what makes a type what it is."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.document import LegalBasis, LocalText
from registry.errors import PolicyError
from registry.finding import CHECKS
from registry.profile import CredentialProfile, NumberVerdict, read_profile
from registry.scope import AreaRule, AttributeRule, SubsetRule
from tests.unit.registry.specimens import (
    ABSENT,
    NUMBER,
    SOURCE,
    Content,
    device_profile,
    document,
    edited,
    licence_profile,
    lock_profile,
)


def read(content: Content) -> CredentialProfile:
    return read_profile(document("profile", content))


LICENCE, DEVICE, LOCK = read(licence_profile()), read(device_profile()), read(lock_profile())


def test_a_profile_is_read_as_written() -> None:
    assert (LICENCE.id, LICENCE.version, LICENCE.confidence, LICENCE.evidence) == ("licence", 1, "V", "register")
    assert LICENCE.name == LocalText(zh="许可证", en="许可证 (en)")
    assert LICENCE.max_age == timedelta(days=2)
    assert LICENCE.area_attribute == "area"
    assert list(LICENCE.attributes) == ["area", "items", "grade", "certified", "since", "load", "rows", "remark"]
    assert list(LICENCE.facts) == ["place", "items", "grade", "trained", "signed", "load", "remark"]
    assert LICENCE.catalogue is None
    assert LOCK.evidence == "certificate"
    assert DEVICE.catalogue is not None
    assert (DEVICE.catalogue.id, DEVICE.catalogue.instrument_fact, DEVICE.catalogue.size_fact) == (
        "instruments",
        "instrument",
        "size",
    )


def test_purposes_are_read_as_written() -> None:
    trade, inspect, rate = (LICENCE.purposes[name] for name in ("trade", "inspect", "rate"))
    assert trade.label == LocalText(zh="经营", en="经营 (en)")
    assert (trade.required, trade.optional) == ((), ("place", "items", "trained", "signed", "remark"))
    assert (trade.place_fact, trade.genuineness, trade.uses_catalogue, trade.not_at_home) == (
        "place",
        False,
        False,
        None,
    )
    assert trade.scope == ()
    assert trade.needed == {"place", "items", "trained", "signed", "remark"}
    assert (inspect.genuineness, inspect.required, inspect.place_fact) == (True, ("items",), None)
    assert inspect.scope == (
        SubsetRule(fact="items", attribute="items"),
        AreaRule(fact="place", attribute="area"),
    )
    assert rate.scope[1] == AttributeRule(attribute="certified", value=True)
    assert LICENCE.purposes["settle"].not_at_home == LocalText(zh="须另行申请", en="须另行申请 (en)")
    assert DEVICE.purposes["placement"].uses_catalogue


def test_a_field_is_a_fact_before_it_is_an_attribute() -> None:
    assert LICENCE.field("items") is LICENCE.facts["items"]
    assert LICENCE.field("certified") is LICENCE.attributes["certified"]
    with pytest.raises(KeyError):
        LICENCE.field("weather")


def test_a_basis_without_checks_serves_those_that_have_none_of_their_own() -> None:
    general, special = LegalBasis(instrument="许可办法"), LegalBasis(instrument="执法办法", article="7")
    assert LICENCE.bases["status"] == (special,)
    assert {check: LICENCE.bases[check] for check in CHECKS if check != "status"} == dict.fromkeys(
        [check for check in CHECKS if check != "status"], (general,)
    )
    two = read(
        edited(licence_profile(), "legal_basis/0/checks", ["scope", "status"])
        | {
            "legal_basis": [
                {"instrument": "总则"},
                {"instrument": "甲", "checks": ["scope", "status"]},
                {"instrument": "乙", "checks": ["status"]},
            ]
        }
    )
    assert [basis.instrument for basis in two.bases["status"]] == ["甲", "乙"]
    assert [basis.instrument for basis in two.bases["scope"]] == ["甲"]
    assert [basis.instrument for basis in two.bases["format"]] == ["总则"]


INSPECT = "purposes/inspect"


@pytest.mark.parametrize(
    ("path", "value", "key", "problem"),
    [
        ("evidence", "oral", "evidence", "'oral' is not allowed; allowed: register, certificate"),
        ("confidence", "X", "confidence", "allowed: V, S, G, U"),
        ("max_age_hours", 0, "max_age_hours", "must be a whole number of at least 1"),
        ("max_age_hours", "48", "max_age_hours", "must be a whole number of at least 1"),
        ("area_attribute", "items", "area_attribute", "must be an attribute of kind 'area'"),
        ("area_attribute", "zz", "area_attribute", "must be an attribute of kind 'area'"),
        ("purposes", {}, "purposes", "needs at least 1"),
        ("hint", 1, "hint", "unknown key; known: area_attribute, attributes, "),
        ("number", ABSENT, "number", "is missing"),
        ("number/normalisation", "upper", "number.normalisation", "allowed: compact, trimmed, type-approval"),
        ("number/pattern", "(", "number.pattern", "is not a regular expression"),
        ("number/check", "luhn", "number.check", "allowed: none, uscc, mod-11-10, mod-37-36"),
        ("number/jurisdictions", {"11": 1}, "number.jurisdictions", "must be a table of texts"),
        ("number/unique_within", "world", "number.unique_within", "allowed: type, issuer"),
        ("number/confidence", ABSENT, "number.confidence", "is missing"),
        (
            "number/example",
            "LC110014",
            "number.example",
            "does not fit the pattern and check system declared beside it",
        ),
        ("number/example", "XX110015", "number.example", "does not fit the pattern and check system"),
        (
            "number/hint",
            1,
            "number.hint",
            "unknown key; known: check, confidence, example",
        ),
        ("facts/place/kind", "table", "facts.place.kind", "allowed: text, texts, boolean, decimal, area, choice"),
        (f"{INSPECT}/required", ["zz"], "purposes.inspect.required", "'zz' is not declared under [facts]"),
        (f"{INSPECT}/place_fact", "zz", "purposes.inspect.place_fact", "'zz' is not allowed; allowed: place, items"),
        (f"{INSPECT}/genuineness", "yes", "purposes.inspect.genuineness", "must be true or false"),
        (f"{INSPECT}/label", ABSENT, "purposes.inspect.label", "is missing"),
        (f"{INSPECT}/hint", 1, "purposes.inspect.hint", "unknown key; known: catalogue, genuineness, key_usage, label"),
        (f"{INSPECT}/not_at_home", "no", "purposes.inspect.not_at_home", "must be a table"),
        (
            f"{INSPECT}/optional",
            [],
            "purposes.inspect.scope",
            "reads the fact 'place', which is neither required nor optional here",
        ),
        (f"{INSPECT}/scope/0/kind", "all", "purposes.inspect.scope[0].kind", "allowed: row, subset, area, range"),
        (f"{INSPECT}/catalogue", True, "catalogue", "is missing, and a purpose uses it"),
        (
            f"{INSPECT}/key_usage",
            ["signing"],
            "purposes.inspect.key_usage",
            "'signing' is not allowed; allowed: digitalS",
        ),
        (f"{INSPECT}/qualifier", "trading", "purposes.inspect.qualifier", "allowed: bidding, government-seal"),
        ("legal_basis", [], "legal_basis", "needs at least 1"),
        ("legal_basis/0/checks", ["scope"], "legal_basis", "needs at least one entry without 'checks'"),
        (
            "legal_basis/1/checks",
            ["mood"],
            "legal_basis[1].checks",
            f"'mood' is not a check; checks: {', '.join(CHECKS)}",
        ),
        ("legal_basis/1/hint", 1, "legal_basis[1].hint", "unknown key; known: article, checks, instrument, number"),
        pytest.param(
            f"{INSPECT}/optional",
            ["place", "zz"],
            "purposes.inspect.optional",
            "'zz' is not declared under [facts]",
        ),
    ],
)
def test_a_profile_that_is_wrong_is_refused(path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(edited(licence_profile(), path, value))
    assert (caught.value.source, caught.value.key) == (SOURCE, key)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("path", "value", "key", "problem"),
    [
        ("catalogue", ABSENT, "catalogue", "is missing, and a purpose uses it"),
        (
            "catalogue/instrument_fact",
            "zz",
            "catalogue.instrument_fact",
            "'zz' is not allowed; allowed: instrument, size",
        ),
        ("catalogue/size_fact", "zz", "catalogue.size_fact", "'zz' is not allowed; allowed: instrument, size"),
        ("catalogue/hint", 1, "catalogue.hint", "unknown key; known: id, instrument_fact, size_fact"),
    ],
)
def test_a_catalogue_that_is_wrong_is_refused(path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(edited(device_profile(), path, value))
    assert caught.value.key == key
    assert problem in caught.value.problem


def test_the_size_may_be_left_out_of_a_catalogue() -> None:
    made = read(edited(device_profile(), "catalogue/size_fact", ABSENT))
    assert made.catalogue is not None
    assert made.catalogue.size_fact is None


@pytest.mark.parametrize(
    ("path", "value"), [("max_age_hours", 10**13), ("number/pattern", "LC1{99999999999}")], ids=["age", "pattern"]
)
def test_extremes_are_refused_like_anything_else(path: str, value: Any) -> None:
    with pytest.raises(PolicyError):
        read(edited(licence_profile(), path, value))


@pytest.mark.parametrize(
    ("written", "well_formed", "check_right", "jurisdiction", "outside"),
    [
        (NUMBER, True, True, "AA", False),
        ("ｌｃ 1100-15", True, True, "AA", False),
        ("LC120019", True, True, "BB", False),
        ("LC000018", True, True, "CN", False),
        ("LC110014", True, False, "AA", False),
        # Digits of a place whose registers are none of ours.
        ("LC990011", True, True, None, True),
        ("LC990012", True, False, None, True),
        ("LC11001", False, True, None, False),
        ("LC1100155", False, True, None, False),
        ("", False, True, None, False),
    ],
)
def test_a_number_is_judged_by_pattern_check_and_place(
    written: str, well_formed: bool, check_right: bool, jurisdiction: str | None, outside: bool
) -> None:
    rule = LICENCE.number
    assert rule.judge(rule.normalise(written)) == NumberVerdict(
        well_formed=well_formed, check_right=check_right, jurisdiction=jurisdiction, outside=outside
    )


def test_without_a_pattern_any_text_is_well_formed() -> None:
    content = edited(licence_profile(), "number/pattern", ABSENT)
    rule = read(edited(content, "number/check", "none")).number
    assert rule.judge("anything") == NumberVerdict(well_formed=True, check_right=True, jurisdiction=None)
    assert not rule.judge("").well_formed


def test_without_a_group_the_whole_number_is_checked() -> None:
    number = {**licence_profile()["number"], "pattern": r"\d{6}", "example": "110015", "jurisdictions": {}}
    rule = read({**licence_profile(), "number": number}).number
    assert rule.judge("110015") == NumberVerdict(well_formed=True, check_right=True, jurisdiction=None)
    assert not rule.judge("110014").check_right


def test_a_pattern_knows_ascii_digits_only() -> None:
    assert not LICENCE.number.judge("LC١١٠٠١٥").well_formed


@pytest.mark.parametrize(("confidence", "certain"), [("V", True), ("S", True), ("G", False), ("U", False)])
def test_only_a_pattern_that_is_sure_can_call_a_number_malformed(confidence: str, certain: bool) -> None:
    assert read(edited(licence_profile(), "number/confidence", confidence)).number.authoritative is certain


@given(st.sampled_from([LICENCE, DEVICE, LOCK]), st.text())
def test_judging_a_number_is_total(profile: CredentialProfile, written: str) -> None:
    verdict = profile.number.judge(profile.number.normalise(written))
    assert verdict.well_formed or verdict == NumberVerdict(well_formed=False, check_right=True, jurisdiction=None)


def test_a_profile_needs_no_attributes_and_no_facts() -> None:
    assert not LOCK.attributes
    assert not LOCK.facts
    assert LOCK.area_attribute is None
