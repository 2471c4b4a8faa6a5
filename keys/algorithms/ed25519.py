"""Ed25519 signatures (RFC 8032), as X.509 (RFC 8410), JWS (RFC 8037, RFC 9864) and signed notes have them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from keys import base64url
from keys.errors import AlgorithmError, MalformedError, SignatureError

_SIZE = 32


def read_public_key(octets: bytes) -> ed25519.Ed25519PublicKey:
    """Reads 32 bytes. Raises MalformedError "key.malformed"."""
    if len(octets) != _SIZE:
        raise MalformedError("key.malformed", f"an Ed25519 public key is {_SIZE} bytes, not {len(octets)}")
    return ed25519.Ed25519PublicKey.from_public_bytes(octets)


def verify(public: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    """Raises SignatureError "signature.wrong" unless the key signed the message."""
    try:
        public.verify(signature, message)
    except InvalidSignature as error:
        raise SignatureError("signature.wrong", "the signature is not by this key over these bytes") from error


class Ed25519:
    """The algorithm "Ed25519"."""

    name = "Ed25519"  # RFC 9864; "EdDSA" in RFC 8037, which does not name the curve
    kind: Mapping[str, str] = MappingProxyType({"kty": "OKP", "crv": "Ed25519"})

    def generate(self) -> ed25519.Ed25519PrivateKey:
        """Makes a new private key."""
        return ed25519.Ed25519PrivateKey.generate()

    def public(self, private: object) -> ed25519.Ed25519PublicKey:
        """Gives the public half of a private key."""
        return _private(private).public_key()

    def public_from_jwk(self, jwk: Mapping[str, object]) -> ed25519.Ed25519PublicKey:
        """Reads "x", 32 bytes. Raises MalformedError "jwk.malformed"."""
        text = jwk.get("x")
        if not isinstance(text, str):
            raise MalformedError("jwk.malformed", '"x" must be a string')
        try:
            return read_public_key(base64url.decode(text))
        except MalformedError as error:
            raise MalformedError("jwk.malformed", f'"x": {error.detail}') from error

    def public_jwk(self, public: object) -> dict[str, str]:
        """Gives "kty", "crv" and "x"."""
        return {**self.kind, "x": base64url.encode(_public(public).public_bytes_raw())}

    def signing(self, private: object) -> Callable[[bytes], bytes]:
        """Gives what signs messages: 64 bytes each."""
        return _private(private).sign

    def verify(self, public: object, signature: bytes, message: bytes) -> None:
        """Raises SignatureError "signature.wrong" unless the key signed the message."""
        verify(_public(public), signature, message)


def _private(key: object) -> ed25519.Ed25519PrivateKey:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise AlgorithmError("key.kind", "not a private key of Ed25519")


def _public(key: object) -> ed25519.Ed25519PublicKey:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    raise AlgorithmError("key.kind", "not a public key of Ed25519")


ED25519 = Ed25519()
