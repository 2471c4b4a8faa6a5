"""Reads of status lists: which places of a list are not VALID, from the rows of turns alone."""

import sqlite3
from pathlib import Path
from typing import Any

from app.ports import StoreError
from app.store.file import StoreFile
from app.store.schema import failing_clearly
from app.usecases.publish_status import ListRows
from registry.status_timeline import read_turns

_LIST = "SELECT no FROM status_list WHERE list_id = ?1"
_HEAD = "SELECT coalesce(max(size), 0) FROM log_head"
_TURNS = "SELECT place, known_from, turns FROM status_turn WHERE list_no = ?1 ORDER BY place, known_from"


class SqliteStatusLists:
    """Implements `app.usecases.publish_status.StatusRegister` on a store file; one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = StoreFile(path)
        with failing_clearly(path):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            self._connection.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        """Lets the file go."""
        self._connection.close()

    def read(self, listed: str) -> ListRows | None:
        """The rows of a list by its id, and the size of the log then. Raises `StoreError`, also for damaged rows."""
        self._file.still_there()
        try:
            # One transaction, so that head and rows belong together.
            self._connection.execute("BEGIN")
            try:
                return self._read(listed)
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error

    def _read(self, listed: str) -> ListRows | None:
        found = self._connection.execute(_LIST, (listed,)).fetchone()
        if found is None:
            return None
        (head,) = self._connection.execute(_HEAD).fetchone()
        rows = self._connection.execute(_TURNS, found).fetchall()
        try:
            return ListRows(head=head, rows=tuple([(place, known, self._turns(turns)) for place, known, turns in rows]))
        except (TypeError, ValueError) as error:
            raise StoreError(f"store {self._path}: a status list is damaged; see: accord log verify") from error

    @staticmethod
    def _turns(octets: Any) -> tuple[tuple[int, int], ...]:
        return read_turns(octets)
