"""A credential as a register knows it: claims, lifecycle events, and its state at a legal instant."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, MsgspecError, Struct, convert
from msgspec.json import Decoder
from msgspec.structs import replace

from registry.document import LegalBasis
from registry.errors import DocumentError
from registry.field import MAX_ITEMS, MAX_TEXT, Field, ValueProblem, forbidden_text, read_fact
from registry.identifiers import compact, uscc_well_formed
from registry.lifecycle import EVENTS, FINAL
from registry.period import InstantError, format_instant, parse_instant
from registry.profile import CredentialProfile

REVOCATION_KINDS = ("annulled", "penalty", "withdrawn")
"""撤销 (annulled), 吊销 (penalty), 撤回 (withdrawn)."""
SUBJECT_KINDS = ("organisation", "person")

Instant = Annotated[datetime, Meta(tz=True)]
"""An instant as a kept version has it: with an offset, or it is no version of ours."""


class Subject(Struct, frozen=True, kw_only=True):
    """The holder. A natural person's name is never shown to the public.

    `salt` is a secret beside a person's name: the version's digest is public, and nobody shall find the name by
    trying names until the digest agrees.
    """

    kind: str
    name: str
    uscc: str | None
    salt: str | None = None


class Attestation(Struct, frozen=True, kw_only=True):
    """The signed statement behind a step: the digest of its bytes, the issuer's key, and its own time."""

    digest: str
    kid: str
    made_at: Instant


class Event(Struct, frozen=True, kw_only=True):
    """One lifecycle step: `effective_at` in law, `recorded_at` in the register.

    `statement` is what the issuer signed for it; None where the register is not signed.
    """

    event: str
    effective_at: Instant
    recorded_at: Instant
    kind: str | None = None
    reason_code: str | None = None
    legal_basis: tuple[LegalBasis, ...] = ()
    successor: Mapping[str, str] | None = None
    changes: Mapping[str, Any] | None = None
    statement: Attestation | None = None


class CredentialState(Struct, frozen=True, kw_only=True):
    """What holds at one legal instant. `status` says nothing of the validity period."""

    status: str
    event: Event | None
    subject: Subject
    valid_from: datetime | None
    valid_until: datetime | None
    attributes: Mapping[str, Any]


