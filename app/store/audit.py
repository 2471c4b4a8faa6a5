"""Recomputes the log from the store: every entry, tile, head and checkpoint, and the rows that entries speak of."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from app.ports import StoreError
from app.usecases.audit_log import LogReport, open_checkpoint
from keys.errors import KeysError
from keys.note import NoteKey
from registry.canonical import digest
from registry.log.checkpoint import Checkpoint
from registry.log.entry import credential_entry, policy_entry, report_entry
from registry.log.merkle import EMPTY_ROOT, HASH_SIZE, leaf_hash
from registry.log.tiles import WIDTH, Edge, grow
from registry.period import from_micros

_CHUNK = 16_384  # entries that are read at once

_CREDENTIALS = """
SELECT e.no, e.content, v.no, v.content, c.credential_id, t.type_id, i.issuer_id, v.digest, v.known_from
FROM log_entry e LEFT JOIN credential_version v ON v.no = e.row_no LEFT JOIN credential c ON c.no = v.credential_no
LEFT JOIN credential_type t ON t.no = c.type_no LEFT JOIN issuer i ON i.no = c.issuer_no
WHERE e.event = 'credential' ORDER BY e.no"""
_REPORTS = """
SELECT e.no, e.content, r.no, NULL, t.type_id, i.issuer_id, r.as_of, r.known_from
FROM log_entry e LEFT JOIN register_report r ON r.no = e.row_no
LEFT JOIN credential_type t ON t.no = r.type_no LEFT JOIN issuer i ON i.no = r.issuer_no
WHERE e.event = 'report' ORDER BY e.no"""
_POLICIES = """
SELECT e.no, e.content, p.seq, p.content, p.kind, p.document_id, p.version, p.digest, p.known_from
FROM log_entry e LEFT JOIN policy_document p ON p.seq = e.row_no WHERE e.event = 'policy' ORDER BY e.no"""
_UNLOGGED = {
    "credential": """SELECT c.credential_id || ', version ' || v.no FROM credential_version v
        JOIN credential c ON c.no = v.credential_no
        LEFT JOIN log_entry e ON e.event = 'credential' AND e.row_no = v.no WHERE e.no IS NULL LIMIT 1""",
    "report": """SELECT 'register report ' || r.no FROM register_report r
        LEFT JOIN log_entry e ON e.event = 'report' AND e.row_no = r.no WHERE e.no IS NULL LIMIT 1""",
    "policy": """SELECT p.kind || ' ' || p.document_id || ' version ' || p.version FROM policy_document p
        LEFT JOIN log_entry e ON e.event = 'policy' AND e.row_no = p.seq WHERE e.no IS NULL LIMIT 1""",
}


class _Difference(Exception):
    """The first thing that is not as the log says."""


def audit(path: Path, key: NoteKey | None, known: Sequence[Checkpoint] = ()) -> LogReport:
    """Recomputes everything, and names the first difference. Raises `StoreError` where the store cannot be read.

    `key` opens the checkpoints that the store keeps; `known` are those that somebody else kept.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")
            return _Audit(connection).report(key, known)
    except sqlite3.Error as error:
        raise StoreError(f"store {path}: {error}") from error


