"""Used challenges: each is answered once, in whatever process, also after a restart."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from app.ports import StoreError
from app.store.file import connect
from app.store.schema import failing_clearly
from registry.period import from_micros, to_micros

KEPT = timedelta(hours=1)
"""So long a used challenge is remembered: far longer than it lives, so that it cannot come again."""

_INSERT = "INSERT OR IGNORE INTO used_challenge (challenge, request, used_at, answer) VALUES (?1, ?2, ?3, ?4)"
_SELECT = "SELECT request, answer, used_at FROM used_challenge WHERE challenge = ?1"
_FORGET = "DELETE FROM used_challenge WHERE used_at < ?1"
_FORGET_EVERY = timedelta(minutes=1)


class SqliteChallenges:
    """Remembers used challenges in a store file. Its own connection, as readers may not write."""

    def __init__(self, path: Path, now: datetime) -> None:
        self._path = path
        with failing_clearly(path):
            self._connection = connect(path, timeout=10)
            # A challenge that was accepted before the power failed must not be accepted again.
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(_FORGET, (to_micros(now - KEPT),))
        self._forgotten = now

    def close(self) -> None:
        """Lets the file go."""
        self._connection.close()

    def find(self, challenge: str) -> tuple[str, bytes, datetime] | None:
        """The request that used it, the answer it got, and when. Raises `StoreError`."""
        try:
            row = self._connection.execute(_SELECT, (challenge,)).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error
        return None if row is None else (str(row[0]), bytes(row[1]), from_micros(row[2]))

    def use(self, challenge: str, request: str, answer: bytes, now: datetime) -> bool:
        """Uses a challenge up; False when another request was first. Raises `StoreError`."""
        try:
            if now - self._forgotten > _FORGET_EVERY:
                self._connection.execute(_FORGET, (to_micros(now - KEPT),))
                self._forgotten = now
            return self._connection.execute(_INSERT, (challenge, request, to_micros(now), answer)).rowcount == 1
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error
