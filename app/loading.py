"""Puts the load of a register's file together: what reads it, what enters its rows, and the use case between them."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from app import clock
from app.importers import FileFacts, RowFault, RowSource, measure, open_rows, unchanged
from app.store.bulk import SqliteBulk
from app.store.reader import SqliteReader
from app.usecases.import_register import BATCH, ImportReport, Loading, RegisterImport
from registry.bulk import read_manifest
from registry.policy import Policy, PolicyHistory
from registry.statement import Statement


class OpenedFile(Struct, frozen=True, kw_only=True):
    """A register's file: its rows, what it is, and what raises `FileRefused` once it is another."""

    source: RowSource
    facts: FileFacts
    still_the_same: Callable[[], None]


class Told(Struct, frozen=True, kw_only=True):
    """Who is told of a load: of each fault, and of how many rows are done."""

    refuse: Callable[[RowFault], None]
    progress: Callable[[int], None] = lambda done: None


def open_file(path: Path, policy: Policy, type_id: str, issuer: str) -> OpenedFile:
    """Goes through all of the file once, so that what refuses it as a whole is found now. Raises `FileRefused`."""
    same = unchanged(path)
    source = open_rows(path, policy.profiles[type_id], issuer=issuer, area_of=policy.gazetteer.code_of)
    return OpenedFile(source=source, facts=measure(path, source), still_the_same=same)


def load_file(
    store: Path,
    file: OpenedFile,
    token: str,
    statement: Statement,
    told: Told,
    *,
    enter: bool,
    batch: int = BATCH,
    policies: Callable[[], PolicyHistory] | None = None,
) -> ImportReport:
    """Loads an opened file into a store by a statement about it; without `enter` it is a trial.

    Raises `FileRefused`, `StoreError` and `QueryRefused`. `policies` gives the newest ones; by default the store's.
    """
    with closing(SqliteReader(store)) as reader:
        newest = policies or reader.load_policies
        policy = newest().latest
        unique = policy.profiles[statement.type].number.unique_within == "type"
        loading = Loading(
            source=file.source,
            facts=file.facts,
            statement=statement,
            manifest=read_manifest(statement, policy, clock.now()),
            secret=reader.secret(),
            enter=enter,
            batch=batch,
            policies=newest,
            still_the_same=file.still_the_same,
            refuse=told.refuse,
            progress=told.progress,
        )
        with closing(SqliteBulk(store, token.encode(), statement, unique_numbers=unique)) as bulk:
            return RegisterImport(loading, bulk).run()
