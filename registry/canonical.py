"""Canonical JSON by RFC 8785, and the digests made over it.

Signed statements carry no floats, so number formatting never enters; what is left is key order and string
escapes, where `orjson` with sorted keys is equal as long as the keys are ASCII (RFC 8785 sorts by UTF-16 units,
orjson by UTF-8 bytes). Other keys go to the `rfc8785` package.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson
import rfc8785

from registry.errors import CanonicalError

_MAX_INTEGER = 2**53 - 1  # RFC 8785 3.2.2.3: integers beyond it are not interoperable
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_UTC_Z


def _ascii_keys(value: Any) -> bool:
    """Whether all keys are ASCII; raises `CanonicalError` where a value has no canonical form."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is dict:
        for key in value:
            if type(key) is not str:
                raise CanonicalError(f"key {key!r} is not a string")
        members = [_ascii_keys(member) for member in value.values()]  # every member must be looked at
        return all(members) and all(key.isascii() for key in value)
    if kind is list or kind is tuple:
        members = [_ascii_keys(member) for member in value]
        return all(members)
    if kind is int:
        if -_MAX_INTEGER <= value <= _MAX_INTEGER:
            return True
        raise CanonicalError("an integer beyond 2^53 - 1; write it as a string")
    if kind is datetime and value.tzinfo is UTC:
        return True
    raise CanonicalError(f"a {kind.__name__} has no canonical form; write decimals as strings, instants in UTC")


def canonical_json(value: Any) -> bytes:
    """The RFC 8785 form of dicts, lists, strings, booleans, null, integers up to 2^53 - 1, and instants in UTC.

    An instant becomes its RFC 3339 text. Raises `CanonicalError` for anything else, floats and lone surrogates
    included.
    """
    try:
        if _ascii_keys(value):
            return orjson.dumps(value, option=_OPTIONS)
        return rfc8785.dumps(orjson.loads(orjson.dumps(value, option=_OPTIONS)))
    except (orjson.JSONEncodeError, rfc8785.CanonicalizationError) as error:
        raise CanonicalError(str(error)) from None
    except RecursionError:
        raise CanonicalError("nested too deeply") from None


def unguarded_canonical_json(value: Any) -> bytes:
    """The same for a value that our own code built of ASCII keys and the kinds that `canonical_json` takes.

    Walking a whole statement to make sure costs as much as judging it. The caller answers for the shape; the laws of
    receipts hold every statement built this way to `canonical_json` and to the `rfc8785` package.
    """
    return orjson.dumps(value, option=_OPTIONS)


def digest(content: bytes) -> str:
    """`sha256:` and the lower-case hex digest of the bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
