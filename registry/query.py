"""The question: read strictly from outside values, then bound to the profile of the credential it is about."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from registry.errors import Fault, QueryRefused
from registry.field import FactValue, ValueProblem, forbidden_text, read_fact
from registry.identifiers import compact, uscc_well_formed
from registry.period import InstantError, parse_instant
from registry.policy import Policy
from registry.profile import CredentialProfile

MAX_NUMBER = 64
MAX_FACTS = 64
_MAX_TEXT = 200
_MEMBERS = (
    "credential",
    "jurisdiction",
    "purpose",
    "valid_at",
    "known_at",
    "relying_party",
    "expected_subject",
    "facts",
)
_REFERENCE = ("id", "type", "number", "issuer")


class ExpectedSubject(Struct, frozen=True, kw_only=True):
    """Whom the asker believes to be the holder; either member may be None, not both."""

    uscc: str | None
    name: str | None


class Question(Struct, frozen=True, kw_only=True):
    """What was asked, before it is known which profile it is about. Facts are still as given.

    `written` says that the facts came as text (a link or a shell). `asked_valid_at` and `asked_known_at` say
    whether the asker gave the instant or took the default.
    """

    id: str | None
    type: str | None
    number: str | None
    issuer: str | None
    jurisdiction: str
    purpose: str
    valid_at: datetime
    known_at: datetime
    asked_valid_at: bool
    asked_known_at: bool
    relying_party: str | None
    expected_subject: ExpectedSubject | None
    facts: Mapping[str, Any]
    written: bool


class RecognitionQuery(Struct, frozen=True, kw_only=True):
    """The question about one credential type: does it count there, for this purpose, at this time?"""

    id: str | None
    type: str
    number: str | None
    issuer: str | None
    jurisdiction: str
    purpose: str
    valid_at: datetime
    known_at: datetime
    relying_party: str | None
    expected_subject: ExpectedSubject | None
    facts: Mapping[str, FactValue]

    def statement(self) -> dict[str, Any]:
        """The query as it is signed and hashed: every member, given or not."""
        subject = self.expected_subject
        return {
            "credential": {"id": self.id, "type": self.type, "number": self.number, "issuer": self.issuer},
            "jurisdiction": self.jurisdiction,
            "purpose": self.purpose,
            "valid_at": self.valid_at,
            "known_at": self.known_at,
            "relying_party": self.relying_party,
            "expected_subject": None if subject is None else {"uscc": subject.uscc, "name": subject.name},
            "facts": {name: list(v) if type(v) is tuple else v for name, v in self.facts.items()},
        }


class _Members:
    """The members of one object; collects what is wrong with them instead of stopping at the first."""

    __slots__ = ("content", "faults", "pointer")

    def __init__(self, content: Mapping[str, Any], pointer: str, faults: list[Fault]) -> None:
        self.content, self.pointer, self.faults = content, pointer, faults

    def fault(self, key: str | None, code: str, **params: str) -> None:
        """Notes what is wrong with a member, or with the object itself."""
        pointer = self.pointer if key is None else f"{self.pointer}/{pointer_token(key)}"
        self.faults.append(Fault(pointer=pointer, code=code, params=params))

    def gives(self, key: str) -> bool:
        """Whether the member is there at all, well or badly."""
        return self.content.get(key) is not None

    def text(self, key: str, limit: int = _MAX_TEXT, *, required: bool = False) -> str | None:
        value = self.content.get(key)
        if value is None:
            if required:
                self.fault(key, "query.member_missing", name=key)
            return None
        if not isinstance(value, str):
            self.fault(key, "query.wrong_kind", name=key, wanted="text")
        elif len(value) > limit:
            self.fault(key, "query.too_long", name=key, limit=str(limit))
        elif not value.isprintable() and forbidden_text(value):
            self.fault(key, "query.text_not_allowed", name=key)
        else:
            text = value.strip()
            if text:
                return text
            self.fault(key, "query.empty", name=key)
        return None

    def instant(self, key: str) -> datetime | None:
        text = self.text(key)
        if text is None:
            return None
        try:
            return parse_instant(text)
        except InstantError as error:
            self.fault(key, f"query.{error.code}", name=key)
            return None

    def object(self, key: str) -> "_Members | None":
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(key, "query.wrong_kind", name=key, wanted="object")
            return None
        return _Members(value, f"{self.pointer}/{key}", self.faults)

    def only(self, known: Collection[str]) -> None:
        for key in self.content:
            if key not in known:
                self.fault(key, "query.unknown_member", name=printable(key), allowed=", ".join(known))


def pointer_token(key: str) -> str:
    """A member name as a JSON pointer token (RFC 6901), safe to print."""
    return printable(key).replace("~", "~0").replace("/", "~1")


def printable(text: str) -> str:
    """A name from outside, short and without what cannot be printed."""
    return "".join("�" if forbidden_text(character) else character for character in str(text)[:MAX_NUMBER])


def _read_expected(members: _Members | None) -> ExpectedSubject | None:
    if members is None:
        return None
    uscc, name = members.text("uscc"), members.text("name")
    if uscc is not None:
        uscc = compact(uscc)
        if not uscc_well_formed(uscc):
            members.fault("uscc", "query.uscc_malformed")
    if not members.gives("uscc") and not members.gives("name"):
        members.fault(None, "query.member_missing", name="uscc")
    members.only(("uscc", "name"))
    return ExpectedSubject(uscc=uscc, name=name)


def _read_reference(members: _Members | None) -> tuple[str | None, str | None, str | None, str | None]:
    """Id, type, number and issuer of the credential asked about."""
    if members is None:
        return None, None, None, None
    if "certificate" in members.content:
        members.fault("certificate", "query.certificate_not_supported")
        members.content = {key: value for key, value in members.content.items() if key != "certificate"}
    identity, type_id = members.text("id", MAX_NUMBER), members.text("type", MAX_NUMBER)
    number, issuer = members.text("number", MAX_NUMBER), members.text("issuer", MAX_NUMBER)
    if identity is not None and (number is not None or issuer is not None):
        members.fault("id", "query.credential_named_twice")
    if number is not None and not members.gives("type"):
        members.fault("type", "query.member_missing", name="type")
    if issuer is not None and not members.gives("number") and not members.gives("id"):
        members.fault("number", "query.member_missing", name="number")
    members.only(_REFERENCE)
    return identity, type_id, number, issuer


def read_question(content: Any, now: datetime, *, written: bool = False) -> Question:
    """A question from plain values. `now` is the default of both instants.

    Raises `QueryRefused` with every fault found, each with its JSON pointer.
    """
    if not isinstance(content, dict):
        raise QueryRefused(Fault(pointer="", code="query.wrong_kind", params={"name": "query", "wanted": "object"}))
    members = _Members(content, "", [])
    identity, type_id, number, issuer = _read_reference(members.object("credential"))
    jurisdiction = members.text("jurisdiction", required=True)
    purpose = members.text("purpose", required=True)
    valid_at, known_at = members.instant("valid_at"), members.instant("known_at")
    relying_party = members.text("relying_party")
    expected = _read_expected(members.object("expected_subject"))
    facts = members.object("facts")
    members.only(_MEMBERS)
    if facts is not None and len(facts.content) > MAX_FACTS:
        members.fault("facts", "query.too_long", name="facts", limit=str(MAX_FACTS))
    if known_at is not None and known_at > now:
        members.fault("known_at", "query.known_at_in_future", name="known_at")
    if members.faults:
        raise QueryRefused(*members.faults)
    return Question(
        id=identity,
        type=type_id,
        number=number,
        issuer=issuer,
        jurisdiction=jurisdiction or "",
        purpose=purpose or "",
        valid_at=valid_at or now,
        known_at=known_at or now,
        asked_valid_at=valid_at is not None,
        asked_known_at=known_at is not None,
        relying_party=relying_party,
        expected_subject=expected,
        facts={} if facts is None else facts.content,
        written=written,
    )


def profile_for(question: Question, policy: Policy) -> CredentialProfile | None:
    """The profile a question is about; None when it names the credential by id only.

    A question without a credential is about the one type that has the purpose and a catalogue for it.
    Raises `QueryRefused`.
    """
    if question.jurisdiction not in policy.recognizing:
        raise QueryRefused(
            _unknown("/jurisdiction", "query.unknown_jurisdiction", question.jurisdiction, policy.recognizing)
        )
    if question.type is not None:
        profile = policy.profiles.get(question.type)
        if profile is None:
            raise QueryRefused(_unknown("/credential/type", "query.unknown_type", question.type, policy.profiles))
        return profile
    if question.id is not None:
        return None
    able = [profile for profile in policy.profiles.values() if question.purpose in profile.purposes]
    if not able:
        known = sorted({name for profile in policy.profiles.values() for name in profile.purposes})
        raise QueryRefused(_unknown("/purpose", "query.unknown_purpose", question.purpose, known))
    listed = [profile for profile in able if profile.purposes[question.purpose].uses_catalogue]
    if len(listed) != 1:
        raise QueryRefused(Fault(pointer="/credential", code="query.credential_required"))
    return listed[0]


def _unknown(pointer: str, code: str, value: str, allowed: Any) -> Fault:
    return Fault(pointer=pointer, code=code, params={"value": printable(value), "allowed": ", ".join(allowed)})


def bind(question: Question, profile: CredentialProfile) -> RecognitionQuery:
    """The question about a credential of this profile, its facts read by their kinds. Raises `QueryRefused`."""
    purpose = profile.purposes.get(question.purpose)
    if purpose is None:
        raise QueryRefused(_unknown("/purpose", "query.purpose_unknown_for_type", question.purpose, profile.purposes))
    faults: list[Fault] = []
    if question.number is None and question.id is None and not purpose.uses_catalogue:
        faults.append(Fault(pointer="/credential", code="query.credential_required"))
    if profile.evidence == "certificate" and question.valid_at > question.known_at:
        faults.append(Fault(pointer="/valid_at", code="query.valid_at_in_future"))
    facts: dict[str, FactValue] = {}
    for name, value in question.facts.items():
        declared = profile.facts.get(name)
        if declared is None:
            faults.append(_unknown(f"/facts/{pointer_token(name)}", "query.unknown_fact", name, profile.facts))
            continue
        try:
            facts[name] = read_fact(declared, value, question.written)
        except ValueProblem as problem:
            params = {"name": name, "wanted": problem.allowed, "limit": problem.allowed}
            faults.append(Fault(pointer=f"/facts/{name}", code=f"query.{problem.code}", params=params))
    if faults:
        raise QueryRefused(*faults)
    return RecognitionQuery(
        id=question.id,
        type=profile.id,
        number=question.number,
        issuer=question.issuer,
        jurisdiction=question.jurisdiction,
        purpose=question.purpose,
        valid_at=question.valid_at,
        known_at=question.known_at,
        relying_party=question.relying_party,
        expected_subject=question.expected_subject,
        facts=facts,
    )
