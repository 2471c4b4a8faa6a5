"""Status lists over HTTP (draft-ietf-oauth-status-list §8): a signed token, from memory, with an entity tag."""

import asyncio
import re
from typing import Any

from fastapi import APIRouter, Request, Response

from app import clock
from app.api.body import read_parameters, read_whole
from app.api.caching import accepts_gzip, tag_matches
from app.api.declarations import parameter, problems
from app.api.middleware import header
from app.api.problems import problem
from app.bootstrap import Node
from app.usecases.publish_status import PATH, Published

MEDIA_TYPE = "application/statuslist+jwt"
_NAME = re.compile(r"(sl_[a-z2-7]{24})-([12])bit")
_MOST_SECONDS = 253_402_300_799  # 9999-12-31T23:59:59Z
_SECONDS: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": _MOST_SECONDS}
_TOKEN: dict[int | str, dict[str, Any]] = {
    200: {"description": "A Status List Token", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
    304: {"description": "Not modified"},
}
_ABOUT = (
    "每个发证机关、每类证件一份；名称以 2bit 结尾的分有效、无效、暂停，以 1bit 结尾的暂停也算无效。"
    "time 所指时点的状态，按现在所知判断；将来的时点是 404。 / "
    "One for each issuer and type; in 2bit: valid, invalid, suspended; in 1bit what is suspended is invalid. "
    "The statuses at `time` are judged by what is known now; a time in the future is 404."
)


async def status_list(node: Node, name: str, time: int | None) -> Published:
    """A list by its name, as of an instant or of now. Raises `Problem` 404."""
    named = _NAME.fullmatch(name)
    if named is None:
        raise problem("list.not_found")
    listed, bits, now = named[1], int(named[2]), clock.now()
    present = int(now.timestamp())
    if time is not None and time > present:
        # A signed word about the future would be taken for the present when that has come.
        raise problem("list.time_ahead", "/time")
    at = present if time is None else time
    await node.recognizer.refresh()
    head = (await node.reader.snapshot()).head.size
    found = node.status_lists.held(listed, bits, at, head, now)
    if found is None:
        found = await asyncio.to_thread(node.status_lists.publish, listed, bits, at, head, now)
    if found is None:
        raise problem("list.not_found")
    return found


def add_status_lists(router: APIRouter, node: Node) -> None:
    """Declares the route."""

    @router.get(
        f"{PATH}{{id}}",
        tags=["proof"],
        summary="状态列表 / A status list",
        description=_ABOUT,
        openapi_extra={
            "parameters": [
                parameter("id", "列表标识 / list id", where="path"),
                parameter("time", "时点（Unix 秒），默认当前 / instant in Unix seconds, default now", _SECONDS),
            ]
        },
        response_class=Response,
        responses={**_TOKEN, **problems(400, 404, 422, 503)},
    )
    async def get_status_list(request: Request) -> Response:
        time = read_whole(read_parameters(request.scope, ("time",)), "time", _MOST_SECONDS)
        found = await status_list(node, request.path_params["id"], time)
        headers = {
            # What was at an instant may turn out otherwise at any moment: only the present has a term.
            "Cache-Control": f"max-age={found.ttl}" if time is None else "no-cache",
            "ETag": f"W/{found.tag.decode()}",
            "Vary": "Accept-Encoding",
        }
        if tag_matches(header(request.scope, b"if-none-match"), found.tag):
            return Response(status_code=304, headers=headers)
        if accepts_gzip(header(request.scope, b"accept-encoding")):
            return Response(found.zipped, headers=headers | {"Content-Encoding": "gzip"}, media_type=MEDIA_TYPE)
        return Response(found.token, headers=headers, media_type=MEDIA_TYPE)
