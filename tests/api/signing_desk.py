"""Documents that locks of the lock world sign, and what is asked of them over HTTP."""

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from tests.api.lock_place import Place
from tests.support import der_writer as der
from tests.support.cms_writer import Signed, message, signature_of, signing_certificate
from tests.support.lock_world import DAY, LockWorld, written
from tests.support.pki import Issued, representative, uscc
from tests.support.timestamps import Clock, clock_spec

SIGNATURES = "/v1/ca/signatures"
DOCUMENT = "测试投标文件：报价一百万元整。".encode()
TOKENS = "1.2.840.113549.1.9.16.2.14"
"""The unsigned attribute for timestamps (RFC 3161 appendix A)."""


def text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


class SigningDesk:
    """A platform that asks about signed documents."""

    def __init__(self, place: Place) -> None:
        self.place, self.world = place, place.world

    def ask(self, octets: bytes, /, language: str | None = "en", **members: Any) -> httpx.Response:
        """Asks about a CMS message, or with `signature_format` about a bare signature."""
        asked = {
            "signature": text(octets),
            "signature_format": "cms",
            "jurisdiction": "CN-SC",
            "purpose": "bidding.sign",
        }
        whole = {name: value for name, value in (asked | members).items() if value is not None}
        return self.place.service.post(SIGNATURES, written(whole), language=language)

    def answer(self, signature: bytes, **members: Any) -> dict[str, Any]:
        """The answer, which has status 200."""
        response = self.ask(signature, **members)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def clock(self, authority: str = "chongqing", **changes: Any) -> Clock:
        """A timestamp authority that the world's policy trusts, unless changed."""
        issuer = self.world.authorities[authority]
        return Clock(certificate=issuer.issue(self.world.spec(clock_spec("sm2", **changes))), issuer=issuer)

    def representative(self, number: int = 1, authority: str = "sichuan") -> Issued:
        """The signing certificate of a legal representative's lock."""
        return self.world.issue(representative(number=number), authority)


def stamped(by: Issued, stamp: Callable[[bytes], bytes], content: bytes = DOCUMENT, **said: Any) -> Signed:
    """One who signs and puts a timestamp over his signature into the message; his certificate's hash is signed."""
    plain = Signed(by=by, more=(signing_certificate(by.der),), **said)
    info = plain.info(content)
    return Signed(
        by=by,
        more=plain.more,
        signature=signature_of(info),
        unsigned=(der.sequence(der.oid(TOKENS), der.set_of(stamp(signature_of(info)))),),
        **said,
    )


def stamp(made: Clock, at: datetime) -> Callable[[bytes], bytes]:
    """What makes a token of a signature at an instant."""
    return lambda value: made.of(value, at, digest="sm3")


__all__ = [
    "DAY",
    "DOCUMENT",
    "SIGNATURES",
    "LockWorld",
    "Signed",
    "SigningDesk",
    "message",
    "stamp",
    "stamped",
    "text",
    "uscc",
]
