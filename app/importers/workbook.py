"""XLSX: the first visible sheet, read row by row, formulas never evaluated.

openpyxl 3.1.5 and defusedxml 0.7.1 are the newest releases (looked up 2026-11-23). openpyxl's own read-only sheets drop
rows that are out of order and fill gaps between rows one by one, so its parser of rows is used by itself: it gives the
numbers that the file has. Links to other files are not followed.
"""

import datetime as dt
import warnings
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from weakref import finalize

import openpyxl  # type: ignore[import-untyped]
from openpyxl.worksheet._reader import ROW_TAG, WorkSheetParser  # type: ignore[import-untyped]
from openpyxl.xml.functions import iterparse  # type: ignore[import-untyped]

from app.importers.claims import ClaimsMaker
from app.importers.headers import read_headers
from app.importers.package import check_package
from app.importers.rows import MAX_COLUMNS, CellProblem, FileRefused, Row, RowSource
from app.importers.values import IDENTIFIERS, AreaOf, dated
from registry.profile import CredentialProfile

MAX_ROWS = 1_048_576
_MAX_ROW_XML = 8 << 20
_BATCH = 256
# Excel keeps 15 digits of a number.
_EXACT = 10**15

Parsed = tuple[int, list[dict[str, Any]]]


class _Measured:
    """A part being unpacked, of which the parser may not take too much before a row ends."""

    def __init__(self, part: Any) -> None:
        self._part, self._taken = part, 0

    def read(self, size: int) -> bytes:
        piece: bytes = self._part.read(size)
        self._taken += len(piece)
        if self._taken > _MAX_ROW_XML:
            raise FileRefused("file.unpacks_too_large")
        return piece

    def row_ended(self) -> None:
        self._taken = 0


class _Parser(WorkSheetParser):  # type: ignore[misc]
    """Rows and nothing else of a sheet."""

    def parse(self) -> Iterator[Parsed]:
        for _, element in iterparse(self.source):
            if element.tag == ROW_TAG:
                row = self.parse_row(element)
                element.clear()
                self.source.row_ended()
                yield row

    def parse_formula(self, element: Any) -> str:
        """A formula is told, not read: to translate shared ones costs time without end."""
        return "="


