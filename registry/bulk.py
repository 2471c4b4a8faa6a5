"""Whether the rows of a file are taken into a register: one signed statement covers them all.

A row says how a credential stands as of the file's instant: its claims and, where the file tells it, its status. Held
against what the register knows, a row registers, makes the steps by which the two differ, or changes nothing. A file
never takes a word back: what it cannot say as a step is refused.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from registry.attested import counted
from registry.credential import Credential, CredentialState, Event
from registry.errors import StatementRefused
from registry.intake import NewVersion, read_claims, register, reported, take_step
from registry.jurisdiction import competent
from registry.lifecycle import FINAL
from registry.period import InstantError, format_instant, format_local, parse_instant
from registry.policy import Policy
from registry.statement import Statement, refused

MAX_ROWS = 1_000_000
REASON = "register_extract"
"""The reason code of a step that a file makes: it tells that something is otherwise, not why."""
STATUSES: Mapping[str, tuple[str, str | None]] = {
    "valid": ("valid", None),
    "suspended": ("suspended", None),
    "annulled": ("revoked", "annulled"),
    "penalty": ("revoked", "penalty"),
    "withdrawn": ("revoked", "withdrawn"),
    "cancelled": ("cancelled", None),
    "superseded": ("superseded", None),
}
"""What a row may call its status: the lifecycle's status, and the kind of a revocation."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_STANDING = ("status", "status_since", "successor")


class Manifest(Struct, frozen=True, kw_only=True):
    """What one statement says of a file: the digest of its bytes, its rows without blank ones, and as of when."""

    file: str
    rows: int
    as_of: datetime


class BulkRow(Struct, frozen=True, kw_only=True):
    """A row's claims; `told` are the members that the file tells of. What it does not tell of is not changed."""

    claims: Mapping[str, Any]
    told: frozenset[str]


def read_manifest(statement: Statement, policy: Policy, now: datetime) -> Manifest:
    """What the statement says of its file. Raises `StatementRefused`, also where the issuer has no such type."""
    claims = statement.bulk
    if claims is None:
        raise refused("statement.kind_wrong", wanted="bulk")
    as_of, file, rows = reported(statement, policy, now), claims.get("file"), claims.get("rows")
    if not isinstance(file, str) or not _DIGEST.fullmatch(file):
        raise refused("statement.claim_wrong", "/bulk/file", name="file", wanted="sha256:…")
    if type(rows) is not int or not 0 <= rows <= MAX_ROWS:
        raise refused("statement.claim_wrong", "/bulk/rows", name="rows", wanted=f"0 … {MAX_ROWS}")
    return Manifest(file=file, rows=rows, as_of=as_of)


def first_version(
    row: BulkRow, statement: Statement, manifest: Manifest, policy: Policy, recorded_at: datetime, salt: Any
) -> NewVersion:
    """The first version of a credential that the register does not know. Raises `StatementRefused`."""
    claims = {name: value for name, value in row.claims.items() if name not in _STANDING}
    new = register(replace(statement, credential=claims), policy, recorded_at, salt)
    step = _standing_step(row, new.credential.state_at(manifest.as_of), statement, manifest, recorded_at)
    if step is None:
        return new
    return replace(new, credential=take_step(statement, new.credential, step, policy, salt(new.id)))