class _Audit:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._roots = {0: EMPTY_ROOT}
        self._edge = Edge()

    def report(self, key: NoteKey | None, known: Sequence[Checkpoint]) -> LogReport:
        """What was found."""
        difference, checkpoints = None, 0
        try:
            self._tree()
            checkpoints = self._checkpoints(key, known)
            self._rows(_CREDENTIALS, "credential", self._credential)
            self._rows(_REPORTS, "report", self._report)
            self._rows(_POLICIES, "policy", self._policy)
            for event in _UNLOGGED:
                for (what,) in self._connection.execute(_UNLOGGED[event]):
                    raise _Difference(f"{what} is in the register and not in the log")
        except _Difference as found:
            difference = str(found)
        return LogReport(size=self._edge.size, root=self._edge.root, checkpoints=checkpoints, difference=difference)

    def _tree(self) -> None:
        """Entries against tiles and heads, head by head."""
        for size, root in self._connection.execute("SELECT size, root FROM log_head ORDER BY size"):
            while self._edge.size < size:
                self._append(min(size, self._edge.size + _CHUNK))
            if self._edge.root != root:
                raise _Difference(f"the root over the first {size} entries is another than the head of that size says")
            self._roots[size] = root
        for (no,) in self._connection.execute(
            "SELECT no FROM log_entry WHERE no >= ?1 OR no < 0 LIMIT 1", (self._edge.size,)
        ):
            raise _Difference(f"entry {no} is in no head: it is behind the end of the log")

    def _append(self, end: int) -> None:
        start, leaves = self._edge.size, list[bytes]()
        found = self._connection.execute(
            "SELECT no, content FROM log_entry WHERE no >= ?1 AND no < ?2 ORDER BY no", (start, end)
        )
        for wanted, (no, content) in enumerate(found, start):
            if no != wanted:
                raise _Difference(f"entry {wanted} is missing")
            leaves.append(leaf_hash(_octets(content)))
        if len(leaves) < end - start:
            raise _Difference(f"entry {start + len(leaves)} is missing")
        self._edge, tiles = grow(self._edge, leaves)
        for (level, number), tile in sorted(tiles.items()):
            self._compare(level, number, tile)

    def _compare(self, level: int, number: int, tile: bytes) -> None:
        row = self._connection.execute(
            "SELECT hashes FROM log_tile WHERE level = ?1 AND number = ?2", (level, number)
        ).fetchone()
        if row is None:
            raise _Difference(f"tile {level}/{number} is missing")
        held = _octets(row[0])
        if not held.startswith(tile):
            place = next(
                at for at in range(0, len(tile), HASH_SIZE) if held[at : at + HASH_SIZE] != tile[at : at + HASH_SIZE]
            )
            nth = number * WIDTH + place // HASH_SIZE
            what = f"entry {nth} is not the one that was logged" if level == 0 else f"hash {nth} is wrong"
            raise _Difference(f"{what}: tile {level}/{number} has another hash")

    def _checkpoints(self, key: NoteKey | None, known: Sequence[Checkpoint]) -> int:
        """Signed heads, the store's own and others', against the tree. A log that is shorter was rolled back."""
        kept = list(known)
        for size, note in self._connection.execute("SELECT size, note FROM log_checkpoint ORDER BY size"):
            if key is None:
                break
            try:
                kept.append(open_checkpoint(note, key))
            except KeysError as error:
                raise _Difference(f"the checkpoint that is kept for size {size}: {error.detail}") from error
        for checkpoint in kept:
            size, root = checkpoint.head.size, checkpoint.head.root
            if size > self._edge.size:
                raise _Difference(
                    f"the log was rolled back: a checkpoint of {size} entries was signed, {self._edge.size} are there"
                )
            if self._root_at(size) != root:
                raise _Difference(f"the log was forked: a checkpoint of {size} entries was signed with another root")
        return len(kept)

    def _root_at(self, size: int) -> bytes:
        if size not in self._roots:
            # No head of ours has this size: the entries before it, once more.
            found = self._connection.execute("SELECT content FROM log_entry WHERE no < ?1 ORDER BY no", (size,))
            self._roots[size] = grow(Edge(), [leaf_hash(_octets(content)) for (content,) in found])[0].root
        return self._roots[size]

    def _rows(self, statement: str, event: str, entry_of: Callable[..., bytes]) -> None:
        """Each entry against the row that it speaks of."""
        for no, entry, row_no, content, *said in self._connection.execute(statement):
            if row_no is None:
                raise _Difference(f"entry {no} speaks of a {event} whose row is missing")
            try:
                as_held = entry_of(*said)
            except (TypeError, ValueError, OverflowError):
                as_held = None
            if as_held != entry:
                raise _Difference(f"entry {no} says something else than the row of its {event}: {said[0]}")
            if content is not None and digest(_octets(content)) not in said:
                raise _Difference(f"entry {no}: the content of its {event} was changed: {said[0]}")

    @staticmethod
    def _credential(credential: str, type_id: str, issuer: str, version: str, known: int) -> bytes:
        return credential_entry(credential, type_id, issuer, version, from_micros(known))

    @staticmethod
    def _report(type_id: str, issuer: str, as_of: int, known: int) -> bytes:
        return report_entry(type_id, issuer, from_micros(as_of), from_micros(known))

    @staticmethod
    def _policy(kind: str, document: str, version: int, named: str, known: int) -> bytes:
        return policy_entry(kind, document, version, named, from_micros(known))


def _octets(found: object) -> bytes:
    """What is to be octets; whoever alters a store may have put something else there, which is then not the same."""
    return found if isinstance(found, bytes) else repr(found).encode()
