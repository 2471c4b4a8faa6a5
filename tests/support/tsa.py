"""A timestamp authority over HTTP on the loopback: honest, or with one of `LIES`."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from tests.support import der_writer as der
from tests.support.lying_server import Behaviour, LyingServer, answering, endless, lying_server
from tests.support.timestamps import (
    LAST,
    TIME_STAMPING,
    Clock,
    clock,
    hashed,
    imprint,
    read_request,
    response,
    time,
    usage,
)
from tests.support.unsafe_sm2 import Key

DAY = timedelta(days=1)
REPLY = "Content-Type: application/timestamp-reply"

Answer = Callable[[bytes], bytes]
"""Gives the answer to a request."""


@cache
def standing_clock(kind: str = "p-256", **changes: Any) -> Clock:
    """An authority that is in force whenever the tests run."""
    return clock(kind, **{"not_after": LAST, **changes})


def honest(made: Clock | None = None, *, after: timedelta = timedelta(0), **changes: Any) -> Answer:
    """Answers as asked, by the clock of the machine and so much later; changes are those of `Clock.token`."""

    def answer(request: bytes) -> bytes:
        asked = read_request(request)
        said = {"imprint": asked.imprint, "nonce": asked.nonce, "gen_time": time(datetime.now(UTC) + after)}
        return response((made or standing_clock()).token(**(said | changes)))

    return answer


LIES: Mapping[str, tuple[Answer, str]] = {
    "another nonce": (honest(nonce=der.integer(7)), "timestamp.nonce_wrong"),
    "no nonce": (honest(nonce=b""), "timestamp.nonce_wrong"),
    "another imprint": (honest(imprint=imprint("sha256", bytes(32))), "timestamp.imprint_wrong"),
    "another digest": (honest(imprint=imprint("sha512", hashed("sha512", b""))), "timestamp.imprint_wrong"),
    "no certificate": (honest(certificates=()), "timestamp.certificate_missing"),
    "certificate not signed": (honest(identifier=None), "timestamp.certificate_other"),
    "for other things": (honest(standing_clock(more=(usage("1.3.6.1.5.5.7.3.3"),))), "timestamp.usage_wrong"),
    "for all things": (honest(standing_clock(more=())), "timestamp.usage_wrong"),
    "not critically": (
        honest(standing_clock(more=(usage(TIME_STAMPING, critical=False),))),
        "timestamp.usage_wrong",
    ),
    "expired": (
        honest(standing_clock(not_before=LAST - 40000 * DAY, not_after=LAST - 20000 * DAY)),
        "timestamp.certificate_not_valid",
    ),
    "in the future": (honest(after=DAY), "timestamp.time_wrong"),
    "in the past": (honest(after=-DAY), "timestamp.time_wrong"),
    "another key": (honest(signed_by=Key("p-256", "a thief")), "signature.wrong"),
    "two signers": (honest(signers=2), "timestamp.not_a_token"),
    "refused": (lambda _: response(b"", der.integer(2), der.named_bits([14])), "timestamp.refused"),
    "refused and granted": (
        lambda request: honest()(request).replace(der.sequence(der.integer(0)), der.sequence(der.integer(2)), 1),
        "timestamp.refused",
    ),
    "no token": (lambda _: response(), "timestamp.malformed"),
    "garbage": (lambda _: bytes(range(256)), "timestamp.malformed"),
    "nothing": (lambda _: b"", "timestamp.malformed"),
}
"""What an authority can do wrong, each with the code of its refusal. A policy was not asked for, so any is right."""


def replying(answer: Answer) -> Behaviour:
    """Reads a request whole and answers it."""

    def behave(line: socket.socket, server: LyingServer) -> None:
        answering(answer(_request(server)), REPLY)(line, server)

    return behave


def flooding(line: socket.socket, server: LyingServer) -> None:
    """Reads a request whole and never comes to an end with the answer."""
    _request(server)
    endless(b"HTTP/1.1 200 OK\r\n\r\n", bytes(4096))(line, server)


def unwilling(line: socket.socket, server: LyingServer) -> None:
    """Reads a request whole and says that it has no time."""
    _request(server)
    answering(b"no", status="503 Service Unavailable")(line, server)


def elsewhere(line: socket.socket, server: LyingServer) -> None:
    """Reads a request whole and sends the client away."""
    _request(server)
    answering(b"", "Location: /", status="307 Temporary Redirect")(line, server)


def _request(server: LyingServer) -> bytes:
    """The body of the last request."""
    head = server.requests[-1]
    fields = dict(entry.lower().split(": ", 1) for entry in head.rstrip("\r\n").split("\r\n")[1:])
    assert fields["content-type"] == "application/timestamp-query"
    return server.bodies[-1]


@contextmanager
def tsa(behaviour: Behaviour | None = None) -> Iterator[str]:
    """The address of an authority."""
    with lying_server({"/tsa": behaviour or replying(honest())}) as server:
        yield f"{server.base}/tsa"
