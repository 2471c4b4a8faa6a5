"""JSON objects as keys and headers use them: UTF-8, no member twice, one canonical encoding."""

import json
from collections.abc import Mapping
from typing import NoReturn

from keys.errors import MalformedError, quoted


def encode(value: Mapping[str, str]) -> bytes:
    """Encodes with members in order of name and no white space (RFC 7638 §3.3; RFC 8785 where names are ASCII)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")


def decode_object(data: bytes) -> dict[str, object]:
    """Reads one JSON object. Raises MalformedError "json.malformed"."""
    try:
        # Decoded here because json.loads would guess UTF-16 and UTF-32.
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_members, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError("json.malformed", f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise MalformedError("json.malformed", "not a JSON object")
    return value


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise MalformedError("json.malformed", f"member {quoted(name)} appears twice")
        members[name] = value
    return members


def _constant(name: str) -> NoReturn:
    raise MalformedError("json.malformed", f"{name} is not JSON")
