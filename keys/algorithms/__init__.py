"""The signature algorithms, in one table by JOSE name. A new one is a module here and a line in the table."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from keys.algorithms.ecdsa import ES256
from keys.algorithms.ed25519 import ED25519
from keys.algorithms.sm2.jose import SM2
from keys.errors import AlgorithmError, quoted


class Algorithm(Protocol):
    """A signature algorithm and its one kind of key. Key handles are opaque outside the module that made them.

    Every method given a handle of another kind raises AlgorithmError "key.kind".
    """

    @property
    def name(self) -> str:
        """The JOSE "alg" value."""

    @property
    def kind(self) -> Mapping[str, str]:
        """The members, with their values, by which a JWK shows that it is of this kind."""

    def generate(self) -> object:
        """Makes a new private key. Raises AlgorithmError where this Python cannot ("sm2.unavailable")."""

    def public(self, private: object) -> object:
        """Gives the public half of a private key."""

    def public_from_jwk(self, jwk: Mapping[str, object]) -> object:
        """Reads a public key from its JWK members. Raises MalformedError "jwk.malformed"."""

    def public_jwk(self, public: object) -> dict[str, str]:
        """Gives the required JWK members of a public key: those its thumbprint is made of."""

    def signing(self, private: object) -> Callable[[bytes], bytes]:
        """Gives what signs messages with a private key as JWS does (RFC 7518 §3)."""

    def verify(self, public: object, signature: bytes, message: bytes) -> None:
        """Raises SignatureError "signature.wrong" unless the key signed the message."""


_ALL: tuple[Algorithm, ...] = (ES256, ED25519, SM2)

ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType({algorithm.name: algorithm for algorithm in _ALL})


def named(name: str) -> Algorithm:
    """Finds an algorithm by JOSE name. Raises AlgorithmError "signature.algorithm_unknown"."""
    try:
        return ALGORITHMS[name]
    except KeyError:
        raise AlgorithmError("signature.algorithm_unknown", f"algorithm {quoted(name)} is not supported") from None


def for_jwk(jwk: Mapping[str, object]) -> Algorithm:
    """Finds the algorithm a JWK is for, by its kind and by its "alg" when it has one.

    Raises AlgorithmError "key.kind" when no algorithm uses such keys, "jwk.algorithm_wrong" when its "alg" is not one
    of those that do.
    """
    fitting = [a for a in _ALL if all(jwk.get(member) == value for member, value in a.kind.items())]
    if not fitting:
        kind = f"kty {quoted(jwk.get('kty'))}, crv {quoted(jwk.get('crv'))}"
        raise AlgorithmError("key.kind", f"keys of this kind are not supported: {kind}")
    for algorithm in fitting:
        if jwk.get("alg", algorithm.name) == algorithm.name:
            return algorithm
    raise AlgorithmError("jwk.algorithm_wrong", f'"alg" is {quoted(jwk["alg"])}, which does not go with this key')
