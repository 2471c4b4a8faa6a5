"""What a conformance run gives: a row for each suite of third-party data, and where the data are."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one suite came to. A deviation is a case, and the reason for it or what was said instead.

    `goal` is what `met` was judged by, for people. `slowest` is the CPU time of a case in seconds, where it matters.
    """

    name: str
    passed: int
    total: int
    deviations: tuple[tuple[str, str], ...]
    goal: str
    met: bool
    slowest: float | None = None


def data_folder() -> Path:
    """Gives where the data are: the folder named by ACCORD_CONFORMANCE_DATA, or the one shared beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "conformance"
    return Path(os.environ.get("ACCORD_CONFORMANCE_DATA") or beside)
