"""What a write enters into the log, in the same transaction as its rows: all of it or nothing."""

import sqlite3
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.ports import StoreError
from registry.log.merkle import EMPTY_ROOT, leaf_hash
from registry.log.tiles import MAX_ENTRY, Edge, edge_of, grow
from registry.period import to_micros

_ENTRY = "INSERT INTO log_entry (no, event, row_no, content) VALUES (?, ?, ?, ?)"
_TILE = "INSERT OR REPLACE INTO log_tile (level, number, hashes) VALUES (?, ?, ?)"  # by one that begins with it
_SIZE = "SELECT coalesce(max(size), 0) FROM log_head"
_HEAD = "INSERT INTO log_head (size, root, recorded_at) VALUES (?, ?, ?)"


class Journal:
    """The entries of one transaction, in their order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._entries: list[tuple[str, int, bytes]] = []

    def note(self, event: str, row_no: int, content: bytes) -> None:
        """Adds the entry about a row that this transaction writes; `event` says of which table."""
        if len(content) > MAX_ENTRY:
            raise StoreError(f"an entry of {len(content)} bytes, of at most {MAX_ENTRY}; shorten the ids in it")
        self._entries.append((event, row_no, content))

    def next_place(self) -> int:
        """The place that the log will give the next entry."""
        driver: Any = self._connection.connection.driver_connection
        size: int = driver.execute(_SIZE).fetchone()[0]
        return size + len(self._entries)

    def write(self, recorded_at: datetime) -> None:
        """Appends the entries to the log, with the tiles and the head that follow from them."""
        if not self._entries:
            return
        # The driver's own, in the same transaction: the way through the library costs more than the statements.
        driver: Any = self._connection.connection.driver_connection
        before = _edge(driver)
        edge, tiles = grow(before, [leaf_hash(content) for _, _, content in self._entries])
        driver.executemany(_ENTRY, [(no, *entry) for no, entry in enumerate(self._entries, before.size)])
        driver.executemany(_TILE, [(level, number, tile) for (level, number), tile in tiles.items()])
        driver.execute(_HEAD, (edge.size, edge.root, to_micros(recorded_at)))


def _edge(driver: sqlite3.Connection) -> Edge:
    head = driver.execute("SELECT size, root FROM log_head ORDER BY size DESC LIMIT 1").fetchone()
    size, root = head or (0, EMPTY_ROOT)

    def tile(level: int, number: int) -> bytes:
        wanted = "SELECT hashes FROM log_tile WHERE level = ? AND number = ?"
        found = driver.execute(wanted, (level, number)).fetchone()
        return found[0] if found is not None and type(found[0]) is bytes else b""

    edge = edge_of(size, tile)
    # Whoever built on a damaged tree would sign the damage, and could never be told from one who forked it.
    if edge.root != root:
        raise StoreError("the log is damaged, and nothing was entered; restore a backup, and see: accord log verify")
    return edge
