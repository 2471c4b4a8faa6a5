"""What the log costs: a statement taken in with it or without it, an append and a proof in a short and a long log.

`--entries` is the length of the long one; the short one has 10,000. Both are in a store as they would be, but for the
entries themselves, which neither an append nor a path to the root reads.
"""

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from app import clock
from app.bootstrap import seed_policy
from app.ports import SCOPES, Principal
from app.store import journal, schema
from app.store.intake import SqliteIntake
from app.store.log import SqliteLog
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.take_statement import StatementTaker, Submission
from registry.log.merkle import inclusion_proof
from registry.log.tiles import Edge, grow, node_reader
from tests.store.rows import version
from tests.support.issuing import LICENCE, Issuing

SHORT = 10_000
_ISSUING = Issuing()
_CALLER = Principal(key_id="key_bench", name="测试", role="issuer", issuer=_ISSUING.issuer, scopes=SCOPES["issuer"])
_CHUNK = 1 << 18
# A file system in memory, where CPU is measured without a disk.
_MEMORY = Path("/dev/shm")


def _store(folder: Path, size: int) -> Path:
    """A store whose log has so many entries, all made up."""
    path = schema.migrate(folder / f"{size}.db", "test", clock.now()).path
    edge = Edge()
    with closing(sqlite3.connect(path)) as connection:
        while edge.size < size:
            count = min(_CHUNK, size - edge.size)
            edge, tiles = grow(edge, [sha256(b"%d" % place).digest() for place in range(edge.size, edge.size + count)])
            rows = [(level, number, tile) for (level, number), tile in tiles.items()]
            connection.executemany("INSERT OR REPLACE INTO log_tile VALUES (?1, ?2, ?3)", rows)
        connection.execute("INSERT INTO log_head VALUES (?1, ?2, 0)", (edge.size, edge.root))
        connection.commit()
    return path


def _writer(path: Path) -> SqliteWriter:
    """A writer whose clock runs ahead of its writes, so that none waits for its instant."""
    began, ticks = clock.now(), iter(range(1, 1_000_000_000))
    return SqliteWriter(path, now=lambda: began + timedelta(milliseconds=50 * next(ticks)), wait=lambda seconds: None)


def _spent(work: Callable[[int], object], places: range, now: Callable[[], int]) -> float:
    """Microseconds for each."""
    before = now()
    for place in places:
        work(place)
    return (now() - before) / len(places) / 1000


class _Counter:
    """A store that takes registrations in, each by a signed statement."""

    def __init__(self, path: Path) -> None:
        began, ticks = clock.now(), iter(range(1, 1_000_000_000))
        now = lambda: began + timedelta(milliseconds=50 * next(ticks))  # noqa: E731
        self.intake = SqliteIntake(path, now=now, wait=lambda seconds: None)
        self.intake.enter_policies((*seed_policy(), _ISSUING.document()))
        reader = SqliteReader(path)
        self.policies, self.now = reader.load_policies(), began
        self.taker = StatementTaker(self.intake, reader.secret())
        reader.close()

    def take(self, token: str) -> None:
        submission = Submission(
            token=token, principal=_CALLER, about="credential", credential_id=None, expected=None, key=None
        )
        self.taker.take(submission, self.policies, self.now)


def _events(folder: Path, now: Callable[[], int], blocks: int, each: int) -> tuple[float, float, float]:
    """Medians with and without the log, and of their ratio block by block: signature, judgement, rows, log."""
    with_log, without = _Counter(_store(folder, SHORT)), _Counter(_store(folder, SHORT + 1))
    claims = [
        _ISSUING.claims(with_log.now, credential=LICENCE | {"number": f"JY150{place:011d}"})
        for place in range(blocks * each)
    ]
    tokens = [_ISSUING.sign(said) for said in claims]
    write = journal.Journal.write
    spent: tuple[list[float], list[float]] = ([], [])
    for block in range(blocks):
        places = range(block * each, (block + 1) * each)
        spent[0].append(_spent(lambda place: with_log.take(tokens[place]), places, now))
        journal.Journal.write = lambda self, recorded_at: None  # type: ignore[method-assign]
        spent[1].append(_spent(lambda place: without.take(tokens[place]), places, now))
        journal.Journal.write = write  # type: ignore[method-assign]
    with_log.intake.close(), without.intake.close()
    ratio = statistics.median(one / other for one, other in zip(*spent, strict=True))
    return statistics.median(spent[0]), statistics.median(spent[1]), ratio


def _lengths(folder: Path, entries: int) -> None:
    sizes = (SHORT, entries)
    paths = [_store(folder, size) for size in sizes]
    writers, logs = [_writer(path) for path in paths], [SqliteLog(path) for path in paths]
    appended: tuple[list[float], list[float]] = ([], [])
    proven: tuple[list[float], list[float]] = ([], [])
    for block in range(12):
        places = range(block * 25, (block + 1) * 25)
        for which, (writer, log, size) in enumerate(zip(writers, logs, sizes, strict=True)):
            work = lambda place, writer=writer: writer.append([version("x", f"JY{place:014d}")], ())  # noqa: E731
            appended[which].append(_spent(work, places, time.process_time_ns))
            wanted = [random.randrange(size) for _ in places]

            def prove(place: int, log: SqliteLog = log, size: int = size, wanted: list[int] = wanted) -> object:
                return inclusion_proof(wanted[place % 25], size, node_reader(log.tile))

            proven[which].append(_spent(prove, places, time.perf_counter_ns))
    ratio = statistics.median(one / other for one, other in zip(appended[1], appended[0], strict=True))
    print(
        f"append, CPU                 {statistics.median(appended[0]):.0f} us at {sizes[0]:,} entries,"
        f" {statistics.median(appended[1]):.0f} us at {sizes[1]:,}: {ratio:.2f} times (goal <= 1.3)"
    )
    print(
        f"inclusion proof             {statistics.median(proven[0]):.0f} us, and {statistics.median(proven[1]):.0f} us"
        f" (goal < 1,000 at 10,000,000)"
    )


def main() -> None:
    """Prints what the log costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="length of the long log")
    arguments = parser.parse_args()
    memory = str(_MEMORY) if _MEMORY.is_dir() else None
    for name, place, now in (
        ("CPU in memory", memory, time.process_time_ns),
        ("time on disk", None, time.perf_counter_ns),
    ):
        with tempfile.TemporaryDirectory(dir=place) as folder:
            with_log, without, ratio = _events(Path(folder), now, 12, 25)
        said = f"{with_log:.0f} us, {without:.0f} us without the log: {ratio:.2f} times (goal <= 1.3)"
        print(f"event, {name:20} {said}")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        _lengths(Path(folder), arguments.entries)


if __name__ == "__main__":
    main()
