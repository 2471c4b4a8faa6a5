"""CA locks over HTTP: challenges, and answers to them. As lean as the main question: a lock is judged in a second."""

import base64
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app import clock
from app.api.body import parse_json, read_body, read_parameters
from app.api.middleware import request_language, send_bytes
from app.api.signing import signed_receipt
from app.bootstrap import Node
from app.messages import messages, negotiate
from app.ports import StoreError
from app.presentation import answer_view, to_json
from app.usecases.verify_lock import Attempt, again
from app.usecases.verify_receipt import KEY_COMPROMISED, verify_receipt
from registry.decision import Decision
from registry.errors import Fault, QueryRefused
from registry.policy import Policy
from registry.query import Members, printable

CHALLENGES = "/v1/ca/challenges"
VERIFICATIONS = "/v1/ca/verifications"
_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept-Language, Authorization"),
)
_TRIES = 3


def read_challenge(content: Any, policy: Policy) -> tuple[str, str]:
    """For whom and for what a challenge is asked. Raises `QueryRefused`."""
    if not isinstance(content, dict):
        raise QueryRefused(Fault(pointer="", code="query.wrong_kind", params={"name": "query", "wanted": "object"}))
    members = Members(content, "", [])
    relying_party, purpose = members.text("relying_party", required=True), members.text("purpose", required=True)
    members.only(("purpose", "relying_party"))
    purposes = sorted(
        {name for profile in policy.profiles.values() if profile.evidence == "certificate" for name in profile.purposes}
    )
    if purpose is not None and purpose not in purposes:
        params = {"value": printable(purpose), "allowed": ", ".join(purposes)}
        members.faults.append(Fault(pointer="/purpose", code="query.unknown_purpose", params=params))
    if members.faults:
        raise QueryRefused(*members.faults)
    return relying_party or "", purpose or ""


async def _posted(scope: Scope, receive: Receive) -> bytes:
    if scope["method"] != "POST":
        raise HTTPException(405, headers={"Allow": "POST"})
    if scope["query_string"]:
        read_parameters(scope, ())
    return await read_body(scope, receive)


class ChallengeEndpoint:
    """`POST /v1/ca/challenges`."""

    path = CHALLENGES

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Gives out a challenge for a purpose that locks have."""
        body = await _posted(scope, receive)
        scope["route"] = self
        relying_party, purpose = self._asked(parse_json(body))
        challenge = self._node.verifier.challenge(relying_party, purpose, clock.now())
        view = {
            "challenge_id": challenge.id,
            "to_be_signed": base64.b64encode(challenge.to_be_signed).decode(),
            "expires_at": challenge.expires_at,
        }
        await send_bytes(send, 200, to_json(view), list(_HEADERS))

    def _asked(self, content: Any) -> tuple[str, str]:
        return read_challenge(content, self._node.recognizer.policies.latest)


class VerificationEndpoint:
    """`POST /v1/ca/verifications`."""

    path = VERIFICATIONS

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with 200 whatever the decision. The identical request gets its first answer again.

        But for one that is signed by a key which was declared compromised since: that is signed anew.
        """
        body = await _posted(scope, receive)
        scope["route"] = self
        verifier, now = self._node.verifier, clock.now()
        attempt = verifier.read(parse_json(body), body, now)
        for _ in range(_TRIES):
            attempt, answer = verifier.earlier(attempt, now)
            if answer is None:
                answer = await self._answer(attempt, scope)
            elif self._is_void(answer):
                answer, _ = await self._judged(again(attempt), scope)
            if answer is not None:
                break
        if answer is None:
            raise StoreError("a challenge was used by nobody and could not be used")
        language, _, content = answer.partition(b"\n")
        await send_bytes(send, 200, content, [*_HEADERS, (b"content-language", language)])

    async def _answer(self, attempt: Attempt, scope: Scope) -> bytes | None:
        """The answer with its language before it; None when another request used the challenge in between."""
        answer, decision = await self._judged(attempt, scope)
        return answer if self._node.verifier.use(attempt, decision, answer, clock.now()) else None

    def _is_void(self, answer: bytes) -> bool:
        """Whether the key that signed an earlier answer has been declared compromised since."""
        receipt = parse_json(answer.partition(b"\n")[2])["receipt"]
        return verify_receipt(receipt, self._node.ring).code == KEY_COMPROMISED

    async def _judged(self, attempt: Attempt, scope: Scope) -> tuple[bytes, Decision]:
        node, now = self._node, clock.now()
        decision = await node.verifier.judge(attempt)
        catalogue = messages(negotiate(request_language(scope)))
        view = answer_view(decision, catalogue, node.origin)
        view["evaluated_at"] = now
        view["receipt"] = await signed_receipt(decision, node, now)
        view["request_id"] = scope["request_id"]
        return catalogue.language.encode() + b"\n" + to_json(view), decision
