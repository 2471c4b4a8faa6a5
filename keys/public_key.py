"""Public keys and their JWK form (RFC 7517), named by their thumbprint (RFC 7638)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from keys import algorithms, base64url, strict_json
from keys.errors import MalformedError, quoted

# RFC 7638 §3.2; OKP: RFC 8037 §2.
_REQUIRED = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}

# RFC 7518 §6.2.2, §6.3.2 and §6.4.1.
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")

_LATEST = 253_402_300_799  # seconds since 1970: the last of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key that verifies by one algorithm. The kid is its thumbprint, so equal kids are equal keys.

    `revoked_at`: when it was declared compromised, in seconds since 1970; None while it is good.
    """

    kid: str
    alg: str
    key: object = field(repr=False, compare=False)
    revoked_at: int | None = None

    @classmethod
    def of(cls, key: object, alg: str) -> Self:
        """Names a key of the algorithm's own kind. Raises AlgorithmError "key.kind", "signature.algorithm_unknown"."""
        return cls(kid=thumbprint(algorithms.named(alg).public_jwk(key)), alg=alg, key=key)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> Self:
        """Reads a public JWK; members that RFC 7517 §4 does not have us understand are passed over.

        Raises MalformedError "jwk.private_member", "jwk.malformed", "jwk.kid_wrong", "jwk.use_wrong" or
        "jwk.revoked_wrong", and AlgorithmError "key.kind" or "jwk.algorithm_wrong".
        """
        for name in _PRIVATE:
            if name in jwk:
                raise MalformedError("jwk.private_member", f'"{name}" belongs to a private key: treat it as exposed')
        algorithm = algorithms.for_jwk(jwk)
        key = cls.of(algorithm.public_from_jwk(jwk), algorithm.name)
        if "kid" in jwk and jwk["kid"] != key.kid:
            raise MalformedError("jwk.kid_wrong", f"kid is {quoted(jwk['kid'])}, the thumbprint is {key.kid}")
        _check_use(jwk)
        return replace(key, revoked_at=_revoked_at(jwk["revoked"])) if "revoked" in jwk else key

    def jwk(self) -> dict[str, object]:
        """Gives the JWK to publish."""
        members = algorithms.named(self.alg).public_jwk(self.key)
        published: dict[str, object] = {**members, "use": "sig", "alg": self.alg, "kid": self.kid}
        if self.revoked_at is not None:
            published["revoked"] = {"revoked_at": self.revoked_at, "reason": "compromised"}
        return published

    def compromised(self, at: int) -> Self:
        """The same key, declared compromised at an instant; one that was so before stays as it is.

        Raises MalformedError "jwk.revoked_wrong" for an instant that no reader takes.
        """
        return self if self.revoked_at is not None else replace(self, revoked_at=_second(at))

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


def _revoked_at(revoked: object) -> int:
    """Reads when a key was declared compromised (OpenID Federation 1.0 §8.7.2).

    Other reasons (§8.7.3) are refused: of a key that was only superseded, what it signed is good, and who has none
    such must not have to tell them apart.
    """
    if not isinstance(revoked, Mapping) or revoked.keys() != {"revoked_at", "reason"}:
        raise MalformedError("jwk.revoked_wrong", '"revoked" must be an object of exactly "revoked_at" and "reason"')
    if revoked["reason"] != "compromised":
        detail = f'"reason" is {quoted(revoked["reason"])}; only "compromised" is understood here'
        raise MalformedError("jwk.revoked_wrong", detail)
    return _second(revoked["revoked_at"])


def _second(instant: object) -> int:
    """A NumericDate (RFC 7519 §2) in whole seconds, of a year that a calendar has."""
    if isinstance(instant, bool) or not isinstance(instant, int) or not 0 <= instant <= _LATEST:
        detail = f'"revoked_at" is {quoted(instant)}, not whole seconds since 1970, before the year 10000'
        raise MalformedError("jwk.revoked_wrong", detail)
    return instant
