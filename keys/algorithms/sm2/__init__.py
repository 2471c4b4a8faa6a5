"""SM2 with SM3 (GB/T 32918.2-2016, GM/T 0003.2): verification by libcrypto or in Python, signing by libcrypto only.

`ACCORD_SM2_BACKEND` chooses who verifies: `openssl`, `python`, or without it libcrypto where that has SM2.
"""

import os
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from keys.algorithms import signature_value
from keys.algorithms.sm2 import openssl
from keys.algorithms.sm2.curve import MAX_USER_ID, ORDER, SIZE, read_point
from keys.algorithms.sm2.private_key import PrivateKey
from keys.algorithms.sm2.pure import PureBackend
from keys.errors import AlgorithmError, MalformedError, SignatureError, quoted

__all__ = [
    "BACKENDS",
    "DEFAULT_USER_ID",
    "Backend",
    "PrivateKey",
    "PublicKey",
    "backend",
    "generate",
    "public_key",
    "sign",
    "signature_from_raw",
    "signature_to_raw",
    "spki",
    "verify",
    "verify_digest",
]

DEFAULT_USER_ID = b"1234567812345678"  # GM/T 0009 §10

BACKENDS = ("openssl", "python")

_WANTED = os.environ.get("ACCORD_SM2_BACKEND", "")


class Backend(Protocol):
    """A way to verify. Handles are opaque outside the backend that made them."""

    @property
    def name(self) -> str:
        """One of BACKENDS."""

    def public_key(self, point: bytes) -> Any:
        """Takes a point that was checked."""

    def verify(self, public: Any, signature: bytes, message: bytes, user_id: bytes) -> bool:
        """Whether the key signed the message. Raises SignatureError "signature.wrong" for what is no signature."""

    def verify_digest(self, public: Any, signature: bytes, digest: bytes) -> bool:
        """The same for e = SM3(Z‖M)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A point on the curve: 04‖x‖y, 65 bytes."""

    point: bytes
    _backend: Backend = field(repr=False, compare=False)
    _handle: object = field(repr=False, compare=False)

    def verify(self, signature: bytes, message: bytes, user_id: bytes = DEFAULT_USER_ID) -> None:
        """Raises SignatureError "signature.wrong" unless the key signed the message for the user id.

        The signature is DER. Raises MalformedError "sm2.user_id" for an id that is too long to be one.
        """
        _check_user_id(user_id)
        if not self._backend.verify(self._handle, signature, message, user_id):
            raise SignatureError("signature.wrong", "the signature is not by this key over these bytes and user id")

    def verify_digest(self, signature: bytes, digest: bytes) -> None:
        """Raises SignatureError "signature.wrong" unless the key signed e = SM3(Z‖M), 32 bytes. Not a plain digest.

        Raises MalformedError "sm2.digest" for another length.
        """
        if len(digest) != SIZE:
            raise MalformedError("sm2.digest", f"e is {SIZE} bytes, not {len(digest)}")
        if not self._backend.verify_digest(self._handle, signature, digest):
            raise SignatureError("signature.wrong", "the signature is not by this key over this digest")


@cache
def backend(wanted: str = _WANTED) -> Backend:
    """Gives who verifies: the one that is named, or by default the one for this process.

    The first call opens libcrypto and checks it by a known answer. Raises AlgorithmError "sm2.unavailable" when
    libcrypto is wanted and cannot, "sm2.backend_unknown" for a wrong name.
    """
    if wanted not in ("", *BACKENDS):
        detail = f"ACCORD_SM2_BACKEND is {quoted(wanted)}, not one of {', '.join(BACKENDS)}"
        raise AlgorithmError("sm2.backend_unknown", detail)
    if wanted == "python":
        return PureBackend()
    try:
        return openssl.load()
    except AlgorithmError:
        if wanted:
            raise
        return PureBackend()


def public_key(point: bytes, by: Backend | None = None) -> PublicKey:
    """Reads a point: 65 bytes, or 33 compressed. Raises MalformedError "key.malformed"."""
    octets = read_point(point)
    by = by or backend()
    return PublicKey(point=octets, _backend=by, _handle=by.public_key(octets))


def verify(point: bytes, signature: bytes, message: bytes, user_id: bytes = DEFAULT_USER_ID) -> None:
    """Does `public_key` and `PublicKey.verify` in one."""
    public_key(point).verify(signature, message, user_id)


def verify_digest(point: bytes, signature: bytes, digest: bytes) -> None:
    """Does `public_key` and `PublicKey.verify_digest` in one."""
    public_key(point).verify_digest(signature, digest)


def generate() -> PrivateKey:
    """Makes a private key. Raises AlgorithmError "sm2.unavailable" where libcrypto has no SM2."""
    return PrivateKey.generate()


def sign(private: PrivateKey, message: bytes, user_id: bytes = DEFAULT_USER_ID) -> bytes:
    """Signs with SM3 for a user id, as DER. Raises MalformedError "sm2.user_id"."""
    _check_user_id(user_id)
    return private.sign(message, user_id)


def signature_from_raw(raw: bytes) -> bytes:
    """Gives DER for r‖s, 64 bytes. Raises SignatureError "signature.wrong" for another length or a number of 0."""
    r, s = int.from_bytes(raw[:SIZE], "big"), int.from_bytes(raw[SIZE:], "big")
    if len(raw) != 2 * SIZE:
        raise SignatureError("signature.wrong", f"r‖s is {2 * SIZE} bytes, not {len(raw)}")
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise SignatureError("signature.wrong", "r or s is not between 1 and n - 1")
    return signature_value.write(r, s)


def signature_to_raw(signature: bytes) -> bytes:
    """Gives r‖s, 64 bytes, for DER. Raises SignatureError "signature.wrong" for what no SM2 signature is."""
    r, s = signature_value.read(signature, ORDER)
    return r.to_bytes(SIZE, "big") + s.to_bytes(SIZE, "big")


def spki(point: bytes) -> bytes:
    """Gives SubjectPublicKeyInfo for a point in any form. Raises MalformedError "key.malformed"."""
    return openssl.SPKI_PREFIX + read_point(point)


def _check_user_id(user_id: bytes) -> None:
    if len(user_id) > MAX_USER_ID:
        raise MalformedError("sm2.user_id", f"a user id has at most {MAX_USER_ID} bytes, not {len(user_id)}")
