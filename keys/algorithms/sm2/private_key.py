"""Private keys of SM2: made, kept as encrypted PKCS #8 in PEM, and used by libcrypto only.

Software keys are for tests and small installations; a key for production belongs in a certified device.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Self

from keys.algorithms.sm2 import openssl
from keys.algorithms.sm2.libcrypto import Owned
from keys.errors import CustodyError, MalformedError

_LABEL = "ENCRYPTED PRIVATE KEY"
_PEM = re.compile(rb"-----BEGIN %b-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END %b-----\s*" % (2 * (_LABEL.encode(),)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """A private key in memory. `point` is its public half: 04‖x‖y, 65 bytes.

    Every method of this class raises AlgorithmError "sm2.unavailable" where libcrypto has no SM2.
    """

    point: bytes
    _handle: Owned = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """Makes a new key."""
        return cls._of(openssl.load().generate())

    @classmethod
    def from_pkcs8(cls, der: bytes) -> Self:
        """Reads an unencrypted PrivateKeyInfo. Raises MalformedError "key.malformed", AlgorithmError "key.kind"."""
        return cls._of(openssl.load().private_key(der))

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes) -> Self:
        """Opens what `pem` made, or `openssl pkcs8 -topk8` did.

        Raises MalformedError "key.malformed", CustodyError "key.passphrase_wrong", AlgorithmError "key.kind".
        """
        match = _PEM.fullmatch(pem.strip())
        if match is None:
            raise MalformedError("key.malformed", f"not one PEM block of {_LABEL}")
        try:
            der = base64.b64decode(b"".join(match[1].split()), validate=True)
        except binascii.Error as error:
            raise MalformedError("key.malformed", f"the PEM block is not base64: {error}") from error
        return cls._of(openssl.load().decrypt(der, passphrase))

    def pem(self, passphrase: bytes) -> bytes:
        """Gives PKCS #8 under a passphrase. Raises CustodyError "key.passphrase_missing" when that is empty."""
        if not passphrase:
            raise CustodyError("key.passphrase_missing", "a private key is only written under a passphrase")
        text = base64.b64encode(openssl.load().encrypt(self._handle, passphrase))
        lines = [text[start : start + 64] for start in range(0, len(text), 64)]
        label = _LABEL.encode()
        return b"\n".join((b"-----BEGIN %b-----" % label, *lines, b"-----END %b-----" % label, b""))

    def sign(self, message: bytes, user_id: bytes) -> bytes:
        """Signs with SM3 for a user id, as DER. `sm2.sign` is this with the checks of the id."""
        return openssl.load().sign(self._handle, message, user_id)

    @classmethod
    def _of(cls, handle: Owned) -> Self:
        return cls(point=openssl.load().point(handle), _handle=handle)
