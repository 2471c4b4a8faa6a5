"""What loading a register costs: a million rows of CSV, in no order, into a store with log and places in status lists.

The load is the product's own, in a process of its own: reading, judging, writing, and the wait until all of it is
known. Beside it, in the same run, an ORM adds as many rows of the same size to the same tables with `add_all`; of
these a tenth is timed, while their indices are still small, which is to the ORM's advantage.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlmodel import Session, create_engine, select

from app import clock
from app.bootstrap import seed_policy
from app.importers import measure, open_rows, unchanged
from app.store import schema, tables
from app.store.bulk import SqliteBulk
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.import_register import Loading, RegisterImport
from bench.importers import made_up, write_rows
from registry.bulk import read_manifest
from registry.period import format_instant
from registry.statement import open_statement
from tests.support.issuing import TYPE, Issuing

_ROWS = 1_000_000
_BATCH = 10_000
_SHARE = 10  # one in so many rows is added by the ORM


def write_register(path: Path, rows: int) -> None:
    """A register of Yuzhong's, its rows in no order."""
    listed = [(*row[:8], "500103", row[9]) for row in made_up(rows)]
    random.Random(1).shuffle(listed)
    write_rows(path, listed)


def load(store: Path, file: Path, issuing: Issuing) -> dict[str, Any]:
    """Loads a file in this process: what it took, in seconds and MiB."""
    began, spent = time.monotonic(), time.process_time()
    reader = SqliteReader(store)
    policy = reader.load_policies().latest
    source = open_rows(file, policy.profiles[TYPE], issuer=issuing.issuer)
    facts, now = measure(file, source), clock.now()
    about = {"file": facts.digest, "rows": facts.rows, "as_of": format_instant(now)}
    token = issuing.sign(issuing.claims(now, bulk=about))
    statement = open_statement(token, policy.keys)
    bulk = SqliteBulk(store, token.encode(), statement, unique_numbers=True)
    loading = Loading(
        source=source,
        facts=facts,
        statement=statement,
        manifest=read_manifest(statement, policy, now),
        secret=reader.secret(),
        enter=True,
        policies=reader.load_policies,
        still_the_same=unchanged(file),
        refuse=lambda fault: None,
        progress=lambda done: None,
    )
    report = RegisterImport(loading, bulk).run()
    bulk.close(), reader.close()
    return {
        "rows": report.rows,
        "new": report.new,
        "refused": report.refused,
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - spent,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _versions(store: Path, count: int) -> Iterator[tuple[Any, Any, Any]]:
    """The rows of so many credentials of a store, as new objects of its models."""
    engine = create_engine(f"sqlite:///{store}")
    with Session(engine) as session:
        found = session.exec(
            select(tables.CredentialRow, tables.VersionRow, tables.LogEntryRow)
            .where(tables.VersionRow.credential_no == tables.CredentialRow.no)
            .where(tables.LogEntryRow.event == "credential", tables.LogEntryRow.row_no == tables.VersionRow.no)
            .limit(count)
        )
        for row in found:
            yield tuple(type(part)(**part.model_dump()) for part in row)  # type: ignore[misc]
    engine.dispose()


def add_all(store: Path, other: Path, count: int) -> float:
    """Adds rows of a store to another by the ORM: the CPU seconds of each row."""
    schema.migrate(other, "test", clock.now())
    rows = list(_versions(store, count))
    engine = create_engine(f"sqlite:///{other}")

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -160000")

    with Session(engine) as session:
        session.add(tables.TypeRow(no=1, type_id=TYPE))
        session.add(tables.IssuerRow(no=1, issuer_id="cq-yuzhong-amr"))
        session.commit()
    spent = time.process_time()
    for start in range(0, len(rows), _BATCH):
        with Session(engine) as session:
            session.add_all([part for row in rows[start : start + _BATCH] for part in row])
            session.commit()
    used = time.process_time() - spent
    engine.dispose()
    return used / len(rows)


def _child(arguments: argparse.Namespace) -> None:
    issuing = Issuing()
    store, file = Path(arguments.folder) / "accord.db", Path(arguments.folder) / "register.csv"
    schema.migrate(store, "test", clock.now())
    writer = SqliteWriter(store)
    writer.enter_policies((*seed_policy(), issuing.document()))
    writer.close()
    print(json.dumps(load(store, file, issuing)))


def main() -> None:
    """Prints rows a second, CPU a row beside the ORM's, and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=_ROWS)
    parser.add_argument("--gate", type=float, help="fail below so many times the ORM's efficiency")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder:
        _child(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_register(Path(folder) / "register.csv", arguments.rows)
        command = [sys.executable, "-m", "bench.bulk", "--folder", folder]
        done = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ).stdout)
        if done["new"] != arguments.rows:
            raise SystemExit(f"{done['new']} of {arguments.rows} rows were registered")
        ours = done["cpu"] / arguments.rows
        orm = add_all(Path(folder) / "accord.db", Path(folder) / "orm.db", max(arguments.rows // _SHARE, 1000))
    ratio = orm / ours
    print(
        f"load of {arguments.rows} rows: {arguments.rows / done['seconds']:,.0f} rows/s, {ours * 1e6:.1f} us CPU a row, "
        f"peak {done['peak']:.0f} MiB; ORM add_all {orm * 1e6:.0f} us CPU a row: {ratio:.1f} times"
    )
    if arguments.gate is not None and ratio < arguments.gate:
        raise SystemExit(f"the load has {ratio:.1f} times the ORM's efficiency, at least {arguments.gate} is wanted")


if __name__ == "__main__":
    main()
