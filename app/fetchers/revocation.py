"""Fetches revocation evidence over http or https, with a bound on everything that the other side decides.

What is fetched is not believed: its signature is judged afterwards.
"""

import http.client
import ssl
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from app import clock
from app.fetchers import FetchError
from app.fetchers.connection import Connection, Deadline, content_of, told
from app.fetchers.destination import Destination, Resolver, destination, followed, refuse_elsewhere, resolve

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
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
        deadline = Deadline(self._monotonic, seconds)
        for _ in range(self._limits.redirects + 1):
            where = destination(url)
            refuse_elsewhere(where, hosts)
            with told(where):
                found = self._asked(where, request, deadline)
            if isinstance(found, bytes):
                return found
            url = followed(url, found)
        raise FetchError("fetch.redirects", f"{where.place}: more than {self._limits.redirects} redirects")

    def _asked(self, where: Destination, request: Request, deadline: Deadline) -> bytes | str:
        """The content, or where it is said to be."""
        addresses = resolve(where, deadline.left(), private=self._private, resolver=self._resolver)
        connection = Connection(where, addresses, deadline, self._tls)
        try:
            connection.request(request.method, where.target, body=request.body, headers=request.headers)
            return self._answer(connection.getresponse(), where)
        finally:
            connection.hang_up()

    def _answer(self, response: http.client.HTTPResponse, where: Destination) -> bytes | str:
        location = response.headers.get("Location")
        if response.status in _REDIRECTS and location is not None:
            return location
        return content_of(response, where, self._limits.size)
