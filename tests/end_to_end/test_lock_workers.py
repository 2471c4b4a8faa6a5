"""One challenge and many server processes: one answer is accepted, whoever asks at once, and also after a restart."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.shell import PATIENCE, Server, serving
from tests.support.lock_world import (
    VERIFICATIONS,
    Given,
    LockClient,
    LockWorld,
    another_signature,
    build_lock_world,
    codes,
    text_of,
    written,
)

GOOD = ("recognized", "agreement.in_force")
USED = ("not_recognized", "challenge.used")
MANY = 200
TOGETHER = 10
"""Requests that share a pool of connections, which walks all of them for each answer."""
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""No authorities, as nothing here speaks TLS: to read them takes longer than a request."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> LockWorld:
    return build_lock_world(tmp_path_factory.mktemp("locks") / "home")


@pytest.fixture(scope="module")
def servers(world: LockWorld) -> Iterator[list[Server]]:
    """Two server processes of their own over one store."""
    with ExitStack() as stack:
        logs = [world.home.parent / f"log{number}" for number in (1, 2)]
        yield [stack.enter_context(serving(world.home, log, "serve")) for log in logs]


def client_of(server: Server) -> LockClient:
    """A platform that asks this server."""

    def post(address: str, content: bytes, language: str | None) -> httpx.Response:
        headers = {"Content-Type": "application/json", "Accept-Language": language or "en"}
        return httpx.post(server.base + address, content=content, headers=headers, timeout=PATIENCE, verify=PLAIN)

    return LockClient(post=post)


def answers_to(client: LockClient, given: Given, world: LockWorld) -> list[bytes]:
    """Answers of one lock to one challenge, every signature right and no two alike."""
    shown = world.lock().signing
    signatures = [another_signature(shown.key, given.to_be_signed, number) for number in range(MANY)]
    assert len(set(signatures)) == MANY
    return [written(client.answered(given, shown, signature=text_of(signature))) for signature in signatures]


def all_at_once(requests: Sequence[tuple[str, bytes]]) -> list[httpx.Response]:
    """Every request to the server at its address, all under way before the first is answered."""

    async def ask() -> list[httpx.Response]:
        headers = {"Content-Type": "application/json"}
        async with AsyncExitStack() as stack:
            made = (httpx.AsyncClient(headers=headers, timeout=PATIENCE, verify=PLAIN) for _ in requests[::TOGETHER])
            clients = [await stack.enter_async_context(client) for client in made]
            return await asyncio.gather(
                *(
                    clients[number // TOGETHER].post(base + VERIFICATIONS, content=body)
                    for number, (base, body) in enumerate(requests)
                )
            )

    return asyncio.run(ask())


def the_accepted(bodies: Sequence[bytes], answers: Sequence[httpx.Response]) -> tuple[bytes, bytes]:
    """The one request that was accepted and its answer, when every other was told that the challenge is used."""
    assert Counter(codes(answer) for answer in answers) == {GOOD: 1, USED: MANY - 1}
    place = next(place for place, answer in enumerate(answers) if codes(answer) == GOOD)
    return bodies[place], answers[place].content


def log_of(server: Server) -> str:
    return server.log.read_text(encoding="utf-8")


def test_two_hundred_answers_to_two_processes_and_one_is_accepted(world: LockWorld, servers: list[Server]) -> None:
    bodies = answers_to(client_of(servers[0]), client_of(servers[0]).challenge(), world)
    asked = [(servers[number % 2].base, body) for number, body in enumerate(bodies)]
    accepted, answer = the_accepted(bodies, all_at_once(asked))

    retries = all_at_once([(servers[number % 2].base, accepted) for number in range(20)])
    assert {retry.content for retry in retries} == {answer}
    again = all_at_once([(servers[(number + 1) % 2].base, body) for number, body in enumerate(bodies)])
    assert {codes(other) for body, other in zip(bodies, again, strict=True) if body != accepted} == {USED}
    assert {other.content for body, other in zip(bodies, again, strict=True) if body == accepted} == {answer}
    assert [server for server in servers if '"failure"' in log_of(server)] == []


def test_two_hundred_identical_answers_to_two_processes_get_one(world: LockWorld, servers: list[Server]) -> None:
    """A platform that sends again before it has heard: whoever is late gets the first one's answer, byte for byte."""
    client = client_of(servers[0])
    body = written(client.answered(client.challenge(), world.lock().signing))
    answers = all_at_once([(servers[number % 2].base, body) for number in range(MANY)])
    assert {codes(answer) for answer in answers} == {GOOD}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["x-request-id"] for answer in answers}) == MANY


def test_many_challenges_at_once_do_not_disturb_each_other(world: LockWorld, servers: list[Server]) -> None:
    client, shown = client_of(servers[1]), world.lock().signing
    bodies = [written(client.answered(client.challenge(), shown)) for _ in range(60)]
    answers = all_at_once([(servers[number % 2].base, body) for number, body in enumerate(bodies)])
    assert {codes(answer) for answer in answers} == {GOOD}
    assert len({answer.json()["receipt"] for answer in answers}) == len(bodies)


@pytest.mark.parametrize("how", ["told to stop", "killed"])
def test_a_restart_in_between_changes_nothing(tmp_path: Path, how: str) -> None:
    world, log = build_lock_world(tmp_path / "home"), tmp_path / "log"

    def stop(server: Server) -> None:
        if how == "killed":
            server.process.kill()
        else:
            server.process.terminate()
        server.process.wait(timeout=PATIENCE)

    with serving(world.home, log, "serve") as first:
        given = client_of(first).challenge()
        stop(first)
    with serving(world.home, log, "serve") as second:
        bodies = answers_to(client_of(second), given, world)
        accepted, answer = the_accepted(bodies, all_at_once([(second.base, body) for body in bodies]))
        stop(second)
    with serving(world.home, log, "serve") as third:
        answers = dict(zip(bodies, all_at_once([(third.base, body) for body in bodies]), strict=True))
        assert answers.pop(accepted).content == answer
        assert {codes(other) for other in answers.values()} == {USED}


def test_workers_of_one_server_share_what_was_used(world: LockWorld, tmp_path: Path) -> None:
    """`accord serve --workers 2`: which of the two takes a connection is the system's to say."""
    with serving(world.home, tmp_path / "log", "serve", "--workers", "2") as server:
        client = client_of(server)
        bodies = answers_to(client, client.challenge(), world)
        assert len(workers_of(server)) == 2
        accepted, answer = the_accepted(bodies, all_at_once([(server.base, body) for body in bodies]))
        assert {retry.content for retry in all_at_once([(server.base, accepted)] * 20)} == {answer}


def workers_of(server: Server) -> list[int]:
    """The processes that the server process started to answer requests."""
    pid = server.process.pid
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
