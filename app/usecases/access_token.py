"""Access tokens of ten minutes for who has shown an API key (RFC 6749 §4.4, RFC 9068): the key itself stays at home."""

import json
import os
from collections.abc import Sequence
from datetime import datetime, timedelta

from app.ports import Principal, Principals
from app.usecases.verify_receipt import ALGORITHMS
from keys.custody import Signer
from keys.errors import KeysError
from keys.jws import sign_compact, verify_compact
from keys.key_ring import KeyRing
from registry.canonical import canonical_json
from registry.receipt import Origin

TOKEN_TYPE = "at+jwt"
LIFETIME = timedelta(minutes=10)


def issue_token(principal: Principal, scopes: Sequence[str], origin: Origin, signer: Signer, now: datetime) -> str:
    """A token for some of the principal's scopes. What its key may do at the time of use bounds it once more."""
    begun = int(now.timestamp())
    claims = {
        "iss": origin.issuer,
        "aud": origin.issuer,
        "sub": principal.key_id,
        "client_id": principal.key_id,
        "scope": " ".join(scopes),
        "iat": begun,
        "exp": begun + int(LIFETIME.total_seconds()),
        "jti": f"at_{os.urandom(16).hex()}",
    }
    return sign_compact(canonical_json(claims), signer, TOKEN_TYPE)


def read_token(token: str, principals: Principals, origin: Origin, ring: KeyRing, now: datetime) -> Principal | None:
    """Who a token speaks for, with its scopes; None for one that is not ours, has ended, or whose key was stopped.

    Raises `StoreError`.
    """
    try:
        claims = json.loads(verify_compact(token, ring, TOKEN_TYPE, ALGORITHMS).payload)
    except KeysError:
        return None
    # Signed by us, so of the shape that `issue_token` gives; but a key of ours may have signed for another node.
    if claims["iss"] != origin.issuer or claims["aud"] != origin.issuer or not claims["exp"] > now.timestamp():
        return None
    held = principals.named(claims["sub"], now)
    if held is None:
        return None
    asked = claims["scope"].split()
    scopes = tuple(scope for scope in held.scopes if scope in asked)
    return Principal(key_id=held.key_id, name=held.name, role=held.role, issuer=held.issuer, scopes=scopes)
