"""Declared fields and the values that fit them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.document import LocalText
from registry.errors import PolicyError
from registry.field import FACT_KINDS, FIELD_KINDS, Field, ValueProblem, forbidden_text, read_fact, read_fields
from tests.unit.registry.specimens import ABSENT, CHOICES, Content, both, edited, field, table

LABEL = LocalText(zh="标", en="label")


def declared(kind: str) -> Field:
    choices = {"high": LABEL, "low": LABEL} if kind == "choice" else {}
    return Field(name="f", kind=kind, label=LABEL, required=False, public=True, choices=choices, columns=())


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("text", "铅", "铅"),
        ("text", "  GB 5009.12 ", "GB 5009.12"),
        ("text", "x" * 200, "x" * 200),
        ("boolean", True, True),
        ("boolean", False, False),
        ("texts", ["面包"], ("面包",)),
        ("texts", [" a ", "b,c"], ("a", "b,c")),
        ("texts", ["x"] * 100, ("x",) * 100),
        ("decimal", "0.5", "0.5"),
        ("decimal", "-12", "-12"),
        ("decimal", " 7 ", "7"),
        ("decimal", "1" * 15 + "." + "2" * 9, "1" * 15 + "." + "2" * 9),
        ("area", "510109", "510109"),
        ("area", "５１０１００", "510100"),
        ("decimal", "－１．５", "-1.5"),
        ("choice", "high", "high"),
    ],
)
@pytest.mark.parametrize("written", [False, True])
def test_a_value_that_fits_is_read(kind: str, value: Any, read: Any, written: bool) -> None:
    assert read_fact(declared(kind), value, written) == read


@pytest.mark.parametrize(
    ("kind", "value", "code", "allowed"),
    [
        *((kind, 1, "wrong_kind", "text") for kind in ("text", "decimal", "area", "choice")),
        ("text", None, "wrong_kind", "text"),
        ("text", True, "wrong_kind", "text"),
        ("text", ["a"], "wrong_kind", "text"),
        ("text", "", "empty", ""),
        ("text", " 　", "empty", ""),
        ("text", "x" * 201, "too_long", "200"),
        ("text", "a\x00", "text_not_allowed", ""),
        ("text", "a\nb", "text_not_allowed", ""),
        ("text", "\x85", "text_not_allowed", ""),
        ("text", "\ud800", "text_not_allowed", ""),
        ("boolean", 1, "wrong_kind", "true, false"),
        ("boolean", "yes", "wrong_kind", "true, false"),
        ("boolean", "True", "wrong_kind", "true, false"),
        ("boolean", None, "wrong_kind", "true, false"),
        ("boolean", ["true"], "wrong_kind", "true, false"),
        ("texts", 1, "wrong_kind", "texts"),
        ("texts", {"a": 1}, "wrong_kind", "texts"),
        ("texts", None, "wrong_kind", "texts"),
        ("texts", [], "empty", ""),
        ("texts", ["a", ""], "empty", ""),
        ("texts", ["a", 1], "wrong_kind", "text"),
        ("texts", ["x"] * 101, "too_long", "100"),
        ("texts", ["x" * 201], "too_long", "200"),
        ("decimal", "1e3", "wrong_kind", "decimal"),
        ("decimal", "+1", "wrong_kind", "decimal"),
        ("decimal", ".5", "wrong_kind", "decimal"),
        ("decimal", "5.", "wrong_kind", "decimal"),
        ("decimal", "NaN", "wrong_kind", "decimal"),
        ("decimal", "1,5", "wrong_kind", "decimal"),
        ("decimal", "1" * 16, "wrong_kind", "decimal"),
        ("area", "51010", "wrong_kind", "area"),
        ("area", "5101000", "wrong_kind", "area"),
        ("area", "成都市", "wrong_kind", "area"),
        ("choice", "medium", "wrong_kind", "high, low"),
        ("choice", "High", "wrong_kind", "high, low"),
    ],
)
@pytest.mark.parametrize("written", [False, True])
def test_a_value_that_does_not_fit_is_refused(kind: str, value: Any, code: str, allowed: str, written: bool) -> None:
    with pytest.raises(ValueProblem) as caught:
        read_fact(declared(kind), value, written)
    assert (caught.value.code, caught.value.allowed) == (code, allowed)
    assert str(caught.value) == f"{code} {allowed}".strip()


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
def test_a_written_boolean_is_a_word(text: str, value: bool) -> None:
    assert read_fact(declared("boolean"), text, True) is value
    with pytest.raises(ValueProblem):
        read_fact(declared("boolean"), text, False)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("面包", ("面包",)),
        ("面包,蛋糕", ("面包", "蛋糕")),
        ("面包，蛋糕、茶;水；酒", ("面包", "蛋糕", "茶", "水", "酒")),
        (" 面包 , , 蛋糕,", ("面包", "蛋糕")),
    ],
)
def test_a_written_list_is_parted_by_commas(text: str, items: tuple[str, ...]) -> None:
    assert read_fact(declared("texts"), text, True) == items
    with pytest.raises(ValueProblem, match="wrong_kind texts"):
        read_fact(declared("texts"), text, False)


@pytest.mark.parametrize("text", ["", ",", " 、 "])
def test_a_written_list_of_nothing_is_empty(text: str) -> None:
    with pytest.raises(ValueProblem, match="empty"):
        read_fact(declared("texts"), text, True)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


@given(st.sampled_from(FACT_KINDS), JSON, st.booleans())
def test_what_is_read_holds_nothing_but_sound_texts_and_booleans(kind: str, value: Any, written: bool) -> None:
    try:
        read = read_fact(declared(kind), value, written)
    except ValueProblem:
        return
    texts = read if isinstance(read, tuple) else (read,)
    assert isinstance(read, {"boolean": bool, "texts": tuple}.get(kind, str))
    assert all(isinstance(text, bool) or (text == text.strip() and not forbidden_text(text)) for text in texts)


@given(st.text())
def test_text_that_a_database_or_terminal_chokes_on_is_forbidden(text: str) -> None:
    odd = [c for c in text if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000]
    assert forbidden_text(text) == bool(odd)


def fields(content: Content, kinds: tuple[str, ...] = FIELD_KINDS) -> dict[str, Field]:
    return read_fields(table({"attributes": content}).named_tables("attributes"), kinds)


def test_every_kind_can_be_declared() -> None:
    more: dict[str, Content] = {"choice": {"choices": CHOICES}, "table": {"columns": ["a", "b"]}}
    made = fields({f"f_{kind}": field(kind, **more.get(kind, {})) for kind in FIELD_KINDS})
    assert [entry.kind for entry in made.values()] == list(FIELD_KINDS)
    assert all(name == entry.name for name, entry in made.items())
    assert made["f_table"].columns == ("a", "b")
    assert dict(made["f_choice"].choices) == {
        "high": LocalText(zh="甲级", en="甲级 (en)"),
        "low": LocalText(zh="乙级", en="乙级 (en)"),
    }
    assert [(entry.required, entry.public) for entry in made.values()] == [(False, True)] * len(FIELD_KINDS)
    shy = fields({"f": field("text", required=True, public=False)})["f"]
    assert (shy.required, shy.public) == (True, False)


GOOD = {"one": field("text"), "grade": field("choice", choices=CHOICES), "rows": field("table", columns=["a"])}


@pytest.mark.parametrize(
    ("path", "value", "key", "problem"),
    [
        ("one/kind", "number", "attributes.one.kind", "allowed: text, texts, boolean, decimal, area, choice, table"),
        ("one/kind", ABSENT, "attributes.one.kind", "is missing"),
        ("one/label", ABSENT, "attributes.one.label", "is missing"),
        ("one/required", "yes", "attributes.one.required", "must be true or false"),
        ("one/public", 1, "attributes.one.public", "must be true or false"),
        ("one/hint", "x", "attributes.one.hint", "unknown key; known: choices, columns, kind, label, public, required"),
        ("one/choices", CHOICES, "attributes.one.choices", "belongs to kind 'choice'"),
        ("one/columns", ["a"], "attributes.one.columns", "belongs to kind 'table'"),
        ("grade/choices", ABSENT, "attributes.grade.choices", "belongs to kind 'choice', which needs it"),
        ("grade/choices/high", {}, "attributes.grade.choices.high.label", "is missing"),
        ("grade/choices/high", "甲级", "attributes.grade.choices", "must be a table of tables"),
        ("rows/columns", ABSENT, "attributes.rows.columns", "belongs to kind 'table', which needs it"),
        ("rows/columns", ["a", "a"], "attributes.rows.columns", "names something twice"),
        *(
            (name, field("text"), f"attributes.{name}", f"{name!r} is no field name; lower-case letters, digits and _")
            for name in ("Name", "1st", "a-b", "铅", "_a", "a" * 65)
        ),
        pytest.param("grade/choices/high/note", "x", "attributes.grade.choices.high.note", "unknown key"),
    ],
)
def test_a_declaration_that_is_wrong_is_refused(path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        fields(edited(GOOD, path, value))
    assert caught.value.key == key
    assert problem in caught.value.problem


def test_a_fact_is_of_fewer_kinds_than_an_attribute() -> None:
    assert set(FIELD_KINDS) - set(FACT_KINDS) == {"table", "instant"}
    for kind in ("table", "instant"):
        with pytest.raises(PolicyError, match=f"'{kind}' is not allowed; allowed: {', '.join(FACT_KINDS)}"):
            fields({"f": field(kind, columns=["a"])}, FACT_KINDS)


def test_the_longest_name_and_both_languages_are_kept() -> None:
    name = "a" + "b_9" * 21
    assert fields({name: {"kind": "text", "label": both("标")}})[name].label == LocalText(zh="标", en="标 (en)")
