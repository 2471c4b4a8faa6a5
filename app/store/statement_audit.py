"""Judges every statement again: its bytes, its signature, and that the version in the register follows from it."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from app.store.reader import SqliteReader
from app.usecases.version_row import person_salt, version_row
from registry.bulk import follows, read_manifest
from registry.canonical import digest
from registry.credential import read_version
from registry.errors import PolicyError, StatementRefused
from registry.intake import add_event, register, reported
from registry.period import from_micros, to_micros
from registry.policy import Policy, PolicyHistory
from registry.statement import SKEW, Statement, check_key, open_statement

_STATEMENT = """
SELECT s.content, s.jti, i.issuer_id, s.recorded_at FROM statement s JOIN issuer i ON i.no = s.issuer_no
WHERE s.digest = ?1"""
_SLACK = SKEW + timedelta(minutes=5)
"""A statement is made so long before it is recorded, at most: its own clock, and the wait for the store."""
_BEFORE = """
SELECT v.content FROM credential c JOIN credential_version v ON v.credential_no = c.no
WHERE c.credential_id = ?1 AND v.known_from < ?2 ORDER BY v.known_from DESC LIMIT 1"""
_VERSION = """
SELECT v.content FROM credential c JOIN credential_version v ON v.credential_no = c.no
WHERE c.credential_id = ?1 AND v.known_from = ?2"""
_ALL = "SELECT digest FROM statement"


class _File(NamedTuple):
    """The statement about a file, opened for one instant of recording, the policy of then, and its rows."""

    statement: Statement
    policy: Policy
    rows: int


class StatementAudit:
    """The statements of a store, read by its connection and judged by its own policy."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path
        self._seen = set[str]()
        self._files: dict[tuple[str, int], _File] = {}
        self._rows = Counter[str]()

    def difference(self, credential_id: str, known_from: int, version: str, stated: str) -> str | None:
        """What is wrong with the version of an instant, by the digests of its content and its statement."""
        file = self._files.get((stated, known_from))
        if file is not None:
            return self._row_difference(file, credential_id, known_from)
        return self._judged(
            stated, known_from, lambda token: self._made(credential_id, known_from, token) == version, credential_id
        )

    def report_difference(self, issuer: str, type_id: str, as_of: int, known_from: int, stated: str) -> str | None:
        """What is wrong with a register report of an instant."""
        said = (issuer, type_id, as_of)
        return self._judged(stated, known_from, lambda token: self._reported(known_from, token) == said)

    def _judged(
        self, stated: str, known_from: int, agrees: Callable[[bytes], bool], credential_id: str | None = None
    ) -> str | None:
        self._seen.add(stated)
        row = self._connection.execute(_STATEMENT, (stated,)).fetchone()
        if row is None:
            return "rests on a statement that is missing"
        token = row[0] if isinstance(row[0], bytes) else b""
        if digest(token) != stated:
            return "rests on a statement that was changed"
        try:
            policy, statement = self._opened(from_micros(known_from), token)
            # A file is entered in many batches, the first with its statement.
            kept_from = row[3] if statement.bulk is not None and row[3] <= known_from else known_from
            if (statement.jti, statement.issuer, kept_from) != row[1:]:
                return "rests on a statement that is kept as another"
            if statement.bulk is not None and credential_id is not None:
                rows = read_manifest(statement, policy, from_micros(known_from)).rows
                file = self._files[stated, known_from] = _File(statement, policy, rows)
                return self._row_difference(file, credential_id, known_from)
            return None if agrees(token) else "is not what was stated"
        except StatementRefused as error:
            return f"rests on a statement that would be refused ({error})"
        except PolicyError as error:
            return f"cannot be judged: {error}"

    def _row_difference(self, file: "_File", credential_id: str, known_from: int) -> str | None:
        """What is wrong with a version that a row of a file made. The file itself is not kept."""
        self._rows[file.statement.attestation.digest] += 1
        if self._rows[file.statement.attestation.digest] > file.rows:
            return "rests on a statement about fewer rows than rest on it"
        row = self._connection.execute(_VERSION, (credential_id, known_from)).fetchone()
        before = self._connection.execute(_BEFORE, (credential_id, known_from)).fetchone()
        earlier = None if before is None else read_version(before[0])
        instant = from_micros(known_from)
        right = row is not None and follows(read_version(row[0]), earlier, file.statement, file.policy, instant)
        return None if right else "is not what was stated"

    def stray(self) -> str | None:
        """A statement that no version rests on."""
        for (stated,) in self._connection.execute(_ALL):
            if stated not in self._seen:
                return f"statement {stated} is kept and nothing rests on it"
        return None

    def _made(self, credential_id: str, known_from: int, token: bytes) -> str:
        """The digest of the version that the statement makes of the one before."""
        instant = from_micros(known_from)
        policy, statement = self._opened(instant, token)
        if statement.credential is not None:
            new = register(statement, policy, instant, self._salt)
            return version_row(new.id, new.number, new.credential).digest
        row = self._connection.execute(_BEFORE, (credential_id, known_from)).fetchone()
        if row is None:
            raise PolicyError(credential_id, "", "there is no version before it")
        credential = add_event(statement, read_version(row[0]), policy, instant, self._salt(credential_id))
        return version_row(credential_id, "", credential).digest

    def _reported(self, known_from: int, token: bytes) -> tuple[str, str, int]:
        """Issuer, type and instant that a statement about a register names."""
        instant = from_micros(known_from)
        policy, statement = self._opened(instant, token)
        return statement.issuer, statement.type, to_micros(reported(statement, policy, instant))

    def _opened(self, instant: datetime, token: bytes) -> tuple[Policy, Statement]:
        policy = self._policies.at(instant)
        if policy is None:
            raise PolicyError("policy", "", "none was known by then")
        # By the keys of then: a later file may no longer have them.
        statement = open_statement(token.decode("ascii"), policy.keys)
        check_key(statement, policy.keys, instant, instant, _SLACK)
        return policy, statement

    def _salt(self, credential_id: str) -> str:
        return person_salt(self._secret, credential_id)

    @cached_property
    def _secret(self) -> bytes:
        secret: bytes = self._connection.execute("SELECT secret FROM store_info").fetchone()[0]
        return secret

    @cached_property
    def _policies(self) -> PolicyHistory:
        reader = SqliteReader(self._path)
        try:
            return reader.load_policies()
        finally:
            reader.close()
