"""Declared fields: the attributes a credential carries and the facts a purpose asks for, and their closed kinds."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.document import LocalText, Table

FIELD_KINDS = ("text", "texts", "boolean", "decimal", "area", "choice", "table", "instant")
FACT_KINDS = ("text", "texts", "boolean", "decimal", "area", "choice")
MAX_TEXT = 200
MAX_ITEMS = 100

_DECIMAL = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_AREA = re.compile(r"\d{6}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_SEPARATORS = re.compile(r"[,，、;；]")
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

FactValue = str | bool | tuple[str, ...]


class ValueProblem(ValueError):
    """A value does not fit its field; `code` is stable, `allowed` says what would."""

    def __init__(self, code: str, allowed: str = "") -> None:
        self.code, self.allowed = code, allowed
        super().__init__(f"{code} {allowed}".strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A declared attribute or fact. `columns` belongs to tables, `choices` to choices."""

    name: str
    kind: str
    label: LocalText
    required: bool
    public: bool
    choices: Mapping[str, LocalText]
    columns: tuple[str, ...]


def forbidden_text(text: str) -> bool:
    """Whether a text holds control characters, NUL or lone surrogates: nothing a register can mean."""
    return _FORBIDDEN.search(text) is not None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueProblem("wrong_kind", "text")
    if not value.isprintable() and forbidden_text(value):
        raise ValueProblem("text_not_allowed")
    text = value.strip()
    if not text:
        raise ValueProblem("empty")
    if len(value) > MAX_TEXT:
        raise ValueProblem("too_long", str(MAX_TEXT))
    return text


def _texts(value: Any, written: bool) -> tuple[str, ...]:
    if written and isinstance(value, str):
        value = [part for part in _SEPARATORS.split(value) if part.strip()]
    if not isinstance(value, list):
        raise ValueProblem("wrong_kind", "texts")
    if not value:
        raise ValueProblem("empty")
    if len(value) > MAX_ITEMS:
        raise ValueProblem("too_long", str(MAX_ITEMS))
    return tuple(_text(item) for item in value)


def read_fact(field: Field, value: Any, written: bool) -> FactValue:
    """A fact's value as its kind wants it. `written` allows a boolean or a list to come as text (links, shell).

    Raises `ValueProblem`.
    """
    if field.kind == "boolean":
        if written and value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            raise ValueProblem("wrong_kind", "true, false")
        return value
    if field.kind == "texts":
        return _texts(value, written)
    text = _text(value)
    if field.kind in ("decimal", "area"):
        text = unicodedata.normalize("NFKC", text)
    if field.kind == "decimal" and not _DECIMAL.fullmatch(text):
        raise ValueProblem("wrong_kind", "decimal")
    if field.kind == "area" and not _AREA.fullmatch(text):
        raise ValueProblem("wrong_kind", "area")
    if field.kind == "choice" and text not in field.choices:
        raise ValueProblem("wrong_kind", ", ".join(field.choices))
    return text


def _read_choice(table: Table) -> LocalText:
    label = table.local_text("label")
    table.done()
    return label


def read_fields(tables: Mapping[str, Table], kinds: tuple[str, ...]) -> dict[str, Field]:
    """The declared fields of a profile, by name. Raises `PolicyError`."""
    fields = {}
    for name, table in tables.items():
        if not _NAME.fullmatch(name):
            raise table.refuse("", f"{name!r} is no field name; lower-case letters, digits and _")
        kind = table.choice("kind", kinds)
        choices = {key: _read_choice(entry) for key, entry in table.named_tables("choices").items()}
        if (kind == "choice") != bool(choices):
            raise table.refuse("choices", "belongs to kind 'choice', which needs it")
        columns = table.texts("columns", default=(), allow_empty=True)
        if (kind == "table") != bool(columns):
            raise table.refuse("columns", "belongs to kind 'table', which needs it")
        fields[name] = Field(
            name=name,
            kind=kind,
            label=table.local_text("label"),
            required=table.flag("required"),
            public=table.flag("public", default=True),
            choices=choices,
            columns=columns,
        )
        table.done()
    return fields
