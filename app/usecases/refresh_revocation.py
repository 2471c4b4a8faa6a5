"""Take in revocation lists ahead of need. Each is judged by itself, and kept when an authority of ours signed it.

Nothing that is held is replaced or taken away: answers about the past rest on it.
"""

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, Protocol

from app.fetchers import FetchError
from app.fetchers.destination import places_of
from keys import der
from keys.algorithm_policy import AlgorithmPolicy, allowed
from keys.algorithms.schemes import load_key, scheme_from_identifier
from keys.certificate.names import name_text, read_issuer
from keys.errors import KeysError, MalformedError
from keys.revocation import names
from keys.revocation.crl import RevocationList, read_crl, verify_crl
from keys.revocation.distribution import Scope
from registry.evidence import RevocationEvidence
from registry.period import format_instant
from registry.trust import Trust, TrustAnchor

MAX_SIZE = 64 * 1024 * 1024
"""Bytes of a list: about a million and a half entries."""
_AHEAD = timedelta(minutes=5)
"""So far ahead of ours may an authority's clock be."""

Result = Literal["stored", "unchanged", "passed_over", "refused", "not_fetched"]
Extent = tuple[bytes, Scope | None, bool]


class Fetch(Protocol):
    """Gets the bytes at a URL by way of allowed hosts only. Raises `FetchError`."""

    def __call__(self, url: str, hosts: Set[str]) -> bytes:
        """The bytes."""
        ...


class ListKeeper(Protocol):
    """Keeps lists whose signature was verified. Raises `StoreError`."""

    def add_revocation_list(self, crl: RevocationList, issuer_key: str) -> bool:
        """Keeps a list; False when it is there already."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A place a list comes from. `dropped`: from a folder, where old lists may lie for good; `read` may fail."""

    source: str
    dropped: bool
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one list. `code` and `detail` say why it was not kept; `authority` is a trust anchor's id."""

    source: str
    result: Result
    code: str | None = None
    detail: str | None = None
    crl: RevocationList | None = None
    authority: str | None = None

    @property
    def failed(self) -> bool:
        """Whether somebody has to look after it."""
        return self.result in ("refused", "not_fetched")


class _ListRefused(KeysError):
    """A list that is read and not believed."""


def due(trust: Trust, now: datetime, fetch: Fetch) -> tuple[Arrival, ...]:
    """The lists to fetch: those of every trust file in effect, each by way of that file's hosts."""
    wanted: dict[tuple[str, frozenset[str]], Arrival] = {}
    for anchor in trust.anchors.values():
        if now not in anchor.effective:
            continue
        for url in anchor.revocation_urls:
            hosts = frozenset(anchor.revocation_hosts)
            wanted[url, hosts] = Arrival(source=url, dropped=False, read=partial(_fetched, fetch, url, anchor))
    return tuple(wanted.values())


def _fetched(fetch: Fetch, url: str, anchor: TrustAnchor) -> bytes:
    return fetch(url, frozenset(anchor.revocation_hosts) or places_of(anchor.revocation_urls))


