"""Recomputes the log from the store: every entry, tile, head and checkpoint, and the rows that entries speak of.

Status lists come last: their places and turns follow from those rows.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from app.ports import StoreError
from app.store.statement_audit import StatementAudit
from app.store.status_audit import status_difference
from app.usecases.audit_log import LogReport, forked, open_checkpoint, rolled_back
from keys.errors import KeysError
from keys.note import NoteKey
from registry.canonical import digest
from registry.credential import credential_id, known_from, read_version
from registry.log.checkpoint import Checkpoint
from registry.log.entry import credential_entry, policy_entry, report_entry
from registry.log.merkle import EMPTY_ROOT, HASH_SIZE, leaf_hash
from registry.log.tiles import HEIGHT, WIDTH, Edge, grow
from registry.period import from_micros

_CHUNK = 16_384  # entries that are read at once

_ENTRIES = """
SELECT e.no, e.event, e.content, v.no, v.content, c.credential_id, c.number, t.type_id, i.issuer_id, v.digest,
       v.known_from, v.subject_uscc, v.subject_name, r.no, rt.type_id, ri.issuer_id, r.as_of, r.known_from,
       p.seq, p.content, p.kind, p.document_id, p.version, p.digest, p.known_from
FROM log_entry e
LEFT JOIN credential_version v ON e.event = 'credential' AND v.no = e.row_no
LEFT JOIN credential c ON c.no = v.credential_no LEFT JOIN credential_type t ON t.no = c.type_no
LEFT JOIN issuer i ON i.no = c.issuer_no
LEFT JOIN register_report r ON e.event = 'report' AND r.no = e.row_no
LEFT JOIN credential_type rt ON rt.no = r.type_no LEFT JOIN issuer ri ON ri.no = r.issuer_no
LEFT JOIN policy_document p ON e.event = 'policy' AND p.seq = e.row_no
ORDER BY e.no"""
_UNLOGGED = {
    "credential": """SELECT coalesce(c.credential_id, '?') || ', version ' || v.no FROM credential_version v
        LEFT JOIN credential c ON c.no = v.credential_no
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
            # Text that is no UTF-8 is a difference like any other.
            connection.text_factory = lambda octets: octets.decode("utf-8", "surrogateescape")
            connection.execute("BEGIN")
            return _Audit(connection, StatementAudit(connection, path)).report(key, known)
    except sqlite3.Error as error:
        raise StoreError(f"store {path}: {error}") from error


