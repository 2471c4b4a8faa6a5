"""Rows of cells into claims: the part of reading that CSV and XLSX share."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.importers.rows import MAX_CELL, SHOWN, CellProblem, Row, RowFault
from app.importers.values import AreaOf, converter
from registry.period import parse_instant
from registry.profile import CredentialProfile

_NO_PROBLEMS: Mapping[int, CellProblem] = {}
_SECONDS = len("2026-01-10T00:00:00Z")


class ClaimsMaker:
    """Makes the claims of one file's rows; `columns` are members by header, in the order of the cells."""

    def __init__(self, profile: CredentialProfile, columns: Mapping[str, str], area_of: AreaOf | None) -> None:
        self._headers, members = tuple(columns), tuple(columns.values())
        self._width = len(members)
        self._converters = tuple(converter(profile, member, area_of) for member in members)
        place = {member: number for number, member in enumerate(members)}
        # Behind the values of a row comes a None, which is what a column that the file lacks has said.
        self._number, self._name = place["number"], place["subject.name"]
        self._kind, self._uscc = place.get("subject.kind", -1), place.get("subject.uscc", -1)
        self._issued_at, self._valid_from = place["issued_at"], place.get("valid_from", -1)
        self._valid_until, self._predecessor = place.get("valid_until", -1), place.get("predecessor", -1)
        self._standing = tuple((name, place[name]) for name in ("status", "status_since", "successor") if name in place)
        self._attributes = tuple(
            (name, place[path]) for name in profile.attributes if (path := f"attributes.{name}") in place
        )

    def row(self, number: int, cells: Sequence[str], problems: Mapping[int, CellProblem] = _NO_PROBLEMS) -> Row | None:
        """The row of these cells, None for a blank one. `problems` are those of cells that have no text, by place."""
        if problems or len(cells) != self._width:
            return self._faulty(number, cells, problems)
        try:
            values = [convert(cell) for convert, cell in zip(self._converters, cells, strict=True)]
        except CellProblem:
            return self._faulty(number, cells, problems)
        start, end = (values[place] if place >= 0 else None for place in (self._valid_from, self._valid_until))
        if start is not None and end is not None and not _before(start, end):
            params = {"valid_from": self._headers[self._valid_from]}
            return Row(
                row=number,
                claims=None,
                faults=(self._fault(number, self._valid_until, cells, "row.period_empty", params),),
            )
        return Row(row=number, claims=self._claims(values))

    def _claims(self, values: list[Any]) -> dict[str, Any]:
        values.append(None)
        claims = {
            "number": values[self._number],
            "subject": {
                "kind": values[self._kind] or "organisation",
                "name": values[self._name],
                "uscc": values[self._uscc],
            },
            "issued_at": values[self._issued_at],
            "valid_from": values[self._valid_from],
            "valid_until": values[self._valid_until],
            "attributes": {name: value for name, place in self._attributes if (value := values[place]) is not None},
            "predecessor": values[self._predecessor],
        }
        for name, place in self._standing:
            claims[name] = values[place]
        return claims

    def _fault(self, number: int, place: int, cells: Sequence[str], code: str, params: Mapping[str, str]) -> RowFault:
        return RowFault(row=number, column=self._headers[place], code=code, params=params, value=cells[place][:SHOWN])

    def _faulty(self, number: int, cells: Sequence[str], problems: Mapping[int, CellProblem]) -> Row | None:
        """Everything that is wrong with the row, cell by cell."""
        if not problems and not any(map(str.strip, cells)):
            return None
        # Blank cells behind the last header are what a spreadsheet leaves there.
        if len(cells) < self._width or any(map(str.strip, cells[self._width :])):
            params = {"count": str(len(cells)), "wanted_count": str(self._width)}
            return Row(
                row=number,
                claims=None,
                faults=(RowFault(row=number, column="", code="row.cells_count", params=params),),
            )
        faults = []
        for place, convert in enumerate(self._converters):
            try:
                if place in problems:
                    raise problems[place]
                if len(cells[place]) > MAX_CELL:
                    raise CellProblem("row.cell_too_long", limit=str(MAX_CELL))
                convert(cells[place])
            except CellProblem as problem:
                faults.append(self._fault(number, place, cells, problem.code, problem.params))
        if faults:
            return Row(row=number, claims=None, faults=tuple(faults))
        return self.row(number, cells[: self._width])


def _before(start: str, end: str) -> bool:
    """Instants in UTC; those in whole seconds stand in the order of their texts."""
    if len(start) == len(end) == _SECONDS:
        return start < end
    return parse_instant(start) < parse_instant(end)
