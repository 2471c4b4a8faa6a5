"""Receipts signed on the event loop's own thread, or beside it where the key is not in this process."""

import asyncio
from datetime import datetime

from app.bootstrap import Node
from app.usecases.issue_receipt import issue_receipt
from registry.decision import Decision
from registry.signers import SignatureAnswer


async def signed_receipt(decision: Decision, node: Node, now: datetime, answer: SignatureAnswer | None = None) -> str:
    """A receipt over the decision. Raises CustodyError where the key cannot be reached: then there is no answer."""
    signer = node.signer
    if signer.remote:
        # A token may take its time, or never answer: other requests go on.
        return await asyncio.to_thread(issue_receipt, decision, node.origin, signer, now, answer)
    return issue_receipt(decision, node.origin, signer, now, answer)  # a thread costs as much as the signature
