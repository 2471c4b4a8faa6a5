"""The one place that reads the clock."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present instant in UTC, to the microsecond."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back, for measuring spans."""
    return time.monotonic()


def wait(seconds: float) -> None:
    """Blocks for so long."""
    time.sleep(seconds)
