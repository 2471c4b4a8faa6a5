"""Places in status lists: given once and for ever, with the rows of the same write; what is altered is named."""

import random
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.ports import StoreError, VersionRow
from app.store import schema, status_places
from app.store.audit import audit
from app.store.journal import Journal
from app.store.status_lists import SqliteStatusLists
from app.store.writer import SqliteWriter
from registry.canonical import canonical_json, digest
from registry.credential import credential_id
from registry.period import to_micros
from registry.status_index import CAPACITY, PLACES, index_of, list_id
from registry.status_list import INVALID, SUSPENDED, VALID
from tests.store.rows import DOCUMENT, ISSUER, NUMBER, TYPE, change, rows_of, seed, take_back, version, whole

DAY = timedelta(days=1)
PAST = datetime(2024, 5, 1, tzinfo=UTC)
PLACES_OF = "SELECT credential_id, status_list, status_index FROM credential ORDER BY no"
TURNS = "SELECT list_no, place, known_from, turns FROM status_turn"


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"JY{place:014d}" for place in range(start, start + count)]


def step(name: str, effective_at: datetime, known: datetime) -> dict[str, Any]:
    stamps = {"effective_at": effective_at.isoformat(), "recorded_at": known.isoformat()}
    return {"event": name, "kind": "penalty" if name == "revoked" else None, **stamps}


def eventful(known_from: datetime | None, *events: dict[str, Any], number: str = NUMBER) -> VersionRow:
    """A version with events."""
    content = canonical_json(DOCUMENT | {"number": number, "events": list(events)})
    return VersionRow(
        credential_id=credential_id(TYPE, number, ISSUER),
        type=TYPE,
        number=number,
        issuer=ISSUER,
        known_from=known_from,
        digest=digest(content),
        content=content,
        subject_uscc="91500105TT0000816G",
        subject_name="重庆测试有限公司",
    )


def secret_of(store: Path) -> bytes:
    secret: bytes = rows_of(store, "SELECT secret FROM store_info")[0][0]
    return secret


def test_every_credential_has_a_place_of_its_own(demo_store: Path) -> None:
    places = rows_of(demo_store, PLACES_OF)
    assert len({(listed, index) for _, listed, index in places}) == len(places) > 50
    assert all(0 <= index < PLACES for _, _, index in places)
    lists = rows_of(demo_store, "SELECT type_no, issuer_no, given FROM status_list ORDER BY 1, 2")
    held = rows_of(demo_store, "SELECT type_no, issuer_no, count(*) FROM credential GROUP BY 1, 2 ORDER BY 1, 2")
    assert lists == held


def test_a_place_stays_whatever_is_written_later(store: Path, writer: SqliteWriter) -> None:
    writer.append([version("one", number) for number in numbers(20)], [])
    first = rows_of(store, PLACES_OF)
    writer.append([eventful(None, step("revoked", PAST, PAST), number=number) for number in numbers(5)], [])
    writer.append([version("two", number) for number in reversed(numbers(30))], [])
    other = SqliteWriter(store)
    other.append([version("three", number) for number in numbers(10, 40)], [])
    other.close()
    after = rows_of(store, PLACES_OF)
    assert after[:20] == first
    assert len({index for _, _, index in after}) == len(after) == 40
    assert rows_of(store, "SELECT ordinal, given FROM status_list") == [(0, 40)]
    assert audit(store, None).difference is None


def test_places_are_given_in_an_order_that_the_secret_shuffles(store: Path, writer: SqliteWriter) -> None:
    writer.append([version("one", number) for number in numbers(50)], [])
    listed = list_id(secret_of(store), TYPE, ISSUER, 0)
    assert rows_of(store, "SELECT list_id FROM status_list") == [(listed,)]
    indices = [row[2] for row in rows_of(store, PLACES_OF)]
    assert indices == [index_of(secret_of(store), listed, nth) for nth in range(50)]
    assert indices != sorted(indices)


