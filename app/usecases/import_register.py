"""Load a register's file that its issuer signed for: judge every row, enter those that stand, name the others."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from msgspec import Struct

from app.importers.rows import SHOWN, FileFacts, Row, RowFault, RowSource
from app.ports import Batch, BulkIntake, NumberedRow, PolicyMoved, StoreError, VersionRow
from app.usecases.version_row import person_salt, version_row
from registry.bulk import BulkRow, Manifest, first_version, next_version
from registry.canonical import digest
from registry.credential import Attestation, standing
from registry.dossier import HeldCredential
from registry.errors import Fault, QueryRefused, StatementRefused
from registry.plain_row import PlainRows
from registry.policy import Policy, PolicyHistory
from registry.statement import Statement, check_key, refused

BATCH = 25_000
"""Rows that are entered together: so long do other writers wait, a second or two."""
_TRIES = 3
_POINTER = "/statement/credential/"


def unsigned(issuer: str, type_id: str, profile_version: int, bulk: Mapping[str, Any], now: datetime) -> Statement:
    """A statement about a file that nobody signed: for a trial."""
    return Statement(
        issuer=issuer,
        jti="",
        type=type_id,
        profile_version=profile_version,
        credential=None,
        credential_id=None,
        event=None,
        register=None,
        bulk=bulk,
        attestation=Attestation(digest="sha256:-", kid="", made_at=now),
    )


class ImportReport(Struct, frozen=True, kw_only=True):
    """What came of a file. `missing` are credentials in force that it does not name.

    `reported`: up to when the register is complete now, None where rows were refused or are missing.
    """

    rows: int
    new: int
    changed: int
    unchanged: int
    refused: int
    missing: int
    reported: datetime | None


class Loading(Struct, frozen=True, kw_only=True):
    """One load of a file: what is loaded, by whose word, and who is told of what.

    `policies` gives the store's newest policies. `still_the_same` raises `FileRefused` where the file has changed.
    Without `enter` it is a trial: nothing is written, and the statement's key is not judged. `batch` rows are entered
    together.
    """

    source: RowSource
    facts: FileFacts
    statement: Statement
    manifest: Manifest
    secret: bytes
    enter: bool
    batch: int
    policies: Callable[[], PolicyHistory]
    still_the_same: Callable[[], None]
    refuse: Callable[[RowFault], None]
    progress: Callable[[int], None]


class RegisterImport:
    """Loads one file into a store."""

    def __init__(self, loading: Loading, store: BulkIntake) -> None:
        self._loading, self._store = loading, store
        self._told = frozenset(loading.source.columns.values())
        self._renew()
        self._headers = {member: header for header, member in loading.source.columns.items()}
        # Of a trial: what is entered the store knows by itself.
        self._numbers = set[str]()
        self._refused = 0

    def run(self) -> ImportReport:
        """Loads the file. Raises `QueryRefused`, `StoreError` and `app.importers.FileRefused`."""
        self._check_facts()
        done = Batch(new=0, changed=0, unchanged=0, refused=())
        count, rows = 0, self._loading.source.rows()
        while found := list(islice(rows, self._loading.batch)):
            self._loading.still_the_same()
            count += len(found)
            batch = self._taken(list(self._numbered(found)))
            for row, refusal in batch.refused:
                self._refuse(self._fault(row, refusal.faults[0]))
            done = Batch(
                new=done.new + batch.new,
                changed=done.changed + batch.changed,
                unchanged=done.unchanged + batch.unchanged,
                refused=(),
            )
            self._loading.progress(count)
        missing = self._missing()
        reported = self._report() if not (self._refused or missing) else None
        self._store.settle()
        return ImportReport(
            rows=count,
            new=done.new,
            changed=done.changed,
            unchanged=done.unchanged,
            refused=self._refused,
            missing=missing,
            reported=reported,
        )

    def _check_facts(self) -> None:
        """The statement is about this file."""
        manifest, facts = self._loading.manifest, self._loading.facts
        if manifest.file != facts.digest:
            raise refused("statement.file_other", "/bulk/file", stated=manifest.file, given=facts.digest)
        if manifest.rows != facts.rows:
            raise refused("statement.rows_other", "/bulk/rows", stated=str(manifest.rows), given=str(facts.rows))

    def _numbered(self, rows: Iterable[Row]) -> Iterator[NumberedRow]:
        """The rows that can be judged, each number once; the others are refused."""
        normalise = self._history.latest.profiles[self._loading.statement.type].number.normalise
        numbers = set() if self._loading.enter else self._numbers
        for row in rows:
            if row.claims is None:
                for fault in row.faults:
                    self._loading.refuse(fault)
                self._refused += 1
                continue
            stated = row.claims.get("number")
            number = normalise(stated) if isinstance(stated, str) else ""
            if number in numbers:
                twice = Fault(pointer=f"{_POINTER}number", code="row.number_twice")
                self._refuse(self._fault(NumberedRow(row.row, number, row.claims), twice))
                continue
            if number:
                numbers.add(number)
            yield NumberedRow(row.row, number, row.claims)

    def _taken(self, rows: list[NumberedRow]) -> Batch:
        for _ in range(_TRIES):
            try:
                return self._store.take_rows(rows, self._history.generation, self._judge, enter=self._loading.enter)
            except PolicyMoved:
                self._renew()
        raise StoreError("the policy changed again and again while rows were judged")

    def _renew(self) -> None:
        """Judges by the newest policy from now on."""
        self._history = self._loading.policies()
        self._judge = _Judge(self._loading, self._history.latest, self._told)

    def _missing(self) -> int:
        """Tells of the credentials that are in force as of the file, and that it does not name."""
        count, as_of = 0, self._loading.manifest.as_of
        for held in self._store.missing():
            state = held.credential.state_at(as_of)
            if held.credential.issued_at <= as_of and standing(state, as_of) in ("valid", "suspended", "not_yet_valid"):
                count += 1
                fault = RowFault(row=0, column="", code="row.not_in_file", value=held.credential.number[:SHOWN])
                self._loading.refuse(fault)
        return count

    def _report(self) -> datetime:
        as_of = self._loading.manifest.as_of
        if not self._loading.enter:
            return as_of
        for _ in range(_TRIES):
            try:
                self._store.report(as_of, self._history.generation, self._judge.check)
            except PolicyMoved:
                self._renew()
            else:
                return as_of
        raise StoreError("the policy changed again and again while the register was reported")

    def _refuse(self, fault: RowFault) -> None:
        self._refused += 1
        self._loading.refuse(fault)

    def _fault(self, row: NumberedRow, fault: Fault) -> RowFault:
        # What is wrong with the row as a whole, or with the step that it makes, is in no column.
        named = fault.pointer.startswith(_POINTER)
        member = fault.pointer.removeprefix(_POINTER).replace("/", ".") if named else ""
        value: Any = row.claims
        for name in member.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return RowFault(
            row=row.row,
            column=self._headers.get(member, member),
            code=fault.code,
            params={name: str(value) for name, value in fault.params.items()},
            value="" if value is None else str(value)[:SHOWN],
        )


class _Judge:
    """Judges rows by one policy."""

    def __init__(self, loading: Loading, policy: Policy, told: frozenset[str]) -> None:
        self._loading, self._policy, self._told = loading, policy, told
        self._plain = PlainRows(loading.statement, policy)
        self._recorded_at: datetime | None = None

    def __call__(self, row: NumberedRow, held: HeldCredential | None, recorded_at: datetime) -> VersionRow | None:
        if recorded_at != self._recorded_at:
            self._begin(recorded_at)
        if held is None:
            return self._first(row, recorded_at)
        told, statement, manifest = self._row(row), self._loading.statement, self._loading.manifest
        salt = self._salt(held.id)
        version = next_version(told, held.credential, statement, manifest, self._policy, recorded_at, salt)
        return None if version is None else version_row(held.id, row.number, version)

    def check(self, recorded_at: datetime) -> None:
        """Whether the statement's key may sign what is recorded then. Raises `QueryRefused`: it is no row's fault."""
        try:
            check_key(self._loading.statement, self._policy.keys, recorded_at, recorded_at)
        except StatementRefused as refusal:
            raise QueryRefused(*refusal.faults) from None

    def _begin(self, recorded_at: datetime) -> None:
        if self._loading.enter:
            self.check(recorded_at)
        self._plain.begin(recorded_at)
        self._recorded_at = recorded_at

    def _first(self, row: NumberedRow, recorded_at: datetime) -> VersionRow:
        plain = self._plain.version(row.claims)
        if plain is None:
            statement, manifest = self._loading.statement, self._loading.manifest
            new = first_version(self._row(row), statement, manifest, self._policy, recorded_at, self._salt)
            return version_row(new.id, new.number, new.credential)
        return VersionRow(
            credential_id=plain.id,
            type=self._loading.statement.type,
            number=plain.number,
            issuer=self._loading.statement.issuer,
            known_from=None,
            digest=digest(plain.content),
            content=plain.content,
            subject_uscc=plain.uscc,
            subject_name=plain.name,
        )

    def _row(self, row: NumberedRow) -> BulkRow:
        return BulkRow(claims=row.claims, told=self._told or _told(row.claims))

    def _salt(self, credential_id: str) -> str:
        return person_salt(self._loading.secret, credential_id)


def _told(claims: Any) -> frozenset[str]:
    """The members that a row of JSON lines tells of: those that it has."""
    inner = [
        f"{name}.{member}"
        for name in ("subject", "attributes")
        if isinstance(claims.get(name), dict)
        for member in claims[name]
    ]
    return frozenset((*claims, *inner))
