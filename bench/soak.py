"""Kills a node that takes statements and files in, again and again, and looks what is left; and fills its disk.

Whatever was acknowledged must be there, nothing may be there by half, and the log must verify from scratch. The writer
is a process of its own with several statements under way at any time; it is killed with SIGKILL at random instants.
"""

import argparse
import itertools
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from app import clock
from app.bootstrap import seed_policy
from app.ports import SCOPES, Principal, StoreError
from app.store import schema
from app.store.audit import audit
from app.store.intake import SqliteIntake
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.take_statement import StatementTaker, Submission
from bench.bulk import load
from bench.importers import made_up, write_rows
from tests.support.issuing import LICENCE, Issuing

_KILLS = 200
_THREADS = 8
_FILE, _LOT = 100, 20  # rows of a file, and of those that are entered together
_FULL = 3  # MiB of the small disk
_CALLER = Principal(key_id="key_soak", name="测试", role="issuer", issuer="cq-yuzhong-amr", scopes=SCOPES["issuer"])


def _write(path: Path, first: int) -> None:
    """Registers licences and suspends them, for ever; says a line for each statement that was taken in."""
    issuing, intake = _entered(path, first), SqliteIntake(path)
    reader = SqliteReader(path)
    taker, policies = StatementTaker(intake, reader.secret()), reader.load_policies()

    def take(number: int) -> None:
        now = clock.now()
        claims = issuing.claims(now, credential=LICENCE | {"number": f"JY150{number:011d}"})
        claims["jti"] = f"soak-{number:011d}"
        made = taker.take(_submission(issuing.sign(claims), None, ""), policies, now)
        _say(f"{made.id} {made.version}")
        step = issuing.event(now, made.id, "suspended", now)
        step["jti"] = f"soak-step-{number:011d}"
        turned = taker.take(_submission(issuing.sign(step), made.id, made.version), policies, clock.now())
        _say(f"{turned.id} {turned.version}")

    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(take, range(first * 100_000, (first + 1) * 100_000)):
            pass


def _load(path: Path, first: int) -> None:
    """Loads one file after the other, for ever; says a line for each batch that was entered."""
    issuing = _entered(path, first)
    for turn in itertools.count():
        file = path.with_name(f"{first}-{turn}.csv")
        start = first * 10_000 + turn * _FILE
        # Whole or not at all: a file that a kill cut short is no file of an issuer's.
        rows = [(f"JY2500103{start + at:07d}", *row[1:8], "500103", row[9]) for at, row in enumerate(made_up(_FILE))]
        write_rows(file.with_suffix(".part"), rows).rename(file)
        load(path, file, issuing, lambda done, name=file.name: _say(f"file {name} {done}"), batch=_LOT)


def _entered(path: Path, first: int) -> Issuing:
    """A key of the process's own, known to the store: nothing of a key outlives a kill."""
    issuing, writer = Issuing(), SqliteWriter(path)
    writer.enter_policies([issuing.document(version=first + 1)])
    writer.close()
    return issuing


def _go_on(path: Path, turn: int, acknowledged: set[str]) -> int:
    """Loads the files of a life that was killed again: what was acknowledged is there, in whole batches, and once."""
    issuing, rows = _entered(path, 2 * turn + 1), 0
    for file in sorted(path.parent.glob(f"{2 * turn}-*.csv")):
        said = max((int(line.split()[2]) for line in acknowledged if line.startswith(f"file {file.name} ")), default=0)
        done = load(path, file, issuing, batch=_LOT)
        there = done["unchanged"]
        if there < said or there % _LOT or there + done["new"] != _FILE:
            raise SystemExit(f"{file.name}: {said} rows were acknowledged, {there} were there, {done['new']} were not")
        rows += there
        file.unlink()
    return rows


def _submission(token: str, named: str | None, expected: str) -> Submission:
    return Submission(
        token=token,
        principal=_CALLER,
        about="credential" if named is None else "event",
        credential_id=named,
        expected=frozenset({expected}),
        key=None,
    )


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # one write, so that a kill leaves whole lines or none


