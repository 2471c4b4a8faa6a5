"""CSV as Excel opens it, and as import reads it: what is read back otherwise is not written."""

import codecs
import unicodedata
from collections.abc import Iterable
from typing import Any

from app.exporters.cells import CellWriter, cell_writer, column_name
from app.exporters.rows import Claims, RowUntold, bounded
from app.importers.claims import ClaimsMaker
from app.importers.delimited import MAX_LINE
from app.importers.rows import Row
from app.messages import Language
from registry.columns import member_paths
from registry.profile import CredentialProfile

_IDENTIFIERS = ("number", "predecessor", "successor")
_QUOTE = '"'


class Delimited:
    """Implements `app.exporters.RowWriter`: UTF-8 with a byte order mark, CRLF, every cell in quotes.

    A file has all the columns that its type may have. The quotes keep a spreadsheet that takes other separators for
    such from cutting a cell in two, of which the second could be a formula.
    """

    def __init__(self, profile: CredentialProfile, language: Language) -> None:
        members = member_paths(profile.attributes)
        self._columns = {column_name(profile, member, language): member for member in members}
        self._writers = tuple(
            (header, member, cell_writer(profile, member, language)) for header, member in self._columns.items()
        )
        self._read_back = ClaimsMaker(profile, self._columns, None).row
        self._attributes = profile.attributes.keys()

    def head(self) -> bytes:
        """The byte order mark and the names of the columns."""
        return codecs.BOM_UTF8 + _line(self._columns)

    def row(self, claims: Claims) -> bytes:
        """One line. Raises `RowUntold` for what import would not read as it is here."""
        said = {**claims, **{name: _normalised(claims[name]) for name in _IDENTIFIERS}}
        for name in said["attributes"].keys() - self._attributes:
            raise _untold(f"attributes.{name}")
        cells = [self._cell(said, header, member, write) for header, member, write in self._writers]
        row = self._read_back(0, cells)
        if row is None or row.claims != said:
            raise _untold(self._differing(row, said))
        return bounded(_line(cells), MAX_LINE)

    @staticmethod
    def _cell(said: Claims, header: str, member: str, write: CellWriter) -> str:
        value = _value(said, member)
        if value is None:
            return ""
        try:
            return write(value)
        except (AttributeError, KeyError, TypeError, ValueError):
            # Of another kind than its field: it was registered under another version of the type.
            raise _untold(header) from None

    def _differing(self, row: Row | None, said: Claims) -> str:
        """The column by which the row is read otherwise."""
        if row is None or row.claims is None:
            return row.faults[0].column if row is not None else ""
        read = row.claims
        differing = (header for header, member, _ in self._writers if _value(read, member) != _value(said, member))
        return next(differing, "")


def _value(claims: Claims, member: str) -> Any:
    name, dot, inner = member.partition(".")
    return claims[name].get(inner) if dot else claims[name]


def _normalised(identifier: str | None) -> str | None:
    """As import takes it: the form in which it is looked up does not differ by this."""
    return None if identifier is None else unicodedata.normalize("NFKC", identifier).strip()


def _line(cells: Iterable[str]) -> bytes:
    """RFC 4180 with all cells in quotes."""
    quoted = ",".join([f'"{cell.replace(_QUOTE, _QUOTE * 2)}"' for cell in cells])
    return f"{quoted}\r\n".encode()


def _untold(column: str) -> RowUntold:
    return RowUntold("export.not_in_csv", params={"column": column})
