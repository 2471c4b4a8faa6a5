"""Objections over HTTP: anybody may object, the issuer sees and answers, and nothing changes by itself."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app import clock
from app.api import desk_schemas
from app.api.auth import caller
from app.api.body import parse_json, read_body, read_parameters
from app.api.credentials import may_be_id
from app.api.declarations import parameter, problems
from app.api.problems import problem
from app.bootstrap import Node
from app.ports import Principal
from app.presentation import to_json
from app.usecases.find_credentials import find_credential
from app.usecases.objections import (
    ANSWER,
    READ,
    Objection,
    Submitted,
    may_see,
    objection,
    read_answer,
    read_submission,
)
from registry.field import forbidden_text

_LIST = ("status", "purpose", "after")
_PAGE = 100
_MAX_PURPOSE = 200
_AUTHORIZATION = parameter("Authorization", "Bearer ak_…", where="header", required=True)
_ID = parameter("id", "异议编号 / objection id", where="path")


def _body(name: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"requestBody": {"required": True, "content": content}}


def _json(content: Any, status: int = 200) -> Response:
    return Response(to_json(content), status, {"Cache-Control": "no-store"}, "application/json")


def public_view(entry: Objection) -> dict[str, Any]:
    """What whoever holds the id may see: not who objected, nor in which words."""
    return {
        "id": entry.id,
        "status": "open" if entry.answered_at is None else "answered",
        "credential_id": entry.credential_id,
        "receipt": entry.receipt,
        "issuer": entry.issuer,
        "received_at": entry.received_at,
        "answer": entry.answer,
        "answered_at": entry.answered_at,
    }


async def _issuer_of(node: Node, submitted: Submitted) -> str | None:
    """Whose list it goes on: the issuer's where a register holds the credential, else as the receipt says."""
    if submitted.receipt is not None:
        known = node.recognizer.policies.latest.authorities
        return submitted.issuer if submitted.issuer in known else None
    named = submitted.credential_id or ""
    held = await find_credential(node.reader, named, clock.now()) if may_be_id(named) else None
    if held is None:
        raise problem("objection.credential_unknown", "/credential_id")
    return held.credential.issuer


def _found(node: Node, principal: Principal, named: str) -> Objection:
    entry = node.objections.find(named) if may_be_id(named) else None
    if entry is None or not may_see(principal, entry):
        raise problem("objection.not_found")
    return entry


def _position(parameters: dict[str, str]) -> int:
    text = parameters.get("after") or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise problem("query.out_of_range", "/after", name="after", minimum="0", maximum="999999999999999")
    return int(text)


def _purpose(parameters: dict[str, str]) -> str:
    purpose = (parameters.get("purpose") or "").strip()
    if not purpose:
        raise problem("query.member_missing", "/purpose", name="purpose")
    if len(purpose) > _MAX_PURPOSE or forbidden_text(purpose):
        raise problem("query.too_long", "/purpose", name="purpose", limit=str(_MAX_PURPOSE))
    return purpose


def add_objections(router: APIRouter, node: Node) -> None:
    """The routes of this module."""

    @router.post(
        "/v1/objections",
        tags=["registers"],
        summary="提出异议 / Object to a credential or a receipt",
        status_code=201,
        openapi_extra=_body("ObjectionSubmission"),
        responses={201: {"model": desk_schemas.Objection}, **problems(400, 413, 415, 422, 429, 503)},
    )
    async def submit(request: Request) -> Response:
        read_parameters(request.scope, ())
        submitted = read_submission(parse_json(await read_body(request.scope, request.receive)), node.ring)
        await node.recognizer.refresh()
        entry = objection(submitted, await _issuer_of(node, submitted), clock.now())
        if not node.objections.add(entry):
            raise problem("objection.too_many")
        return _json(public_view(entry), 201)

    @router.get(
        "/v1/objections/{id}",
        tags=["registers"],
        summary="异议的处理情况 / How an objection stands",
        openapi_extra={"parameters": [_ID]},
        responses={200: {"model": desk_schemas.Objection}, **problems(400, 404, 422, 503)},
    )
    async def show(request: Request) -> Response:
        read_parameters(request.scope, ())
        named = request.path_params["id"]
        entry = node.objections.find(named) if may_be_id(named) else None
        if entry is None:
            raise problem("objection.not_found")
        return _json(public_view(entry))

    _add_desk(router, node)


def _add_desk(router: APIRouter, node: Node) -> None:
    """What an issuer, an operator or an auditor does."""

    @router.get(
        "/v1/objections",
        tags=["registers"],
        summary="本机关的异议 / The objections on one's list",
        openapi_extra={
            "parameters": [
                _AUTHORIZATION,
                parameter("purpose", "查阅目的，留有记录 / what for; it is kept", required=True),
                parameter("status", "open", {"type": "string", "enum": ["open"]}),
                parameter("after", "上一页的 next / `next` of the page before"),
            ]
        },
        responses={200: {"model": desk_schemas.ObjectionPage}, **problems(400, 401, 403, 422, 503)},
    )
    async def listed(request: Request) -> Response:
        principal = caller(node, request.scope, READ)
        parameters = read_parameters(request.scope, _LIST)
        if parameters.get("status") not in (None, "", "open"):
            value = parameters["status"][:64]
            raise problem("query.not_allowed", "/status", name="status", value=value, allowed="open")
        purpose, after = _purpose(parameters), _position(parameters)
        open_only = parameters.get("status") == "open"
        found = node.objections.page(principal.issuer, open_only=open_only, after=after, limit=_PAGE)
        # Before anything is shown: what cannot be noted is not read.
        node.objections.note_read(principal, f"objections after {after}", purpose, clock.now())
        data = [public_view(entry) | {"message": entry.message, "contact": entry.contact} for _, entry in found]
        return _json({"data": data, "next": found[-1][0] if len(found) == _PAGE else None})

    @router.post(
        "/v1/objections/{id}/answer",
        tags=["registers"],
        summary="答复异议 / Answer an objection",
        openapi_extra={"parameters": [_ID, _AUTHORIZATION], **_body("ObjectionAnswer")},
        responses={200: {"model": desk_schemas.Objection}, **problems(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    )
    async def answer(request: Request) -> Response:
        read_parameters(request.scope, ())
        principal = caller(node, request.scope, ANSWER)
        said = read_answer(parse_json(await read_body(request.scope, request.receive)))
        entry = _found(node, principal, request.path_params["id"])
        if not node.objections.answer(entry.id, said, principal.key_id, clock.now()):
            raise problem("objection.answered")
        return _json(public_view(_found(node, principal, entry.id)))