def test_a_write_that_fails_gives_no_place_away(
    store: Path, writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append([version("one", number) for number in numbers(3)], [])
    before = whole(store)

    def fail(self: Journal, recorded_at: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "write", fail)
        with pytest.raises(StoreError, match="disk is full"):
            writer.append([version("lost", "JY99999999999999")], [])
    assert whole(store) == before
    writer.append([version("four", number) for number in numbers(1, 3)], [])
    listed = list_id(secret_of(store), TYPE, ISSUER, 0)
    assert rows_of(store, PLACES_OF)[-1][2] == index_of(secret_of(store), listed, 3)


def test_a_full_list_is_followed_by_another(store: Path, writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_places, "CAPACITY", 4)
    monkeypatch.setattr("app.store.status_audit.CAPACITY", 4)
    writer.append([version("one", number) for number in numbers(6)], [])
    writer.append([version("one", number) for number in numbers(4, 6)], [])
    secret = secret_of(store)
    lists = rows_of(store, "SELECT no, list_id, ordinal, given FROM status_list ORDER BY no")
    assert [row[1:] for row in lists] == [
        (list_id(secret, TYPE, ISSUER, ordinal), ordinal, given) for ordinal, given in ((0, 4), (1, 4), (2, 2))
    ]
    assert [row[1] for row in rows_of(store, PLACES_OF)] == [lists[nth // 4][0] for nth in range(10)]
    assert audit(store, None).difference is None


def test_a_register_without_events_has_no_rows_of_turns(store: Path, writer: SqliteWriter) -> None:
    writer.append([version("one", number) for number in numbers(20)], [])
    writer.append([version("two", number) for number in numbers(20)], [])
    assert rows_of(store, TURNS) == []


def newest(store: Path, known_at: datetime, at: datetime) -> int:
    """What the rows of turns say of the one credential with any."""
    status = VALID
    reader = SqliteStatusLists(store, seed)
    (listed,) = rows_of(store, "SELECT list_id FROM status_list")[0]
    found = reader.read(listed)
    reader.close()
    assert found is not None
    for _, known_from, turns in found.rows:
        if known_from <= to_micros(known_at):
            status = max([(when, to) for when, to in turns if when <= to_micros(at)], default=(0, VALID))[1]
    return status


@pytest.mark.parametrize("order", range(6))
def test_turns_are_the_newest_version_s_in_whatever_order_versions_come(
    store: Path, writer: SqliteWriter, order: int
) -> None:
    """A test store may learn late what was known early; a version may take back what an earlier one said."""
    known = [PAST + place * DAY for place in range(4)]
    revoked, suspended = step("revoked", PAST, PAST), step("suspended", PAST, PAST)
    rows = [
        eventful(known[0]),
        eventful(known[1], revoked),
        eventful(known[2]),
        eventful(known[3], suspended),
    ]
    random.Random(order).shuffle(rows)
    for row in rows:
        writer.append([row], [])
        assert audit(store, None).difference is None
    told = [newest(store, moment, PAST + 9 * DAY) for moment in known]
    assert told == [VALID, INVALID, VALID, SUSPENDED]
    assert newest(store, known[1], PAST - DAY) == VALID


TAMPERING = {
    "no index": ("UPDATE credential SET status_index = NULL WHERE no = 5", "has no status index"),
    "no list": ("UPDATE credential SET status_list = NULL WHERE no = 5", "has no status index"),
    "another's index": (
        "UPDATE credential SET status_index = (SELECT status_index FROM credential WHERE no = 6) WHERE no = 5",
        "has not the status index that it was given",
    ),
    "a moved index": (
        "UPDATE credential SET status_index = status_index + 1 WHERE no = 5",
        "has not the status index that it was given",
    ),
    "another list": (
        "UPDATE credential SET status_list = status_list + 1 WHERE no = 5",
        "has not the status index that it was given",
    ),
    "a count": ("UPDATE status_list SET given = given - 1 WHERE no = 1", "gave out 19 places, and 20 credentials"),
    "another id of a list": ("UPDATE status_list SET list_id = 'sl_x' WHERE no = 1", "status list sl_x is none of"),
    "a list of nobody": ("UPDATE status_list SET type_no = 99 WHERE no = 1", "is none of a type and issuer"),
    "turns taken away": ("DELETE FROM status_turn", "turns otherwise than the register says"),
    "other turns": ("UPDATE status_turn SET turns = x''", "turns otherwise than the register says"),
    "turns as text": ("UPDATE status_turn SET turns = 'abc'", "the status lists cannot be read"),
    "damaged turns": ("UPDATE status_turn SET turns = x'00'", "the status lists cannot be read"),
    "turns of another place": ("UPDATE status_turn SET place = place + 1", "turns otherwise than the register says"),
    "turns that no version brought": (
        "INSERT INTO status_turn SELECT list_no, place + 1, known_from, turns FROM status_turn",
        "have 1 turns that no version brought",
    ),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_whatever_is_altered_is_named(store: Path, writer: SqliteWriter, name: str) -> None:
    writer.append([version("one", number) for number in numbers(19)], [])
    writer.append([eventful(None, step("revoked", PAST, PAST))], [])
    assert audit(store, None).difference is None
    statement, wanted = TAMPERING[name]
    change(store, statement)
    assert wanted in str(audit(store, None).difference)


def test_a_damaged_list_is_not_read(store: Path, writer: SqliteWriter) -> None:
    writer.append([eventful(None, step("revoked", PAST, PAST))], [])
    listed, reader = list_id(secret_of(store), TYPE, ISSUER, 0), SqliteStatusLists(store, seed)
    for damaged in ("'abc'", "x'00'", "7", "x'000000000000000003'"):
        change(store, f"UPDATE status_turn SET turns = {damaged}")
        with pytest.raises(StoreError, match="see: accord log verify"):
            reader.read(listed)
    assert reader.read("sl_nobody") is None
    change(store, "DROP TABLE status_turn")
    with pytest.raises(StoreError, match="no such table"):
        reader.read(listed)
    reader.close()


def test_a_list_is_read_by_its_index_alone(demo_store: Path) -> None:
    """However many credentials a register holds: neither they nor their versions are looked at."""
    reader, statements = SqliteStatusLists(demo_store, seed), list[str]()
    reader._connection.set_trace_callback(statements.append)
    assert reader.read(rows_of(demo_store, "SELECT list_id FROM status_list")[0][0]) is not None
    reader._connection.set_trace_callback(None)
    asked = [text for text in statements if text.lstrip().startswith("SELECT")]
    steps = [row[3] for text in asked for row in reader._connection.execute(f"EXPLAIN QUERY PLAN {text}")]
    reader.close()
    assert len(asked) == 3
    assert "SEARCH status_turn USING PRIMARY KEY (list_no=?)" in steps
    assert not [line for line in steps if line.startswith("SCAN") or "B-TREE" in line]
    assert not [line for line in steps if "credential" in line]


def without_places(store: Path) -> list[tuple[Any, ...]]:
    return [
        row for row in whole(store) if row[0] not in ("credential", "status_list", "status_turn", "alembic_version")
    ]


def test_a_store_from_before_gets_the_places_that_it_would_have_had(demo_store: Path) -> None:
    assert rows_of(demo_store, TURNS) != []
    rest, placed = without_places(demo_store), dict(rows_of(demo_store, PLACED))
    take_back(demo_store, "0003")
    schema.migrate(demo_store, "test", clock.now())
    assert audit(demo_store, None).difference is None
    assert without_places(demo_store) == rest
    # The numbers of lists may be others; what others hold, their ids and the indices in them, may not.
    assert dict(rows_of(demo_store, PLACED)) == placed


PLACED = """
SELECT c.credential_id, l.list_id || ' ' || c.status_index || ' ' || coalesce(
  (SELECT group_concat(known_from || hex(turns)) FROM status_turn t
   WHERE t.list_no = l.no AND t.place = c.status_index), '')
FROM credential c JOIN status_list l ON l.no = c.status_list"""


def test_an_empty_store_from_before_is_migrated(store: Path) -> None:
    take_back(store, "0003")
    assert schema.migrate(store, "test", clock.now()).revision == schema.HEAD
    assert audit(store, None).difference is None


def test_a_migration_that_fails_leaves_the_store_as_it_was(demo_store: Path) -> None:
    take_back(demo_store, "0003")
    (content,) = rows_of(demo_store, "SELECT content FROM credential_version WHERE no = 9")[0]
    change(demo_store, "UPDATE credential_version SET content = x'00' WHERE no = 9")
    before = whole(demo_store)
    with pytest.raises(StoreError, match="no version of a credential"):
        schema.migrate(demo_store, "test", clock.now())
    assert whole(demo_store) == before
    change(demo_store, "UPDATE credential_version SET content = ? WHERE no = 9", content)
    schema.migrate(demo_store, "test", clock.now())
    assert audit(demo_store, None).difference is None


def test_the_capacity_leaves_decoys() -> None:
    assert status_places.CAPACITY == CAPACITY < PLACES
