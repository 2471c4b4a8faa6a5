"""SM2 as receipts have it: a JWK on the curve "SM2", and signatures as r‖s over SM3 with the default user id.

Neither the name nor the curve is registered with IANA: both are ours, and only software that knows them verifies.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from keys import base64url
from keys.algorithms import sm2
from keys.algorithms.coordinates import read_coordinate
from keys.algorithms.sm2.curve import SIZE
from keys.errors import AlgorithmError, MalformedError


class Sm2:
    """The algorithm "SM2". Whoever verifies is chosen as for any SM2 (`sm2.backend`); only libcrypto signs.

    A message has many valid signatures, so a signature is never an identity.
    """

    name = "SM2"
    kind: Mapping[str, str] = MappingProxyType({"kty": "EC", "crv": "SM2"})

    def generate(self) -> sm2.PrivateKey:
        """Makes a new private key. Raises AlgorithmError "sm2.unavailable" where libcrypto has no SM2."""
        return sm2.generate()

    def public(self, private: object) -> sm2.PublicKey:
        """Gives the public half of a private key."""
        return sm2.public_key(_private(private).point)

    def public_from_jwk(self, jwk: Mapping[str, object]) -> sm2.PublicKey:
        """Reads "x" and "y", 32 bytes each, of a point on the curve. Raises MalformedError "jwk.malformed"."""
        point = b"\x04" + read_coordinate(jwk, "x", SIZE) + read_coordinate(jwk, "y", SIZE)
        try:
            return sm2.public_key(point)
        except MalformedError as error:
            raise MalformedError("jwk.malformed", "x and y are not a point on the SM2 curve") from error

    def public_jwk(self, public: object) -> dict[str, str]:
        """Gives "kty", "crv", "x" and "y"."""
        point = _public(public).point
        x, y = base64url.encode(point[1 : 1 + SIZE]), base64url.encode(point[1 + SIZE :])
        return {**self.kind, "x": x, "y": y}

    def signing(self, private: object) -> Callable[[bytes], bytes]:
        """Gives what signs messages: 64 bytes each."""
        key = _private(private)
        return lambda message: sm2.signature_to_raw(sm2.sign(key, message))

    def verify(self, public: object, signature: bytes, message: bytes) -> None:
        """Raises SignatureError "signature.wrong" unless the key signed the message for the default user id."""
        key = _public(public)
        key.verify(sm2.signature_from_raw(signature), message)


def _private(key: object) -> sm2.PrivateKey:
    if isinstance(key, sm2.PrivateKey):
        return key
    raise AlgorithmError("key.kind", "not a private key of SM2")


def _public(key: object) -> sm2.PublicKey:
    if isinstance(key, sm2.PublicKey):
        return key
    raise AlgorithmError("key.kind", "not a public key of SM2")


SM2 = Sm2()
