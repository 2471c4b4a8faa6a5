"""Enters the rows of a file that an issuer signed for as one, batch by batch: each batch whole, or nothing of it.

Whoever loads a file again after a crash finds what was entered unchanged, and goes on from there.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
from msgspec import Struct
from sqlalchemy import Connection, event, insert, select

from app.ports import Batch, BulkJudge, NumberedRow, PolicyMoved, StoreError, VersionRow
from app.store.file import connect
from app.store.intake import refuse_replay
from app.store.journal import Journal
from app.store.margin import MARGIN, MAX_MARGIN
from app.store.status_places import StatusPlaces
from app.store.tables import ISSUER, REPORT, STATEMENT, TYPE
from app.store.writer import SqliteWriter, inserted, numbers
from registry.credential import read_version
from registry.dossier import HeldCredential
from registry.errors import StatementRefused
from registry.log.entry import credential_entries, report_entry
from registry.period import from_micros, to_micros
from registry.statement import Statement, refused

_CACHE = 140_000  # KiB: the indices of a million rows, whose keys come in no order
_CHECKPOINT = 100_000  # pages of the write-ahead log between two checkpoints
_ROW_SECONDS = 100e-6  # a first guess of what a row takes

_HELD = """
SELECT j.value, c.no, c.issuer_no, i.issuer_id FROM json_each(?1) j
CROSS JOIN credential c ON c.type_no = ?2 AND c.number = j.value CROSS JOIN issuer i ON i.no = c.issuer_no"""
_NEWEST = """
SELECT c.credential_id, v.digest, v.known_from, v.content FROM credential c
JOIN credential_version v ON v.credential_no = c.no WHERE c.no = ? ORDER BY v.known_from DESC LIMIT 1"""
_CREDENTIAL = """
INSERT INTO credential (no, credential_id, type_no, number, issuer_no, status_list, status_index)
VALUES (?, ?, ?, ?, ?, ?, ?)"""
_VERSION = """
INSERT INTO credential_version (no, credential_no, known_from, digest, subject_uscc, subject_name, content)
VALUES (?, ?, ?, ?, ?, ?, ?)"""
_LAST = "SELECT (SELECT coalesce(max(no), 0) FROM credential), (SELECT coalesce(max(no), 0) FROM credential_version)"
_ALL = """
SELECT c.no FROM credential c JOIN credential_type t ON t.no = c.type_no JOIN issuer i ON i.no = c.issuer_no
WHERE t.type_id = ?1 AND i.issuer_id = ?2 ORDER BY c.number"""
_REPORTED = """
SELECT max(r.as_of) FROM register_report r JOIN credential_type t ON t.no = r.type_no
JOIN issuer i ON i.no = r.issuer_no WHERE t.type_id = ?1 AND i.issuer_id = ?2"""


class _Judged(Struct, frozen=True):
    """A version that a row makes, and the credential's number in the store; None: it is new."""

    version: VersionRow
    no: int | None


