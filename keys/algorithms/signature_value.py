"""The pair (r, s) of ECDSA and SM2, as strict DER (RFC 3279 §2.2.3, GM/T 0009) and as r‖s."""

from keys.errors import SignatureError


def read(signature: bytes, order: int) -> tuple[int, int]:
    """Reads SEQUENCE { INTEGER r, INTEGER s }, both from 1 to order - 1, and nothing else.

    Raises SignatureError "signature.wrong".
    """
    try:
        # Read loosely, then held against the one right encoding of what was read.
        start = 3 if signature[1] == 0x81 else 2
        middle = start + 2 + signature[start + 1]
        r = int.from_bytes(signature[start + 2 : middle], "big")
        s = int.from_bytes(signature[middle + 2 :], "big")
    except IndexError:
        raise SignatureError("signature.wrong", "the signature is cut off") from None
    if not (0 < r < order and 0 < s < order):
        raise SignatureError("signature.wrong", "r or s is not between 1 and n - 1")
    if write(r, s) != signature:
        raise SignatureError("signature.wrong", "the signature is not DER of two positive integers and nothing else")
    return r, s


def write(r: int, s: int) -> bytes:
    """Writes two positive numbers of at most 1,000 bits as DER."""
    contents = _integer(r) + _integer(s)
    size = len(contents)
    return (b"\x30" + bytes((size,)) if size < 0x80 else b"\x30\x81" + bytes((size,))) + contents


def _integer(number: int) -> bytes:
    size = (number.bit_length() >> 3) + 1  # a byte more where the top bit would read as a sign
    return b"\x02" + bytes((size,)) + number.to_bytes(size, "big")
