"""What octets are that cannot be read as CMS, where that can be told: for the sentence that says how to mend it."""

import re

from keys import der
from keys.errors import KeysError

_MAIL = re.compile(
    rb"\s*(?:mime-version|content-[a-z-]{1,40}|received|message-id|from|to|subject|date)[ \t]*:", re.IGNORECASE
)
_PEM = re.compile(rb"\s*-----BEGIN ")
_BARE = frozenset({64, 256, 384, 512})
_INDEFINITE = 0x80


def told(octets: bytes) -> dict[str, str]:
    """The variant of `document.malformed` for the octets, with what its sentence needs; nothing where none fits."""
    if _MAIL.match(octets):
        return {"variant": "mail"}
    if _PEM.match(octets):
        return {"variant": "pem"}
    if _is_bare(octets):
        return {"variant": "bare"}
    return _cut_short(octets)


def _cut_short(octets: bytes) -> dict[str, str]:
    present = str(len(octets))
    if octets[:1] != b"\x30":
        return {}
    if octets[1:2] == bytes([_INDEFINITE]):
        return {} if octets.endswith(b"\0\0") else {"variant": "unended", "present": present}
    try:
        # As if whatever was announced were there.
        _, _, end = der.header(octets, 0, 1 << 40)
    except (KeysError, IndexError):
        return {"variant": "unended", "present": present} if len(octets) < 6 else {}
    return {"variant": "cut_short", "announced": str(end), "present": present} if end > len(octets) else {}


def _is_bare(octets: bytes) -> bool:
    """Whether they look like a signature by itself: two integers, or as many bytes as raw ones have."""
    try:
        parts = der.sequence(der.parse(octets))
    except KeysError:
        return len(octets) in _BARE and octets[:1] != b"\x30" and not octets.isascii()
    return [part.tag for part in parts] == [der.INTEGER, der.INTEGER]
