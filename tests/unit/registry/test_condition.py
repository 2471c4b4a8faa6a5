"""Conditions: every kind, met, open and unmet."""

from typing import Any

import pytest

from registry.authorisation import Authorisation, read_authorisations
from registry.catalogue import read_catalogue
from registry.condition import CONDITION_KINDS, Condition, ConditionCase, read_condition
from registry.document import LocalText
from registry.errors import PolicyError
from registry.finding import CHECKS
from tests.unit.registry.specimens import (
    ABSENT,
    SOURCE,
    Content,
    authorisations,
    authorised_row,
    catalogue,
    condition,
    document,
    edited,
    table,
)

CATALOGUE = read_catalogue(document("catalogue", catalogue()))
LABORATORY = {"at": "tested_at", "instrument": "instrument", "range": ["low", "high", "unit"], "classes": "class"}
WRITTEN: dict[str, Content] = {
    "checks": {"checks": ["status", "validity"]},
    "attribute_is": {"attribute": "result", "value": "positive"},
    "fact_is": {"fact": "letter", "value": True},
    "fact_matches_attribute": {"fact": "model", "attribute": "model"},
    "facts_within": {"fact": "items", "attribute": "items"},
    "laboratory_authorised": LABORATORY,
    "step": {"fact": "committed"},
    "authority_confirms": {},
}


def a_case(**known: Any) -> ConditionCase:
    """A case of which only this is known."""
    bare = {"attributes": {}, "facts": {}, "results": {}, "authorisations": None, "catalogue": CATALOGUE}
    return ConditionCase(**{**bare, **known})


def read(content: Content) -> Condition:
    return read_condition(table(content))


def rows(*contents: Content) -> tuple[Authorisation, ...]:
    return read_authorisations(document("authorisation", authorisations(*contents))).rows


def made(kind: str, **operands: Any) -> Condition:
    return read(condition(kind, **{**WRITTEN[kind], **operands}))


def test_every_kind_is_tried_here() -> None:
    assert set(WRITTEN) == set(CONDITION_KINDS)


@pytest.mark.parametrize("kind", CONDITION_KINDS)
def test_a_condition_is_read_as_written(kind: str) -> None:
    expected = {name: tuple(value) if isinstance(value, list) else value for name, value in WRITTEN[kind].items()}
    assert made(kind) == Condition(id="c1", kind=kind, text=LocalText(zh="c1", en="c1 (en)"), **expected)


@pytest.mark.parametrize(
    ("kind", "path", "value", "key", "problem"),
    [
        ("step", "kind", "promise", "kind", "'promise' is not allowed; allowed: checks, attribute_is, fact_is"),
        ("step", "id", ABSENT, "id", "is missing"),
        ("step", "text", ABSENT, "text", "is missing"),
        *((kind, "hint", 1, "hint", "unknown key; known: ") for kind in CONDITION_KINDS),
        *((kind, operand, ABSENT, operand, "is missing") for kind, operands in WRITTEN.items() for operand in operands),
        # Operands of other kinds are not for decoration.
        ("step", "value", True, "value", "unknown key; known: fact, id, kind, text"),
        ("step", "attribute", "a", "attribute", "unknown key"),
        ("authority_confirms", "fact", "a", "fact", "unknown key; known: id, kind, text"),
        ("fact_is", "checks", ["status"], "checks", "unknown key; known: fact, id, kind, text, value"),
        ("checks", "checks", ["state"], "checks", f"'state' is not a check; checks: {', '.join(CHECKS)}"),
        ("checks", "checks", [], "checks", "must not be empty"),
        ("checks", "where_given", "yes", "where_given", "must be true or false"),
        ("step", "where_given", True, "where_given", "unknown key"),
        ("fact_is", "value", 1, "value", "must be a text, true or false"),
        ("laboratory_authorised", "range", ["low", "high"], "range", "names three facts: minimum, maximum, unit"),
        ("laboratory_authorised", "range", ["a", "b", "c", "d"], "range", "names three facts"),
    ],
)
def test_a_condition_that_is_wrong_is_refused(kind: str, path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(edited(condition(kind, **WRITTEN[kind]), path, value))
    assert (caught.value.source, caught.value.key) == (SOURCE, key)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ({"status": "passed", "validity": "passed"}, "met"),
        # A check that looked at nothing proves nothing.
        ({"status": "passed", "validity": "skipped"}, "open"),
        ({"status": "failed", "validity": "skipped"}, "unmet"),
        ({"status": "passed", "validity": "indeterminate"}, "open"),
        ({"status": "failed", "validity": "passed"}, "unmet"),
        ({"status": "indeterminate", "validity": "failed"}, "unmet"),
        ({"status": "passed"}, "open"),
        ({"status": "passed", "validity": "passed", "scope": "failed"}, "met"),
    ],
)
def test_checks(results: dict[str, Any], state: str) -> None:
    assert made("checks").judge(a_case(results=results)) == state


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ({"status": "passed", "validity": "skipped"}, "met"),
        ({"status": "skipped", "validity": "skipped"}, "met"),
        ({"status": "failed", "validity": "skipped"}, "unmet"),
        ({"status": "indeterminate", "validity": "skipped"}, "open"),
    ],
)
def test_checks_where_something_was_given(results: dict[str, Any], state: str) -> None:
    assert made("checks", where_given=True).judge(a_case(results=results)) == state


