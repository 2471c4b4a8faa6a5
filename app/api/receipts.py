"""Checking receipts over HTTP, and saying what would be answered today."""

from typing import Any

from app import clock
from app.api.problems import problem
from app.bootstrap import Node
from app.messages import Messages
from app.presentation import fault_view
from app.usecases.verify_receipt import KEY_COMPROMISED, compare_with_today, shown_names, verify_receipt
from registry.errors import Fault, QueryRefused

MAX_RECEIPT = 48 * 1024


def _submitted(content: Any) -> str:
    if not isinstance(content, dict) or not isinstance(content.get("receipt"), str):
        raise problem("query.member_missing", "/receipt", name="receipt")
    for name in content:
        if name != "receipt":
            raise problem(
                "query.unknown_member", "", name=name[:64].encode("utf-8", "replace").decode(), allowed="receipt"
            )
    token: str = content["receipt"].strip()
    if not token:
        raise problem("query.empty", "/receipt", name="receipt")
    if len(token) > MAX_RECEIPT:
        raise problem("receipt.too_large", "/receipt")
    return token


async def report(node: Node, content: Any, messages: Messages) -> dict[str, Any]:
    """The report on a submitted receipt. Raises `Problem` for a submission that holds none."""
    verdict = verify_receipt(_submitted(content), node.ring)
    view: dict[str, Any] = {
        "genuine": verdict.genuine,
        "code": verdict.code,
        "message": None if verdict.code is None else messages.refusal(verdict.code),
        "why": verdict.why,
        "kid": verdict.kid if verdict.genuine else None,
        "claims": None if verdict.claims is None else dict(verdict.claims),
        "changed": None,
        "differences": [],
        "today": None,
        "problem": None,
        "livemode": node.origin.livemode,
    }
    if verdict.code == KEY_COMPROMISED:
        view["problem"] = [fault_view(Fault(pointer="/receipt", code="receipt.key_compromised"), messages)]
    if verdict.claims is None:
        return view
    doubts = [Fault(pointer="/receipt", code="receipt.rests_on_compromised")] if verdict.on_stolen_key else []
    if verdict.unread:
        params = {"names": shown_names(verdict.unread)}
        doubts.append(Fault(pointer="/receipt", code="receipt.unread", params=params))
    view["problem"] = [fault_view(fault, messages) for fault in doubts] or None
    try:
        today, differences = await compare_with_today(verdict.claims, node.recognizer, clock.now())
    except QueryRefused as error:
        view["problem"] = [fault_view(fault, messages) for fault in (*doubts, *error.faults)]
        return view
    view["changed"] = bool(differences)
    view["differences"] = [{"name": entry.name, "then": entry.then, "now": entry.now} for entry in differences]
    view["today"] = {
        "decision": today["decision"],
        "reasons": [reason["code"] for reason in today["reasons"]],
        "known_at": today["query"]["known_at"],
    }
    return view
