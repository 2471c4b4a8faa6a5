"""Compact JWS (RFC 7515), narrowed to one form: a header of exactly "alg", "kid" and "typ"."""

from dataclasses import dataclass
from functools import lru_cache

from keys import base64url, strict_json
from keys.custody import Signer
from keys.errors import AlgorithmError, MalformedError, SignatureError, quoted
from keys.key_ring import KeyRing
from keys.public_key import PublicKey

MAX_LENGTH = 256 * 1024  # characters of a whole token, where nobody says otherwise

_ALLOWED = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a token said, and the key that is shown to have said it."""

    payload: bytes
    kid: str
    alg: str
    key: PublicKey


def sign_compact(payload: bytes, signer: Signer, typ: str, limit: int = MAX_LENGTH) -> str:
    """Signs a token. Raises MalformedError "jws.malformed" when it would be longer than any verifier takes."""
    signing_input = f"{_protected(signer.alg, signer.kid, typ)}.{base64url.encode(payload)}"
    token = f"{signing_input}.{base64url.encode(signer.sign(signing_input.encode()))}"
    _check_length(token, limit)
    return token


def verify_compact(
    token: str, ring: KeyRing, typ: str, algorithms: frozenset[str], limit: int = MAX_LENGTH
) -> Verified:
    """Verifies a token of one type, of at most `limit` characters, against a ring, by an allow-list of JOSE names.

    The refusal names the first fault in this order: MalformedError "jws.malformed", "jws.header_not_allowed",
    "jws.type_wrong"; AlgorithmError "signature.algorithm_not_allowed"; SignatureError "key.unknown" or
    "key.compromised"; AlgorithmError "signature.algorithm_not_allowed" again, where the key is for another algorithm;
    SignatureError "signature.wrong".
    """
    header, payload, signature = _split(token, limit)
    if not _ALLOWED.issuperset(header):
        name = next(name for name in header if name not in _ALLOWED)
        raise MalformedError("jws.header_not_allowed", f"header member {quoted(name)}: only alg, kid, typ are allowed")
    if header.get("typ") != typ:
        raise MalformedError("jws.type_wrong", f'"typ" is {quoted(header.get("typ"))}, not {typ!r}')
    alg, kid = header.get("alg"), header.get("kid")
    if not isinstance(alg, str) or alg not in algorithms:
        raise AlgorithmError("signature.algorithm_not_allowed", f'"alg" is {quoted(alg)}, which is not allowed here')
    if not isinstance(kid, str):
        raise SignatureError("key.unknown", f'"kid" is {quoted(kid)}, not a string')
    key = ring.find(kid)
    if key.alg != alg:
        raise AlgorithmError("signature.algorithm_not_allowed", f'"alg" is {alg}, the key is for {key.alg}')
    key.verify(signature, token[: token.rindex(".")].encode("ascii"))
    return Verified(payload=payload, kid=kid, alg=alg, key=key)


@lru_cache(maxsize=256)
def _protected(alg: str, kid: str, typ: str) -> str:
    """Encodes the protected header. Cached, as a service signs with few keys and few types."""
    return base64url.encode(strict_json.encode({"alg": alg, "kid": kid, "typ": typ}))


def _split(token: str, limit: int) -> tuple[dict[str, object], bytes, bytes]:
    """Decodes header, payload and signature. Raises MalformedError "jws.malformed"."""
    _check_length(token, limit)
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedError("jws.malformed", f"a compact JWS has 3 parts, not {len(parts)}")
    part = "header"
    try:
        header = strict_json.decode_object(base64url.decode(parts[0]))
        part = "payload"
        payload = base64url.decode(parts[1])
        part = "signature"
        return header, payload, base64url.decode(parts[2])
    except MalformedError as error:
        raise MalformedError("jws.malformed", f"{part}: {error.detail}") from error


def _check_length(token: str, limit: int) -> None:
    if len(token) > limit:
        raise MalformedError("jws.malformed", f"{len(token)} characters, of at most {limit}")
