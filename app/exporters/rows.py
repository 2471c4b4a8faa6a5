"""What writing a register's file takes: claims, row by row, and what is said of those that cannot be told."""

from collections.abc import Mapping
from typing import Any, Protocol

from registry.finding import Params

Claims = Mapping[str, Any]
"""All members that import knows of a credential; None where it has none."""


class RowUntold(Exception):
    """A credential cannot be told in a row; `code`, `variant` and `params` say why, as those of a finding."""

    def __init__(self, code: str, variant: str = "", params: Params | None = None) -> None:
        self.code, self.variant, self.params = code, variant, params or {}
        super().__init__(code, variant, params)


class RowWriter(Protocol):
    """One format of a file, of credentials of one type."""

    def head(self) -> bytes:
        """What stands before the rows."""
        ...

    def row(self, claims: Claims) -> bytes:
        """One row, with its line break. Raises `RowUntold`."""
        ...


def bounded(line: bytes, limit: int) -> bytes:
    """The line, if import takes one as long. Raises `RowUntold`."""
    if len(line) >= limit:
        raise RowUntold("export.line_too_long", params={"limit": str(limit)})
    return line
