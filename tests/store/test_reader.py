"""Lean reads: by index only, of one snapshot, and never of what was damaged or is not there."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.ports import Filter, StoreError
from app.store.file import LOOK_SECONDS
from app.store.margin import LOOK
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from registry.canonical import canonical_json, digest
from registry.errors import PolicyError
from tests.store.rows import DOCUMENT, ISSUER, NUMBER, TYPE, change, report, rows_of, version

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PAST = datetime(2024, 5, 1, tzinfo=UTC)
Ask = Callable[[SqliteReader], Awaitable[Any]]

LOOKUPS: dict[str, Ask] = {
    "number": lambda reader: reader.find(TYPE, NUMBER, None, NOW),
    "number of an issuer": lambda reader: reader.find(TYPE, NUMBER, ISSUER, NOW),
    "a number that is not there": lambda reader: reader.find(TYPE, "nobody", None, NOW),
    "id": lambda reader: reader.find_by_id("cred_x", NOW),
    "status place": lambda reader: reader.status_place("cred_x"),
    "history": lambda reader: reader.history("cred_x", NOW),
    "registers": lambda reader: reader.registers(TYPE, NOW),
    "snapshot": lambda reader: reader.snapshot(),
    "page": lambda reader: reader.page(Filter(), NOW, 0, 20),
    "page of a type": lambda reader: reader.page(Filter(type=TYPE), NOW, 0, 20),
    "page of numbers": lambda reader: reader.page(Filter(numbers=(NUMBER, "x")), NOW, 0, 20),
    "page of a number and type": lambda reader: reader.page(Filter(type=TYPE, numbers=(NUMBER,)), NOW, 0, 20),
    "page of a subject": lambda reader: reader.page(Filter(subject="91500105TT0000816G"), NOW, 0, 20),
    "page of a number and issuer": lambda reader: reader.page(Filter(numbers=(NUMBER,), issuer=ISSUER), NOW, 0, 20),
}
BY_NAME = {"number", "number of an issuer", "a number that is not there"}
BY_NAME |= {"page of numbers", "page of a number and type", "page of a number and issuer"}


def plan(store: Path, ask: Ask) -> list[str]:
    """What SQLite does for every statement of a look-up."""
    reader = SqliteReader(store)
    statements: list[str] = []
    reader._connection.set_trace_callback(statements.append)
    asyncio.run(_awaited(ask, reader))
    reader._connection.set_trace_callback(None)
    assert statements
    steps = [
        row[3] for text in statements for row in reader._connection.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()
    ]
    reader.close()
    return steps


async def _awaited(ask: Ask, reader: SqliteReader) -> Any:
    return await ask(reader)


def asked(store: Path, ask: Ask) -> Any:
    reader = SqliteReader(store)
    try:
        return asyncio.run(_awaited(ask, reader))
    finally:
        reader.close()


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_look_up_scans_no_register(demo_store: Path, name: str) -> None:
    steps = plan(demo_store, LOOKUPS[name])
    scanned = {step.split()[1] for step in steps if step.startswith("SCAN ")}
    # Five rows that give the types their numbers, read once for a connection; and a row of constants.
    assert scanned <= {"credential_type", "CONSTANT"}
    if name in BY_NAME:
        assert any("credential_1 (type_no=? AND number=?" in step for step in steps), steps
    if name == "page of a subject":
        assert any("credential_version_subject (subject_uscc=?)" in step for step in steps), steps


def test_a_page_of_a_type_is_not_sorted_as_a_whole(demo_store: Path) -> None:
    """Or else every page of a province's register reads all of it, in the thread that answers everybody."""
    assert [step for step in plan(demo_store, LOOKUPS["page of a type"]) if "TEMP B-TREE" in step] == []


def test_the_plan_tells_a_scan(demo_store: Path) -> None:
    reader = SqliteReader(demo_store)
    steps = reader._connection.execute("EXPLAIN QUERY PLAN SELECT * FROM credential_version WHERE digest = 'x'")
    assert [row[3] for row in steps] == ["SCAN credential_version"]
    reader.close()


def test_a_reader_writes_nothing(demo_store: Path) -> None:
    reader = SqliteReader(demo_store)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM credential")
    reader.close()


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"accord\.db"):
        SqliteReader(tmp_path / "accord.db")
    assert list(tmp_path.iterdir()) == []


def test_each_instant_has_its_version(store: Path, writer: SqliteWriter, reader: SqliteReader) -> None:
    days = [PAST + timedelta(days=day) for day in range(3)]
    writer.append(
        [version(f"{place}", known_from=day) for place, day in enumerate(days)],
        [report(day, known_from=day) for day in days],
    )

    def at(known_at: datetime) -> tuple[str, datetime | None] | None:
        found = asyncio.run(reader.find(TYPE, NUMBER, None, known_at)).found
        return (found[0].held.credential.attributes["mark"], found[0].register_as_of) if found else None

    instant = timedelta(microseconds=1)
    assert at(days[0] - instant) is None
    for place, day in enumerate(days):
        assert at(day) == at(day + instant) == (f"{place}", day)
        assert asyncio.run(reader.registers(TYPE, day)) == {ISSUER: day}
    assert asyncio.run(reader.registers(TYPE, days[0] - instant)) == {}


def test_a_page_shows_what_was_known(writer: SqliteWriter, reader: SqliteReader) -> None:
    numbers = [f"JY1500103990{place:04}" for place in range(7)]
    for place, number in enumerate(numbers):
        writer.append([version("x", number, PAST + timedelta(days=place))], ())

    def page(known_at: datetime, after: int, limit: int) -> tuple[list[str], bool]:
        found = asyncio.run(reader.page(Filter(), known_at, after, limit))
        return [held.credential.number for _, held in found.rows], found.more

    assert page(NOW, 0, 7) == (numbers, False)
    assert page(NOW, 0, 3) == (numbers[:3], True)
    assert page(NOW, 6, 3) == (numbers[6:], False)
    assert page(PAST + timedelta(days=1), 0, 3) == (numbers[:2], False)
    assert page(NOW, 7, 3) == ([], False)


