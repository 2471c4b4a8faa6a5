"""One issuer's register of one type, read as a whole: one snapshot, row by row, in the order of the numbers."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from app.ports import StoreError
from app.store.file import connect
from app.store.schema import failing_clearly
from registry.canonical import digest
from registry.credential import Credential, read_version
from registry.period import to_micros

_HOLDING = """
SELECT DISTINCT i.issuer_id FROM status_list l JOIN issuer i ON i.no = l.issuer_no
WHERE l.type_no = (SELECT no FROM credential_type WHERE type_id = ?1)"""
# The unique index over (type, number, issuer) gives the order: nothing is sorted, however many there are.
_CREDENTIALS = """
SELECT v.digest, v.content FROM credential c
JOIN credential_version v ON v.no = (
  SELECT w.no FROM credential_version w WHERE w.credential_no = c.no AND w.known_from <= ?3
  ORDER BY w.known_from DESC LIMIT 1)
WHERE c.type_no = (SELECT no FROM credential_type WHERE type_id = ?1)
  AND c.issuer_no = (SELECT no FROM issuer WHERE issuer_id = ?2)
ORDER BY c.number"""


class SqliteExtract:
    """A snapshot of a store file, until it is closed. Nothing is written, and writers need not wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with failing_clearly(path):
            self._connection = connect(path, timeout=5)
            self._connection.execute("PRAGMA query_only = ON")
            self._connection.execute("PRAGMA cache_size = -65536")
            self._connection.execute("BEGIN")

    def close(self) -> None:
        """Lets the snapshot and the file go."""
        self._connection.close()

    def holding(self, type_id: str) -> tuple[str, ...]:
        """The issuers of which the store has credentials of the type. Raises `StoreError`."""
        try:
            # Every credential has its place in a status list of its issuer and type.
            return tuple(row[0] for row in self._connection.execute(_HOLDING, (type_id,)))
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error

    def credentials(self, type_id: str, issuer: str, known_at: datetime) -> Iterator[Credential]:
        """Every credential of the register as it was known then, by normalised number. Raises `StoreError`."""
        try:
            for named, content in self._connection.execute(_CREDENTIALS, (type_id, issuer, to_micros(known_at))):
                yield self._read(named, content)
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error

    def _read(self, named: str, content: bytes) -> Credential:
        try:
            if digest(content) != named:
                raise ValueError("the content does not have the digest")
            return read_version(content)
        except (TypeError, ValueError) as error:
            raise StoreError(f"store {self._path}: version {named} is damaged; see: accord log verify") from error
