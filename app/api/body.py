"""Reading request bodies and query strings strictly: nothing twice, nothing too large, nothing lossy."""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from app.api.middleware import header
from app.api.problems import problem
from registry.query import pointer_token, printable

MAX_BODY = 64 * 1024
MAX_PARAMETERS = 100
_INSTANTS = frozenset({"valid_at", "known_at", "deadline"})
_BASE64 = frozenset({"digest"})
_LOST_PLUS = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]{5,18}) (\d\d:\d\d)", re.ASCII)


class _Duplicate(ValueError):
    """A member name occurs twice in one object."""


class _Fraction(ValueError):
    """A number that is not an integer."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Duplicate(name)
            seen.add(name)
    return members


def _no_fraction(text: str) -> NoReturn:
    raise _Fraction(text)


_strictly = json.JSONDecoder(object_pairs_hook=_members, parse_float=_no_fraction, parse_constant=_no_fraction)


def parse_json(content: bytes) -> Any:
    """The JSON value in the bytes. Raises `Problem`: malformed, a member twice, or a decimal as a number."""
    if not content.strip():
        raise problem("request.malformed_json", variant="empty")
    try:
        return _strictly.decode(content.decode("utf-8"))
    except _Duplicate as error:
        raise problem("request.duplicate_key", name=printable(str(error))) from None
    except _Fraction:
        raise problem("request.number_not_allowed") from None
    except json.JSONDecodeError as error:
        raise problem("request.malformed_json", line=str(error.lineno), column=str(error.colno)) from None
    except (UnicodeDecodeError, RecursionError, ValueError):
        raise problem("request.malformed_json", line="1", column="1") from None


def _is_json(media_type: bytes | None) -> bool:
    return media_type is not None and media_type.split(b";")[0].strip().lower() == b"application/json"


async def read_body(scope: Scope, receive: Receive, limit: int = MAX_BODY) -> bytes:
    """The whole body of a JSON request. Raises `Problem` when it is too large or says that it is something else."""
    media_type = header(scope, b"content-type")
    if media_type != b"application/json" and not _is_json(media_type):
        raise problem("request.media_type")
    return await read_octets(receive, limit)


async def read_octets(receive: Receive, limit: int, refusal: str = "request.too_large") -> bytes:
    """A whole body, whatever it is. Raises the `Problem` of that code when it is too large."""
    message = await receive()
    body: bytes = message.get("body", b"")
    more = message.get("more_body", False)
    while more and len(body) <= limit:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if len(body) > limit:
        raise problem(refusal, limit=str(limit))
    return body


def _nothing_said(_name: str) -> str | None:
    return None


def read_parameters(
    scope: Scope,
    allowed: tuple[str, ...],
    prefix: str | None = None,
    instead: Callable[[str], str | None] = _nothing_said,
) -> dict[str, str]:
    """The query parameters by name. Raises `Problem` for one given twice, or that is neither allowed nor prefixed.

    `instead` names the sentence that says where a parameter belongs which is not allowed here.
    """
    try:
        pairs = parse_qsl(
            scope["query_string"].decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=bool(scope["query_string"]),
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:
        raise problem("request.malformed_query") from None
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name in parameters:
            raise problem("query.repeated_parameter", f"/{pointer_token(name)}", name=printable(name))
        if name not in allowed and not (prefix is not None and name.startswith(prefix) and name != prefix):
            known = (*allowed, *([f"{prefix}<name>"] if prefix else []))
            variant = instead(name) or (None if known else "none")
            raise problem(
                "query.unknown_parameter",
                f"/{pointer_token(name)}",
                name=printable(name),
                allowed=", ".join(known),
                **({} if variant is None else {"variant": variant}),
            )
        parameters[name] = _with_plus(name, value)
    return parameters


def _with_plus(name: str, value: str) -> str:
    """The value with its plus signs: one that a link does not escape arrives as a space (WHATWG URL §5.1)."""
    if name in _BASE64:
        return value.replace(" ", "+")
    if name in _INSTANTS and (lost := _LOST_PLUS.fullmatch(value)):
        return f"{lost[1]}+{lost[2]}"
    return value


def read_whole(parameters: dict[str, str], name: str, most: int) -> int | None:
    """A whole number among the parameters; None when it is not given. Raises `Problem`."""
    text = parameters.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= most):
        raise problem("query.out_of_range", f"/{name}", name=name, minimum="0", maximum=str(most))
    return int(text)