def next_version(
    row: BulkRow,
    held: Credential,
    statement: Statement,
    manifest: Manifest,
    policy: Policy,
    recorded_at: datetime,
    salt: str,
) -> Credential | None:
    """The version with the steps by which the row differs from what is held; None where it does not.

    Raises `StatementRefused` for a difference that no step makes, or that the issuer's newer word speaks against.
    """
    known = counted(held, policy.keys).credential
    state = known.state_at(manifest.as_of)
    stated = _stated(row, known, state, statement, policy)
    changes = _changes(row, stated, state)
    issued_at = stated.issued_at if "issued_at" in row.told else known.issued_at
    _refuse_unsayable(row, stated, known, state, changed=bool(changes))
    steps = []
    if changes:
        if issued_at > max(known.issued_at, manifest.as_of):
            # It would not be in effect as of the file, and differ again each time that the file is loaded.
            raise refused("statement.issued_ahead", "/credential/issued_at", issued_at=format_local(issued_at))
        effective_at = issued_at if issued_at > known.issued_at else manifest.as_of
        steps.append(_step("amended", effective_at, statement, recorded_at, changes=changes))
    step = _standing_step(row, state, statement, manifest, recorded_at)
    if step is not None:
        steps.append(step)
    if not steps:
        return None
    _refuse_older(held, statement)
    for step in steps:
        held = take_step(statement, held, step, policy, salt)
    return held


def follows(
    version: Credential, before: Credential | None, statement: Statement, policy: Policy, recorded_at: datetime
) -> bool:
    """Whether a version can come of the one before by a row of the statement's file, recorded at an instant.

    That the row is in the file only the file shows: to load it again changes nothing.
    """
    made = statement.attestation
    mine = [event for event in version.events if event.statement == made and event.recorded_at == recorded_at]
    if (version.issuer, version.type) != (statement.issuer, statement.type):
        return False
    if any(event.reason_code != REASON for event in mine):
        return False
    if before is not None:
        kept = replace(version, events=tuple(event for event in version.events if event not in mine))
        return bool(mine) and _unsalted(kept) == _unsalted(before)
    if (version.statement, version.recorded_at, len(mine)) != (made, recorded_at, len(version.events)):
        return False
    profile = policy.profiles[version.type]
    area = version.attributes.get(profile.area_attribute or "")
    authority = policy.authorities[version.issuer]
    return competent(authority, version.type, version.issued_at, area, policy.gazetteer) is not False


def _unsalted(credential: Credential) -> Credential:
    return replace(credential, subject=replace(credential.subject, salt=None))


def _step(event: str, effective_at: datetime, statement: Statement, recorded_at: datetime, **more: Any) -> Event:
    return Event(
        event=event,
        effective_at=effective_at,
        recorded_at=recorded_at,
        reason_code=REASON,
        statement=statement.attestation,
        **more,
    )


def _stated(
    row: BulkRow, known: Credential, state: CredentialState, statement: Statement, policy: Policy
) -> Credential:
    """The row as a credential, with what it does not tell taken from what is held."""
    subject = {"kind": state.subject.kind, "name": state.subject.name, "uscc": state.subject.uscc}
    held: dict[str, Any] = {
        "issued_at": format_instant(known.issued_at),
        "valid_from": None if state.valid_from is None else format_instant(state.valid_from),
        "valid_until": None if state.valid_until is None else format_instant(state.valid_until),
        "predecessor": known.predecessor,
    }
    claims = {name: value for name, value in row.claims.items() if name not in _STANDING}
    given = claims.get("subject")
    if isinstance(given, dict):
        told = {name: value for name, value in given.items() if f"subject.{name}" in row.told or name not in subject}
        claims["subject"] = subject | told
    claims |= {name: value for name, value in held.items() if name not in row.told}
    given = claims.get("attributes")
    if isinstance(given, dict):
        told_attributes = {name: value for name, value in given.items() if f"attributes.{name}" in row.told}
        claims["attributes"] = {**state.attributes, **told_attributes}
    return read_claims(claims, statement, policy.profiles[statement.type], known.recorded_at)


def _changes(row: BulkRow, stated: Credential, state: CredentialState) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if replace(state.subject, salt=None) != stated.subject:
        subject = stated.subject
        changes["subject"] = {"kind": subject.kind, "name": subject.name, "uscc": subject.uscc}
    if stated.valid_until != state.valid_until:
        changes["valid_until"] = None if stated.valid_until is None else format_instant(stated.valid_until)
    attributes = {name: value for name, value in stated.attributes.items() if state.attributes.get(name) != value}
    if attributes:
        changes["attributes"] = attributes
    return changes


