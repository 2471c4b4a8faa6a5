"""Check a receipt offline, and compare it with what would be answered today."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.usecases.recognize import Recognizer
from keys.errors import KeysError
from keys.jws import verify_compact
from keys.key_ring import KeyRing
from registry.errors import CanonicalError, Fault, QueryRefused
from registry.receipt import RECEIPT_TYPE, claims_problem, core

ALGORITHMS = frozenset({"ES256", "Ed25519", "SM2"})
KEY_COMPROMISED = "key.compromised"
"""The code of a receipt that may be genuine and cannot be told from what the thief of its key makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptVerdict:
    """Whether a receipt is shown to be genuine. `why` says what is wrong (code and detail), `claims` what it says.

    Of one that is not shown to be, nothing is told: its claims are whatever somebody wrote.
    """

    genuine: bool
    kid: str | None
    code: str | None
    why: str | None
    claims: Mapping[str, Any] | None
    on_stolen_key: bool = False
    """It is genuine, but says that a time was proven by a receipt whose key has been declared compromised since."""


def verify_receipt(token: str, ring: KeyRing) -> ReceiptVerdict:
    """Judges a receipt by the keys in hand; needs no network, no database and no clock. Total over any text."""

    def refused(code: str, why: str) -> ReceiptVerdict:
        return ReceiptVerdict(genuine=False, kid=None, code=code, why=why, claims=None)

    try:
        verified = verify_compact(token, ring, RECEIPT_TYPE, ALGORITHMS)
    except KeysError as error:
        return refused(error.code, error.detail)
    try:
        content = json.loads(verified.payload)
        problem = claims_problem(content)
    except (ValueError, CanonicalError, RecursionError):
        problem = "the claims are not JSON"
    if problem is not None:
        return refused("receipt.claims", problem)
    stolen = any(key.revoked_at is not None and key.kid in _rests_on(content) for key in ring.keys)
    return ReceiptVerdict(genuine=True, kid=verified.kid, code=None, why=None, claims=content, on_stolen_key=stolen)


def _rests_on(claims: Mapping[str, Any]) -> list[str]:
    """The keys of the receipts by which this one says that a time is proven."""
    signature = claims.get("signature")
    signers = signature.get("signers") if isinstance(signature, dict) else None
    found = signers if isinstance(signers, list) else []
    times = [signer.get("proven_time") for signer in found if isinstance(signer, dict)]
    kids = [time.get("kid") for time in times if isinstance(time, dict)]
    return [kid for kid in kids if isinstance(kid, str)]


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
    asked["credential"] = {name: value for name, value in asked["credential"].items() if value is not None}
    if "certificate" in asked["credential"]:
        # A receipt holds the fingerprint alone, and of a document its digest.
        if "signature" in claims:
            raise QueryRefused(Fault(pointer="/signature", code="document.needed"))
        raise QueryRefused(Fault(pointer="/query/credential/certificate", code="query.certificate_needed"))
    if "id" in asked["credential"]:
        asked["credential"] = {"id": asked["credential"]["id"]}
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
