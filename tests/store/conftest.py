"""Stores for one test each: copies of an empty one in either mode, and of the demonstration."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from app import clock
from app.cli.demo import prepare
from app.settings import Settings
from app.store import schema
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from tests.store.rows import copy_store, settings_at


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store file of a demonstration. Nothing writes to it."""
    settings = settings_at(tmp_path_factory.mktemp("demonstration") / "home")
    prepare(settings)
    return settings.store_path


@pytest.fixture
def demo_store(demonstration: Path, tmp_path: Path) -> Path:
    """A copy of the demonstration's store."""
    return copy_store(demonstration, tmp_path / "accord.db")


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """An empty store in each mode. Nothing writes to them."""
    folder = tmp_path_factory.mktemp("empty")
    return {mode: schema.migrate(folder / f"{mode}.db", mode, clock.now()).path for mode in ("test", "live")}


@pytest.fixture
def store(empty: Mapping[str, Path], tmp_path: Path) -> Path:
    """An empty store in test mode."""
    return shutil.copy(empty["test"], tmp_path / "accord.db")


@pytest.fixture
def live_store(empty: Mapping[str, Path], tmp_path: Path) -> Path:
    """An empty store in live mode."""
    return shutil.copy(empty["live"], tmp_path / "accord.db")


@pytest.fixture
def writer(store: Path) -> Iterator[SqliteWriter]:
    opened = SqliteWriter(store)
    yield opened
    opened.close()


@pytest.fixture
def reader(store: Path) -> Iterator[SqliteReader]:
    opened = SqliteReader(store)
    yield opened
    opened.close()


@pytest.fixture
def settings(demonstration: Path, tmp_path: Path) -> Settings:
    """The settings of a node over a copy of the demonstration."""
    home = tmp_path / "home"
    home.mkdir()
    copy_store(demonstration, home / "accord.db")
    return settings_at(home)
