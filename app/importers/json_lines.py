"""JSON lines: one credential a line, the members as an issuer states them, strictly JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from app.importers.encoding import check_utf8
from app.importers.rows import SHOWN, CellProblem, Row, RowFault, RowSource
from registry.profile import CredentialProfile
from registry.query import printable

MAX_LINE = 1 << 20
"""Bytes."""
_CLAIMS = (
    *("number", "subject", "issued_at", "valid_from", "valid_until", "attributes", "predecessor"),
    *("status", "status_since", "successor"),
)
_BOM = b"\xef\xbb\xbf"


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise CellProblem("row.member_twice", name=printable(name))
            seen.add(name)
    return members


def _no_fraction(text: str) -> NoReturn:
    raise CellProblem("row.number_not_allowed", number=text[:64])


_strictly = json.JSONDecoder(object_pairs_hook=_members, parse_float=_no_fraction, parse_constant=_no_fraction)


class _JsonLines:
    def __init__(self, path: Path, profile: CredentialProfile, issuer: str | None) -> None:
        self._path, self._same = path, {"type": profile.id, "issuer": issuer}
        self.encoding = check_utf8(path)

    def rows(self) -> Iterator[Row]:
        with self._path.open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                try:
                    claims = None if line is None else self._claims(line.removeprefix(_BOM) if number == 1 else line)
                    if line is None:
                        raise CellProblem("row.line_too_long", limit=str(MAX_LINE))
                except CellProblem as problem:
                    name = problem.params.get("name", "")
                    shown = "" if line is None else line[:SHOWN].decode("utf-8", "replace").strip()
                    fault = RowFault(row=number, column=name, code=problem.code, params=problem.params, value=shown)
                    yield Row(row=number, claims=None, faults=(fault,))
                else:
                    if claims is not None:
                        yield Row(row=number, claims=claims)

    def count(self) -> int:
        with self._path.open("rb") as file:
            return sum(line is None or bool(line.removeprefix(_BOM).strip()) for line in _lines(file))

    def _claims(self, line: bytes) -> dict[str, Any] | None:
        """The claims of a line, None for a blank one. What the members say is judged when they are registered."""
        if not line.strip():
            return None
        try:
            content = _strictly.decode(line.decode("utf-8"))
        except json.JSONDecodeError as error:
            raise CellProblem("row.json_malformed", place=str(error.colno)) from None
        except (ValueError, RecursionError):
            # Not UTF-8 any more, an integer of thousands of digits, or nesting without end.
            raise CellProblem("row.json_malformed", place="1") from None
        if not isinstance(content, dict):
            raise CellProblem("row.json_malformed", place="1")
        for name in list(content):
            if name in self._same:
                self._check_same(name, content.pop(name))
            elif name not in _CLAIMS:
                raise CellProblem("row.member_unknown", name=printable(name), known=", ".join(_CLAIMS))
        return content

    def _check_same(self, name: str, value: object) -> None:
        given = self._same[name]
        if value != given:
            raise CellProblem("row.member_other", name=name, given=given or "-", stated=printable(str(value)))


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines, None for one that is too long."""
    while line := file.readline(MAX_LINE):
        if len(line) < MAX_LINE or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
            pass
        yield None


def read_json_lines(path: Path, profile: CredentialProfile, issuer: str | None) -> RowSource:
    """A file of JSON lines. Raises `FileRefused`."""
    file = _JsonLines(path, profile, issuer)
    return RowSource(format="jsonl", encoding=file.encoding, columns={}, read=file.rows, count=file.count)
