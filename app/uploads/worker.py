"""Loads the files that wait on a store's shelf, one after the other, until none waits."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from app import clock, telemetry
from app.importers import FileRefused
from app.loading import Told, load_file, open_file
from app.ports import StoreError
from app.store.imports import SqliteImports
from app.store.reader import SqliteReader
from app.uploads.shelf import FaultList, Shelf
from app.usecases.file_import import KEPT, MOST_TRIES, FileImport, begun, ended, trial
from app.usecases.import_register import ImportReport
from registry.errors import Fault, QueryRefused, StatementRefused
from registry.statement import open_statement

BATCH = 5_000
"""Rows that are entered together: others want to write in the meantime, above all the challenges of locks."""


def work_off(store: Path) -> Iterator[FileImport]:
    """Loads what waits, and gives each import as it ended. Nothing where another process is at it.

    Raises `StoreError`; what was under way then is tried again next time.
    """
    shelf = Shelf(store)
    with closing(SqliteImports(store)) as imports:
        busy = True
        # Looked at again after the lock is let go: whoever put a file there meanwhile was turned away by the lock.
        while busy and imports.unfinished():
            with shelf.alone() as alone:
                busy = alone
                while alone and (waiting := imports.unfinished()):
                    yield _work(store, shelf, imports, waiting[0])
                if alone:
                    shelf.forget(clock.now() - KEPT)


def _work(store: Path, shelf: Shelf, imports: SqliteImports, entry: FileImport) -> FileImport:
    """One import, to its end. It may have been begun before: by a process that was killed."""
    if entry.tries >= MOST_TRIES:
        problem = Fault(pointer="", code="import.interrupted", params={"tries": str(entry.tries)})
        return _end(shelf, imports, ended(entry, clock.now(), problem=problem))
    entry = begun(entry, clock.now())
    imports.update(entry)
    try:
        with shelf.faults(entry.id) as faults:
            entry, report = _load(store, shelf, imports, entry, faults)
        return _end(shelf, imports, ended(entry, clock.now(), report=report))
    except FileRefused as refusal:
        problem = Fault(pointer="", code=refusal.code, params=refusal.params)
    except (QueryRefused, StatementRefused) as refusal:
        problem = refusal.faults[0]
    except StoreError:
        raise
    except Exception as error:
        telemetry.failure(entry.id, error)
        problem = Fault(pointer="", code="internal.error")
    found = imports.find(entry.id) or entry
    return _end(shelf, imports, ended(found, clock.now(), problem=problem))


def _load(
    store: Path, shelf: Shelf, imports: SqliteImports, entry: FileImport, faults: FaultList
) -> tuple[FileImport, ImportReport]:
    with closing(SqliteReader(store)) as reader:
        policy = reader.load_policies().latest
    file = open_file(shelf.file(entry.id), policy, entry.type, entry.issuer)
    entry = replace(entry, rows=file.facts.rows)
    imports.update(entry)
    if entry.statement:
        statement = open_statement(entry.statement, policy.keys)
    else:
        version = policy.profiles[entry.type].version
        facts = file.facts
        statement = trial(entry.issuer, entry.type, version, facts.digest, facts.rows, entry.received_at)

    def progress(done: int) -> None:
        nonlocal entry
        entry = replace(entry, done=done)
        faults.flush()
        imports.update(entry)

    told = Told(refuse=faults.add, progress=progress)
    report = load_file(store, file, entry.statement, statement, told, enter=not entry.dry_run, batch=BATCH)
    return entry, report


def _end(shelf: Shelf, imports: SqliteImports, entry: FileImport) -> FileImport:
    imports.update(entry)
    shelf.drop(entry.id)
    return entry
