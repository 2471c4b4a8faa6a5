"""Text for people, in Chinese and English: the one place where codes become sentences."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import Literal

from app.messages.numerals import chinese
from registry.document import LocalText
from registry.errors import Detail
from registry.finding import Params

Language = Literal["zh-CN", "en"]
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")

_BEIJING = timedelta(hours=8)
_DAY = timedelta(days=1)
_PARAMETER = re.compile(r"\{([a-z_]+)\}")
# Exclusive ends: people read the last day that still counts.
_ENDS = ("valid_until", "ended")
# Compared with other instants, where a bare day would be read as its end.
_MOMENTS = ("claimed_at", "deadline", "expires_at", "proven_at", "valid_at")


def _in_beijing(instant: datetime) -> datetime:
    """The instant with the hands of a clock in Beijing."""
    # The last hours of the year 9999 are already the year 10000 there.
    try:
        return instant + _BEIJING
    except OverflowError:
        return instant


_Template = str | tuple[str, tuple[tuple[str, str], ...]]


def _compile(text: str) -> _Template:
    """A template cut at its parameters: the text before the first, then each parameter with the text after it.

    A text without parameters stays as it is.
    """
    pieces = _PARAMETER.split(text)
    return text if len(pieces) == 1 else (pieces[0], tuple(zip(pieces[1::2], pieces[2::2], strict=True)))


class Messages:
    """One language's catalogue. Raises KeyError for a code that it lacks: a test holds it complete."""

    def __init__(self, language: Language, content: Mapping[str, Mapping[str, str]]) -> None:
        self.language = language
        self._chinese = language == "zh-CN"
        self._messages = {key: _compile(text) for key, text in content["messages"].items()}
        self._remedies = {key: _compile(text) for key, text in content["remedies"].items()}
        self._labels, self._problems = content["labels"], content["problems"]
        self._titles, self._words, self._refusals = content["titles"], content["words"], content["refusals"]

    def label(self, outcome: str, *, genuineness: bool) -> str:
        """A decision's name; inspections of authenticity have their own."""
        return self._labels[f"{outcome}#genuineness" if genuineness else outcome]

    def message(self, code: str, variant: str, params: Params) -> str:
        """The sentence for a code."""
        template = self._messages[f"{code}#{variant}" if variant else code]
        return template if type(template) is str else self._fill(template, params)

    def remedy(self, code: str, variant: str, params: Params) -> str | None:
        """What can be done about it, or None where nothing has to be."""
        template = self._remedies.get(f"{code}#{variant}" if variant else code)
        return None if template is None else self._fill(template, params)

    def problem(self, code: str, params: Mapping[str, str | Detail]) -> str:
        """The sentence for a problem code; a param `variant` chooses among what it has to say."""
        wanted = params.get("wanted")
        filled = {name: self._detail(value) if isinstance(value, Detail) else value for name, value in params.items()}
        if isinstance(wanted, str):
            filled["wanted"] = self._words.get(f"kind.{wanted}", wanted)
        key = f"{code}#{params['variant']}" if "variant" in params else code
        return self._problems[key].format_map(filled)

    def refusal(self, code: str, detail: str = "") -> str:
        """What a refusal by `keys` or of evidence means; in English with its detail behind it, where that is given."""
        sentence = self._refusals.get(code)
        if sentence is None or not detail:
            return sentence or detail or code
        # Details are in English, for who has to mend it: programs have them besides.
        return sentence if self._chinese else f"{sentence} ({detail})"

    def _detail(self, detail: Detail) -> str:
        return self.refusal(detail.code, detail.text)

    def title(self, status: int) -> str:
        """The title of a problem document."""
        return self._titles[str(status)]

    def word(self, key: str, **params: str) -> str:
        """A word or sentence of the shell and the pages."""
        return self._words[key].format_map(params)

    def line(self, label: str, text: str = "") -> str:
        """A label and what it is of, with the colon of the language."""
        return f"{label}：{text}" if self._chinese else f"{label}: {text}".rstrip()

    def aside(self, text: str) -> str:
        """What stands in brackets behind something, with those of the language."""
        return f"（{text}）" if self._chinese else f" ({text})"

    def listed(self, texts: Iterable[str]) -> str:
        """Texts one after the other, parted as the language does."""
        return ("；" if self._chinese else "; ").join(texts)

    def article(self, article: str) -> str:
        """An article of a law; one that is a bare number is written out, in Chinese as statutes write it."""
        if not (article.isascii() and article.isdigit()) or not 0 < int(article) < 10_000:
            return article
        return self.word("article", number=chinese(int(article)) if self._chinese else article)

    def local(self, text: LocalText | str) -> str:
        """A text of the policy in this language."""
        if isinstance(text, str):
            return text
        return text.zh if self._chinese else text.en

    def instant(self, instant: datetime) -> str:
        """An instant as people in Beijing time read it; midnight is only a day."""
        local = _in_beijing(instant)
        return self.moment(instant) if local.hour or local.minute or local.second else self._day(local)

    def moment(self, instant: datetime) -> str:
        """An instant with its hour, midnight too: for one that is compared with others."""
        local = _in_beijing(instant)
        day = self._day(local)
        hands = f"{local.hour:02}:{local.minute:02}"
        if local.second:
            hands += f":{local.second:02}"
        return f"{day}{hands}（北京时间）" if self._chinese else f"{day} {hands} (Beijing time)"

    def _day(self, local: datetime) -> str:
        if self._chinese:
            return f"{local.year}年{local.month}月{local.day}日"
        return f"{local.day} {local:%B} {local.year}"

    def _fill(self, template: _Template, params: Params) -> str:
        if isinstance(template, str):
            return template
        filled, rest = template
        for name, literal in rest:
            value = params[name]
            if type(value) is LocalText:
                value = value.zh if self._chinese else value.en
            elif type(value) is Detail:
                value = self._detail(value)
            elif type(value) is datetime:
                value = self._dated(name, value)
            filled += f"{value}{literal}"
        return filled

    def _dated(self, name: str, instant: datetime) -> str:
        if name in _MOMENTS:
            return self.moment(instant)
        return self._last_day(instant) if name in _ENDS else self.instant(instant)

    def _last_day(self, end: datetime) -> str:
        local = _in_beijing(end)
        return self.instant(end if local.hour or local.minute or local.second or local.microsecond else end - _DAY)


@cache
def messages(language: Language) -> Messages:
    """The catalogue of a language, read once."""
    text = resources.files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return Messages(language, tomllib.loads(text))


@lru_cache(maxsize=256)
def negotiate(accept_language: str | None) -> Language:
    """The language an Accept-Language header asks for: the highest weight among Chinese and English, else Chinese."""
    if not accept_language:
        return "zh-CN"
    best, best_weight = "zh-CN", 0.0
    for part in accept_language.lower().split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().partition("-")[0]
        try:
            weight = float(parameters.strip().removeprefix("q=")) if parameters.strip() else 1.0
        except ValueError:
            weight = 0.0
        if primary in ("zh", "en") and weight > best_weight:
            best, best_weight = ("en" if primary == "en" else "zh-CN"), weight
    return "en" if best == "en" else "zh-CN"
