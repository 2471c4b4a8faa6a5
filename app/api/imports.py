"""Registers' files over HTTP: uploaded with the statement that covers them, loaded beside the service."""

import csv
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from app import clock
from app.api import desk_schemas
from app.api.auth import caller
from app.api.body import read_parameters, read_whole
from app.api.declarations import parameter, problems
from app.api.middleware import header, request_language
from app.api.problems import problem
from app.api.registration import idempotency_key
from app.bootstrap import Node
from app.importers.report import cells, heading
from app.messages import Messages, messages, negotiate
from app.ports import Principal
from app.presentation import to_json
from app.upload_presentation import import_view, row_fault_view
from app.uploads import Upload
from app.usecases.file_import import WRITE, FileImport, announced, arrived, may_see, same_request
from registry.statement import Statement

_PIECE = 1024 * 1024  # bytes that are written at once
_PAGE, _LINES = 100, 1000
_FLAGS = {"true": True, "false": False}
_PLAIN = (b"", b"identity")
_AUTHORIZATION = parameter("Authorization", "Bearer ak_…", where="header", required=True)
_ID = parameter("id", "导入编号 / import id", where="path")
_UPLOAD = [
    _AUTHORIZATION,
    parameter("Accord-Statement", "覆盖整个文件的声明（JWS）/ the statement about the file", where="header"),
    parameter("Idempotency-Key", "重试不变 / the same for a retry", where="header"),
    parameter("dry_run", "试导入，不写入 / try, write nothing", {"type": "boolean", "default": False}),
    parameter("type", "证件类型；有声明时可不填 / credential type, for a trial without a statement"),
]
_BODY = {
    "requestBody": {
        "required": True,
        "description": "CSV, XLSX, JSONL",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "model": desk_schemas.ImportErrors,
        "description": "Accept: text/csv gives all of them",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


def _language(request: Request) -> Messages:
    return messages(negotiate(request_language(request.scope)))


def _json(content: Any, status: int = 200, **headers: str) -> Response:
    headers = {"Cache-Control": "no-store"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(to_json(content), status, headers, "application/json")


def _statement(request: Request) -> str | None:
    given = [value for name, value in request.scope["headers"] if name == b"accord-statement"]
    if not given:
        return None
    text: str = given[0].decode("latin-1").strip()
    if len(given) > 1 or not text.isascii():
        raise problem("query.wrong_kind", name="Accord-Statement", wanted="compact JWS")
    return text


def _flag(parameters: dict[str, str], name: str) -> bool:
    value = parameters.get(name) or "false"
    if value not in _FLAGS:
        raise problem("query.not_allowed", f"/{name}", name=name, value=value[:64], allowed=", ".join(_FLAGS))
    return _FLAGS[value]


def _refuse_other_bodies(request: Request, limit: int) -> None:
    """A body that is not the file itself, or says that it is too long: refused before it comes."""
    kind = (header(request.scope, b"content-type") or b"").split(b";")[0].strip().lower()
    coded = (header(request.scope, b"content-encoding") or b"").strip().lower()
    if kind in (b"multipart/form-data", b"application/json") or coded not in _PLAIN:
        raise problem("import.media_type")
    length = header(request.scope, b"content-length")
    if length is not None and length.isdigit() and int(length) > limit:
        raise problem("request.too_large", limit=str(limit))


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a write."""
    piece = bytearray()
    async for chunk in request.stream():
        piece += chunk
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


async def _receive(request: Request, upload: Upload, limit: int) -> None:
    try:
        async for piece in _pieces(request):
            if upload.size + len(piece) > limit:
                raise problem("request.too_large", limit=str(limit))
            await run_in_threadpool(upload.write, piece)
    except ClientDisconnect:
        # Nobody reads this; what came is removed.
        raise problem("import.broken_off") from None
    if not upload.size:
        raise problem("file.empty")


async def _take(
    node: Node, request: Request, principal: Principal, statement: Statement, token: str | None, *, dry_run: bool
) -> tuple[FileImport, bool]:
    """The import, and whether it was there before."""
    desk, once = node.uploads, idempotency_key(request)
    with await run_in_threadpool(desk.shelf.upload) as upload:
        await _receive(request, upload, desk.limit)
        entry = arrived(principal, statement, token or "", upload.digest, once, clock.now(), dry_run=dry_run)
        # On the shelf first: an import that is written down has its file.
        await run_in_threadpool(upload.keep, entry.id)
    found = await run_in_threadpool(desk.imports.add, entry)
    if found is not entry:
        desk.shelf.drop(entry.id)
    if found is None:
        raise problem("import.too_many")
    if found is not entry and once is not None and found.once == once and not same_request(found, entry):
        raise problem("idempotency.other_request")
    await run_in_threadpool(desk.wake)
    return found, found is not entry


def _found(node: Node, principal: Principal, named: str) -> FileImport:
    entry = node.uploads.imports.find(named) if len(named) <= 64 and named.isascii() else None
    if entry is None or not may_see(principal, entry):
        raise problem("import.not_found")
    return entry


def add_imports(router: APIRouter, node: Node) -> None:
    """The routes of this module."""

    @router.post(
        "/v1/imports",
        tags=["registers"],
        summary="上传登记簿文件 / Upload a register's file",
        status_code=202,
        openapi_extra={"parameters": _UPLOAD, **_BODY},
        responses={
            202: {"model": desk_schemas.Import},
            200: {"model": desk_schemas.Import, "description": "It was uploaded before"},
            **problems(400, 401, 403, 409, 413, 415, 422, 429, 503),
        },
    )
    async def upload(request: Request) -> Response:
        principal = caller(node, request.scope, WRITE)
        parameters = read_parameters(request.scope, ("dry_run", "type"))
        dry_run, token = _flag(parameters, "dry_run"), _statement(request)
        _refuse_other_bodies(request, node.uploads.limit)
        await node.recognizer.refresh()
        policy, type_id = node.recognizer.policies.latest, parameters.get("type") or None
        statement = announced(principal, token, type_id, dry_run=dry_run, policy=policy, now=clock.now())
        entry, repeated = await _take(node, request, principal, statement, token, dry_run=dry_run)
        replayed = {"Idempotency_Replayed": "true"} if repeated else {}
        view = import_view(entry, _language(request))
        return _json(view, 200 if repeated else 202, Location=f"/v1/imports/{entry.id}", **replayed)

    @router.get(
        "/v1/imports/{id}",
        tags=["registers"],
        summary="导入进度与结果 / How far an import is, and what came of it",
        openapi_extra={"parameters": [_ID, _AUTHORIZATION]},
        responses={200: {"model": desk_schemas.Import}, **problems(400, 401, 403, 404, 422, 503)},
    )
    async def show(request: Request) -> Response:
        read_parameters(request.scope, ())
        entry = _found(node, caller(node, request.scope), request.path_params["id"])
        await run_in_threadpool(node.uploads.look_after, entry)
        return _json(import_view(entry, _language(request)))

    _add_errors(router, node)


def _add_errors(router: APIRouter, node: Node) -> None:
    @router.get(
        "/v1/imports/{id}/errors",
        tags=["registers"],
        summary="被拒收的行与缺漏的证件 / The rows that were refused, and the credentials that are missing",
        openapi_extra={
            "parameters": [
                _ID,
                _AUTHORIZATION,
                parameter("cursor", "下一页 / where to go on"),
                parameter("limit", "每页条数 / a page", {"type": "integer", "minimum": 1, "maximum": _PAGE}),
            ]
        },
        responses={**_CSV, **problems(400, 401, 403, 404, 422, 503)},
    )
    async def errors(request: Request) -> Response:
        parameters = read_parameters(request.scope, ("cursor", "limit"))
        principal = caller(node, request.scope, WRITE)
        entry, catalogue = _found(node, principal, request.path_params["id"]), _language(request)
        # Before anything is shown: what cannot be noted is not read. Rows name people.
        node.objections.note_read(principal, f"import {entry.id} errors", "import", clock.now())
        if b"text/csv" in (header(request.scope, b"accept") or b""):
            headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{entry.id}.csv"'}
            return StreamingResponse(_csv(node, entry.id, catalogue), 200, headers, "text/csv; charset=utf-8")
        after = read_whole(parameters, "cursor", 10**15) or 0
        limit = read_whole(parameters, "limit", _PAGE) or _PAGE
        try:
            found, rest = await run_in_threadpool(node.uploads.shelf.read_faults, entry.id, after, limit)
        except ValueError:
            raise problem("query.cursor_invalid", "/cursor") from None
        data = [row_fault_view(fault, catalogue) for fault in found]
        return _json({"data": data, "next_cursor": None if rest is None else str(rest), "has_more": rest is not None})


def _csv(node: Node, import_id: str, catalogue: Messages) -> Iterator[bytes]:
    """All that is wrong, as the shell writes it too: with a byte order mark, for Excel."""
    after: int | None = 0
    lines = [heading(catalogue.language)]
    text = "\ufeff"
    while after is not None:
        found, after = node.uploads.shelf.read_faults(import_id, after, _LINES)
        lines += [cells(fault, catalogue.language) for fault in found]
        written = io.StringIO(newline="")
        csv.writer(written).writerows(lines)
        yield (text + written.getvalue()).encode()
        text, lines = "", []
