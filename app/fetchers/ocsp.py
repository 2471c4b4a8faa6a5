"""Asks an OCSP responder over http or https (RFC 6960 appendix A.1), within the same bounds as lists are fetched.

What is answered is not believed: it is judged afterwards. A redirect is not followed: who is asked was allowed by name.
"""

import ssl
from collections.abc import Callable, Set

from app import clock
from app.fetchers.destination import Resolver
from app.fetchers.revocation import Limits, Request, RevocationFetcher
from keys.revocation.ocsp import MAX_LENGTH

LIMITS = Limits(seconds=10.0, size=MAX_LENGTH, redirects=0)
_HEADERS = {
    "Accept": "application/ocsp-response",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "Content-Type": "application/ocsp-request",
    "User-Agent": "accord",
}


class OcspFetcher(RevocationFetcher):
    """Asks by the same limits, which are shorter than those of lists. `private` as for lists."""

    def __init__(
        self,
        *,
        private: bool = False,
        limits: Limits = LIMITS,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        super().__init__(private=private, limits=limits, resolver=resolver, tls=tls, monotonic=monotonic)

    def ask(self, url: str, request: bytes, hosts: Set[str], seconds: float | None = None) -> bytes:
        """The answer to a request (DER) of a responder among these hosts, within so many seconds if they are fewer.

        Raises `FetchError` with the codes of `RevocationFetcher.fetch`.
        """
        allowed = self._limits.seconds if seconds is None else min(seconds, self._limits.seconds)
        return self._fetched(url, hosts, Request(method="POST", headers=_HEADERS, body=request), allowed)
