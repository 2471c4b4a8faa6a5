"""Scope rules: every kind, every verdict."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.catalogue import read_catalogue
from registry.errors import PolicyError
from registry.field import FACT_KINDS, FIELD_KINDS, Field, read_fields
from registry.jurisdiction import Gazetteer, read_jurisdiction
from registry.scope import (
    SCOPE_KINDS,
    SILENT,
    AreaRule,
    AttributeRule,
    InstrumentRule,
    RangeRule,
    RowRule,
    ScopeRule,
    ScopeVerdict,
    SubsetRule,
    Surroundings,
    read_scope_rule,
    same_instrument,
    shown,
    span_of,
)
from tests.unit.registry.specimens import (
    ABSENT,
    CHOICES,
    SOURCE,
    Content,
    catalogue,
    document,
    edited,
    field,
    jurisdiction_aa,
    jurisdiction_nation,
    table,
)

CATALOGUE = read_catalogue(document("catalogue", catalogue()))
GAZETTEER = Gazetteer(
    tuple(read_jurisdiction(document("jurisdiction", made)) for made in (jurisdiction_aa(), jurisdiction_nation()))
)
AROUND = Surroundings(gazetteer=GAZETTEER, catalogue=CATALOGUE)
COVERED = ("covered", "", "", "")


def verdict(rule: ScopeRule, attributes: Content, facts: Content) -> tuple[str, str, str, str]:
    given_back = rule.judge(attributes, facts, AROUND)
    assert isinstance(given_back, ScopeVerdict)
    return given_back.state, given_back.fact, given_back.given, given_back.nearest


def variant(rule: ScopeRule, attributes: Content, facts: Content) -> str:
    """Which wording of its verdict a rule asks for."""
    return rule.judge(attributes, facts, AROUND).variant


ROW = RowRule(attribute="rows", columns=("parameter", "method", "site"))
ROWS = {
    "rows": [
        {"parameter": "铅", "method": "GB 5009.12-2017", "site": "渝北"},
        {"parameter": "铅", "method": "GB 5009.12-2023", "site": "成都"},
        {"parameter": "总砷", "method": "GB 5009.11-2014", "site": "渝北"},
    ]
}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"parameter": "铅", "method": "gb5009.12-2017", "site": "渝北"}, COVERED),
        ({"parameter": "铅", "method": "ＧＢ 5009.12–2023", "site": "成都"}, COVERED),
        # A part of a row proves nothing of the whole: the first column left out would settle it.
        ({"parameter": "铅", "method": "GB 5009.12-2023"}, ("unknown", "site", "", "")),
        ({"site": "渝北"}, ("unknown", "parameter", "", "")),
        ({}, ("silent", "", "", "")),
        ({"other": "铅"}, ("silent", "", "", "")),
        # Parts from two rows do not add up; the row that agrees in most columns is shown.
        (
            {"parameter": "铅", "method": "GB 5009.12-2017", "site": "成都"},
            ("not_covered", "site", "成都", "铅 · GB 5009.12-2017 · 渝北"),
        ),
        (
            {"parameter": "总砷", "method": "GB 5009.11-2024", "site": "渝北"},
            ("not_covered", "method", "GB 5009.11-2024", "总砷 · GB 5009.11-2014 · 渝北"),
        ),
        # Nothing agrees: the row whose first column reads most like the one asked for.
        ({"parameter": "无机砷"}, ("not_covered", "parameter", "无机砷", "总砷 · GB 5009.11-2014 · 渝北")),
        (
            {"method": "GB 5009.12-2099", "site": "绵阳"},
            ("not_covered", "method", "GB 5009.12-2099", "铅 · GB 5009.12-2017 · 渝北"),
        ),
    ],
)
def test_a_row_must_agree_as_a_whole(facts: Content, expected: tuple[str, str, str, str]) -> None:
    assert verdict(ROW, ROWS, facts) == expected


@pytest.mark.parametrize("attributes", [{}, {"rows": []}])
def test_without_rows_nothing_is_covered_and_nothing_is_near(attributes: Content) -> None:
    assert verdict(ROW, attributes, {"parameter": "铅"}) == ("not_covered", "parameter", "铅", "")
    assert ROW.judge(attributes, {}, AROUND) == SILENT


def test_a_row_without_the_column_agrees_with_nothing() -> None:
    attributes = {"rows": [{"parameter": "铅"}]}
    assert verdict(ROW, attributes, {"parameter": "铅"}) == ("unknown", "method", "", "")
    assert verdict(ROW, attributes, {"parameter": "铅", "site": "渝北"}) == ("not_covered", "site", "渝北", "铅 ·  · ")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # Every part is in the table, but in no row together.
        ({"parameter": "铅", "method": "GB 5009.12-2017", "site": "成都"}, "combination"),
        ({"parameter": "总砷", "method": "GB 5009.12-2017"}, "combination"),
        ({"parameter": "总砷", "method": "GB 5009.99"}, ""),
        ({"parameter": "无机砷"}, ""),
    ],
)
def test_parts_that_are_there_but_not_together_are_told_as_such(facts: Content, expected: str) -> None:
    assert verdict(ROW, ROWS, facts)[0] == "not_covered"
    assert variant(ROW, ROWS, facts) == expected


SUBSET = SubsetRule(fact="items", attribute="items")


@pytest.mark.parametrize(
    ("held", "asked", "expected"),
    [
        (["面包", "蛋糕"], ("面包",), COVERED),
        (["面包", "蛋糕"], ("蛋糕", "面 包"), COVERED),
        (["ABC"], "ａｂｃ", COVERED),
        ("high", "high", COVERED),
        (["面包", "奶茶"], ("面包", "茶"), ("not_covered", "items", "茶", "奶茶")),
        (["面包"], "茶", ("not_covered", "items", "茶", "面包")),
        # The first of equals is shown.
        (["面包", "蛋糕"], ("茶",), ("not_covered", "items", "茶", "面包")),
        ([], ("茶",), ("not_covered", "items", "茶", "")),
        (None, ("茶",), ("not_covered", "items", "茶", "")),
    ],
)
def test_everything_asked_must_be_held(held: Any, asked: Any, expected: tuple[str, str, str, str]) -> None:
    assert verdict(SUBSET, {"items": held}, {"items": asked}) == expected


def test_a_subset_rule_is_silent_without_its_fact() -> None:
    assert SUBSET.judge({"items": ["面包"]}, {"other": "茶"}, AROUND) == SILENT


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef"), min_size=1))
def test_a_subset_is_covered_and_nothing_else(held: set[str], asked: set[str]) -> None:
    state, _, given_item, _ = verdict(SUBSET, {"items": sorted(held)}, {"items": tuple(sorted(asked))})
    assert (state == "covered") == (asked <= held)
    assert state == "covered" or given_item in asked - held


AREA = AreaRule(fact="place", attribute="area")


@pytest.mark.parametrize(
    ("held", "asked", "expected"),
    [
        ("110101", "110101", COVERED),
        ("110100", "110102", COVERED),
        ("110000", "110101", COVERED),
        ("000000", "110101", COVERED),
        ("110100", "110200", ("not_covered", "place", "110200", "110100")),
        ("110101", "110102", ("not_covered", "place", "110102", "110101")),
        # Wider than the licence, or undeclared: cannot be told.
        ("110101", "110100", ("unknown", "place", "110100", "")),
        ("110101", "000000", ("unknown", "place", "000000", "")),
        ("110101", "110199", ("unknown", "place", "110199", "")),
        # Undeclared, but written alike.
        ("110199", "110199", COVERED),
        (None, "110101", ("not_covered", "place", "110101", "")),
    ],
)
def test_an_area_lies_inside_the_credentials_own(
    held: str | None, asked: str, expected: tuple[str, str, str, str]
) -> None:
    assert verdict(AREA, {"area": held}, {"place": asked}) == expected
    assert AREA.judge({"area": held}, {}, AROUND) == SILENT


@pytest.mark.parametrize(
    ("asked", "expected"), [("110102", "area"), ("110100", "unclear"), ("110199", "area_unknown"), ("110101", "")]
)
def test_why_an_area_does_not_do_is_told(asked: str, expected: str) -> None:
    assert variant(AREA, {"area": "110101"}, {"place": asked}) == expected


RANGE = RangeRule(minimum="low", maximum="high", unit="unit")
HELD = {"low": "0.2", "high": "60", "unit": "m³/h"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"low": "0.2", "high": "60", "unit": "m³/h"}, COVERED),
        ({"low": "1", "high": "1", "unit": "M3/H"}, COVERED),
        ({"low": "0.1", "high": "60", "unit": "m³/h"}, ("not_covered", "low", "0.1–60 m³/h", "0.2–60 m³/h")),
        ({"low": "1", "high": "60.1", "unit": "m³/h"}, ("not_covered", "high", "1–60.1 m³/h", "0.2–60 m³/h")),
        ({"low": "70", "high": "80", "unit": "m³/h"}, ("not_covered", "high", "70–80 m³/h", "0.2–60 m³/h")),
        ({"low": "9", "high": "3", "unit": "m³/h"}, ("not_covered", "low", "9–3 m³/h", "0.2–60 m³/h")),
        ({"low": "1", "high": "2", "unit": "L/h"}, ("unknown", "unit", "L/h", "m³/h")),
        ({"low": "1", "high": "2"}, ("unknown", "unit", "", "")),
        ({"high": "2"}, ("unknown", "low", "", "")),
        ({"low": "wide", "high": "2", "unit": "m³/h"}, ("unknown", "low", "", "")),
        ({}, ("silent", "", "", "")),
    ],
)
def test_a_range_lies_inside_in_the_same_unit(asked: Content, expected: tuple[str, str, str, str]) -> None:
    assert verdict(RANGE, HELD, asked) == expected


def test_another_unit_is_told_as_such() -> None:
    assert variant(RANGE, HELD, {"low": "1", "high": "2", "unit": "L/h"}) == "unit"
    assert variant(RANGE, HELD, {"low": "1"}) == ""


@pytest.mark.parametrize("name", ["low", "high", "unit"])
def test_a_range_that_the_register_does_not_give_covers_nothing(name: str) -> None:
    held = {key: value for key, value in HELD.items() if key != name}
    asked = {"low": "1", "high": "2", "unit": "m³/h"}
    assert verdict(RANGE, held, asked) == ("not_covered", "low", "1–2 m³/h", "")


@given(*(st.integers(-3, 3) for _ in range(4)))
def test_a_range_is_covered_exactly_when_it_lies_inside(low: int, high: int, least: int, most: int) -> None:
    held = {"low": str(least), "high": str(most), "unit": "kg"}
    asked = {"low": str(low), "high": str(high), "unit": "kg"}
    assert (verdict(RANGE, held, asked)[0] == "covered") == (least <= low <= high <= most)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"low": "1", "high": "2"},
        {"low": "a", "high": "2", "unit": "kg"},
        {"low": ["1"], "high": "2", "unit": "kg"},
        {"low": None, "high": "2", "unit": "kg"},
    ],
)
def test_what_is_no_range_is_none(values: Content) -> None:
    assert span_of(values, ("low", "high", "unit")) is None


INSTRUMENT = InstrumentRule(fact="instrument", attribute="instrument")


@pytest.mark.parametrize(
    ("held", "asked", "expected"),
    [
        ("水表", "水 表", COVERED),
        ("水表", "冷水水表", COVERED),
        ("望远镜", "望远镜", COVERED),
        ("水表", "电子秤", ("not_covered", "instrument", "电子秤", "水表")),
        (None, "电子秤", ("not_covered", "instrument", "电子秤", "")),
    ],
)
def test_an_instrument_goes_by_any_name_of_its_entry(
    held: str | None, asked: str, expected: tuple[str, str, str, str]
) -> None:
    assert verdict(INSTRUMENT, {"instrument": held}, {"instrument": asked}) == expected
    assert INSTRUMENT.judge({"instrument": held}, {}, AROUND) == SILENT


def test_without_a_catalogue_only_the_same_text_is_the_same_instrument() -> None:
    assert same_instrument("水表", "冷水水表", CATALOGUE)
    assert not same_instrument("水表", "冷水水表", None)
    assert same_instrument("水表", "水表 ", None)
    bare = Surroundings(gazetteer=GAZETTEER, catalogue=None)
    assert INSTRUMENT.judge({"instrument": "水表"}, {"instrument": "冷水水表"}, bare).state == "not_covered"


@pytest.mark.parametrize(
    ("value", "held", "expected"),
    [
        (True, True, COVERED),
        ("positive", "positive", COVERED),
        (True, False, ("not_covered", "result", "false", "true")),
        ("positive", "negative", ("not_covered", "result", "negative", "positive")),
        ("a", ["a", "b"], ("not_covered", "result", "a、b", "a")),
        (True, None, ("unknown", "result", "", "")),
    ],
)
def test_the_credential_itself_says_what_is_needed(value: Any, held: Any, expected: tuple[str, str, str, str]) -> None:
    assert verdict(AttributeRule(attribute="result", value=value), {"result": held}, {}) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), ("a", "a"), (("a", "b"), "a、b"), ([True, ["x"]], "true、x"), (3, "3")],
)
def test_values_are_shown_as_people_read_them(value: Any, text: str) -> None:
    assert shown(value) == text


def declared(kinds: tuple[str, ...], *names: str) -> dict[str, Field]:
    """A field of every kind named `f_<kind>`, and texts of these names."""
    more: dict[str, Content] = {"choice": {"choices": CHOICES}, "table": {"columns": ["parameter", "method"]}}
    content = {f"f_{kind}": field(kind, **more.get(kind, {})) for kind in kinds}
    content |= {name: field("text") for name in names}
    return read_fields(table({"x": content}).named_tables("x"), kinds)


FACTS = declared(FACT_KINDS, "low", "high", "unit", "parameter", "method")
ATTRIBUTES = declared(FIELD_KINDS, "low", "high", "unit")
WRITTEN: dict[str, tuple[Content, ScopeRule, tuple[str, ...], tuple[str, ...]]] = {
    "row": (
        {"attribute": "f_table", "columns": ["method", "parameter"]},
        RowRule(attribute="f_table", columns=("method", "parameter")),
        ("method", "parameter"),
        ("f_table",),
    ),
    "subset": (
        {"fact": "f_texts", "attribute": "f_texts"},
        SubsetRule(fact="f_texts", attribute="f_texts"),
        ("f_texts",),
        ("f_texts",),
    ),
    "area": (
        {"fact": "f_area", "attribute": "f_area"},
        AreaRule(fact="f_area", attribute="f_area"),
        ("f_area",),
        ("f_area",),
    ),
    "range": ({"min": "low", "max": "high", "unit": "unit"}, RANGE, ("low", "high", "unit"), ("low", "high", "unit")),
    "instrument": (
        {"fact": "f_text", "attribute": "f_text"},
        InstrumentRule(fact="f_text", attribute="f_text"),
        ("f_text",),
        ("f_text",),
    ),
    "attribute_is": (
        {"attribute": "f_boolean", "value": True},
        AttributeRule(attribute="f_boolean", value=True),
        (),
        ("f_boolean",),
    ),
}


def test_every_kind_is_tried_here() -> None:
    assert set(WRITTEN) == set(SCOPE_KINDS)


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_rule_is_read_as_written(kind: str) -> None:
    content, rule, facts, attributes = WRITTEN[kind]
    read = read_scope_rule(table({"kind": kind, **content}), FACTS, ATTRIBUTES)
    assert read == rule
    assert (read.facts, read.attributes) == (facts, attributes)


@pytest.mark.parametrize(
    ("kind", "path", "value", "key", "problem"),
    [
        ("subset", "kind", "superset", "kind", "allowed: row, subset, area, range, instrument, attribute_is"),
        *((kind, "hint", 1, "hint", "unknown key") for kind in SCOPE_KINDS),
        ("attribute_is", "fact", "f_text", "fact", "unknown key; known: attribute, kind, value"),
        ("subset", "fact", ABSENT, "fact", "is missing"),
        ("subset", "fact", "zz", "kind", "reads the fact 'zz', which the profile does not declare"),
        ("subset", "attribute", "zz", "kind", "reads the attribute 'zz', which the profile does not declare"),
        ("range", "max", "zz", "kind", "reads the fact 'zz', which the profile does not declare"),
        ("row", "attribute", "f_text", "attribute", "'f_text' is not allowed; allowed: f_table"),
        ("row", "columns", ["site"], "columns", "'site' is no column of 'f_table'"),
        ("row", "columns", [], "columns", "must not be empty"),
        ("attribute_is", "value", 1, "value", "must be a text, true or false"),
    ],
)
def test_a_rule_that_is_wrong_is_refused(kind: str, path: str, value: Any, key: str, problem: str) -> None:
    content = edited({"kind": kind, **WRITTEN[kind][0]}, path, value)
    with pytest.raises(PolicyError) as caught:
        read_scope_rule(table(content), FACTS, ATTRIBUTES)
    assert (caught.value.source, caught.value.key) == (SOURCE, key)
    assert problem in caught.value.problem


def test_a_column_must_be_a_declared_fact() -> None:
    attributes = read_fields(table({"x": {"rows": field("table", columns=["site"])}}).named_tables("x"), FIELD_KINDS)
    content = {"kind": "row", "attribute": "rows", "columns": ["site"]}
    with pytest.raises(PolicyError, match="reads the fact 'site', which the profile does not declare"):
        read_scope_rule(table(content), FACTS, attributes)


@pytest.mark.parametrize(
    ("fact", "given_fact", "attribute", "held"),
    [
        ("f_texts", ("a",), "f_boolean", True),
        ("f_texts", ("a",), "f_table", [{"parameter": "铅", "method": "M"}]),
        ("f_boolean", True, "f_texts", ["a"]),
    ],
)
def test_a_rule_over_fields_of_other_kinds_is_refused_or_answers(
    fact: str, given_fact: Any, attribute: str, held: Any
) -> None:
    try:
        rule = read_scope_rule(table({"kind": "subset", "fact": fact, "attribute": attribute}), FACTS, ATTRIBUTES)
    except PolicyError:
        return
    assert rule.judge({attribute: held}, {fact: given_fact}, AROUND).state == "not_covered"
