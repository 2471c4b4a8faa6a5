"""Lean reads on SQLite: raw statements on one connection, in the event loop's own thread.

A look-up costs less than a hop to another thread, and a reader in WAL mode never waits for a writer
(docs/adr/0003). Look-ups that come close together read one snapshot (docs/adr/0002).
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from app import clock
from app.ports import Filter, Found, LoggedVersion, Lookup, Page, Snapshot, StoreError
from app.store.file import StoreFile
from app.store.margin import LOOK, Lookout
from app.store.schema import failing_clearly, inspect
from registry.canonical import digest as content_digest
from registry.credential import read_version
from registry.document import PolicyDocument
from registry.dossier import HeldCredential
from registry.log.checkpoint import TreeHead
from registry.log.merkle import EMPTY_ROOT, HASH_SIZE
from registry.period import from_micros, to_micros
from registry.policy import KnownDocument, PolicyHistory

_MAX_MATCHES = 20

# Parameters go by position, as they bind faster: the first is always `known_at`.
_LATEST = """(SELECT w.no FROM credential_version w WHERE w.credential_no = c.no AND w.known_from <= ?1
             ORDER BY w.known_from DESC LIMIT 1)"""
_HELD = f"""
SELECT c.credential_id, v.known_from, v.digest, v.content,
       (SELECT r.as_of FROM register_report r
        WHERE r.type_no = c.type_no AND r.issuer_no = c.issuer_no AND r.known_from <= ?1
        ORDER BY r.known_from DESC LIMIT 1)
FROM credential c
JOIN credential_version v ON v.no = {_LATEST}
"""
_SNAPSHOT = """
SELECT (SELECT coalesce(max(seq), 0) FROM policy_document),
       (SELECT max(size) FROM log_head),
       (SELECT root FROM log_head WHERE size = (SELECT max(size) FROM log_head))"""
_FIND = f"{_HELD} WHERE c.type_no = ?2 AND c.number = ?3 LIMIT {_MAX_MATCHES}"
_FIND_OF_ISSUER = f"""{_HELD}
WHERE c.type_no = ?2 AND c.number = ?3 AND c.issuer_no = (SELECT no FROM issuer WHERE issuer_id = ?4)"""
_FIND_BY_ID = f"{_HELD} WHERE c.credential_id = ?2"
_PLACE = """
SELECT l.list_id, c.status_index FROM credential c JOIN status_list l ON l.no = c.status_list
WHERE c.credential_id = ?1"""
_HISTORY = """
SELECT e.no, c.credential_id, v.known_from, v.digest, v.content FROM credential c
JOIN credential_version v ON v.credential_no = c.no
JOIN log_entry e ON e.event = 'credential' AND e.row_no = v.no
WHERE c.credential_id = ?2 AND v.known_from <= ?1 ORDER BY v.known_from"""
_REGISTERS = """
SELECT i.issuer_id, r.as_of FROM register_report r JOIN issuer i ON i.no = r.issuer_no
WHERE r.type_no = ?2 AND r.known_from = (
  SELECT max(s.known_from) FROM register_report s
  WHERE s.type_no = r.type_no AND s.issuer_no = r.issuer_no AND s.known_from <= ?1)
