"""The demonstration as a service inside the test process, and what every test says of its answers."""

import asyncio
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp, Message

from app.api.application import build_application
from app.bootstrap import Node, open_node
from app.demonstration.commands import examples
from app.settings import Settings

LANGUAGES = ("zh-CN", "en")
JSON = {"Content-Type": "application/json"}
CHECKS = ["format", "signature", "path", "issuer", "status", "validity", "scope", "subject", "agreement", "freshness"]

RECOGNIZED: dict[str, Any] = {
    "credential": {"type": "inspection-body-qualification", "number": "222220349001"},
    "jurisdiction": "CN-SC",
    "purpose": "report.acceptance",
    "valid_at": "2026-10-01T00:00:00+08:00",
    "facts": {"parameter": "铅", "method": "GB 5009.12-2023", "site": "重庆市渝北区"},
}
"""A question that the demonstration answers with `recognized`."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_POINTER = re.compile(r"(/([^/~]|~[01])*)*")


def settings_at(home: Path, **other: Any) -> Settings:
    """The settings of a node at home there, blind to the environment of the test run."""
    blank = dict.fromkeys(("store", "keys", "policy", "key_passphrase", "key_passphrase_file", "issuer"))
    return Settings(home=home, **{**blank, **other})


@dataclass
class Service:
    """A node and its application."""

    node: Node
    access_log: bool = False
    application: ASGIApp = field(init=False)

    def __post_init__(self) -> None:
        self.application = build_application(self.node, access_log=self.access_log)

    def request(self, method: str, address: str, **options: Any) -> httpx.Response:
        """One request through httpx. The client adds nothing that a test did not give, but for `Host`."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.application)
            async with httpx.AsyncClient(transport=transport, base_url="http://accord.test") as client:
                client.headers.clear()
                return await client.request(method, address, **options)

        return asyncio.run(ask())

    def get(self, address: str, params: Any = None, language: str | None = None, **headers: str) -> httpx.Response:
        """GET; keyword arguments are headers, with _ for -."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if language is not None:
            given["Accept-Language"] = language
        return self.request("GET", address, params=params, headers=given)

    def post(self, address: str, content: Any, language: str | None = None, **headers: str) -> httpx.Response:
        """POST of a JSON value, or of bytes as they are; keyword arguments are headers, with _ for -."""
        given = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
        if language is not None:
            given["Accept-Language"] = language
        if isinstance(content, bytes):
            return self.request("POST", address, content=content, headers=given)
        return self.request("POST", address, json=content, headers=given)

    def recognize(self, content: Any, language: str | None = None) -> httpx.Response:
        """The main question."""
        return self.post("/v1/recognitions", content, language)

    def raw(
        self,
        method: str,
        path: str,
        query: bytes = b"",
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: Iterable[bytes] = (b"",),
    ) -> httpx.Response:
        """One request as bytes, for what httpx would not send: the query and the chunks of the body as they are."""
        sent: list[Message] = []
        chunks = list(body)

        async def receive() -> Message:
            chunk = chunks.pop(0) if chunks else None
            if chunk is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("utf-8", "surrogatepass"),
            "query_string": query,
            "root_path": "",
            "headers": list(headers),
            "server": ("accord.test", 80),
            "client": ("127.0.0.1", 1),
        }
        asyncio.run(self.application(scope, receive, send))
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=content)


def copy_home(home: Path, target: Path) -> Settings:
    """A copy of a home that nothing writes to; its store may be spoilt."""
    # Nobody wrote since the store was made, so its side files hold nothing.
    shutil.copytree(home, target, ignore=shutil.ignore_patterns("*.db-*"))
    return settings_at(target)


def open_service(settings: Settings, *, access_log: bool = False) -> Service:
    """A service over a home."""
    return Service(open_node(settings), access_log)


def is_instant(value: object) -> bool:
    """Whether the value is an instant as answers write it."""
    return isinstance(value, str) and bool(_INSTANT.fullmatch(value)) and bool(datetime.fromisoformat(value))


def assert_problem(response: httpx.Response, status: int, code: str, pointer: str | None = None) -> dict[str, Any]:
    """The problem document of a refusal, when it has every member, the status, the code and a fault at the pointer."""
    document = assert_problem_shape(response)
    assert (response.status_code, document["code"]) == (status, code), document
    if pointer is not None:
        assert (pointer, code) in [(fault["pointer"], fault["code"]) for fault in document["errors"]], document
    return document


def assert_problem_shape(response: httpx.Response) -> dict[str, Any]:
    """The problem document, when it is whole (RFC 9457 and our members) and fits its response."""
    assert response.headers["content-type"] == "application/problem+json", response.text[:300]
    assert response.headers["content-language"] in LANGUAGES
    assert response.headers["cache-control"] == "no-store"
    document: dict[str, Any] = response.json()
    assert set(document) == {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}
    assert document["status"] == response.status_code
    assert document["type"] == f"urn:accord:problem:{document['code']}"
    assert document["request_id"] == response.headers["x-request-id"]
    assert document["instance"] == f"urn:accord:request:{document['request_id']}"
    assert _REQUEST_ID.fullmatch(document["request_id"])
    assert document["title"].strip()
    assert document["errors"]
    first = document["errors"][0]
    assert (first["code"], first["detail"]) == (document["code"], document["detail"])
    for fault in document["errors"]:
        assert {"pointer", "code", "detail"} <= set(fault) <= {"pointer", "code", "detail", "parameter", "technical"}
        assert _POINTER.fullmatch(fault["pointer"]), fault["pointer"]
        assert fault["detail"].strip()
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", fault["code"])
    return document


def link(query: dict[str, Any]) -> dict[str, str]:
    """The parameters of a link that asks the same question."""
    parameters = dict(query.get("credential") or {})
    parameters |= {name: value for name, value in query.items() if isinstance(value, str)}
    for name, value in (query.get("facts") or {}).items():
        written = "、".join(value) if isinstance(value, list) else value
        parameters[f"fact.{name}"] = str(written).lower() if isinstance(written, bool) else written
    return parameters


def example_questions() -> dict[str, dict[str, Any]]:
    """The demonstration's question for every decision, as a body, where lists are lists."""
    questions: dict[str, dict[str, Any]] = {}
    for entry in examples():
        query = dict(entry["query"])
        if "items" in query.get("facts", {}):
            query["facts"] = query["facts"] | {"items": [query["facts"]["items"]]}
        questions[entry["decision"]] = query
    return questions


def stable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what is new in every one of them."""
    return {name: value for name, value in answer.items() if name not in ("evaluated_at", "receipt", "request_id")}
