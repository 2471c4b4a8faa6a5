"""What loading a register costs: a million rows of CSV, in no order, into a store with log and places in status lists.

The load is the product's own, in a process of its own: reading, judging, writing, and the wait until all of it is
known. Beside it, in the same run, an ORM adds rows of the same size to the same full tables with `add_all`: only the
rows, ready made, without reading, judging, tiles and statuses.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlmodel import Session, create_engine, func, select

from app import clock
from app.bootstrap import seed_policy, settle
from app.loading import Told, load_file, open_file
from app.store import schema, tables
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.import_register import BATCH
from bench.importers import made_up, write_rows
from registry.period import format_instant
from registry.statement import open_statement
from tests.support.issuing import TYPE, Issuing

_ROWS = 1_000_000
_BATCH = 10_000
_WANTED = 8  # times the efficiency of the ORM
_SHARE = 20  # as many rows as one in so many are added by the ORM


def write_register(path: Path, rows: int) -> None:
    """A register of Yuzhong's, its rows in no order."""
    listed = [(*row[:8], "500103", row[9]) for row in made_up(rows)]
    random.Random(1).shuffle(listed)
    write_rows(path, listed)


def load(
    store: Path,
    file: Path,
    issuing: Issuing,
    progress: Callable[[int], None] = lambda done: None,
    *,
    batch: int = BATCH,
) -> dict[str, Any]:
    """Loads a file in this process: what it took, in seconds and MiB."""
    began, spent = time.monotonic(), time.process_time()
    with closing(SqliteReader(store)) as reader:
        policy = reader.load_policies().latest
    opened = open_file(file, policy, TYPE, issuing.issuer)
    about = {"file": opened.facts.digest, "rows": opened.facts.rows, "as_of": format_instant(clock.now())}
    token = issuing.sign(issuing.claims(clock.now(), bulk=about) | {"jti": str(uuid.uuid4())})
    told = Told(refuse=lambda fault: None, progress=progress)
    report = load_file(store, opened, token, open_statement(token, policy.keys), told, enter=True, batch=batch)
    return {
        "rows": report.rows,
        "new": report.new,
        "unchanged": report.unchanged,
        "refused": report.refused,
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - spent,
        "peak": _peak(),
    }


def _peak() -> float:
    """The most memory that this program had, in MiB; what `getrusage` tells begins with its parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


_MODELS = (tables.CredentialRow, tables.VersionRow, tables.LogEntryRow)


def _more(store: Path, count: int, mark: str) -> list[tuple[dict[str, Any], ...]]:
    """So many credentials, versions and entries as the store has, under other names."""
    engine = create_engine(f"sqlite:///{store}")
    found = []
    with Session(engine) as session:
        last = session.exec(select(func.max(tables.LogEntryRow.no))).one() or 0
        rows = session.exec(
            select(*_MODELS)
            .where(tables.VersionRow.credential_no == tables.CredentialRow.no)
            .where(tables.LogEntryRow.event == "credential", tables.LogEntryRow.row_no == tables.VersionRow.no)
            .limit(count)
        )
        for at, (credential, version, entry) in enumerate(rows, last + 1):
            named = {"no": at, "credential_id": f"cred_{mark}{at:020d}", "number": mark + credential.number[::-1]}
            held = {"no": at, "credential_no": at, "subject_uscc": mark + (version.subject_uscc or "")[::-1]}
            parts = ((credential, named), (version, held), (entry, {"no": at, "row_no": at}))
            found.append(tuple(part.model_dump() | changed for part, changed in parts))
    engine.dispose()
    return found


def _configure(connection: Any, record: object = None) -> None:
    for setting in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -140000"):
        connection.execute(f"PRAGMA {setting}")


def add_all(store: Path, count: int) -> float:
    """Adds rows to a store that is full already, by the ORM: the CPU seconds of each."""
    rows = _more(store, count, "o")
    engine = create_engine(f"sqlite:///{store}")
    event.listen(engine, "connect", _configure)
    spent = time.process_time()
    for start in range(0, len(rows), _BATCH):
        with Session(engine) as session:
            batch = rows[start : start + _BATCH]
            session.add_all([model(**part) for row in batch for model, part in zip(_MODELS, row, strict=True)])
            session.commit()
    used = time.process_time() - spent
    engine.dispose()
    return used / len(rows)


def insert_alone(store: Path, count: int) -> float:
    """The same by the driver, from rows that are there: the CPU seconds of each, below which no load can come."""
    rows = _more(store, count, "d")
    connection = sqlite3.connect(store, isolation_level=None)
    _configure(connection)
    spent = time.process_time()
    for start in range(0, len(rows), _BATCH):
        batch = sorted(rows[start : start + _BATCH], key=lambda row: str(row[0]["number"]))
        connection.execute("BEGIN IMMEDIATE")
        for at, model in enumerate(_MODELS):
            names = list(batch[0][at])
            places = ", ".join("?" * len(names))
            statement = f"INSERT INTO {model.__tablename__} ({', '.join(names)}) VALUES ({places})"
            connection.executemany(statement, [tuple(row[at].values()) for row in batch])
        connection.execute("COMMIT")
    used = time.process_time() - spent
    connection.close()
    return used / len(rows)


def _child(arguments: argparse.Namespace) -> None:
    issuing = Issuing()
    store, file = Path(arguments.folder) / "accord.db", Path(arguments.folder) / "register.csv"
    schema.migrate(store, "test", clock.now())
    writer = SqliteWriter(store)
    writer.enter_policies((*seed_policy(), issuing.document()))
    writer.close()
    settle()
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
        store, share = Path(folder) / "accord.db", max(arguments.rows // _SHARE, 1000)
        orm, bare = add_all(store, share), insert_alone(store, share)
    ratio, rate = orm / ours, arguments.rows / done["seconds"]
    print(
        f"load of {arguments.rows} rows: {rate:,.0f} rows/s, {ours * 1e6:.1f} us CPU a row, peak {done['peak']:.0f} MiB"
    )
    print(
        f"rows alone, ready made: ORM add_all {orm * 1e6:.0f} us CPU, the driver's inserts {bare * 1e6:.1f} us; "
        f"the ORM takes {ratio:.1f} times the whole load, {orm / bare:.1f} times the inserts: "
        f"{_WANTED} times would leave {(orm / _WANTED - bare) * 1e6:.1f} us for reading, judging, digests and tree"
    )
    if arguments.gate is not None and ratio < arguments.gate:
        raise SystemExit(f"the load has {ratio:.1f} times the ORM's efficiency, at least {arguments.gate} is wanted")


if __name__ == "__main__":
    main()
