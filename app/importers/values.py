"""Cells into values: one converter for each column, made once, as it runs a million times.

A converter takes the text of a cell and gives the value that the claim has, None where the cell is blank. It raises
`CellProblem`.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from app.importers.rows import MAX_CELL, CellProblem
from registry.credential import SUBJECT_KINDS
from registry.field import MAX_ITEMS, MAX_TEXT, Field, ValueProblem, forbidden_text, read_fact
from registry.identifiers import compact, comparable, uscc_well_formed
from registry.period import InstantError, format_instant, parse_instant
from registry.profile import CredentialProfile

Convert = Callable[[str], Any]
AreaOf = Callable[[str], str | None]

_KEPT = 8192
_KEPT_CELL = 128
_MIDNIGHT = -timedelta(hours=8)  # of Beijing, counted from that of UTC
_NEXT_MIDNIGHT = timedelta(hours=16)
_DAY = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d\d)(\d\d))", re.ASCII
)
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:\.\d*)?E[+-]?\d+", re.ASCII | re.IGNORECASE)
_ITEMS = re.compile(r"[、；;|｜\r\n]")
_LINES = re.compile(r"[；;\r\n]")
# Before what a spreadsheet would compute, one apostrophe is the exporter's (app/exporters/cells.py), not the text's.
_DISARMED = re.compile(r"'+[=+\-@＝＋－＠]")
_ENDLESS = frozenset(map(comparable, ("长期", "长期有效", "永久", "永久有效", "permanent", "long-term")))
_TRUTHS = {"是": True, "true": True, "1": True, "否": False, "false": False, "0": False}
_KINDS = dict.fromkeys(("organisation", "organization", "单位", "机构", "企业", "法人", "组织"), "organisation") | (
    dict.fromkeys(("person", "自然人", "个人"), "person")
)
_STANDINGS = {
    "valid": ("有效", "正常", "在用", "valid"),
    "suspended": ("暂停", "中止", "suspended"),
    "annulled": ("撤销", "annulled"),
    "penalty": ("吊销", "penalty"),
    "withdrawn": ("撤回", "withdrawn"),
    "cancelled": ("注销", "cancelled"),
    "superseded": ("已换新证", "被替代", "superseded"),
}
_OF_STANDING = {comparable(name): standing for standing, names in _STANDINGS.items() for name in names}
_OF_VALUE = {"too_long": "row.too_long", "empty": "row.missing", "text_not_allowed": "row.control_character"}


def _remembered(convert: Convert) -> Convert:
    """The same values by a dictionary, for columns that say the same again and again; what is kept is bounded."""
    known: dict[str, Any] = {}

    def read(cell: str) -> Any:
        try:
            return known[cell]
        except KeyError:
            value = convert(cell)
        if len(cell) <= _KEPT_CELL:
            if len(known) >= _KEPT:
                known.clear()
            known[cell] = value
        return value

    return read


def _needed(convert: Convert) -> Convert:
    def read(cell: str) -> Any:
        value = convert(cell)
        if value is None:
            raise CellProblem("row.missing")
        return value

    return read


def _text(cell: str) -> str | None:
    value = cell.strip()
    if not value:
        return None
    if value[0] == "'" and _DISARMED.match(value):
        value = value[1:]
    if len(value) > MAX_TEXT:
        raise CellProblem("row.too_long", limit=str(MAX_TEXT))
    # Nearly every text is printable, which is quicker to see.
    if not value.isprintable() and forbidden_text(value):
        raise CellProblem("row.control_character")
    return value


def _identifier(cell: str) -> str | None:
    if cell.isascii() and cell.isalnum() and len(cell) <= MAX_TEXT:
        return cell
    value = _text(unicodedata.normalize("NFKC", cell))
    if value is not None and _SCIENTIFIC.fullmatch(value):
        raise CellProblem("row.digits_lost")
    return value


def _uscc(cell: str) -> str | None:
    value = _identifier(cell)
    if value is None:
        return None
    value = compact(value)
    if not uscc_well_formed(value):
        raise CellProblem("row.uscc_wrong")
    return value


def _instant(cell: str, from_midnight: timedelta) -> str | None:
    """RFC 3339 in UTC, from an instant with an offset or from a bare date, which is so far from its UTC midnight."""
    text = unicodedata.normalize("NFKC", cell).strip()
    if not text:
        return None
    day = _DAY.fullmatch("".join(text.split()))
    try:
        if day is None:
            return format_instant(parse_instant(text))
        year, month, date = (int(group) for group in day.groups() if group is not None)
        return format_instant(datetime(year, month, date, tzinfo=UTC) + from_midnight)
    except InstantError as error:
        raise CellProblem(f"row.{error.code}") from None
    except (ValueError, OverflowError):
        raise CellProblem("row.time_out_of_range") from None


def _beginning(cell: str) -> str | None:
    """A bare date begins at 00:00 in Beijing."""
    return _instant(cell, _MIDNIGHT)


def _end(cell: str) -> str | None:
    """A bare date is the last day that counts: the period ends where the next day begins in Beijing.

    An instant is taken as it is, exclusive. 长期 and its like give None, as a blank cell does.
    """
    if comparable(cell[:_KEPT_CELL]) in _ENDLESS:
        return None
    return _instant(cell, _NEXT_MIDNIGHT)


def _subject_kind(cell: str) -> str | None:
    key = comparable(cell[:_KEPT_CELL])
    if key and key not in _KINDS:
        raise CellProblem("row.value_wrong", wanted=", ".join(SUBJECT_KINDS))
    return _KINDS.get(key)


def _standing(cell: str) -> str | None:
    key = comparable(cell[:_KEPT_CELL])
    if key and key not in _OF_STANDING:
        wanted = ", ".join(f"{names[0]} ({standing})" for standing, names in _STANDINGS.items())
        raise CellProblem("row.value_wrong", wanted=wanted)
    return _OF_STANDING.get(key)


def _boolean(cell: str) -> bool | None:
    key = comparable(cell[:_KEPT_CELL])
    if key and key not in _TRUTHS:
        raise CellProblem("row.value_wrong", wanted="是, 否, true, false, 1, 0")
    return _TRUTHS.get(key)


def _choice(field: Field) -> Convert:
    known: dict[str, str] = {}
    for name, label in field.choices.items():
        known |= {comparable(label.zh): name, comparable(label.en): name}
    # An id is never taken for another's label.
    known |= {comparable(name): name for name in field.choices}
    wanted = ", ".join(f"{label.zh} ({name})" for name, label in field.choices.items())

    def read(cell: str) -> str | None:
        key = comparable(cell[:MAX_TEXT])
        if key and key not in known:
            raise CellProblem("row.value_wrong", wanted=wanted)
        return known.get(key)

    return read


def _area(area_of: AreaOf | None) -> Convert:
    def read(cell: str) -> str | None:
        value = _text(unicodedata.normalize("NFKC", cell))
        if value is None or (len(value) == 6 and value.isascii() and value.isdigit()):
            return value
        code = None if area_of is None else area_of(value)
        if code is None:
            raise CellProblem("row.area_unknown")
        return code

    return read


def _decimal(field: Field) -> Convert:
    def read(cell: str) -> str | None:
        value = _text(cell)
        try:
            return None if value is None else str(read_fact(field, value, written=False))
        except ValueProblem as problem:
            raise CellProblem(_OF_VALUE.get(problem.code, "row.value_wrong"), wanted=problem.allowed) from None

    return read


def _parts(cell: str, separators: re.Pattern[str]) -> list[str]:
    if len(cell) > MAX_CELL:
        raise CellProblem("row.cell_too_long", limit=str(MAX_CELL))
    parts = [part for part in map(_text, separators.split(cell)) if part is not None]
    if len(parts) > MAX_ITEMS:
        raise CellProblem("row.items_too_many", limit=str(MAX_ITEMS))
    return parts


def _texts(cell: str) -> tuple[str, ...] | None:
    return tuple(_parts(cell, _ITEMS)) or None


def _listed(convert: Convert) -> Convert:
    """A list of its own for each row, though the items are remembered."""

    def read(cell: str) -> list[str] | None:
        value = convert(cell)
        return None if value is None else list(value)

    return read


def _table(field: Field) -> Convert:
    """Rows divided by ； or line breaks, cells by |, in the order of the field's columns."""
    width, wanted = len(field.columns), " | ".join(field.columns)

    def read(cell: str) -> list[dict[str, str]] | None:
        if len(cell) > MAX_CELL:
            raise CellProblem("row.cell_too_long", limit=str(MAX_CELL))
        rows = []
        for line in _LINES.split(cell):
            if not line.strip():
                continue
            values = [value for value in map(_text, line.replace("｜", "|").split("|")) if value is not None]
            if len(values) != width:
                raise CellProblem("row.table_wrong", wanted=wanted)
            rows.append(dict(zip(field.columns, values, strict=True)))
        return rows or None

    return read


