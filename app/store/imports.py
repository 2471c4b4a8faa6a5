"""Uploaded files in a store: what they are, how far their loads are, and what came of them."""

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from app.ports import StoreError
from app.store.file import connect
from app.store.schema import failing_clearly
from app.usecases.file_import import MOST_UNFINISHED, UNFINISHED, FileImport
from app.usecases.import_register import ImportReport
from registry.errors import Fault
from registry.period import from_micros, to_micros

_NAMES = (
    "import_id, key_id, issuer, type, dry_run, statement, file, once, received_at, state, tries, started_at,"
    " finished_at, rows, done, report, problem"
)
_OPEN = f"state IN ({', '.join(repr(name) for name in UNFINISHED)})"
# Counted in the statement that inserts: two at once do not pass the bound together.
_ADD = f"""
INSERT INTO file_import (import_id, key_id, issuer, type, dry_run, statement, file, once, received_at, state, tries,
done) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0
WHERE (SELECT count(*) FROM file_import WHERE {_OPEN} AND issuer = ?3) < ?11"""
_FIND = f"SELECT {_NAMES} FROM file_import WHERE import_id = ?1"
_REPEATED = f"""
SELECT {_NAMES} FROM file_import
WHERE (key_id = ?1 AND once = ?2) OR ({_OPEN} AND issuer = ?3 AND statement = ?4 AND ?4 <> '' AND dry_run = ?5)
ORDER BY (key_id = ?1 AND once IS ?2 AND ?2 IS NOT NULL) DESC LIMIT 1"""
_UPDATE = """
UPDATE file_import SET state = ?2, tries = ?3, started_at = ?4, finished_at = ?5, rows = ?6, done = ?7, report = ?8,
problem = ?9 WHERE import_id = ?1"""
_UNFINISHED = f"SELECT {_NAMES} FROM file_import WHERE {_OPEN} ORDER BY no"


class SqliteImports:
    """Implements `app.usecases.file_import.ImportStore` on a store file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with failing_clearly(path):
            self._connection = connect(path, timeout=10)

    def close(self) -> None:
        """Lets the file go."""
        self._connection.close()

    def add(self, entry: FileImport) -> FileImport | None:
        """Enters an upload, or gives the one that it repeats."""
        asked = (entry.key_id, entry.once, entry.issuer, entry.statement, entry.dry_run)
        row = self._run(_REPEATED, *asked).fetchone()
        if row is None:
            named = (entry.id, entry.key_id, entry.issuer, entry.type, entry.dry_run, entry.statement, entry.file)
            given = (*named, entry.once, to_micros(entry.received_at), entry.state, MOST_UNFINISHED)
            try:
                return entry if self._run(_ADD, *given).rowcount else None
            except sqlite3.IntegrityError:
                # Another request with the same Idempotency-Key came in between.
                row = self._run(_REPEATED, *asked).fetchone()
        return _entry(row)

    def find(self, import_id: str) -> FileImport | None:
        """One by its id."""
        row = self._run(_FIND, import_id).fetchone()
        return None if row is None else _entry(row)

    def update(self, entry: FileImport) -> None:
        """Writes down how it stands."""
        instants = (_micros(entry.started_at), _micros(entry.finished_at))
        came = (_text(entry.report), _text(entry.problem))
        self._run(_UPDATE, entry.id, entry.state, entry.tries, *instants, entry.rows, entry.done, *came)

    def unfinished(self) -> list[FileImport]:
        """Those that wait or run."""
        return [_entry(row) for row in self._run(_UNFINISHED).fetchall()]

    def _run(self, statement: str, *parameters: object) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, parameters)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else to_micros(instant)


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _text(value: ImportReport | Fault | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _entry(row: Any) -> FileImport:
    *named, received_at, state, tries, started_at, finished_at, rows, done, report, problem = row
    import_id, key_id, issuer, type_id, dry_run, statement, file, once = named
    return FileImport(
        id=import_id,
        key_id=key_id,
        issuer=issuer,
        type=type_id,
        dry_run=bool(dry_run),
        statement=statement,
        file=file,
        once=once,
        received_at=from_micros(received_at),
        state=state,
        tries=tries,
        started_at=_instant(started_at),
        finished_at=_instant(finished_at),
        rows=rows,
        done=done,
        report=None if report is None else msgspec.json.decode(report, type=ImportReport),
        problem=None if problem is None else msgspec.json.decode(problem, type=Fault),
    )
