"""A server that says when it takes requests."""

import socket
from collections.abc import Callable

import uvicorn


class AnnouncingServer(uvicorn.Server):
    """Calls `ready` once its sockets are open."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Opens the sockets, then announces."""
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready()
