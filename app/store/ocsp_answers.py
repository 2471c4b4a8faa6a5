"""The OCSP answers of a store, indexed in memory by certificate: verified when they came in and when first used."""

from bisect import insort
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from msgspec import Struct

from app.ports import OcspQuestion, StoreError
from keys.certificate import Certificate
from keys.errors import KeysError
from keys.revocation.evidence import known_answer
from keys.revocation.judgement import KnownOcsp
from keys.revocation.ocsp import OcspAnswer
from registry.canonical import digest
from registry.period import from_micros, to_micros
from registry.trust import key_digest

SERVING = 4
"""So many of the newest answers about a certificate are asked."""
_KEPT = 4096  # answers that are ready; about 3 kB each
_REVOKED = "revoked"  # for good: what begins with it is not asked again
_NEWEST = """
SELECT issuer_key, serial, issuer_name, ends, url, said, max(this_update), next_update FROM ocsp_answer
WHERE ends >= ?1 GROUP BY issuer_key, serial ORDER BY issuer_key, serial"""
"""SQLite takes all columns from the row of the only max() or min() there is."""


class _Row(Struct, frozen=True, order=True):
    this_update: int
    no: int
    known_from: int
    said: str


def said_by(answer: OcspAnswer) -> str:
    """Names what an answer means, so that another of the same meaning has nothing to add but its date."""
    if answer.entry is None:
        return answer.status
    if answer.reason in ("certificateHold", "removeFromCRL"):
        return f"{answer.reason} {to_micros(answer.entry.effective_at)}"
    return f"{_REVOKED} {to_micros(answer.entry.effective_at)} {answer.reason or ''}".rstrip()


class OcspAnswers:
    """The answers, for the shelf whose connection `query` asks."""

    def __init__(self, path: Path, query: Callable[[str, int | str], Sequence[Any]]) -> None:
        self._path, self._query = path, query
        self._rows: dict[tuple[str, str], list[_Row]] = {}
        self._seen = 0
        self._ready: OrderedDict[tuple[int, str], KnownOcsp | None] = OrderedDict()

    def fresh(self) -> Sequence[Any]:
        """The rows that came in since the last ones were noted. Raises `StoreError`."""
        return self._query(
            "SELECT no, issuer_key, serial, this_update, known_from, said FROM ocsp_answer WHERE no > ?1 ORDER BY no",
            self._seen,
        )

    def note(self, fresh: Sequence[Any]) -> None:
        """Takes note of rows."""
        for no, issuer_key, serial, this_update, known_from, said in fresh:
            row = _Row(this_update=this_update, no=no, known_from=known_from, said=said)
            insort(self._rows.setdefault((issuer_key, serial), []), row)
            self._seen = no

    def answers_of(self, issuer: Certificate, known_at: datetime, about: Certificate) -> Sequence[KnownOcsp]:
        """The newest answers about a certificate that were known then, and those that tell of a change.

        Besides the newest of all these are the newest from before its end, and each whose words the next one did not
        repeat. Raises `StoreError`.
        """
        if not self._rows:
            return ()
        rows = self._rows.get((key_digest(issuer), f"{about.serial:x}"))
        if rows is None:
            return ()
        known, end = to_micros(known_at), to_micros(about.not_after)
        there = [row for row in rows if row.known_from <= known]
        before = [row for row in there if row.this_update <= end]
        changed = [row for row, after in pairwise(there) if row.said != after.said]
        wanted = {row.no: row for row in (*there[-SERVING:], *before[-SERVING:], *changed)}
        found = (self._answer(row, issuer, about) for row in wanted.values())
        return [answer for answer in found if answer is not None]

    def ending(self, now: datetime) -> list[OcspQuestion]:
        """What to ask again: every certificate still valid, half of whose newest answer's time is over.

        Not one that was revoked for good. Raises `StoreError`.
        """
        instant = to_micros(now)
        return [
            OcspQuestion(
                serial=int(serial, 16),
                issuer_name=issuer_name,
                issuer_key=issuer_key,
                not_after=from_micros(ends),
                url=url,
            )
            for issuer_key, serial, issuer_name, ends, url, said, since, until in self._query(_NEWEST, instant)
            if not said.startswith(_REVOKED) and (until is None or 2 * instant >= since + until)
        ]

    def _answer(self, row: _Row, issuer: Certificate, about: Certificate) -> KnownOcsp | None:
        """The answer in a row; None where it is not by this very issuer: another certificate has the same key."""
        place = row.no, issuer.fingerprint
        if place not in self._ready:
            ((content, named),) = self._query("SELECT content, digest FROM ocsp_answer WHERE no = ?1", row.no)
            if digest(content) != named:
                raise StoreError(f"store {self._path}: OCSP answer {named} is damaged")
            self._ready[place] = _verified(content, row, issuer, about)
            while len(self._ready) > _KEPT:
                self._ready.popitem(last=False)
        self._ready.move_to_end(place)
        return self._ready[place]


def _verified(content: bytes, row: _Row, issuer: Certificate, about: Certificate) -> KnownOcsp | None:
    # Whether it came from the future was judged when it came in.
    ever = datetime.max.replace(tzinfo=UTC)
    known_from = from_micros(row.known_from)
    try:
        return known_answer(content, about.serial, about.issuer, issuer, instant=ever, known_from=known_from)
    except KeysError:
        return None