class RevocationIntake:
    """Judges lists by what was held when it was made, and keeps those that pass.

    Lists that come in together do not count against each other, whatever their order.
    """

    def __init__(
        self, trust: Trust, held: RevocationEvidence, keeper: ListKeeper, algorithms: AlgorithmPolicy, now: datetime
    ) -> None:
        self._trust, self._held, self._keeper = trust, held, keeper
        self._algorithms, self._now = algorithms, now
        self._newest: dict[str, dict[Extent, RevocationList]] = {}
        self._digests: set[str] = set()

    def take_in(self, arrivals: Iterable[Arrival]) -> Iterator[Outcome]:
        """What became of each list, as it happens. Raises `StoreError` when the store fails."""
        for arrival in arrivals:
            try:
                content = arrival.read()
            except FetchError as error:
                yield Outcome(source=arrival.source, result="not_fetched", code=error.code, detail=error.detail)
            else:
                yield self._judged(arrival, content)

    def _judged(self, arrival: Arrival, content: bytes) -> Outcome:
        crl = None
        try:
            crl = read_crl(content, MAX_SIZE)
            authority = self._believed(crl)
        except KeysError as error:
            return Outcome(source=arrival.source, result="refused", code=error.code, detail=error.detail, crl=crl)
        newest = self._newest_of(authority).get(_extent(crl))
        result: Result
        code = detail = None
        if crl.digest in self._digests:
            result = "unchanged"
        elif newest is not None and _order(crl) < _order(newest):
            result = "passed_over" if arrival.dropped else "refused"
            code = "crl.older"
            detail = f"issued at {format_instant(crl.this_update)}; held is {format_instant(newest.this_update)}"
        else:
            new = self._keeper.add_revocation_list(crl, authority.key_digest)
            self._digests.add(crl.digest)
            result = "stored" if new else "unchanged"
        return Outcome(source=arrival.source, result=result, code=code, detail=detail, crl=crl, authority=authority.id)

    def _believed(self, crl: RevocationList) -> TrustAnchor:
        """The authority that signed a list which can be relied on now. Raises `KeysError`."""
        if crl.this_update > self._now + _AHEAD:
            raise _ListRefused("crl.future", f"dated {format_instant(crl.this_update)}, which is still to come")
        if crl.unhandled:
            extensions = ", ".join(crl.unhandled)
            raise _ListRefused("crl.unhandled", f"critical extensions that are not understood: {extensions}")
        authority = self._signer(crl)
        scheme = scheme_from_identifier(crl.signature_algorithm)
        why = allowed(self._algorithms, scheme, load_key(authority.certificate.spki), self._now)
        if why is not None:
            raise _ListRefused("signature.algorithm_not_allowed", why)
        return authority

    def _signer(self, crl: RevocationList) -> TrustAnchor:
        """The trust file whose key signed the list."""
        named = [
            anchor
            for anchor in self._trust.anchors.values()
            if names.folded(anchor.certificate.subject) == crl.issuer_key
        ]
        if not named:
            raise _ListRefused("crl.authority_unknown", f"no trust anchor is named {_issuer_text(crl)}")
        able = [anchor for anchor in named if self._may_have_signed(anchor, crl)]
        if not able:
            ids = ", ".join(anchor.id for anchor in named)
            raise _ListRefused(
                "crl.authority_unfit",
                f"{ids}: has another key, may not sign lists (keyUsage), or was retired before the list was issued",
            )
        failures: list[KeysError] = []
        for anchor in able:
            try:
                verify_crl(crl, anchor.certificate.spki)
            except KeysError as error:
                failures.append(error)
            else:
                return anchor
        ids = ", ".join(anchor.id for anchor in able)
        raise _ListRefused(failures[0].code, f"not signed by {ids}: {failures[0].detail}")

    def _may_have_signed(self, anchor: TrustAnchor, crl: RevocationList) -> bool:
        certificate = anchor.certificate
        usage, mine, said = certificate.key_usage, certificate.subject_key_id, crl.authority_key_id
        retired = anchor.effective.end is not None and anchor.effective.end <= crl.this_update
        another_key = mine is not None and said is not None and mine != said
        # RFC 5280 §4.2.1.3: cRLSign; a certificate without keyUsage (X.509 v1 roots) is not confined.
        return not retired and not another_key and (usage is None or "cRLSign" in usage)

    def _newest_of(self, authority: TrustAnchor) -> dict[Extent, RevocationList]:
        """The newest list of each extent that was held of an authority."""
        newest = self._newest.get(authority.key_digest)
        if newest is None:
            newest = self._newest[authority.key_digest] = {}
            for known in self._held.lists_of(authority.certificate, self._now, authority.certificate):
                self._digests.add(known.crl.digest)
                other = newest.get(_extent(known.crl))
                if other is None or _order(other) < _order(known.crl):
                    newest[_extent(known.crl)] = known.crl
        return newest


def _extent(crl: RevocationList) -> Extent:
    """What a list speaks of: a delta and a partition do not make a complete list old."""
    return crl.issuer_key, crl.distribution, crl.base_number is not None


def _order(crl: RevocationList) -> tuple[datetime, int]:
    return crl.this_update, -1 if crl.number is None else crl.number


def _issuer_text(crl: RevocationList) -> str:
    try:
        return name_text(read_issuer(der.parse(crl.issuer))[0])
    except MalformedError:
        return "so (the name cannot be read)"
