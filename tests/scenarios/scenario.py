"""Scenarios as they are written down: read strictly, so that a misspelt key cannot make one prove nothing."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.world import DEMONSTRATION, WorldError, exactly

FOLDER = Path(__file__).parent

DECISIONS = ("recognized", "conditional", "not_recognized", "not_required", "indeterminate", "not_found")
CHECKS = (
    "format",
    "signature",
    "path",
    "issuer",
    "status",
    "validity",
    "scope",
    "subject",
    "agreement",
    "freshness",
)
RESULTS = ("passed", "failed", "indeterminate", "skipped")
STATES = ("met", "open", "unmet")
RESTS_ON_AGREEMENT = ("agreement.in_force", "statute.nationwide")

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_CODE = re.compile(r"[a-z_]+\.[a-z_]+", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


class ScenarioError(Exception):
    """A scenario file is not in order; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the answer must be. None, or nothing, where the scenario does not say."""

    decision: str
    reason: str
    also: tuple[str, ...]
    agreement: str | None
    conditions: Mapping[str, str] | None
    checks: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One question, what must be answered, and why."""

    id: str
    family: str
    world: str
    title: str
    title_en: str
    because: str
    query: Mapping[str, Any]
    expect: Expectation

    @property
    def by_link(self) -> bool:
        """Whether the question can be asked by link: all can but those that name the holder."""
        return "expected_subject" not in self.query


def _require(condition: object, where: str, problem: str) -> None:
    if not condition:
        raise ScenarioError(f"{where}: {problem}")


def _texts(table: Mapping[str, Any], where: str, *keys: str) -> None:
    for key in keys:
        value = table.get(key, "-")
        _require(isinstance(value, str) and value.strip() == value and value, where, f"{key} must be a text")


def _choices(table: Mapping[str, Any], names: tuple[str, ...] | None, allowed: tuple[str, ...], where: str) -> None:
    for name, value in table.items():
        _require(names is None or name in names, where, f"{name!r} is none of {names}")
        _require(value in allowed, where, f"{name} is {value!r}, none of {allowed}")


def _read_query(table: Any, where: str) -> Mapping[str, Any]:
    query = exactly(
        table,
        where,
        ("jurisdiction", "purpose", "valid_at"),
        ("credential", "known_at", "relying_party", "expected_subject", "facts"),
    )
    _texts(query, where, "jurisdiction", "purpose", "relying_party")
    for key in ("valid_at", "known_at"):
        _require(_INSTANT.fullmatch(str(query.get(key, query["valid_at"]))), where, f"{key} must be an RFC 3339 text")
    exactly(query.get("credential", {}), f"{where}.credential", (), ("id", "type", "number", "issuer"))
    exactly(query.get("expected_subject", {}), f"{where}.expected_subject", (), ("uscc", "name"))
    _require(isinstance(query.get("facts", {}), dict), where, "facts must be a table")
    return query


def _read_expectation(table: Any, where: str) -> Expectation:
    entry = exactly(table, where, ("decision", "reason"), ("also", "agreement", "conditions", "checks"))
    _require(entry["decision"] in DECISIONS, where, f"decision is none of {DECISIONS}")
    also = entry.get("also", [])
    _require(isinstance(also, list), where, "also must be a list of codes")
    for code in (entry["reason"], *also):
        _require(isinstance(code, str) and _CODE.fullmatch(code), where, f"{code!r} is no reason code")
    _texts(entry, where, "agreement")
    _require(
        "agreement" in entry or entry["reason"] not in RESTS_ON_AGREEMENT, where, "must name the agreement it rests on"
    )
    for key, names, allowed in (("conditions", None, STATES), ("checks", CHECKS, RESULTS)):
        _require(isinstance(entry.get(key, {}), dict), where, f"{key} must be a table")
        _choices(entry.get(key, {}), names, allowed, f"{where}.{key}")
    return Expectation(
        decision=entry["decision"],
        reason=entry["reason"],
        also=tuple(also),
        agreement=entry.get("agreement"),
        conditions=entry.get("conditions"),
        checks=entry.get("checks", {}),
    )


def _read_scenario(table: Any, world: str, family: str, where: str) -> Scenario:
    entry = exactly(table, where, ("id", "title", "title_en", "because", "query", "expect"), ("world",))
    _texts(entry, where, "id", "title", "title_en", "because", "world")
    _require(_ID.fullmatch(entry["id"]), where, "id must be lower-case words joined by hyphens")
    where = f"{family}.toml: {entry['id']}"
    _require(_CHINESE.search(entry["title"]), where, "title must be Chinese")
    _require(not _CHINESE.search(entry["title_en"]), where, "title_en must be English")
    _require(_CHINESE.search(entry["because"]), where, "because must be Chinese")
    _require(entry["because"].endswith("。"), where, "because must be a sentence that ends in 。")
    return Scenario(
        id=entry["id"],
        family=family,
        world=entry.get("world", world),
        title=entry["title"],
        title_en=entry["title_en"],
        because=entry["because"],
        query=_read_query(entry["query"], f"{where}: query"),
        expect=_read_expectation(entry["expect"], f"{where}: expect"),
    )


def read_text(text: str, family: str) -> tuple[Scenario, ...]:
    """The scenarios of one family. Raises `ScenarioError`."""
    try:
        content = exactly(tomllib.loads(text), f"{family}.toml", ("title", "title_en", "scenario"), ("world",))
        _texts(content, f"{family}.toml", "title", "title_en", "world")
        _require(isinstance(content["scenario"], list), f"{family}.toml", "needs [[scenario]] tables")
        world = content.get("world", DEMONSTRATION)
        return tuple(
            _read_scenario(entry, world, family, f"{family}.toml: scenario {number}")
            for number, entry in enumerate(content["scenario"], start=1)
        )
    except (WorldError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{family}.toml: {error}") from error


def read_all() -> tuple[Scenario, ...]:
    """The scenarios of all families, in the order in which they are written. Raises `ScenarioError`."""
    files = sorted(FOLDER.glob("*.toml"))
    return tuple(entry for file in files for entry in read_text(file.read_text(encoding="utf-8"), file.stem))
