"""The signature schemes of certificates, CRLs, OCSP and CMS, in one table, and the public keys that verify by them.

Everything is verified that can be; what may be relied on, and until when, is for `keys.algorithm_policy`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from keys import der
from keys.algorithms import ecdsa, ed25519, rsa, sm2
from keys.algorithms.sm2 import DEFAULT_USER_ID
from keys.content import Content
from keys.errors import AlgorithmError, MalformedError, quoted

_MAX_IDENTIFIER = 1024  # bytes of an AlgorithmIdentifier
_MAX_SPKI = 8192  # bytes: an RSA key of 16,384 bits takes 2,100, keys of other kinds are to be named, not read

_KEPT_KEYS = 2048  # about 4 kB each

_HASHES: Mapping[str, hashes.HashAlgorithm] = MappingProxyType(
    {
        "sha1": hashes.SHA1(),
        "sha224": hashes.SHA224(),
        "sha256": hashes.SHA256(),
        "sha384": hashes.SHA384(),
        "sha512": hashes.SHA512(),
    }
)
_HASH_OIDS: Mapping[str, str] = MappingProxyType(
    {
        "1.3.14.3.2.26": "sha1",
        "2.16.840.1.101.3.4.2.4": "sha224",
        "2.16.840.1.101.3.4.2.1": "sha256",
        "2.16.840.1.101.3.4.2.2": "sha384",
        "2.16.840.1.101.3.4.2.3": "sha512",
    }
)

_SM2_CURVE = "1.2.156.10197.1.301"
_SM2_CURVE_DER = bytes.fromhex("06082a811ccf5501822d")
_NULL = b"\x05\x00"
_EC_KEY, _RSA_KEY, _ED25519 = "1.2.840.10045.2.1", "1.2.840.113549.1.1.1", "1.3.101.112"
_PSS, _MGF1 = "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureScheme:
    """A way to sign.

    `family` is the kind of key it takes: "sm2", "rsa", "ec" or "ed25519". `digest` is None for Ed25519, which has its
    own. `jose` is the JWS "alg", where JWS has the scheme. `salt_length`, in bytes, is that of PSS.
    """

    name: str
    family: str
    digest: str | None
    oid: str
    jose: str | None = None
    salt_length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """A public key. `bits` is its size: of the modulus for RSA, of the field for the others.

    `curve` is "sm2", "p-256", "p-384", "p-521" or "ed25519", None for RSA. `spki` is the DER it was read from.
    """

    family: str
    curve: str | None
    bits: int
    spki: bytes
    handle: object = field(repr=False, compare=False)


def _table() -> tuple[SignatureScheme, ...]:
    rsa_oids = {"sha1": 5, "sha224": 14, "sha256": 11, "sha384": 12, "sha512": 13}
    ec_oids = {"sha1": "1", "sha224": "3.1", "sha256": "3.2", "sha384": "3.3", "sha512": "3.4"}
    jose = {"sha256": "256", "sha384": "384", "sha512": "512"}
    schemes = [
        SignatureScheme(name="sm2-sm3", family="sm2", digest="sm3", oid="1.2.156.10197.1.501", jose="SM2"),
        SignatureScheme(name="ed25519", family="ed25519", digest=None, oid=_ED25519, jose="Ed25519"),
    ]
    for digest, algorithm in _HASHES.items():
        size = jose.get(digest)
        schemes += [
            SignatureScheme(
                name=f"rsa-pkcs1-{digest}",
                family="rsa",
                digest=digest,
                oid=f"1.2.840.113549.1.1.{rsa_oids[digest]}",
                jose=size and f"RS{size}",
            ),
            SignatureScheme(
                name=f"rsa-pss-{digest}",
                family="rsa",
                digest=digest,
                oid=_PSS,
                jose=size and f"PS{size}",
                salt_length=algorithm.digest_size,
            ),
            SignatureScheme(
                name=f"ecdsa-{digest}",
                family="ec",
                digest=digest,
                oid=f"1.2.840.10045.4.{ec_oids[digest]}",
                jose=size and f"ES{size}",
            ),
        ]
    return tuple(schemes)


SCHEMES: Mapping[str, SignatureScheme] = MappingProxyType({scheme.name: scheme for scheme in _table()})
"""By name. PSS is here with the usual salt, as long as the digest; `scheme_from_identifier` gives it with any other."""

_BY_OID = MappingProxyType({scheme.oid: scheme for scheme in SCHEMES.values() if scheme.oid != _PSS})
_BY_JOSE = MappingProxyType({scheme.jose: scheme for scheme in SCHEMES.values() if scheme.jose})

# RFC 4055 §5 has NULL and wants absence taken as well; many CAs write NULL for SM2 where GM/T 0015 has nothing.
_NULL_PASSES = frozenset({"rsa", "sm2"})


def scheme_named(name: str) -> SignatureScheme:
    """Finds a scheme by our name or by its JOSE name. Raises AlgorithmError "signature.algorithm_unknown"."""
    scheme = SCHEMES.get(name) or _BY_JOSE.get(name)
    if scheme is None:
        raise AlgorithmError("signature.algorithm_unknown", f"signature scheme {quoted(name)} is not supported")
    return scheme


def scheme_from_identifier(identifier: bytes) -> SignatureScheme:
    """Reads an AlgorithmIdentifier, DER.

    Raises MalformedError "signature.algorithm_malformed", also for parameters that the algorithm does not have, and
    AlgorithmError "signature.algorithm_unknown" for an algorithm or a parameter that is not supported.
    """
    if len(identifier) > _MAX_IDENTIFIER:
        detail = f"{len(identifier)} bytes of algorithm identifier, of at most {_MAX_IDENTIFIER}"
        raise MalformedError("signature.algorithm_malformed", detail)
    return _scheme(identifier)


@lru_cache(maxsize=256)
def _scheme(identifier: bytes) -> SignatureScheme:
    try:
        oid, parameters = _algorithm(der.parse(identifier))
        if oid == _PSS:
            return _pss(parameters)
        scheme = _BY_OID.get(oid)
        if scheme is None:
            raise AlgorithmError("signature.algorithm_unknown", f"signature algorithm {oid} is not supported")
        if parameters is not None:
            if scheme.family not in _NULL_PASSES:
                raise MalformedError("signature.algorithm_malformed", f"{scheme.name} has no parameters")
            der.null(parameters)
    except MalformedError as error:
        raise MalformedError("signature.algorithm_malformed", f"algorithm identifier: {error.detail}") from error
    return scheme


def _algorithm(element: der.Element) -> tuple[str, der.Element | None]:
    """Reads an AlgorithmIdentifier: the object identifier, and the parameters where there are any."""
    members = der.sequence(element)
    if len(members) not in (1, 2):
        raise MalformedError("der.malformed", f"an algorithm identifier with {len(members)} members, not 1 or 2")
    return der.oid(members[0]), members[1] if len(members) == 2 else None


def _pss(parameters: der.Element | None) -> SignatureScheme:
    """Reads RSASSA-PSS-params (RFC 4055 §3.1). Defaults that are written out are not DER (X.690 §11.5)."""
    if parameters is None:
        raise MalformedError("der.malformed", "RSASSA-PSS without parameters")  # RFC 4055 §3.1 wants them here
    fields = der.sequence(parameters)
    tags = [field.tag for field in fields]
    if tags != sorted(set(tags)) or not set(tags) <= {0xA0, 0xA1, 0xA2, 0xA3}:
        raise MalformedError("der.malformed", "the parameters of RSASSA-PSS are [0] to [3], each at most once")
    given = {field.tag: der.inside(field) for field in fields}
    digest = mask_digest = "sha1"
    salt_length = 20
    if 0xA0 in given:
        digest = _pss_digest(given[0xA0])
    if 0xA1 in given:
        oid, mask = _algorithm(given[0xA1])
        if oid != _MGF1 or mask is None:
            raise AlgorithmError("signature.algorithm_unknown", f"RSASSA-PSS with mask generation {oid}")
        mask_digest = _pss_digest(mask)
    if 0xA2 in given:
        salt_length = der.integer(given[0xA2])
        if not 0 <= salt_length <= rsa.MAX_BITS // 8 or salt_length == 20:
            raise MalformedError("der.malformed", "a salt length of RSASSA-PSS that is not one or is the default")
    if 0xA3 in given:
        der.integer(given[0xA3])
        # 1 is the default and so never written; RFC 4055 §3.1 has no other.
        raise MalformedError("der.malformed", "a trailer of RSASSA-PSS that is not one or is the default")
    if mask_digest != digest:
        detail = f"RSASSA-PSS by {digest} with a mask by {mask_digest} is not supported"
        raise AlgorithmError("signature.algorithm_unknown", detail)
    usual = SCHEMES[f"rsa-pss-{digest}"]
    if salt_length == usual.salt_length:
        return usual
    return SignatureScheme(name=usual.name, family="rsa", digest=digest, oid=_PSS, salt_length=salt_length)


def _pss_digest(element: der.Element) -> str:
    oid, parameters = _algorithm(element)
    if parameters is not None:
        der.null(parameters)  # RFC 4055 §2.1: NULL or nothing
    digest = _HASH_OIDS.get(oid)
    if digest is None:
        raise AlgorithmError("signature.algorithm_unknown", f"RSASSA-PSS with digest {oid} is not supported")
    return digest


def load_key(spki: bytes) -> VerifyingKey:
    """Reads a SubjectPublicKeyInfo, DER. The last 2,048 are kept.

    Points are checked to be on their curve. The SM2 curve's object identifier in the place of id-ecPublicKey is
    understood, as some certificates have it. Raises MalformedError "key.malformed", AlgorithmError "key.kind".
    """
    if len(spki) > _MAX_SPKI:
        raise MalformedError("key.malformed", f"{len(spki)} bytes of public key, of at most {_MAX_SPKI}")
    return _key(spki)


@lru_cache(maxsize=_KEPT_KEYS)
def secret_name(spki: bytes) -> tuple[str, bytes]:
    """What public keys (SubjectPublicKeyInfo, DER) of one private key have in common, however they are written.

    Whoever has the private key of a point or a modulus has that of the opposite point, or of another exponent. Whether
    such a key verifies anything here plays no part: algorithm and parameters are passed over.
    """
    try:
        algorithm, key = der.sequence(der.parse(spki))
        octets, ed25519_key = der.bit_string(key), der.oid(der.sequence(algorithm)[0]) == _ED25519
    except (MalformedError, ValueError, IndexError):
        return "", spki
    if ed25519_key:
        return "ed25519", octets
    try:
        modulus, _ = der.sequence(der.parse(octets))
        return "rsa", modulus.value
    except (MalformedError, ValueError):
        return _point_name(octets)


def _point_name(octets: bytes) -> tuple[str, bytes]:
    """By the first coordinate (SEC 1 §2.3.3; with 06 and 07, X9.62's hybrid form)."""
    if octets[:1] in (b"\2", b"\3"):
        return "ec", octets[1:]
    if octets[:1] in (b"\4", b"\6", b"\7"):
        return "ec", octets[1 : (len(octets) + 1) // 2]
    return "", octets


def forget_keys() -> None:
    """Forgets the keys that `load_key` keeps. For measurements."""
    _key.cache_clear()


@lru_cache(maxsize=_KEPT_KEYS)
def _key(spki: bytes) -> VerifyingKey:
    try:
        members = der.sequence(der.parse(spki))
        if len(members) != 2:
            raise MalformedError("der.malformed", f"{len(members)} members, not 2")
        oid, parameters = _algorithm(members[0])
        reader = _READERS.get(oid)
        if reader is None:
            raise AlgorithmError("key.kind", f"public keys of the kind {oid} are not supported")
        return reader(parameters, der.bit_string(members[1]), spki)
    except MalformedError as error:
        raise MalformedError("key.malformed", f"public key: {error.detail}") from error


def _key_on_named_curve(parameters: der.Element | None, point: bytes, spki: bytes) -> VerifyingKey:
    if parameters is None:
        raise MalformedError("der.malformed", "on an elliptic curve that is not named")
    if parameters.tag == der.SEQUENCE:
        # RFC 5480 §2.1.1 forbids them, as who writes the numbers can choose a generator of which every key is known.
        raise AlgorithmError("key.kind", "a curve written out in numbers is not supported; it must be a named one")
    oid = der.oid(parameters)
    if oid == _SM2_CURVE:
        return _sm2_key(None, point, spki)
    curve = ecdsa.CURVES.get(oid)
    if curve is None:
        raise AlgorithmError("key.kind", f"keys on the curve {oid} are not supported")
    handle = curve.public_key(point)
    return VerifyingKey(family="ec", curve=curve.name, bits=curve.bits, spki=spki, handle=handle)


def _sm2_key(parameters: der.Element | None, point: bytes, spki: bytes) -> VerifyingKey:
    if parameters is not None and parameters.raw not in (_NULL, _SM2_CURVE_DER):
        raise MalformedError("der.malformed", "parameters that a key of SM2 does not have")
    return VerifyingKey(family="sm2", curve="sm2", bits=256, spki=spki, handle=sm2.public_key(point))


def _rsa_key(parameters: der.Element | None, octets: bytes, spki: bytes) -> VerifyingKey:
    if parameters is None or parameters.raw != _NULL:
        raise MalformedError("der.malformed", "RSA without NULL for parameters")  # RFC 3279 §2.3.1
    handle, bits = rsa.read_public_key(octets)
    return VerifyingKey(family="rsa", curve=None, bits=bits, spki=spki, handle=handle)


def _ed25519_key(parameters: der.Element | None, octets: bytes, spki: bytes) -> VerifyingKey:
    if parameters is not None:
        raise MalformedError("der.malformed", "Ed25519 with parameters")  # RFC 8410 §3
    handle = ed25519.read_public_key(octets)
    return VerifyingKey(family="ed25519", curve="ed25519", bits=256, spki=spki, handle=handle)


_READERS: Mapping[str, Callable[[der.Element | None, bytes, bytes], VerifyingKey]] = MappingProxyType(
    {
        _EC_KEY: _key_on_named_curve,
        _SM2_CURVE: _sm2_key,
        _RSA_KEY: _rsa_key,
        _ED25519: _ed25519_key,
    }
)


def verify(
    key: VerifyingKey,
    scheme: SignatureScheme,
    signature: bytes,
    message: bytes,
    *,
    user_id: bytes = DEFAULT_USER_ID,
) -> None:
    """Raises SignatureError "signature.wrong" unless the key signed the message by the scheme.

    Signatures of SM2 and ECDSA are DER; `user_id` is for SM2. Raises AlgorithmError "key.kind" when scheme and key do
    not go together, MalformedError "sm2.user_id" for an id that is too long to be one.
    """
    if scheme.family != key.family:
        raise AlgorithmError("key.kind", f"{scheme.name} does not go with a key of the kind {key.family}")
    _VERIFIERS[scheme.family](key.handle, scheme, signature, message, user_id)


def verify_content(key: VerifyingKey, scheme: SignatureScheme, signature: bytes, content: Content) -> None:
    """Raises SignatureError "signature.wrong" unless the key signed the content by the scheme.

    As `verify`, for what may be long or known by its digest only; also raises MalformedError "digest.insufficient".
    """
    if scheme.family != key.family:
        raise AlgorithmError("key.kind", f"{scheme.name} does not go with a key of the kind {key.family}")
    handle: Any = key.handle
    if scheme.family == "sm2":
        handle.verify_digest(signature, content.sm2_digest(handle.point))
    elif scheme.digest is None:
        ed25519.verify(handle, signature, content.octets())
    elif scheme.family == "ec":
        handle.verify(signature, content.digest(scheme.digest), _HASHES[scheme.digest], prehashed=True)
    else:
        taken, digest = content.digest(scheme.digest), _HASHES[scheme.digest]
        rsa.verify(handle, signature, taken, digest, scheme.salt_length, prehashed=True)


def _verify_sm2(key: sm2.PublicKey, _: SignatureScheme, signature: bytes, message: bytes, user_id: bytes) -> None:
    key.verify(signature, message, user_id)


def _verify_ec(key: ecdsa.CurveKey, scheme: SignatureScheme, signature: bytes, message: bytes, _: bytes) -> None:
    key.verify(signature, message, _HASHES[scheme.digest or ""])


def _verify_rsa(key: RSAPublicKey, scheme: SignatureScheme, signature: bytes, message: bytes, _: bytes) -> None:
    rsa.verify(key, signature, message, _HASHES[scheme.digest or ""], scheme.salt_length)


def _verify_ed25519(key: Ed25519PublicKey, _: SignatureScheme, signature: bytes, message: bytes, __: bytes) -> None:
    ed25519.verify(key, signature, message)


_VERIFIERS: Mapping[str, Callable[[Any, SignatureScheme, bytes, bytes, bytes], None]] = MappingProxyType(
    {"sm2": _verify_sm2, "ec": _verify_ec, "rsa": _verify_rsa, "ed25519": _verify_ed25519}
)
