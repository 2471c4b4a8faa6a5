"""One pure ASGI layer around everything: request id, language, access log, and problem documents for what fails."""

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import clock, telemetry
from app.api.problems import MEDIA_TYPE, Problem, problem, problem_body
from app.messages import messages, negotiate
from app.ports import StoreError
from keys.errors import CustodyError
from registry.errors import QueryRefused

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
RETRY_AFTER_SECONDS = "5"
_OF_STATUS = {404: "route.not_found", 405: "route.method_not_allowed", 413: "request.too_large"}


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first value of a request header, or None. Names are lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def request_language(scope: Scope) -> str | None:
    """The request's Accept-Language."""
    value = header(scope, b"accept-language")
    return None if value is None else value.decode("latin-1")


class Envelope:
    """Gives every response its `X-Request-ID` and every failure its problem document."""

    def __init__(self, app: ASGIApp, lean: Mapping[str, ASGIApp], access_log: bool) -> None:
        self._app = app
        self._lean = lean
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything but HTTP through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = header(scope, b"x-request-id")
        request_id = given if given is not None and _REQUEST_ID.fullmatch(given) else os.urandom(12).hex().encode()
        scope["request_id"] = request_id.decode()
        started = clock.monotonic()
        status = 0
        head = scope["method"] == "HEAD"
        if head:
            # RFC 9110 9.1: what can be read can be asked for its head; routes need not know.
            scope = {**scope, "method": "GET"}

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id),
                    (b"x-content-type-options", b"nosniff"),
                ]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._lean.get(scope["path"], self._app)(scope, receive, send_with_id)
        except Exception as error:
            if status:
                # A response, the 500 document at least, has begun: the framework raises again only to be logged.
                telemetry.failure(scope["request_id"], error)
            else:
                await (await refuse(Request(scope), error))(scope, receive, send_with_id)
        if self._access_log:
            telemetry.access(scope, status, clock.monotonic() - started)


async def refuse(request: Request, error: Exception) -> Response:
    """The problem document for whatever a route raised."""
    scope = request.scope
    headers: dict[str, str] = {}
    if isinstance(error, QueryRefused):
        found = Problem(error.faults)
    elif isinstance(error, Problem):
        found = error
    elif isinstance(error, HTTPException):
        found = problem(_OF_STATUS.get(error.status_code, "request.not_allowed"))
        headers = dict(error.headers or {})
        if error.status_code == 405 and "app" in scope:
            headers["Allow"] = ", ".join(sorted(_methods(scope))) or headers["Allow"]
    elif isinstance(error, StoreError):
        telemetry.failure(scope["request_id"], error)
        found, headers = problem("store.unavailable"), {"Retry-After": RETRY_AFTER_SECONDS}
    elif isinstance(error, CustodyError):
        telemetry.failure(scope["request_id"], error)
        # Whoever runs the node has to mend it, and the detail says how; it never carries a secret.
        telemetry.notice("keys", code=error.code, detail=error.detail)
        found, headers = problem("keys.unavailable"), {"Retry-After": RETRY_AFTER_SECONDS}
    else:
        telemetry.failure(scope["request_id"], error)
        found = problem("internal.error")
    if found.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="accord"'
    elif found.faults[0].code == "idempotency.in_flight":
        headers["Retry-After"] = "1"
    catalogue = messages(negotiate(request_language(scope)))
    body = problem_body(found.status, found.faults, catalogue, scope["request_id"], link=scope["method"] != "POST")
    headers |= {"Content-Language": catalogue.language, "Cache-Control": "no-store"}
    return Response(body, found.status, headers, MEDIA_TYPE)


def _methods(scope: Scope) -> set[str]:
    """What the routes of an address take, all together: the framework names those of the first one only."""
    routes = [route for route in scope["app"].state.routes if route.matches(scope)[0] is not Match.NONE]
    return {method for route in routes for method in route.methods}


REFUSED: tuple[type[Exception], ...] = (QueryRefused, Problem, HTTPException, StoreError, CustodyError, Exception)
"""What `refuse` answers; the last of them is the bug that nobody foresaw."""


async def send_bytes(
    send: Callable[[Message], Awaitable[None]], status: int, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """A whole response at once."""
    start: dict[str, Any] = {
        "type": "http.response.start",
        "status": status,
        "headers": [*headers, (b"content-length", str(len(body)).encode())],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