class _Audit:
    def __init__(self, connection: sqlite3.Connection, statements: StatementAudit) -> None:
        self._connection, self._statements = connection, statements
        self._roots = {0: EMPTY_ROOT}
        self._edge = Edge()
        self._signed = set[str]()

    def report(self, key: NoteKey | None, known: Sequence[Checkpoint]) -> LogReport:
        """What was found."""
        difference, checkpoints = None, 0
        try:
            self._tree()
            self._tiles()
            checkpoints = self._checkpoints(key, known)
            self._rows()
            self._schema()
            for event in _UNLOGGED:
                for (what,) in self._connection.execute(_UNLOGGED[event]):
                    raise _Difference(f"{what} is in the register and not in the log")
            wrong = status_difference(self._connection)
            if wrong is not None:
                raise _Difference(wrong)
        except _Difference as found:
            difference = str(found)
        return LogReport(size=self._edge.size, root=self._edge.root, checkpoints=checkpoints, difference=difference)

    def _tree(self) -> None:
        """Entries against tiles and heads, head by head."""
        for (size,) in self._connection.execute("SELECT size FROM log_head WHERE size <= 0 LIMIT 1"):
            raise _Difference(f"a head of {size} entries is none")
        for size, root in self._connection.execute("SELECT size, root FROM log_head ORDER BY size"):
            while self._edge.size < size:
                self._append(min(size, self._edge.size + _CHUNK))
            if self._edge.root != root:
                raise _Difference(f"the root over the first {size} entries is another than the head of that size says")
            self._roots[size] = root
        outside = "SELECT no FROM log_entry WHERE no >= ?1 OR no < 0 LIMIT 1"
        for (no,) in self._connection.execute(outside, (self._edge.size,)):
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

    def _tiles(self) -> None:
        """Every tile is as full as the size says, and there is no other."""
        wanted = 0
        for level in range(len(self._edge.partial)):
            count = self._edge.size >> HEIGHT * level
            wanted += -(-count // WIDTH)
            odd = self._connection.execute(
                """SELECT number FROM log_tile WHERE level = ?1 AND length(hashes) !=
                   CASE WHEN number = ?2 THEN ?3 ELSE ?4 END OR typeof(hashes) != 'blob' LIMIT 1""",
                (level, count // WIDTH, count % WIDTH * HASH_SIZE, WIDTH * HASH_SIZE),
            )
            for (number,) in odd:
                raise _Difference(f"tile {level}/{number} is not as full as {self._edge.size} entries make it")
        (there,) = self._connection.execute("SELECT count(*) FROM log_tile").fetchone()
        if there != wanted:
            raise _Difference(f"there are {there} tiles where {self._edge.size} entries make {wanted}")

    def _checkpoints(self, key: NoteKey | None, known: Sequence[Checkpoint]) -> int:
        """Signed heads, the store's own and others', against the tree. A log that is shorter was rolled back.

        Notes by another key or name are no evidence: the node was once named otherwise.
        """
        kept = [*known, *(() if key is None else self._kept(key))]
        for checkpoint in kept:
            size, root = checkpoint.head.size, checkpoint.head.root
            if size > self._edge.size:
                raise _Difference(rolled_back(size, self._edge.size))
            if self._root_at(size) != root:
                raise _Difference(forked(size))
        return len(kept)

    def _kept(self, key: NoteKey) -> Iterator[Checkpoint]:
        for size, note in self._connection.execute("SELECT size, note FROM log_checkpoint ORDER BY size"):
            try:
                checkpoint = open_checkpoint(_octets(note), key)
            except KeysError as error:
                if error.code == "note.unsigned":
                    continue
                raise _Difference(f"the checkpoint that is kept for size {size}: {error.detail}") from error
            if checkpoint.head.size != size:
                raise _Difference(f"the checkpoint that is kept for size {size} is one of size {checkpoint.head.size}")
            yield checkpoint

    def _root_at(self, size: int) -> bytes:
        if size not in self._roots:
            # No head of ours has this size: the entries before it, once more.
            found = self._connection.execute("SELECT content FROM log_entry WHERE no < ?1 ORDER BY no", (size,))
            self._roots[size] = grow(Edge(), [leaf_hash(_octets(content)) for (content,) in found])[0].root
        return self._roots[size]

    def _rows(self) -> None:
        """Each entry against the row that it speaks of. What it speaks of is in the entry, which is hashed."""
        for no, event, content, *row in self._connection.execute(_ENTRIES):
            said = _said(content)
            if said["event"] != event or event not in _UNLOGGED:
                raise _Difference(f"entry {no} speaks of a {said['event']}, and is kept as one of a {event}")
            held = {"credential": row[:10], "report": row[10:15], "policy": row[15:]}[event]
            if held[0] is None:
                raise _Difference(f"entry {no} speaks of a {event} whose row is missing")
            try:
                wrong = _JUDGES[event](content, *held[1:])
                stated = said.get("statement")
                if wrong is None:
                    wrong = self._stated(event, held, stated)
            except (TypeError, ValueError, OverflowError):
                wrong = "cannot be read"
            if wrong is not None:
                raise _Difference(f"entry {no}: the row of its {event} {wrong}: {held[2]}")
        stray = self._statements.stray()
        if stray is not None:
            raise _Difference(stray)

    def _stated(self, event: str, held: list[Any], stated: str | None) -> str | None:
        """What is wrong with what a row rests on. Who has signed for a credential once signs for it always."""
        if stated is None:
            return "was stated by nobody" if event == "credential" and held[2] in self._signed else None
        if event == "credential":
            self._signed.add(held[2])
            return self._statements.difference(held[2], held[7], held[6], stated)
        # Nothing else is stated: an entry that says so is no entry of ours, and its judge said so before.
        return self._statements.report_difference(held[2], held[1], held[3], held[4], stated)

    def _schema(self) -> None:
        """Nothing in the store acts by itself or stands in for a table, and its indices agree with its tables."""
        found = "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') LIMIT 1"
        for kind, name in self._connection.execute(found):
            raise _Difference(f"the store has a {kind} {name}, which is not ours")
        (verdict,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise _Difference(f"the store's file is damaged: {verdict}")


_OTHERWISE, _CHANGED = "says something else", "had its content changed"


def _credential(
    entry: bytes,
    content: object,
    named: str,
    number: str,
    type_id: str,
    issuer: str,
    version: str,
    known: int,
    uscc: str | None,
    name: str | None,
) -> str | None:
    """What is wrong with a version's row. By the number, holder and name people find it: they are held too."""
    stated = _said(entry).get("statement")
    if credential_entry(named, type_id, issuer, version, _instant(known), stated) != entry:
        return _OTHERWISE
    if digest(_octets(content)) != version:
        return _CHANGED
    if credential_id(type_id, number, issuer) != named:
        return "is found under another number"
    credential = read_version(_octets(content))
    if credential.newest_statement() != stated:
        return "rests on another statement"
    subject = credential.state_at(known_from(credential)).subject
    if (uscc, name) != ((subject.uscc, subject.name) if subject.kind == "organisation" else (None, None)):
        return "is found under another holder"
    return None


def _report(entry: bytes, type_id: str, issuer: str, as_of: int, known: int) -> str | None:
    said = report_entry(type_id, issuer, _instant(as_of), _instant(known), _said(entry).get("statement"))
    return None if said == entry else _OTHERWISE


def _policy(
    entry: bytes, content: object, kind: str, document: str, version: int, named: str, known: int
) -> str | None:
    if policy_entry(kind, document, version, named, _instant(known)) != entry:
        return _OTHERWISE
    return None if digest(_octets(content)) == named else _CHANGED


_JUDGES: Mapping[str, Callable[..., str | None]] = {"credential": _credential, "report": _report, "policy": _policy}


def _instant(micros: object) -> datetime:
    if type(micros) is not int:
        raise TypeError("an instant is kept as whole microseconds")
    return from_micros(micros)


def _said(content: object) -> dict[str, Any]:
    """What an entry says, at least of what it speaks: of nothing where it is no entry."""
    try:
        said = json.loads(_octets(content))
    except ValueError:
        said = None
    return said if isinstance(said, dict) and isinstance(said.get("event"), str) else {"event": "nothing"}


def _octets(found: object) -> bytes:
    """What is to be octets; whoever alters a store may have put something else there, which is then not the same."""
    return found if isinstance(found, bytes) else repr(found).encode()
