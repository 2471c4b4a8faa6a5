"""Names as RFC 5280 §7.1 compares them, so that a certificate finds the lists of its issuer however each is written."""

import unicodedata
from functools import lru_cache

from keys import der
from keys.der import Element
from keys.errors import MalformedError

_FOLDED = 8192  # bytes of the longest name that is folded, and so kept in the cache

_ENCODINGS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}


def folded(name: bytes) -> bytes:
    """Gives bytes that are equal when two Names (DER) are the same name; they serve for nothing else.

    Case, runs of spaces, the kind of string and the order inside a relative name do not count. What cannot be read
    as such (a damaged name, GB18030 bytes declared as UTF-8, an old kind of string) is compared byte by byte.
    """
    return _folded(name) if len(name) <= _FOLDED else name


@lru_cache(maxsize=1024)
def _folded(name: bytes) -> bytes:
    try:
        return b"name" + b"".join(_measured(_relative_name(part)) for part in der.sequence(der.parse(name)))
    except MalformedError:
        return name


def _relative_name(element: Element) -> bytes:
    return b"".join(sorted(_measured(_attribute(member)) for member in der.set_of(element)))


def _attribute(element: Element) -> bytes:
    parts = der.sequence(element)
    if len(parts) != 2:
        raise MalformedError("der.malformed", f"an attribute of {len(parts)} parts (at byte {element.start})")
    kind, value = parts
    text = _text(value)
    return _measured(kind.raw) + (b"bytes" + value.raw if text is None else b"text" + text.encode())


def _measured(part: bytes) -> bytes:
    """Puts the length before a part, so that no two lists of parts run together into the same bytes."""
    return b"%d:" % len(part) + part


def _text(value: Element) -> str | None:
    """Reads a string for a caseless comparison (RFC 4518 §2.3, §2.4, §2.6.1); None when it is not readable text."""
    encoding = _ENCODINGS.get(value.tag)
    if encoding is None:
        return None
    try:
        text = value.value.decode(encoding)
    except UnicodeDecodeError:
        return None
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def joined(name: bytes, relative: bytes) -> bytes:
    """Appends a relative name (DER, a SET) to a Name (RFC 5280 §4.2.1.13). A Name that is none stands for itself."""
    try:
        relative_names = der.parse(name).value + relative
    except MalformedError:
        return name
    return wrapped(der.SEQUENCE, relative_names)


def wrapped(tag: int, content: bytes) -> bytes:
    """Writes one value: the tag, the length and the contents."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
