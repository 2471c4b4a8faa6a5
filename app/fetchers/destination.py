"""Where a fetch may go: to allowed hosts only, and only to addresses of the public Internet unless told otherwise."""

import re
import socket
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Thread
from typing import Any
from urllib.parse import urljoin, urlsplit

from app.fetchers import FetchError
from keys.errors import quoted

PORTS = {"http": 80, "https": 443}
_MAX_URL = 2048
_VISIBLE = re.compile(r"[!-~]+")

_GLOBAL_UNICAST = IPv6Network("2000::/3")
# RFC 6052 §2.1: a translator turns these into the IPv4 address in their last 32 bits.
_TRANSLATED = IPv6Network("64:ff9b::/96")

Resolver = Callable[..., list[Any]]
"""What `socket.getaddrinfo` is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A URL that may be fetched. `target` is the request target: path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def place(self) -> str:
        """The host as allow-lists name it: with its port where that is not the scheme's own."""
        return _place(self.scheme, self.host, self.port)


def _place(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port == PORTS[scheme] else f"{shown}:{port}"


def destination(url: str) -> Destination:
    """Reads a URL. Raises `FetchError` "fetch.url" for one that is not http or https to a host, in plain ASCII."""
    if len(url) > _MAX_URL or not _VISIBLE.fullmatch(url):
        raise FetchError("fetch.url", f"{quoted(url)} is not a URL of at most {_MAX_URL} visible ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise FetchError("fetch.url", f"{quoted(url)} is not a URL: {error}") from None
    if parts.scheme not in PORTS:
        raise FetchError("fetch.url", f"{quoted(url)} is not an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise FetchError("fetch.url", "a URL that names a user or a password")  # and so is not shown
    if not host or port == 0:
        raise FetchError("fetch.url", f"{quoted(url)} does not name a host and port")
    query = f"?{parts.query}" if parts.query else ""
    return Destination(
        scheme=parts.scheme,
        host=host,
        port=PORTS[parts.scheme] if port is None else port,
        target=f"{parts.path or '/'}{query}",
    )


def followed(url: str, location: str) -> str:
    """The URL that a redirect leads to. Raises `FetchError` "fetch.url"."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchError("fetch.url", f"a redirect to {quoted(location)}: {error}") from None


def places_of(urls: Iterable[str]) -> frozenset[str]:
    """The places that URLs name, for an allow-list. What cannot be fetched anyway names none."""
    places = set()
    for url in urls:
        with suppress(FetchError):
            places.add(destination(url).place)
    return frozenset(places)


def refuse_elsewhere(where: Destination, allowed: Set[str]) -> None:
    """Raises `FetchError` "fetch.host" for a place that is not on the allow-list."""
    if where.place not in {place.lower().rstrip(".") for place in allowed}:
        raise FetchError("fetch.host", f"{where.place} is not an allowed host; allowed: {', '.join(sorted(allowed))}")


def resolve(where: Destination, seconds: float, *, private: bool, resolver: Resolver | None = None) -> tuple[str, ...]:
    """The addresses of a host, every one of which may be connected to.

    Raises `FetchError` "fetch.resolve" when there is none within so many seconds, and "fetch.address" when one of them
    is not public (where `private`: is no host's).
    """
    answers: list[Any] = []
    # getaddrinfo takes no time limit; a thread that hangs in it is left behind and ends with the process.
    asking = Thread(target=_ask, args=(where, resolver or socket.getaddrinfo, answers), daemon=True)
    asking.start()
    asking.join(max(seconds, 0.0))
    if not answers:
        raise FetchError("fetch.resolve", f"{where.host}: no answer of the name service in time")
    if isinstance(answers[0], Exception):
        raise FetchError("fetch.resolve", f"{where.host} has no address: {answers[0]}") from answers[0]
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in answers[0]))
    for address in addresses:
        if not may_connect(address, private=private):
            raise FetchError(
                "fetch.address",
                f"{where.host} is {address}, which is not a public address"
                + ("" if private else " (ACCORD_FETCH_PRIVATE=true allows private ones)"),
            )
    if not addresses:
        raise FetchError("fetch.resolve", f"{where.host} has no address")
    return addresses


def _ask(where: Destination, resolver: Resolver, answers: list[Any]) -> None:
    try:
        answers.append(resolver(where.host, where.port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 characters
        answers.append(error)


def may_connect(address: str, *, private: bool) -> bool:
    """Whether an address is of the public Internet; where `private`, whether it is that of any one host."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if parsed.is_multicast or parsed.is_unspecified:
        return False
    return private or (_public4(parsed) if isinstance(parsed, IPv4Address) else _public6(parsed))


def _public4(address: IPv4Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _public6(address: IPv6Address) -> bool:
    if address in _TRANSLATED:
        return _public4(IPv4Address(address.packed[-4:]))
    # 6to4 and Teredo lead on to an IPv4 address of the sender's choice, mapped ones are IPv4 in another spelling.
    tunnelled = address.sixtofour is not None or address.teredo is not None
    return address in _GLOBAL_UNICAST and address.is_global and not tunnelled
