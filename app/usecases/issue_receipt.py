"""Sign what was answered."""

import os
from datetime import datetime

from keys.custody import Signer
from keys.jws import sign_compact
from registry.canonical import unguarded_canonical_json
from registry.decision import Decision
from registry.receipt import RECEIPT_TYPE, Origin, claims
from registry.signers import SignatureAnswer


def issue_receipt(
    decision: Decision, origin: Origin, signer: Signer, evaluated_at: datetime, answer: SignatureAnswer | None = None
) -> str:
    """A receipt over the decision, as a compact JWS of type `recognition-receipt+jwt`.

    `answer`: that on the signatures of a document, of whose signers the decision is about one.
    """
    said = claims(decision, origin, evaluated_at=evaluated_at, jti=f"rcpt_{os.urandom(16).hex()}", answer=answer)
    return sign_compact(unguarded_canonical_json(said), signer, RECEIPT_TYPE)
