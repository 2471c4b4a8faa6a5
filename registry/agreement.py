"""Recognition agreements: who binds whom, for which types and purposes, from when until when, on which conditions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from registry.condition import Condition, read_condition
from registry.document import LegalBasis, LocalText, PolicyDocument, Table
from registry.errors import PolicyError
from registry.jurisdiction import CONFIDENCE, Gazetteer
from registry.period import Period

STRENGTHS = ("statute", "agreement", "plan")
"""Strongest first: the order in which agreements are tried."""
EFFECTS = ("recognized", "never_recognized")


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A jurisdiction, or only some areas of it (`areas` empty: all of it)."""

    jurisdiction: str
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Restricts an agreement to credentials whose attribute has this value."""

    attribute: str
    value: str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One version of an agreement file.

    `effect` `never_recognized` states a law that rules recognition out across any border; it has no parties.
    """

    id: str
    version: int
    digest: str
    name: LocalText
    strength: str
    rank: tuple[int, str]
    """The order of trial: by strength, then by id."""
    effect: str
    types: tuple[str, ...]
    purposes: tuple[str, ...]
    issued_in: Mapping[str, Party]
    recognized_in: Mapping[str, Party]
    effective: Period
    repealed_at: datetime | None
    issued: Period
    where: tuple[Where, ...]
    conditions: tuple[Condition, ...]
    legal_basis: tuple[LegalBasis, ...]
    confidence: str
    note: LocalText | None

    @property
    def in_force(self) -> Period:
        """The effective period, cut short by a repeal."""
        if self.repealed_at is None:
            return self.effective
        end = self.repealed_at if self.effective.end is None else min(self.repealed_at, self.effective.end)
        return Period(start=self.effective.start, end=end)


def _read_parties(table: Table, key: str) -> dict[str, Party]:
    parties: dict[str, Party] = {}
    for entry in table.tables(key, at_least=1):
        party = Party(jurisdiction=entry.text("jurisdiction"), areas=entry.texts("areas", default=(), allow_empty=True))
        if party.jurisdiction in parties:
            raise entry.refuse("jurisdiction", f"{party.jurisdiction} is named twice")
        entry.done()
        parties[party.jurisdiction] = party
    return parties


def _read_where(table: Table) -> Where:
    where = Where(attribute=table.text("attribute"), value=table.value("value"))
    table.done()
    return where


def _read_period(table: Table, key: str) -> Period:
    if not table.has(key):
        return Period()
    inner = table.table(key)
    period = inner.period()
    inner.done()
    return period


def _read_conditions(table: Table, *, never: bool, strength: str) -> tuple[Condition, ...]:
    conditions = tuple(read_condition(entry) for entry in table.tables("conditions", at_least=0 if never else 1))
    names = [condition.id for condition in conditions]
    if len(set(names)) != len(names):
        raise table.refuse("conditions", "names an id twice")
    if never and conditions:
        raise table.refuse("conditions", "do not belong to effect 'never_recognized'")
    if strength == "plan" and "authority_confirms" not in [condition.kind for condition in conditions]:
        raise table.refuse("conditions", "strength 'plan' needs a condition of kind 'authority_confirms'")
    return conditions


def read_agreement(document: PolicyDocument) -> Agreement:
    """One agreement file. Raises `PolicyError`."""
    table = Table(document.source, document.content)
    table.text("id"), table.integer("version")
    effect = table.choice("effect", EFFECTS, default="recognized")
    never = effect == "never_recognized"
    strength = table.choice("strength", STRENGTHS)
    issued_in, recognized_in = {}, {}
    if not never:
        binds = table.table("binds")
        issued_in, recognized_in = _read_parties(binds, "issued_in"), _read_parties(binds, "recognized_in")
        binds.done()
    agreement = Agreement(
        id=document.id,
        version=document.version,
        digest=document.digest,
        name=table.local_text("name"),
        strength=strength,
        rank=(STRENGTHS.index(strength), document.id),
        effect=effect,
        types=table.texts("types"),
        purposes=table.texts("purposes"),
        issued_in=issued_in,
        recognized_in=recognized_in,
        effective=_read_period(table, "effective"),
        repealed_at=table.optional_instant("repealed_at"),
        issued=_read_period(table, "issued"),
        where=tuple(_read_where(entry) for entry in table.tables("where")),
        conditions=_read_conditions(table, never=never, strength=strength),
        legal_basis=table.legal_basis(),
        confidence=table.choice("confidence", CONFIDENCE),
        note=table.local_text("note") if table.has("note") else None,
    )
    start, repealed = agreement.effective.start, agreement.repealed_at
    if start is not None and repealed is not None and repealed <= start:
        raise table.refuse("repealed_at", "must be after the agreement takes effect")
    table.done()
    return agreement


def _areas_meet(one: Party, other: Party, gazetteer: Gazetteer) -> bool:
    if not one.areas or not other.areas:
        return True
    return any(
        gazetteer.contains(left, right) or gazetteer.contains(right, left)
        for left in one.areas
        for right in other.areas
    )


def _directions_meet(one: Agreement, other: Agreement, gazetteer: Gazetteer) -> bool:
    """Whether some issuing side and some receiving side are bound by both."""

    def shared(left: Mapping[str, Party], right: Mapping[str, Party]) -> set[str]:
        return {name for name in left.keys() & right.keys() if _areas_meet(left[name], right[name], gazetteer)}

    issuing = shared(one.issued_in, other.issued_in)
    receiving = shared(one.recognized_in, other.recognized_in)
    return any(left != right for left in issuing for right in receiving)


def overlap(one: Agreement, other: Agreement, gazetteer: Gazetteer) -> bool:
    """Whether two agreements of one strength could both claim a case (type, purpose, direction, areas, period)."""
    if one.strength != other.strength or not set(one.types) & set(other.types):
        return False
    if not set(one.purposes) & set(other.purposes) or not one.in_force.overlaps(other.in_force):
        return False
    if "never_recognized" in (one.effect, other.effect):
        return True
    return _directions_meet(one, other, gazetteer)


def refuse_overlaps(agreements: Mapping[str, Agreement], sources: Mapping[str, str], gazetteer: Gazetteer) -> None:
    """Raises `PolicyError` naming both of two agreements of equal strength that overlap."""
    for one, other in combinations(sorted(agreements.values(), key=lambda entry: entry.id), 2):
        if overlap(one, other, gazetteer):
            raise PolicyError(
                sources[one.id],
                "",
                f"{one.id!r} overlaps {other.id!r} ({sources[other.id]}) in type, purpose, direction, area and period"
                f" at equal strength {one.strength!r}; give one an end, another area or another strength",
            )
