"""What a status list of a million credentials costs, from the store to the signed token as a node serves it.

The node is the demonstration's, and the credentials are rows of one more issuer, as they would be but for their
versions, which building a list does not read. 1 % of them are revoked or suspended, each at a time of its own.
"""

import argparse
import gzip
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from app import clock
from app.bootstrap import Node
from app.cli.demo import prepare
from app.settings import Settings
from app.store.status_lists import SqliteStatusLists
from keys.jws import sign_compact
from registry.credential import credential_id
from registry.period import to_micros
from registry.status_index import CAPACITY, PLACES, index_of, list_id
from registry.status_list import INVALID, SUSPENDED, compress, pack_exceptions
from registry.status_timeline import standing_at, write_turns
from registry.status_token import MAX_LENGTH, STATUS_LIST_TYPE, term, token_claims
from tests.api.service import Service, open_service

_ISSUER, _ISSUER_NO, _LIST_NO = "bench-issuer", 900, 900
_YEARS = timedelta(days=3 * 365)


def _fill(path: Path, credentials: int, share: float) -> str:
    """Adds a list of so many credentials to a store, and gives its id."""
    drawn, now = random.Random(7), clock.now()
    with closing(sqlite3.connect(path)) as connection:
        (secret,) = connection.execute("SELECT secret FROM store_info").fetchone()
        type_no, type_id = connection.execute("SELECT no, type_id FROM credential_type ORDER BY no").fetchone()
        (last,) = connection.execute("SELECT max(no) FROM credential").fetchone()
        listed = list_id(secret, type_id, _ISSUER, 0)
        connection.execute("INSERT INTO issuer VALUES (?1, ?2)", (_ISSUER_NO, _ISSUER))
        connection.execute(
            "INSERT INTO status_list VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            (_LIST_NO, listed, type_no, _ISSUER_NO, credentials),
        )

        def rows() -> Iterator[tuple[object, ...]]:
            for nth in range(credentials):
                number = f"BENCH{nth:09d}"
                named = credential_id(type_id, number, _ISSUER)
                yield last + 1 + nth, named, type_no, number, _ISSUER_NO, _LIST_NO, index_of(secret, listed, nth)

        connection.executemany("INSERT INTO credential VALUES (?, ?, ?, ?, ?, ?, ?)", rows())
        turns = []
        for nth in drawn.sample(range(credentials), int(credentials * share)):
            instant = to_micros(now - drawn.random() * _YEARS)
            status = SUSPENDED if drawn.random() < 0.1 else INVALID
            turns.append((_LIST_NO, index_of(secret, listed, nth), instant, write_turns([(instant, status)])))
        connection.executemany("INSERT INTO status_turn VALUES (?, ?, ?, ?)", turns)
        connection.commit()
    return listed


def _spent(work: Callable[[], object]) -> float:
    """Milliseconds."""
    before = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - before) / 1_000_000


def _served(settings: Settings, address: str, times: int) -> tuple[float, float, float, int, int]:
    """Medians: the first answer of a node, the same again, a poll that finds nothing new; octets plain and zipped."""
    first, again, poll = list[float](), list[float](), list[float]()
    for _ in range(times):
        service = open_service(settings)
        service.get("/v1/about")
        get = partial(service.get, address)
        first.append(_spent(get))
        answer = get()
        revalidate = partial(get, if_none_match=answer.headers["etag"])
        if revalidate().status_code != 304:
            raise SystemExit("a list that did not change was sent again")
        again += [_spent(get) for _ in range(20)]
        poll += [_spent(revalidate) for _ in range(20)]
        zipped = int(get(accept_encoding="gzip").headers["content-length"])
        service.node.reader.close()
    medians = statistics.median(first), statistics.median(again), statistics.median(poll)
    return *medians, len(answer.content), zipped


def _parts(node: Node, listed: str, times: int) -> dict[str, float]:
    """The medians of what the first answer consists of, in milliseconds."""
    spent: dict[str, list[float]] = {}
    at = int(clock.now().timestamp())
    span = term(at, None, None, None)

    def timed(name: str, work: Callable[..., Any], *given: Any) -> Any:
        before = time.perf_counter_ns()
        made = work(*given)
        spent.setdefault(name, []).append((time.perf_counter_ns() - before) / 1_000_000)
        return made

    def sign(compressed: bytes) -> bytes:
        claims = token_claims("/", span, compressed, 2, issuer="x", livemode=False)
        return sign_compact(json.dumps(claims).encode(), node.signer, STATUS_LIST_TYPE, MAX_LENGTH).encode()

    register = SqliteStatusLists(node.state.path, lambda: node.recognizer.policies.latest)
    for _ in range(times):
        found = timed("rows read", register.read, listed)
        timelines = {place: turns for place, _, turns in found.rows}
        standing = timed("judged", standing_at, timelines, at * 1_000_000)
        array = timed("packed", pack_exceptions, standing.exceptions, PLACES, 2)
        token = timed("signed", sign, timed("compressed", compress, array))
        timed("zipped", gzip.compress, token)
    register.close()
    return {name: statistics.median(each) for name, each in spent.items()}


def main() -> None:
    """Prints what a list costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--credentials", type=int, default=CAPACITY)
    parser.add_argument("--share", type=float, default=0.01, help="of them revoked or suspended")
    parser.add_argument("--times", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        blank = dict.fromkeys(("store", "keys", "policy", "key_passphrase", "key_passphrase_file", "issuer"))
        settings = Settings(home=home, **blank)
        prepare(settings)
        listed = _fill(settings.store_path, arguments.credentials, arguments.share)
        address = f"/v1/status-lists/{listed}-2bit"
        first, again, poll, plain, zipped = _served(settings, address, arguments.times)
        service: Service = open_service(settings)
        parts = _parts(service.node, listed, arguments.times)
        service.node.reader.close()
        given = _spent(lambda: [index_of(b"x" * 32, listed, nth) for nth in range(20_000)]) / 20
    print(
        f"status list                 {arguments.credentials:,} credentials, {PLACES:,} places of 2 bits,"
        f" {arguments.share:.0%} revoked or suspended"
    )
    print(
        f"  built and served          {first:.0f} ms (goal < 500), {plain / 1000:.1f} kB (goal < 40),"
        f" {zipped / 1000:.1f} kB zipped; again {again:.2f} ms, a poll that finds nothing new {poll:.2f} ms"
    )
    print(f"  of that                   {', '.join(f'{name} {each:.1f}' for name, each in parts.items())} ms")
    print(f"  a place is given in       {given:.1f} us")


if __name__ == "__main__":
    main()
