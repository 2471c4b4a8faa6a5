"""One demonstration store for a process of the test run; a test that writes takes a copy of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli.demo import prepare
from app.settings import Settings
from app.uploads.desk import STARTED
from tests.api.desk import FOREIGN, OWN, enter
from tests.api.service import Service, copy_home, open_service, settings_at


@pytest.fixture(scope="module", autouse=True)
def with_one_reading(read_the_seed_policy_once: None) -> None:
    """For every module here."""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a demonstration. Nothing writes to it."""
    folder = tmp_path_factory.mktemp("demonstration") / "home"
    prepare(settings_at(folder))
    return folder


@pytest.fixture(scope="session", autouse=True)
def ended_loads() -> Iterator[None]:
    """Waits for the processes that load what tests have handed in: the interpreter would complain of them."""
    yield
    for process in STARTED:
        process.wait(60)


@pytest.fixture(scope="session")
def service(home: Path) -> Iterator[Service]:
    opened = open_service(settings_at(home))
    yield opened
    opened.node.reader.close()


@pytest.fixture
def copied(home: Path, tmp_path: Path) -> Settings:
    """A copy of the demonstration for one test alone."""
    return copy_home(home, tmp_path / "home")


@pytest.fixture(scope="session")
def home_with_issuers(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a demonstration in which the desk's issuers have keys. Nothing writes to it."""
    settings = copy_home(home, tmp_path_factory.mktemp("issuers") / "home")
    enter(settings, OWN.document(), FOREIGN.document())
    return settings.home


@pytest.fixture
def with_issuers(home_with_issuers: Path, tmp_path: Path) -> Settings:
    """A copy of it for one test alone."""
    return copy_home(home_with_issuers, tmp_path / "home")


@pytest.fixture
def opened() -> Iterator[Callable[..., Service]]:
    """Opens services that are closed when the test ends."""
    services: list[Service] = []

    def open_one(settings: Settings, *, access_log: bool = False) -> Service:
        services.append(open_service(settings, access_log=access_log))
        return services[-1]

    yield open_one
    for entry in services:
        entry.node.reader.close()
