"""Scope rules: whether the facts of a case lie inside what a credential covers. A closed set of kinds."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Protocol

from msgspec import Struct

from registry.catalogue import Catalogue
from registry.document import Table
from registry.field import FactValue, Field
from registry.identifiers import comparable
from registry.jurisdiction import Gazetteer

Attributes = Mapping[str, Any]
Facts = Mapping[str, FactValue]


class ScopeVerdict(Struct, frozen=True, kw_only=True):
    """One rule's answer.

    `covered`; `not_covered` with the fact, what was given and the nearest covered entry;
    `unknown` with the fact that would settle it; `silent` when the rule's facts were not given.
    """

    state: Literal["covered", "not_covered", "unknown", "silent"]
    fact: str = ""
    given: str = ""
    nearest: str = ""
    variant: str = ""


# So many entries are compared for the nearest one: a hint must not hold up the answer.
_COMPARED = 500

COVERED = ScopeVerdict(state="covered")
SILENT = ScopeVerdict(state="silent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What rules look things up in besides the credential and the facts."""

    gazetteer: Gazetteer
    catalogue: Catalogue | None


class ScopeRule(Protocol):
    """One kind of rule."""

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts it reads."""
        ...

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes it reads."""
        ...

    def judge(self, attributes: Attributes, facts: Facts, around: Surroundings) -> ScopeVerdict:
        """Total: an answer for any attributes and facts."""
        ...


def shown(value: Any) -> str:
    """A value as people read it: lists joined, booleans in lower case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "、".join(shown(item) for item in value)
    return str(value)


def as_texts(value: Any) -> tuple[str, ...]:
    """The items of a list; anything else is one item."""
    return tuple(shown(item) for item in value) if isinstance(value, list | tuple) else (shown(value),)


def _likeness(given: str, held: str) -> float:
    return difflib.SequenceMatcher(None, comparable(given), comparable(held)).ratio()


def _nearest(given: str, held: Sequence[str]) -> str:
    """The held text most like the given one; the first of equals."""
    return max(held[:_COMPARED], key=lambda text: _likeness(given, text))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """Some row of a table agrees with every given fact, column by column (the CMA scope table, 能力附表)."""

    attribute: str
    columns: tuple[str, ...]

    @property
    def facts(self) -> tuple[str, ...]:
        """The columns are named like the facts."""
        return self.columns

    @property
    def attributes(self) -> tuple[str, ...]:
        """The table."""
        return (self.attribute,)

    def judge(self, attributes: Attributes, facts: Facts, around: Surroundings) -> ScopeVerdict:
        """Covered by one row as a whole; parts from several rows do not add up."""
        asked = {column: shown(facts[column]) for column in self.columns if column in facts}
        if not asked:
            return SILENT
        rows = attributes.get(self.attribute) or []
        plain = {column: comparable(text) for column, text in asked.items()}
        best, best_wrong = None, list(asked)
        for row in rows:
            wrong = [column for column, text in plain.items() if comparable(row.get(column, "")) != text]
            if not wrong:
                left = [column for column in self.columns if column not in asked]
                # A part of a row proves nothing of the whole.
                return ScopeVerdict(state="unknown", fact=left[0]) if left else COVERED
            if best is None or len(wrong) < len(best_wrong):
                best, best_wrong = row, wrong
        fact = best_wrong[0]
        if best is None:
            return ScopeVerdict(state="not_covered", fact=fact, given=asked[fact])
        if len(best_wrong) == len(asked):
            # Nothing agrees: show the row that reads most like what was asked for.
            best = max(rows[:_COMPARED], key=lambda row: _likeness(asked[fact], row.get(fact, "")))
        nearest = " · ".join(str(best.get(column, "")) for column in self.columns)
        each = all(any(comparable(row.get(c, "")) == text for row in rows) for c, text in plain.items())
        variant = "combination" if each else ""
        return ScopeVerdict(state="not_covered", fact=fact, given=asked[fact], nearest=nearest, variant=variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class _FactAgainstAttribute:
    """A rule that compares one fact of the case with one attribute of the credential."""

    fact: str
    attribute: str

    @property
    def facts(self) -> tuple[str, ...]:
        """The fact."""
        return (self.fact,)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attribute."""
        return (self.attribute,)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetRule(_FactAgainstAttribute):
    """Everything a fact names is in the attribute's list (licensed items, accuracy classes)."""

    def judge(self, attributes: Attributes, facts: Facts, around: Surroundings) -> ScopeVerdict:
        """Names the first item that is not covered."""
        if self.fact not in facts:
            return SILENT
        held = as_texts(attributes.get(self.attribute) or ())
        known = {comparable(text) for text in held}
        for item in as_texts(facts[self.fact]):
            if comparable(item) not in known:
                return ScopeVerdict(
                    state="not_covered", fact=self.fact, given=item, nearest=_nearest(item, held) if held else ""
                )
        return COVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaRule(_FactAgainstAttribute):
    """The area a fact names is the credential's own, or lies inside it (premises)."""

    def judge(self, attributes: Attributes, facts: Facts, around: Surroundings) -> ScopeVerdict:
        """A wider area than the credential's, or one nobody declared, cannot be told."""
        if self.fact not in facts:
            return SILENT
        asked, held = str(facts[self.fact]), str(attributes.get(self.attribute) or "")
        if around.gazetteer.contains(held, asked):
            return COVERED
        # What the register has is not told: it is what the asker is to see for himself.
        if not around.gazetteer.known(asked):
            return ScopeVerdict(state="unknown", fact=self.fact, given=asked, variant="area_unknown")
        if around.gazetteer.contains(asked, held):
            return ScopeVerdict(state="unknown", fact=self.fact, given=asked, variant="unclear")
        return ScopeVerdict(state="not_covered", fact=self.fact, given=asked, nearest=held, variant="area")


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRule:
    """The range that the facts name lies inside the credential's, in the same unit."""

    minimum: str
    maximum: str
    unit: str

    @property
    def facts(self) -> tuple[str, ...]:
        """Facts and attributes have the same three names."""
        return (self.minimum, self.maximum, self.unit)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Facts and attributes have the same three names."""
        return (self.minimum, self.maximum, self.unit)

    def judge(self, attributes: Attributes, facts: Facts, around: Surroundings) -> ScopeVerdict:
        """Other units are not converted: that cannot be told."""
        asked, held = span_of(facts, self.facts), span_of(attributes, self.facts)
        if asked is None:
            present = [name for name in self.facts if name in facts]
            missing = [name for name in self.facts if name not in facts]
            if not present:
                return SILENT
            return ScopeVerdict(state="unknown", fact=(missing or present)[0])
        given = f"{facts[self.minimum]}–{facts[self.maximum]} {facts[self.unit]}"
        if held is None:
            return ScopeVerdict(state="not_covered", fact=self.minimum, given=given)
        nearest = f"{attributes[self.minimum]}–{attributes[self.maximum]} {attributes[self.unit]}"
        if comparable(asked[2]) != comparable(held[2]):
            return ScopeVerdict(state="unknown", fact=self.unit, given=asked[2], nearest=held[2], variant="unit")
        if held[0] <= asked[0] <= asked[1] <= held[1]:
            return COVERED
        fact = self.minimum if asked[0] < held[0] or asked[0] > asked[1] else self.maximum
        return ScopeVerdict(state="not_covered", fact=fact, given=given, nearest=nearest)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentRule(_FactAgainstAttribute):
    """The instrument that a fact names is the credential's, by the catalogue's names where there is one."""

    def judge(self, attributes: Attributes, facts: Facts, around: Surroundings) -> ScopeVerdict:
        """Equal, or two names of one catalogue entry."""
        if self.fact not in facts:
            return SILENT
        asked, held = str(facts[self.fact]), str(attributes.get(self.attribute) or "")
        if same_instrument(asked, held, around.catalogue):
            return COVERED
        return ScopeVerdict(state="not_covered", fact=self.fact, given=asked, nearest=held)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeRule:
    """The credential itself says what the purpose needs: an attribute has a value (a positive result)."""

    attribute: str
    value: str | bool

    @property
    def facts(self) -> tuple[str, ...]:
        """None: the case adds nothing."""
        return ()

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attribute."""
        return (self.attribute,)

    def judge(self, attributes: Attributes, facts: Facts, around: Surroundings) -> ScopeVerdict:
        """An attribute that the register does not give cannot be told."""
        held = attributes.get(self.attribute)
        if held is None:
            return ScopeVerdict(state="unknown", fact=self.attribute)
        if held == self.value:
            return COVERED
        return ScopeVerdict(state="not_covered", fact=self.attribute, given=shown(held), nearest=shown(self.value))


