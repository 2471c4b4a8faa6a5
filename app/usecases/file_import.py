"""Files that issuers upload: judged before a byte of them is read, kept until a job loads them."""

import os
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from app.ports import Principal
from app.usecases.import_register import ImportReport, unsigned
from registry.bulk import read_manifest
from registry.errors import Fault, QueryRefused
from registry.period import format_instant
from registry.policy import Policy
from registry.statement import Statement, check_key, open_statement, refused

WRITE = "credentials.write"
"""The scope that uploading needs."""
MOST_UNFINISHED = 4
"""Imports of one issuer that may wait or run at a time: more would fill the disk."""
MOST_TRIES = 3
"""So often a load is begun. One that never comes to an end must not be begun for ever."""
KEPT = timedelta(days=30)
"""So long it can be read which rows were refused: what is wrong with them shows what is in them."""
UNFINISHED = ("waiting", "running")


class FileImport(Struct, frozen=True, kw_only=True):
    """One upload. `statement` is the issuer's JWS, empty in a trial that nobody signed; `file` the bytes' digest.

    `state`: waiting, running, done (rows may have been refused), refused (nothing can be done with file or statement;
    `problem` says why) or failed (our fault). `once` is the Idempotency-Key. `rows` is how many the file has, None
    before that is known; `done` how many were judged in this try.
    """

    id: str
    key_id: str
    issuer: str
    type: str
    dry_run: bool
    statement: str
    file: str
    once: str | None
    received_at: datetime
    state: str = "waiting"
    tries: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    rows: int | None = None
    done: int = 0
    report: ImportReport | None = None
    problem: Fault | None = None


class ImportStore(Protocol):
    """Keeps uploads and what came of them. Each raises `StoreError`."""

    def add(self, entry: FileImport) -> FileImport | None:
        """Enters an upload and gives it, or the one that it repeats; None where too many are unfinished.

        It repeats one of the same caller with the same Idempotency-Key, or one under way of the same statement.
        """
        ...

    def find(self, import_id: str) -> FileImport | None:
        """One by its id."""
        ...

    def update(self, entry: FileImport) -> None:
        """Writes down how it stands."""
        ...

    def unfinished(self) -> list[FileImport]:
        """Those that wait or run, the oldest first."""
        ...


def announced(
    principal: Principal, token: str | None, type_id: str | None, *, dry_run: bool, policy: Policy, now: datetime
) -> Statement:
    """The statement about a file that is to come, judged by all but the file. Raises `QueryRefused`.

    A trial needs none: it names the type instead.
    """
    if WRITE not in principal.scopes or principal.issuer is None:
        raise QueryRefused(Fault(pointer="", code="auth.forbidden", params={"why": WRITE}))
    if token is None:
        if not dry_run:
            raise QueryRefused(Fault(pointer="", code="import.statement_missing", params={}))
        return _unsigned(principal.issuer, type_id, policy, now)
    statement = open_statement(token, policy.keys)
    if statement.issuer != principal.issuer:
        why = f"{principal.issuer} ≠ {statement.issuer}"
        raise QueryRefused(Fault(pointer="", code="auth.forbidden", params={"why": why}))
    if type_id is not None and type_id != statement.type:
        raise refused("statement.bulk_other", stated=statement.type, given=type_id[:64])
    read_manifest(statement, policy, now)
    if not dry_run:
        check_key(statement, policy.keys, now, now)
    return statement


def _unsigned(issuer: str, type_id: str | None, policy: Policy, now: datetime) -> Statement:
    if type_id is None:
        raise QueryRefused(Fault(pointer="/type", code="query.member_missing", params={"name": "type"}))
    profile = policy.profiles.get(type_id)
    if profile is None or profile.lifecycle is None:
        known = sorted(name for name, entry in policy.profiles.items() if entry.lifecycle is not None)
        params = {"value": type_id[:64], "allowed": ", ".join(known)}
        raise QueryRefused(Fault(pointer="/type", code="query.unknown_type", params=params))
    statement = trial(issuer, type_id, profile.version, "sha256:" + "0" * 64, 0, now)
    read_manifest(statement, policy, now)
    return statement


def trial(issuer: str, type_id: str, version: int, file: str, rows: int, now: datetime) -> Statement:
    """What an issuer would state about a file as of now."""
    return unsigned(issuer, type_id, version, {"file": file, "rows": rows, "as_of": format_instant(now)}, now)


def arrived(
    principal: Principal, statement: Statement, token: str, file: str, once: str | None, now: datetime, *, dry_run: bool
) -> FileImport:
    """The upload, its bytes being there. Raises `StatementRefused` where they are not those that were signed for."""
    stated = (statement.bulk or {}).get("file")
    if token and stated != file:
        raise refused("statement.file_other", "/bulk/file", stated=str(stated), given=file)
    return FileImport(
        id=f"imp_{os.urandom(16).hex()}",
        key_id=principal.key_id,
        issuer=statement.issuer,
        type=statement.type,
        dry_run=dry_run,
        statement=token,
        file=file,
        once=once,
        received_at=now,
    )


def same_request(entry: FileImport, other: FileImport) -> bool:
    """Whether both ask for the same."""
    asked = ("issuer", "type", "dry_run", "statement", "file")
    return all(getattr(entry, name) == getattr(other, name) for name in asked)


def may_see(principal: Principal, entry: FileImport) -> bool:
    """Whether it is theirs, or theirs to watch over."""
    return principal.role in ("operator", "auditor") or (
        principal.role == "issuer" and principal.issuer == entry.issuer
    )


def begun(entry: FileImport, now: datetime) -> FileImport:
    """The next try at loading it."""
    return replace(entry, state="running", tries=entry.tries + 1, started_at=now, rows=None, done=0)


def ended(
    entry: FileImport, now: datetime, *, report: ImportReport | None = None, problem: Fault | None = None
) -> FileImport:
    """It came to an end: with a report, or with what stood in the way."""
    ours = problem is not None and problem.code in ("internal.error", "import.interrupted")
    state = "done" if problem is None else "failed" if ours else "refused"
    return replace(entry, state=state, finished_at=now, report=report, problem=problem)
