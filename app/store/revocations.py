"""The revocation evidence of a store, indexed in memory: parsed once, each known from its own instant on."""

import sqlite3
from bisect import insort
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from app import clock
from app.ports import OcspQuestion, StoreError
from app.store.margin import Lookout
from app.store.ocsp_answers import OcspAnswers
from app.store.schema import failing_clearly
from keys.certificate import Certificate
from keys.errors import KeysError
from keys.revocation.crl import RevocationList, parse_crl
from keys.revocation.judgement import KnownCrl, KnownOcsp
from registry.canonical import canonical_json, digest
from registry.period import from_micros, to_micros
from registry.trust import key_digest

SERVING = 4
"""So many of an authority's newest lists of one scope are asked: the last one and what it replaced."""
_KEPT = 1024  # parsed lists; one of a million entries takes about 54 MB, and no authority of the field has one


class _Row(Struct, frozen=True, order=True):
    this_update: int
    no: int
    known_from: int


def scope_of(crl: RevocationList) -> str:
    """Names the part of an authority's certificates and reasons that a list speaks of: its lists replace each other."""
    kind = "complete" if crl.base_number is None else "delta"
    part = crl.distribution
    if part is None:
        return kind
    said = {
        "names": None if part.names is None else sorted(name.hex() for name in part.names),
        "user": part.only_user,
        "ca": part.only_ca,
        "attribute": part.only_attribute,
        "reasons": None if part.only_reasons is None else sorted(part.only_reasons),
        "indirect": part.indirect,
    }
    return f"{kind} {digest(canonical_json(said))}"


class RevocationShelf:
    """Implements `registry.lock.RevocationEvidence` on a store file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with failing_clearly(path):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA query_only = ON")
        self._rows: dict[str, dict[str, list[_Row]]] = {}
        self._changed: dict[str, dict[str, set[int]]] = {}
        self._current: dict[str, tuple[datetime, datetime, tuple[KnownCrl, ...]]] = {}
        self._seen = 0
        self._answers = OcspAnswers(path, self._query)
        self._lookout = Lookout()
        self._parsed: OrderedDict[int, RevocationList] = OrderedDict()
        self.refresh()

    def close(self) -> None:
        """Lets the file go."""
        self._connection.close()

    def refresh(self) -> None:
        """Takes note of what came in since, and reads the newest lists ahead. Raises `StoreError`."""
        if not self._lookout.due():
            return
        began = clock.now()
        fresh = self._query(
            "SELECT no, issuer_key, scope, this_update, known_from FROM revocation_list WHERE no > ?1 ORDER BY no",
            self._seen,
        )
        answers = self._answers.fresh()
        # All is asked before anything is noted, so that a store that fails in between leaves nothing half known.
        changed = (
            self._query("SELECT issuer_key, serial, list_no FROM changed_entry WHERE list_no > ?1", 0) if fresh else ()
        )
        self._answers.note(answers)
        for issuer_key, serial, list_no in changed:
            self._changed.setdefault(issuer_key, {}).setdefault(serial, set()).add(list_no)
        for no, issuer_key, scope, this_update, known_from in fresh:
            rows = self._rows.setdefault(issuer_key, {}).setdefault(scope, [])
            insort(rows, _Row(this_update=this_update, no=no, known_from=known_from))
            self._current.pop(issuer_key, None)
            self._seen = no
        for issuer_key, scope in {(row[1], row[2]) for row in fresh}:
            for row in self._rows[issuer_key][scope][-SERVING:]:
                self._list(row.no)
        self._lookout.looked(began)

    def lists_of(self, issuer: Certificate, known_at: datetime, about: Certificate | None = None) -> Sequence[KnownCrl]:
        """The newest lists of each scope by this authority that were known then, and those that tell of a certificate.

        These are the newest issued before its end, and each whose words about it the next one did not repeat.
        Raises `StoreError`.
        """
        issuer_key = key_digest(issuer)
        of_issuer = self._changed.get(issuer_key)
        changed = None if about is None or of_issuer is None else of_issuer.get(f"{about.serial:x}")
        since, newest, lists = self._current.get(issuer_key) or self._serving(issuer_key)
        if changed is None and known_at >= since and (about is None or about.not_after >= newest):
            return lists
        known, end = to_micros(known_at), None if about is None else to_micros(about.not_after)
        wanted: dict[int, _Row] = {}
        for rows in self._rows.get(issuer_key, {}).values():
            there = [row for row in rows if row.known_from <= known]
            wanted |= {row.no: row for row in there[-SERVING:]}
            if end is not None and there and there[-1].this_update > end:
                wanted |= {row.no: row for row in [row for row in there if row.this_update <= end][-SERVING:]}
            if changed:
                wanted |= {row.no: row for row in there if row.no in changed}
        return self._known(wanted.values())

    def _serving(self, issuer_key: str) -> tuple[datetime, datetime, tuple[KnownCrl, ...]]:
        """The lists for whoever asks about the present: from when on all are known, the newest's date, and they."""
        scopes = self._rows.get(issuer_key, {}).values()
        since = max((row.known_from for rows in scopes for row in rows), default=0)
        newest = max((rows[-1].this_update for rows in scopes), default=0)
        found = from_micros(since), from_micros(newest), self._known(row for rows in scopes for row in rows[-SERVING:])
        if scopes:
            self._current[issuer_key] = found
        return found

    def _known(self, rows: Iterable[_Row]) -> tuple[KnownCrl, ...]:
        return tuple([KnownCrl(crl=self._list(row.no), known_from=from_micros(row.known_from)) for row in rows])

    def answers_of(self, issuer: Certificate, known_at: datetime, about: Certificate) -> Sequence[KnownOcsp]:
        """The OCSP answers about a certificate that were known then. Raises `StoreError`."""
        return self._answers.answers_of(issuer, known_at, about)

    def ending(self, now: datetime) -> Sequence[OcspQuestion]:
        """What to ask OCSP responders again. Raises `StoreError`."""
        return self._answers.ending(now)

    def holds(self, named: str) -> bool:
        """Whether the list of this digest was ever taken in."""
        return bool(self._query("SELECT 1 FROM revocation_list WHERE digest = ?1", named))

    def newest(self) -> dict[str, datetime]:
        """When each authority's newest list was issued, by the digest of its key."""
        return {
            issuer_key: from_micros(max(rows[-1].this_update for rows in scopes.values()))
            for issuer_key, scopes in self._rows.items()
        }

    def _list(self, no: int) -> RevocationList:
        found = self._parsed.get(no)
        if found is None:
            ((content, named),) = self._query("SELECT content, digest FROM revocation_list WHERE no = ?1", no)
            try:
                if digest(content) != named:
                    raise StoreError(f"store {self._path}: revocation list {named} is damaged")
                found = parse_crl(content)
            except KeysError as error:
                raise StoreError(f"store {self._path}: revocation list {named} is damaged") from error
            self._parsed[no] = found
            while len(self._parsed) > _KEPT:
                self._parsed.popitem(last=False)
        self._parsed.move_to_end(no)
        return found

    def _query(self, statement: str, parameter: int | str) -> list[Any]:
        try:
            return self._connection.execute(statement, (parameter,)).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"store {self._path}: {error}") from error
