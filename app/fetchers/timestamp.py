"""Asks a timestamp authority over http or https (RFC 3161 3.4), with a bound on everything that it decides.

What it answers is not believed: it is held against the request, and its signature is judged, afterwards.
"""

import ssl
from collections.abc import Callable

from app import clock
from app.fetchers.connection import Connection, Deadline, content_of, told
from app.fetchers.destination import Resolver, destination, resolve
from app.fetchers.revocation import Limits
from keys.timestamp import QUERY_TYPE, REPLY_TYPE

_LIMITS = Limits(seconds=20.0, size=512 * 1024)
_HEADERS = {
    "Accept": REPLY_TYPE,
    "Accept-Encoding": "identity",  # nothing has to be unpacked, so nothing can swell
    "Connection": "close",
    "Content-Type": QUERY_TYPE,
    "User-Agent": "accord",
}


class TimestampFetcher:
    """Asks authorities by the same limits. `private` lets connections go to addresses that are not public."""

    def __init__(
        self,
        *,
        private: bool = False,
        limits: Limits = _LIMITS,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._private, self._limits, self._resolver = private, limits, resolver
        self._tls, self._monotonic = tls, monotonic

    def ask(self, url: str, request: bytes) -> bytes:
        """What the authority at a URL answers. It is asked there and nowhere else: redirects are not followed.

        Raises `FetchError`: "fetch.url", "fetch.resolve", "fetch.address", "fetch.connect", "fetch.tls",
        "fetch.timeout", "fetch.status", "fetch.protocol", "fetch.too_large", "fetch.truncated".
        """
        deadline = Deadline(self._monotonic, self._limits.seconds)
        where = destination(url)
        with told(where):
            addresses = resolve(where, deadline.left(), private=self._private, resolver=self._resolver)
            connection = Connection(where, addresses, deadline, self._tls)
            try:
                connection.request("POST", where.target, body=request, headers=_HEADERS)
                return content_of(connection.getresponse(), where, self._limits.size)
            finally:
                connection.hang_up()
