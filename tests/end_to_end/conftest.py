"""One demonstration that is set up for a process of the test run, and one that is served."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.shell import Server, accord, serving


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a demonstration that was set up and is not served. Nothing writes to it."""
    home = tmp_path_factory.mktemp("prepared") / "home"
    outcome = accord(home, "demo", "--no-serve")
    assert (outcome.code, outcome.errors) == (0, "")
    return home


@pytest.fixture
def home(prepared: Path, tmp_path: Path) -> Path:
    """A copy of that home for one test alone."""
    shutil.copytree(prepared, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demonstration that is served by `accord demo` from nothing."""
    folder = tmp_path_factory.mktemp("served")
    with serving(folder / "home", folder / "log") as running:
        yield running
