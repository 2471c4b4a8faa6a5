"""Ed25519 signatures as X.509 has them (RFC 8032, RFC 8410)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from keys.errors import MalformedError, SignatureError

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