class Credential(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a credential: what the register knew from some `known_from` on.

    Valid from `valid_from` (inclusive) until `valid_until` (exclusive); None leaves that side open. `statement` is what
    the issuer signed to register it; None where the register is not signed.
    """

    type: str
    number: str
    issuer: str
    subject: Subject
    issued_at: Instant
    valid_from: Instant | None
    valid_until: Instant | None
    attributes: Mapping[str, Any]
    recorded_at: Instant
    predecessor: str | None
    events: tuple[Event, ...]
    statement: Attestation | None = None

    def state_at(self, valid_at: datetime) -> CredentialState:
        """Folds the events effective by then. Of several final steps the gravest counts."""
        state = CredentialState(
            status="valid",
            event=None,
            subject=self.subject,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            attributes=self.attributes,
        )
        for event in self.events:
            if event.effective_at <= valid_at:
                state = _after(state, event)
        return state

    def content(self) -> dict[str, Any]:
        """The version as plain values, ready for canonical JSON; `read_version` reads that back."""
        content = {
            "type": self.type,
            "number": self.number,
            "issuer": self.issuer,
            "subject": _subject_content(self.subject),
            "issued_at": format_instant(self.issued_at),
            "valid_from": _instant_or_none(self.valid_from),
            "valid_until": _instant_or_none(self.valid_until),
            "attributes": dict(self.attributes),
            "recorded_at": format_instant(self.recorded_at),
            "predecessor": self.predecessor,
            "events": [_event_content(event) for event in self.events],
        }
        return content if self.statement is None else content | {"statement": _attestation_content(self.statement)}

    def newest_statement(self) -> str | None:
        """The digest of the statement that made this version, None where it was not stated."""
        newest = max(self.events, key=lambda event: event.recorded_at, default=None)
        statement = self.statement if newest is None else newest.statement
        return None if statement is None else statement.digest

    def attested(self) -> tuple[tuple[datetime, Attestation], ...]:
        """The statements behind the version, each with the instant at which it was recorded."""
        found = [(self.recorded_at, self.statement), *((event.recorded_at, event.statement) for event in self.events)]
        return tuple((recorded_at, statement) for recorded_at, statement in found if statement is not None)


_decode_version = Decoder(Credential).decode


def read_version(content: bytes) -> Credential:
    """The version that `Credential.content` wrote as JSON. Raises ValueError for anything else."""
    try:
        return _decode_version(content)
    except MsgspecError as error:
        raise ValueError(f"no version of a credential: {error}") from None


# Base32 (RFC 4648 §6) in lower case, two characters at a time.
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_TEN_BITS = [first + second for first in _BASE32 for second in _BASE32]


def credential_id(type_id: str, number: str, issuer: str) -> str:
    """The opaque id: a digest of type, normalised number and issuer, so that loading twice names it the same."""
    seed = "\x1f".join(("accord-credential-v1", type_id, number, issuer)).encode()
    bits = int.from_bytes(hashlib.sha256(seed).digest()[:15], "big")
    return "cred_" + "".join([_TEN_BITS[bits >> place & 1023] for place in range(110, -1, -10)])


def standing(state: CredentialState, valid_at: datetime) -> str:
    """The status people see: the lifecycle status, else whether the period has begun or ended."""
    if state.status != "valid":
        return state.status
    if state.valid_from is not None and valid_at < state.valid_from:
        return "not_yet_valid"
    if state.valid_until is not None and state.valid_until <= valid_at:
        return "expired"
    return "valid"


def versions(credential: Credential) -> tuple[Credential, ...]:
    """The versions that a credential's own recording instants imply, oldest first."""
    instants = sorted({credential.recorded_at, *(event.recorded_at for event in credential.events)})
    return tuple(
        replace(credential, events=tuple(event for event in credential.events if event.recorded_at <= instant))
        for instant in instants
    )


def known_from(version: Credential) -> datetime:
    """The instant from which the register knew this version."""
    return max([version.recorded_at, *(event.recorded_at for event in version.events)])


def salted(credential: Credential, salt: str) -> Credential:
    """The credential with a salt beside its holder where it names a natural person, now or by an amendment."""
    changes = [event.changes for event in credential.events if event.changes is not None]
    kinds = [credential.subject.kind, *(change["subject"]["kind"] for change in changes if "subject" in change)]
    return replace(credential, subject=replace(credential.subject, salt=salt)) if "person" in kinds else credential


def _instant_or_none(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _stored_instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _subject_content(subject: Subject) -> dict[str, Any]:
    content = {"kind": subject.kind, "name": subject.name, "uscc": subject.uscc}
    return content if subject.salt is None else content | {"salt": subject.salt}


def _attestation_content(statement: Attestation) -> dict[str, Any]:
    return {"digest": statement.digest, "kid": statement.kid, "made_at": format_instant(statement.made_at)}


def _event_content(event: Event) -> dict[str, Any]:
    content = {
        "event": event.event,
        "effective_at": format_instant(event.effective_at),
        "recorded_at": format_instant(event.recorded_at),
        "kind": event.kind,
        "reason_code": event.reason_code,
        "legal_basis": [basis.statement() for basis in event.legal_basis],
        "successor": None if event.successor is None else dict(event.successor),
        "changes": None if event.changes is None else dict(event.changes),
    }
    return content if event.statement is None else content | {"statement": _attestation_content(event.statement)}


def _after(state: CredentialState, event: Event) -> CredentialState:
    """The state after one more event."""
    if event.event == "amended":
        return _amended(state, event.changes or {})
    if event.event in FINAL:
        graver = state.status not in FINAL or FINAL.index(event.event) < FINAL.index(state.status)
        return replace(state, status=event.event, event=event) if graver else state
    if state.status in FINAL:
        return state
    suspended = event.event == "suspended"
    return replace(state, status="suspended" if suspended else "valid", event=event if suspended else None)


def _amended(state: CredentialState, changes: Mapping[str, Any]) -> CredentialState:
    if "subject" in changes:
        state = replace(state, subject=convert(changes["subject"], Subject))
    if "valid_until" in changes:
        end = _stored_instant(changes["valid_until"])
        # Intake refuses an end before the start; should one be held, the credential has ended, and nothing crashes.
        upside_down = end is not None and state.valid_from is not None and end <= state.valid_from
        state = replace(state, valid_from=None if upside_down else state.valid_from, valid_until=end)
    if "attributes" in changes:
        state = replace(state, attributes={**state.attributes, **changes["attributes"]})
    return state


class _Reader:
    """One object of a credential document, read member by member like a policy `Table`."""

    def __init__(self, content: Any, where: str) -> None:
        self.where = where
        if not isinstance(content, dict):
            raise DocumentError(where or "document", "must be an object")
        self._left = dict(content)

    def path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def take(self, key: str) -> Any:
        return self._left.pop(key, None)

    def text(self, key: str) -> str:
        value = self.take(key)
        if not isinstance(value, str) or not value.strip() or forbidden_text(value):
            raise DocumentError(self.path(key), "must be a text that is not empty, without control characters")
        if len(value) > MAX_TEXT:
            raise DocumentError(self.path(key), f"has at most {MAX_TEXT} characters")
        return value

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if self._left.get(key) is not None else self.take(key)

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in allowed:
            raise DocumentError(self.path(key), f"{value!r} is not allowed; allowed: {', '.join(allowed)}")
        return value

    def instant(self, key: str) -> datetime:
        try:
            return parse_instant(self.text(key))
        except InstantError as error:
            raise DocumentError(self.path(key), f"must be RFC 3339 with an offset ({error.code})") from None

    def optional_instant(self, key: str) -> datetime | None:
        return self.instant(key) if self._left.get(key) is not None else self.take(key)

    def entries(self, key: str) -> list[Any]:
        value = self.take(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise DocumentError(self.path(key), "must be a list")
        if len(value) > MAX_ITEMS:
            raise DocumentError(self.path(key), f"has at most {MAX_ITEMS} entries")
        return value

    def has(self, key: str) -> bool:
        return key in self._left

    def done(self) -> None:
        for key in self._left:
            raise DocumentError(self.path(key), "unknown member")


def _read_subject(content: Any, where: str) -> Subject:
    reader = _Reader(content, where)
    subject = Subject(
        kind=reader.choice("kind", SUBJECT_KINDS), name=reader.text("name"), uscc=reader.optional_text("uscc")
    )
    if subject.uscc is not None:
        subject = replace(subject, uscc=compact(subject.uscc))
        if not uscc_well_formed(subject.uscc or ""):
            raise DocumentError(f"{where}.uscc", "must be 18 characters of the USCC alphabet (no I, O, S, V, Z)")
    reader.done()
    return subject


def _read_table(field: Field, value: Any, where: str) -> list[dict[str, str]]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ITEMS:
        raise DocumentError(where, f"must be a list of rows that is not empty, at most {MAX_ITEMS}")
    rows = []
    for number, row in enumerate(value):
        reader = _Reader(row, f"{where}[{number}]")
        rows.append({column: reader.text(column) for column in field.columns})
        reader.done()
    return rows


def _read_attributes(content: Any, fields: Mapping[str, Field], where: str, *, partial: bool) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise DocumentError(where, "must be an object")
    attributes: dict[str, Any] = {}
    for name, value in content.items():
        path = f"{where}.{name}"
        if name not in fields:
            raise DocumentError(path, f"unknown attribute; known: {', '.join(fields)}")
        field = fields[name]
        try:
            if field.kind == "table":
                attributes[name] = _read_table(field, value, path)
            elif field.kind == "instant":
                attributes[name] = format_instant(parse_instant(str(value)))
            else:
                read = read_fact(field, value, written=False)
                attributes[name] = list(read) if isinstance(read, tuple) else read
        except (ValueProblem, InstantError) as error:
            raise DocumentError(path, f"must be of kind {field.kind} ({error})") from None
    for name, field in fields.items():
        if field.required and name not in attributes and not partial:
            raise DocumentError(f"{where}.{name}", "is missing")
    return attributes


def _read_changes(content: Any, profile: CredentialProfile, where: str) -> dict[str, Any]:
    reader = _Reader(content, where)
    changes: dict[str, Any] = {}
    if reader.has("subject"):
        changes["subject"] = _subject_content(_read_subject(reader.take("subject"), f"{where}.subject"))
    if reader.has("valid_until"):
        changes["valid_until"] = _instant_or_none(reader.optional_instant("valid_until"))
    if reader.has("attributes"):
        changes["attributes"] = _read_attributes(
            reader.take("attributes"), profile.attributes, f"{where}.attributes", partial=True
        )
    reader.done()
    if not changes:
        raise DocumentError(where, "an amendment must change something: subject, valid_until or attributes")
    return changes


def read_event(content: Any, profile: CredentialProfile, where: str) -> Event:
    """A lifecycle step from an outside document. Raises `DocumentError`, which names a member inside `where`."""
    reader = _Reader(content, where)
    name = reader.choice("event", EVENTS)
    successor = reader.take("successor")
    changes = reader.take("changes")
    if (name == "superseded") != (successor is not None):
        raise DocumentError(f"{where}.successor", "belongs to a superseded credential, which needs it")
    if (name == "amended") != (changes is not None):
        raise DocumentError(f"{where}.changes", "belongs to an amendment, which needs it")
    if successor is not None:
        named = _Reader(successor, f"{where}.successor")
        successor = {"number": named.text("number"), "issuer": named.text("issuer")}
        named.done()
    bases = reader.entries("legal_basis")
    event = Event(
        event=name,
        effective_at=reader.instant("effective_at"),
        recorded_at=reader.instant("recorded_at"),
        kind=reader.choice("kind", REVOCATION_KINDS) if name == "revoked" else reader.optional_text("kind"),
        reason_code=reader.optional_text("reason_code"),
        legal_basis=tuple(_read_basis(basis, f"{where}.legal_basis") for basis in bases),
        successor=successor,
        changes=None if changes is None else _read_changes(changes, profile, f"{where}.changes"),
    )
    reader.done()
    return event


def _read_basis(content: Any, where: str) -> LegalBasis:
    reader = _Reader(content, where)
    basis = LegalBasis(
        instrument=reader.text("instrument"),
        number=reader.optional_text("number"),
        article=reader.optional_text("article"),
    )
    reader.done()
    return basis


def read_credential(content: Any, profile: CredentialProfile) -> Credential:
    """A credential from an outside document, judged against its profile. Raises `DocumentError`."""
    reader = _Reader(content, "")
    start, end = reader.optional_instant("valid_from"), reader.optional_instant("valid_until")
    if start is not None and end is not None and end <= start:
        raise DocumentError("valid_until", "must be after valid_from")
    events = [read_event(event, profile, f"events[{number}]") for number, event in enumerate(reader.entries("events"))]
    credential = Credential(
        type=reader.choice("type", (profile.id,)),
        number=reader.text("number"),
        issuer=reader.text("issuer"),
        subject=_read_subject(reader.take("subject"), "subject"),
        issued_at=reader.instant("issued_at"),
        valid_from=start,
        valid_until=end,
        attributes=_read_attributes(reader.take("attributes") or {}, profile.attributes, "attributes", partial=False),
        recorded_at=reader.instant("recorded_at"),
        predecessor=reader.optional_text("predecessor"),
        events=tuple(sorted(events, key=lambda event: (event.effective_at, event.recorded_at))),
    )
    reader.done()
    for number, event in enumerate(events):
        end = _stored_instant((event.changes or {}).get("valid_until"))
        if end is not None and start is not None and end <= start:
            raise DocumentError(f"events[{number}].changes.valid_until", "must be after valid_from")
        if event.recorded_at < credential.recorded_at:
            raise DocumentError(f"events[{number}].recorded_at", "is before the credential's own recorded_at")
    return credential
