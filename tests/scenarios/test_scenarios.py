"""Every scenario through the core, the HTTP API (by body and by link) and the command line, with one decision core."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from app.messages import LANGUAGES
from tests.scenarios import asking
from tests.scenarios.answers import FORBIDDEN_IN_INSPECTIONS, INSPECTION, differences, shortcomings
from tests.scenarios.scenario import DECISIONS, Scenario, read_all
from tests.support.world import World

SCENARIOS = read_all()
CHINESE, ENGLISH = LANGUAGES


def by_id(scenarios: Iterable[Scenario]) -> list[Any]:
    return [pytest.param(entry, id=entry.id) for entry in scenarios]


def one_for_each_decision() -> list[Scenario]:
    """A few questions are asked of a process of its own: for each decision the first scenario."""
    return [next(entry for entry in SCENARIOS if entry.expect.decision == decision) for decision in DECISIONS]


def read_by_people() -> list[Scenario]:
    """The lines for people are looked at where the wording is bound, and once in every family."""
    families = {entry.family: entry.id for entry in reversed(SCENARIOS)}
    return [entry for entry in SCENARIOS if entry.query["purpose"] == INSPECTION or entry.id in families.values()]


def as_known_then(scenario: Scenario, view: dict[str, Any]) -> dict[str, Any]:
    """The scenario's question, asked again of what was known at the instant that the answer names."""
    return {**scenario.query, "known_at": view["known_at"]}


@pytest.mark.parametrize("scenario", by_id(SCENARIOS))
def test_the_core(scenario: Scenario, open_world: Callable[[str], World]) -> None:
    world = open_world(scenario.world)
    decision = asking.ask_core(world, scenario.query)
    chinese, english = (asking.core_view(world, decision, language) for language in LANGUAGES)
    assert differences(scenario.expect, chinese) == []
    assert shortcomings(chinese, english) == []
    again = asking.ask_core(world, as_known_then(scenario, chinese))
    assert asking.core_bytes(again) == asking.core_bytes(decision)


@pytest.mark.parametrize("scenario", by_id(SCENARIOS))
def test_the_api(scenario: Scenario, open_world: Callable[[str], World]) -> None:
    world = open_world(scenario.world)
    chinese = asking.ask_api(world, scenario.query, CHINESE)
    query = as_known_then(scenario, chinese)
    english = asking.ask_api(world, query, ENGLISH)
    assert differences(scenario.expect, chinese) == []
    assert shortcomings(chinese, english) == []
    decision = asking.ask_core(world, query)
    assert asking.disagreement(world, decision, chinese, CHINESE) == []
    assert asking.disagreement(world, decision, english, ENGLISH) == []


@pytest.mark.parametrize("scenario", by_id(entry for entry in SCENARIOS if entry.by_link))
def test_the_api_by_link(scenario: Scenario, open_world: Callable[[str], World]) -> None:
    world = open_world(scenario.world)
    view = asking.ask_by_link(world, scenario.query, CHINESE)
    assert differences(scenario.expect, view) == []
    decision = asking.ask_core(world, as_known_then(scenario, view))
    assert asking.disagreement(world, decision, view, CHINESE) == []


@pytest.mark.parametrize("scenario", by_id(SCENARIOS))
def test_the_command_line(scenario: Scenario, open_world: Callable[[str], World]) -> None:
    world = open_world(scenario.world)
    code, output = asking.ask_shell(world, scenario.query, CHINESE)
    chinese = json.loads(output)
    query = as_known_then(scenario, chinese)
    english_code, output = asking.ask_shell(world, query, ENGLISH)
    english = json.loads(output)
    assert differences(scenario.expect, chinese) == []
    assert shortcomings(chinese, english) == []
    assert (code, english_code) == (asking.EXIT_CODES[scenario.expect.decision],) * 2
    decision = asking.ask_core(world, query)
    assert asking.disagreement(world, decision, chinese, CHINESE) == []
    assert asking.disagreement(world, decision, english, ENGLISH) == []


@pytest.mark.parametrize("scenario", by_id(read_by_people()))
def test_the_command_line_for_people(scenario: Scenario, open_world: Callable[[str], World]) -> None:
    code, output = asking.ask_shell(open_world(scenario.world), scenario.query, CHINESE, plain=True)
    assert code == asking.EXIT_CODES[scenario.expect.decision]
    assert all(f"[{reason}]" in output for reason in (scenario.expect.reason, *scenario.expect.also))
    assert scenario.query["purpose"] != INSPECTION or FORBIDDEN_IN_INSPECTIONS not in output


@pytest.mark.parametrize("scenario", by_id(one_for_each_decision()))
def test_the_command_line_as_a_process(scenario: Scenario, open_world: Callable[[str], World]) -> None:
    world = open_world(scenario.world)
    code, view = asking.ask_process(world, scenario.query, CHINESE)
    assert code == asking.EXIT_CODES[scenario.expect.decision]
    assert differences(scenario.expect, view) == []
    decision = asking.ask_core(world, as_known_then(scenario, view))
    assert asking.disagreement(world, decision, view, CHINESE) == []
