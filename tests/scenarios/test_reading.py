"""The scenarios as a whole: enough of them, none vacuous, every code and every family present."""

import re
from collections import Counter

import pytest

from tests.scenarios.conftest import WORLDS
from tests.scenarios.scenario import DECISIONS, Scenario, ScenarioError, read_all, read_text
from tests.support.world import DEMONSTRATION

SCENARIOS = read_all()

CODES = {
    "agreement.in_force", "statute.nationwide", "jurisdiction.home", "inspection.genuine", "assumes.no_change",
    "number.malformed", "number.check_digit_wrong", "number.province_mismatch", "number.ambiguous",
    "credential.unknown", "credential.superseded", "status.suspended", "status.revoked", "status.cancelled",
    "validity.expired", "validity.not_yet",
    "issuer.unknown", "issuer.not_competent",
    "scope.not_covered", "facts.missing", "facts.not_needed",
    "subject.mismatch",
    "agreement.none", "agreement.not_in_force", "agreement.repealed", "agreement.party_not_bound",
    "agreement.out_of_scope", "agreement.condition_unmet", "purpose.never_recognized",
    "register.stale", "catalogue.not_listed", "signature.missing", "path.no_anchor",
}  # fmt: skip
"""Every reason code that the service gives so far; a new one needs a scenario."""
SECOND_REASONS = {
    "assumes.no_change", "number.check_digit_wrong", "number.province_mismatch", "facts.not_needed", "path.no_anchor",
}  # fmt: skip
"""Codes that never come first: they inform, or follow from another."""
FAMILIES = {
    "agreements", "areas", "catalogue", "credential-states", "directions", "fall-through", "freshness", "home",
    "issuers", "known-at", "locks", "numbers", "positive", "revocation", "scope", "subjects", "suspension",
    "time-matrix",
}  # fmt: skip
MATRIX = {
    f"{time}-{state}-issued-{side}"
    for time in ("past", "now", "future")
    for state in ("current", "repealed")
    for side in ("before", "after")
}
SIMPLEST = """
title = "族"
title_en = "family"
[[scenario]]
id = "simplest"
title = "题"
title_en = "title"
because = "因为。"
[scenario.query]
jurisdiction = "CN-SC"
purpose = "report.acceptance"
valid_at = "2026-10-01T00:00:00+08:00"
credential = { type = "food-operation-licence", number = "1" }
[scenario.expect]
decision = "not_found"
reason = "number.malformed"
checks = { format = "failed" }
conditions = {}
"""


def test_there_are_enough_scenarios_with_ids_of_their_own() -> None:
    assert len(SCENARIOS) >= 60
    assert [name for name, times in Counter(entry.id for entry in SCENARIOS).items() if times > 1] == []


def test_no_two_scenarios_ask_the_same() -> None:
    assert [
        entry.id
        for number, entry in enumerate(SCENARIOS)
        if any(entry.query == other.query and entry.world == other.world for other in SCENARIOS[:number])
    ] == []


def test_every_family_is_there() -> None:
    assert {entry.family for entry in SCENARIOS} == FAMILIES


def test_the_time_matrix_is_whole() -> None:
    assert {entry.id for entry in SCENARIOS if entry.family == "time-matrix"} >= MATRIX


def test_every_code_is_given_and_first_where_it_can_be() -> None:
    first = {entry.expect.reason for entry in SCENARIOS}
    assert first | {code for entry in SCENARIOS for code in entry.expect.also} == CODES
    assert first == CODES - SECOND_REASONS


def test_every_decision_is_given_in_the_demonstration() -> None:
    assert {entry.expect.decision for entry in SCENARIOS if entry.world == DEMONSTRATION} == set(DECISIONS)


def test_every_instant_of_knowledge_is_in_the_past_of_the_data() -> None:
    """A scenario with its own `known_at` gives the same answer for ever; only a few ask what is known today."""
    today = [entry.id for entry in SCENARIOS if "known_at" not in entry.query]
    assert 0 < len(today) <= 10


def test_invented_companies_are_plainly_marked() -> None:
    """The demonstration's data has a test of its own."""
    names = [
        name
        for file in WORLDS.rglob("*.jsonl")
        for name in re.findall(r'"name": "([^"]*)"', file.read_text(encoding="utf-8"))
    ]
    assert names
    assert [name for name in names if "测试" not in name] == []


def test_the_simplest_scenario_is_read() -> None:
    (entry,) = read_text(SIMPLEST, "family")
    assert isinstance(entry, Scenario)
    assert (entry.id, entry.family, entry.world, entry.by_link) == ("simplest", "family", DEMONSTRATION, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('title = "族"', 'title = "族"\nworlds = "matrix"'),
        ("because =", "becuase ="),
        ('id = "simplest"', 'id = "Not Kebab"'),
        ('title = "题"', 'title = "English"'),
        ('title_en = "title"', 'title_en = "题"'),
        ("因为。", "没有句号"),
        ("[scenario.expect]", "[scenario.expects]"),
        ("jurisdiction =", "juristiction ="),
        ("valid_at =", "valid_on ="),
        ('valid_at = "2026-10-01T00:00:00+08:00"', 'valid_at = "2026-10-01"'),
        ('valid_at = "2026-10-01T00:00:00+08:00"', "valid_at = 2026-10-01T00:00:00+08:00"),
        ("valid_at =", 'known_at = "now"\nvalid_at ='),
        ('number = "1"', 'nubmer = "1"'),
        ('decision = "not_found"', 'decision = "unfound"'),
        ('reason = "number.malformed"', 'reason = "malformed"'),
        ('reason = "number.malformed"', 'reason = "number.malformed"\nalso = "credential.unknown"'),
        ('reason = "number.malformed"', 'reason = "agreement.in_force"'),
        ("checks = { format", "checks = { formal"),
        ('format = "failed"', 'format = "refused"'),
        ("conditions = {}", 'conditions = { in_force = "closed" }'),
        ("conditions = {}", "condition = {}"),
    ],
)
def test_a_mistake_is_refused(old: str, new: str) -> None:
    assert old in SIMPLEST
    with pytest.raises(ScenarioError, match=r"family\.toml"):
        read_text(SIMPLEST.replace(old, new), "family")
