"""Public keys and their JWK form (RFC 7517), named by their thumbprint (RFC 7638)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from keys import algorithms, base64url, strict_json
from keys.errors import MalformedError, quoted

# RFC 7638 §3.2; OKP: RFC 8037 §2.
_REQUIRED = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}

# RFC 7518 §6.2.2, §6.3.2 and §6.4.1.
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key that verifies by one algorithm. The kid is its thumbprint, so equal kids are equal keys."""

    kid: str
    alg: str
    key: object = field(repr=False, compare=False)

    @classmethod
    def of(cls, key: object, alg: str) -> Self:
        """Names a key of the algorithm's own kind. Raises AlgorithmError "key.kind", "signature.algorithm_unknown"."""
        return cls(kid=thumbprint(algorithms.named(alg).public_jwk(key)), alg=alg, key=key)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> Self:
        """Reads a public JWK; members that RFC 7517 §4 does not have us understand are passed over.

        Raises MalformedError "jwk.private_member", "jwk.malformed", "jwk.kid_wrong" or "jwk.use_wrong", and
        AlgorithmError "key.kind" or "jwk.algorithm_wrong".
        """
        for name in _PRIVATE:
            if name in jwk:
                raise MalformedError("jwk.private_member", f'"{name}" belongs to a private key: treat it as exposed')
        algorithm = algorithms.for_jwk(jwk)
        key = cls.of(algorithm.public_from_jwk(jwk), algorithm.name)
        if "kid" in jwk and jwk["kid"] != key.kid:
            raise MalformedError("jwk.kid_wrong", f"kid is {quoted(jwk['kid'])}, the thumbprint is {key.kid}")
        _check_use(jwk)
        return key

    def jwk(self) -> dict[str, str]:
        """Gives the JWK to publish."""
        members = algorithms.named(self.alg).public_jwk(self.key)
        return {**members, "use": "sig", "alg": self.alg, "kid": self.kid}

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raises SignatureError "signature.wrong" unless this key signed the message."""
        algorithms.named(self.alg).verify(self.key, signature, message)


def thumbprint(jwk: Mapping[str, object]) -> str:
    """Names a key by SHA-256 over its required members, base64url, 43 characters (RFC 7638 §3).

    Raises MalformedError "jwk.malformed".
    """
    kty = jwk.get("kty")
    required = _REQUIRED.get(kty) if isinstance(kty, str) else None
    if required is None:
        raise MalformedError("jwk.malformed", f"kty is {quoted(kty)}, not one of {', '.join(_REQUIRED)}")
    members: dict[str, str] = {}
    for name in required:
        value = jwk.get(name)
        if not isinstance(value, str) or not value.isascii():
            raise MalformedError("jwk.malformed", f'"{name}" must be an ASCII string')
        members[name] = value
    return base64url.encode(hashlib.sha256(strict_json.encode(members)).digest())


def _check_use(jwk: Mapping[str, object]) -> None:
    """Refuses a key declared for something else than verifying (RFC 7517 §4.2, §4.3)."""
    if jwk.get("use", "sig") != "sig":
        raise MalformedError("jwk.use_wrong", f'"use" is {quoted(jwk["use"])}, not "sig"')
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise MalformedError("jwk.use_wrong", '"key_ops" must be an array that has "verify"')