def content(**members: Any) -> bytes:
    return json.dumps(DOCUMENT | members).encode()


DAMAGES: dict[str, object] = {
    "nothing": b"",
    "no JSON": b"\xff\xfe",
    "an empty object": b"{}",
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "a number": 7,
    "other text": "证",
    "no subject": content(subject=None),
    "a subject that is a text": content(subject="x"),
    "an instant that is none": content(issued_at="soon"),
    "an event that is none": content(events=[7]),
    "a period that ends before it begins": content(valid_until="2020-01-01T00:00:00Z"),
    "attributes that are a list": content(attributes=[]),
    "a number that is a list": content(number=[]),
    "an issuer that is an object": content(issuer={}),
    "a type that is a list": content(type=[]),
    "no end any more": content(valid_until=None),
    "another holder": content(subject=DOCUMENT["subject"] | {"name": "别的公司"}),
    "another credential's": content(number="JY15001039900028"),
}


@pytest.mark.parametrize("damaged", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_version_is_not_taken_for_the_register(store: Path, writer: SqliteWriter, damaged: object) -> None:
    """Whatever no longer is what its digest says was not registered by anybody, even where it still reads well."""
    writer.append([version("sound", known_from=PAST)], ())
    change(store, "UPDATE credential_version SET content = ?", damaged)
    for ask in (
        LOOKUPS["number"],
        lambda reader: reader.find_by_id(version("x").credential_id, NOW),
        LOOKUPS["page"],
    ):
        with pytest.raises(StoreError, match="damaged") as refusal:
            asked(store, ask)
        assert "\n" not in str(refusal.value)


def test_a_sound_version_is_taken(store: Path, writer: SqliteWriter) -> None:
    writer.append([version("sound", known_from=PAST)], ())
    (row,) = rows_of(store, "SELECT content, digest FROM credential_version")
    assert digest(row[0]) == row[1]
    assert asked(store, LOOKUPS["number"]).found[0].held.digest == row[1]
    assert canonical_json(json.loads(row[0])) == row[0]


@pytest.mark.parametrize("value", ["x", 2**62], ids=["a text", "no time"])
def test_a_report_that_is_damaged(store: Path, writer: SqliteWriter, value: object) -> None:
    writer.append([version("sound", known_from=PAST)], [report(PAST, known_from=PAST)])
    change(store, "UPDATE register_report SET as_of = ?", value)
    for ask in (LOOKUPS["number"], LOOKUPS["registers"]):
        with pytest.raises(StoreError):
            asked(store, ask)


@pytest.mark.parametrize("table", ["credential", "credential_version", "register_report", "policy_document"])
def test_a_table_that_is_gone(demo_store: Path, table: str) -> None:
    change(demo_store, f"ALTER TABLE {table} RENAME TO moved")
    with pytest.raises(StoreError, match=f"no such table: {table}"):
        asked(demo_store, LOOKUPS["number"])


@pytest.mark.parametrize("damaged", [b"", b"\xff", b"[]", b"null", b"{}"])
def test_a_damaged_policy_is_not_loaded(demo_store: Path, damaged: bytes) -> None:
    change(demo_store, "UPDATE policy_document SET content = ? WHERE seq = 3", damaged)
    reader = SqliteReader(demo_store)
    try:
        with pytest.raises((StoreError, PolicyError), match=r"in the store|damaged"):
            reader.load_policies()
    finally:
        reader.close()


def test_a_policy_that_was_changed_in_the_store_is_not_loaded(demo_store: Path) -> None:
    """It still reads well, but is not what its digest says: receipts would name a digest of something else."""
    confidence = ('"confidence":"S"', '"confidence":"V"')
    change(
        demo_store,
        "UPDATE policy_document SET content = CAST(replace(CAST(content AS TEXT), ?, ?) AS BLOB)"
        " WHERE instr(CAST(content AS TEXT), ?) > 0",
        *confidence,
        confidence[0],
    )
    reader = SqliteReader(demo_store)
    try:
        with pytest.raises(StoreError, match="damaged"):
            reader.load_policies()
    finally:
        reader.close()


def test_one_look_up_sees_one_snapshot(store: Path, writer: SqliteWriter, reader: SqliteReader) -> None:
    """Between two look-ups a write may come; within one none does, though a writer holds the lock."""
    writer.append([version("before", known_from=PAST)], [report(PAST, known_from=PAST)])
    writing = sqlite3.connect(store, isolation_level=None)
    try:
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("DELETE FROM register_report")
        found = asyncio.run(reader.find(TYPE, NUMBER, None, clock.now())).found
        assert found[0].register_as_of == PAST
        writing.execute("COMMIT")
    finally:
        writing.close()
    clock.wait(LOOK.total_seconds())
    assert asyncio.run(reader.find(TYPE, NUMBER, None, clock.now())).found[0].register_as_of is None


def test_a_file_put_in_place_of_the_store_is_noticed_within_a_second(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: instant[0])
    reader = SqliteReader(store)
    ask = LOOKUPS["number"]
    before = asyncio.run(ask(reader))
    other = store.with_name("other")
    other.write_bytes(store.read_bytes())
    other.replace(store)
    instant[0] = LOOK_SECONDS - 0.001
    assert asyncio.run(ask(reader)) == before
    instant[0] = LOOK_SECONDS
    for _ in range(2):
        with pytest.raises(StoreError, match="was replaced by another file; restart"):
            asyncio.run(ask(reader))
    reader.close()
