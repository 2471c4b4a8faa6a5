"""Enters what issuers state: statement, version, log entry and the answer in one transaction, or nothing."""

from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from app.ports import Answer, Judge, Once, PolicyMoved, StoreError, Taken
from app.store.journal import Journal
from app.store.tables import CREDENTIAL, DONE_ONCE, ISSUER, POLICY, STATEMENT, TYPE, VERSION
from app.store.writer import SqliteWriter, credential_no, inserted, numbers
from registry.credential import read_version
from registry.dossier import HeldCredential
from registry.errors import Fault, QueryRefused
from registry.log.entry import credential_entry
from registry.period import from_micros, to_micros
from registry.statement import Statement, refused


class SqliteIntake(SqliteWriter):
    """Implements `app.ports.Intake` on a store file."""

    def take_in(
        self, token: bytes, statement: Statement, once: Once | None, generation: int, judge: Judge, answer: Answer
    ) -> Taken:
        """Enters what a statement says, once."""

        def work(connection: Connection, recorded_at: datetime, journal: Journal) -> Taken:
            earlier = None if once is None else _earlier(connection, once)
            if earlier is not None:
                return earlier
            # Under the write lock: a key that was declared unsafe just before must not be taken for good.
            if connection.execute(select(func.max(POLICY.c.seq))).scalar_one() != generation:
                raise PolicyMoved
            issuers = numbers(connection, ISSUER, "issuer_id", (statement.issuer,))
            _refuse_replay(connection, statement, issuers[statement.issuer])
            row = judge(_held(connection, statement.credential_id), recorded_at)
            if statement.credential_id is None and _held(connection, row.credential_id) is not None:
                raise refused("credential.exists", "/credential/number", id=row.credential_id)
            types = numbers(connection, TYPE, "type_id", (row.type,))
            instant = to_micros(recorded_at)
            inserted(
                connection,
                insert(STATEMENT).values(
                    digest=statement.attestation.digest,
                    issuer_no=issuers[statement.issuer],
                    jti=statement.jti,
                    recorded_at=instant,
                    content=token,
                ),
            )
            number = credential_no(connection, row, types[row.type], issuers[row.issuer])
            no = self._append_version(connection, row, number, instant)
            if no is None:
                raise StoreError(f"{row.credential_id} already has a version of this instant")
            said = (row.credential_id, row.type, row.issuer, row.digest, recorded_at, statement.attestation.digest)
            place = journal.next_place()
            journal.note("credential", no, credential_entry(*said))
            given = answer(row, recorded_at, place)
            if once is not None:
                named = {"principal": once.principal, "key": once.key, "request": once.request}
                made = {"credential_id": row.credential_id, "version": row.digest, "answer": given}
                connection.execute(insert(DONE_ONCE).values(**named, **made, recorded_at=instant))
            return Taken(id=row.credential_id, version=row.digest, answer=given, repeated=False)

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


def _refuse_replay(connection: Connection, statement: Statement, issuer_no: int) -> None:
    where = STATEMENT.c
    used = select(where.no).where(where.issuer_no == issuer_no, where.jti == statement.jti)
    if connection.execute(used).first() is not None:
        raise refused("statement.replayed", "/jti", jti=statement.jti)


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
