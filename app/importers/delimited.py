"""CSV: the header says the separator, quotes are held to strictly, and no line is taken into memory unmeasured."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from app.importers.claims import ClaimsMaker
from app.importers.encoding import text_encoding
from app.importers.headers import known_headers, read_headers
from app.importers.rows import MAX_CELL, MAX_COLUMNS, FileRefused, Row, RowSource
from app.importers.values import AreaOf
from registry.identifiers import comparable
from registry.profile import CredentialProfile

SEPARATORS = (",", ";", "\t")
MAX_LINE = 1 << 20
"""Characters between two line breaks."""


class _LineTooLong(Exception):
    """Nothing that has rows is like this."""


def _lines(text: IO[str]) -> Iterator[str]:
    readline = text.readline
    while line := readline(MAX_LINE):
        if len(line) == MAX_LINE and line[-1] not in "\r\n":
            raise _LineTooLong
        yield line


def _reader(text: IO[str], separator: str) -> Iterator[list[str]]:
    return csv.reader(_lines(text), delimiter=separator, strict=True)


class _Delimited:
    """One file with its encoding, its separator and its headers."""

    def __init__(self, path: Path, profile: CredentialProfile, area_of: AreaOf | None) -> None:
        self._path, self._profile, self._area_of = path, profile, area_of
        self.encoding = text_encoding(path)
        self._separator, header = self._header()
        self.columns = read_headers(header, profile)

    def _open(self) -> IO[str]:
        return self._path.open(encoding=self.encoding, newline="")

    def _header(self) -> tuple[str, list[str]]:
        """The separator under which the most headers are known, or else that gives the most of them."""
        known = known_headers(self._profile)
        found: list[tuple[int, int, str, list[str]]] = []
        for separator in SEPARATORS:
            with self._open() as text:
                try:
                    cells = next(_reader(text, separator), [])
                except (csv.Error, _LineTooLong):
                    continue
            right = sum(comparable(cell[:MAX_COLUMNS]) in known for cell in cells)
            found.append((right, len(cells), separator, cells))
        if not found:
            raise FileRefused("file.quotes_wrong", row="1")
        _, _, separator, cells = max(found, key=lambda entry: entry[:2])
        return separator, cells

    def rows(self) -> Iterator[Row]:
        make = ClaimsMaker(self._profile, self.columns, self._area_of).row
        for number, cells in self._cells():
            if (row := make(number, cells)) is not None:
                yield row

    def count(self) -> int:
        # Nearly every row begins with something, which is quicker to see.
        return sum(1 for _, cells in self._cells() if cells and (cells[0].strip() or any(map(str.strip, cells))))

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        """The cells of every row but the first."""
        number = 0
        try:
            with self._open() as text:
                for number, cells in enumerate(_reader(text, self._separator), start=1):
                    if number > 1:
                        yield number, cells
        except UnicodeError:
            raise FileRefused("file.changed") from None
        except (csv.Error, _LineTooLong) as error:
            raise self._refusal(number + 1, error) from None

    def _refusal(self, row: int, error: Exception) -> FileRefused:
        if isinstance(error, _LineTooLong) or "field larger" in str(error):
            place = self._long_cell()
            headers = list(self.columns)
            column = headers[place] if place < len(headers) else str(place + 1)
            return FileRefused("file.cell_too_long", row=str(row), column=column, limit=str(MAX_CELL))
        if "unexpected end" in str(error):
            return FileRefused("file.quote_open", row=str(row))
        return FileRefused("file.quotes_wrong", row=str(row))

    def _long_cell(self) -> int:
        """The place of the cell that is too long, in the row at which reading stops; found by reading again."""
        start = 0
        with self._open() as text:
            reader = csv.reader(_lines(text), delimiter=self._separator, strict=True)
            try:
                for _ in reader:
                    start = reader.line_num
            except (csv.Error, _LineTooLong):
                pass
        with self._open() as text:
            for _ in islice(_lines(text), start):
                pass
            # So much at most is in cells that are not too long, before the one that is.
            record = text.read(MAX_COLUMNS * (MAX_CELL + 1) + MAX_LINE)
        place = length = 0
        quoted = False
        for character in record:
            if character == '"':
                quoted = not quoted
            elif character == self._separator and not quoted:
                place, length = place + 1, 0
                continue
            length += 1
            if length > MAX_CELL:
                break
        return place


def read_delimited(path: Path, profile: CredentialProfile, area_of: AreaOf | None) -> RowSource:
    """A CSV file. Raises `FileRefused`."""
    file = _Delimited(path, profile, area_of)
    return RowSource(format="csv", encoding=file.encoding, columns=file.columns, read=file.rows, count=file.count)
