"""Enter, end and distrust issuers' keys: each makes the next version of the issuer's file, and none is taken back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.usecases.policy_version import period_members, policy_version, said, source_of
from keys.errors import KeysError
from keys.public_key import PublicKey
from registry.document import PolicyDocument
from registry.errors import PolicyError
from registry.issuer import IssuerKey, KeyRegister, read_issuer_keys
from registry.period import Period, format_instant
from registry.policy import Policy

KIND = "issuer-key-set"


def import_key(policy: Policy, issuer: str, jwk: Mapping[str, object], period: Period) -> PolicyDocument | None:
    """The file with one more key, or None where it has it already. Raises `PolicyError`."""
    source = source_of(KIND, issuer)
    if issuer not in policy.authorities:
        raise PolicyError(source, "issuer", f"{issuer!r} is no authority; see: /v1/authorities")
    try:
        public = PublicKey.from_jwk(jwk)
    except KeysError as error:
        raise PolicyError(source, "jwk", error.detail) from None
    if public.revoked_at is not None:
        raise PolicyError(
            source, "jwk", f"key {public.kid} says of itself that it is revoked; have the issuer make one"
        )
    held = policy.keys.by_kid.get(public.kid)
    if held is not None and held.issuer != issuer:
        raise PolicyError(source, "jwk", f"key {public.kid} is one of {held.issuer}")
    if held is not None and held.period == period:
        return None
    if held is not None:
        raise PolicyError(source, "jwk", f"key {public.kid} is there with another period; end it with: retire")
    added = IssuerKey(issuer=issuer, public=public, period=period, compromised_from=None)
    return _next(policy.keys, issuer, (*_keys(policy.keys, issuer), added))


def retire_key(policy: Policy, kid: str, at: datetime) -> PolicyDocument | None:
    """The file in which a key signs nothing from an instant on; what it signed before stays good."""
    key = _held(policy.keys, kid)
    end, start = key.period.end, key.period.start
    source = source_of(KIND, key.issuer)
    if end is not None and end < at:
        raise PolicyError(source, "until", f"it ended before, at {format_instant(end)}")
    if start is not None and at <= start:
        raise PolicyError(source, "until", f"it begins only at {format_instant(start)}")
    return _changed(policy.keys, key, Period(start=start, end=at), key.compromised_from)


def distrust_key(policy: Policy, kid: str, since: datetime) -> PolicyDocument | None:
    """The file in which nothing counts that came in by a key from an instant on. An earlier instant replaces a later.

    A later one does not replace an earlier: who found out more in between says so with a new key.
    """
    key = _held(policy.keys, kid)
    if key.compromised_from is not None and key.compromised_from < since:
        earlier = format_instant(key.compromised_from)
        raise PolicyError(source_of(KIND, key.issuer), "compromised_from", f"it was unsafe before, from {earlier}")
    return _changed(policy.keys, key, key.period, since)


def _held(register: KeyRegister, kid: str) -> IssuerKey:
    key = register.by_kid.get(kid)
    if key is None:
        known = ", ".join(register.by_kid) or "none"
        raise PolicyError(KIND, "kid", f"{kid!r} is no issuer's key; known: {known}")
    return key


def _keys(register: KeyRegister, issuer: str) -> tuple[IssuerKey, ...]:
    file = register.by_issuer.get(issuer)
    return () if file is None else file.keys


def _changed(
    register: KeyRegister, key: IssuerKey, period: Period, compromised_from: datetime | None
) -> PolicyDocument | None:
    changed = IssuerKey(issuer=key.issuer, public=key.public, period=period, compromised_from=compromised_from)
    if changed == key:
        return None
    keys = tuple(changed if entry is key else entry for entry in _keys(register, key.issuer))
    return _next(register, key.issuer, keys)


def _next(register: KeyRegister, issuer: str, keys: tuple[IssuerKey, ...]) -> PolicyDocument:
    file = register.by_issuer.get(issuer)
    identity, version = (issuer, 1) if file is None else (file.id, file.version + 1)
    document = policy_version(KIND, identity, version, {"issuer": issuer, "keys": [_body(key) for key in keys]})
    read_issuer_keys(document)
    return document


def _body(key: IssuerKey) -> dict[str, Any]:
    since = key.compromised_from
    unsafe = {} if since is None else {"compromised_from": format_instant(since)}
    return {"jwk": key.public.jwk(), **said(period_members(key.period)), **unsafe}
