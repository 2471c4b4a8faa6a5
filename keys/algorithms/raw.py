"""A bare signature as a lock gives it: which scheme a key signs by, and r‖s for DER."""

from keys.algorithms import signature_value
from keys.algorithms.schemes import SCHEMES, SignatureScheme, VerifyingKey
from keys.errors import AlgorithmError, SignatureError

_SCHEME = {
    ("sm2", "sm2"): "sm2-sm3",
    ("rsa", None): "rsa-pkcs1-sha256",
    ("ec", "p-256"): "ecdsa-sha256",
    ("ec", "p-384"): "ecdsa-sha384",
    ("ec", "p-521"): "ecdsa-sha512",
    ("ed25519", "ed25519"): "ed25519",
}


def default_scheme(key: VerifyingKey) -> SignatureScheme:
    """The scheme by which a key signs where nothing else is said. Raises AlgorithmError "key.kind"."""
    name = _SCHEME.get((key.family, key.curve))
    if name is None:
        raise AlgorithmError("key.kind", f"{key.family} on {key.curve} has no signature scheme of its own")
    return SCHEMES[name]


def as_der(key: VerifyingKey, signature: bytes) -> bytes:
    """A bare signature as the scheme takes it: r‖s of SM2 and ECDSA becomes DER, anything else stays as it is.

    What is as long as r‖s is taken for that: no honest DER is (r and s would have to begin with six zero bytes).
    Raises SignatureError "signature.wrong".
    """
    size = (key.bits + 7) // 8
    if key.family not in ("sm2", "ec") or len(signature) != 2 * size:
        return signature
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    if r == 0 or s == 0:
        raise SignatureError("signature.wrong", "r or s is zero")
    return signature_value.write(r, s)
