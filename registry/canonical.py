"""Canonical JSON by RFC 8785, and the digests made over it.

Signed statements carry no floats, so number formatting never enters; what is left is key order and string
escapes, where `orjson` with sorted keys is equal as long as the keys are ASCII (RFC 8785 sorts by UTF-16 units,
orjson by UTF-8 bytes). Other keys go to the `rfc8785` package.
"""

import hashlib
from typing import Any

import orjson
import rfc8785

from registry.errors import CanonicalError

_MAX_INTEGER = 2**53 - 1  # RFC 8785 3.2.2.3: integers beyond it are not interoperable


def _ascii_keys(value: Any) -> bool:
    """Whether all keys are ASCII; raises `CanonicalError` where a value has no canonical form."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is dict:
        plain = True
        for key, member in value.items():
            if type(key) is not str:
                raise CanonicalError(f"key {key!r} is not a string")
            if not key.isascii():
                plain = False
            if type(member) is not str and not _ascii_keys(member):
                plain = False
        return plain
    if kind is list or kind is tuple:
        return min([_ascii_keys(member) for member in value], default=True)  # every member must be looked at
    if kind is int:
        if -_MAX_INTEGER <= value <= _MAX_INTEGER:
            return True
        raise CanonicalError("an integer beyond 2^53 - 1; write it as a string")
    raise CanonicalError(f"a {kind.__name__} has no canonical form; write decimals and instants as strings")


def canonical_json(value: Any) -> bytes:
    """The RFC 8785 form of dicts, lists, strings, booleans, null and integers up to 2^53 - 1.

    Raises `CanonicalError` for anything else, floats and lone surrogates included.
    """
    try:
        if _ascii_keys(value):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        return rfc8785.dumps(value)
    except (orjson.JSONEncodeError, rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise CanonicalError(str(error)) from None
    except RecursionError:
        raise CanonicalError("nested too deeply") from None


def digest(content: bytes) -> str:
    """`sha256:` and the lower-case hex digest of the bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
