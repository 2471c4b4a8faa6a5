"""A register read as a whole: in order, as it was known, from one snapshot, and never from damaged rows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.ports import StoreError
from app.store import extract as module
from app.store.extract import SqliteExtract
from app.store.writer import SqliteWriter
from tests.store.rows import ISSUER, TYPE, change, rows_of, version

DAY = timedelta(days=1)
PAST = datetime(2024, 5, 1, tzinfo=UTC)
# In another order than that of their names: JY…2, JY…10.
NUMBERS = ("JY10", "JY2", "JY1", "JY3A", "JY3", "JY20")


@pytest.fixture
def extract(store: Path) -> Iterator[SqliteExtract]:
    opened = SqliteExtract(store)
    yield opened
    opened.close()


def told(extract: SqliteExtract, known_at: datetime | None = None, issuer: str = ISSUER) -> list[tuple[str, Any]]:
    known = clock.now() if known_at is None else known_at
    return [(held.number, held.attributes["mark"]) for held in extract.credentials(TYPE, issuer, known)]


def test_everything_comes_in_the_order_of_the_numbers(writer: SqliteWriter, extract: SqliteExtract) -> None:
    writer.append([version("one", number) for number in NUMBERS], [])
    assert told(extract) == [(number, "one") for number in sorted(NUMBERS)]
    assert extract.holding(TYPE) == (ISSUER,)
    assert extract.holding("metrology-type-approval") == extract.holding("no such type") == ()
    assert told(extract, issuer="cq-samr") == []


def test_versions_are_those_that_were_known(writer: SqliteWriter, extract: SqliteExtract) -> None:
    writer.append([version("one", number, PAST) for number in NUMBERS[:3]], [])
    writer.append([version("two", NUMBERS[0], PAST + DAY), version("new", NUMBERS[3], PAST + DAY)], [])
    assert told(extract, PAST - DAY) == []
    assert told(extract, PAST) == [("JY1", "one"), ("JY10", "one"), ("JY2", "one")]
    assert told(extract, PAST + DAY) == [("JY1", "one"), ("JY10", "two"), ("JY2", "one"), ("JY3A", "new")]


def test_a_snapshot_stays_and_nobody_waits(store: Path, writer: SqliteWriter, extract: SqliteExtract) -> None:
    writer.append([version("one", number, PAST) for number in NUMBERS], [])
    assert extract.holding(TYPE) == (ISSUER,)
    rows = extract.credentials(TYPE, ISSUER, clock.now() + DAY)
    assert next(rows).number == "JY1"
    writer.append([version("two", number) for number in (*NUMBERS, "JY4")], [])
    assert [(held.number, held.attributes["mark"]) for held in rows] == [
        (number, "one") for number in sorted(NUMBERS)[1:]
    ]
    with closing(SqliteExtract(store)) as later:
        assert told(later, clock.now() + DAY) == [(number, "two") for number in sorted((*NUMBERS, "JY4"))]


def test_the_demonstration_is_told_whole(demo_store: Path) -> None:
    registers = rows_of(
        demo_store,
        """SELECT t.type_id, i.issuer_id, count(*) FROM credential c JOIN credential_type t ON t.no = c.type_no
           JOIN issuer i ON i.no = c.issuer_no GROUP BY 1, 2""",
    )
    assert len(registers) > 5
    with closing(SqliteExtract(demo_store)) as extract:
        for type_id, issuer, count in registers:
            assert issuer in extract.holding(type_id)
            held = list(extract.credentials(type_id, issuer, clock.now()))
            assert len(held) == count
            assert {(entry.type, entry.issuer) for entry in held} == {(type_id, issuer)}


def test_nothing_is_sorted(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {module._CREDENTIALS}", (TYPE, ISSUER, 0))]
    assert any("USING INDEX" in line or "USING COVERING INDEX" in line for line in plan if " c " in f"{line} ")
    assert not any("TEMP B-TREE" in line for line in plan)


def test_nothing_can_be_written(extract: SqliteExtract) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        extract._connection.execute("DELETE FROM credential")


def test_damaged_rows_are_not_told(store: Path, writer: SqliteWriter, extract: SqliteExtract) -> None:
    writer.append([version("one", number, PAST) for number in NUMBERS], [])
    change(store, "UPDATE credential_version SET content = replace(content, 'one', 'two') WHERE no = 1")
    with pytest.raises(StoreError, match="damaged"):
        told(extract)


def test_a_store_that_is_none_is_said_so(store: Path, extract: SqliteExtract) -> None:
    change(store, "ALTER TABLE status_list RENAME TO elsewhere")
    change(store, "ALTER TABLE credential RENAME TO elsewhere_too")
    with pytest.raises(StoreError, match="status_list"):
        extract.holding(TYPE)
    with pytest.raises(StoreError, match="credential"):
        told(extract)
