"""Status lists as they are served: what the register says, from memory, signed, and for no longer than they hold."""

import asyncio
import gzip
import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app import clock
from app.bootstrap import open_node
from app.settings import Settings
from app.store import schema
from app.store.status_lists import SqliteStatusLists
from app.store.writer import SqliteWriter
from app.usecases.check_status import check_status
from app.usecases.publish_status import StatusPublisher
from app.usecases.verify_receipt import ALGORITHMS, verify_receipt
from keys.jws import sign_compact, verify_compact
from keys.key_ring import KeyRing
from registry.period import to_micros
from registry.receipt import RECEIPT_TYPE
from registry.status_index import PLACES
from registry.status_list import INVALID, SUSPENDED, VALID, expand, status_at
from registry.status_token import MAX_LENGTH, STATUS_LIST_TYPE, ListClaims, read_claims
from tests.api.registrations import append_document, revocation_of
from tests.api.service import RECOGNIZED, Service, assert_problem, settings_at
from tests.store.rows import rows_of, seed
from tests.store.test_status_places import eventful, numbers, step, version

BASE = "/v1/status-lists/"
STATUS_OF = {"suspended": SUSPENDED, "revoked": INVALID, "cancelled": INVALID, "superseded": INVALID}
LIFECYCLES = """
SELECT c.credential_id, l.list_id, c.status_index FROM credential c JOIN status_list l ON l.no = c.status_list"""


def claims_of(service: Service, token: bytes) -> ListClaims:
    """What a token claims, once it is verified."""
    text = token.decode("ascii")
    return read_claims(verify_compact(text, service.node.ring, STATUS_LIST_TYPE, ALGORITHMS, MAX_LENGTH).payload)


def served(service: Service, listed: str, bits: int = 2, time: int | None = None) -> ListClaims:
    response = service.get(f"{BASE}{listed}-{bits}bit", None if time is None else {"time": str(time)})
    assert response.status_code == 200, response.text[:300]
    assert response.headers["content-type"] == "application/statuslist+jwt"
    return claims_of(service, response.content)


def array_of(claims: ListClaims) -> bytes:
    return expand(claims.compressed, limit=PLACES)


def place_of(service: Service, credential: str) -> tuple[str, int]:
    view = service.get(f"/v1/credentials/{credential}").json()["status_list"]
    return view["uri"].removeprefix(BASE).removesuffix("-2bit"), view["index"]


