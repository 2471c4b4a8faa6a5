"""Whether what an issuer states is taken into its register: a pure judgement that gives a credential's new version."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from registry.attested import counted
from registry.credential import Credential, Event, credential_id, read_credential, read_event, salted
from registry.errors import DocumentError, StatementRefused
from registry.jurisdiction import competent
from registry.lifecycle import FINAL, Lifecycle
from registry.period import InstantError, format_instant, format_local, parse_instant
from registry.policy import Policy
from registry.profile import CredentialProfile
from registry.query import pointer_token, printable
from registry.statement import SKEW, Statement, refused

_CLAIMS = frozenset({"number", "subject", "issued_at", "valid_from", "valid_until", "attributes", "predecessor"})
_REPORT_CLAIMS, _BULK_CLAIMS = frozenset({"as_of"}), frozenset({"file", "rows", "as_of"})
_EVENT_CLAIMS = frozenset({"event", "effective_at", "kind", "reason_code", "legal_basis", "successor", "changes"})


MAX_STEPS = 500
"""Steps of one credential: every version repeats those before it."""


class NewVersion(Struct, frozen=True, kw_only=True):
    """What a statement makes of a register: a version of the credential with this id and normalised number."""

    id: str
    number: str
    credential: Credential


def register(statement: Statement, policy: Policy, recorded_at: datetime, salt: Callable[[str], str]) -> NewVersion:
    """The first version of the credential that the statement registers. Raises `StatementRefused`.

    `salt` gives, by the credential's id, what goes beside a natural person's name (`registry.credential.Subject`).
    """
    profile, _ = _profile(statement, policy)
    credential = read_claims(statement.credential or {}, statement, profile, recorded_at)
    number = profile.number.normalise(credential.number)
    verdict = profile.number.judge(number)
    if not verdict.well_formed and profile.number.authoritative:
        params = {"number": credential.number[:64], "example": profile.number.example}
        raise refused("statement.number_malformed", "/credential/number", **params)
    if credential.issued_at > recorded_at + SKEW:
        issued_at = format_local(credential.issued_at)
        raise refused("statement.issued_ahead", "/credential/issued_at", issued_at=issued_at)
    area = credential.attributes.get(profile.area_attribute or "")
    check_competence(statement, policy, profile, area, credential.issued_at)
    identity = credential_id(profile.id, number, statement.issuer)
    credential = salted(replace(credential, statement=statement.attestation), salt(identity))
    return NewVersion(id=identity, number=number, credential=credential)


def read_claims(
    claims: Mapping[str, Any], statement: Statement, profile: CredentialProfile, recorded_at: datetime
) -> Credential:
    """The credential that claims describe, without a step and not yet attested. Raises `StatementRefused`."""
    _only(claims, _CLAIMS, "/credential")
    said = {"type": profile.id, "issuer": statement.issuer, "recorded_at": format_instant(recorded_at)}
    try:
        return read_credential({**claims, **said}, profile)
    except DocumentError as error:
        raise _malformed(error, "/credential") from None


def add_event(statement: Statement, held: Credential, policy: Policy, recorded_at: datetime, salt: str) -> Credential:
    """The version with the step that the statement states. Raises `StatementRefused`. What was known is kept."""
    if statement.issuer != held.issuer:
        raise refused("statement.issuer_other", "/iss", issuer=statement.issuer, holder=held.issuer)
    if statement.type != held.type:
        raise refused("statement.claim_wrong", "/profile/type", name="profile.type", wanted=held.type)
    profile, _ = _profile(statement, policy)
    event = _event(statement, profile, recorded_at)
    late = [entry.recorded_at for entry in held.events if entry.recorded_at >= recorded_at]
    if late or held.recorded_at >= recorded_at:
        raise ValueError("a step is recorded after everything that is known")
    return take_step(statement, held, event, policy, salt)


def take_step(statement: Statement, held: Credential, event: Event, policy: Policy, salt: str) -> Credential:
    """The version with a step that the statement is about. Raises `StatementRefused`."""
    profile, lifecycle = _profile(statement, policy)
    if event.effective_at < held.issued_at:
        issued_at = format_local(held.issued_at)
        raise refused("event.before_issue", "/event/effective_at", issued_at=issued_at)
    end = (event.changes or {}).get("valid_until")
    if end is not None and held.valid_from is not None and datetime.fromisoformat(end) <= held.valid_from:
        raise refused("event.period_empty", "/event/changes/valid_until", valid_from=format_local(held.valid_from))
    area = (event.changes or {}).get("attributes", {}).get(profile.area_attribute)
    if area is not None:
        check_competence(statement, policy, profile, area, event.effective_at)
    if len(held.events) >= MAX_STEPS:
        raise refused("event.too_many", "/event", limit=str(MAX_STEPS))
    # What came in by a key that was stolen stands in nobody's way.
    _check_order(lifecycle, counted(held, policy.keys).credential, event)
    return salted(with_event(held, replace(event, statement=statement.attestation)), salt)


def reported(statement: Statement, policy: Policy, now: datetime) -> datetime:
    """Up to when the issuer's register of the type is complete, as it states. Raises `StatementRefused`.

    Whatever was entered later than that may be missing; what was stated earlier is all there.
    """
    profile, _ = _profile(statement, policy)
    name = "register" if statement.bulk is None else "bulk"
    claims = (statement.register if statement.bulk is None else statement.bulk) or {}
    _only(claims, _REPORT_CLAIMS if statement.bulk is None else _BULK_CLAIMS, f"/{name}")
    try:
        as_of = parse_instant(str(claims.get("as_of", "")))
    except InstantError:
        wanted = "2026-10-01T00:00:00+08:00"
        raise refused("statement.claim_wrong", f"/{name}/as_of", name="as_of", wanted=wanted) from None
    if as_of > now + SKEW:
        raise refused("statement.as_of_ahead", f"/{name}/as_of", as_of=format_local(as_of), now=format_local(now))
    if not policy.authorities[statement.issuer].issues(profile.id):
        params = {"issuer": statement.issuer, "type": profile.id, "area": "-", "issued_at": format_local(now)}
        raise refused("statement.not_competent", "/profile/type", **params)
    return as_of


def with_event(credential: Credential, event: Event) -> Credential:
    """The credential with one more event, in the order of effect; of equal effect the later recorded comes later."""
    events = sorted((*credential.events, event), key=lambda entry: (entry.effective_at, entry.recorded_at))
    return replace(credential, events=tuple(events))


def _event(statement: Statement, profile: CredentialProfile, recorded_at: datetime) -> Event:
    claims = statement.event or {}
    _only(claims, _EVENT_CLAIMS, "/event")
    for name in ("reason_code", "legal_basis"):
        if not claims.get(name):
            raise refused("statement.claim_missing", f"/event/{name}", name=name)
    try:
        return read_event({**claims, "recorded_at": format_instant(recorded_at)}, profile, "event")
    except DocumentError as error:
        raise _malformed(error, "") from None


def _profile(statement: Statement, policy: Policy) -> tuple[CredentialProfile, Lifecycle]:
    profile = policy.profiles.get(statement.type)
    if profile is None or profile.lifecycle is None:
        registered = sorted(name for name, entry in policy.profiles.items() if entry.lifecycle is not None)
        params = {"type": statement.type[:64], "allowed": ", ".join(registered)}
        raise refused("statement.type_not_registered", "/profile/type", **params)
    if statement.profile_version != profile.version:
        raise refused("statement.profile_version", "/profile/version", version=str(profile.version), type=profile.id)
    return profile, profile.lifecycle


def check_competence(
    statement: Statement, policy: Policy, profile: CredentialProfile, area: str | None, instant: datetime
) -> None:
    """An issuer writes its own types in its own areas. A beginning of its powers that is not sure does not refuse."""
    authority = policy.authorities[statement.issuer]
    if competent(authority, profile.id, instant, area, policy.gazetteer) is False:
        shown = {"area": str(area or "-"), "issued_at": format_local(instant)}
        pointer = "/credential" if statement.event is None else "/event/changes/attributes"
        raise refused("statement.not_competent", pointer, issuer=authority.id, type=profile.id, **shown)


def _check_order(lifecycle: Lifecycle, held: Credential, event: Event) -> None:
    """Holds the event against the table, and the later ones that it comes before.

    Behind a final step nothing is looked at: what it overtakes has no effect any more.
    """
    events = with_event(held, event).events
    place = next(number for number, entry in enumerate(events) if entry is event)
    for number in range(place, len(events)):
        step = events[number]
        standing = replace(held, events=events[:number]).state_at(step.effective_at).status
        if number > place and standing in FINAL:
            return
        if not lifecycle.allows(standing, step.event):
            params = {"event": step.event, "standing": standing, "effective_at": format_local(step.effective_at)}
            raise refused("event.out_of_order", "/event", **params)


def _only(claims: Mapping[str, Any], known: frozenset[str], pointer: str) -> None:
    for name in sorted(claims.keys() - known):
        shown = printable(name)
        raise refused(
            "statement.claim_unknown", f"{pointer}/{pointer_token(name)}", name=shown, known=", ".join(sorted(known))
        )


def _malformed(error: DocumentError, pointer: str) -> StatementRefused:
    """The document's complaint, with its dotted path as a pointer."""
    path = error.key.replace("[", ".").replace("]", "").replace(".", "/")
    return refused("statement.credential_malformed", f"{pointer}/{path}", name=error.key, why=error.problem)
