"""Coordinates of a point, as the members of a JWK on any curve have them (RFC 7518 §6.2.1)."""

from collections.abc import Mapping

from keys import base64url
from keys.errors import MalformedError


def read_coordinate(jwk: Mapping[str, object], name: str, size: int) -> bytes:
    """Reads a member that is base64url of exactly so many bytes. Raises MalformedError "jwk.malformed"."""
    text = jwk.get(name)
    if not isinstance(text, str):
        raise MalformedError("jwk.malformed", f'"{name}" must be a string')
    try:
        coordinate = base64url.decode(text)
    except MalformedError as error:
        raise MalformedError("jwk.malformed", f'"{name}": {error.detail}') from error
    if len(coordinate) != size:
        raise MalformedError("jwk.malformed", f'"{name}" must be {size} bytes, not {len(coordinate)}')
    return coordinate
