"""Worlds are built once for a test run (once for each process of it) and shared by all scenarios."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from app import bootstrap
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
def read_the_seed_policy_once() -> Iterator[None]:
    """The policy files of the software do not change during a run; each command would parse them anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "seed_policy", cache(bootstrap.seed_policy))
        yield
