"""The revocation lists of a store: each known from its instant on, none forgotten that matters."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.ports import StoreError
from app.store.revocations import SERVING, RevocationShelf, scope_of
from app.store.writer import SqliteWriter
from keys.certificate import Certificate, parse_certificate
from keys.revocation.crl import parse_crl
from registry.trust import key_digest
from tests.store.rows import change
from tests.support import der_writer
from tests.support.pki import NOT_AFTER, Authority, Issued, unit

DAY = timedelta(days=1)
NOW = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
CA = Authority.root("p-256").subordinate("重庆测试CA")
ISSUER = parse_certificate(CA.certificate.der)
LOCK: Issued = CA.issue(unit("p-256", number=1))
HOLDER: Certificate = parse_certificate(LOCK.der)


def entered(store: Path, *lists: bytes) -> RevocationShelf:
    writer = SqliteWriter(store, wait=lambda seconds: None)
    for number, der in enumerate(lists):
        assert writer.add_revocation_list(parse_crl(der), key_digest(ISSUER), NOW + number * DAY)
    writer.close()
    return RevocationShelf(store)


def daily(number: int, *entries: Any, **changes: Any) -> bytes:
    at = NOW + number * DAY
    return CA.crl(entries, number=number + 1, this_update=at, next_update=at + DAY, **changes)


def numbers(shelf: RevocationShelf, about: Certificate | None = HOLDER, known_at: datetime | None = None) -> list[int]:
    known = shelf.lists_of(ISSUER, known_at or clock.now(), about)
    return sorted(entry.crl.number or 0 for entry in known)


def test_the_newest_lists_are_asked(store: Path) -> None:
    shelf = entered(store, *(daily(number) for number in range(SERVING + 3)))
    assert numbers(shelf) == [4, 5, 6, 7]
    assert numbers(shelf, None) == [4, 5, 6, 7]
    assert numbers(shelf, known_at=NOW + 2 * DAY) == [1, 2, 3]
    assert numbers(shelf, known_at=NOW - DAY) == []
    assert shelf.newest() == {key_digest(ISSUER): NOW + (SERVING + 2) * DAY}


def test_what_a_list_said_is_not_forgotten_with_it(store: Path) -> None:
    """An authority that drops an entry, by mistake or to hide it, does not make the lock good again."""
    later = [daily(number) for number in range(1, SERVING + 4)]
    shelf = entered(store, daily(0, LOCK.revoked(NOW)), *later)
    assert numbers(shelf) == [1, 5, 6, 7, 8]
    # A restart finds it too, and nobody else's lists grow by it.
    assert numbers(RevocationShelf(store)) == [1, 5, 6, 7, 8]
    assert numbers(shelf, parse_certificate(CA.issue(unit("p-256", number=2)).der)) == [5, 6, 7, 8]


def test_a_list_that_comes_in_late_is_not_forgotten_either(store: Path) -> None:
    """A folder of history is taken in as it lies there, the newest list first."""
    lists = [daily(0, LOCK.revoked(NOW)), *(daily(number) for number in range(1, SERVING + 4))]
    assert 1 in numbers(entered(store, *reversed(lists)))


def test_an_entry_that_is_weakened_is_not_forgotten(store: Path) -> None:
    grave = LOCK.revoked(NOW - 40 * DAY, reason="keyCompromise")
    later = [daily(number, LOCK.revoked(NOW - 8 * DAY)) for number in range(1, SERVING + 4)]
    assert 1 in numbers(entered(store, daily(0, grave), *later))


def test_an_entry_that_is_repeated_needs_no_older_list(store: Path) -> None:
    same = [daily(number, LOCK.revoked(NOW - DAY)) for number in range(SERVING + 4)]
    assert numbers(entered(store, *same)) == [5, 6, 7, 8]


def test_a_list_from_before_the_end_of_a_certificate_serves_it_for_ever(store: Path) -> None:
    before = CA.crl((), number=1, this_update=NOT_AFTER - DAY, next_update=NOT_AFTER + DAY)
    after = [
        CA.crl((), number=2 + n, this_update=NOT_AFTER + (n + 1) * DAY, next_update=NOT_AFTER + (n + 2) * DAY)
        for n in range(SERVING + 1)
    ]
    shelf = entered(store, before, *after)
    assert 1 in numbers(shelf)
    assert 1 not in numbers(shelf, None)


def test_lists_of_other_parts_do_not_crowd_each_other_out(store: Path) -> None:
    def part(number: int) -> bytes:
        point = der_writer.IssuingDistributionPoint(uris=(f"http://crl.test/{number}.crl",))
        return daily(number, part=point)

    parts = [part(number) for number in range(SERVING + 3)]
    assert len({scope_of(parse_crl(der)) for der in parts}) == SERVING + 3
    assert numbers(entered(store, *parts)) == list(range(1, SERVING + 4))


def test_a_list_is_kept_once_and_found_by_its_digest(store: Path) -> None:
    shelf = entered(store, daily(0))
    crl = parse_crl(daily(0))
    writer = SqliteWriter(store, wait=lambda seconds: None)
    assert not writer.add_revocation_list(crl, key_digest(ISSUER), NOW)
    assert writer.add_revocation_list(parse_crl(daily(1)), key_digest(ISSUER), NOW)
    writer.close()
    assert numbers(shelf) == [1]
    shelf.refresh()
    assert numbers(shelf) == [1, 2]
    assert shelf.holds(crl.digest)
    assert not shelf.holds("sha256:" + "0" * 64)
    shelf.close()


def broken_bytes(store: Path) -> None:
    change(store, "UPDATE revocation_list SET content = x'3000'")


def broken_digest(store: Path) -> None:
    change(store, "UPDATE revocation_list SET digest = 'sha256:" + "0" * 64 + "'")


@pytest.mark.parametrize("damage", [broken_bytes, broken_digest])
def test_a_damaged_list_is_said_to_be_damaged(store: Path, damage: Callable[[Path], None]) -> None:
    entered(store, daily(0)).close()
    damage(store)
    with pytest.raises(StoreError, match="is damaged"):
        RevocationShelf(store)
