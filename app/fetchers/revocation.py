"""Fetches revocation evidence over http or https, with a bound on everything that the other side decides.

The connection goes to the very address that was checked: a name that is resolved again could lead elsewhere by then.
TLS proves the host by the system's authorities. What is fetched is not believed: its signature is judged afterwards.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from app import clock
from app.fetchers import FetchError
from app.fetchers.destination import Destination, Resolver, destination, followed, refuse_elsewhere, resolve

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PIECE = 64 * 1024
_HEADERS = {
    "Accept": "application/pkix-crl, application/x-pkcs7-crl, */*;q=0.5",
    "Accept-Encoding": "identity",  # nothing has to be unpacked, so nothing can swell
    "Connection": "close",
    "User-Agent": "accord",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one fetch may take, redirects included. `seconds` are counted from its start, names and TLS included."""

    seconds: float = 20.0
    size: int = 64 * 1024 * 1024
    redirects: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the other side: a method, headers, and a body where there is one."""

    method: str
    headers: Mapping[str, str]
    body: bytes | None = None


class RevocationFetcher:
    """Fetches lists by the same limits. `private` lets connections go to addresses that are not public."""

    def __init__(
        self,
        *,
        private: bool = False,
        limits: Limits | None = None,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._private, self._limits, self._resolver = private, limits or Limits(), resolver
        self._tls, self._monotonic = tls, monotonic

    def fetch(self, url: str, hosts: Set[str]) -> bytes:
        """The bytes at a URL, by way of these hosts only ("host", or "host:port" for a port that is not the usual one).

        Raises `FetchError`: "fetch.url", "fetch.host", "fetch.resolve", "fetch.address", "fetch.connect", "fetch.tls",
        "fetch.timeout", "fetch.status", "fetch.redirects", "fetch.protocol", "fetch.too_large", "fetch.truncated".
        """
        return self._fetched(url, hosts, Request(method="GET", headers=_HEADERS), self._limits.seconds)

    def _fetched(self, url: str, hosts: Set[str], request: Request, seconds: float) -> bytes:
        deadline = _Deadline(self._monotonic, seconds)
        for _ in range(self._limits.redirects + 1):
            where = destination(url)
            refuse_elsewhere(where, hosts)
            with _told(where):
                found = self._asked(where, request, deadline)
            if isinstance(found, bytes):
                return found
            url = followed(url, found)
        raise FetchError("fetch.redirects", f"{where.place}: more than {self._limits.redirects} redirects")

    def _asked(self, where: Destination, request: Request, deadline: "_Deadline") -> bytes | str:
        """The content, or where it is said to be."""
        addresses = resolve(where, deadline.left(), private=self._private, resolver=self._resolver)
        connection = _Connection(where, addresses, deadline, self._tls)
        try:
            connection.request(request.method, where.target, body=request.body, headers=request.headers)
            return self._answer(connection.getresponse(), where)
        finally:
            connection.hang_up()

    def _answer(self, response: http.client.HTTPResponse, where: Destination) -> bytes | str:
        location = response.headers.get("Location")
        if response.status in _REDIRECTS and location is not None:
            return location
        if response.status != http.HTTPStatus.OK:
            raise FetchError("fetch.status", f"{where.place} answered {response.status}")
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.strip().lower() != "identity":
            raise FetchError("fetch.protocol", f"{where.place} sent packed content that was not asked for")
        return self._content(response, where)

    def _content(self, response: http.client.HTTPResponse, where: Destination) -> bytes:
        size = self._limits.size
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


@contextmanager
def _told(where: Destination) -> Iterator[None]:
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


class _Deadline:
    """One instant by which everything has to be done."""

    def __init__(self, monotonic: Callable[[], float], seconds: float) -> None:
        self._monotonic, self._end = monotonic, monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left, more than none. Raises `TimeoutError`."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was checked, under a deadline."""

    def __init__(
        self, where: Destination, addresses: tuple[str, ...], deadline: _Deadline, tls: ssl.SSLContext | None
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

    def __init__(self, line: socket.socket, deadline: _Deadline) -> None:
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

    def __init__(self, line: socket.socket, deadline: _Deadline) -> None:
        self._line, self._deadline = line, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.settimeout(self._deadline.left())
        return self._line.recv_into(buffer)
