"""Opaque cursors of listings: a position and the instants, bound to the filter they were made for."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import orjson

from app.api.problems import Problem, problem
from keys import base64url
from keys.errors import KeysError
from registry.period import from_micros, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a listing goes on, as of which instants."""

    after: int
    valid_at: datetime
    known_at: datetime


def _binding(restriction: dict[str, str]) -> str:
    return hashlib.sha256(orjson.dumps(restriction, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def write_cursor(cursor: Cursor, restriction: dict[str, str]) -> str:
    """The cursor as text."""
    content = [cursor.after, to_micros(cursor.valid_at), to_micros(cursor.known_at), _binding(restriction)]
    return base64url.encode(orjson.dumps(content))


def read_cursor(text: str, restriction: dict[str, str], now: datetime) -> Cursor:
    """The cursor from text. Raises `Problem` for one that is not ours, or is another filter's."""
    refused: Problem = problem("query.cursor_invalid", "/cursor")
    try:
        after, valid_at, known_at, binding = orjson.loads(base64url.decode(text[:512]))
        if binding != _binding(restriction) or type(after) is not int or not 0 <= after < 2**62:
            raise refused
        cursor = Cursor(after=after, valid_at=from_micros(valid_at), known_at=from_micros(known_at))
    except (KeysError, ValueError, TypeError, OverflowError, OSError):
        raise refused from None
    if cursor.known_at > now:
        raise refused
    return cursor
