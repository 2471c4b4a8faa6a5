"""A plain HTTP/1.1 client over a few kept connections: little enough that the server is what is measured."""

import asyncio
from collections.abc import Sequence


class Client:
    """Sends prepared requests and returns bodies, several at a time. Raises on any status but 200."""

    def __init__(self, port: int, connections: int = 4) -> None:
        self._port, self._size = port, connections
        self._open: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> "Client":
        for _ in range(self._size):
            self._open.append(await asyncio.open_connection("127.0.0.1", self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        for _, writer in self._open:
            writer.close()

    async def one(self, request: bytes) -> bytes:
        """One request on the first connection."""
        return await _exchange(*self._open[0], request)

    async def all(self, requests: Sequence[bytes]) -> list[bytes]:
        """All requests, spread over the connections; bodies in the order of the requests."""
        bodies: list[bytes] = [b""] * len(requests)

        async def run(lane: int) -> None:
            for place in range(lane, len(requests), self._size):
                bodies[place] = await _exchange(*self._open[lane], requests[place])

        await asyncio.gather(*(run(lane) for lane in range(self._size)))
        return bodies


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"unexpected answer: {head[:60]!r} {body[:200]!r}")
    return body


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST request with a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
