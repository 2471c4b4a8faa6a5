"""Writes that keep time: all or nothing, under the write lock, and never visible before they are said to be known.

A record's `recorded_at` lies a little ahead of the clock; the transaction commits before that instant and returns
after it. So whoever asks with a `known_at` in the past reads a past that nobody can still add to
(docs/adr/0002).
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, Insert, Table, create_engine, event, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.ports import OcspQuestion, RegisterReport, StoreError, VersionRow
from app.store.journal import Journal
from app.store.margin import MARGIN, MAX_MARGIN, too_late
from app.store.ocsp_answers import said_by
from app.store.revocations import scope_of
from app.store.schema import check
from app.store.status_places import StatusPlaces
from app.store.tables import (
    CHANGED_ENTRY,
    CREDENTIAL,
    ISSUER,
    OCSP_ANSWER,
    POLICY,
    REPORT,
    REVOCATION_LIST,
    STORE_INFO,
    TYPE,
    VERSION,
)
from keys.revocation.crl import RevocationList, parse_crl
from keys.revocation.ocsp import OcspAnswer
from registry.canonical import canonical_json, digest
from registry.document import PolicyDocument
from registry.errors import PolicyError
from registry.log.entry import credential_entry, policy_entry, report_entry
from registry.period import from_micros, to_micros
from registry.policy import build_policy

T = TypeVar("T")


class _TooSlow(Exception):
    """The work outlasted its margin; it is rolled back and done again with a larger one."""


class SqliteWriter:
    """Implements `app.ports.RegisterWriter` on a store file, and enters policy documents."""

    def __init__(
        self, path: Path, now: Callable[[], datetime] = clock.now, wait: Callable[[float], None] = clock.wait
    ) -> None:
        self._path, self._now, self._wait = path, now, wait
        self._mode = check(path).mode
        self._turn = Lock()
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 60})
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin_immediate)

    def close(self) -> None:
        """Lets the file go."""
        self._engine.dispose()

    def _record(
        self, work: Callable[[Connection, datetime, Journal], T], margin: timedelta = MARGIN, *, wait: bool = True
    ) -> T:
        """Does the work in one transaction with its `recorded_at`, which grows strictly from write to write.

        What the work notes in the journal is in the log when the transaction is, and only then. Without `wait` it
        returns as soon as all is written, some time before it counts as known.
        """
        while True:
            try:
                # In turn within the process: waiting for the store's own lock is a matter of luck.
                with self._turn, self._engine.begin() as connection:
                    last = connection.execute(select(STORE_INFO.c.last_recorded_at)).scalar_one()
                    recorded_at = max(self._now() + margin, from_micros(last + 1))
                    journal = Journal(connection)
                    result = work(connection, recorded_at, journal)
                    journal.write(recorded_at)
                    connection.execute(update(STORE_INFO).values(last_recorded_at=to_micros(recorded_at)))
                    if too_late(self._now(), margin, recorded_at):
                        raise _TooSlow
            except _TooSlow:
                if margin >= MAX_MARGIN:
                    raise StoreError(f"store {self._path}: a write took longer than {MAX_MARGIN}") from None
                margin = min(margin * 4, MAX_MARGIN)
                continue
            except (SQLAlchemyError, sqlite3.Error) as error:
                # What the driver said: the library would add the statement with its values, and names of people.
                raise StoreError(f"store {self._path}: {getattr(error, 'orig', None) or error}") from None
            if wait:
                self._until(recorded_at)
            return result

    def _until(self, recorded_at: datetime) -> None:
        """Waits until what was recorded at an instant counts as known."""
        while (ahead := (recorded_at - self._now()).total_seconds()) >= 0:
            self._wait(ahead + 0.000_001)

    def _instant(self, known_from: datetime | None, recorded_at: datetime) -> int:
        """When a row counts as known. Only a test store may be told that it knew something earlier."""
        if known_from is None:
            return to_micros(recorded_at)
        if self._mode != "test":
            raise StoreError(f"store {self._path} is live: its history cannot be written after the fact")
        return to_micros(known_from)

    def enter_policies(self, documents: Sequence[PolicyDocument], known_from: datetime | None = None) -> int:
        """Enters the documents that are not there yet and returns how many were. All or nothing.

        Raises `PolicyError` when a version is there with another digest, when a version goes backwards, or when
        the whole would not make a policy.
        """

        def work(connection: Connection, recorded_at: datetime, journal: Journal) -> int:
            held = _held_documents(connection)
            fresh = [entry for entry in documents if _is_new(entry, held)]
            if not fresh:
                return 0
            latest = {key: versions[max(versions)] for key, versions in held.items()}
            build_policy((latest | {(entry.kind, entry.id): entry for entry in fresh}).values())
            instant = self._instant(known_from, recorded_at)
            for entry in fresh:
                seq = inserted(
                    connection,
                    insert(POLICY).values(
                        kind=entry.kind,
                        document_id=entry.id,
                        version=entry.version,
                        digest=entry.digest,
                        content=canonical_json(dict(entry.content)),
                        known_from=instant,
                    ),
                )
                said = policy_entry(entry.kind, entry.id, entry.version, entry.digest, from_micros(instant))
                journal.note("policy", seq, said)
            return len(fresh)

        return self._record(work)

    def append(self, versions: Sequence[VersionRow], reports: Sequence[RegisterReport]) -> int:
        """Appends versions and register reports that are not there yet; returns how many versions were new.

        Raises `StoreError` when a version would change what is already known.
        """

        def work(connection: Connection, recorded_at: datetime, journal: Journal) -> int:
            named = {entry.type for entry in versions} | {entry.type for entry in reports}
            types = numbers(connection, TYPE, "type_id", named)
            issuing = {entry.issuer for entry in versions} | {entry.issuer for entry in reports}
            issuers = numbers(connection, ISSUER, "issuer_id", issuing)
            new = 0
            for entry in versions:
                number = credential_no(connection, entry, types[entry.type], issuers[entry.issuer])
                instant = self._instant(entry.known_from, recorded_at)
                no = self._append_version(connection, entry, number, instant)
                if no is not None:
                    new += 1
                    said = credential_entry(
                        entry.credential_id, entry.type, entry.issuer, entry.digest, from_micros(instant)
                    )
                    journal.note("credential", no, said)
            if reports:
                rows = [
                    {
                        "type_no": types[report.type],
                        "issuer_no": issuers[report.issuer],
                        "as_of": to_micros(report.as_of),
                        "known_from": self._instant(report.known_from, recorded_at),
                    }
                    for report in reports
                ]
                _append_reports(connection, rows, types, issuers, journal)
            return new

        return self._record(work)

    def add_revocation_list(self, crl: RevocationList, issuer_key: str, known_from: datetime | None = None) -> bool:
        """Keeps a list whose signature the caller has verified; False when it is there already. Raises `StoreError`.

        `issuer_key` is `registry.trust.key_digest` of the authority that signed it.
        """

        def work(connection: Connection, recorded_at: datetime, _: Journal) -> bool:
            there = select(REVOCATION_LIST.c.no).where(REVOCATION_LIST.c.digest == crl.digest)
            if connection.execute(there).first() is not None:
                return False
            no = inserted(
                connection,
                insert(REVOCATION_LIST).values(
                    issuer_key=issuer_key,
                    scope=scope_of(crl),
                    digest=crl.digest,
                    this_update=to_micros(crl.this_update),
                    known_from=self._instant(known_from, recorded_at),
                    content=crl.der,
                ),
            )
            _note_changed(connection, crl, no, issuer_key)
            return True

        return self._record(work)

    def add_ocsp_answer(
        self, data: bytes, answer: OcspAnswer, question: OcspQuestion, known_from: datetime | None = None
    ) -> bool:
        """Keeps a response (DER) that the caller has verified, for what it says to a question.

        False when it is there already. Raises `StoreError`.
        """

        def work(connection: Connection, recorded_at: datetime, _: Journal) -> bool:
            return _add_answer(connection, data, answer, question, self._instant(known_from, recorded_at))

        return self._record(work)

    def _append_version(self, connection: Connection, entry: VersionRow, number: int, known_from: int) -> int | None:
        """The number of the new row; None when the version is there already."""
        there = connection.execute(
            select(VERSION.c.digest).where(VERSION.c.credential_no == number, VERSION.c.known_from == known_from)
        ).scalar_one_or_none()
        if there == entry.digest:
            return None
        if there is not None:
            raise StoreError(f"store {self._path}: {entry.type} {entry.number} is already known otherwise at that time")
        StatusPlaces(connection).note(number, known_from, entry.content)
        return inserted(
            connection,
            insert(VERSION).values(
                credential_no=number,
                known_from=known_from,
                digest=entry.digest,
                subject_uscc=entry.subject_uscc,
                subject_name=entry.subject_name,
                content=entry.content,
            ),
        )


def _append_reports(
    connection: Connection,
    rows: list[dict[str, int]],
    types: Mapping[str, int],
    issuers: Mapping[str, int],
    journal: Journal,
) -> None:
    """Appends the reports of instants of which there is none yet, in one statement, and notes those that were new."""
    last = connection.execute(select(func.coalesce(func.max(REPORT.c.no), 0))).scalar_one()
    connection.execute(insert(REPORT).prefix_with("OR IGNORE"), rows)
    type_ids, issuer_ids = ({number: name for name, number in names.items()} for names in (types, issuers))
    for row in connection.execute(select(REPORT).where(REPORT.c.no > last).order_by(REPORT.c.no)):
        said = report_entry(
            type_ids[row.type_no], issuer_ids[row.issuer_no], from_micros(row.as_of), from_micros(row.known_from)
        )
        journal.note("report", row.no, said)


def _note_changed(connection: Connection, crl: RevocationList, no: int, issuer_key: str) -> None:
    """Notes what a list says that the next one of its scope does not say in the same words.

    An authority may forget an entry or weaken it; we do not. A list may come in after one that was issued later, so
    both its neighbours are looked at.
    """
    lists, at = REVOCATION_LIST.c, to_micros(crl.this_update)
    of_scope = (
        select(lists.no, lists.content)
        .where(lists.issuer_key == issuer_key, lists.scope == scope_of(crl), lists.no != no)
        .limit(1)
    )
    before = connection.execute(of_scope.where(lists.this_update <= at).order_by(lists.this_update.desc())).first()
    after = connection.execute(of_scope.where(lists.this_update > at).order_by(lists.this_update)).first()
    changed: list[dict[str, str | int]] = []
    if before is not None:
        changed += _changed(before.no, parse_crl(before.content), crl, issuer_key)
    if after is not None:
        changed += _changed(no, crl, parse_crl(after.content), issuer_key)
    if changed:
        connection.execute(insert(CHANGED_ENTRY).prefix_with("OR IGNORE"), changed)


def _changed(no: int, earlier: RevocationList, later: RevocationList, issuer_key: str) -> list[dict[str, str | int]]:
    return [
        {"list_no": no, "issuer_key": issuer_key, "serial": f"{entry.serial:x}"}
        for entry in earlier
        if later.find(entry.serial, entry.certificate_issuer) != entry
    ]


def _configure(connection: Any, record: object) -> None:
    # The driver must not begin transactions of its own: we do, with the write lock at once.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _held_documents(connection: Connection) -> dict[tuple[str, str], dict[int, PolicyDocument]]:
    held: dict[tuple[str, str], dict[int, PolicyDocument]] = {}
    for row in connection.execute(select(POLICY)).mappings():
        held.setdefault((row["kind"], row["document_id"]), {})[row["version"]] = PolicyDocument(
            kind=row["kind"],
            id=row["document_id"],
            version=row["version"],
            digest=row["digest"],
            source=f"{row['kind']} {row['document_id']} version {row['version']} (in the store)",
            content=orjson.loads(row["content"]),
        )
    return held


def _is_new(document: PolicyDocument, held: Mapping[tuple[str, str], Mapping[int, PolicyDocument]]) -> bool:
    versions = held.get((document.kind, document.id), {})
    known = versions.get(document.version)
    if known is not None:
        if known.digest != document.digest:
            raise PolicyError(
                document.source,
                "version",
                f"version {document.version} of {document.id!r} is already known with another content;"
                " a published version never changes: raise the version",
            )
        return False
    if versions and document.version < max(versions):
        raise PolicyError(
            document.source, "version", f"{document.version} is older than version {max(versions)}, which is known"
        )
    return True


def _add_answer(
    connection: Connection, data: bytes, answer: OcspAnswer, question: OcspQuestion, known_from: int
) -> bool:
    """Enters an answer that was verified; False when it is there already."""
    named = {"digest": digest(data), "issuer_key": question.issuer_key, "serial": f"{question.serial:x}"}
    there = select(OCSP_ANSWER.c.no).filter_by(**named)
    if connection.execute(there).first() is not None:
        return False
    values = {
        "said": said_by(answer),
        "this_update": to_micros(answer.this_update),
        "next_update": None if answer.next_update is None else to_micros(answer.next_update),
        "known_from": known_from,
        "issuer_name": question.issuer_name,
        "ends": to_micros(question.not_after),
        "url": question.url,
        "content": data,
    }
    connection.execute(insert(OCSP_ANSWER).values(**named, **values))
    return True


def numbers(connection: Connection, table: Table, name: str, wanted: Iterable[str]) -> dict[str, int]:
    """The small numbers of names, given out where there is none yet."""
    numbers: dict[str, int] = {row[1]: row[0] for row in connection.execute(select(table.c.no, table.c[name]))}
    for value in sorted(set(wanted) - numbers.keys()):
        numbers[value] = inserted(connection, insert(table).values({name: value}))
    return numbers


def credential_no(connection: Connection, entry: VersionRow, type_no: int, issuer_no: int) -> int:
    """The small number of a credential, given out where there is none yet."""
    where = CREDENTIAL.c
    number = connection.execute(
        select(where.no).where(where.type_no == type_no, where.number == entry.number, where.issuer_no == issuer_no)
    ).scalar_one_or_none()
    if number is not None:
        return int(number)
    names: dict[str, str | int] = {"credential_id": entry.credential_id, "number": entry.number}
    # Here, and the turns where a version is inserted: whoever enters a credential, by whatever way, gives it its place.
    places = StatusPlaces(connection)
    names |= places.give(type_no, issuer_no, entry.type, entry.issuer)
    places.write()
    return inserted(connection, insert(CREDENTIAL).values(type_no=type_no, issuer_no=issuer_no, **names))


def inserted(connection: Connection, statement: Insert) -> int:
    """Inserts one row and returns its number."""
    key = connection.execute(statement).inserted_primary_key
    if key is None:
        raise StoreError("an insert gave no number")
    return int(key[0])
