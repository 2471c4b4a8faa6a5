"""Verify that whoever answers a challenge holds a CA lock that counts: one challenge, one answer."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from app.ports import ChallengeStore
from app.usecases.challenge import Challenge, Challenger, name_of, problem_with
from app.usecases.octets import octets_of
from app.usecases.recognize import Recognizer
from app.usecases.signature_evidence import read_evidence
from app.usecases.verify_signature import read_cms
from keys.cms import Signer, find_certificate
from registry.decision import Decision
from registry.errors import Fault, QueryRefused
from registry.evidence import Brought, Possession
from registry.query import MAX_CHAIN, Members, Question, printable, read_chain, read_question
from registry.stapled import Stapled

TYPE = "ca-certificate"
FORMATS = ("raw", "cms")
RETRY = timedelta(minutes=10)
"""For so long the identical request gets its answer again."""
MAX_SIGNATURE = 4096  # characters of base64, of a bare signature
MAX_MESSAGE = 60_000  # the same of a CMS message
_LIMITS = {"challenge_id": 2048, "signature": MAX_MESSAGE, "signature_format": 16}
"""Characters. A challenge id carries the relying party's name, of up to 800 bytes."""
_OWN = ("challenge_id", "certificate", "chain", "signature", "signature_format", "evidence")
_COMMON = ("jurisdiction", "purpose", "relying_party", "valid_at", "expected_subject")


class Attempt(Struct, frozen=True, kw_only=True):
    """One answer to a challenge, read but not judged. `request` names the request: the same bytes, the same name."""

    question: Question
    challenge: Challenge | None
    possession: Possession
    request: str
    stapled: tuple[bytes, ...] = ()


class LockVerifier:
    """Judges answers to challenges. A challenge that was answered well is used up, for every process of the store."""

    def __init__(self, recognizer: Recognizer, challenger: Challenger, store: ChallengeStore) -> None:
        self._recognizer, self._challenger, self._store = recognizer, challenger, store

    def challenge(self, relying_party: str, purpose: str, now: datetime) -> Challenge:
        """A new challenge for a relying party and a purpose."""
        return self._challenger.make(relying_party, purpose, now)

    def read(self, content: Any, body: bytes, now: datetime) -> Attempt:
        """Reads an answer from its parsed body; the bytes themselves tell an identical retry. Raises `QueryRefused`."""
        own, question, stapled = _read(content, now)
        challenge = self._challenger.read(own["challenge_id"])
        problem = problem_with(challenge, question.relying_party, question.purpose, now)
        signature, signer = octets_of(own["signature"], "/signature", "signature"), None
        if own["signature_format"] == "cms":
            signer, question = _signer(signature, question)
            signature = signer.signature
        possession = Possession(
            message=b"" if challenge is None else challenge.to_be_signed,
            signature=signature,
            problem=problem,
            expires_at=None if challenge is None or problem != "challenge.expired" else challenge.expires_at,
            signer=signer,
        )
        request = hashlib.sha256(body).hexdigest()
        return Attempt(question=question, challenge=challenge, possession=possession, request=request, stapled=stapled)

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
        return await self._recognizer.answer(
            attempt.question, Brought(shown=attempt.possession, stapled=Stapled(attempt.stapled))
        )

    def use(self, attempt: Attempt, decision: Decision, answer: bytes, now: datetime) -> bool:
        """Uses the challenge up where it was answered well; False when another request was first.

        Well is: by the key of a certificate that leads to a trust anchor. Nobody else's signature uses it up.
        """
        results = {finding.check: finding.result for finding in decision.checks}
        if attempt.challenge is None or not results["signature"] == results["path"] == "passed":
            return True
        return self._store.use(name_of(attempt.challenge), attempt.request, answer, now)


def again(attempt: Attempt) -> Attempt:
    """The attempt as it was when it was answered well: its challenge was good then, and may have expired since."""
    return replace(attempt, possession=replace(attempt.possession, problem=None))


def _signer(octets: bytes, question: Question) -> tuple[Signer, Question]:
    """The one signer of a CMS message, and the question about his certificate. Raises `QueryRefused`."""
    message = read_cms(octets)
    if len(message.signers) > 1:
        params = {"limit": "1"}
        raise QueryRefused(Fault(pointer="/signature", code="document.too_many_signers", params=params))
    given = (*([question.certificate] if question.certificate else []), *question.chain, *message.certificates)
    signer = message.signers[0]
    found = find_certificate(signer, given)
    if found is None:
        raise QueryRefused(Fault(pointer="/certificate", code="document.certificate_missing"))
    hints = tuple(dict.fromkeys(entry for entry in given if entry != found))[: 4 * MAX_CHAIN]
    return signer, replace(question, certificate=found, chain=hints)


def _read(content: Any, now: datetime) -> tuple[dict[str, str], Question, tuple[bytes, ...]]:
    if not isinstance(content, dict):
        raise QueryRefused(Fault(pointer="", code="query.wrong_kind", params={"name": "query", "wanted": "object"}))
    faults: list[Fault] = []
    own = _own(content, faults)
    if own.get("signature_format", FORMATS[0]) not in FORMATS:
        params = {"value": printable(own["signature_format"]), "allowed": ", ".join(FORMATS)}
        faults.append(Fault(pointer="/signature_format", code="query.format_not_supported", params=params))
    bare = own.get("signature_format") != "cms"
    if bare and len(own.get("signature", "")) > MAX_SIGNATURE:
        params = {"name": "signature", "limit": str(MAX_SIGNATURE)}
        faults.append(Fault(pointer="/signature", code="query.too_long", params=params))
    for name in ("certificate", "relying_party") if bare else ("relying_party",):
        if content.get(name) is None:
            faults.append(Fault(pointer=f"/{name}", code="query.member_missing", params={"name": name}))
    members = Members(content, "", faults)
    members.only(_MEMBERS)
    evidence = read_evidence(members)
    chain = () if content.get("certificate") is not None else read_chain(members)
    asked = {name: content[name] for name in _COMMON if name in content}
    credential = {"type": TYPE} | {name: content[name] for name in ("certificate", "chain") if name in content}
    try:
        question = read_question(asked | {"credential": credential}, now)
    except QueryRefused as refusal:
        raise QueryRefused(*faults, *(_at_top(fault) for fault in refusal.faults)) from None
    if faults:
        raise QueryRefused(*faults)
    # Here a timestamp or a receipt would prove nothing: a challenge is answered now.
    stapled = tuple(piece.octets for piece in evidence if piece.kind == "ocsp")
    return own, replace(question, chain=(*question.chain, *chain)), stapled


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
