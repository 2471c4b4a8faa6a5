"""Sets of public keys, and their JWK Set form (RFC 7517 §5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from keys.errors import KeysError, MalformedError, SignatureError, quoted
from keys.public_key import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """One or more public keys in a given order, found by kid. One that is declared compromised is in it and not found.

    Raises MalformedError "jwks.empty" or "jwks.duplicate_kid".
    """

    keys: tuple[PublicKey, ...]
    _by_kid: Mapping[str, PublicKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_kid: dict[str, PublicKey] = {}
        for key in self.keys:
            if key.kid in by_kid:
                raise MalformedError("jwks.duplicate_kid", f"key {key.kid} appears twice")
            by_kid[key.kid] = key
        if not by_kid:
            raise MalformedError("jwks.empty", "a key set must have at least one key")
        object.__setattr__(self, "_by_kid", by_kid)

    @classmethod
    def from_jwks(cls, jwks: Mapping[str, object]) -> Self:
        """Reads a JWK Set. One key that cannot be read refuses the set: raises what `PublicKey.from_jwk` raises.

        Raises MalformedError "jwks.malformed" besides.
        """
        members = jwks.get("keys")
        if not isinstance(members, list):
            raise MalformedError("jwks.malformed", '"keys" must be an array')
        return cls(keys=tuple(_read(index, member) for index, member in enumerate(members)))

    def jwks(self) -> dict[str, list[dict[str, object]]]:
        """Gives the JWK Set to publish, keys in the ring's order."""
        return {"keys": [key.jwk() for key in self.keys]}

    def find(self, kid: str) -> PublicKey:
        """Finds a key to verify by.

        Raises SignatureError "key.unknown", and "key.compromised" for one that is declared so: whoever stole it can
        name any time, so nothing by it is told from what he made, however old it says to be.
        """
        try:
            key = self._by_kid[kid]
        except KeyError:
            raise SignatureError("key.unknown", f"no key {quoted(kid)} in the ring") from None
        if key.revoked_at is not None:
            detail = f"key {kid} is declared compromised: nobody can tell what it signed from what its thief signs"
            raise SignatureError("key.compromised", detail)
        return key


def _read(index: int, member: object) -> PublicKey:
    if not isinstance(member, Mapping):
        raise MalformedError("jwks.malformed", f"keys[{index}] must be an object")
    try:
        return PublicKey.from_jwk(member)
    except KeysError as error:
        raise type(error)(error.code, f"keys[{index}]: {error.detail}") from error
