"""The algorithms of a signer: a digest and a way to sign that must agree (RFC 5754, RFC 8419, GM/T 0010)."""

from collections.abc import Mapping
from types import MappingProxyType

from keys import der
from keys.algorithms.schemes import SCHEMES, SignatureScheme, scheme_from_identifier
from keys.cms.parts import parts_of
from keys.der import Element
from keys.errors import AlgorithmError, MalformedError

DIGEST_OIDS: Mapping[str, str] = MappingProxyType(
    {
        "1.3.14.3.2.26": "sha1",
        "2.16.840.1.101.3.4.2.4": "sha224",
        "2.16.840.1.101.3.4.2.1": "sha256",
        "2.16.840.1.101.3.4.2.2": "sha384",
        "2.16.840.1.101.3.4.2.3": "sha512",
        "1.2.156.10197.1.401": "sm3",
        # GM/T 0006: SM3 without a key.
        "1.2.156.10197.1.401.1": "sm3",
    }
)

_RSA, _EC, _ED25519 = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1", "1.3.101.112"
_SM2 = frozenset({"1.2.156.10197.1.301", "1.2.156.10197.1.301.1"})
"""The curve, and signing with it, in the place of SM2-with-SM3: the digest stands beside them (GM/T 0006)."""

_ED25519_DIGEST = "sha512"  # RFC 8419 §3.1


def read_digest(identifier: Element) -> str:
    """Reads an AlgorithmIdentifier of a digest: one of `keys.content.DIGESTS`.

    Raises MalformedError "der.malformed", AlgorithmError "signature.algorithm_unknown".
    """
    oid, parameters = _read(identifier)
    name = DIGEST_OIDS.get(oid)
    if name is None:
        raise AlgorithmError("signature.algorithm_unknown", f"digest {oid} is not supported")
    if parameters is not None:
        der.null(parameters)  # RFC 5754 §2: absent or NULL
    return name


def read_scheme(identifier: Element, digest: str, oddities: list[str]) -> SignatureScheme:
    """Reads the AlgorithmIdentifier of a signature beside the digest that the signer names; tells oddities.

    Raises MalformedError "cms.algorithm_mismatch" where the two do not go together, "der.malformed",
    "signature.algorithm_malformed", AlgorithmError "signature.algorithm_unknown".
    """
    oid, parameters = _read(identifier)
    if oid == _RSA:
        if parameters is not None:
            der.null(parameters)  # RFC 3370 §3.2: NULL, and absence is taken as well
        scheme = _with(f"rsa-pkcs1-{digest}", oid)
    elif oid == _EC:
        scheme = SCHEMES["sm2-sm3"] if digest == "sm3" else _with(f"ecdsa-{digest}", oid)
        oddities.append("signature_algorithm.key_kind")
    elif oid in _SM2:
        scheme = SCHEMES["sm2-sm3"]
    else:
        scheme = scheme_from_identifier(identifier.raw)
    if scheme.family == "sm2" and parameters is not None:
        oddities.append("signature_algorithm.parameters")
    if (scheme.digest or _ED25519_DIGEST) != digest:
        raise MalformedError("cms.algorithm_mismatch", f"{scheme.name} with {digest} for the digest")
    return scheme


def _with(name: str, oid: str) -> SignatureScheme:
    scheme = SCHEMES.get(name)
    if scheme is None:
        raise AlgorithmError("signature.algorithm_unknown", f"{oid} with that digest ({name}) is not supported")
    return scheme


def comparable(identifier: Element) -> tuple[str, bytes]:
    """Gives what two AlgorithmIdentifiers are compared by: NULL for parameters is no parameters."""
    oid, parameters = _read(identifier)
    return oid, b"" if parameters is None or parameters.tag == der.NULL else parameters.raw


def _read(identifier: Element) -> tuple[str, Element | None]:
    found = parts_of(identifier, der.SEQUENCE, 1, 2)
    return der.oid(found[0]), found[1] if len(found) == 2 else None
