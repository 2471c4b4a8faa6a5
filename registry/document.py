"""Reading declarative documents strictly: every key known, every value of its kind, errors that name both.

A `Table` wraps one TOML table. Each reader takes a key off it; `done` refuses what nobody took.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from registry.canonical import canonical_json, digest
from registry.errors import CanonicalError, PolicyError
from registry.period import Period, format_instant, parse_instant

_MISSING: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalText:
    """The same text in Chinese and in English."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasis:
    """Where the law says so: the instrument's title, its number and the article, as cited in China."""

    instrument: str
    number: str | None = None
    article: str | None = None

    def statement(self) -> dict[str, str | None]:
        """The wire form."""
        return {"instrument": self.instrument, "number": self.number, "article": self.article}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """One version of one policy file: parsed content with instants as text, and the digest over its canonical form.

    `source` names where it was read from, for error messages only.
    """

    kind: str
    id: str
    version: int
    digest: str
    source: str
    content: Mapping[str, Any]


class Table:
    """One table of a document, read key by key. `where` is the path of the table inside the file."""

    def __init__(self, source: str, content: Mapping[str, Any], where: str = "") -> None:
        self.source, self.where = source, where
        self._left = dict(content)
        self._known: set[str] = set()

    def refuse(self, key: str, problem: str) -> PolicyError:
        """The error for a key of this table; the caller raises it."""
        return PolicyError(self.source, f"{self.where}.{key}".strip("."), problem)

    def _take(self, key: str, default: Any = _MISSING) -> Any:
        self._known.add(key)
        value = self._left.pop(key, default)
        if value is _MISSING:
            raise self.refuse(key, "is missing")
        return value

    def has(self, key: str) -> bool:
        """Whether the key is given and not yet read."""
        self._known.add(key)
        return key in self._left

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self._take(key, _MISSING if default is None else default)
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(key, "must be a text that is not empty")
        return value

    def optional_text(self, key: str) -> str | None:
        """A text, or None where the key is absent."""
        return self.text(key) if key in self._left else self._take(key, None)

    def choice(self, key: str, allowed: Iterable[str], default: str | None = None) -> str:
        """One of the allowed texts; the error lists them."""
        value = self.text(key, default)
        names = list(allowed)
        if value not in names:
            raise self.refuse(key, f"{value!r} is not allowed; allowed: {', '.join(names)}")
        return value

    def integer(self, key: str, at_least: int = 1, at_most: int = 1_000_000) -> int:
        """A whole number between two bounds."""
        value = self._take(key)
        if type(value) is not int or not at_least <= value <= at_most:
            raise self.refuse(key, f"must be a whole number of at least {at_least} and at most {at_most}")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """A truth value."""
        value = self._take(key, default)
        if type(value) is not bool:
            raise self.refuse(key, "must be true or false")
        return value

    def value(self, key: str) -> str | bool:
        """A text or a boolean: what an attribute or a fact may be compared with."""
        value = self._take(key)
        if not isinstance(value, str | bool):
            raise self.refuse(key, "must be a text, true or false")
        return value

    def texts(self, key: str, allow_empty: bool = False, default: Iterable[str] | None = None) -> tuple[str, ...]:
        """A list of texts without repetition."""
        value = self._take(key, _MISSING if default is None else list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.refuse(key, "must be a list of texts")
        if not value and not allow_empty:
            raise self.refuse(key, "must not be empty")
        if len(set(value)) != len(value):
            raise self.refuse(key, "names something twice")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, str]:
        """A table of texts; empty where the key is absent."""
        value = self._take(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self.refuse(key, "must be a table of texts")
        return dict(value)

    def instant(self, key: str) -> datetime:
        """A date-time with an offset."""
        value = self._take(key)
        try:
            if isinstance(value, str):
                return parse_instant(value)
        except ValueError as error:
            raise self.refuse(key, f"must be a date-time with an offset ({error})") from None
        raise self.refuse(key, "must be a date-time with an offset, as in 2024-01-01T00:00:00+08:00")

    def optional_instant(self, key: str) -> datetime | None:
        """A date-time with an offset, or None where the key is absent."""
        return self.instant(key) if key in self._left else self._take(key, None)

    def period(self) -> Period:
        """The keys `from` and `until`, each optional, as a half-open period."""
        start, end = self.optional_instant("from"), self.optional_instant("until")
        try:
            return Period(start=start, end=end)
        except ValueError as error:
            raise self.refuse("until", str(error)) from None

    def local_text(self, key: str) -> LocalText:
        """A text in both languages: `{ zh = "…", en = "…" }`."""
        table = self.table(key)
        text = LocalText(zh=table.text("zh"), en=table.text("en"))
        table.done()
        return text

    def legal_basis(self, key: str = "legal_basis") -> tuple[LegalBasis, ...]:
        """A list of citations that is not empty."""
        return tuple(read_legal_basis(entry) for entry in self.tables(key, at_least=1))

    def table(self, key: str) -> "Table":
        """A table inside this one."""
        value = self._take(key)
        if not isinstance(value, dict):
            raise self.refuse(key, "must be a table")
        return Table(self.source, value, f"{self.where}.{key}".strip("."))

    def named_tables(self, key: str, at_least: int = 0) -> dict[str, "Table"]:
        """A table of tables, by name; empty where the key is absent."""
        value = self._take(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
            raise self.refuse(key, "must be a table of tables")
        if len(value) < at_least:
            raise self.refuse(key, f"needs at least {at_least}")
        where = f"{self.where}.{key}".strip(".")
        return {name: Table(self.source, item, f"{where}.{name}") for name, item in value.items()}

    def tables(self, key: str, at_least: int = 0) -> tuple["Table", ...]:
        """A list of tables; empty where the key is absent."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.refuse(key, "must be a list of tables")
        if len(value) < at_least:
            raise self.refuse(key, f"needs at least {at_least}")
        where = f"{self.where}.{key}".strip(".")
        return tuple(Table(self.source, item, f"{where}[{number}]") for number, item in enumerate(value))

    def done(self) -> None:
        """Refuses the keys that nobody read, naming those that exist."""
        for key in self._left:
            raise self.refuse(key, f"unknown key; known: {', '.join(sorted(self._known))}")


def read_legal_basis(table: Table) -> LegalBasis:
    """One citation."""
    basis = LegalBasis(
        instrument=table.text("instrument"),
        number=table.optional_text("number"),
        article=table.optional_text("article"),
    )
    table.done()
    return basis


def _plain(value: Any, source: str, where: str) -> Any:
    """The TOML value with instants as RFC 3339 text; floats and local times are refused."""
    if isinstance(value, dict):
        return {key: _plain(item, source, f"{where}.{key}".strip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, source, f"{where}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return format_instant(value.astimezone(UTC))
        except OverflowError:
            raise PolicyError(source, where, f"{value} lies outside the years 1 to 9999 in UTC") from None
    if isinstance(value, str | int):
        return value
    raise PolicyError(source, where, f"{value!r} is not allowed; decimals as texts, date-times with an offset")


def parse_document(kind: str, source: str, content: bytes) -> PolicyDocument:
    """A policy document from the bytes of a TOML file. Only `id` and `version` are judged here.

    Raises `PolicyError` naming `source`. The digest is blind to comments and layout.
    """
    try:
        plain = _plain(tomllib.loads(content.decode("utf-8")), source, "")
    except ValueError as error:  # TOML, UTF-8, or an integer of thousands of digits
        raise PolicyError(source, "", f"is not TOML in UTF-8: {error}") from None
    except RecursionError:
        raise PolicyError(source, "", "is nested too deeply") from None
    table = Table(source, plain)
    identity, version = table.text("id"), table.integer("version")
    try:
        return PolicyDocument(
            kind=kind,
            id=identity,
            version=version,
            digest=digest(canonical_json(plain)),
            source=source,
            content=plain,
        )
    except CanonicalError as error:
        raise PolicyError(source, "", str(error)) from None
