"""The question: read strictly from outside values, then bound to the profile of the credential it is about."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from keys.certificate import Certificate, read_certificate
from keys.errors import KeysError
from registry.errors import Detail, Fault, QueryRefused, detail_of
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
_REFERENCE = ("id", "type", "number", "issuer", "certificate", "chain")
MAX_CHAIN = 8
_BEGIN = "-----BEGIN "
_CERTIFICATE_FAULTS = {"certificate.several": "certificate_several", "certificate.too_large": "certificate_too_large"}


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
    certificate: Certificate | None
    chain: tuple[Certificate, ...]
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
    certificate: Certificate | None = None
    chain: tuple[Certificate, ...] = ()
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
        credential: dict[str, Any] = {
            "id": self.id,
            "type": self.type,
            "number": self.number,
            "issuer": self.issuer,
        }
        if self.certificate is not None:
            credential["certificate"] = self.certificate.fingerprint
            credential["chain"] = [entry.fingerprint for entry in self.chain]
        return {
            "credential": credential,
            "jurisdiction": self.jurisdiction,
            "purpose": self.purpose,
            "valid_at": self.valid_at,
            "known_at": self.known_at,
            "relying_party": self.relying_party,
            "expected_subject": None if subject is None else {"uscc": subject.uscc, "name": subject.name},
            "facts": {name: list(v) if type(v) is tuple else v for name, v in self.facts.items()},
        }


class Members:
    """The members of one object; collects what is wrong with them instead of stopping at the first."""

    __slots__ = ("content", "faults", "pointer")

    def __init__(self, content: Mapping[str, Any], pointer: str, faults: list[Fault]) -> None:
        self.content, self.pointer, self.faults = content, pointer, faults

    def fault(self, key: str | None, code: str, **params: str | Detail) -> None:
        """Notes what is wrong with a member, or with the object itself."""
        pointer = self.pointer if key is None else f"{self.pointer}/{pointer_token(key)}"
        self.faults.append(Fault(pointer=pointer, code=code, params=params))

    def gives(self, key: str) -> bool:
        """Whether the member is there at all, well or badly."""
        return self.content.get(key) is not None

    def text(self, key: str, limit: int = _MAX_TEXT, *, required: bool = False) -> str | None:
        """A text without space around it, or None; notes what is wrong with it."""
        value = self.content.get(key)
        if value is None:
            if required:
                self.fault(key, "query.member_missing", name=key)
        elif type(value) is not str:
            self.fault(key, "query.wrong_kind", name=key, wanted="text")
        elif len(value) > limit:
            self.fault(key, "query.too_long", name=key, limit=str(limit))
        elif not value.isprintable() and forbidden_text(value):
            self.fault(key, "query.text_not_allowed", name=key)
        elif not (text := value.strip()):
            self.fault(key, "query.empty", name=key)
        else:
            return text
        return None

    def instant(self, key: str) -> datetime | None:
        """An instant in UTC, or None; notes what is wrong with it."""
        text = self.text(key)
        if text is None:
            return None
        try:
            return parse_instant(text)
        except InstantError as error:
            self.fault(key, f"query.{error.code}", name=key)
            return None

    def object(self, key: str) -> "Members | None":
        """The members of an object in this one, or None; their faults are noted here."""
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(key, "query.wrong_kind", name=key, wanted="object")
            return None
        return Members(value, f"{self.pointer}/{key}", self.faults)

    def only(self, known: Collection[str]) -> None:
        """Notes the members that are not among the known ones."""
        for key in self.content:
            if key not in known:
                self.fault(key, "query.unknown_member", name=printable(key), allowed=", ".join(known))


def pointer_token(key: str) -> str:
    """A member name as a JSON pointer token (RFC 6901), safe to print."""
    return printable(key).replace("~", "~0").replace("/", "~1")


def printable(text: str) -> str:
    """A name from outside, short and without what cannot be printed."""
    return "".join("�" if forbidden_text(character) else character for character in str(text)[:MAX_NUMBER])


def _read_expected(members: Members | None) -> ExpectedSubject | None:
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


class _Reference(Struct, frozen=True, kw_only=True):
    """How the credential was named."""

    id: str | None = None
    type: str | None = None
    number: str | None = None
    issuer: str | None = None
    certificate: Certificate | None = None
    chain: tuple[Certificate, ...] = ()


def read_certificate_member(members: Members, path: str, value: Any) -> Certificate | None:
    """The certificate at a path, or None; notes what is wrong with it."""
    code = "query.wrong_kind"
    params: dict[str, str | Detail] = {"name": path, "wanted": "text"}
    if isinstance(value, str):
        try:
            return read_certificate(value)
        except KeysError as error:
            own = _CERTIFICATE_FAULTS.get(error.code)
            code = f"query.{own or 'certificate_malformed'}"
            params = {"why": Detail(text=error.detail) if own else detail_of(error)}
            if own == "certificate_several" and path != "certificate":
                params["variant"] = "chain"
    members.faults.append(Fault(pointer=f"{members.pointer}/{path}", code=code, params=params))
    return None


def read_chain(members: Members) -> tuple[Certificate, ...]:
    """The certificates that came along: hints for the path, trusted for nothing."""
    given = members.content.get("chain")
    if given is None:
        return ()
    if not isinstance(given, list):
        members.fault("chain", "query.wrong_kind", name="chain", wanted="list")
        return ()
    if len(given) > MAX_CHAIN:
        members.fault("chain", "query.too_long", name="chain", limit=str(MAX_CHAIN))
        return ()
    pieces = [(place, piece) for place, value in enumerate(given) for piece in _pem_blocks(value)]
    if len(pieces) > MAX_CHAIN:
        members.fault("chain", "query.too_long", name="chain", limit=str(MAX_CHAIN))
        return ()
    read = [read_certificate_member(members, f"chain/{place}", piece) for place, piece in pieces]
    return tuple(entry for entry in read if entry is not None)


def _pem_blocks(value: Any) -> list[Any]:
    """The certificates of one entry, each by itself: a lock's chain.pem holds several. Anything else stays as it is."""
    if not isinstance(value, str) or value.count(_BEGIN) < 2:
        return [value]
    before, first, *others = value.split(_BEGIN)
    return [f"{before}{_BEGIN}{first}", *(f"{_BEGIN}{piece}" for piece in others)]


