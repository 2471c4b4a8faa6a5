"""Challenges that a CA lock signs to show that its holder is there. Stateless: their id carries them, with a MAC."""

import hashlib
import hmac
import os
from datetime import datetime, timedelta

import orjson
from msgspec import Struct

from keys import base64url
from keys.errors import MalformedError
from registry.canonical import unguarded_canonical_json
from registry.period import from_micros, to_micros

PREFIX = "chal_"
LIFETIME = timedelta(minutes=5)
_HEAD = b"accord-challenge-v1\n"
_KEY = b"accord challenge key v1"
_TAG = 16  # bytes of the MAC; a forger has one lifetime to guess one of 2^128


class Challenge(Struct, frozen=True, kw_only=True):
    """What a lock is asked to sign: for whom, for what, until when."""

    id: str
    relying_party: str
    purpose: str
    expires_at: datetime
    to_be_signed: bytes


class Challenger:
    """Gives out challenges and knows its own again, in every process of the same store."""

    def __init__(self, secret: bytes, issuer: str) -> None:
        self._key = hmac.digest(secret, _KEY, "sha256")
        self._issuer = issuer

    def make(self, relying_party: str, purpose: str, now: datetime) -> Challenge:
        """A new challenge, good for five minutes."""
        claims: dict[str, str | int] = {
            "e": to_micros(now + LIFETIME),
            "n": base64url.encode(os.urandom(18)),
            "p": purpose,
            "r": relying_party,
        }
        content = unguarded_canonical_json(claims)
        return self._challenge(PREFIX + base64url.encode(content + self._tag(content)), claims)

    def read(self, identity: str) -> Challenge | None:
        """The challenge that an id carries; None for one that this store did not give out."""
        try:
            content = base64url.decode(identity.removeprefix(PREFIX))
        except MalformedError:
            return None
        if not identity.startswith(PREFIX) or not hmac.compare_digest(content[-_TAG:], self._tag(content[:-_TAG])):
            return None
        return self._challenge(identity, orjson.loads(content[:-_TAG]))

    def _tag(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")[:_TAG]

    def _challenge(self, identity: str, claims: dict[str, str | int]) -> Challenge:
        expires_at = from_micros(int(claims["e"]))
        statement = {
            "challenge_id": identity,
            "nonce": claims["n"],
            "relying_party": claims["r"],
            "purpose": claims["p"],
            "issuer": self._issuer,
            "expires_at": expires_at,
        }
        return Challenge(
            id=identity,
            relying_party=str(claims["r"]),
            purpose=str(claims["p"]),
            expires_at=expires_at,
            to_be_signed=_HEAD + unguarded_canonical_json(statement),
        )


def problem_with(challenge: Challenge | None, relying_party: str | None, purpose: str, now: datetime) -> str | None:
    """The code of what speaks against a challenge, or None. That it was used before is the store's to know."""
    if challenge is None:
        return "challenge.unknown"
    if (challenge.relying_party, challenge.purpose) != (relying_party, purpose):
        return "challenge.mismatch"
    return "challenge.expired" if now >= challenge.expires_at else None


def name_of(challenge: Challenge) -> str:
    """The digest by which a used challenge is kept."""
    return hashlib.sha256(challenge.id.encode()).hexdigest()
