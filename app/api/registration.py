"""What issuers state, over HTTP: registrations, steps in a credential's life, and the statements as evidence."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from app import clock
from app.api import desk_schemas
from app.api.auth import caller
from app.api.body import parse_json, read_body, read_parameters
from app.api.declarations import parameter, problems
from app.api.middleware import header
from app.api.problems import problem
from app.bootstrap import Node
from app.ports import PolicyMoved, StoreError, Taken
from app.usecases.take_statement import Submission, is_public
from keys.jws import MAX_LENGTH
from registry.query import pointer_token, printable

_KEY = re.compile(r"[\x21-\x7e]{8,128}")
_VERSION = re.compile(r'"(sha256:[0-9a-f]{64})"')
_VERSIONS = re.compile(rf"[ \t]*{_VERSION.pattern}(?:[ \t]*,[ \t]*{_VERSION.pattern})*[ \t]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_EXAMPLE = 'If-Match: "sha256:…"'
_MAX_BODY = MAX_LENGTH + 1024
_TRIES = 3
_HEADERS = [
    parameter("Authorization", "Bearer ak_…", where="header", required=True),
    parameter("Idempotency-Key", "重试不变 / the same for a retry", where="header"),
]
_IF_MATCH = parameter("If-Match", "所依据的版本 / the version it rests on", where="header", required=True)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/StatementSubmission"}}},
    }
}
_JWS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A compact JWS", "content": {"application/jose": {"schema": {"type": "string"}}}}
}


class _InFlight:
    """Requests under way in this process, by whose and under which Idempotency-Key."""

    def __init__(self) -> None:
        self._named = set[tuple[str, str]]()

    def enter(self, name: tuple[str, str]) -> bool:
        """Notes a request; False where one of the same name is under way."""
        if name in self._named:
            return False
        self._named.add(name)
        return True

    def leave(self, name: tuple[str, str]) -> None:
        """Forgets a request that is done."""
        self._named.discard(name)


def idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key`, None where there is none. Raises `Problem`."""
    given = header(request.scope, b"idempotency-key")
    if given is None:
        return None
    text = given.decode("latin-1")
    if not _KEY.fullmatch(text):
        raise problem("idempotency.key_malformed")
    return text


def _expected(request: Request) -> frozenset[str]:
    """The versions of `If-Match`. There is no `*`: who states a step says what he knew. Raises `Problem` 428."""
    given = (header(request.scope, b"if-match") or b"").decode("latin-1")
    if not _VERSIONS.fullmatch(given):
        raise problem("precondition.missing", example=_EXAMPLE)
    return frozenset(_VERSION.findall(given))


def _token(content: Any) -> str:
    if not isinstance(content, dict):
        raise problem("query.wrong_kind", name="statement", wanted="object")
    for name in content:
        if name != "statement":
            raise problem("query.unknown_member", f"/{pointer_token(name)}", name=printable(name), allowed="statement")
    token = content.get("statement")
    if token is None:
        raise problem("query.member_missing", "/statement", name="statement")
    if not isinstance(token, str) or not token.isascii():
        raise problem("query.wrong_kind", "/statement", name="statement", wanted="text")
    return token


async def _taken(node: Node, submission: Submission) -> Taken:
    """What came of a submission, judged by the newest policy. The write itself is done beside the event loop."""
    for _ in range(_TRIES):
        await node.recognizer.refresh()
        policies = node.recognizer.policies
        try:
            return await run_in_threadpool(node.taker.take, submission, policies, clock.now())
        except PolicyMoved:
            continue
    raise StoreError("the policy changed again and again while a statement was judged")


def add_registration(router: APIRouter, node: Node) -> None:
    """The routes of this module."""
    in_flight = _InFlight()

    async def submit(request: Request, about: str, credential_id: str | None = None) -> Response:
        read_parameters(request.scope, ())
        principal = caller(node, request.scope)
        key = idempotency_key(request)
        expected = None if credential_id is None else _expected(request)
        token = _token(parse_json(await read_body(request.scope, request.receive, _MAX_BODY)))
        submission = Submission(
            token=token, principal=principal, about=about, credential_id=credential_id, expected=expected, key=key
        )
        name = (principal.key_id, key or token)
        if not in_flight.enter(name):
            raise problem("idempotency.in_flight")
        try:
            taken = await _taken(node, submission)
        finally:
            in_flight.leave(name)
        return _answered(taken)

    @router.post(
        "/v1/credentials",
        tags=["registers"],
        summary="登记证件 / Register a credential by a signed statement",
        status_code=201,
        openapi_extra={"parameters": _HEADERS, **_BODY},
        responses={201: {"model": desk_schemas.StatementTaken}, **problems(400, 401, 403, 409, 413, 415, 422, 503)},
    )
    async def register(request: Request) -> Response:
        return await submit(request, "credential")

    @router.post(
        "/v1/credentials/{id}/events",
        tags=["registers"],
        summary="证件变更、暂停、恢复、撤销、注销等 / A step in a credential's life, by a signed statement",
        status_code=201,
        openapi_extra={
            "parameters": [parameter("id", "证件标识 / credential id", where="path"), *_HEADERS, _IF_MATCH],
            **_BODY,
        },
        responses={
            201: {"model": desk_schemas.StatementTaken},
            **problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 503),
        },
    )
    async def add_event(request: Request) -> Response:
        return await submit(request, "event", request.path_params["id"])

    _add_report(router, submit)
    _add_evidence(router, node)


def _add_report(router: APIRouter, submit: Callable[[Request, str], Awaitable[Response]]) -> None:
    @router.post(
        "/v1/register-reports",
        tags=["registers"],
        summary="报告登记簿已完整登记至何时 / Say up to when a register is complete, by a signed statement",
        status_code=201,
        openapi_extra={"parameters": _HEADERS, **_BODY},
        responses={201: {"model": desk_schemas.ReportTaken}, **problems(400, 401, 403, 409, 413, 415, 422, 503)},
    )
    async def report(request: Request) -> Response:
        return await submit(request, "register")


def _add_evidence(router: APIRouter, node: Node) -> None:
    @router.get(
        "/v1/statements/{digest}",
        tags=["proof"],
        summary="发证机关签名的声明原文 / A statement as its issuer signed it",
        response_class=Response,
        openapi_extra={"parameters": [parameter("digest", "sha256:…", where="path")]},
        responses={**_JWS, **problems(400, 404, 422, 503)},
    )
    async def statement(request: Request) -> Response:
        read_parameters(request.scope, ())
        digest = request.path_params["digest"]
        token = node.log.statement(digest) if _DIGEST.fullmatch(digest) else None
        # That there is such a statement the history tells anyway.
        if token is None or not is_public(token, node.recognizer.policies.latest):
            raise problem("statement.not_found")
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(token, headers=headers, media_type="application/jose")


def _answered(taken: Taken) -> Response:
    headers = {"Cache-Control": "no-store"}
    if taken.id:
        headers |= {"Location": f"/v1/credentials/{taken.id}", "ETag": f'"{taken.version}"'}
    if taken.repeated:
        headers["Idempotency-Replayed"] = "true"
    return Response(taken.answer, 201, headers, "application/json")
