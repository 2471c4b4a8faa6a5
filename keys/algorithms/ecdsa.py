"""ECDSA: ES256 as JWS has it, signatures as r‖s (RFC 7518 §3.4), and the NIST curves as X.509 has them, in DER."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from keys import base64url
from keys.algorithms import signature_value
from keys.algorithms.coordinates import read_coordinate
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
        point = b"\x04" + read_coordinate(jwk, "x", _SIZE) + read_coordinate(jwk, "y", _SIZE)
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
        except ValueError as error:
            raise MalformedError("jwk.malformed", "x and y are not a point on P-256") from error

    def public_jwk(self, public: object) -> dict[str, str]:
        """Gives "kty", "crv", "x" and "y"."""
        numbers = _public(public).public_numbers()
        x, y = (base64url.encode(number.to_bytes(_SIZE, "big")) for number in (numbers.x, numbers.y))
        return {**self.kind, "x": x, "y": y}

    def signing(self, private: object) -> Callable[[bytes], bytes]:
        """Gives what signs messages: 64 bytes each."""
        sign = _private(private).sign  # the kind of key is looked at once, not at every signature
        return lambda message: _raw(sign(message, _ECDSA))

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


def _private(key: object) -> ec.EllipticCurvePrivateKey:
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise AlgorithmError("key.kind", "not a private key on P-256")


def _public(key: object) -> ec.EllipticCurvePublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise AlgorithmError("key.kind", "not a public key on P-256")


ES256 = Es256()


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A curve for ECDSA in certificates. `order` is n."""

    name: str
    bits: int
    order: int
    curve: ec.EllipticCurve

    def public_key(self, point: bytes) -> "CurveKey":
        """Reads a point, uncompressed or compressed. Raises MalformedError "key.malformed"."""
        size = (self.bits + 7) // 8
        # RFC 5480 §2.2 has no other forms; OpenSSL would take the hybrid one too.
        if (point[:1], len(point)) not in ((b"\x04", 1 + 2 * size), (b"\x02", 1 + size), (b"\x03", 1 + size)):
            raise MalformedError("key.malformed", f"a public key on {self.name} is a point of {1 + 2 * size} bytes")
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(self.curve, point)
        except ValueError as error:
            raise MalformedError("key.malformed", f"the public key is not a point on {self.name}") from error
        return CurveKey(curve=self, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveKey:
    """A public key for ECDSA in certificates."""

    curve: Curve
    key: ec.EllipticCurvePublicKey

    def verify(
        self, signature: bytes, message: bytes, digest: hashes.HashAlgorithm, *, prehashed: bool = False
    ) -> None:
        """Raises SignatureError "signature.wrong" unless the key signed the message, or what it is the digest of.

        The signature is DER.
        """
        signature_value.read(signature, self.curve.order)
        try:
            self.key.verify(signature, message, ec.ECDSA(Prehashed(digest) if prehashed else digest))
        except InvalidSignature as error:
            raise SignatureError("signature.wrong", "the signature is not by this key over these bytes") from error


# The orders n are those of SEC 2 §2.4 to §2.6 (FIPS 186-4 D.1.2).
CURVES: Mapping[str, Curve] = MappingProxyType(
    {
        "1.2.840.10045.3.1.7": Curve(name="p-256", bits=256, order=_ORDER, curve=_CURVE),
        "1.3.132.0.34": Curve(
            name="p-384",
            bits=384,
            order=int(
                "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
                16,
            ),
            curve=ec.SECP384R1(),
        ),
        "1.3.132.0.35": Curve(
            name="p-521",
            bits=521,
            order=int(
                "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA"
                "51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
                16,
            ),
            curve=ec.SECP521R1(),
        ),
    }
)
"""By object identifier (RFC 5480 §2.1.1.1)."""
