"""What holds for every test: hypothesis measures no time, as machines are busy and a slow example is no wrong one.

`ACCORD_EXAMPLES` says how many examples a law is tried on that does not say so itself.

The coverage of the core is that by its own tests and the store's: tracing doubles what the core takes, and what only
a service reaches by chance, no test holds.
"""

import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.testing
from hypothesis import settings
from typer.main import get_command

settings.register_profile("accord", deadline=None, max_examples=int(os.environ.get("ACCORD_EXAMPLES", "25")))
settings.load_profile("accord")

TESTS = Path(__file__).parent
UNTRACED = tuple(
    TESTS / place
    for place in (
        "api",
        "architecture",
        "end_to_end",
        "packaging",
        "properties",
        "scenarios",
        "unit/app",
        "unit/fuzz",
        "unit/support",
    )
)

# The collector would walk all that is being collected over and over.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(place) for place in UNTRACED):
            item.add_marker(pytest.mark.no_cover)
    # What takes longest in one piece begins first, so that no process of the run waits for another at the end.
    items.sort(key=lambda item: item.get_closest_marker("slow_install") is None)


def pytest_collection_finish() -> None:
    """What was collected, and the product, stay to the end: the collector leaves them alone from here on."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def build_the_commands_once() -> Iterator[None]:
    """The tree of commands does not change during a run, as it does not in a process; each command would build it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", cache(get_command))
        yield


@pytest.fixture(scope="module")
def read_the_seed_policy_once() -> Iterator[None]:
    """The policy files of the software do not change during a run; each command and service would parse them anew."""
    # Imported here: what this file imports is loaded before its lines are counted.
    from app import bootstrap

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "seed_policy", cache(bootstrap.seed_policy))
        yield
