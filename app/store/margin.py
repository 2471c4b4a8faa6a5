"""How far ahead of the clock a write is recorded, and how old what a reader goes by may be (docs/adr/0002).

The margin has three parts: half for the commit, `LOOK` for readers that looked just before, the rest for the work.
"""

from datetime import datetime, timedelta

from app import clock

MARGIN = timedelta(milliseconds=250)
MAX_MARGIN = timedelta(seconds=60)
LOOK = timedelta(milliseconds=25)
"""So long a reader may go by what it saw. What comes in is known later than any reader must have seen it."""


def too_late(now: datetime, margin: timedelta, recorded_at: datetime) -> bool:
    """Whether a commit that starts now could come after somebody asked about the instant of recording."""
    return now + margin / 2 + LOOK >= recorded_at


class Lookout:
    """Says when a reader has to look again, by the clock that questions go by: whichever way it is set, it looks."""

    def __init__(self) -> None:
        self._from = self._until = datetime.min.replace(tzinfo=clock.now().tzinfo)

    def due(self) -> bool:
        """Whether the last look no longer serves."""
        return not self._from <= clock.now() < self._until

    def looked(self, began: datetime) -> None:
        """Notes a look that began at an instant."""
        self._from, self._until = began, began + LOOK

    def forget(self) -> None:
        """Makes the next look due."""
        self._until = self._from
