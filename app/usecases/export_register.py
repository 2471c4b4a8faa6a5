"""Export a register: each credential as it was known at one instant and stands at another, as import reads it."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.exporters import RowUntold, RowWriter
from registry.attested import Doubt, counted
from registry.credential import Credential, CredentialState
from registry.errors import Fault, QueryRefused
from registry.finding import Params
from registry.issuer import KeyRegister
from registry.period import format_instant
from registry.policy import Policy, PolicyHistory
from registry.profile import CredentialProfile
from registry.query import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many credentials were written, and how many could not be told in a row."""

    written: int
    untold: int


def export_register(
    credentials: Iterable[Credential],
    keys: KeyRegister,
    valid_at: datetime,
    writer: RowWriter,
    write: Callable[[bytes], object],
    tell: Callable[[str, RowUntold], object],
) -> Tally:
    """Writes the credentials one after the other. `tell` hears by its number of each that is not in the file, and why.

    `keys` are those that were known when the credentials were.
    """
    written = untold = 0
    write(writer.head())
    for credential in credentials:
        try:
            line = writer.row(claims_at(credential, keys, valid_at))
        except RowUntold as problem:
            untold += 1
            tell(credential.number, problem)
        else:
            written += 1
            write(line)
    return Tally(written=written, untold=untold)


def claims_at(credential: Credential, keys: KeyRegister, valid_at: datetime) -> dict[str, Any]:
    """The claims as amended by then, with the standing. What nobody may see, a salt, is not among them.

    Raises `RowUntold` where it is in doubt what the issuer stated: such a credential is never told as valid.
    """
    known = counted(credential, keys)
    if known.doubt is not None:
        raise _doubtful(known.doubt)
    if credential.statement is not None and any(event.statement is None for event in credential.events):
        raise RowUntold("signature.missing", "step")
    state = known.credential.state_at(valid_at)
    return {
        "number": credential.number,
        "subject": {"kind": state.subject.kind, "name": state.subject.name, "uscc": state.subject.uscc},
        "issued_at": format_instant(credential.issued_at),
        "valid_from": _instant(state.valid_from),
        "valid_until": _instant(state.valid_until),
        "attributes": dict(state.attributes),
        "predecessor": credential.predecessor,
        **_standing(state, credential.issuer),
    }


def _standing(state: CredentialState, issuer: str) -> dict[str, str | None]:
    event = state.event
    if event is None:
        return {"status": "valid", "status_since": None, "successor": None}
    status = event.kind if event.event == "revoked" else event.event
    if status is None:
        raise ValueError("a revocation is of some kind")
    successor = None
    if event.event == "superseded":
        named = event.successor or {}
        if named.get("issuer") != issuer:
            said = {"successor": printable(named.get("number", "-")), "issuer": printable(named.get("issuer", "-"))}
            raise RowUntold("export.successor_elsewhere", params=said)
        successor = named["number"]
    return {"status": status, "status_since": format_instant(event.effective_at), "successor": successor}


def _doubtful(doubt: Doubt) -> RowUntold:
    """What the check `signature` says of it."""
    if not doubt.known:
        return RowUntold("issuer.key_retired", "unknown", {"kid": doubt.kid})
    params: Params = {"kid": doubt.kid, "recorded_at": doubt.recorded_at}
    return RowUntold("issuer.key_retired", "" if doubt.whole else "step", params)


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def policy_known(policies: PolicyHistory, known_at: datetime, now: datetime) -> Policy:
    """The policy as it was known then. Raises `QueryRefused` for an instant ahead, or before anything was known."""
    if known_at > now:
        raise QueryRefused(Fault(pointer="/known_at", code="query.known_at_in_future", params={"name": "known_at"}))
    policy = policies.at(known_at)
    if policy is None:
        params = {"name": "known_at", "begins": format_instant(policies.begins)}
        raise QueryRefused(Fault(pointer="/known_at", code="query.known_at_before_history", params=params))
    return policy


def exported_profile(policy: Policy, type_id: str, issuer: str, holding: Collection[str]) -> CredentialProfile:
    """The type whose register is asked for. `holding` are the issuers of which the store has credentials of the type.

    Raises `QueryRefused` for a type whose life no issuer states, and for an issuer that has no such register.
    """
    registered = sorted(name for name, entry in policy.profiles.items() if entry.lifecycle is not None)
    if type_id not in registered:
        params = {"value": printable(type_id), "allowed": ", ".join(registered)}
        raise QueryRefused(Fault(pointer="/type", code="query.unknown_type", params=params))
    issuers = sorted({*holding, *(authority.id for authority in policy.issuers[type_id])})
    if issuer not in issuers:
        params = {"name": "issuer", "value": printable(issuer), "allowed": ", ".join(issuers)}
        raise QueryRefused(Fault(pointer="/issuer", code="query.not_allowed", params=params))
    return policy.profiles[type_id]
