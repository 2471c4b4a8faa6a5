"""What laboratories are authorised to evaluate: instrument, measuring range, accuracy class, period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from registry.catalogue import read_decimal
from registry.document import LegalBasis, PolicyDocument, Table
from registry.identifiers import comparable
from registry.jurisdiction import CONFIDENCE
from registry.period import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """One row: the laboratory may evaluate this instrument in this range (inclusive) and these classes."""

    instrument: str
    minimum: Decimal
    maximum: Decimal
    unit: str
    accuracy_classes: tuple[str, ...]
    period: Period

    def covers(self, span: tuple[Decimal, Decimal, str], classes: Sequence[str], instant: datetime) -> bool | None:
        """Whether range and every class lie inside the row at the instant; None for a range in another unit.

        The caller has found the row's instrument to be the one asked about.
        """
        low, high, unit = span
        held = {comparable(entry) for entry in self.accuracy_classes}
        if instant not in self.period or not {comparable(entry) for entry in classes} <= held:
            return False
        if comparable(self.unit) != comparable(unit):
            return None
        return self.minimum <= low <= high <= self.maximum


@dataclass(frozen=True, slots=True, kw_only=True)
class LaboratoryAuthorisations:
    """All rows of one laboratory, as one version of its file."""

    id: str
    version: int
    digest: str
    laboratory: str
    rows: tuple[Authorisation, ...]
    legal_basis: tuple[LegalBasis, ...]
    confidence: str


def _read_row(table: Table) -> Authorisation:
    minimum, maximum = read_decimal(table, "min"), read_decimal(table, "max")
    if minimum is None or maximum is None or maximum < minimum:
        raise table.refuse("min", "give min and max, min not above max")
    row = Authorisation(
        instrument=table.text("instrument"),
        minimum=minimum,
        maximum=maximum,
        unit=table.text("unit"),
        accuracy_classes=table.texts("accuracy_classes"),
        period=table.period(),
    )
    table.done()
    return row


def read_authorisations(document: PolicyDocument) -> LaboratoryAuthorisations:
    """One laboratory's file. Raises `PolicyError`."""
    table = Table(document.source, document.content)
    table.text("id"), table.integer("version")
    authorisations = LaboratoryAuthorisations(
        id=document.id,
        version=document.version,
        digest=document.digest,
        laboratory=table.text("laboratory"),
        rows=tuple(_read_row(row) for row in table.tables("rows", at_least=1)),
        legal_basis=table.legal_basis(),
        confidence=table.choice("confidence", CONFIDENCE),
    )
    table.done()
    return authorisations