@pytest.mark.parametrize(
    ("value", "held", "state"),
    [
        ("positive", "positive", "met"),
        ("positive", " POSITIVE", "met"),
        ("positive", "negative", "unmet"),
        ("positive", True, "unmet"),
        ("positive", None, "open"),
        (True, True, "met"),
        (True, False, "unmet"),
        (False, False, "met"),
        (True, "true", "unmet"),
        ("a", ["a"], "unmet"),
    ],
)
def test_attribute_is(value: str | bool, held: Any, state: str) -> None:
    held_as = {} if held is None else {"result": held}
    assert made("attribute_is", value=value).judge(a_case(attributes=held_as)) == state
    assert made("attribute_is", value=value).judge(a_case(facts=held_as)) == "open"


@pytest.mark.parametrize(
    ("value", "given", "state"),
    [
        (True, True, "met"),
        (True, False, "unmet"),
        (True, None, "open"),
        (False, False, "met"),
        ("连锁", " 连 锁", "met"),
        ("连锁", "单店", "unmet"),
        ("连锁", ("连锁",), "unmet"),
    ],
)
def test_fact_is(value: str | bool, given: Any, state: str) -> None:
    given_as = {} if given is None else {"letter": given}
    assert made("fact_is", value=value).judge(a_case(facts=given_as)) == state
    assert made("fact_is", value=value).judge(a_case(attributes=given_as)) == "open"


@pytest.mark.parametrize(
    ("given", "held", "state"),
    [
        ("TCS-30", "ｔｃｓ-30", "met"),
        ("TCS-30", "TCS-60", "unmet"),
        (None, "TCS-60", "open"),
        ("TCS-30", None, "open"),
        (None, None, "open"),
        (True, True, "met"),
        (True, False, "unmet"),
        pytest.param(
            ("a", "b"),
            ["a", "b"],
            "met",
        ),
    ],
)
def test_fact_matches_attribute(given: Any, held: Any, state: str) -> None:
    facts = {} if given is None else {"model": given}
    attributes = {} if held is None else {"model": held}
    assert made("fact_matches_attribute").judge(a_case(facts=facts, attributes=attributes)) == state


