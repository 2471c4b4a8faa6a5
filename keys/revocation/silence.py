"""What an authority's lists say of every certificate that they do not name: worked out once, not for each of them.

A verdict compares the instants asked about with a few others: when each list became known, was issued and ends, and
from when on its date is not too far ahead. Between two neighbours of these the verdict stays what it is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Generic, TypeVar

MAX_KEPT = 1024  # groups of lists

T = TypeVar("T")
Cell = tuple[int, int, int, int]


class Silence(Generic[T]):
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
        self._kept: dict[Hashable, Silence[T]] = {}
        self._most = most

    def find(self, key: Hashable) -> Silence[T] | None:
        """What is remembered of a group."""
        return self._kept.get(key)

    def add(self, key: Hashable, instants: Iterable[datetime]) -> Silence[T]:
        """Begins to remember a group, by all the instants that its verdicts can turn on."""
        if len(self._kept) >= self._most:
            self._kept.clear()
        silence = self._kept[key] = Silence(instants)
        return silence
