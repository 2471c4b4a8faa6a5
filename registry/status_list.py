"""Token Status Lists (draft-ietf-oauth-status-list): an array of small statuses, packed into bytes and compressed.

The first status lies in the least significant bits of the first byte (§4.1). An array does not say how many statuses
it holds: what is left over in the last byte reads as VALID, so whoever gives out indices keeps count.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from keys import base64url
from keys.errors import MalformedError

VALID, INVALID, SUSPENDED = 0, 1, 2  # §7.1

SIZES = (1, 2, 4, 8)  # bits a status

_LEVEL = 9  # §4.1 recommends the highest
_WRONG_SIZE = "a status has 1, 2, 4 or 8 bits"


def pack(statuses: Sequence[int] | bytes, bits: int) -> bytes:
    """Lays statuses side by side, `bits` each (§4.1).

    Raises ValueError for any other size than these, and for a status that the size cannot hold.
    """
    _check_our_size(bits)
    wide = bytes(statuses)
    if wide.translate(None, bytes(range(1 << bits))):
        raise ValueError(f"a status does not fit into {bits} bits")
    in_a_byte = 8 // bits
    array = 0
    # Each place of a byte is filled for the whole array at once, as one long integer.
    for place in range(in_a_byte):
        array |= int.from_bytes(wide[place::in_a_byte], "little") << place * bits
    return array.to_bytes(-(-len(wide) // in_a_byte), "little")


def pack_exceptions(exceptions: Mapping[int, int], places: int, bits: int) -> bytes:
    """What `pack` gives for so many places that are all VALID but for these, by their index.

    Raises ValueError for any other size, for an index outside, and for a status that the size cannot hold.
    """
    _check_our_size(bits)
    in_a_byte, highest = 8 // bits, (1 << bits) - 1
    array = bytearray(-(-places // in_a_byte))
    for index, status in exceptions.items():
        if not (0 <= index < places and 0 <= status <= highest):
            raise ValueError(f"status {status} at {index} does not fit into {places} places of {bits} bits")
        array[index // in_a_byte] |= status << index % in_a_byte * bits
    return bytes(array)


def compress(array: bytes) -> bytes:
    """Compresses an array: DEFLATE in the ZLIB format (RFC 1950)."""
    return zlib.compress(array, _LEVEL)


def expand(compressed: bytes, *, limit: int) -> bytes:
    """Undoes `compress`. The array has at most `limit` bytes: what holds more is given up one byte later.

    Raises MalformedError "status_list.malformed".
    """
    if limit < 1:
        raise ValueError("the limit is a number of bytes above 0")  # zlib takes 0 for no limit at all
    stream = zlib.decompressobj()
    try:
        array = stream.decompress(compressed, limit + 1)
    except zlib.error as error:
        raise _malformed(f"not in the ZLIB format: {error}") from error
    if len(array) > limit:
        raise _malformed(f"more than {limit} bytes of array")
    if not stream.eof:
        raise _malformed("it ends too early")
    if stream.unused_data:
        raise _malformed(f"{len(stream.unused_data)} bytes follow its end")
    return array


def status_at(array: bytes, bits: int, index: int) -> int:
    """Gives one status of an array.

    Raises MalformedError "status_list.malformed" for any other size than these, "status_list.index" for an index
    outside the array.
    """
    if not _is_size(bits):
        raise _malformed(_WRONG_SIZE)
    in_a_byte = 8 // bits
    if not 0 <= index < len(array) * in_a_byte:
        raise MalformedError("status_list.index", f"the list has {len(array) * in_a_byte} statuses, and not that one")
    byte, place = divmod(index, in_a_byte)
    return array[byte] >> place * bits & (1 << bits) - 1


def read(compressed: bytes, bits: int, index: int, *, limit: int) -> int:
    """Gives one status of a compressed array of at most `limit` bytes. Raises what `expand` and `status_at` do."""
    return status_at(expand(compressed, limit=limit), bits, index)


def claims_member(array: bytes, bits: int) -> dict[str, int | str]:
    """What stands under `status_list` in the claims of a token (§4.2). Raises ValueError as `pack` does."""
    return compressed_member(compress(array), bits)


def compressed_member(compressed: bytes, bits: int) -> dict[str, int | str]:
    """The same from what `compress` gave. Raises ValueError as `pack` does."""
    _check_our_size(bits)
    return {"bits": bits, "lst": base64url.encode(compressed)}


def read_member(member: Mapping[str, object]) -> tuple[int, bytes]:
    """Reads what `claims_member` gives: the bits of a status, and the array, still compressed.

    Further members are passed over, as §4.2 has optional ones. Raises MalformedError "status_list.malformed".
    """
    bits, text = member.get("bits"), member.get("lst")
    if not _is_size(bits):
        raise _malformed(_WRONG_SIZE)
    if not isinstance(text, str):
        raise _malformed('"lst" is not a string')
    try:
        return bits, base64url.decode(text)
    except MalformedError as error:
        raise _malformed(f'"lst": {error.detail}') from error


def _is_size(bits: object) -> TypeGuard[int]:
    # True and 1.0 equal 1 and are no sizes.
    return type(bits) is int and bits in SIZES


def _check_our_size(bits: int) -> None:
    if not _is_size(bits):
        raise ValueError(f"{_WRONG_SIZE}, not {bits!r}")


def _malformed(what: str) -> MalformedError:
    return MalformedError("status_list.malformed", f"not a status list: {what}")
