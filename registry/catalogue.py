"""Catalogues of what needs a credential at all: instruments that must be of an approved type."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from msgspec import Struct

from registry.document import LegalBasis, LocalText, PolicyDocument, Table
from registry.identifiers import comparable
from registry.jurisdiction import CONFIDENCE
from registry.period import Period

MARKS = ("P", "V", "P+V")
"""How an entry is supervised: type approval, verification in use, or both."""
_SIZE = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)
QUANTITIES = ("nominal_diameter", "flow_rating", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One kind of instrument, with the range the catalogue restricts it to (inclusive), if it does."""

    name: LocalText
    aliases: tuple[str, ...]
    mark: str
    quantity: str | None
    unit: str | None
    minimum: Decimal | None
    maximum: Decimal | None
    note: LocalText | None

    @property
    def needs_approval(self) -> bool:
        """Whether the entry is supervised by type approval (P or P+V)."""
        return "P" in self.mark.split("+")


class Listing(Struct, frozen=True, kw_only=True):
    """What a catalogue says of an instrument: `listed`, `off`, or `unclear` (and what would settle it)."""

    state: Literal["listed", "off", "unclear"]
    entry: CatalogueEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """One version of a catalogue. Only a `complete` one can say that something is off it."""

    id: str
    version: int
    digest: str
    name: LocalText
    effective: Period
    complete: bool
    entries: tuple[CatalogueEntry, ...]
    legal_basis: tuple[LegalBasis, ...]
    confidence: str
    sources: tuple[str, ...]
    names: Mapping[str, tuple[CatalogueEntry, ...]]

    def find(self, instrument: str, size: str | None) -> Listing:
        """Looks an instrument up by the name it goes by, and its size where an entry is restricted to a range.

        A name that only contains a listed name, or is contained in one, counts as listed: telling somebody
        wrongly that nothing is needed is the worse mistake.
        """
        asked = comparable(instrument)
        exact = self.names.get(asked, ())
        alike = exact or tuple(
            entry for name, entries in self.names.items() if name in asked or asked in name for entry in entries
        )
        needing = [entry for entry in alike if entry.needs_approval]
        if not needing:
            return Listing(state="off" if exact or self.complete else "unclear")
        inside = [entry for entry in needing if _in_range(entry, size) is not False]
        if inside:
            return Listing(state="listed", entry=inside[0])
        # Off by its size: only for a name that the catalogue itself uses.
        return Listing(state="off" if exact else "unclear", entry=needing[0])

    def same_instrument(self, left: str, right: str) -> bool:
        """Whether two names stand for one entry (or are the same text)."""
        one, other = comparable(left), comparable(right)
        return one == other or any(entry in self.names.get(other, ()) for entry in self.names.get(one, ()))


def _in_range(entry: CatalogueEntry, size: str | None) -> bool | None:
    """Whether the size lies in the entry's range; None when there is a range and the size is not readable."""
    if entry.minimum is None and entry.maximum is None:
        return True
    text = comparable(size or "")
    if entry.unit is not None:
        text = text.removeprefix(comparable(entry.unit)).removesuffix(comparable(entry.unit))
    # "DN-40" is a way of writing DN 40, not a negative size.
    if not _SIZE.fullmatch(text.lstrip("-")) or (value := Decimal(text.lstrip("-"))) == 0:
        return None
    return (entry.minimum is None or entry.minimum <= value) and (entry.maximum is None or value <= entry.maximum)


def read_decimal(table: Table, key: str) -> Decimal | None:
    """A decimal written as a text, or None where the key is absent."""
    text = table.optional_text(key)
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise table.refuse(key, 'must be a decimal written as a text, as in "0.5"')
    return value


def _read_entry(table: Table) -> CatalogueEntry:
    entry = CatalogueEntry(
        name=table.local_text("name"),
        aliases=table.texts("aliases", default=(), allow_empty=True),
        mark=table.choice("mark", MARKS),
        quantity=table.choice("quantity", QUANTITIES) if table.has("quantity") else None,
        unit=table.optional_text("unit"),
        minimum=read_decimal(table, "min"),
        maximum=read_decimal(table, "max"),
        note=table.local_text("note") if table.has("note") else None,
    )
    if entry.minimum is not None and entry.maximum is not None and entry.maximum < entry.minimum:
        raise table.refuse("min", "must not be above max")
    table.done()
    return entry


def read_catalogue(document: PolicyDocument) -> Catalogue:
    """One catalogue file. Raises `PolicyError`."""
    table = Table(document.source, document.content)
    table.text("id"), table.integer("version")
    entries = tuple(_read_entry(entry) for entry in table.tables("entries", at_least=1))
    names: dict[str, tuple[CatalogueEntry, ...]] = {}
    for entry in entries:
        for name in {comparable(text) for text in (entry.name.zh, entry.name.en, *entry.aliases)}:
            names[name] = (*names.get(name, ()), entry)
    catalogue = Catalogue(
        id=document.id,
        version=document.version,
        digest=document.digest,
        name=table.local_text("name"),
        effective=table.period(),
        complete=table.flag("complete"),
        entries=entries,
        legal_basis=table.legal_basis(),
        confidence=table.choice("confidence", CONFIDENCE),
        sources=table.texts("sources"),
        names=names,
    )
    table.done()
    return catalogue