def _parsed(book: Any, sheet: Any) -> Iterator[Parsed]:
    with book._archive.open(sheet._worksheet_path) as part:
        parser = _Parser(
            _Measured(part),
            sheet._shared_strings,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        before = 0
        for number, cells in parser.parse():
            if number > MAX_ROWS:
                raise FileRefused("file.rows_too_many", limit=str(MAX_ROWS))
            if number <= before:
                raise FileRefused("file.workbook_broken")
            before = number
            yield number, cells


def _guarded(make: Callable[[], Any]) -> Any:
    """The one place where openpyxl is called: whatever it raises means that the file is broken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()
    except (FileRefused, MemoryError):
        raise
    except Exception:
        raise FileRefused("file.workbook_broken") from None


def _sheet_rows(book: Any, sheet: Any) -> Iterator[Parsed]:
    rows = _parsed(book, sheet)
    while batch := _guarded(lambda: list(islice(rows, _BATCH))):
        yield from batch


def _cell_text(cell: Mapping[str, Any], member: str, instant: bool, boolean: bool) -> str:
    """The cell as it would stand in a text file. Raises `CellProblem`."""
    value, kind = cell["value"], cell["data_type"]
    if kind == "f":
        raise CellProblem("row.formula")
    if kind == "e":
        raise CellProblem("row.cell_error", error=str(value)[:20])
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        if not boolean:
            raise CellProblem("row.value_wrong", wanted="text")
        return "true" if value else "false"
    if isinstance(value, dt.datetime | dt.date):
        if not instant:
            raise CellProblem("row.date_not_wanted")
        if isinstance(value, dt.datetime) and value.time() != dt.time():
            raise CellProblem("row.time_without_offset")
        return value.strftime("%Y-%m-%d").zfill(10)
    if isinstance(value, int | float):
        return _digits(value, member)
    raise CellProblem("row.value_wrong", wanted="instant" if instant else "text")


def _digits(value: float, member: str) -> str:
    """A number's digits. Those beyond the fifteenth are not what was typed, and are not given out as if they were."""
    if not -_EXACT < value < _EXACT:
        raise CellProblem("row.digits_lost")
    if value == int(value):
        return str(int(value))
    if member in IDENTIFIERS:
        raise CellProblem("row.digits_lost")
    # 0.30000000000000004 is shown as 0.3 where it was typed.
    return format(Decimal(format(value, ".15g")), "f")


class _Workbook:
    def __init__(self, path: Path, profile: CredentialProfile, area_of: AreaOf | None) -> None:
        self._profile, self._area_of = profile, area_of
        if not openpyxl.DEFUSEDXML or openpyxl.LXML:
            raise RuntimeError(
                "openpyxl must parse with defusedxml: unset OPENPYXL_DEFUSEDXML, set OPENPYXL_LXML=False"
            )
        check_package(path)
        # By its path openpyxl would judge the file by its name. It stays open for as long as there is a source.
        file = path.open("rb")
        finalize(self, file.close)
        self._book = _guarded(lambda: openpyxl.load_workbook(file, read_only=True, keep_links=False))
        visible = [sheet for sheet in self._book.worksheets if sheet.sheet_state == "visible"]
        if not visible:
            raise FileRefused("file.workbook_broken")
        self._sheet = visible[0]
        full = [sheet.title for sheet in visible[1:] if self._has_content(sheet)]
        if full:
            raise FileRefused("file.sheets_several", first=self._sheet.title[:64], others=", ".join(full)[:200])
        self.columns = read_headers(self._header(), profile)

    def _has_content(self, sheet: Any) -> bool:
        return any(cell["value"] is not None for _, cells in _sheet_rows(self._book, sheet) for cell in cells)

    def _header(self) -> list[str]:
        number, cells = next(_sheet_rows(self._book, self._sheet), (0, []))
        if number != 1:
            raise FileRefused("file.header_none")
        headers: list[str] = []
        for cell in cells:
            if cell["value"] is None:
                continue
            if cell["data_type"] == "f":
                raise FileRefused("file.header_formula", place=str(cell["column"]))
            if not 1 <= cell["column"] <= MAX_COLUMNS:
                raise FileRefused("file.columns_too_many", limit=str(MAX_COLUMNS))
            headers += [""] * (cell["column"] - len(headers))
            headers[cell["column"] - 1] = str(cell["value"])
        return headers

    def rows(self) -> Iterator[Row]:
        make = ClaimsMaker(self._profile, self.columns, self._area_of).row
        members = tuple(self.columns.values())
        kinds = tuple((member, dated(self._profile, member), self._boolean(member)) for member in members)
        for number, parsed in _sheet_rows(self._book, self._sheet):
            if number == 1:
                continue
            cells, problems = [""] * len(kinds), dict[int, CellProblem]()
            for cell in parsed:
                place = cell["column"] - 1
                if not 0 <= place < len(kinds):
                    if cell["value"] is not None:
                        cells.append("�")
                    continue
                try:
                    cells[place] = _cell_text(cell, *kinds[place])
                except CellProblem as problem:
                    cells[place], problems[place] = str(cell["value"] or ""), problem
            if (row := make(number, cells, problems)) is not None:
                yield row

    def _boolean(self, member: str) -> bool:
        attribute = self._profile.attributes.get(member.removeprefix("attributes."))
        return attribute is not None and attribute.kind == "boolean" and member.startswith("attributes.")


def read_workbook(path: Path, profile: CredentialProfile, area_of: AreaOf | None) -> RowSource:
    """An XLSX file. Raises `FileRefused`."""
    book = _Workbook(path, profile, area_of)
    return RowSource(
        format="xlsx", encoding="utf-8", columns=book.columns, read=book.rows, count=lambda: sum(1 for _ in book.rows())
    )