def model(service: Service, at: datetime, bits: int) -> dict[str, bytes]:
    """Every list as the register's credentials, read one by one, would make it."""
    lists: dict[str, dict[int, int]] = {}
    now = clock.now()
    for credential, listed, index in rows_of(service.node.state.path, LIFECYCLES):
        held = asyncio.run(service.node.reader.find_by_id(credential, now)).found[0].held
        status = STATUS_OF.get(held.credential.state_at(at).status, VALID)
        lists.setdefault(listed, {})[index] = min(status, 1) if bits == 1 else status
    packed = {}
    for listed, statuses in lists.items():
        array = bytearray(PLACES * bits // 8)
        for index, status in statuses.items():
            array[index * bits // 8] |= status << index * bits % 8
        packed[listed] = bytes(array)
    return packed


@pytest.mark.parametrize("bits", [1, 2])
@pytest.mark.parametrize("year", [2020, 2024, 2026, None])
def test_every_list_is_what_the_register_says(service: Service, bits: int, year: int | None) -> None:
    asked = None if year is None else int(datetime(year, 6, 1, tzinfo=UTC).timestamp())
    at = datetime.fromtimestamp(int(clock.now().timestamp()) if asked is None else asked, UTC)
    wanted = model(service, at, bits)
    assert len(wanted) > 5
    for listed, array in wanted.items():
        claims = served(service, listed, bits, asked)
        assert (claims.bits, claims.sub) == (bits, f"{BASE}{listed}-{bits}bit")
        assert claims.iat <= at.timestamp() < claims.exp
        assert array_of(claims) == array
    assert year in (2020, 2024) or any(any(array) for array in wanted.values())


def test_a_credential_names_its_list_and_index(service: Service) -> None:
    for status, wanted in (("revoked", INVALID), ("suspended", SUSPENDED), ("valid", VALID)):
        for view in service.get("/v1/credentials", {"status": status, "limit": "5"}).json()["data"]:
            listed, index = place_of(service, view["id"])
            assert status_at(array_of(served(service, listed)), 2, index) == wanted
            assert status_at(array_of(served(service, listed, 1)), 1, index) == (wanted != VALID)
    assert re.fullmatch(r"sl_[a-z2-7]{24}", listed)


def test_a_list_tells_neither_how_many_it_holds_nor_who_they_are(service: Service) -> None:
    for listed in {row[1] for row in rows_of(service.node.state.path, LIFECYCLES)}:
        for bits in (1, 2):
            assert len(array_of(served(service, listed, bits))) == PLACES * bits // 8
        payload = json.loads(_payload(service, listed))
        assert payload.keys() == {"iss", "sub", "iat", "exp", "ttl", "livemode", "status_list"}
        assert payload["status_list"].keys() == {"bits", "lst"}


def _payload(service: Service, listed: str) -> bytes:
    token = service.get(f"{BASE}{listed}-2bit").text
    return verify_compact(token, service.node.ring, STATUS_LIST_TYPE, ALGORITHMS).payload


@pytest.fixture
def some(service: Service) -> str:
    """A list that holds a revoked credential."""
    view = service.get("/v1/credentials", {"status": "revoked", "limit": "1"}).json()["data"][0]
    return place_of(service, view["id"])[0]


def test_a_poll_is_answered_from_memory_with_304(service: Service, some: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"{BASE}{some}-2bit"
    first = service.get(address)
    assert first.headers["etag"].startswith('W/"')
    assert first.headers["cache-control"] == f"max-age={json.loads(_payload(service, some))['ttl']}"
    assert first.headers["vary"] == "Accept-Encoding"

    def read(self: SqliteStatusLists, listed: str) -> None:
        raise AssertionError("the store was read")

    monkeypatch.setattr(SqliteStatusLists, "read", read)
    again = service.get(address)
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    same = service.get(address, if_none_match=first.headers["etag"])
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    assert same.headers["cache-control"] == first.headers["cache-control"]
    assert service.get(address, if_none_match='W/"other"').status_code == 200
    assert service.get(address.replace("2bit", "1bit"), if_none_match=first.headers["etag"]).status_code == 200
    assert service.request("HEAD", address).content == b""


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("GZIP", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("identity", False),
        ("br", False),
        ("", False),
    ],
)
def test_it_is_zipped_for_whoever_takes_that(service: Service, some: str, accepted: str, zipped: bool) -> None:
    plain = service.get(f"{BASE}{some}-2bit").content
    sent = service.raw("GET", f"{BASE}{some}-2bit", headers=[(b"accept-encoding", accepted.encode())])
    assert sent.headers.get("content-encoding") == ("gzip" if zipped else None)
    assert sent.headers["vary"] == "Accept-Encoding"
    assert sent.content == plain
    if zipped:
        assert int(sent.headers["content-length"]) == len(gzip.compress(plain, 6, mtime=0)) < len(plain)


def test_a_later_event_is_in_the_list_and_the_place_stays(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    credential = service.recognize(RECOGNIZED).json()["credential"]["id"]
    listed, index = place_of(service, credential)
    before = service.get(f"{BASE}{listed}-2bit")
    assert status_at(array_of(claims_of(service, before.content)), 2, index) == VALID
    yesterday = int(clock.now().timestamp()) - 86_400
    assert append_document(copied, revocation_of(RECOGNIZED["credential"]["number"])) == 1
    after = service.get(f"{BASE}{listed}-2bit", if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert status_at(array_of(claims_of(service, after.content)), 2, index) == INVALID
    assert place_of(service, credential) == (listed, index)
    again = opened(copied)
    assert place_of(again, credential) == (listed, index)
    assert array_of(served(again, listed)) == array_of(claims_of(service, after.content))
    past = served(service, listed, time=yesterday)
    effective = service.get(f"/v1/credentials/{credential}").json()["events"][0]["effective_at"]
    counts = datetime.fromisoformat(effective).timestamp() <= yesterday
    assert status_at(array_of(past), 2, index) == (INVALID if counts else VALID)


def test_what_is_written_elsewhere_changes_no_list(copied: Settings, opened: Callable[..., Service], some: str) -> None:
    service = opened(copied)
    listed = rows_of(copied.store_path, "SELECT list_id FROM status_list ORDER BY no")[0][0]
    before = service.get(f"{BASE}{listed}-2bit")
    writer = SqliteWriter(copied.store_path)
    writer.append([version("new", number) for number in numbers(3)], [])
    writer.close()
    after = service.get(f"{BASE}{listed}-2bit")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])


def test_two_processes_agree(home: Path, service: Service, opened: Callable[..., Service], some: str) -> None:
    other = opened(settings_at(home))
    for address in (f"{BASE}{some}-2bit", f"{BASE}{some}-1bit", f"{BASE}{some}-2bit?time=1700000000"):
        one, two = service.get(address), other.get(address)
        assert one.headers["etag"] == two.headers["etag"]
        assert claims_of(service, one.content) == claims_of(service, two.content)
        assert other.get(address, if_none_match=one.headers["etag"]).status_code == 304


def test_whoever_asks_at_once_gets_one_list(copied: Settings, opened: Callable[..., Service], some: str) -> None:
    service, reads, gate = opened(copied), list[str](), threading.Lock()
    publisher = service.node.status_lists
    read = publisher._register.read

    def counting(listed: str) -> Any:
        with gate:
            reads.append(listed)
        return read(listed)

    publisher._register.read = counting  # type: ignore[method-assign]
    now, listed = clock.now(), rows_of(copied.store_path, "SELECT list_id FROM status_list")[0][0]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: publisher.publish(listed, 2, int(now.timestamp()), 1, now), range(16)))
    assert {one.token for one in made if one is not None} == {made[0].token if made[0] else b""}
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("query", "status", "code", "pointer"),
    [
        ("time=x", 422, "query.out_of_range", "/time"),
        ("time=-1", 422, "query.out_of_range", "/time"),
        ("time=1.5", 422, "query.out_of_range", "/time"),
        ("time=٣", 422, "query.out_of_range", "/time"),
        ("time=99999999999999999999", 422, "query.out_of_range", "/time"),
        ("time=253402300800", 422, "query.out_of_range", "/time"),
        ("time=1&time=2", 422, "query.repeated_parameter", "/time"),
        ("at=1", 422, "query.unknown_parameter", "/at"),
        ("time=253402300799", 404, "list.time_ahead", "/time"),
    ],
)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_time_that_cannot_be_asked(
    service: Service, some: str, language: str, query: str, status: int, code: str, pointer: str
) -> None:
    assert_problem(service.get(f"{BASE}{some}-2bit?{query}", language=language), status, code, pointer)