def _of_field(field: Field, area_of: AreaOf | None) -> Convert:
    match field.kind:
        case "text":
            return _text
        case "texts":
            return _listed(_remembered(_texts))
        case "boolean":
            return _remembered(_boolean)
        case "choice":
            return _remembered(_choice(field))
        case "area":
            return _remembered(_area(area_of))
        case "instant":
            return _remembered(_beginning)
        case "decimal":
            return _remembered(_decimal(field))
        case "table":
            return _table(field)
    raise ValueError(f"no column can hold a field of kind {field.kind}")


_OF_MEMBER: dict[str, Convert] = {
    "number": _identifier,
    "subject.name": _text,
    "subject.uscc": _uscc,
    "predecessor": _identifier,
    "successor": _identifier,
}
_OF_REPEATED: dict[str, Convert] = {
    "subject.kind": _subject_kind,
    "issued_at": _beginning,
    "valid_from": _beginning,
    "valid_until": _end,
    "status": _standing,
    "status_since": _beginning,
}
IDENTIFIERS = frozenset({"number", "subject.uscc", "predecessor", "successor"})
NEEDED = frozenset({"number", "subject.name", "issued_at"})
"""What no credential can be without, whatever its type."""


def needed(profile: CredentialProfile, member: str) -> bool:
    """Whether a row must say something of the member."""
    return member in NEEDED or (
        member.startswith("attributes.") and profile.attributes[member.removeprefix("attributes.")].required
    )


def converter(profile: CredentialProfile, member: str, area_of: AreaOf | None) -> Convert:
    """What makes a value of a cell in the member's column. `area_of` gives an area's code by its name."""
    if member in _OF_MEMBER:
        convert = _OF_MEMBER[member]
    elif member in _OF_REPEATED:
        convert = _remembered(_OF_REPEATED[member])
    else:
        convert = _of_field(profile.attributes[member.removeprefix("attributes.")], area_of)
    # A file that tells standings tells every row's: a blank one is no word that the credential is valid.
    return _needed(convert) if member == "status" or needed(profile, member) else convert


def dated(profile: CredentialProfile, member: str) -> bool:
    """Whether the member is an instant."""
    if member.startswith("attributes."):
        return profile.attributes[member.removeprefix("attributes.")].kind == "instant"
    return member in ("issued_at", "valid_from", "valid_until", "status_since")
