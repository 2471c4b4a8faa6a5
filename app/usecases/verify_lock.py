"""Verify that whoever answers a challenge holds a CA lock that counts: one challenge, one answer."""

import base64
import binascii
import hashlib
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from app.ports import ChallengeStore
from app.usecases.challenge import Challenge, Challenger, name_of, problem_with
from app.usecases.recognize import Recognizer
from registry.decision import Decision
from registry.errors import Fault, QueryRefused
from registry.lock import Possession
from registry.query import Members, Question, printable, read_question

TYPE = "ca-certificate"
FORMATS = ("raw",)
RETRY = timedelta(minutes=10)
"""For so long the identical request gets its answer again."""
MAX_SIGNATURE = 4096  # characters of base64
_LIMITS = {"challenge_id": 2048, "signature": MAX_SIGNATURE, "signature_format": 16}
"""Characters. A challenge id carries the relying party's name, of up to 800 bytes."""
_TO_STANDARD = str.maketrans("-_", "+/")
_OWN = ("challenge_id", "certificate", "chain", "signature", "signature_format")
_COMMON = ("jurisdiction", "purpose", "relying_party", "valid_at", "expected_subject")


class Attempt(Struct, frozen=True, kw_only=True):
    """One answer to a challenge, read but not judged. `request` names the request: the same bytes, the same name."""

    question: Question
    challenge: Challenge | None
    possession: Possession
    request: str


class LockVerifier:
    """Judges answers to challenges. A challenge that was answered well is used up, for every process of the store."""

    def __init__(self, recognizer: Recognizer, challenger: Challenger, store: ChallengeStore) -> None:
        self._recognizer, self._challenger, self._store = recognizer, challenger, store

    def challenge(self, relying_party: str, purpose: str, now: datetime) -> Challenge:
        """A new challenge for a relying party and a purpose."""
        return self._challenger.make(relying_party, purpose, now)

    def read(self, content: Any, body: bytes, now: datetime) -> Attempt:
        """Reads an answer from its parsed body; the bytes themselves tell an identical retry. Raises `QueryRefused`."""
        own, question = _read(content, now)
        challenge = self._challenger.read(own["challenge_id"])
        problem = problem_with(challenge, question.relying_party, question.purpose, now)
        possession = Possession(
            message=b"" if challenge is None else challenge.to_be_signed,
            signature=_signature(own["signature"]),
            problem=problem,
            expires_at=None if challenge is None or problem != "challenge.expired" else challenge.expires_at,
        )
        request = hashlib.sha256(body).hexdigest()
        return Attempt(question=question, challenge=challenge, possession=possession, request=request)

    def earlier(self, attempt: Attempt, now: datetime) -> tuple[Attempt, bytes | None]:
        """The answer that the identical request got before; or the attempt, told that its challenge was used.

        A retry is for a connection that broke: after `RETRY` the answer is no longer given again, as it tells of then.
        """
        if attempt.challenge is None:
            return attempt, None
        used = self._store.find(name_of(attempt.challenge))
        if used is None:
            return attempt, None
        request, answer, used_at = used
        if request == attempt.request and now - used_at <= RETRY:
            return attempt, answer
        return replace(attempt, possession=replace(attempt.possession, problem="challenge.used")), None

    async def judge(self, attempt: Attempt) -> Decision:
        """The decision on an attempt. Raises `QueryRefused` and `StoreError`."""
        return await self._recognizer.answer(attempt.question, attempt.possession)

    def use(self, attempt: Attempt, decision: Decision, answer: bytes, now: datetime) -> bool:
        """Uses the challenge up where it was answered well; False when another request was first.

        Well is: by the key of a certificate that leads to a trust anchor. Nobody else's signature uses it up.
        """
        results = {finding.check: finding.result for finding in decision.checks}
        if attempt.challenge is None or not results["signature"] == results["path"] == "passed":
            return True
        return self._store.use(name_of(attempt.challenge), attempt.request, answer, now)


def _read(content: Any, now: datetime) -> tuple[dict[str, str], Question]:
    if not isinstance(content, dict):
        raise QueryRefused(Fault(pointer="", code="query.wrong_kind", params={"name": "query", "wanted": "object"}))
    faults: list[Fault] = []
    own = _own(content, faults)
    if own.get("signature_format", FORMATS[0]) not in FORMATS:
        params = {"value": printable(own["signature_format"]), "allowed": ", ".join(FORMATS)}
        faults.append(Fault(pointer="/signature_format", code="query.format_not_supported", params=params))
    for name in ("certificate", "relying_party"):
        if content.get(name) is None:
            faults.append(Fault(pointer=f"/{name}", code="query.member_missing", params={"name": name}))
    Members(content, "", faults).only(_MEMBERS)
    asked = {name: content[name] for name in _COMMON if name in content}
    credential = {"type": TYPE} | {name: content[name] for name in ("certificate", "chain") if name in content}
    try:
        question = read_question(asked | {"credential": credential}, now)
    except QueryRefused as refusal:
        raise QueryRefused(*faults, *(_at_top(fault) for fault in refusal.faults)) from None
    if faults:
        raise QueryRefused(*faults)
    return own, question


_MEMBERS = (*_OWN, *_COMMON)


def _own(content: dict[str, Any], faults: list[Fault]) -> dict[str, str]:
    """The texts that no other question has; notes what is wrong with them."""
    own: dict[str, str] = {}
    for name, limit in _LIMITS.items():
        value = content.get(name)
        if value is None:
            code = "query.member_missing"
        elif not isinstance(value, str):
            code = "query.wrong_kind"
        elif not value or len(value) > limit:
            code = "query.too_long" if value else "query.empty"
        else:
            own[name] = value
            continue
        faults.append(
            Fault(pointer=f"/{name}", code=code, params={"name": name, "wanted": "text", "limit": str(limit)})
        )
    return own


def _at_top(fault: Fault) -> Fault:
    """The fault where it is in this request: the certificate is no member of a credential here."""
    return Fault(pointer=fault.pointer.removeprefix("/credential"), code=fault.code, params=fault.params)


def _signature(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass  # white space, the other alphabet, no padding: read with more patience
    characters = "".join(text.split()).translate(_TO_STANDARD).rstrip("=")
    try:
        return base64.b64decode(characters + "=" * (-len(characters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise QueryRefused(
            Fault(pointer="/signature", code="query.encoding_malformed", params={"name": "signature"})
        ) from None
