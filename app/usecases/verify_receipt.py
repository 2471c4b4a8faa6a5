"""Check a receipt offline, and compare it with what would be answered today."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.usecases.recognize import Recognizer
from keys import strict_json
from keys.errors import KeysError, MalformedError
from keys.jws import verify_compact
from keys.key_ring import KeyRing
from registry.errors import CanonicalError, Fault, QueryRefused
from registry.receipt import RECEIPT_TYPE, claims_problem, core, unread_claims

ALGORITHMS = frozenset({"ES256", "Ed25519", "SM2"})
_SHOWN, _LONGEST = 12, 64
KEY_COMPROMISED = "key.compromised"
"""The code of a receipt that may be genuine and cannot be told from what the thief of its key makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptVerdict:
    """Whether a receipt is shown to be genuine. `why` says what is wrong (code and detail), `claims` what it says.

    Of one that is not shown to be, nothing is told: its claims are whatever somebody wrote. But where `kid` is given,
    that key signed it, and what it decides cannot be read here: `said` is what was signed, if that is an object at all.
    """

    genuine: bool
    kid: str | None
    code: str | None
    why: str | None
    claims: Mapping[str, Any] | None
    on_stolen_key: bool = False
    """It is genuine, but says that a time was proven by a receipt whose key has been declared compromised since."""
    unread: tuple[str, ...] = ()
    """Of a genuine one, the claims that are not as this software writes them, or unknown to it."""
    said: Mapping[str, Any] | None = None


def verify_receipt(token: str, ring: KeyRing) -> ReceiptVerdict:
    """Judges a receipt by the keys in hand; needs no network, no database and no clock. Total over any text."""
    try:
        verified = verify_compact(token, ring, RECEIPT_TYPE, ALGORITHMS)
    except KeysError as error:
        return ReceiptVerdict(genuine=False, kid=None, code=error.code, why=error.detail, claims=None)
    content, problem = _read(verified.payload)
    if content is None or problem is not None:
        return ReceiptVerdict(
            genuine=False, kid=verified.kid, code="receipt.claims", why=problem, claims=None, said=content
        )
    return ReceiptVerdict(
        genuine=True,
        kid=verified.kid,
        code=None,
        why=None,
        claims=content,
        on_stolen_key=any(key.revoked_at is not None and key.kid in _rests_on(content) for key in ring.keys),
        unread=unread_claims(content),
    )


def _read(payload: bytes) -> tuple[Mapping[str, Any] | None, str | None]:
    """The claims that were signed, None where there are none, and what keeps one from going by them."""
    try:
        content = strict_json.decode_object(payload)
        # Lone surrogates, and numbers that others read otherwise: such claims could not even be shown (RFC 7493).
        orjson.dumps(content)
    except MalformedError as error:
        return None, f"the claims are {error.detail}"
    except TypeError:
        return None, "the claims hold what JSON cannot carry from one to another"
    try:
        return content, claims_problem(content)
    except CanonicalError as error:
        return content, f"claim 'query' has no hash: {error}"


def _rests_on(claims: Mapping[str, Any]) -> list[str]:
    """The keys of the receipts by which this one says that a time is proven."""
    signature = claims.get("signature")
    signers = signature.get("signers") if isinstance(signature, dict) else None
    found = signers if isinstance(signers, list) else []
    times = [signer.get("proven_time") for signer in found if isinstance(signer, dict)]
    kids = [time.get("kid") for time in times if isinstance(time, dict)]
    return [kid for kid in kids if isinstance(kid, str)]


def on_one_line(text: str) -> str:
    """A signed text as it may be printed: whoever signed it may still mean it for the terminal, or for the eye."""
    return "".join(character if character.isprintable() or character == "\u3000" else "�" for character in text)


def shown_names(unread: Sequence[str]) -> str:
    """Names of claims on one line, of too many the first."""
    names = [on_one_line(name[:_LONGEST]) or '""' for name in unread[:_SHOWN]]
    return ", ".join(names) + (" …" if len(unread) > _SHOWN else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One member of the answer that would be another today."""

    name: str
    then: Any
    now: Any


async def compare_with_today(
    claims: Mapping[str, Any], recognizer: Recognizer, now: datetime
) -> tuple[Mapping[str, Any], tuple[Difference, ...]]:
    """Asks the receipt's question again with everything known now; returns today's core and what differs.

    Raises `QueryRefused` when the question can no longer be asked, and `StoreError`.
    """
    asked = {name: value for name, value in claims["query"].items() if value is not None and name != "known_at"}
    named = asked.get("credential")
    # One that is no object is passed on: the question says what is wrong with it.
    reference = {name: value for name, value in named.items() if value is not None} if isinstance(named, dict) else {}
    if "certificate" in reference:
        # A receipt holds the fingerprint alone, and of a document its digest.
        if "signature" in claims:
            raise QueryRefused(Fault(pointer="/signature", code="document.needed"))
        raise QueryRefused(Fault(pointer="/query/credential/certificate", code="query.certificate_needed"))
    if isinstance(named, dict):
        asked["credential"] = {"id": reference["id"]} if "id" in reference else reference
    _, decision = await recognizer.recognize(asked, now)
    today = core(decision)
    mine = {
        "decision": today["decision"],
        "reasons": [reason["code"] for reason in today["reasons"]],
        "checks": {entry["name"]: entry["result"] for entry in today["checks"]},
        "conditions": {entry["id"]: entry["state"] for entry in today["conditions"]},
        "agreement": today["agreement"],
        "digests": today["digests"],
    }
    differences = tuple(
        Difference(name=name, then=claims.get(name), now=value)
        for name, value in mine.items()
        if claims.get(name) != value
    )
    return today, differences