"""
_PAGE = f"""
SELECT c.no, c.credential_id, v.known_from, v.digest, v.content
FROM credential c
JOIN credential_version v ON v.no = {_LATEST}
WHERE c.no > ?2
"""
_RESTRICTIONS = {
    # The plus keeps the planner from an index by type: its rows would have to be sorted as a whole.
    "type": " AND +c.type_no = (SELECT no FROM credential_type WHERE type_id = {0})",
    "issuer": " AND c.issuer_no = (SELECT no FROM issuer WHERE issuer_id = {0})",
    # Once to find the few credentials by their index, once to hold the version that counts.
    "subject": """ AND c.no IN (SELECT credential_no FROM credential_version WHERE subject_uscc = {0})
                 AND v.subject_uscc = {0}""",
    "name": " AND instr(v.subject_name, {0}) > 0",
}
_POLICIES = "SELECT kind, document_id, version, digest, content, known_from FROM policy_document ORDER BY seq"


class SqliteReader:
    """Implements `app.ports.RegisterReader` on a store file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with failing_clearly(path):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=64,
            )
            self._connection.execute("PRAGMA query_only = ON")
            self._connection.execute("PRAGMA cache_size = -65536")
            self._cursor = self._connection.cursor()
        self._type_numbers: dict[str, int] = {}
        self._file = StoreFile(path)
        self._snapshot, self._lookout = Snapshot(0, TreeHead(0, EMPTY_ROOT)), Lookout()
        self._ending: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Lets the file go."""
        self._end()
        with suppress(sqlite3.Error):
            self._connection.close()

    def _rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """What the store holds, as of a snapshot that is recent enough."""
        self._look()
        try:
            found = self._cursor.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            self._end()
            raise StoreError(f"store {self._path}: {error}") from error
        except BaseException:
            self._end()
            raise
        if self._ending is None:
            self._end()
        return found

    def _look(self) -> None:
        """Sees to a recent snapshot. It is kept only where an event loop ends it in time."""
        self._file.still_there()
        if not self._lookout.due():
            return
        self._end()
        began = clock.now()
        try:
            self._cursor.execute("BEGIN")
            generation, size, root = self._cursor.execute(_SNAPSHOT).fetchone()
        except sqlite3.Error as error:
            self._end()
            raise StoreError(f"store {self._path}: {error}") from error
        if size is not None and (type(root) is not bytes or len(root) != HASH_SIZE):
            self._end()
            raise StoreError(f"store {self._path}: the head of the log is damaged; see: accord log verify")
        self._snapshot = Snapshot(generation, TreeHead(0, EMPTY_ROOT) if size is None else TreeHead(size, root))
        with suppress(RuntimeError):
            self._ending = asyncio.get_running_loop().call_later(LOOK.total_seconds(), self._end)
            self._lookout.looked(began)

    def _end(self) -> None:
        """Lets the snapshot go: as long as one is kept, what was written since cannot be folded into the store."""
        self._lookout.forget()
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._cursor.execute("ROLLBACK")

    def _type_no(self, type_id: str) -> int | None:
        number = self._type_numbers.get(type_id)
        if number is None:
            for row in self._rows("SELECT type_id, no FROM credential_type"):
                self._type_numbers[row[0]] = row[1]
            number = self._type_numbers.get(type_id)
        return number

    def _held(self, credential_id: str, known_from: int, digest: str, content: bytes) -> HeldCredential:
        # The digest goes into receipts: an answer must rest on exactly these bytes.
        try:
            if content_digest(content) != digest:
                raise ValueError("the content does not have the digest")
            credential, since = read_version(content), from_micros(known_from)
        except (TypeError, ValueError, OverflowError) as error:
            raise StoreError(f"store {self._path}: version {digest} of {credential_id} is damaged") from error
        return HeldCredential(id=credential_id, credential=credential, digest=digest, known_from=since)

    def _reached(self, as_of: Any) -> datetime:
        try:
            return from_micros(as_of)
        except (TypeError, OverflowError) as error:
            raise StoreError(f"store {self._path}: a register's report is damaged") from error

    def _lookup(self, statement: str, *parameters: Any) -> Lookup:
        rows = self._rows(statement, parameters)
        found = tuple(
            [
                Found(held=self._held(*row[:4]), register_as_of=None if row[4] is None else self._reached(row[4]))
                for row in rows
            ]
        )
        return Lookup(found=found, snapshot=self._snapshot)

    def probe(self) -> None:
        """Reads the file anew, past every cache. Raises `StoreError` when it can no longer be read."""
        inspect(self._path, whole=False)

    async def find(self, type_id: str, number: str, issuer: str | None, known_at: datetime) -> Lookup:
        """All credentials with this normalised number, at most twenty."""
        known, type_no = to_micros(known_at), self._type_no(type_id)
        if issuer is None:
            return self._lookup(_FIND, known, type_no, number)
        return self._lookup(_FIND_OF_ISSUER, known, type_no, number, issuer)

    async def find_by_id(self, credential_id: str, known_at: datetime) -> Lookup:
        """The credential with this id."""
        return self._lookup(_FIND_BY_ID, to_micros(known_at), credential_id)

    async def status_place(self, credential_id: str) -> tuple[str, int] | None:
        """The id of the credential's status list, and its index there."""
        rows = self._rows(_PLACE, (credential_id,))
        return rows[0] if rows else None

    async def history(self, credential_id: str, known_at: datetime) -> tuple[LoggedVersion, ...]:
        """Every version of the credential that was known by then, the first first."""
        rows = self._rows(_HISTORY, (to_micros(known_at), credential_id))
        return tuple([LoggedVersion(held=self._held(*row[1:]), log_index=row[0]) for row in rows])

    async def registers(self, type_id: str, known_at: datetime) -> Mapping[str, datetime]:
        """How far each issuer's register of a type reached."""
        parameters = (to_micros(known_at), self._type_no(type_id))
        return {row[0]: self._reached(row[1]) for row in self._rows(_REGISTERS, parameters)}

    async def page(self, restrict: Filter, known_at: datetime, after: int, limit: int) -> Page:
        """Credentials in the order in which they came, after a position."""
        parameters: list[Any] = [to_micros(known_at), after]
        statement = _PAGE
        for name, clause in _RESTRICTIONS.items():
            value = getattr(restrict, name)
            if value is not None:
                parameters.append(value)
                statement += clause.format(f"?{len(parameters)}")
        if restrict.numbers is not None:
            # All types, spelt out, so that the index over (type, number, issuer) serves.
            places = ", ".join(f"?{len(parameters) + place}" for place in range(1, len(restrict.numbers) + 1))
            statement += f" AND c.type_no IN (SELECT no FROM credential_type) AND c.number IN ({places})"
            parameters.extend(restrict.numbers)
        rows = self._rows(f"{statement} ORDER BY c.no LIMIT {limit + 1}", parameters)
        held = tuple((row[0], self._held(*row[1:])) for row in rows[:limit])
        return Page(rows=held, more=len(rows) > limit)

    async def snapshot(self) -> Snapshot:
        """What a read would be as of now."""
        self._look()
        return self._snapshot

    async def policies(self) -> PolicyHistory:
        """The whole policy history. Raises `PolicyError` when a document no longer reads."""
        return self.load_policies()

    def secret(self) -> bytes:
        """The store's own secret, for the salts of natural persons' names."""
        return bytes(self._rows("SELECT secret FROM store_info")[0][0])

    def document_digests(self) -> dict[tuple[str, str, int], str]:
        """The digest of every policy document held, by kind, id and version."""
        rows = self._rows("SELECT kind, document_id, version, digest FROM policy_document")
        return {(kind, identity, version): digest for kind, identity, version, digest in rows}

    def load_policies(self) -> PolicyHistory:
        """The same, for start-up, before there is an event loop."""
        known = [self._known(row) for row in self._rows(_POLICIES)]
        return PolicyHistory(known, self._snapshot.generation)

    def _known(self, row: tuple[str, str, int, str, bytes, int]) -> KnownDocument:
        kind, identity, version, digest, content, known_from = row
        source = f"{kind} {identity} version {version} (in the store)"
        try:
            if content_digest(content) != digest:
                raise ValueError("the content does not have the digest")
            parsed, since = orjson.loads(content), from_micros(known_from)
        except (TypeError, ValueError, OverflowError) as error:
            raise StoreError(f"store {self._path}: {source} is damaged; restore a backup") from error
        document = PolicyDocument(kind=kind, id=identity, version=version, digest=digest, source=source, content=parsed)
        return KnownDocument(document=document, known_from=since)
