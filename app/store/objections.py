"""Objections in a store file, and who read their contacts."""

import sqlite3
from datetime import datetime
from pathlib import Path

from app.ports import Principal, StoreError
from app.store.file import connect
from app.store.schema import failing_clearly
from app.usecases.objections import MOST_OPEN, Objection
from registry.period import from_micros, to_micros

_COLUMNS = "objection_id, credential_id, receipt, issuer, message, contact, received_at, answer, answered_at"
# Counted in the statement that inserts: two at once do not pass the bound together.
_ADD = """
INSERT INTO objection (objection_id, credential_id, receipt, issuer, message, contact, received_at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
WHERE (SELECT count(*) FROM objection WHERE answered_at IS NULL AND credential_id IS ?2
       AND (?2 IS NOT NULL OR receipt IS ?3)) < ?8"""
_FIND = f"SELECT {_COLUMNS} FROM objection WHERE objection_id = ?1"
_PAGE = f"""
SELECT no, {_COLUMNS} FROM objection WHERE no > ?2 AND (?1 IS NULL OR issuer = ?1)
AND (NOT ?3 OR answered_at IS NULL) ORDER BY no LIMIT ?4"""
_ANSWER = """
UPDATE objection SET answer = ?2, answered_by = ?3, answered_at = ?4
WHERE objection_id = ?1 AND answered_at IS NULL"""
_COUNT = "SELECT count(*) - count(answered_at), count(answered_at) FROM objection WHERE credential_id = ?1"
_NOTE = "INSERT INTO read_audit (key_id, what, purpose, read_at) VALUES (?1, ?2, ?3, ?4)"


class SqliteObjections:
    """Implements `app.usecases.objections.ObjectionStore` on a store file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with failing_clearly(path):
            self._connection = connect(path, timeout=10)

    def close(self) -> None:
        """Lets the file go."""
        self._connection.close()

    def add(self, objection: Objection) -> bool:
        """Enters an objection unless too many are open."""
        entry = objection
        named = (entry.id, entry.credential_id, entry.receipt, entry.issuer, entry.message, entry.contact)
        return self._run(_ADD, *named, to_micros(entry.received_at), MOST_OPEN).rowcount == 1

    def find(self, objection_id: str) -> Objection | None:
        """One by its id."""
        row = self._run(_FIND, objection_id).fetchone()
        return None if row is None else _objection(*row)

    def page(self, issuer: str | None, *, open_only: bool, after: int, limit: int) -> list[tuple[int, Objection]]:
        """Objections after a position."""
        return [(no, _objection(*row)) for no, *row in self._run(_PAGE, issuer, after, open_only, limit).fetchall()]

    def answer(self, objection_id: str, answer: str, by: str, now: datetime) -> bool:
        """Answers an objection once."""
        return self._run(_ANSWER, objection_id, answer, by, to_micros(now)).rowcount == 1

    def count(self, credential_id: str) -> tuple[int, int]:
        """Open and answered ones."""
        found: tuple[int, int] = self._run(_COUNT, credential_id).fetchone()
        return found

    def note_read(self, principal: Principal, what: str, purpose: str, now: datetime) -> None:
        """Notes a read, before anything is shown."""
        self._run(_NOTE, principal.key_id, what, purpose, to_micros(now))

    def _run(self, statement: str, *parameters: object) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error


def _objection(
    objection_id: str,
    credential_id: str | None,
    receipt: str | None,
    issuer: str | None,
    message: str,
    contact: str,
    received_at: int,
    answer: str | None,
    answered_at: int | None,
) -> Objection:
    return Objection(
        id=objection_id,
        credential_id=credential_id,
        receipt=receipt,
        issuer=issuer,
        message=message,
        contact=contact,
        received_at=from_micros(received_at),
        answer=answer,
        answered_at=None if answered_at is None else from_micros(answered_at),
    )
