"""Keys to call with: shown once, kept as keyed hashes, never deleted."""

import hmac
import os
import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app.ports import SCOPES, ApiKey, Principal, StoreError
from app.store.file import connect
from app.store.schema import failing_clearly
from keys import base64url
from registry.period import from_micros, to_micros

_PURPOSE = b"accord-api-key-v1"
_USED_EVERY = timedelta(minutes=1)
"""So exact is the last use that is kept."""

_MADE = """
INSERT INTO api_key (key_id, hash, name, role, issuer, scopes, created_at, expires_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"""
_COLUMNS = "no, key_id, name, role, issuer, scopes, expires_at, stopped_at, used_at"
_FIND = f"SELECT {_COLUMNS} FROM api_key WHERE hash = ?1"
_NAMED = f"SELECT {_COLUMNS} FROM api_key WHERE key_id = ?1"
_USED = "UPDATE api_key SET used_at = ?2 WHERE no = ?1"
_LIST = """
SELECT key_id, name, role, issuer, scopes, created_at, expires_at, stopped_at, used_at FROM api_key ORDER BY no"""
_STOP = "UPDATE api_key SET stopped_at = ?2 WHERE key_id = ?1 AND stopped_at IS NULL"


class SqliteApiKeys:
    """Implements `app.ports.Principals` on a store file, and makes, lists and stops keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with failing_clearly(path):
            self._connection = connect(path, timeout=10)
            self._noting = connect(path, timeout=0)
            mode, secret = self._connection.execute("SELECT mode, secret FROM store_info").fetchone()
        self._prefix = f"ak_{mode}_"
        self._secret = hmac.digest(secret, _PURPOSE, "sha256")

    def close(self) -> None:
        """Lets the file go."""
        self._connection.close()
        self._noting.close()

    def make(
        self,
        name: str,
        role: str,
        issuer: str | None,
        now: datetime,
        expires_at: datetime | None,
        scopes: tuple[str, ...] | None = None,
    ) -> tuple[str, str]:
        """Makes a key: its id, and the secret, which is kept nowhere. `scopes` None: all of the role.

        Raises `StoreError`.
        """
        secret = self._prefix + base64url.encode(os.urandom(32))
        key_id = f"key_{os.urandom(8).hex()}"
        end = None if expires_at is None else to_micros(expires_at)
        good_for = " ".join(SCOPES[role] if scopes is None else scopes)
        self._run(_MADE, key_id, self._hash(secret), name, role, issuer, good_for, to_micros(now), end)
        return key_id, secret

    def find(self, secret: str, now: datetime) -> Principal | None:
        """Whose key this is, None for one that is unknown, stopped or expired."""
        if not secret.startswith(self._prefix):
            return None
        return self._good(self._run(_FIND, self._hash(secret)).fetchone(), now)

    def named(self, key_id: str, now: datetime) -> Principal | None:
        """Whose key has this id, None for one that is unknown, stopped or expired."""
        return self._good(self._run(_NAMED, key_id).fetchone(), now)

    def _good(self, row: tuple[Any, ...] | None, now: datetime) -> Principal | None:
        if row is None:
            return None
        no, key_id, name, role, issuer, scopes, expires_at, stopped_at, used_at = row
        if stopped_at is not None or (expires_at is not None and expires_at <= to_micros(now)):
            return None
        if used_at is None or to_micros(now - _USED_EVERY) >= used_at:
            # Nobody waits for a writer here, nor is turned away for it: it is noted the next time.
            with suppress(sqlite3.OperationalError):
                self._noting.execute(_USED, (no, to_micros(now)))
        return Principal(key_id=key_id, name=name, role=role, issuer=issuer, scopes=tuple(scopes.split()))

    def all(self) -> tuple[ApiKey, ...]:
        """Every key, in the order in which they were made."""

        def instant(micros: int | None) -> datetime | None:
            return None if micros is None else from_micros(micros)

        return tuple(
            ApiKey(
                key_id=key_id,
                name=name,
                role=role,
                issuer=issuer,
                scopes=tuple(scopes.split()),
                created_at=from_micros(created_at),
                expires_at=instant(expires_at),
                stopped_at=instant(stopped_at),
                used_at=instant(used_at),
            )
            for key_id, name, role, issuer, scopes, created_at, expires_at, stopped_at, used_at in self._run(_LIST)
        )

    def stop(self, key_id: str, now: datetime) -> bool:
        """Stops a key from now on; False where it is unknown or was stopped before."""
        return self._run(_STOP, key_id, to_micros(now)).rowcount == 1

    def _hash(self, secret: str) -> bytes:
        return hmac.digest(self._secret, secret.encode("utf-8", "surrogateescape"), "sha256")

    def _run(self, statement: str, *parameters: object) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error
