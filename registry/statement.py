"""What an issuer states under its own key: a compact JWS over canonical JSON, opened and read, not yet judged.

    {"iss": issuer, "jti": name of the statement, "iat": seconds, "profile": {"type": …, "version": …},
     "credential": {…}}                              to register a credential
     "credential_id": "cred_…", "event": {…}}        for a step in its life
     "register": {"as_of": …}}                       to say up to when the register of the type is complete
     "bulk": {"file": …, "rows": …, "as_of": …}}     for all the rows of a file at once

Header: exactly "alg" (ES256, Ed25519 or SM2), "kid" (the key's thumbprint) and "typ".
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from msgspec import Struct

from keys.errors import KeysError
from keys.jws import Verified, verify_compact
from registry.canonical import canonical_json, digest
from registry.credential import Attestation
from registry.errors import CanonicalError, Fault, StatementRefused
from registry.issuer import ALGORITHMS, KeyRegister
from registry.period import format_local
from registry.query import pointer_token

STATEMENT_TYPE = "credential-statement+jwt"
SKEW = timedelta(minutes=5)
"""So far may an issuer's clock be from ours."""
BULK_AGE = timedelta(days=7)
"""So long ago may the statement about a file have been made: files are carried, and a load that broke off goes on."""

_JTI = re.compile(r"[A-Za-z0-9._:-]{8,64}", re.ASCII)
_COMMON = {"iss", "jti", "iat", "profile"}
_SHAPES = {
    "credential": _COMMON | {"credential"},
    "register": _COMMON | {"register"},
    "bulk": _COMMON | {"bulk"},
    "event": _COMMON | {"credential_id", "event"},
}
_REFUSALS = {
    "jws.malformed": "statement.malformed",
    "jws.header_not_allowed": "statement.header_not_allowed",
    "jws.type_wrong": "statement.type_wrong",
    "signature.algorithm_not_allowed": "statement.algorithm_not_allowed",
    "key.unknown": "statement.key_unknown",
    "signature.wrong": "statement.signature_wrong",
}


class Statement(Struct, frozen=True, kw_only=True):
    """A statement whose signature is right, by a key of the issuer that it names.

    Exactly one of `credential`, the claims of a new one, `event`, a step of the one that is named `credential_id`,
    `register`, how far the issuer's register of the type is complete, and `bulk`, the rows of a file.
    """

    issuer: str
    jti: str
    type: str
    profile_version: int
    credential: Mapping[str, Any] | None
    credential_id: str | None
    event: Mapping[str, Any] | None
    register: Mapping[str, Any] | None
    bulk: Mapping[str, Any] | None = None
    attestation: Attestation


def refused(code: str, pointer: str = "", **params: str) -> StatementRefused:
    """A refusal with one fault; the pointer goes on into the claims."""
    return StatementRefused(Fault(pointer=f"/statement{pointer}", code=code, params=params))


def open_statement(token: str, keys: KeyRegister) -> Statement:
    """Verifies and reads a statement. Raises `StatementRefused`; whether its key may sign is for `check_key`."""
    verified = _verified(token, keys)
    claims = _claims(verified.payload)
    _only(claims, _SHAPES[next((name for name in ("credential", "register", "bulk") if name in claims), "event")])
    issuer, owner = claims["iss"], keys.by_kid[verified.kid].issuer
    if issuer != owner:
        raise refused("statement.key_foreign", "/iss", issuer=_shown(issuer), owner=owner)
    jti, profile = claims["jti"], claims["profile"]
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise refused("statement.claim_wrong", "/jti", name="jti", wanted="8 to 64 of A-Z a-z 0-9 . _ : -")
    if not isinstance(profile, dict) or profile.keys() != {"type", "version"}:
        raise refused("statement.claim_wrong", "/profile", name="profile", wanted='{"type": …, "version": …}')
    if not isinstance(profile["type"], str) or type(profile["version"]) is not int:
        raise refused("statement.claim_wrong", "/profile", name="profile", wanted='{"type": text, "version": number}')
    for name, kind in (
        ("credential", dict),
        ("event", dict),
        ("register", dict),
        ("bulk", dict),
        ("credential_id", str),
    ):
        if name in claims and not isinstance(claims[name], kind):
            wanted = "text" if kind is str else "object"
            raise refused("statement.claim_wrong", f"/{name}", name=name, wanted=wanted)
    return Statement(
        issuer=owner,
        jti=jti,
        type=profile["type"],
        profile_version=profile["version"],
        credential=claims.get("credential"),
        credential_id=claims.get("credential_id"),
        event=claims.get("event"),
        register=claims.get("register"),
        bulk=claims.get("bulk"),
        attestation=Attestation(digest=digest(token.encode()), kid=verified.kid, made_at=_made_at(claims["iat"])),
    )


def check_key(
    statement: Statement, keys: KeyRegister, now: datetime, recorded_at: datetime, skew: timedelta = SKEW
) -> None:
    """Whether the key may sign when the statement is recorded, and the statement was made now.

    Raises `StatementRefused`.
    """
    key = keys.by_kid[statement.attestation.kid]
    if not key.trusted_for(recorded_at):
        raise refused("statement.key_compromised", kid=key.public.kid, since=_instant(key.compromised_from))
    if recorded_at not in key.period:
        until, start = _instant(key.period.end), _instant(key.period.start)
        raise refused("statement.key_retired", kid=key.public.kid, start=start, until=until)
    made_at = statement.attestation.made_at
    age = skew if statement.bulk is None else skew + BULK_AGE
    if not now - age <= made_at <= now + skew:
        raise refused("statement.clock_off", "/iat", made_at=_instant(made_at), now=_instant(now))


def _verified(token: str, keys: KeyRegister) -> Verified:
    if keys.ring is None:
        raise refused("statement.key_unknown", why="no issuer has a key yet")
    try:
        return verify_compact(token, keys.ring, STATEMENT_TYPE, ALGORITHMS)
    except KeysError as error:
        raise refused(_REFUSALS.get(error.code, "statement.malformed"), why=error.detail) from None


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = orjson.loads(payload)
        canonical = canonical_json(claims)
    except (orjson.JSONDecodeError, CanonicalError) as error:
        raise refused("statement.not_canonical", why=str(error)) from None
    if not isinstance(claims, dict) or canonical != payload:
        # Members twice end here too: the canonical form has each once.
        raise refused("statement.not_canonical", why="another order, spacing or spelling than RFC 8785 has")
    return claims


def _only(claims: Mapping[str, Any], wanted: set[str]) -> None:
    for name in sorted(wanted - claims.keys()):
        raise refused("statement.claim_missing", f"/{name}", name=name)
    for name in sorted(claims.keys() - wanted):
        known = ", ".join(sorted(wanted))
        raise refused("statement.claim_unknown", f"/{pointer_token(name)}", name=_shown(name), known=known)


def _made_at(seconds: object) -> datetime:
    if type(seconds) is not int or not 0 <= seconds < 1 << 37:
        raise refused("statement.claim_wrong", "/iat", name="iat", wanted="whole seconds since 1970")
    return datetime.fromtimestamp(seconds, UTC)


def _shown(value: object) -> str:
    return str(value)[:64].encode("utf-8", "replace").decode()


def _instant(instant: datetime | None) -> str:
    return "-" if instant is None else format_local(instant)
