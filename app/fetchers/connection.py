"""One HTTP connection under one deadline, whose every failure is a `FetchError`.

The connection goes to the very address that was checked: a name that is resolved again could lead elsewhere by then.
TLS proves the host by the system's authorities.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from app.fetchers import FetchError
from app.fetchers.destination import Destination

_PIECE = 64 * 1024  # bytes


@contextmanager
def told(where: Destination) -> Iterator[None]:
    """Turns whatever a connection can raise into a `FetchError` that names the place."""
    place = where.place
    try:
        yield
    except TimeoutError as error:
        raise FetchError("fetch.timeout", f"{place} took too long") from error
    except ssl.SSLCertVerificationError as error:
        raise FetchError("fetch.tls", f"{place} does not prove its name: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise FetchError("fetch.tls", f"{place}: {error.reason or error}") from error
    except http.client.IncompleteRead as error:
        raise FetchError("fetch.truncated", f"{place} ended in the middle") from error
    except http.client.HTTPException as error:
        raise FetchError("fetch.protocol", f"{place} does not speak HTTP: {type(error).__name__}") from error
    except OSError as error:
        raise FetchError("fetch.connect", f"{place}: {error.strerror or error}") from error


def content_of(response: http.client.HTTPResponse, where: Destination, size: int) -> bytes:
    """The whole content of an answer that is good, of at most so many bytes. Raises `FetchError`."""
    if response.status != http.HTTPStatus.OK:
        raise FetchError("fetch.status", f"{where.place} answered {response.status}")
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise FetchError("fetch.protocol", f"{where.place} sent packed content that was not asked for")
    content = bytearray()
    announced = response.length
    if announced is not None and announced > size:
        raise FetchError("fetch.too_large", f"{where.place} announces {announced} bytes, of at most {size}")
    while piece := response.read(_PIECE):
        content += piece
        if len(content) > size:
            raise FetchError("fetch.too_large", f"{where.place} sends more than {size} bytes")
    if announced is not None and len(content) != announced:
        raise FetchError("fetch.truncated", f"{where.place} ended after {len(content)} of {announced} bytes")
    return bytes(content)


class Deadline:
    """One instant by which everything has to be done."""

    def __init__(self, monotonic: Callable[[], float], seconds: float) -> None:
        self._monotonic, self._end = monotonic, monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left, more than none. Raises `TimeoutError`."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Connection(http.client.HTTPConnection):
    """A connection to an address that was checked, under a deadline."""

    def __init__(
        self, where: Destination, addresses: tuple[str, ...], deadline: Deadline, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(where.host, where.port)
        self.default_port = 443 if where.scheme == "https" else 80  # without it the Host header would name the port
        self._where, self._addresses, self._deadline, self._tls = where, addresses, deadline, tls
        self._open: socket.socket | None = None

    def connect(self) -> None:
        """Connects to the first address that answers."""
        self._open = self._reach()
        if self._where.scheme == "https":
            self._open.settimeout(self._deadline.left())
            context = self._tls or ssl.create_default_context()
            self._open = context.wrap_socket(self._open, server_hostname=self._where.host)
        self.sock = _Line(self._open, self._deadline)

    def _reach(self) -> socket.socket:
        for position, address in enumerate(self._addresses[:-1]):
            with suppress(OSError):
                share = self._deadline.left() / (len(self._addresses) - position)
                return socket.create_connection((address, self._where.port), timeout=share)
        return socket.create_connection((self._addresses[-1], self._where.port), timeout=self._deadline.left())

    def hang_up(self) -> None:
        """Lets the socket go. `close` is called by the base class before the content is read."""
        if self._open is not None:
            self._open.close()


class _Line:
    """As much of a socket as `http.client` uses; every wait on it counts against one deadline.

    A time limit of the socket's own would begin anew with each byte that drips in.
    """

    def __init__(self, line: socket.socket, deadline: Deadline) -> None:
        self._line, self._deadline = line, deadline

    def sendall(self, data: bytes) -> None:
        self._line.settimeout(self._deadline.left())
        self._line.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._line, self._deadline))

    def close(self) -> None:
        """The connection hangs up, not its user."""


class _Incoming(io.RawIOBase):
    """What comes in over a line."""

    def __init__(self, line: socket.socket, deadline: Deadline) -> None:
        self._line, self._deadline = line, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.settimeout(self._deadline.left())
        return self._line.recv_into(buffer)
