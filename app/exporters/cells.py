"""Values into cells, the inverse of `app.importers.values`: one writer for each column.

A text that a spreadsheet would take for a formula begins with an apostrophe in the file, which import takes away.
"""

import re
from collections.abc import Callable, Mapping
from datetime import time, timedelta, timezone
from functools import lru_cache
from typing import Any

from app.importers.rows import CellProblem
from app.importers.values import converter
from app.messages import Language
from registry.field import Field
from registry.period import parse_instant
from registry.profile import CredentialProfile

CellWriter = Callable[[Any], str]

# In full width too: a spreadsheet set to Chinese takes both.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_LONGEST_NAME = 60  # characters of a header that import looks up
_BEIJING = timezone(timedelta(hours=8))
_BEGINNING = timedelta(hours=8)
_LAST_DAY = -timedelta(hours=16)

_CHINESE = {
    "subject.kind": {"organisation": "单位", "person": "自然人"},
    "status": {
        "valid": "有效",
        "suspended": "暂停",
        "annulled": "撤销",
        "penalty": "吊销",
        "withdrawn": "撤回",
        "cancelled": "注销",
        "superseded": "已换新证",
    },
}
_TRUTHS = {"zh-CN": {True: "是", False: "否"}, "en": {True: "true", False: "false"}}


def harmless(text: str) -> str:
    """The text as no spreadsheet computes it. One that begins with apostrophes and then so gets one more."""
    return f"'{text}" if _FORMULA.match(text) else text


def column_name(profile: CredentialProfile, member: str, language: Language) -> str:
    """The first name that the profile gives the column, of those in the language; else the member's path."""
    names = profile.columns.get(member, ())
    fitting = (
        name
        for name in names
        if (language == "zh-CN" or name.isascii()) and len(name) <= _LONGEST_NAME and harmless(name) == name
    )
    return next(fitting, member)


def _day(to_midnight: timedelta) -> CellWriter:
    """A bare date where import takes it for the same instant, else the instant by the clock of Beijing.

    `to_midnight` leads from the instant that a bare date means to the date's midnight in UTC.
    """

    @lru_cache(maxsize=4096)
    def write(text: str) -> str:
        instant = parse_instant(text)
        try:
            day = instant + to_midnight
            return day.date().isoformat() if day.time() == time() else instant.astimezone(_BEIJING).isoformat()
        except OverflowError:
            # At the ends of the calendar it is another year in Beijing, one that has no name.
            return text

    return write


def _labelled(field: Field, member: str, profile: CredentialProfile, language: Language) -> Mapping[str, str]:
    """The labels of the choices; the id where import would take the label for another, or a spreadsheet compute it."""
    read = converter(profile, member, None)
    words: dict[str, str] = {}
    for name, label in field.choices.items():
        shown = label.zh if language == "zh-CN" else label.en
        try:
            same = read(shown) == name and harmless(shown) == shown
        except CellProblem:
            same = False
        words[name] = shown if same else name
    return words


def _table(field: Field) -> CellWriter:
    """Rows divided by ； and cells by |, each as harmless as a cell of its own."""

    def write(rows: list[dict[str, str]]) -> str:
        return "；".join(["|".join([harmless(row[column]) for column in field.columns]) for row in rows])

    return write


def _texts(items: list[str]) -> str:
    return "、".join(map(harmless, items))


def _of_field(profile: CredentialProfile, field: Field, member: str, language: Language) -> CellWriter:
    match field.kind:
        case "texts":
            return _texts
        case "boolean":
            return _TRUTHS[language].__getitem__
        case "choice":
            return _labelled(field, member, profile, language).__getitem__
        case "instant":
            return _day(_BEGINNING)
        case "table":
            return _table(field)
    return harmless


def cell_writer(profile: CredentialProfile, member: str, language: Language) -> CellWriter:
    """What makes a cell of a value in the member's column; blank cells are for values that are not there.

    It may raise AttributeError, KeyError, TypeError or ValueError for a value that the field cannot have.
    """
    if member in _CHINESE:
        return _CHINESE[member].__getitem__ if language == "zh-CN" else str
    if member in ("issued_at", "valid_from", "status_since"):
        return _day(_BEGINNING)
    if member == "valid_until":
        return _day(_LAST_DAY)
    if member.startswith("attributes."):
        field = profile.attributes[member.removeprefix("attributes.")]
        return _of_field(profile, field, member, language)
    return harmless
