"""Reads what is asked of a document's signatures. Nothing is judged here."""

from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from app.usecases.octets import octets_of
from app.usecases.signature_evidence import Evidence, read_evidence
from keys.certificate import Certificate
from keys.content import KINDS, SM2_E, Content, Octets, digested
from keys.errors import KeysError
from registry.errors import Detail, Fault, QueryRefused
from registry.query import Members, Question, printable, read_certificate_member, read_chain, read_question
from registry.signers import MAX_SIGNERS, ROLES, Requirement, Role

TYPE = "ca-certificate"
FORMATS = ("raw", "cms")
_OWN = (
    "content",
    "digest",
    "digest_kind",
    "signature",
    "signature_format",
    "certificate",
    "chain",
    "evidence",
    "requirement",
    "deadline",
    "fetch",
)
_COMMON = ("jurisdiction", "purpose", "relying_party", "valid_at", "known_at", "expected_subject")
_MOST_MILLISECONDS = 10_000


class SignatureRequest(Struct, frozen=True, kw_only=True):
    """What was asked. `question` has no certificate yet: each signer is asked about with his own.

    `content` None: it is in the message, or missing. `deadline`: by when the signatures must be proven to have existed.
    `fetch`: for so long (seconds) revocation evidence may be fetched before the answer; None: not at all.
    """

    question: Question
    signature: bytes
    format: str
    content: Content | None
    certificate: Certificate | None
    chain: tuple[Certificate, ...]
    evidence: tuple[Evidence, ...]
    requirement: Requirement | None
    deadline: datetime | None
    fetch: float | None


def read_request(given: Any, now: datetime, document: Content | None = None) -> SignatureRequest:
    """Reads a request from plain values; `document` is the content where the caller holds it otherwise.

    Raises `QueryRefused` with every fault found, each with its JSON pointer.
    """
    if not isinstance(given, dict):
        raise QueryRefused(Fault(pointer="", code="query.wrong_kind", params={"name": "query", "wanted": "object"}))
    members = Members(given, "", [])
    members.only((*_OWN, *_COMMON))
    form = members.text("signature_format") or "raw"
    if form not in FORMATS:
        params = {"value": printable(form), "allowed": ", ".join(FORMATS)}
        members.faults.append(Fault(pointer="/signature_format", code="query.format_not_supported", params=params))
    signature = _octets(members, "signature")
    if signature is None and not members.faults:
        members.fault("signature", "query.member_missing", name="signature")
    content = document if document is not None else _content(members)
    certificate = None
    if members.gives("certificate"):
        certificate = read_certificate_member(members, "certificate", given["certificate"])
    elif form == "raw":
        members.fault("certificate", "query.member_missing", name="certificate")
    chain = read_chain(members)
    requirement = _requirement(members)
    deadline = members.instant("deadline")
    evidence = read_evidence(members)
    fetch = _fetch(members)
    try:
        question = read_question(
            {name: given[name] for name in _COMMON if name in given} | {"credential": {"type": TYPE}}, now
        )
    except QueryRefused as refusal:
        raise QueryRefused(*members.faults, *refusal.faults) from None
    if members.faults:
        raise QueryRefused(*members.faults)
    if not question.asked_valid_at:
        question = structs.replace(question, valid_at=question.known_at)
    return SignatureRequest(
        question=question,
        signature=signature or b"",
        format=form,
        content=content,
        certificate=certificate,
        chain=chain,
        evidence=evidence,
        requirement=requirement,
        deadline=deadline,
        fetch=fetch,
    )


def known_until(request: SignatureRequest, now: datetime) -> SignatureRequest:
    """The same request with what is known by now, as evidence was fetched for it."""
    question = request.question
    valid_at = question.valid_at if question.asked_valid_at else now
    return structs.replace(request, question=structs.replace(question, known_at=now, valid_at=valid_at))


def _octets(members: Members, name: str) -> bytes | None:
    """A member's octets: base64 as JSON has them, or octets as they came. None where there are none."""
    value = members.content.get(name)
    if value is None or isinstance(value, bytes):
        return value or None
    if not isinstance(value, str):
        members.fault(name, "query.wrong_kind", name=name, wanted="text")
    else:
        try:
            found = octets_of(value, f"/{name}", name)
        except QueryRefused as refusal:
            members.faults.extend(refusal.faults)
        else:
            if found or name == "content":
                return found
            members.fault(name, "query.empty", name=name)
    return None


def _content(members: Members) -> Content | None:
    """The content or a digest of it; one of the two."""
    kind = members.text("digest_kind")
    if members.gives("content") and members.gives("digest"):
        members.fault("digest", "document.content_twice")
        return None
    if members.gives("content"):
        content = _octets(members, "content")
        return None if content is None else Octets(content)
    if not members.gives("digest"):
        if kind is not None:
            members.fault("digest", "query.member_missing", name="digest")
        return None
    value = _octets(members, "digest")
    if kind is None:
        members.fault("digest_kind", "query.member_missing", name="digest_kind")
    if value is None or kind is None:
        return None
    try:
        return digested(kind, value)
    except KeysError as error:
        code, why = "digest.malformed", Detail(text=error.detail)
        if kind not in KINDS:
            allowed = ", ".join(KINDS)
            members.fault("digest_kind", code, variant="kind", value=printable(kind), allowed=allowed, why=why)
        else:
            wanted, given = str(len(Octets(b"").digest("sm3" if kind == SM2_E else kind))), str(len(value))
            members.fault("digest", code, variant="length", kind=kind, wanted_bytes=wanted, given=given, why=why)
        return None


def _requirement(members: Members) -> Requirement | None:
    asked = members.object("requirement")
    if asked is None:
        return None
    asked.only((*ROLES, "same_subject"))
    counts: dict[Role, int] = {}
    for role in ROLES:
        value = asked.content.get(role, 0)
        if type(value) is not int:
            asked.fault(role, "query.wrong_kind", name=role, wanted="integer")
        elif not 0 <= value <= MAX_SIGNERS:
            asked.fault(role, "query.out_of_range", name=role, minimum="0", maximum=str(MAX_SIGNERS))
        elif value:
            counts[role] = value
    same = asked.content.get("same_subject", False)
    if type(same) is not bool:
        asked.fault("same_subject", "query.wrong_kind", name="same_subject", wanted="boolean")
    if not counts and not asked.faults:
        asked.fault(None, "document.requirement_empty")
    if same is True and max(counts.values(), default=0) > 1:
        asked.fault("same_subject", "document.requirement_impossible")
    return Requirement(counts=counts, same_subject=same is True)


def _fetch(members: Members) -> float | None:
    """For how many seconds evidence may be fetched: `{"deadline_ms": 2000}`."""
    asked = members.object("fetch")
    if asked is None:
        return None
    asked.only(("deadline_ms",))
    value: Any = asked.content.get("deadline_ms")
    if value is not None and type(value) is not int:
        asked.fault("deadline_ms", "query.wrong_kind", name="deadline_ms", wanted="integer")
        return None
    if value is None or not 1 <= value <= _MOST_MILLISECONDS:
        asked.fault(
            "deadline_ms", "query.out_of_range", name="deadline_ms", minimum="1", maximum=str(_MOST_MILLISECONDS)
        )
        return None
    return value / 1000
