"""Kills a node that takes statements in, again and again, and looks what is left; and fills its disk.

Whatever was acknowledged must be there, nothing may be there by half, and the log must verify from scratch. The writer
is a process of its own with several statements under way at any time; it is killed with SIGKILL at random instants.
"""

import argparse
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
from app.usecases.take_statement import StatementTaker, Submission
from tests.support.issuing import LICENCE, Issuing

_KILLS = 200
_THREADS = 8
_FULL = 3  # MiB of the small disk
_CALLER = Principal(key_id="key_soak", name="测试", role="issuer", issuer="cq-yuzhong-amr", scopes=SCOPES["issuer"])


def _write(path: Path, first: int) -> None:
    """Registers licences and suspends them, for ever; says a line for each statement that was taken in."""
    issuing = Issuing()
    intake = SqliteIntake(path)
    # The process has a key of its own: nothing of a key outlives a kill.
    intake.enter_policies([issuing.document(version=first + 1)])
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


def _about(named: str | None) -> str:
    return "credential" if named is None else "event"


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
    command = [sys.executable, "-m", "bench.soak", "--write", str(path), "--first", str(turn)]
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
    for turn in range(kills):
        _kill(path, turn, acknowledged)
        lost = acknowledged - _known(path)
        if lost:
            raise SystemExit(f"kill {turn}: {len(lost)} acknowledged statements are lost, such as {min(lost)}")
        difference = audit(path, None).difference
        if difference is not None:
            raise SystemExit(f"kill {turn}: {difference}")
        if turn % 20 == 19:
            print(f"{turn + 1:5} kills, {len(acknowledged)} acknowledged, 0 lost, log verified", flush=True)
    held = len(_known(path))
    print(f"{kills} kills: {len(acknowledged)} acknowledged, 0 lost, {held - len(acknowledged)} more were in")


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
    parser.add_argument("--first", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write is not None:
        _write(arguments.write, arguments.first)
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
