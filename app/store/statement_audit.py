"""Judges every statement again: its bytes, its signature, and that the version in the register follows from it."""

import sqlite3
from functools import cached_property
from pathlib import Path

from app.store.reader import SqliteReader
from app.usecases.version_row import person_salt, version_row
from registry.canonical import digest
from registry.credential import read_version
from registry.errors import PolicyError, StatementRefused
from registry.intake import add_event, register
from registry.period import from_micros
from registry.policy import PolicyHistory
from registry.statement import open_statement

_STATEMENT = "SELECT content FROM statement WHERE digest = ?1"
_BEFORE = """
SELECT v.content FROM credential c JOIN credential_version v ON v.credential_no = c.no
WHERE c.credential_id = ?1 AND v.known_from < ?2 ORDER BY v.known_from DESC LIMIT 1"""
_ALL = "SELECT digest FROM statement"


class StatementAudit:
    """The statements of a store, read by its connection and judged by its own policy."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path
        self._seen = set[str]()

    def difference(self, credential_id: str, known_from: int, version: str, stated: str) -> str | None:
        """What is wrong with the version of an instant, by the digests of its content and its statement."""
        self._seen.add(stated)
        row = self._connection.execute(_STATEMENT, (stated,)).fetchone()
        if row is None:
            return "rests on a statement that is missing"
        token = row[0] if isinstance(row[0], bytes) else b""
        if digest(token) != stated:
            return "rests on a statement that was changed"
        try:
            return None if self._made(credential_id, known_from, token) == version else "is not what was stated"
        except StatementRefused as error:
            return f"rests on a statement that would be refused ({error})"
        except PolicyError as error:
            return f"cannot be judged: {error}"

    def stray(self) -> str | None:
        """A statement that no version rests on."""
        for (stated,) in self._connection.execute(_ALL):
            if stated not in self._seen:
                return f"statement {stated} is kept and nothing rests on it"
        return None

    def _made(self, credential_id: str, known_from: int, token: bytes) -> str:
        """The digest of the version that the statement makes of the one before."""
        instant = from_micros(known_from)
        policy = self._policies.at(instant)
        if policy is None:
            raise PolicyError("policy", "", "none was known by then")
        # By the keys of then: a later file may no longer have them.
        statement = open_statement(token.decode("ascii"), policy.keys)
        if statement.credential is not None:
            new = register(statement, policy, instant, self._salt)
            return version_row(new.id, new.number, new.credential).digest
        row = self._connection.execute(_BEFORE, (credential_id, known_from)).fetchone()
        if row is None:
            raise PolicyError(credential_id, "", "there is no version before it")
        credential = add_event(statement, read_version(row[0]), policy, instant, self._salt(credential_id))
        return version_row(credential_id, "", credential).digest

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
