"""Reads of the log: tiles, entries, heads and checkpoints. Tiles only grow, so several reads of one size agree."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.ports import StoreError
from app.store.file import StoreFile, connect
from app.store.schema import failing_clearly
from registry.log.checkpoint import TreeHead
from registry.log.merkle import EMPTY_ROOT, HASH_SIZE
from registry.log.tiles import WIDTH

_HEAD = "SELECT size, root FROM log_head ORDER BY size DESC LIMIT 1"
_TILE = "SELECT hashes FROM log_tile WHERE level = ?1 AND number = ?2"
_ENTRIES = "SELECT no, content FROM log_entry WHERE no >= ?1 AND no < ?2 ORDER BY no"
_LATEST = """
SELECT max(e.no) FROM credential c JOIN credential_version v ON v.credential_no = c.no
JOIN log_entry e ON e.event = 'credential' AND e.row_no = v.no
WHERE c.credential_id = ?1 AND e.no < ?2"""
_STATEMENT = "SELECT content FROM statement WHERE digest = ?1"
_KEEP = "INSERT OR IGNORE INTO log_checkpoint (size, note) VALUES (?1, ?2)"


class SqliteLog:
    """Implements `app.ports.Log` on a store file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = StoreFile(path)
        self._kept = -1
        with failing_clearly(path):
            # Nobody waits for a writer here: a checkpoint that cannot be kept now is kept when it is next asked for.
            self._connection = connect(path, timeout=0)

    def close(self) -> None:
        """Lets the file go."""
        self._connection.close()

    def head(self) -> TreeHead:
        """Size and root as of now."""
        rows = self._rows(_HEAD)
        return TreeHead(rows[0][0], self._octets(rows[0][1], HASH_SIZE)) if rows else TreeHead(0, EMPTY_ROOT)

    def tile(self, level: int, number: int) -> bytes:
        """A tile as full as it is, empty where there is none."""
        rows = self._rows(_TILE, level, number)
        content = self._octets(rows[0][0]) if rows else b""
        if len(content) % HASH_SIZE or len(content) > WIDTH * HASH_SIZE:
            raise self._damaged()
        return content

    def entries(self, start: int, end: int) -> tuple[bytes, ...]:
        """The entries from one place until before another, as far as there are any."""
        found = self._rows(_ENTRIES, start, end)
        if any(no != wanted for wanted, (no, _) in enumerate(found, start)):
            raise self._damaged()
        return tuple([self._octets(content) for _, content in found])

    def latest_of(self, credential: str, size: int) -> int | None:
        """The place of the newest entry about a credential in the log of a size."""
        found: int | None = self._rows(_LATEST, credential, size)[0][0]
        return found

    def statement(self, digest: str) -> bytes | None:
        """The bytes that an issuer signed, by their digest."""
        rows = self._rows(_STATEMENT, digest)
        return self._octets(rows[0][0]) if rows else None

    def keep_checkpoint(self, size: int, note: bytes) -> None:
        """Keeps a note that was signed, once for each size, unless a writer holds the store just then."""
        if size == self._kept:
            return
        with suppress(sqlite3.Error):
            self._connection.execute(_KEEP, (size, note))
            self._kept = size

    def _rows(self, statement: str, *parameters: Any) -> list[Any]:
        self._file.still_there()
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error
        except OverflowError:
            return []  # no place has such a number

    def _octets(self, found: object, size: int | None = None) -> bytes:
        if type(found) is not bytes or (size is not None and len(found) != size):
            raise self._damaged()
        return found

    def _damaged(self) -> StoreError:
        return StoreError(f"store {self._path}: the log is damaged; see: accord log verify")