def _known(path: Path) -> set[str]:
    """Every version that the store holds, as the writer says them."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT c.credential_id, v.digest FROM credential_version v JOIN credential c ON c.no = v.credential_no"
        )
        return {f"{named} {digest}" for named, digest in rows}


def _kill(path: Path, turn: int, acknowledged: set[str]) -> None:
    """One life of the writer: it is killed some time after its first word."""
    how = "--load" if turn % 2 else "--write"
    command = [sys.executable, "-m", "bench.soak", how, str(path), "--first", str(2 * turn)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(random.uniform(0, 0.6))
        os.killpg(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read()
    if not first:
        raise SystemExit("the writer said nothing")
    acknowledged.update((first + rest).decode().splitlines())


def _soak(folder: Path, kills: int) -> None:
    path = schema.migrate(folder / "accord.db", "test", clock.now()).path
    intake = SqliteIntake(path)
    intake.enter_policies(seed_policy())
    intake.close()
    acknowledged: set[str] = set()
    rows = 0
    for turn in range(kills):
        _kill(path, turn, acknowledged)
        rows += _go_on(path, turn, acknowledged) if turn % 2 else 0
        acknowledged = {line for line in acknowledged if not line.startswith("file ")}
        lost = acknowledged - _known(path)
        if lost:
            raise SystemExit(f"kill {turn}: {len(lost)} acknowledged statements are lost, such as {min(lost)}")
        difference = audit(path, None).difference
        if difference is not None:
            raise SystemExit(f"kill {turn}: {difference}")
        if turn % 20 == 19:
            said = f"{len(acknowledged)} statements and {rows} rows of files"
            print(f"{turn + 1:5} kills, {said} acknowledged, 0 lost, log verified", flush=True)
    print(f"{kills} kills, half of them of loads: {len(acknowledged)} statements and {rows} rows, 0 lost, none by half")


@contextmanager
def _small_disk() -> Iterator[Path | None]:
    """A file system of a few MiB; None where none may be mounted."""
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_FULL}m", "tmpfs", str(folder)]
    mounted = (
        subprocess.run(mount, capture_output=True, check=False).returncode == 0 if shutil.which("mount") else False
    )
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def _fill(folder: Path) -> None:
    """Statements until the disk is full: the last is refused clearly, and everything before it is there."""
    path = schema.migrate(folder / "accord.db", "test", clock.now()).path
    issuing, intake = Issuing(), SqliteIntake(path)
    intake.enter_policies((*seed_policy(), issuing.document()))
    reader = SqliteReader(path)
    taker, policies = StatementTaker(intake, reader.secret()), reader.load_policies()
    acknowledged: set[str] = set()
    refusal = ""
    # What keeps the disk from being full too late: padding that leaves room for some statements.
    with open(folder / "padding", "wb") as padding:
        padding.write(bytes(max(0, shutil.disk_usage(folder).free - 400_000)))
    for number in range(100_000):
        claims = issuing.claims(clock.now(), credential=LICENCE | {"number": f"JY150{number:011d}"})
        try:
            made = taker.take(_submission(issuing.sign(claims), None, ""), policies, clock.now())
        except StoreError as error:
            refusal = str(error)
            break
        acknowledged.add(f"{made.id} {made.version}")
    (folder / "padding").unlink()
    difference, lost = audit(path, None).difference, acknowledged - _known(path)
    if not refusal or lost or difference:
        raise SystemExit(f"full disk: refused with {refusal!r}, {len(lost)} lost, log: {difference}")
    claims = issuing.claims(clock.now(), credential=LICENCE)
    taker.take(_submission(issuing.sign(claims), None, ""), policies, clock.now())
    intake.close(), reader.close()
    print(
        f"full disk: {len(acknowledged)} taken in, then refused ({refusal[-40:]}), 0 lost, goes on when there is room"
    )


def main() -> None:
    """Exits with a line that says what is wrong, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=_KILLS)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write is not None:
        _write(arguments.write, arguments.first)
        return
    if arguments.load is not None:
        _load(arguments.load, arguments.first)
        return
    with tempfile.TemporaryDirectory() as folder:
        _soak(Path(folder), arguments.kills)
    with _small_disk() as disk:
        if disk is None:
            print("full disk: not tried, as no file system may be mounted here; run it as root")
            return
        _fill(disk)


if __name__ == "__main__":
    main()
