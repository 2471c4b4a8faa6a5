"""What a reader goes by is never older than what was known: writers with slow commits against readers that ask."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from app import clock
from app.ports import StoreError
from app.store import margin, writer
from app.store.margin import LOOK, MARGIN, Lookout, too_late
from app.store.reader import SqliteReader
from app.store.revocations import RevocationShelf
from app.store.writer import SqliteWriter
from keys.certificate import parse_certificate
from keys.revocation.crl import RevocationList, parse_crl
from registry.trust import key_digest
from tests.store.rows import NUMBER, TYPE, version
from tests.support.pki import Authority, unit

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CA = Authority.root("p-256").subordinate("重庆测试CA")
ISSUER = parse_certificate(CA.certificate.der)
HOLDER = parse_certificate(CA.issue(unit("p-256", number=1)).der)
# Within what is promised: less than half the margin for the commit, and for the work what is left.
WORK, COMMIT = 0.08, 0.11


def revocation_list(number: int) -> RevocationList:
    at = clock.now() - timedelta(minutes=20 - number)
    return parse_crl(CA.crl((), number=number, this_update=at, next_update=at + timedelta(days=1)))


@contextmanager
def writing_slowly(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteWriter]:
    """A writer that works, and then commits, as slowly as it may."""
    slow = SqliteWriter(store)
    event.listen(slow._engine, "commit", lambda connection: time.sleep(COMMIT))
    note = writer._note_changed
    monkeypatch.setattr(writer, "_note_changed", lambda *given: (time.sleep(WORK), note(*given))[1])
    yield slow
    slow.close()


@pytest.mark.parametrize("offset", [0.0, 0.007, 0.013, 0.019])
def test_a_list_is_seen_before_it_is_known(store: Path, monkeypatch: pytest.MonkeyPatch, offset: float) -> None:
    shelf, said = RevocationShelf(store), list[tuple[datetime, list[str]]]()

    def told(by: RevocationShelf, known_at: datetime) -> list[str]:
        return [known.crl.digest for known in by.lists_of(ISSUER, known_at, HOLDER)]

    time.sleep(offset)
    with writing_slowly(store, monkeypatch) as slow:
        thread = threading.Thread(target=slow.add_revocation_list, args=(revocation_list(1), key_digest(ISSUER)))
        thread.start()
        while thread.is_alive():
            known_at = clock.now()
            shelf.refresh()
            said.append((known_at, told(shelf, known_at)))
            time.sleep(0.001)
        thread.join()
    again = RevocationShelf(store)
    assert {known_at for known_at, digests in said if told(again, known_at) != digests} == set()
    shelf.refresh()
    assert len(told(shelf, clock.now())) == 1


def test_a_look_serves_for_a_while_by_the_clock_that_questions_go_by(monkeypatch: pytest.MonkeyPatch) -> None:
    lookout, present = Lookout(), [NOW]
    monkeypatch.setattr(clock, "now", lambda: present[0])
    assert lookout.due()
    lookout.looked(NOW)
    due = {}
    for milliseconds in (-300_000, -1, 0, 1, 24, 25, 26, 300_000):
        present[0] = NOW + timedelta(milliseconds=milliseconds)
        due[milliseconds] = lookout.due()
    assert due == {-300_000: True, -1: True, 0: False, 1: False, 24: False, 25: True, 26: True, 300_000: True}


def test_the_margin_holds_the_commit_and_the_look() -> None:
    recorded_at = NOW + MARGIN
    latest = recorded_at - MARGIN / 2 - LOOK
    assert latest > NOW
    assert not too_late(latest - timedelta(microseconds=1), MARGIN, recorded_at)
    assert too_late(latest, MARGIN, recorded_at)
    assert margin.MAX_MARGIN > MARGIN > 2 * LOOK


@pytest.mark.parametrize("offset", [0.0, 0.007, 0.013, 0.019])
def test_a_version_is_seen_before_it_is_known(store: Path, monkeypatch: pytest.MonkeyPatch, offset: float) -> None:
    reader, said = SqliteReader(store), list[tuple[datetime, str | None]]()

    async def told(known_at: datetime) -> str | None:
        lookup = await reader.find(TYPE, NUMBER, None, known_at)
        return lookup.found[0].held.digest if lookup.found else None

    async def ask_while(thread: threading.Thread) -> list[tuple[datetime, str | None]]:
        await asyncio.sleep(offset)
        thread.start()
        while thread.is_alive():
            known_at = clock.now()
            said.append((known_at, await told(known_at)))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        return [(known_at, await told(known_at)) for known_at, _ in said]

    with writing_slowly(store, monkeypatch) as slow:
        again = asyncio.run(ask_while(threading.Thread(target=slow.append, args=([version("slow")], ()))))
    assert again == said
    assert asyncio.run(told(clock.now())) == version("slow").digest
    reader.close()


def test_questions_that_come_close_together_read_one_snapshot(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = (NOW + timedelta(milliseconds=50 * place) for place in itertools.count())
    reader, present = SqliteReader(store), [NOW]
    writing = SqliteWriter(store, now=lambda: next(ticks), wait=lambda seconds: None)
    statements: list[str] = []
    reader._connection.set_trace_callback(statements.append)

    async def ask() -> list[bool]:
        monkeypatch.setattr(clock, "now", lambda: present[0])
        found = [bool((await reader.find(TYPE, NUMBER, None, present[0])).found)]
        writing.append([version("one", known_from=NOW)], ())
        for milliseconds in (0, 24, 25):
            present[0] = NOW + timedelta(milliseconds=milliseconds)
            found.append(bool((await reader.find(TYPE, NUMBER, None, present[0])).found))
        return found

    assert asyncio.run(ask()) == [False, False, False, True]
    assert statements.count("BEGIN") == 2
    writing.close()
    reader.close()


def test_a_snapshot_is_let_go_when_nobody_asks(store: Path) -> None:
    reader = SqliteReader(store)

    async def ask() -> tuple[bool, bool]:
        await reader.find(TYPE, NUMBER, None, clock.now())
        kept = reader._connection.in_transaction
        await asyncio.sleep(3 * LOOK.total_seconds())
        return kept, reader._connection.in_transaction

    assert asyncio.run(ask()) == (True, False)
    reader.document_digests()
    assert not reader._connection.in_transaction
    reader.close()


def test_a_store_that_fails_within_a_snapshot_is_read_again_from_the_start(store: Path) -> None:
    reader = SqliteReader(store)

    async def ask() -> bool:
        await reader.find(TYPE, NUMBER, None, clock.now())
        with pytest.raises(StoreError, match="no such table"):
            reader._rows("SELECT 1 FROM absent")
        return reader._connection.in_transaction

    assert not asyncio.run(ask())
    reader.close()
