"""Who calls: `Authorization: Bearer` with an API key, or with an access token that was got for one."""

import base64
import binascii
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from app import clock
from app.api import desk_schemas
from app.api.body import read_octets, read_parameters
from app.api.declarations import problems
from app.api.middleware import header
from app.api.problems import problem
from app.bootstrap import Node
from app.ports import Principal
from app.presentation import to_json
from app.usecases.access_token import LIFETIME, issue_token, read_token

_LONGEST = 4096  # bytes of a header that can hold a key or a token
_MAX_FORM = 4096
_FORM = b"application/x-www-form-urlencoded"
_HEADERS = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 §5.1


def caller(node: Node, scope: Scope, needed: str | None = None) -> Principal:
    """The principal behind a request, whose key is good for what is needed. Raises `Problem` 401 and 403."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1 or len(given[0]) > _LONGEST:
        raise problem("auth.missing")
    scheme, _, secret = given[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise problem("auth.missing")
    found = _principal(node, secret.strip())
    if found is None:
        raise problem("auth.unknown")
    if needed is not None and needed not in found.scopes:
        raise problem("auth.forbidden", why=needed)
    return found


def _principal(node: Node, secret: str) -> Principal | None:
    now = clock.now()
    if secret.count(".") == 2:
        return read_token(secret, node.api_keys, node.origin, node.ring, now)
    return node.api_keys.find(secret, now)


def _refused(error: str, status: int = 400) -> Response:
    """An error as OAuth clients read it (RFC 6749 §5.2)."""
    headers = _HEADERS | ({"WWW-Authenticate": 'Basic realm="accord"'} if status == 401 else {})
    return Response(to_json({"error": error}), status, headers, "application/json")


def _client(scope: Scope, form: dict[str, str]) -> tuple[str, str] | None:
    """Id and secret of the client: by HTTP Basic, or in the form; not both (RFC 6749 §2.3)."""
    given = header(scope, b"authorization")
    if given is None:
        return (form["client_id"], form["client_secret"]) if {"client_id", "client_secret"} <= form.keys() else None
    scheme, _, encoded = given.decode("latin-1").partition(" ")
    if scheme.lower() != "basic" or "client_secret" in form:
        return None
    try:
        named, _, secret = base64.b64decode(encoded.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return None
    return named, secret


def _form(content: bytes) -> dict[str, str] | None:
    """The form's members; None where one is given twice or it cannot be read."""
    try:
        pairs = parse_qsl(content.decode("ascii"), keep_blank_values=True, strict_parsing=bool(content))
    except ValueError:
        return None
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else None


def add_oauth(router: APIRouter, node: Node) -> None:
    """The route of this module."""
    members = {name: {"type": "string"} for name in ("grant_type", "client_id", "client_secret", "scope")}
    form: dict[str, Any] = {"type": "object", "required": ["grant_type"], "properties": members}

    @router.post(
        "/oauth/token",
        tags=["operation"],
        summary="换取十分钟的访问令牌 / An access token of ten minutes (OAuth 2.0 client credentials)",
        openapi_extra={"requestBody": {"required": True, "content": {_FORM.decode(): {"schema": form}}}},
        responses={
            200: {"model": desk_schemas.AccessToken},
            400: {"model": desk_schemas.TokenRefusal, "description": "Cannot be granted"},
            401: {"model": desk_schemas.TokenRefusal, "description": "The client is not known"},
            **problems(413, 422, 503),
        },
    )
    async def token(request: Request) -> Response:
        read_parameters(request.scope, ())
        if (header(request.scope, b"content-type") or b"").split(b";")[0].strip().lower() != _FORM:
            return _refused("invalid_request")
        given = _form(await read_octets(request.receive, _MAX_FORM))
        if given is None or "grant_type" not in given:
            return _refused("invalid_request")
        client = _client(request.scope, given)
        now = clock.now()
        found = None if client is None else node.api_keys.find(client[1], now)
        if client is None or found is None or found.key_id != client[0]:
            return _refused("invalid_client", 401)
        if given["grant_type"] != "client_credentials":
            return _refused("unsupported_grant_type")
        asked = given.get("scope", "").split() or list(found.scopes)
        if not set(asked) <= set(found.scopes):
            return _refused("invalid_scope")
        made = await run_in_threadpool(issue_token, found, asked, node.origin, node.signer, now)
        answer = {"access_token": made, "token_type": "Bearer", "expires_in": int(LIFETIME.total_seconds())}
        return Response(to_json(answer | {"scope": " ".join(asked)}), 200, _HEADERS, "application/json")
