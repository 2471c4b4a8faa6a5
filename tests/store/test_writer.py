"""Writes keep time: strictly later each time, never visible before they are said to be known, all or nothing."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app import clock
from app.bootstrap import seed_policy
from app.ports import RegisterReport, StoreError, VersionRow
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from registry.document import parse_document
from registry.errors import PolicyError
from registry.period import to_micros
from tests.store.rows import ISSUER, NUMBER, TYPE, report, rows_of, version, whole

PAST = datetime(2024, 5, 1, tzinfo=UTC)
WRITING = """
import sys
from pathlib import Path
from app.store.writer import SqliteWriter
from tests.store.rows import version
writer = SqliteWriter(Path(sys.argv[1]))
for place in range(int(sys.argv[3])):
    assert writer.append([version(f"{sys.argv[2]} {place}")], ()) == 1
"""
DYING = """
import os, sys
from pathlib import Path
from app import clock
from app.store.writer import SqliteWriter
from tests.store.rows import version
calls = []
def now():
    calls.append(1)
    if len(calls) == 2:  # asked a second time just before the commit
        os._exit(9)
    return clock.now()
SqliteWriter(Path(sys.argv[1]), now=now).append([version("never")], ())
"""
ROOT = Path(__file__).parents[2]


def known_froms(store: Path) -> list[int]:
    """The instants of the versions, in the order in which they were written."""
    return [row[0] for row in rows_of(store, "SELECT known_from FROM credential_version ORDER BY no")]


def last_recorded_at(store: Path) -> int:
    (row,) = rows_of(store, "SELECT last_recorded_at FROM store_info")
    return int(row[0])


def process(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=ROOT, stdout=-1, stderr=-1, text=True)


def found_at(reader: SqliteReader, known_at: datetime) -> str | None:
    """The digest of the version that is known at the instant."""
    lookup = asyncio.run(reader.find(TYPE, NUMBER, None, known_at))
    return lookup.found[0].held.digest if lookup.found else None


def test_a_version_is_known_from_when_the_write_returns(store: Path, writer: SqliteWriter) -> None:
    before = to_micros(clock.now())
    assert writer.append([version("one")], [report(PAST)]) == 1
    after = to_micros(clock.now())
    assert before < known_froms(store)[0] < after
    assert known_froms(store)[0] == last_recorded_at(store)
    assert rows_of(store, "SELECT as_of, known_from FROM register_report") == [(to_micros(PAST), known_froms(store)[0])]


def test_recorded_at_grows_though_the_clock_stands_still_or_goes_back(store: Path) -> None:
    instants = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days) for days in (0, 0, -7, -7, 1)]
    waited: list[float] = []
    for place, instant in enumerate(instants):
        present = [instant]

        def now(present: list[datetime] = present) -> datetime:
            return present[0]

        def wait(seconds: float, present: list[datetime] = present) -> None:
            waited.append(seconds)
            present[0] += timedelta(seconds=seconds)

        writer = SqliteWriter(store, now=now, wait=wait)
        writer.append([version(f"{place}")], ())
        writer.close()
        assert to_micros(present[0]) > last_recorded_at(store)
    written = known_froms(store)
    assert written == sorted(set(written))
    assert len(written) == len(instants)
    assert all(seconds > 0 for seconds in waited)


def test_recorded_at_grows_over_processes_and_threads(store: Path) -> None:
    each = 4
    processes = [process(WRITING, str(store), f"process {place}", str(each)) for place in range(3)]
    errors: list[BaseException] = []

    def write(name: str) -> None:
        writer = SqliteWriter(store)
        try:
            for place in range(each):
                writer.append([version(f"{name} {place}")], ())
        except BaseException as error:
            errors.append(error)
        finally:
            writer.close()

    threads = [threading.Thread(target=write, args=(f"thread {place}",)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = [entry.communicate() for entry in processes]
    assert [(entry.returncode, errors_) for entry, (_, errors_) in zip(processes, ended, strict=True)] == [(0, "")] * 3
    assert errors == []
    written = known_froms(store)
    assert len(written) == 6 * each
    assert written == sorted(set(written))
    assert last_recorded_at(store) == written[-1]


def test_the_past_that_was_read_never_changes(store: Path) -> None:
    """Whoever asks with the present as `known_at` gets, ever after, the same for that instant."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def write() -> None:
        writer = SqliteWriter(store)
        try:
            for place in range(15):
                writer.append([version(f"{place}")], [report(clock.now())])
        except BaseException as error:
            errors.append(error)
        finally:
            writer.close()
            stop.set()

    reader = SqliteReader(store)
    asked: list[tuple[datetime, str | None]] = []
    thread = threading.Thread(target=write)
    thread.start()
    while not stop.is_set():
        known_at = clock.now()
        asked.append((known_at, found_at(reader, known_at)))
    thread.join()
    assert errors == []
    assert len({digest for _, digest in asked}) > 10
    assert [(known_at, found_at(reader, known_at)) for known_at, _ in asked] == asked
    reader.close()


