"""Enters what issuers state: statement, version, log entry and the answer in one transaction, or nothing."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from app.ports import Answer, Judge, Once, PolicyMoved, ReportAnswer, ReportJudge, StoreError, Taken, VersionRow
from app.store.journal import Journal
from app.store.tables import CREDENTIAL, DONE_ONCE, ISSUER, POLICY, REPORT, STATEMENT, TYPE, VERSION
from app.store.writer import SqliteWriter, credential_no, inserted, numbers
from registry.credential import read_version
from registry.dossier import HeldCredential
from registry.errors import Fault, QueryRefused
from registry.log.entry import credential_entry, report_entry
from registry.period import from_micros, to_micros
from registry.statement import Statement, refused


class SqliteIntake(SqliteWriter):
    """Implements `app.ports.Intake` on a store file."""

    def take_in(
        self, token: bytes, statement: Statement, once: Once | None, generation: int, judge: Judge, answer: Answer
    ) -> Taken:
        """Enters the version that a statement makes, once."""

        def enter(connection: Connection, recorded_at: datetime, journal: Journal) -> Taken:
            row = judge(_held(connection, statement.credential_id), recorded_at)
            if statement.credential_id is None and _held(connection, row.credential_id) is not None:
                raise refused("credential.exists", "/credential/number", id=row.credential_id)
            types = numbers(connection, TYPE, "type_id", (row.type,))
            if row.unique_number:
                _refuse_taken(connection, row, types[row.type])
            issuers = numbers(connection, ISSUER, "issuer_id", (row.issuer,))
            number = credential_no(connection, row, types[row.type], issuers[row.issuer])
            no = self._append_version(connection, row, number, to_micros(recorded_at))
            if no is None:
                raise StoreError(f"{row.credential_id} already has a version of this instant")
            said = (row.credential_id, row.type, row.issuer, row.digest, recorded_at, statement.attestation.digest)
            place = journal.next_place()
            journal.note("credential", no, credential_entry(*said))
            given = answer(row, recorded_at, place)
            return Taken(id=row.credential_id, version=row.digest, answer=given, repeated=False)

        return self._taken(token, statement, once, generation, enter)

    def take_report(
        self,
        token: bytes,
        statement: Statement,
        once: Once | None,
        generation: int,
        judge: ReportJudge,
        answer: ReportAnswer,
    ) -> Taken:
        """Enters how far a register is complete, once."""

        def enter(connection: Connection, recorded_at: datetime, journal: Journal) -> Taken:
            as_of = judge(recorded_at)
            types = numbers(connection, TYPE, "type_id", (statement.type,))
            issuers = numbers(connection, ISSUER, "issuer_id", (statement.issuer,))
            instants = {"as_of": to_micros(as_of), "known_from": to_micros(recorded_at)}
            named = {"type_no": types[statement.type], "issuer_no": issuers[statement.issuer]}
            no = inserted(connection, insert(REPORT).values(**named, **instants))
            place = journal.next_place()
            said = (statement.type, statement.issuer, as_of, recorded_at, statement.attestation.digest)
            journal.note("report", no, report_entry(*said))
            return Taken(id="", version="", answer=answer(as_of, recorded_at, place), repeated=False)

        return self._taken(token, statement, once, generation, enter)

    def _taken(
        self,
        token: bytes,
        statement: Statement,
        once: Once | None,
        generation: int,
        enter: Callable[[Connection, datetime, Journal], Taken],
    ) -> Taken:
        """What comes of entering something with its statement and its answer: all of it, or what came of it before."""

        def work(connection: Connection, recorded_at: datetime, journal: Journal) -> Taken:
            earlier = None if once is None else _earlier(connection, once)
            if earlier is not None:
                return earlier
            # Under the write lock: a key that was declared unsafe just before must not be taken for good.
            if connection.execute(select(func.max(POLICY.c.seq))).scalar_one() != generation:
                raise PolicyMoved
            issuer_no = numbers(connection, ISSUER, "issuer_id", (statement.issuer,))[statement.issuer]
            refuse_replay(connection, statement, issuer_no)
            instant = to_micros(recorded_at)
            taken = enter(connection, recorded_at, journal)
            signed = {"digest": statement.attestation.digest, "issuer_no": issuer_no, "jti": statement.jti}
            connection.execute(insert(STATEMENT).values(**signed, recorded_at=instant, content=token))
            if once is not None:
                named = {"principal": once.principal, "key": once.key, "request": once.request}
                made = {"credential_id": taken.id, "version": taken.version, "answer": taken.answer}
                connection.execute(insert(DONE_ONCE).values(**named, **made, recorded_at=instant))
            return taken

        return self._record(work)


def _earlier(connection: Connection, once: Once) -> Taken | None:
    """The answer that the same request got before. Raises `QueryRefused` where the key was another request's."""
    where = DONE_ONCE.c
    row = connection.execute(select(DONE_ONCE).where(where.principal == once.principal, where.key == once.key)).first()
    if row is None:
        return None
    if row.request != once.request:
        raise QueryRefused(Fault(pointer="", code="idempotency.other_request"))
    return Taken(id=row.credential_id, version=row.version, answer=row.answer, repeated=True)


def refuse_replay(connection: Connection, statement: Statement, issuer_no: int) -> None:
    """Refuses a statement whose `jti` the issuer has used before."""
    where = STATEMENT.c
    used = select(where.no).where(where.issuer_no == issuer_no, where.jti == statement.jti)
    if connection.execute(used).first() is not None:
        raise refused("statement.replayed", "/jti", jti=statement.jti)


def _refuse_taken(connection: Connection, row: VersionRow, type_no: int) -> None:
    """Refuses a number that another issuer has registered: neither could be found by it alone any more."""
    where = CREDENTIAL.c
    others = (
        select(ISSUER.c.issuer_id)
        .join(CREDENTIAL, where.issuer_no == ISSUER.c.no)
        .where(where.type_no == type_no, where.number == row.number, ISSUER.c.issuer_id != row.issuer)
    )
    other = connection.execute(others).scalar()
    if other is not None:
        raise refused("credential.number_taken", "/credential/number", number=row.number, issuer=other)


def _held(connection: Connection, credential_id: str | None) -> HeldCredential | None:
    """The newest version of a credential, also one that readers do not see yet."""
    if credential_id is None:
        return None
    row = connection.execute(
        select(VERSION.c.digest, VERSION.c.known_from, VERSION.c.content)
        .join(CREDENTIAL, CREDENTIAL.c.no == VERSION.c.credential_no)
        .where(CREDENTIAL.c.credential_id == credential_id)
        .order_by(VERSION.c.known_from.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return HeldCredential(
        id=credential_id,
        credential=read_version(row.content),
        digest=row.digest,
        known_from=from_micros(row.known_from),
    )
