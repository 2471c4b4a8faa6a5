"""Waiting for one answer where there is no event loop: in commands."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def waited_for(answer: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end, in a loop of its own.

    Not as the task of `asyncio.run`: Python 3.11 asks `signal` for a handler that holds the task, and that writes out
    the task with its result, policy and document and all, twice, for an error that nobody sees.
    """
    found: list[T] = []

    async def keep() -> None:
        found.append(await answer)

    asyncio.run(keep())
    return found[0]
