"""Instants and half-open periods, always in UTC, to the microsecond."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from msgspec import Struct

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:[0-5]\d)", re.ASCII)
_RFC3339_LOCAL = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?", re.ASCII)
_BEIJING = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InstantError(ValueError):
    """Not an instant; `code` is `time_without_offset`, `time_malformed` or `time_out_of_range`."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def parse_instant(text: str) -> datetime:
    """The instant an RFC 3339 text names, in UTC.

    Any offset is accepted, none is not. Digits beyond microseconds are cut off. Raises `InstantError`.
    """
    if not _RFC3339.fullmatch(text):
        raise InstantError("time_without_offset" if _RFC3339_LOCAL.fullmatch(text) else "time_malformed")
    try:
        instant = datetime.fromisoformat(text)
        return instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        # Year 0, 30 February, second 60, or an offset that leads outside the years 1 to 9999.
        raise InstantError("time_out_of_range") from None


def format_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with `Z`; microseconds only when there are any."""
    return instant.isoformat()[:-6] + "Z"


def format_local(instant: datetime) -> str:
    """RFC 3339 by the clock of Beijing, in whole seconds: for people. Out of its range it stays in UTC."""
    whole = instant.replace(microsecond=0)
    try:
        return whole.astimezone(_BEIJING).isoformat()
    except OverflowError:
        return format_instant(whole)


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z, exact (`datetime.timestamp` is a float and is not)."""
    delta = instant - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


@lru_cache(maxsize=4096)
def from_micros(micros: int) -> datetime:
    """The instant so many microseconds after 1970-01-01T00:00:00Z. Kept: whole batches were recorded at one."""
    return _EPOCH + timedelta(0, 0, micros)


class Period(Struct, frozen=True, kw_only=True):
    """From `start` (inclusive) until `end` (exclusive); None leaves that side open."""

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("a period ends after it starts")

    def __contains__(self, instant: datetime) -> bool:
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)

    def overlaps(self, other: "Period") -> bool:
        """Whether some instant lies in both."""
        return (self.start is None or other.end is None or self.start < other.end) and (
            other.start is None or self.end is None or other.start < self.end
        )


ALWAYS = Period()