def same_instrument(one: str, other: str, catalogue: Catalogue | None) -> bool:
    """Whether two names stand for one instrument: the same text, or names of one catalogue entry."""
    if comparable(one) == comparable(other):
        return True
    return catalogue is not None and catalogue.same_instrument(one, other)


def span_of(values: Mapping[str, Any], names: Sequence[str]) -> tuple[Decimal, Decimal, str] | None:
    """Minimum, maximum and unit as a range, or None where one is missing or not a decimal."""
    try:
        return Decimal(values[names[0]]), Decimal(values[names[1]]), str(values[names[2]])
    except (KeyError, InvalidOperation, TypeError, ValueError):
        return None


SCOPE_KINDS = ("row", "subset", "area", "range", "instrument", "attribute_is")


def read_scope_rule(table: Table, facts: Mapping[str, Field], attributes: Mapping[str, Field]) -> ScopeRule:
    """One rule of a purpose; the fields it names must be declared. Raises `PolicyError`."""
    kind = table.choice("kind", SCOPE_KINDS)
    rule: ScopeRule
    if kind == "row":
        attribute = table.choice("attribute", [name for name, field in attributes.items() if field.kind == "table"])
        columns = table.texts("columns")
        for column in columns:
            if column not in attributes[attribute].columns:
                raise table.refuse("columns", f"{column!r} is no column of {attribute!r}")
        rule = RowRule(attribute=attribute, columns=columns)
    elif kind == "attribute_is":
        rule = AttributeRule(attribute=table.text("attribute"), value=table.value("value"))
    elif kind == "range":
        rule = RangeRule(minimum=table.text("min"), maximum=table.text("max"), unit=table.text("unit"))
    else:
        fact, attribute = table.text("fact"), table.text("attribute")
        if kind == "subset":
            rule = SubsetRule(fact=fact, attribute=attribute)
        elif kind == "area":
            rule = AreaRule(fact=fact, attribute=attribute)
        else:
            rule = InstrumentRule(fact=fact, attribute=attribute)
    for name in rule.facts:
        if name not in facts:
            raise table.refuse("kind", f"reads the fact {name!r}, which the profile does not declare")
    for name in rule.attributes:
        if name not in attributes:
            raise table.refuse("kind", f"reads the attribute {name!r}, which the profile does not declare")
    table.done()
    return rule