def test_a_slow_commit_does_not_change_the_past(store: Path) -> None:
    """The same while the disk takes its time: what is not there yet must not count as known already."""
    writer = SqliteWriter(store)
    event.listen(writer._engine, "commit", lambda connection: clock.wait(0.15))
    thread = threading.Thread(target=writer.append, args=([version("slow")], ()))
    reader = SqliteReader(store)
    asked: list[tuple[datetime, str | None]] = []
    thread.start()
    while thread.is_alive():
        known_at = clock.now()
        asked.append((known_at, found_at(reader, known_at)))
    thread.join()
    writer.close()
    assert found_at(reader, clock.now()) is not None
    assert [(known_at, found_at(reader, known_at)) for known_at, _ in asked] == asked
    reader.close()


def test_a_batch_is_all_or_nothing(store: Path, writer: SqliteWriter) -> None:
    writer.append([version("first", known_from=PAST)], ())
    before = whole(store)
    contradiction = [version("new", number="JY15001039900028"), version("second", known_from=PAST)]
    with pytest.raises(StoreError, match="already known otherwise"):
        writer.append(contradiction, [report(PAST)])
    assert whole(store) == before
    assert writer.append([version("new", number="JY15001039900028")], ()) == 1


def test_a_writer_that_dies_before_its_commit_leaves_nothing(store: Path, writer: SqliteWriter) -> None:
    writer.append([version("first")], ())
    before = whole(store)
    dead = process(DYING, str(store))
    assert dead.communicate()[1] == ""
    assert dead.returncode == 9
    assert whole(store) == before
    assert writer.append([version("second")], ()) == 1


def ticking(step: timedelta) -> Callable[[], datetime]:
    """A clock on which every look takes so long."""
    instants: Iterator[datetime] = (PAST + step * place for place in range(10_000))
    return lambda: next(instants)


def test_a_write_that_outlasts_its_margin_is_done_again(store: Path) -> None:
    waited: list[float] = []
    writer = SqliteWriter(store, now=ticking(timedelta(seconds=1)), wait=waited.append)
    assert writer.append([version("slow")], [report(PAST)]) == 1
    writer.close()
    assert len(known_froms(store)) == 1
    assert rows_of(store, "SELECT count(*) FROM register_report") == [(1,)]
    assert known_froms(store)[0] == last_recorded_at(store)


def test_a_write_that_is_always_too_slow_is_given_up(store: Path) -> None:
    before = whole(store)
    writer = SqliteWriter(store, now=ticking(timedelta(minutes=10)), wait=lambda seconds: None)
    with pytest.raises(StoreError, match="took longer than"):
        writer.append([version("slow")], ())
    writer.close()
    assert whole(store) == before


