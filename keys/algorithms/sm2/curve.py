"""The curve of SM2 (GB/T 32918.5-2017), points on it as bytes, and the digest that SM2 signs."""

import hashlib
from collections.abc import Callable
from functools import cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from keys.errors import AlgorithmError, MalformedError

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

SIZE = 32  # bytes of a coordinate, and of r and s

# Bytes: its length in bits takes 16 bits (GB/T 32918.2 §5.5), which allows one more, but libcrypto stops here.
MAX_USER_ID = 0xFFFF // 8 - 1

_DOMAIN = b"".join(number.to_bytes(SIZE, "big") for number in (A, B, *G))


def read_point(octets: bytes) -> bytes:
    """Gives the uncompressed form, 04‖x‖y, of a point in that form or compressed, after checking that it is one.

    Raises MalformedError "key.malformed" for anything else: infinity, a hybrid form, a coordinate of p or more, a
    point that is not on the curve. The group has prime order, so there are no small subgroups to look for.
    """
    x = int.from_bytes(octets[1 : 1 + SIZE], "big")
    form = octets[:1]
    if form == b"\x04" and len(octets) == 1 + 2 * SIZE:
        y = int.from_bytes(octets[1 + SIZE :], "big")
        if x < P and y < P and (y * y - (x * x + A) * x - B) % P == 0:
            return octets
    elif form in (b"\x02", b"\x03") and len(octets) == 1 + SIZE:
        y = pow((x * x + A) * x + B, (P + 1) // 4, P)  # p mod 4 = 3
        if x < P and (y * y - (x * x + A) * x - B) % P == 0:
            y = y if y & 1 == form[0] & 1 else P - y
            return b"\x04" + octets[1:] + y.to_bytes(SIZE, "big")
    else:
        raise MalformedError("key.malformed", "a public key of SM2 is a point of 65 bytes, or 33 when compressed")
    raise MalformedError("key.malformed", "the public key is not a point on the SM2 curve")


def message_digest(point: bytes, message: bytes, user_id: bytes) -> bytes:
    """Gives e = SM3(Z‖M), 32 bytes, for an uncompressed point (GB/T 32918.2 §5.5 and §6.1)."""
    return sm3(identity_digest(point, user_id) + message)


def identity_digest(point: bytes, user_id: bytes) -> bytes:
    """Gives Z, 32 bytes: what of a signature's input depends on the signer (GB/T 32918.2 §5.5)."""
    length = (8 * len(user_id)).to_bytes(2, "big")
    return sm3(length + user_id + _DOMAIN + point[1:])


def sm3(data: bytes) -> bytes:
    """Hashes by SM3 (GB/T 32905): 32 bytes. Raises AlgorithmError "sm3.unavailable" where no library here has it."""
    return _sm3()(data)


@cache
def _sm3() -> Callable[[bytes], bytes]:
    for digest in (_sm3_of_hashlib, _sm3_of_cryptography):
        try:
            digest(b"")
        except (ValueError, UnsupportedAlgorithm):
            continue
        return digest
    detail = "neither Python's hashlib nor the package cryptography has SM3 here; install cryptography from a wheel"
    raise AlgorithmError("sm3.unavailable", detail)


def _sm3_of_hashlib(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


def _sm3_of_cryptography(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()