def _read_reference(members: Members | None) -> _Reference:
    if members is None:
        return _Reference()
    content = members.content
    certificate = None
    if content.get("certificate") is not None:
        certificate = read_certificate_member(members, "certificate", content["certificate"])
    identity, type_id = members.text("id", MAX_NUMBER), members.text("type", MAX_NUMBER)
    number, issuer = members.text("number", MAX_NUMBER), members.text("issuer", MAX_NUMBER)
    given = {key for key, value in content.items() if value is not None}
    named = [key for key in ("certificate", "id", "number") if key in given]
    if len(named) > 1 or (identity is not None and issuer is not None):
        members.fault(named[0], "query.credential_named_twice")
    if (number is not None or "certificate" in given) and "type" not in given:
        members.fault("type", "query.member_missing", name="type")
    if issuer is not None and "number" not in given and "id" not in given:
        members.fault("number", "query.member_missing", name="number")
    if "chain" in given and "certificate" not in given:
        members.fault("certificate", "query.member_missing", name="certificate")
    chain = read_chain(members)
    members.only(_REFERENCE)
    return _Reference(id=identity, type=type_id, number=number, issuer=issuer, certificate=certificate, chain=chain)


def read_question(content: Any, now: datetime, *, written: bool = False) -> Question:
    """A question from plain values. `now` is the default of both instants.

    Raises `QueryRefused` with every fault found, each with its JSON pointer.
    """
    if not isinstance(content, dict):
        raise QueryRefused(Fault(pointer="", code="query.wrong_kind", params={"name": "query", "wanted": "object"}))
    members = Members(content, "", [])
    reference = _read_reference(members.object("credential"))
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
        id=reference.id,
        type=reference.type,
        number=reference.number,
        issuer=reference.issuer,
        certificate=reference.certificate,
        chain=reference.chain,
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
    if question.certificate is not None and profile.evidence != "certificate":
        faults.append(Fault(pointer="/credential/certificate", code="query.certificate_not_of_type"))
    named = question.number is not None or question.id is not None or question.certificate is not None
    if not named and not purpose.uses_catalogue:
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
        certificate=question.certificate,
        chain=question.chain,
        jurisdiction=question.jurisdiction,
        purpose=question.purpose,
        valid_at=question.valid_at,
        known_at=question.known_at,
        relying_party=question.relying_party,
        expected_subject=question.expected_subject,
        facts=facts,
    )
