"""The log over HTTP: checkpoint and tiles as C2SP has them, and proofs for whoever does not read tiles."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api import schemas
from app.api.body import read_parameters, read_whole
from app.api.declarations import parameter, problems
from app.api.problems import problem
from app.bootstrap import Node
from app.presentation import to_json
from app.usecases.prove_log import current_checkpoint, log_name, prove_consistency, prove_inclusion
from keys.errors import MalformedError
from registry.log.merkle import HASH_SIZE
from registry.log.tiles import WIDTH, bundle, read_tile_path

_MOST = 2**53 - 1
_LAST_TILE = _MOST // WIDTH
_WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": _MOST}
_FULL = "public, max-age=31536000, immutable"
_NOTE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A signed note", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
_OCTETS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A tile", "content": {"application/octet-stream": {"schema": {"type": "string"}}}}
}


def _whole(parameters: dict[str, str], name: str) -> int | None:
    return read_whole(parameters, name, _MOST)


def _needed(parameters: dict[str, str], name: str) -> int:
    found = _whole(parameters, name)
    if found is None:
        raise problem("query.member_missing", f"/{name}", name=name)
    return found


def tile_content(node: Node, level: str, name: str) -> tuple[bytes, bool]:
    """The octets of a tile or entry bundle by its name, and whether it is full. Raises `Problem` 404."""
    try:
        height, number, width = read_tile_path(level, name)
    except MalformedError:
        raise problem("log.not_found") from None
    if number > _LAST_TILE:
        raise problem("log.not_found")
    if height is None:
        entries = node.log.entries(number * WIDTH, number * WIDTH + width)
        content, there = bundle(entries), len(entries)
    else:
        content = node.log.tile(height, number)[: width * HASH_SIZE]
        there = len(content) // HASH_SIZE
    if there < width:
        raise problem("log.not_found")
    return content, width == WIDTH


def _add_tiles(router: APIRouter, node: Node) -> None:
    @router.get(
        "/v1/log/checkpoint",
        tags=["proof"],
        summary="日志检查点 / The log's checkpoint, a signed note",
        response_class=Response,
        responses={**_NOTE, **problems(400, 422, 503)},
    )
    async def checkpoint(request: Request) -> Response:
        read_parameters(request.scope, ())
        if node.log_signer is None:
            raise problem("log.key_missing")
        note = current_checkpoint(node.log, log_name(node.origin.issuer), node.log_signer)
        return Response(note, headers={"Cache-Control": "no-cache"}, media_type="text/plain; charset=utf-8")

    path = {
        "parameters": [
            parameter("level", "层级，或 entries / level, or entries", where="path"),
            parameter("name", "编号，如 x001/234 或 000.p/17 / number", where="path"),
        ]
    }

    @router.get(
        "/v1/log/tile/{level}/{name:path}",
        tags=["proof"],
        summary="日志分片 / A tile of the log",
        openapi_extra=path,
        response_class=Response,
        responses={**_OCTETS, **problems(400, 404, 422, 503)},
    )
    async def tile(request: Request) -> Response:
        read_parameters(request.scope, ())
        content, full = tile_content(node, request.path_params["level"], request.path_params["name"])
        headers = {"Cache-Control": _FULL if full else "no-cache"}
        return Response(content, headers=headers, media_type="application/octet-stream")


def _add_proofs(router: APIRouter, node: Node) -> None:
    size = parameter("size", "日志长度，默认当前 / size of the log, default: as it is", _WHOLE)

    @router.get(
        "/v1/log/proofs/inclusion",
        tags=["proof"],
        summary="包含证明 / Proof that an entry is in the log",
        openapi_extra={
            "parameters": [
                parameter("index", "条目序号，从 0 起 / place of the entry, from 0", _WHOLE),
                parameter("credential", "证件标识：其最新条目 / credential id: its newest entry"),
                size,
            ]
        },
        responses={200: {"model": schemas.InclusionProof}, **problems(400, 404, 422, 503)},
    )
    async def inclusion(request: Request) -> Response:
        given = read_parameters(request.scope, ("index", "credential", "size"))
        credential = given.get("credential") or None
        if credential is not None and given.get("index"):
            raise problem("query.repeated_parameter", "/index", name="index, credential")
        index = None if credential is not None else _needed(given, "index")
        found = prove_inclusion(node.log, index, credential, _whole(given, "size"))
        if found is None:
            raise problem("log.not_found")
        return _answer(found)

    @router.get(
        "/v1/log/proofs/consistency",
        tags=["proof"],
        summary="一致性证明 / Proof that the log was only added to",
        openapi_extra={
            "parameters": [
                parameter("first", "较早的长度 / the earlier size", _WHOLE),
                parameter("second", "较晚的长度，默认当前 / the later size, default: as it is", _WHOLE),
            ]
        },
        responses={200: {"model": schemas.ConsistencyProof}, **problems(400, 422, 503)},
    )
    async def consistency(request: Request) -> Response:
        given = read_parameters(request.scope, ("first", "second"))
        return _answer(prove_consistency(node.log, _needed(given, "first"), _whole(given, "second")))


def _answer(content: dict[str, Any]) -> Response:
    return Response(to_json(content), headers={"Cache-Control": "no-cache"}, media_type="application/json")


def add_log(router: APIRouter, node: Node) -> None:
    """Declares the routes of the log."""
    _add_tiles(router, node)
    _add_proofs(router, node)
