"""What holds for every test: hypothesis measures no time, as machines are busy and a slow example is no wrong one.

`ACCORD_EXAMPLES` says how many examples a law is tried on that does not say so itself.

The coverage of the core is that by its own tests and the store's: tracing doubles what the core takes, and what only
a service reaches by chance, no test holds.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("accord", deadline=None, max_examples=int(os.environ.get("ACCORD_EXAMPLES", "25")))
settings.load_profile("accord")

TESTS = Path(__file__).parent
UNTRACED = tuple(TESTS / folder for folder in ("api", "end_to_end", "packaging", "properties", "scenarios"))


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in UNTRACED):
            item.add_marker(pytest.mark.no_cover)
