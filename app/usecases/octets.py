"""Octets in texts of requests: base64 in its usual and its URL alphabet, or a PEM block."""

import base64
import binascii
import re

from registry.errors import Fault, QueryRefused

_TO_STANDARD = str.maketrans("-_", "+/")
_PEM = re.compile(r"\s*-----BEGIN [A-Z0-9 ]{1,40}-----([^-]*)-----END [A-Z0-9 ]{1,40}-----\s*")


def octets_of(text: str, pointer: str, name: str) -> bytes:
    """Reads base64, with white space or without padding too, or one PEM block. Raises `QueryRefused` with the place."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass  # white space, the other alphabet, no padding: read with more patience
    pem = text.lstrip().startswith("-----BEGIN ")
    block = _PEM.fullmatch(text) if pem else None
    if pem and block is None:
        # Its hyphens would be read as the other alphabet's.
        raise _refused(pointer, name=name, variant="pem")
    characters = "".join((block[1] if block else text).split()).translate(_TO_STANDARD).rstrip("=")
    try:
        return base64.b64decode(characters + "=" * (-len(characters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _refused(pointer, name=name) from None


def _refused(pointer: str, **params: str) -> QueryRefused:
    return QueryRefused(Fault(pointer=pointer, code="query.encoding_malformed", params=params))
