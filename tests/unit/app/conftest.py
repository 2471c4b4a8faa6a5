"""A test store that trusts its demonstration authorities, made once for a process of the test run."""

import shutil
from pathlib import Path

import pytest

from app import clock
from app.bootstrap import enter_policies
from app.settings import Settings
from app.softlock.install import enter
from app.store import schema
from app.store.writer import SqliteWriter
from tests.store.rows import settings_at


@pytest.fixture(scope="session")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of such a store. Nothing writes to it."""
    settings = settings_at(tmp_path_factory.mktemp("trusting") / "home")
    schema.migrate(settings.store_path, "test", clock.now())
    enter_policies(settings)
    writer = SqliteWriter(settings.store_path)
    enter(settings, writer, clock.now())
    writer.close()
    return settings


@pytest.fixture
def home(trusting: Settings, tmp_path: Path) -> Settings:
    """A copy of it for one test."""
    copied = tmp_path / "home"
    shutil.copytree(trusting.home, copied)
    return settings_at(copied)