@pytest.mark.parametrize("name", [f"sl_{'a' * 24}-2bit", "x", "{some}", "{some}-4bit", "{some}-2bit ", "{some}-2bitx"])
def test_an_unknown_list_is_404(service: Service, some: str, name: str) -> None:
    assert_problem(service.get(BASE + name.format(some=some)), 404, "list.not_found")


def test_an_unreadable_store_is_503(copied: Settings, opened: Callable[..., Service], some: str) -> None:
    service = opened(copied)
    listed = rows_of(copied.store_path, "SELECT list_no, list_id FROM status_turn JOIN status_list ON no = list_no")[0]
    service.node.log._connection.execute("UPDATE status_turn SET turns = 'abc'")
    assert_problem(service.get(f"{BASE}{listed[1]}-2bit"), 503, "store.unavailable")


def test_a_credential_without_a_place_says_so(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    service.node.log._connection.execute("UPDATE credential SET status_list = NULL")
    view = service.get("/v1/credentials", {"limit": "1"}).json()["data"][0]
    assert service.get(f"/v1/credentials/{view['id']}").json()["status_list"] is None


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ({}, ""),
        ({"issuer": "https://accord.test/"}, "https://accord.test"),
        (
            {"issuer": "https://accord.test", "public_url": "http://elsewhere.test:8000/a/"},
            "http://elsewhere.test:8000/a",
        ),
    ],
)
def test_a_list_is_named_by_the_node_s_address(
    copied: Settings, opened: Callable[..., Service], given: dict[str, str], base: str
) -> None:
    service = opened(copied.model_copy(update=given))
    listed = rows_of(copied.store_path, "SELECT list_id FROM status_list")[0][0]
    claims = claims_of(service, service.get(f"{BASE}{listed}-2bit", host="evil.test").content)
    assert claims.sub == f"{base}{BASE}{listed}-2bit"


