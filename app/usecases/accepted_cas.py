"""Put authorities on accepted lists and end their time on them: each makes the next version of the list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.usecases.policy_version import basis_member, name_member, period_members, policy_version, said, source_of
from registry.document import LegalBasis, LocalText, PolicyDocument
from registry.errors import PolicyError
from registry.period import Period, format_instant
from registry.trust import AcceptedCa, AcceptedList, Trust, read_accepted_list

KIND = "accepted-list"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStatement:
    """What an operator says of a list. An existing list needs none of it, and must say the same where it is given."""

    id: str
    jurisdiction: str | None = None
    relying_party: str | None = None
    purposes: tuple[str, ...] = ()
    name: LocalText | None = None
    basis: LegalBasis | None = None


def add_accepted_ca(trust: Trust, statement: ListStatement, ca: str, period: Period) -> PolicyDocument | None:
    """The version in which an authority is on the list for a period, or None where it is already.

    Raises `PolicyError`, also for a period that overlaps another one of the same authority.
    """
    source = source_of(KIND, statement.id)
    held = trust.lists.get(statement.id)
    entries: tuple[AcceptedCa, ...] = ()
    if held is None:
        body, version = _new_body(source, statement), 0
    else:
        _refuse_another(source, statement, held)
        body, entries, version = _body(held), held.entries, held.version
    if ca not in trust.anchors:
        raise PolicyError(
            source, "entries.ca", f"{ca!r} is no trust anchor; known: {', '.join(trust.anchors) or 'none'}"
        )
    for entry in entries:
        if entry.ca != ca:
            continue
        if entry.period == period:
            return None
        if entry.period.overlaps(period):
            raise PolicyError(source, "entries", f"{ca!r} is on the list {_shown(entry.period)} already")
    return _version(statement.id, version + 1, body, (*entries, AcceptedCa(ca=ca, period=period)))


def remove_accepted_ca(trust: Trust, list_id: str, ca: str, at: datetime) -> PolicyDocument | None:
    """The version in which an authority's time on the list ends at an instant, or None where it does already.

    The line stays, for answers about the time before. Raises `PolicyError`.
    """
    source = source_of(KIND, list_id)
    held = trust.lists.get(list_id)
    if held is None:
        raise PolicyError(source, "id", f"is no accepted list; known: {', '.join(trust.lists) or 'none'}")
    mine = [entry for entry in held.entries if entry.ca == ca]
    if any(entry.period.end == at for entry in mine):
        return None
    ending = next((entry for entry in mine if at in entry.period and entry.period.start != at), None)
    if ending is None:
        times = "; ".join(_shown(entry.period) for entry in mine) or "at no time"
        raise PolicyError(source, "entries", f"at {format_instant(at)} no time of {ca!r} can end; it is on it {times}")
    ended = AcceptedCa(ca=ca, period=Period(start=ending.period.start, end=at))
    entries = tuple(ended if entry is ending else entry for entry in held.entries)
    return _version(list_id, held.version + 1, _body(held), entries)


def _version(list_id: str, version: int, body: dict[str, Any], entries: Sequence[AcceptedCa]) -> PolicyDocument:
    written = [said({"ca": entry.ca, **period_members(entry.period)}) for entry in entries]
    document = policy_version(KIND, list_id, version, said({**body, "entries": written}))
    read_accepted_list(document)
    return document


def _new_body(source: str, statement: ListStatement) -> dict[str, Any]:
    missing = [
        name
        for name, value in (
            ("jurisdiction", statement.jurisdiction),
            ("purposes", statement.purposes),
            ("name", statement.name),
            ("legal_basis", statement.basis),
        )
        if not value
    ]
    if statement.name is None or statement.basis is None or missing:
        raise PolicyError(source, "", f"is a new list, which needs: {', '.join(missing)}")
    return {
        "name": name_member(statement.name),
        "jurisdiction": statement.jurisdiction,
        "relying_party": statement.relying_party,
        "purposes": sorted(statement.purposes),
        "legal_basis": [basis_member(statement.basis)],
        "confidence": "S",
    }


def _refuse_another(source: str, statement: ListStatement, held: AcceptedList) -> None:
    """What defines a list does not change under its lines: another scope is another list."""
    for key, stated, holds in (
        ("jurisdiction", statement.jurisdiction, held.jurisdiction),
        ("relying_party", statement.relying_party, held.relying_party),
        ("purposes", set(statement.purposes), set(held.purposes)),
        ("name", statement.name, held.name),
        ("legal_basis", statement.basis, held.legal_basis[0]),
    ):
        if stated and stated != holds:
            raise PolicyError(source, key, f"the list is there and says otherwise (version {held.version})")


def _body(held: AcceptedList) -> dict[str, Any]:
    return {
        "name": name_member(held.name),
        "jurisdiction": held.jurisdiction,
        "relying_party": held.relying_party,
        "purposes": list(held.purposes),
        "legal_basis": [basis_member(basis) for basis in held.legal_basis],
        "confidence": held.confidence,
    }


def _shown(period: Period) -> str:
    members = period_members(period)
    return f"from {members['from'] or 'the beginning'} until {members['until'] or 'further notice'}"
