"""Reads of status lists: which places of a list are not VALID, from the rows of turns alone.

But for what came in by a key that was later declared unsafe: those credentials are read once more.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.ports import StoreError
from app.store.file import StoreFile, connect
from app.store.schema import failing_clearly
from app.usecases.publish_status import ListRows
from registry.credential import read_version
from registry.period import to_micros
from registry.policy import Policy
from registry.status_timeline import Turn, counted_turns, read_turns

_LIST = """
SELECT l.no, i.issuer_id FROM status_list l JOIN issuer i ON i.no = l.issuer_no WHERE l.list_id = ?1"""
# By the log, which says what came in since: versions have no index over time, and a statement may be about a file.
_NEWEST_SINCE = """
SELECT c.status_index, (
  SELECT n.content FROM credential_version n WHERE n.credential_no = c.no ORDER BY n.known_from DESC LIMIT 1)
FROM credential c WHERE c.status_list = ?1 AND c.no IN (
  SELECT v.credential_no FROM log_entry e JOIN credential_version v ON v.no = e.row_no
  WHERE e.event = 'credential' AND e.no >= (SELECT coalesce(max(size), 0) FROM log_head WHERE recorded_at < ?2))"""
_HEAD = "SELECT coalesce(max(size), 0) FROM log_head"
_TURNS = "SELECT place, known_from, turns FROM status_turn WHERE list_no = ?1 ORDER BY place, known_from"


class SqliteStatusLists:
    """Implements `app.usecases.publish_status.StatusRegister` on a store file; one thread at a time.

    `policy` gives the newest policy: whose keys are safe, and how numbers are written.
    """

    def __init__(self, path: Path, policy: Callable[[], Policy]) -> None:
        self._path, self._policy = path, policy
        self._file = StoreFile(path)
        with failing_clearly(path):
            self._connection = connect(path, timeout=5)
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
        no, issuer = found
        rows = self._connection.execute(_TURNS, (no,)).fetchall()
        try:
            again = self._read_again(no, issuer)
            kept = [(place, known, self._turns(turns)) for place, known, turns in rows if place not in again]
            kept += [(place, 0, turns) for place, turns in again.items()]
            return ListRows(head=head, rows=tuple(kept))
        except (TypeError, ValueError) as error:
            raise StoreError(f"store {self._path}: a status list is damaged; see: accord log verify") from error

    def _read_again(self, no: int, issuer: str) -> dict[int, tuple[Turn, ...]]:
        """By their place, the turns of credentials about which something came in by a key that was not safe then."""
        policy = self._policy()
        file = policy.keys.by_issuer.get(issuer)
        unsafe = [key.compromised_from for key in file.keys if key.compromised_from is not None] if file else []
        if not unsafe:
            return {}
        since = self._connection.execute(_NEWEST_SINCE, (no, to_micros(min(unsafe))))
        return {place: counted_turns(read_version(content), policy.keys) for place, content in since}

    @staticmethod
    def _turns(octets: Any) -> tuple[tuple[int, int], ...]:
        return read_turns(octets)