class Lives:
    """A store of its own for random lifecycles, and what was entered into it."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.path = schema.migrate(folder / "lives.db", "test", clock.now()).path
        self.publisher = StatusPublisher(
            SqliteStatusLists(self.path, seed), service.node.keys, service.node.origin, "https://accord.test"
        )
        self.writer = SqliteWriter(self.path, wait=lambda seconds: None)
        self.service, self.begun = service, 0


EVENT = st.tuples(
    st.sampled_from(["suspended", "reinstated", "revoked", "cancelled"]), st.integers(0, 20), st.integers(0, 20)
)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory, service: Service) -> Lives:
    return Lives(tmp_path_factory.mktemp("lives"), service)


@given(
    st.lists(st.lists(EVENT, max_size=4), min_size=1, max_size=4),
    st.integers(-1, 21),
    st.integers(0, 21),
    st.sampled_from([1, 2]),
)
@examples(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_random_lifecycles_give_the_list_of_a_naive_model(
    lives: Lives, drawn: list[list[tuple[str, int, int]]], at: int, known: int, bits: int
) -> None:
    """Each credential's event becomes known in an order of its own; a list is judged by what is known when asked."""
    hour, mine = timedelta(hours=1), numbers(len(drawn), lives.begun)
    lives.begun += len(drawn)
    rows = []
    for number, happened in zip(mine, drawn, strict=True):
        rows.append(eventful(BEGIN - hour, number=number))
        for instant in sorted({learnt for _, _, learnt in happened}):
            then = sorted((effect, learnt, name) for name, effect, learnt in happened if learnt <= instant)
            steps = [step(name, BEGIN + effect * hour, BEGIN + learnt * hour) for effect, learnt, name in then]
            rows.append(eventful(BEGIN + instant * hour, *steps, number=number))
    lives.writer.append(rows, [])
    now, asked = BEGIN + known * hour, int((BEGIN + at * hour).timestamp())
    (listed,) = rows_of(lives.path, "SELECT list_id FROM status_list")[0]
    head = rows_of(lives.path, "SELECT max(size) FROM log_head")[0][0]
    made = lives.publisher.publish(listed, bits, asked, head, now)
    assert made is not None
    claims = claims_of(lives.service, made.token)
    array, placed = array_of(claims), dict(rows_of(lives.path, "SELECT number, status_index FROM credential"))
    for number, happened in zip(mine, drawn, strict=True):
        status = VALID
        for effect, learnt, name in sorted((effect, learnt, name) for name, effect, learnt in happened):
            if effect <= at and learnt <= known and status != INVALID:
                status = {"suspended": SUSPENDED, "reinstated": VALID}.get(name, INVALID)
            # What is known to turn ends the term before it does.
            if at < effect and learnt <= known:
                turned = int((BEGIN + effect * hour).timestamp())
                held = _naive(happened, effect, known)
                assert held == _naive(happened, at, known) or claims.exp <= turned
        assert status_at(array, bits, placed[number]) == (min(status, 1) if bits == 1 else status)
    kept = lives.publisher.held(listed, bits, asked, head, now)
    assert kept is not None
    assert kept.token == made.token


def _naive(happened: list[tuple[str, int, int]], at: int, known: int) -> int:
    status = VALID
    for effect, learnt, name in sorted((effect, learnt, name) for name, effect, learnt in happened):
        if effect <= at and learnt <= known and status != INVALID:
            status = {"suspended": SUSPENDED, "reinstated": VALID}.get(name, INVALID)
    return status


