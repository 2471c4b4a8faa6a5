"""Sign what was answered."""

import os
from datetime import datetime

from keys.custody import Signer
from keys.jws import sign_compact
from registry.canonical import unguarded_canonical_json
from registry.decision import Decision
from registry.receipt import RECEIPT_TYPE, Origin, claims


def issue_receipt(decision: Decision, origin: Origin, signer: Signer, evaluated_at: datetime) -> str:
    """A receipt over the decision, as a compact JWS of type `recognition-receipt+jwt`."""
    jti = f"rcpt_{os.urandom(16).hex()}"
    return sign_compact(
        unguarded_canonical_json(claims(decision, origin, evaluated_at=evaluated_at, jti=jti)), signer, RECEIPT_TYPE
    )
