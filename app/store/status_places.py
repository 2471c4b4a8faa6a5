"""What a write gives out in status lists: a place to every credential that is new, and the turns that versions bring.

All of it in the same transaction as the rows: a credential has its place for ever, or was never entered.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from registry.status_index import CAPACITY, index_of, list_id
from registry.status_timeline import turns_of, write_turns

_NEWEST = """
SELECT no, list_id, ordinal, given FROM status_list WHERE type_no = ?1 AND issuer_no = ?2
ORDER BY ordinal DESC LIMIT 1"""
_BEGIN = "INSERT INTO status_list (list_id, type_no, issuer_no, ordinal, given) VALUES (?1, ?2, ?3, ?4, 0)"
_GIVEN = "UPDATE status_list SET given = ?2 WHERE no = ?1"
_TURNS = """
INSERT INTO status_turn (list_no, place, known_from, turns)
SELECT status_list, status_index, ?2, ?3 FROM credential WHERE no = ?1"""
# A version has a row of turns where it has turns, or a version known before it has such a row. So the newest row that
# was known is the newest version's, and a register whose credentials never had an event has no row at all.
_LATER = """
INSERT OR IGNORE INTO status_turn (list_no, place, known_from, turns)
SELECT c.status_list, c.status_index, v.known_from, x'' FROM credential c
JOIN credential_version v ON v.credential_no = c.no WHERE c.no = ?1 AND v.known_from > ?2"""
_NONE_ANY_MORE = """
INSERT INTO status_turn (list_no, place, known_from, turns)
SELECT c.status_list, c.status_index, ?2, x'' FROM credential c WHERE c.no = ?1 AND EXISTS (
  SELECT 1 FROM status_turn t WHERE t.list_no = c.status_list AND t.place = c.status_index AND t.known_from < ?2)"""


@dataclass(slots=True)
class _OpenList:
    """The list of a type and issuer whose places are given out now."""

    no: int
    list_id: str
    ordinal: int
    given: int


class StatusPlaces:
    """Places that are given out in one transaction. After the last was given, `write` must follow."""

    def __init__(self, connection: Connection) -> None:
        # The driver's own, in the same transaction: the way through the library costs more than the statements.
        driver: Any = connection.connection.driver_connection
        self._driver: sqlite3.Connection = driver
        self._open: dict[tuple[int, int], _OpenList] = {}
        self._secret: bytes | None = None

    def give(self, type_no: int, issuer_no: int, type_id: str, issuer: str) -> dict[str, int]:
        """The columns of a credential's place, one that nobody had before."""
        if self._secret is None:
            self._secret = bytes(self._driver.execute("SELECT secret FROM store_info").fetchone()[0])
        found = self._open.get((type_no, issuer_no))
        if found is None:
            row = self._driver.execute(_NEWEST, (type_no, issuer_no)).fetchone()
            found = None if row is None else _OpenList(*row)
        if found is None or found.given >= CAPACITY:
            if found is not None:
                self._keep(found)
            found = self._begin(type_no, issuer_no, type_id, issuer, 0 if found is None else found.ordinal + 1)
        self._open[type_no, issuer_no] = found
        place = index_of(self._secret, found.list_id, found.given)
        found.given += 1
        return {"status_list": found.no, "status_index": place}

    def _begin(self, type_no: int, issuer_no: int, type_id: str, issuer: str, ordinal: int) -> _OpenList:
        listed = list_id(self._secret or b"", type_id, issuer, ordinal)
        no = self._driver.execute(_BEGIN, (listed, type_no, issuer_no, ordinal)).lastrowid or 0
        return _OpenList(no=no, list_id=listed, ordinal=ordinal, given=0)

    def _keep(self, opened: _OpenList) -> None:
        self._driver.execute(_GIVEN, (opened.no, opened.given))

    def note(self, credential_no: int, known_from: int, content: bytes) -> None:
        """Notes how the status turns by a version that is entered now, of a credential that has its place."""
        turns = turns_of(content)
        if turns:
            self._driver.execute(_TURNS, (credential_no, known_from, write_turns(turns)))
            self._driver.execute(_LATER, (credential_no, known_from))
        else:
            self._driver.execute(_NONE_ANY_MORE, (credential_no, known_from))

    def write(self) -> None:
        """Keeps how many places were given out."""
        for opened in self._open.values():
            self._keep(opened)