def test_what_is_not_known_yet_ends_what_is_held(tmp_path: Path, service: Service) -> None:
    """A write is visible a little before it is known: until then it does not count, and then it does at once."""
    lives = Lives(tmp_path, service)
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    lives.writer.append([eventful(noon, step("revoked", noon - timedelta(days=9), noon))], [])
    (listed,) = rows_of(lives.path, "SELECT list_id FROM status_list")[0]
    (place,) = rows_of(lives.path, "SELECT status_index FROM credential")[0]

    def at(now: datetime) -> tuple[int, ListClaims]:
        made = lives.publisher.publish(listed, 2, int(now.timestamp()), 1, now)
        assert made is not None
        claims = claims_of(service, made.token)
        return status_at(array_of(claims), 2, place), claims

    before = at(noon - timedelta(seconds=10))
    assert (before[0], before[1].exp) == (VALID, int(noon.timestamp()))
    assert lives.publisher.held(listed, 2, int(noon.timestamp()), 1, noon) is None
    after = at(noon)
    assert (after[0], after[1].iat) == (INVALID, int(noon.timestamp()))
    assert to_micros(noon) == lives.publisher._readings[listed].learnt


def test_tokens_are_taken_for_nothing_else(service: Service, some: str, tmp_path: Path) -> None:
    listing = service.get(f"{BASE}{some}-2bit").text
    receipt = service.recognize(RECOGNIZED).json()["receipt"]
    now, ring, signer = int(clock.now().timestamp()), service.node.ring, service.node.signer
    assert check_status(listing, ring, 0, now).code is None
    assert verify_receipt(listing, ring).code == "jws.type_wrong"
    assert check_status(receipt, ring, 0, now).code == "jws.type_wrong"
    payload = _payload(service, some)
    assert check_status(sign_compact(payload, signer, RECEIPT_TYPE), ring, 0, now).code == "jws.type_wrong"
    assert check_status(sign_compact(payload, signer, "JWT"), ring, 0, now).code == "jws.type_wrong"
    claims = verify_compact(receipt, ring, RECEIPT_TYPE, ALGORITHMS).payload
    assert check_status(sign_compact(claims, signer, STATUS_LIST_TYPE), ring, 0, now).code == "status_list.malformed"
    other = KeyRing(keys=(open_node(copy_home_with_keys(tmp_path)).signer.public,))
    verdict = check_status(listing, other, 0, now)
    assert (verdict.status, verdict.code) == (None, "key.unknown")


def copy_home_with_keys(folder: Path) -> Settings:
    """A home with keys of its own."""
    from app.cli.demo import prepare

    settings = settings_at(folder / "other")
    prepare(settings)
    return settings


@given(st.data())
@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_one_other_character_and_it_says_nothing(service: Service, some: str, data: st.DataObject) -> None:
    token = service.get(f"{BASE}{some}-2bit").text
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from("ABCXYZabcxyz0189-_.=").filter(lambda one: one != token[place]))
    changed = token[:place] + character + token[place + 1 :]
    verdict = check_status(changed, service.node.ring, 0, int(clock.now().timestamp()))
    assert verdict.status is None
    assert verdict.code is not None


@given(st.text())
def test_any_text_is_judged(service: Service, text: str) -> None:
    assert check_status(text, service.node.ring, 0, 0).status is None


def test_an_index_outside_another_list_and_another_time_are_no_status(service: Service, some: str) -> None:
    token, ring = service.get(f"{BASE}{some}-2bit").text, service.node.ring
    said = claims_of(service, token.encode())

    def code(index: int = 0, at: int = said.iat, uri: str | None = None) -> str | None:
        verdict = check_status(token, ring, index, at, uri)
        assert (verdict.status is None) == (verdict.code is not None)
        return verdict.code

    assert code() is None
    assert code(PLACES - 1, said.exp - 1, said.sub) is None
    assert code(PLACES) == "status_list.index"
    assert code(at=said.exp) == "status_list.expired"
    assert code(at=said.iat - 1) == "status_list.not_yet"
    assert code(uri=said.sub.replace("2bit", "1bit")) == "status_list.other"
