"""The three ways of asking one question: the core itself, the HTTP API and the command line."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
from typer.testing import CliRunner

from app import clock
from app.cli.application import application
from app.messages import Language, messages
from app.presentation import answer_view
from app.usecases.verify_receipt import verify_receipt
from registry.canonical import canonical_json
from registry.decision import Decision
from registry.receipt import claims, core
from tests.support.world import World

EXIT_CODES = {
    "recognized": 0,
    "not_recognized": 1,
    "indeterminate": 3,
    "not_found": 3,
    "conditional": 4,
    "not_required": 5,
}
"""As the public contract has them; 2 is a usage error and 70 a failure of the machine."""
ACT_OF_ANSWERING = ("receipt", "request_id", "evaluated_at")
ACT_OF_SIGNING = ("iat", "jti", "evaluated_at")
SECONDS = 60
ROOT = Path(__file__).resolve().parents[2]


def ask_core(world: World, query: Mapping[str, Any]) -> Decision:
    """The decision itself."""
    decided = list[Decision]()

    async def ask() -> None:
        # Nothing is returned: `asyncio.run` writes out what is, when it gives the signal's handler back.
        decided.append((await world.node.recognizer.recognize(dict(query), clock.now()))[1])

    asyncio.run(ask())
    return decided[0]


def core_bytes(decision: Decision) -> bytes:
    """The decision core as it is signed and replayed."""
    return canonical_json(core(decision))


def core_view(world: World, decision: Decision, language: Language) -> dict[str, Any]:
    """The decision as JSON in a language: what the API and the shell add to it is only the act of answering."""
    view: dict[str, Any] = orjson.loads(
        orjson.dumps(answer_view(decision, messages(language), world.node.origin), option=orjson.OPT_UTC_Z)
    )
    return view


def disagreement(world: World, decision: Decision, view: Mapping[str, Any], language: Language) -> list[str]:
    """Where an answer, or the receipt in it, says anything but what the core decided. None where both agree."""
    expected = core_view(world, decision, language)
    answered = {name: value for name, value in view.items() if name not in ACT_OF_ANSWERING}
    verdict = verify_receipt(view["receipt"], world.node.ring)
    if not verdict.genuine or verdict.claims is None:
        return [f"the receipt is not genuine: {verdict.why}"]
    said = {name: value for name, value in verdict.claims.items() if name not in ACT_OF_SIGNING}
    signed = json.loads(canonical_json(claims(decision, world.node.origin, evaluated_at=clock.now(), jti="")))
    meant = {name: value for name, value in signed.items() if name not in ACT_OF_SIGNING}
    return [*_unlike("answer", expected, answered), *_unlike("receipt", meant, said)]


def _unlike(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [
        f"{what}: {name} is {other.get(name)!r}, not {one.get(name)!r}"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]


async def _send(world: World, method: str, language: str, **content: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=world.application)
    async with httpx.AsyncClient(transport=transport, base_url="https://accord.example") as client:
        return await client.request(method, "/v1/recognitions", headers={"Accept-Language": language}, **content)


def _answered(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    view: dict[str, Any] = response.json()
    assert response.headers["X-Request-ID"] == view["request_id"]
    return view


def ask_api(world: World, query: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The answer to a POST."""
    return _answered(asyncio.run(_send(world, "POST", language, json=dict(query))))


def ask_by_link(world: World, query: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The answer to a GET of the question's link."""
    return _answered(asyncio.run(_send(world, "GET", language, params=dict(_parameters(query)))))


def _written(value: str | bool | list[str]) -> str:
    """A fact as links and shells give it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "、".join(value) if isinstance(value, list) else value


def _parameters(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from query.get("credential", {}).items()
    for name in ("jurisdiction", "purpose", "valid_at", "known_at", "relying_party"):
        if name in query:
            yield name, query[name]
    for name, value in query.get("facts", {}).items():
        yield f"fact.{name}", _written(value)


def shell_arguments(query: Mapping[str, Any], language: str) -> list[str]:
    """The question as arguments of `accord`."""
    arguments = ["recognize", f"--lang={language}"]
    for name, value in _parameters(query):
        fact = name.removeprefix("fact.")
        arguments.append(f"--{name.replace('_', '-')}={value}" if fact == name else f"--fact={fact}={value}")
    return arguments + [f"--expected-{name}={text}" for name, text in query.get("expected_subject", {}).items()]


def ask_shell(world: World, query: Mapping[str, Any], language: str, *, plain: bool = False) -> tuple[int, str]:
    """Exit code and standard output of the command, run in this process."""
    arguments = shell_arguments(query, language) + ([] if plain else ["--json"])
    result = CliRunner().invoke(application, arguments, env=world.environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.stderr == ""
    return result.exit_code, result.stdout


def ask_process(world: World, query: Mapping[str, Any], language: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of the command, run as a process of its own, as the console script runs it."""
    environment = {**os.environ, **{name: text for name, text in world.environment.items() if text is not None}}
    for name, text in world.environment.items():
        if text is None:
            environment.pop(name, None)
    command = [sys.executable, "-c", "from app.cli import main; main()", *shell_arguments(query, language), "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS, check=False)
    assert done.stderr == b"", done.stderr.decode()
    return done.returncode, json.loads(done.stdout)
