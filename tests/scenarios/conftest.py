"""Worlds are built once for a test run (once for each process of it) and shared by all scenarios."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.world import World, build_world

WORLDS = Path(__file__).parent / "worlds"


@pytest.fixture(scope="session")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """Gives a world by its name, built when it is first asked for."""
    worlds: dict[str, World] = {}

    def opened(name: str) -> World:
        if name not in worlds:
            worlds[name] = build_world(name, tmp_path_factory.mktemp(name), WORLDS)
        return worlds[name]

    yield opened
    for world in worlds.values():
        world.close()


@pytest.fixture(scope="module", autouse=True)
def with_one_reading(read_the_seed_policy_once: None) -> None:
    """For every module here."""
