"""Used challenges: each is answered once, in whatever process, also after a restart."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from app.ports import StoreError
from app.store.schema import failing_clearly
from registry.period import to_micros

KEPT = timedelta(days=1)
"""For so long an identical retry gets its answer again. A challenge itself has long expired by then."""

_INSERT = "INSERT OR IGNORE INTO used_challenge (challenge, request, used_at, answer) VALUES (?1, ?2, ?3, ?4)"
_SELECT = "SELECT request, answer FROM used_challenge WHERE challenge = ?1"


class SqliteChallenges:
    """Remembers used challenges in a store file. Its own connection, as readers may not write."""

    def __init__(self, path: Path, now: datetime) -> None:
        self._path = path
        with failing_clearly(path):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                timeout=10,
                check_same_thread=False,
            )
            # A challenge that was accepted before the power failed must not be accepted again.
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("DELETE FROM used_challenge WHERE used_at < ?1", (to_micros(now - KEPT),))

    def close(self) -> None:
        """Lets the file go."""
        self._connection.close()

    def find(self, challenge: str) -> tuple[str, bytes] | None:
        """The request that used it and the answer it got. Raises `StoreError`."""
        try:
            row = self._connection.execute(_SELECT, (challenge,)).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error
        return None if row is None else (str(row[0]), bytes(row[1]))

    def use(self, challenge: str, request: str, answer: bytes, now: datetime) -> bool:
        """Uses a challenge up; False when another request was first. Raises `StoreError`."""
        try:
            return self._connection.execute(_INSERT, (challenge, request, to_micros(now), answer)).rowcount == 1
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error
