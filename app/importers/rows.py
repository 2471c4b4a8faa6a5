"""What reading a register's file gives: rows with claims or with faults, or a file that is refused."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

MAX_CELL = 32_767
"""Characters in a cell, as in Excel."""
MAX_COLUMNS = 200
SHOWN = 200
"""Characters of a cell that a fault shows."""


class RowFault(Struct, frozen=True, kw_only=True):
    """One thing wrong with a row. `code` and `params` become a sentence at the edge; `value` begins as the cell does.

    `row` is as people see it: in CSV and XLSX the header is 1 and a row that holds line breaks counts once, as Excel
    counts it; in JSON lines it is the line. `column` is the header as written, or a member's path in JSON lines.
    """

    row: int
    column: str
    code: str
    params: Mapping[str, str] = {}
    value: str = ""


class Row(Struct, frozen=True, kw_only=True):
    """One row: its claims, or None and what is wrong with it."""

    row: int
    claims: dict[str, Any] | None
    faults: tuple[RowFault, ...] = ()


class FileFacts(Struct, frozen=True):
    """What a file is: the digest of its bytes, and its rows without blank ones."""

    digest: str
    rows: int


class FileRefused(Exception):
    """The file cannot be read as a whole; `code` and `params` say why and where.

    Bad quotes, and cells beyond all measure, are found only on the way: then rows have been given already.
    """

    def __init__(self, code: str, **params: str) -> None:
        self.code, self.params = code, params
        super().__init__(code, params)


class CellProblem(Exception):
    """A cell does not fit its column."""

    def __init__(self, code: str, **params: str) -> None:
        self.code, self.params = code, params
        super().__init__(code, params)


class RowSource(Struct, frozen=True, kw_only=True):
    """A file that can be read. `format` is csv, xlsx or jsonl; `columns` maps headers to members, empty for jsonl."""

    format: str
    encoding: str
    columns: Mapping[str, str]
    read: Callable[[], Iterator[Row]]
    count: Callable[[], int]
    """Counts the rows without blank ones, by going through the whole file. Raises `FileRefused` as `rows` does."""

    def rows(self) -> Iterator[Row]:
        """The rows from the first, without blank ones. Raises `FileRefused`."""
        return self.read()
