"""What an authority's lists say of every certificate that they do not name: worked out once, not for each of them.

A verdict compares the instants asked about with a few others: when each list became known, was issued and ends, and
from when on its date is not too far ahead. Between two neighbours of these the verdict stays what it is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from typing import Generic, TypeVar

MAX_KEPT = 1024  # groups of lists

T = TypeVar("T")
Cell = tuple[int, int, int, int]


class _Silence(Generic[T]):
    """The verdicts of one group of lists, by where the instants lie between those that matter."""

    __slots__ = ("_instants", "verdicts")

    def __init__(self, instants: Iterable[datetime]) -> None:
        self._instants = sorted(set(instants))
        self.verdicts: dict[Cell, T] = {}

    def cell(self, valid_at: datetime, known_at: datetime) -> Cell:
        """Where both instants lie: before, at or after each of those that matter."""
        instants = self._instants
        return (
            bisect_left(instants, valid_at),
            bisect_right(instants, valid_at),
            bisect_left(instants, known_at),
            bisect_right(instants, known_at),
        )


class Silences(Generic[T]):
    """Remembers verdicts, no lists: a group is named by a key that tells its lists and all else that matters apart."""

    def __init__(self, most: int = MAX_KEPT) -> None:
        self._kept: dict[Hashable, _Silence[T]] = {}
        self._most = most

    def verdict(
        self,
        key: Hashable,
        valid_at: datetime,
        known_at: datetime,
        instants: Callable[[], Iterable[datetime]],
        judge: Callable[[], T],
    ) -> T:
        """Gives the verdict for two instants; `instants` and `judge` are asked for what is not known yet."""
        silence = self._kept.get(key)
        if silence is None:
            if len(self._kept) >= self._most:
                self._kept.clear()
            silence = self._kept[key] = _Silence(instants())
        cell = silence.cell(valid_at, known_at)
        found = silence.verdicts.get(cell)
        if found is None:
            found = silence.verdicts[cell] = judge()
        return found
