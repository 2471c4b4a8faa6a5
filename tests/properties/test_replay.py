"""Replay: the same query with the same `known_at` gives the same core, byte for byte, after anything that is written.

On a real store: answers are recorded, then credentials are revoked and amended, policy files get new versions, and
every answer is asked for again.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import orjson
from msgspec.structs import replace

from app import clock
from app.bootstrap import lock_material
from app.cli.demo import prepare
from app.demonstration.loader import demonstration_documents
from app.ports import RegisterReport, VersionRow
from app.settings import Settings
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.load_register import version_rows
from app.usecases.recognize import Recognizer
from registry.canonical import unguarded_canonical_json
from registry.document import PolicyDocument, parse_document
from registry.receipt import core

VALID_AT = datetime(2026, 10, 1, tzinfo=UTC)
FACTS = {
    "report.acceptance": {"parameter": "铅", "method": "GB 5009.12-2023", "site": "重庆市渝北区"},
    "premises.open-store": {"premises_area": "510104", "directly_operated": True},
    "inspection.authenticity": {},
    "platform.onboarding": {"items": ["预包装食品销售"]},
    "market.placement": {"instrument": "水表"},
}


def questions(reader: SqliteReader) -> list[dict]:
    """Every demonstration credential, for each purpose above that its type has, in both places."""
    policy = reader.load_policies().latest
    asked = []
    for document in demonstration_documents():
        purposes = policy.profiles[document["type"]].purposes
        for purpose in [name for name in purposes if name in FACTS or name == "bidding.sign"]:
            for jurisdiction in policy.recognizing:
                facts = {
                    k: v for k, v in FACTS.get(purpose, {}).items() if k in policy.profiles[document["type"]].facts
                }
                asked.append(
                    {
                        "credential": {"type": document["type"], "number": document["number"]},
                        "jurisdiction": jurisdiction,
                        "purpose": purpose,
                        "valid_at": VALID_AT.isoformat(),
                        "facts": facts,
                    }
                )
    return asked


def answers(path: Path, asked: list[dict]) -> tuple[list[bytes], list[str]]:
    """The cores of all answers, and their decisions, from a freshly opened store."""
    reader = SqliteReader(path)
    recognizer = Recognizer(reader, reader.load_policies(), lock_material(path))

    decisions = []

    async def ask() -> None:
        # Nothing is returned: `asyncio.run` writes out what is, when it gives the signal's handler back.
        decisions.extend([(await recognizer.recognize(question, clock.now()))[1] for question in asked])

    asyncio.run(ask())
    reader.close()
    return [unguarded_canonical_json(core(entry)) for entry in decisions], [entry.outcome for entry in decisions]


def revoked_versions(path: Path) -> list[VersionRow]:
    """A new version of every credential: revoked from the beginning of 2020, known from the next write on."""
    reader = SqliteReader(path)
    policy = reader.load_policies().latest
    reader.close()
    event = {
        "event": "revoked",
        "kind": "annulled",
        "effective_at": "2020-01-01T00:00:00+08:00",
        "recorded_at": "2026-11-22T00:00:00+08:00",
    }
    documents = [entry | {"events": [*entry.get("events", []), event]} for entry in demonstration_documents()]
    rows, problems = version_rows(documents, policy, b"test")
    assert not problems
    latest = {(row.type, row.number, row.issuer): row for row in rows}
    return [replace(row, known_from=None) for row in latest.values()]


REPEALED = "version = 2\nrepealed_at = 2025-01-01T00:00:00+08:00\n"


def next_versions() -> list[PolicyDocument]:
    """Version 2 of two agreements and a profile: one repealed, one with another basis, one with another max_age."""
    folder = resources.files("registry")
    changed = []
    for kind, name, old, new in (
        (
            "agreement",
            "statute-inspection-body.toml",
            "version = 1\n",
            REPEALED,
        ),
        (
            "agreement",
            "cq-cd-food-chain-sales.toml",
            "version = 1\n",
            REPEALED,
        ),
        ("profile", "food-operation-licence.toml", "version = 1\n", "version = 2\n"),
    ):
        text = folder.joinpath(f"{kind}s", name).read_text(encoding="utf-8")
        assert old in text
        text = text.replace(old, new, 1).replace("max_age_hours = 48", "max_age_hours = 1")
        changed.append(parse_document(kind, name, text.encode()))
    return changed


def test_replay_after_later_writes_and_a_changed_policy(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    prepare(settings)
    path = settings.store_path
    reader = SqliteReader(path)
    asked = questions(reader)
    reader.close()
    assert len(asked) > 500
    known_at = clock.now()
    asked = [question | {"known_at": known_at.isoformat()} for question in asked]
    before, outcomes = answers(path, asked)
    assert {"recognized", "conditional", "not_recognized", "indeterminate"} <= set(outcomes)

    writer = SqliteWriter(path)
    writer.append(revoked_versions(path), ())
    assert answers(path, asked)[0] == before
    assert writer.enter_policies(next_versions()) == 3
    assert answers(path, asked)[0] == before
    writer.append((), [RegisterReport(issuer="cq-samr", type="metrology-type-approval", as_of=clock.now())])
    writer.close()
    assert answers(path, asked)[0] == before

    # And the writes did change what is answered now: the sameness above was not for want of a difference.
    today = [{name: value for name, value in question.items() if name != "known_at"} for question in asked]
    after, outcomes_now = answers(path, today)
    assert [orjson.loads(core_)["decision"] for core_ in after] == outcomes_now
    assert outcomes_now.count("recognized") + outcomes_now.count("conditional") == 0
    assert outcomes.count("recognized") > 100


def test_a_running_node_sees_policy_that_another_process_enters(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    prepare(settings)
    reader = SqliteReader(settings.store_path)
    recognizer = Recognizer(reader, reader.load_policies(), lock_material(settings.store_path))
    question = {
        "credential": {"type": "inspection-body-qualification", "number": "222220349001"},
        "jurisdiction": "CN-SC",
        "purpose": "report.acceptance",
        "valid_at": VALID_AT.isoformat(),
        "facts": FACTS["report.acceptance"],
    }

    def ask(known_at: datetime | None = None) -> str:
        content = question if known_at is None else question | {"known_at": known_at.isoformat()}
        return asyncio.run(recognizer.recognize(content, clock.now()))[1].outcome

    assert ask() == "recognized"
    moment = clock.now()
    writer = SqliteWriter(settings.store_path)
    writer.enter_policies(next_versions())
    writer.close()
    assert ask() == "not_recognized"
    assert ask(moment) == "recognized"
    assert ask(moment - timedelta(days=30)) == "recognized"
    reader.close()