def test_writing_the_same_again_changes_nothing(store: Path, writer: SqliteWriter) -> None:
    rows, reports = [version("one", known_from=PAST)], [report(PAST, known_from=PAST)]
    assert writer.append(rows, reports) == 1
    held = [row for row in whole(store) if row[0] != "store_info"]
    assert writer.append(rows, reports) == 0
    assert [row for row in whole(store) if row[0] != "store_info"] == held


@pytest.mark.parametrize(
    "backdated",
    [([version("x", known_from=PAST)], []), ([], [report(PAST, known_from=PAST)])],
    ids=["version", "report"],
)
def test_the_history_of_a_live_store_is_not_written_after_the_fact(
    live_store: Path, backdated: tuple[list[VersionRow], list[RegisterReport]]
) -> None:
    before = whole(live_store)
    writer = SqliteWriter(live_store)
    try:
        with pytest.raises(StoreError, match="is live"):
            writer.append(*backdated)
        with pytest.raises(StoreError, match="is live"):
            writer.enter_policies(seed_policy(), known_from=PAST)
        assert whole(live_store) == before
        assert writer.append([version("x")], [report(PAST)]) == 1
        assert writer.enter_policies(seed_policy()) == len(seed_policy())
    finally:
        writer.close()


def test_policy_is_entered_once(store: Path, writer: SqliteWriter) -> None:
    documents = seed_policy()
    assert writer.enter_policies(documents) == len(documents)
    held = rows_of(store, "SELECT * FROM policy_document")
    assert writer.enter_policies(documents) == 0
    assert rows_of(store, "SELECT * FROM policy_document") == held


AGREEMENT = next(document for document in seed_policy() if document.id == "statute/inspection-body")


def changed(**members: Any) -> Any:
    """The agreement with other members, as if read from a file."""
    content = dict(AGREEMENT.content) | members
    lines = [f"{name} = {_toml(value)}" for name, value in content.items()]
    return parse_document("agreement", "agreements/changed.toml", "\n".join(lines).encode())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{name}" = {_toml(member)}' for name, member in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_a_rewritten_document_is_the_same_document() -> None:
    assert changed().digest == AGREEMENT.digest


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"confidence": "G"}, "a published version never changes"),
        ({"version": 2, "purposes": ["no.such"]}, "is no purpose of"),
        ({"version": 2, "colour": "red"}, "unknown key"),
        ({"id": "other/inspection-body"}, "overlap"),
    ],
)
def test_policy_that_is_refused_leaves_nothing(
    store: Path, writer: SqliteWriter, members: dict[str, Any], problem: str
) -> None:
    writer.enter_policies(seed_policy())
    before = whole(store)
    with pytest.raises(PolicyError, match=problem):
        writer.enter_policies([changed(**members)])
    assert whole(store) == before


def test_a_newer_version_is_entered_and_an_older_one_refused(store: Path, writer: SqliteWriter) -> None:
    writer.enter_policies(seed_policy())
    assert writer.enter_policies([changed(version=3)]) == 1
    with pytest.raises(PolicyError, match="is older than version 3"):
        writer.enter_policies([changed(version=2)])
    assert rows_of(store, "SELECT max(version) FROM policy_document WHERE document_id = ?", AGREEMENT.id) == [(3,)]


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        SqliteWriter(tmp_path / "accord.db")
    assert list(tmp_path.iterdir()) == []


def test_issuers_and_types_are_named_once(store: Path, writer: SqliteWriter) -> None:
    writer.append([version("a"), version("b", number="JY15001039900028")], [report(PAST)])
    writer.append([version("c")], [report(PAST)])
    assert rows_of(store, "SELECT type_id FROM credential_type") == [(TYPE,)]
    assert rows_of(store, "SELECT issuer_id FROM issuer") == [(ISSUER,)]
    assert rows_of(store, "SELECT number FROM credential ORDER BY no") == [(NUMBER,), ("JY15001039900028",)]