def _refuse_unsayable(
    row: BulkRow, stated: Credential, known: Credential, state: CredentialState, changed: bool
) -> None:
    """Refuses what differs and what no step changes.

    A paper that was issued anew has a later date, perhaps with a period that follows on the one before.
    """
    anew = stated.issued_at > known.issued_at
    if stated.issued_at < known.issued_at:
        raise _unsayable("issued_at", format_instant(known.issued_at))
    start, held_start = stated.valid_from, state.valid_from
    if start != held_start:
        follows = (
            anew
            and changed
            and start is not None
            and (held_start is None or held_start <= start)
            and (state.valid_until is None or start <= state.valid_until)
        )
        if not follows and not _entered_before(known, stated):
            raise _unsayable("valid_from", "-" if held_start is None else format_instant(held_start))
    if stated.predecessor != known.predecessor:
        raise _unsayable("predecessor", known.predecessor or "-")
    for name in state.attributes:
        # A blank cell under a header of the file: an attribute can be changed, not taken away.
        if f"attributes.{name}" in row.told and name not in (row.claims.get("attributes") or {}):
            raise _unsayable(f"attributes/{name}", str(state.attributes[name])[:64])


def _entered_before(known: Credential, stated: Credential) -> bool:
    """Whether the paper of that date is the one by which the credential was amended."""
    return any(event.event == "amended" and event.effective_at == stated.issued_at for event in known.events)


def _unsayable(member: str, held: str) -> StatementRefused:
    return refused("row.not_amendable", f"/credential/{member}", held=held)


def _standing_step(
    row: BulkRow, state: CredentialState, statement: Statement, manifest: Manifest, recorded_at: datetime
) -> Event | None:
    """The step by which the row's status differs from what is known, None where it does not or is not told."""
    told = row.claims.get("status")
    if told is None:
        return None
    if told not in STATUSES:
        raise refused("row.value_wrong", "/credential/status", wanted=", ".join(STATUSES))
    standing, kind = STATUSES[told]
    held_kind = None if state.event is None else state.event.kind
    if standing == state.status and (kind is None or kind == held_kind):
        return None
    if standing == "valid":
        if state.status in FINAL:
            raise refused("row.status_final", "/credential/status", held=state.status)
        return _step("reinstated", _since(row, manifest, needed=False), statement, recorded_at)
    successor = row.claims.get("successor")
    if standing == "superseded":
        if not isinstance(successor, str):
            raise refused("row.missing", "/credential/successor")
        since = _since(row, manifest)
        return _step(
            standing, since, statement, recorded_at, successor={"number": successor, "issuer": statement.issuer}
        )
    return _step(standing, _since(row, manifest), statement, recorded_at, kind=kind)


def _since(row: BulkRow, manifest: Manifest, *, needed: bool = True) -> datetime:
    text = row.claims.get("status_since")
    if text is None and not needed:
        return manifest.as_of
    try:
        since = parse_instant(text) if isinstance(text, str) else None
    except InstantError:
        since = None
    if since is None:
        raise refused("row.status_since_missing", "/credential/status_since")
    if since > manifest.as_of:
        as_of = format_instant(manifest.as_of)
        raise refused("row.status_since_ahead", "/credential/status_since", as_of=as_of)
    return since


def _refuse_older(held: Credential, statement: Statement) -> None:
    """Refuses to change what the issuer said later than this file, or what the file itself said in another row."""
    words = [(held.recorded_at, held.statement), *((event.recorded_at, event.statement) for event in held.events)]
    recorded_at, newest = max(words, key=lambda word: word[0])
    if newest is not None and newest.digest == statement.attestation.digest:
        raise refused("row.number_twice", "/credential/number")
    said = recorded_at if newest is None else newest.made_at
    if said > statement.attestation.made_at:
        raise refused("row.newer_known", "/credential/number", since=format_instant(said))