@pytest.mark.parametrize(
    ("given", "held", "state"),
    [
        (("面包",), ["面包", "蛋糕"], "met"),
        (("蛋 糕", "面包"), ["面包", "蛋糕"], "met"),
        ("面包", ["面包"], "met"),
        (("面包", "茶"), ["面包"], "unmet"),
        (("面包",), [], "unmet"),
        (None, ["面包"], "open"),
        (("面包",), None, "open"),
        pytest.param(
            ("面包",),
            "面包",
            "met",
        ),
        pytest.param(
            ("面包",),
            True,
            "unmet",
        ),
    ],
)
def test_facts_within(given: Any, held: Any, state: str) -> None:
    facts = {} if given is None else {"items": given}
    attributes = {} if held is None else {"items": held}
    assert made("facts_within").judge(a_case(facts=facts, attributes=attributes)) == state


@pytest.mark.parametrize(("given", "state"), [(True, "met"), (False, "open"), (None, "open"), ("true", "open")])
def test_a_step_is_never_unmet(given: Any, state: str) -> None:
    facts = {} if given is None else {"committed": given}
    assert made("step").judge(a_case(facts=facts)) == state


@pytest.mark.parametrize("results", [{}, {"status": "passed"}, {"status": "failed"}])
def test_only_the_authority_itself_can_confirm(results: dict[str, Any]) -> None:
    assert made("authority_confirms").judge(a_case(results=results, facts={"confirmed": True})) == "open"


FACTS = {"instrument": "水表", "low": "1", "high": "2", "unit": "m³/h", "class": "2级"}


def authorised(**other: Any) -> ConditionCase:
    """A case in which the laboratory was authorised, but for what is told."""
    tested = {"tested_at": "2024-01-01T00:00:00Z"}
    return a_case(**{"facts": FACTS, "attributes": tested, "authorisations": rows(authorised_row()), **other})


def with_facts(**facts: Any) -> ConditionCase:
    return authorised(facts={**FACTS, **facts})


@pytest.mark.parametrize(
    ("case", "state"),
    [
        (authorised(), "met"),
        (with_facts(instrument="冷水水表"), "met"),
        (with_facts(**{"class": ("2级", "Ⅲ级")}), "met"),
        (authorised(catalogue=None), "met"),
        (authorised(facts={**FACTS, "instrument": "冷水水表"}, catalogue=None), "unmet"),
        (with_facts(instrument="电子秤"), "unmet"),
        (with_facts(high="20.1"), "unmet"),
        (with_facts(**{"class": "1级"}), "unmet"),
        (with_facts(**{"class": ("2级", "1级")}), "unmet"),
        (with_facts(unit="L/h"), "open"),
        (with_facts(low="wide"), "open"),
        (authorised(attributes={"tested_at": "2019-12-31T23:59:59.999999Z"}), "unmet"),
        (authorised(attributes={"tested_at": "2020-01-01T00:00:00Z"}), "met"),
        (authorised(attributes={"tested_at": "2026-01-01T00:00:00Z"}), "unmet"),
        (authorised(attributes={}), "open"),
        (authorised(authorisations=None), "open"),
        (authorised(authorisations=()), "unmet"),
        # One row that covers is enough; one in another unit leaves it open.
        (authorised(authorisations=rows(authorised_row(max="1"), authorised_row())), "met"),
        (authorised(authorisations=rows(authorised_row(unit="L/h"), authorised_row())), "met"),
        (authorised(authorisations=rows(authorised_row(unit="L/h"), authorised_row(max="1"))), "open"),
        # Two rows do not add up to one range.
        (authorised(authorisations=rows(authorised_row(max="1.5"), authorised_row(min="1.5"))), "unmet"),
        *((authorised(facts={name: v for name, v in FACTS.items() if name != missing}), "open") for missing in FACTS),
    ],
)
def test_laboratory_authorised(case: ConditionCase, state: str) -> None:
    assert made("laboratory_authorised").judge(case) == state


@pytest.mark.parametrize("kind", CONDITION_KINDS)
def test_a_case_of_which_nothing_is_known_leaves_every_condition_open(kind: str) -> None:
    assert made(kind).judge(a_case()) == "open"
