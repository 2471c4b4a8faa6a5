"""ES256: ECDSA over P-256 with SHA-256, signatures as r‖s in 64 bytes (RFC 7518 §3.4)."""

from collections.abc import Mapping
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keys import base64url
from keys.errors import AlgorithmError, MalformedError, SignatureError

_CURVE = ec.SECP256R1()
_ECDSA = ec.ECDSA(hashes.SHA256())
_SIZE = 32  # bytes of a coordinate, and of r and s
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # n of P-256, SEC 2 §2.4.2


class Es256:
    """The algorithm "ES256".

    A message has many valid signatures (even from one: s and n - s both verify), so a signature is never an identity.
    """

    name = "ES256"
    kind: Mapping[str, str] = MappingProxyType({"kty": "EC", "crv": "P-256"})

    def generate(self) -> ec.EllipticCurvePrivateKey:
        """Makes a new private key."""
        return ec.generate_private_key(_CURVE)

    def public(self, private: object) -> ec.EllipticCurvePublicKey:
        """Gives the public half of a private key."""
        return _private(private).public_key()

    def public_from_jwk(self, jwk: Mapping[str, object]) -> ec.EllipticCurvePublicKey:
        """Reads "x" and "y", 32 bytes each, of a point on the curve. Raises MalformedError "jwk.malformed"."""
        point = b"\x04" + _coordinate(jwk, "x") + _coordinate(jwk, "y")
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
        except ValueError as error:
            raise MalformedError("jwk.malformed", "x and y are not a point on P-256") from error

    def public_jwk(self, public: object) -> dict[str, str]:
        """Gives "kty", "crv", "x" and "y"."""
        numbers = _public(public).public_numbers()
        x, y = (base64url.encode(number.to_bytes(_SIZE, "big")) for number in (numbers.x, numbers.y))
        return {**self.kind, "x": x, "y": y}

    def sign(self, private: object, message: bytes) -> bytes:
        """Signs: 64 bytes."""
        return _raw(_private(private).sign(message, _ECDSA))

    def verify(self, public: object, signature: bytes, message: bytes) -> None:
        """Raises SignatureError "signature.wrong" unless the key signed the message."""
        key = _public(public)
        if len(signature) != 2 * _SIZE:
            raise SignatureError("signature.wrong", f"an ES256 signature is 64 bytes, not {len(signature)}")
        r, s = int.from_bytes(signature[:_SIZE], "big"), int.from_bytes(signature[_SIZE:], "big")
        if not (0 < r < _ORDER and 0 < s < _ORDER):
            raise SignatureError("signature.wrong", "r or s is not between 1 and n - 1")
        try:
            key.verify(encode_dss_signature(r, s), message, _ECDSA)
        except InvalidSignature as error:
            raise SignatureError("signature.wrong", "the signature is not by this key over these bytes") from error


def _raw(der: bytes) -> bytes:
    """The 64 bytes r‖s of a signature that we made: SEQUENCE { INTEGER r, INTEGER s } with one-byte lengths."""
    end = 4 + der[3]
    return der[4:end][-_SIZE:].rjust(_SIZE, b"\0") + der[end + 2 :][-_SIZE:].rjust(_SIZE, b"\0")


def _coordinate(jwk: Mapping[str, object], name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise MalformedError("jwk.malformed", f'"{name}" must be a string')
    try:
        coordinate = base64url.decode(text)
    except MalformedError as error:
        raise MalformedError("jwk.malformed", f'"{name}": {error.detail}') from error
    if len(coordinate) != _SIZE:
        raise MalformedError("jwk.malformed", f'"{name}" must be {_SIZE} bytes, not {len(coordinate)}')
    return coordinate


def _private(key: object) -> ec.EllipticCurvePrivateKey:
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise AlgorithmError("key.kind", "not a private key on P-256")


def _public(key: object) -> ec.EllipticCurvePublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise AlgorithmError("key.kind", "not a public key on P-256")


ES256 = Es256()