class SqliteBulk(SqliteWriter):
    """Implements `app.ports.BulkIntake` on a store file, for one statement."""

    def __init__(self, path: Path, token: bytes, statement: Statement, *, unique_numbers: bool, **clock: Any) -> None:
        super().__init__(path, **clock)
        event.listen(self._engine, "connect", _configure)
        self._token, self._statement, self._unique = token, statement, unique_numbers
        self._seen = bytearray()
        self._row_seconds = _ROW_SECONDS
        self._recorded_at: datetime | None = None

    def take_rows(self, rows: Sequence[NumberedRow], generation: int, judge: BulkJudge, *, enter: bool) -> Batch:
        """Judges rows, and enters those that stand in one transaction, or nothing of them."""
        began = monotonic()

        def work(connection: Connection, recorded_at: datetime, journal: Journal) -> tuple[Batch, set[int], datetime]:
            driver = _driver(connection)
            _refuse_moved(driver, generation)
            batch, versions, seen = self._judge(driver, rows, judge, recorded_at)
            if versions:
                issuer_no = self._enter_statement(connection, recorded_at)
                type_no = numbers(connection, TYPE, "type_id", (self._statement.type,))[self._statement.type]
                seen |= self._enter(connection, journal, versions, (type_no, issuer_no), recorded_at)
            return batch, seen, recorded_at

        if not enter:
            with self._reading() as driver:
                _refuse_moved(driver, generation)
                batch, _, seen = self._judge(driver, rows, judge, self._now())
        else:
            margin = timedelta(seconds=3 * self._row_seconds * len(rows))
            batch, seen, recorded_at = self._record(work, min(max(MARGIN, margin), MAX_MARGIN), wait=False)
            self._recorded_at = recorded_at
            self._row_seconds = (monotonic() - began) / max(len(rows), 1)
        self._mark(seen)
        return batch

    def _judge(
        self, driver: sqlite3.Connection, rows: Sequence[NumberedRow], judge: BulkJudge, recorded_at: datetime
    ) -> tuple[Batch, list[_Judged], set[int]]:
        """What each row makes of what is held, in the order of the numbers, and the credentials that rows are about."""
        held, others = self._held(driver, [row.number for row in rows])
        versions, denied = list[_Judged](), list[tuple[NumberedRow, StatementRefused]]()
        unchanged = 0
        for row in sorted(rows, key=lambda row: row.number):
            no = held.get(row.number)
            try:
                if no is not None and self._marked(no):
                    raise refused("row.number_twice", "/credential/number")
                if no is None and row.number in others:
                    owner = {"number": row.number, "issuer": others[row.number]}
                    raise refused("credential.number_taken", "/credential/number", **owner)
                version = judge(row, None if no is None else _newest(driver, no), recorded_at)
            except StatementRefused as refusal:
                denied.append((row, refusal))
                continue
            if version is None:
                unchanged += 1
            else:
                versions.append(_Judged(version, no))
        new = sum(entry.no is None for entry in versions)
        batch = Batch(new=new, changed=len(versions) - new, unchanged=unchanged, refused=tuple(denied))
        return batch, versions, set(held.values())

    def _held(self, driver: sqlite3.Connection, wanted: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
        """The numbers that the issuer has, with the credential's; and those that another one has, with whose."""
        found = driver.execute("SELECT no FROM credential_type WHERE type_id = ?", (self._statement.type,)).fetchone()
        if found is None:
            return {}, {}
        own, others = dict[str, int](), dict[str, str]()
        for number, no, _, issuer in driver.execute(_HELD, (orjson.dumps(wanted), found[0])):
            if issuer == self._statement.issuer:
                own[number] = no
            elif self._unique:
                others[number] = issuer
        return own, others

    def _enter(
        self,
        connection: Connection,
        journal: Journal,
        versions: Sequence[_Judged],
        owner: tuple[int, int],
        recorded_at: datetime,
    ) -> set[int]:
        """Writes credentials, versions, places in status lists and log entries; gives the new credentials' numbers."""
        driver, places, instant = _driver(connection), StatusPlaces(connection), to_micros(recorded_at)
        last_credential, last_version = driver.execute(_LAST).fetchone()
        type_no, issuer_no = owner
        credentials, rows, turning, fresh = list[Any](), list[Any](), list[Any](), set[int]()
        statement = self._statement
        logged = credential_entries(statement.type, statement.issuer, recorded_at, statement.attestation.digest)
        for place, entry in enumerate(versions, last_version + 1):
            version, no = entry.version, entry.no
            if no is None:
                no = last_credential = last_credential + 1
                fresh.add(no)
                index = places.give(type_no, issuer_no, version.type, version.issuer)
                credentials.append((no, version.credential_id, type_no, version.number, issuer_no, *index.values()))
            found = (version.subject_uscc, version.subject_name, version.content)
            rows.append((place, no, instant, version.digest, *found))
            if no not in fresh or b'"events":[]' not in version.content:
                turning.append((no, instant, version.content))
            journal.note("credential", place, logged(version.credential_id, version.digest))
        driver.executemany(_CREDENTIAL, credentials)
        for note in turning:
            places.note(*note)
        driver.executemany(_VERSION, rows)
        places.write()
        return fresh

    def _enter_statement(self, connection: Connection, recorded_at: datetime) -> int:
        """Keeps the statement with the first thing that rests on it; gives the issuer's number."""
        statement = self._statement
        issuer_no = numbers(connection, ISSUER, "issuer_id", (statement.issuer,))[statement.issuer]
        named = statement.attestation.digest
        if connection.execute(select(STATEMENT.c.no).where(STATEMENT.c.digest == named)).first() is None:
            refuse_replay(connection, statement, issuer_no)
            signed = {"digest": named, "issuer_no": issuer_no, "jti": statement.jti}
            instant = to_micros(recorded_at)
            connection.execute(insert(STATEMENT).values(**signed, recorded_at=instant, content=self._token))
        return issuer_no

    def missing(self) -> Iterator[HeldCredential]:
        """The credentials of issuer and type that no row was about, as their newest version has them."""
        with self._reading() as driver:
            for (no,) in driver.execute(_ALL, self._named):
                found = None if self._marked(no) else _newest(driver, no)
                if found is not None:
                    yield found

    def report(self, as_of: datetime, generation: int, check: Callable[[datetime], None]) -> bool:
        """Enters that the register is complete up to an instant; False where that is known already."""

        def work(connection: Connection, recorded_at: datetime, journal: Journal) -> bool:
            _refuse_moved(_driver(connection), generation)
            check(recorded_at)
            issuer_no = self._enter_statement(connection, recorded_at)
            type_no = numbers(connection, TYPE, "type_id", (self._statement.type,))[self._statement.type]
            named = {"type_no": type_no, "issuer_no": issuer_no}
            instants = {"as_of": to_micros(as_of), "known_from": to_micros(recorded_at)}
            no = inserted(connection, insert(REPORT).values(**named, **instants))
            said = (self._statement.type, self._statement.issuer, as_of, recorded_at)
            journal.note("report", no, report_entry(*said, self._statement.attestation.digest))
            return True

        with self._reading() as driver:
            (known,) = driver.execute(_REPORTED, self._named).fetchone()
        if known is not None and known >= to_micros(as_of):
            return False
        return self._record(work)

    def settle(self) -> None:
        """Waits until everything that was entered counts as known."""
        if self._recorded_at is not None:
            self._until(self._recorded_at)

    @property
    def _named(self) -> tuple[str, str]:
        return self._statement.type, self._statement.issuer

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A snapshot of the store, for which no writer waits."""
        try:
            with closing(connect(self._path, timeout=60)) as driver:
                driver.execute("BEGIN")
                yield driver
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from None

    def _marked(self, no: int) -> bool:
        """Whether a row of an earlier batch was about the credential."""
        return no < len(self._seen) and bool(self._seen[no])

    def _mark(self, seen: set[int]) -> None:
        last = max(seen, default=0)
        if last >= len(self._seen):
            self._seen.extend(bytes(last + 1 - len(self._seen)))
        for no in seen:
            self._seen[no] = 1


def _configure(connection: Any, record: object) -> None:
    connection.execute(f"PRAGMA cache_size = -{_CACHE}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")


def _driver(connection: Connection) -> sqlite3.Connection:
    """The driver's own, in the same transaction: the way through the library costs more than the statements."""
    driver: Any = connection.connection.driver_connection
    found: sqlite3.Connection = driver
    return found


def _refuse_moved(driver: sqlite3.Connection, generation: int) -> None:
    """Under the write lock: rows must not be judged by a policy, or taken by a key, that is no longer the newest."""
    if driver.execute("SELECT max(seq) FROM policy_document").fetchone()[0] != generation:
        raise PolicyMoved


def _newest(driver: sqlite3.Connection, no: int) -> HeldCredential | None:
    """The newest version of a credential, also one that readers do not see yet."""
    found = driver.execute(_NEWEST, (no,)).fetchone()
    if found is None:
        return None
    named, version, known_from, content = found
    return HeldCredential(
        id=named, credential=read_version(content), digest=version, known_from=from_micros(known_from)
    )
