"""Publish status lists as signed tokens: built once for a state of the register, then answered from memory."""

import gzip
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from app.ports import NodeKeys
from keys.custody import Signer
from keys.jws import sign_compact
from registry.period import to_micros
from registry.receipt import Origin
from registry.status_index import PLACES
from registry.status_list import compress, pack_exceptions
from registry.status_timeline import Standing, Turn, in_one_bit, standing_at
from registry.status_token import MAX_LENGTH, STATUS_LIST_TYPE, Term, term, token_claims

K = TypeVar("K")
V = TypeVar("V")

PATH = "/v1/status-lists/"
_LISTS = 64
"""Lists that are kept in memory."""
_INSTANTS = 8
"""Stretches of time that are kept of each, and tokens."""


def list_path(listed: str, bits: int = 2) -> str:
    """The path of a list, by its id, in a size."""
    return f"{PATH}{listed}-{bits}bit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRows:
    """The rows of a list, by place and then `known_from`: how the status there turns. `head` is the log's size then."""

    head: int
    rows: tuple[tuple[int, int, tuple[Turn, ...]], ...]


class StatusRegister(Protocol):
    """Reads of status lists."""

    def read(self, listed: str) -> ListRows | None:
        """The rows of a list, None where there is none. Raises `StoreError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A token as it is served. `tag` is an entity tag over key and claims: the signature may differ between processes.

    Over the key too: who keeps a token by a key that is compromised now must not be told that nothing has changed.
    """

    token: bytes
    zipped: bytes
    tag: bytes
    ttl: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A list as it was read, and what was made of it. Replaced as a whole, so that no lock is needed to look.

    `learnt` is when the newest known row was, `ends` when a row becomes known that is not known yet.
    """

    head: int
    timelines: Mapping[int, tuple[Turn, ...]]
    learnt: int | None
    ends: int | None
    arrays: Mapping[tuple[int | None, int], tuple[Standing, bytes]] = field(default_factory=dict)
    tokens: Mapping[tuple[str, int, Term], Published] = field(default_factory=dict)

    def serves(self, head: int, known_at: int) -> bool:
        """Whether nothing was written, and nothing became known, since it was read."""
        return self.head >= head and (self.ends is None or known_at < self.ends)

    def array_at(self, instant: int, bits: int) -> tuple[Standing, bytes] | None:
        for (_, size), (standing, compressed) in self.arrays.items():
            begun = standing.since is None or standing.since <= instant
            if size == bits and begun and (standing.until is None or instant < standing.until):
                return standing, compressed
        return None


class StatusPublisher:
    """The status lists of a node.

    A list of an instant is judged by what the register knows now: `valid_at` is the instant, `known_at` is now. That is
    what a relying party asks who must know whether a credential counted on a day: a revocation that was recorded later
    and took effect earlier is seen. What was said at the time is proved by receipts and by lists that were kept.
    """

    def __init__(self, register: StatusRegister, keys: NodeKeys, origin: Origin, base: str) -> None:
        self._register, self._keys, self._origin, self._base = register, keys, origin, base
        self._readings: Mapping[str, _Reading] = {}
        self._lock = threading.Lock()

    def uri(self, listed: str, bits: int = 2) -> str:
        """Where a list is found, in a size."""
        return self._base + list_path(listed, bits)

    def held(self, listed: str, bits: int, at: int, head: int, now: datetime) -> Published | None:
        """The token from memory, when nothing was written since the log had the size `head`; None: `publish` it."""
        reading = self._readings.get(listed)
        if reading is None or not reading.serves(head, to_micros(now)):
            return None
        found = reading.array_at(at * 1_000_000, bits)
        if found is None:
            return None
        # By the key that signs now: a token by the former may be worth nothing since.
        return reading.tokens.get((self._keys.signer.kid, bits, _term(reading, found[0], at)))

    def publish(self, listed: str, bits: int, at: int, head: int, now: datetime) -> Published | None:
        """The token of a list in a size, of an instant in seconds since 1970; None where there is no such list.

        Takes a while when the list has to be built: not for the thread that answers everybody. Raises `StoreError`
        and `keys.errors.CustodyError`.
        """
        with self._lock:
            reading = self._read(listed, head, to_micros(now))
            if reading is None:
                return None
            found = reading.array_at(at * 1_000_000, bits)
            if found is None:
                found = _built(reading, at * 1_000_000, bits)
                arrays = {**reading.arrays, (found[0].since, bits): found}
                reading = replace(reading, arrays=_newest(arrays, _INSTANTS))
            span = _term(reading, found[0], at)
            signer = self._keys.signer
            named = signer.kid, bits, span
            token = reading.tokens.get(named)
            if token is None:
                token = self._signed(signer, listed, bits, span, found[1])
                reading = replace(reading, tokens=_newest({**reading.tokens, named: token}, _INSTANTS))
            others = {name: other for name, other in self._readings.items() if name != listed}
            self._readings = _newest({**others, listed: reading}, _LISTS)
            return token

    def _read(self, listed: str, head: int, known_at: int) -> _Reading | None:
        before = self._readings.get(listed)
        if before is not None and before.serves(head, known_at):
            return before
        found = self._register.read(listed)
        if found is None:
            return None
        fresh = _known(found, known_at)
        if before is not None and before.timelines == fresh.timelines:
            # Something else was written: the list is what it was, and so is what was made of it.
            return replace(fresh, arrays=before.arrays, tokens=before.tokens)
        return fresh

    def _signed(self, signer: Signer, listed: str, bits: int, span: Term, compressed: bytes) -> Published:
        uri, origin = self.uri(listed, bits), self._origin
        claims = token_claims(uri, span, compressed, bits, issuer=origin.issuer, livemode=origin.livemode)
        payload = json.dumps(claims, separators=(",", ":")).encode()
        token = sign_compact(payload, signer, STATUS_LIST_TYPE, MAX_LENGTH).encode()
        named = signer.kid.encode() + payload
        tag = b'"' + hashlib.sha256(named).hexdigest()[:32].encode() + b'"'
        return Published(token=token, zipped=gzip.compress(token, 6, mtime=0), tag=tag, ttl=span.ttl)


def _known(listed: ListRows, known_at: int) -> _Reading:
    """What of the rows is known: the newest of each place. Until the next becomes known nothing is sure to hold."""
    timelines: dict[int, tuple[Turn, ...]] = {}
    learnt: int | None = None
    ends: int | None = None
    for place, known_from, turns in listed.rows:
        if known_from <= known_at:
            timelines[place] = turns
            learnt = known_from if learnt is None else max(learnt, known_from)
        else:
            ends = known_from if ends is None else min(ends, known_from)
    return _Reading(head=listed.head, timelines=timelines, learnt=learnt, ends=ends)


def _built(reading: _Reading, instant: int, bits: int) -> tuple[Standing, bytes]:
    standing = standing_at(reading.timelines, instant)
    exceptions = in_one_bit(standing.exceptions) if bits == 1 else standing.exceptions
    return standing, compress(pack_exceptions(exceptions, PLACES, bits))


def _term(reading: _Reading, standing: Standing, at: int) -> Term:
    until = [instant for instant in (standing.until, reading.ends) if instant is not None]
    return term(at, standing.since, min(until, default=None), reading.learnt)


def _newest(kept: Mapping[K, V], most: int) -> dict[K, V]:
    return dict(list(kept.items())[-most:])
