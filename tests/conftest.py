"""What holds for every test: hypothesis measures no time, as machines are busy and a slow example is no wrong one.

`ACCORD_EXAMPLES` says how many examples a law is tried on that does not say so itself.

The coverage of the core is that by its own tests, and by the examples that are written down: tracing doubles what the
core takes, and what only a law happens to reach, or only the service, no test of the core holds.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

settings.register_profile("accord", deadline=None, max_examples=int(os.environ.get("ACCORD_EXAMPLES", "25")))
settings.load_profile("accord")

TESTS = Path(__file__).parent
TRACED = (TESTS / "unit" / "keys", TESTS / "unit" / "registry", TESTS / "scenarios")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    for item in items:
        of_the_core = any(item.path.is_relative_to(folder) for folder in TRACED)
        if not of_the_core or is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.no_cover)
