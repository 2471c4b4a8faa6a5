"""A lock world that is served inside the test process, for the tests of CA locks over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.api.service import Service, open_service
from tests.support.lock_world import LockClient, LockWorld, build_lock_world

GOOD = ("recognized", "agreement.in_force")
"""The decision and the reason on a lock that counts."""


@dataclass(frozen=True)
class Place:
    """A lock world, a service over it that logs, and a platform that asks."""

    world: LockWorld
    service: Service
    client: LockClient

    @contextmanager
    def reopened(self) -> Iterator[LockClient]:
        """The platform asking the same store through another node, as another process or a restart would have it."""
        with serving(self.world) as place:
            yield place.client


@contextmanager
def serving(world: LockWorld) -> Iterator[Place]:
    """A node of its own over a lock world."""
    service = open_service(world.settings, access_log=True)
    try:
        yield Place(world, service, LockClient(post=service.post))
    finally:
        service.node.reader.close()


@contextmanager
def open_place(folder: Path) -> Iterator[Place]:
    """A place with a new lock world."""
    with serving(build_lock_world(folder / "home")) as place:
        yield place


def check(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """One check of an answer."""
    found: dict[str, Any] = next(entry for entry in answer["checks"] if entry["name"] == name)
    return found
