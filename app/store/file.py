"""The store's file: whether what is at its path is still what was opened."""

import os
import sqlite3
from pathlib import Path

from app import clock
from app.ports import StoreError

LOOK_SECONDS = 1.0
"""So often it is made sure."""


class StoreFile:
    """A file that was opened. One that was removed or replaced would go on answering from the old one, for ever."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = self._identity()
        self._look_again = 0.0

    def still_there(self) -> None:
        """Raises `StoreError` when the file is gone or another one."""
        instant = clock.monotonic()
        if instant < self._look_again:
            return
        if self._identity() != self._opened:
            raise StoreError(f"store {self._path} was replaced by another file; restart to use it")
        self._look_again = instant + LOOK_SECONDS

    def _identity(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise StoreError(f"store {self._path}: {error.strerror}") from error
        return found.st_dev, found.st_ino


def connect(path: Path, *, timeout: float) -> sqlite3.Connection:
    """A connection of one's own that reads and writes, in no transaction, and waits so many seconds for writers."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=timeout,
        check_same_thread=False,
    )
