"""What use cases need of the world, as protocols; the store implements them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from registry.dossier import HeldCredential
from registry.log.checkpoint import TreeHead
from registry.policy import PolicyHistory

if TYPE_CHECKING:
    from keys.custody import Signer
    from keys.key_ring import KeyRing
    from registry.errors import StatementRefused
    from registry.evidence import Brought, LockEvidence
    from registry.statement import Statement


class StoreError(Exception):
    """The store failed or is not fit to be used; `str()` is one line that says what and how to mend it."""


class Found(Struct, frozen=True, kw_only=True):
    """A held credential with how far its issuer's register reached (None: never reported)."""

    held: HeldCredential
    register_as_of: datetime | None


class Snapshot(Struct, frozen=True):
    """What a read of the store was as of: the generation of its policy, and the head of its log."""

    generation: int
    head: TreeHead


class Lookup(Struct, frozen=True, kw_only=True):
    """One read: what was found, and in which snapshot."""

    found: tuple[Found, ...]
    snapshot: Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a listing is restricted to; None restricts nothing. `numbers` are normalised, `subject` is a USCC."""

    type: str | None = None
    numbers: tuple[str, ...] | None = None
    subject: str | None = None
    name: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows in their stable order; `last` is the position of the last row looked at, `more` whether rows follow."""

    rows: tuple[tuple[int, HeldCredential], ...]
    more: bool


class LoggedVersion(Struct, frozen=True, kw_only=True):
    """A version of a credential and the place of its entry in the log."""

    held: HeldCredential
    log_index: int


class NodeKeys(Protocol):
    """The node's own keys as they are now. Each raises `keys.errors.CustodyError` where that is not known."""

    @property
    def signer(self) -> "Signer":
        """What signs now."""
        ...

    @property
    def ring(self) -> "KeyRing":
        """What is verified by now."""
        ...


class RegisterReader(Protocol):
    """Reads of the registers as they were known at an instant. Each raises `StoreError` when the store fails."""

    async def find(self, type_id: str, number: str, issuer: str | None, known_at: datetime) -> Lookup:
        """All credentials with this normalised number, at most a few."""
        ...

    async def find_by_id(self, credential_id: str, known_at: datetime) -> Lookup:
        """The credential with this id."""
        ...

    async def history(self, credential_id: str, known_at: datetime) -> tuple[LoggedVersion, ...]:
        """Every version of the credential that was known by then, the first first."""
        ...

    async def registers(self, type_id: str, known_at: datetime) -> Mapping[str, datetime]:
        """How far each issuer's register of a type reached."""
        ...

    async def page(self, restrict: Filter, known_at: datetime, after: int, limit: int) -> Page:
        """Credentials in the order in which they came, after a position."""
        ...

    async def snapshot(self) -> Snapshot:
        """What a read would be as of now."""
        ...

    async def policies(self) -> PolicyHistory:
        """The whole policy history."""
        ...


class Once(Struct, frozen=True, kw_only=True):
    """A request that is done once: whose it is, under which key, and a digest of what it asks for."""

    principal: str
    key: str
    request: str


class Taken(Struct, frozen=True, kw_only=True):
    """What came of a statement: the credential's id and new version, the answer, and whether it was given before."""

    id: str
    version: str
    answer: bytes
    repeated: bool


class PolicyMoved(Exception):
    """The policy that a write was judged by is no longer the newest; judge anew."""


Judge = Callable[[HeldCredential | None, datetime], "VersionRow"]
"""Gives the new version, from the newest one of the credential that the statement names and the instant of recording.

Raises `registry.errors.QueryRefused`.
"""
Answer = Callable[["VersionRow", datetime, int], bytes]
"""Says what was entered: the version, when it counts as known, and its place in the log."""


ReportJudge = Callable[[datetime], datetime]
"""Gives up to when a register is complete, from the instant of recording. Raises `registry.errors.QueryRefused`."""
ReportAnswer = Callable[[datetime, datetime, int], bytes]
"""Says what was entered: up to when, when it counts as known, and its place in the log."""


class Intake(Protocol):
    """Enters what issuers state."""

    def take_in(
        self, token: bytes, statement: "Statement", once: Once | None, generation: int, judge: Judge, answer: Answer
    ) -> Taken:
        """Enters statement, version, log entry and answer in one transaction, or nothing.

        `once` None takes a statement in once by its `jti` alone. `generation` is that of the policy that `judge` goes
        by. Raises `PolicyMoved`, `StoreError` and what `judge`
        raises, besides `QueryRefused` for a `jti` that was used before and an `Once.key` of another request.
        """
        ...

    def take_report(
        self,
        token: bytes,
        statement: "Statement",
        once: Once | None,
        generation: int,
        judge: ReportJudge,
        answer: ReportAnswer,
    ) -> Taken:
        """The same for how far a register is complete."""
        ...


SCOPES: Mapping[str, tuple[str, ...]] = {
    "issuer": ("credentials.write", "objections.read", "objections.answer"),
    "relying_party": (),
    "operator": ("objections.read", "objections.answer"),
    "auditor": ("objections.read",),
}
"""What each role may do beyond what anybody may. A key has all of it or some."""


class Principal(Struct, frozen=True, kw_only=True):
    """Who calls: by which key, in which role, for which issuer if in that of one, and what the key is good for."""

    key_id: str
    name: str
    role: str
    issuer: str | None
    scopes: tuple[str, ...]


class ApiKey(Principal, frozen=True, kw_only=True):
    """A key to call with, as an operator sees it: all but the secret."""

    created_at: datetime
    expires_at: datetime | None
    stopped_at: datetime | None
    used_at: datetime | None


class Principals(Protocol):
    """Who may call."""

    def find(self, secret: str, now: datetime) -> Principal | None:
        """Whose API key this is, None for one that is unknown, stopped or expired. Raises `StoreError`."""
        ...

    def named(self, key_id: str, now: datetime) -> Principal | None:
        """The same by the key's id, for who has shown the key before."""
        ...


class LockMaterial(Protocol):
    """What a node holds to judge CA locks by."""

    def evidence(self, brought: "Brought") -> "LockEvidence":
        """The evidence for one question. Raises `StoreError`."""
        ...


class OcspQuestion(Struct, frozen=True, kw_only=True):
    """What an OCSP responder is asked about: a certificate, by nothing that names its holder.

    `issuer_name` is the Name (DER) in its issuer field, `issuer_key` is `registry.trust.key_digest` of its issuer,
    `not_after` its end, and `url` where the responder is.
    """

    serial: int
    issuer_name: bytes
    issuer_key: str
    not_after: datetime
    url: str


class ChallengeStore(Protocol):
    """Remembers used challenges, in whatever process and also after a restart. Each raises `StoreError`."""

    def find(self, challenge: str) -> tuple[str, bytes, datetime] | None:
        """The request that used a challenge, the answer it got, and when."""
        ...

    def use(self, challenge: str, request: str, answer: bytes, now: datetime) -> bool:
        """Uses a challenge up; False when another request was first."""
        ...


class VersionRow(Struct, frozen=True, kw_only=True):
    """One version to be written: where it belongs, from when it was known, and its canonical content."""

    credential_id: str
    type: str
    number: str
    issuer: str
    known_from: datetime | None
    digest: str
    content: bytes
    subject_uscc: str | None
    subject_name: str | None
    unique_number: bool = False
    """Whether no other issuer may have registered the number: a new credential of a type where numbers are unique."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterReport:
    """An issuer's register of a type was complete up to `as_of`."""

    issuer: str
    type: str
    as_of: datetime
    known_from: datetime | None = None


class RegisterWriter(Protocol):
    """Writes of whole batches: all or nothing. `known_from` None means: when this write is recorded."""

    def append(self, versions: Sequence[VersionRow], reports: Sequence[RegisterReport]) -> int:
        """Appends what is not there yet and returns how many versions were new."""
        ...


class NumberedRow(Struct, frozen=True):
    """A row of a register's file: its place, its normalised number, and its claims."""

    row: int
    number: str
    claims: Mapping[str, Any]


BulkJudge = Callable[[NumberedRow, HeldCredential | None, datetime], VersionRow | None]
"""Gives the version that a row makes of what is held, None where it changes nothing, as it is recorded at an instant.

Raises `registry.errors.StatementRefused`.
"""


class Batch(Struct, frozen=True, kw_only=True):
    """What came of some rows: how many registered, changed something or nothing, and which were refused, with why."""

    new: int
    changed: int
    unchanged: int
    refused: tuple[tuple[NumberedRow, "StatementRefused"], ...]


class BulkIntake(Protocol):
    """Enters the rows of one file that an issuer signed for. Each raises `StoreError`."""

    def take_rows(self, rows: Sequence[NumberedRow], generation: int, judge: BulkJudge, *, enter: bool) -> Batch:
        """Judges rows, and enters those that stand in one transaction, or nothing of them.

        Without `enter` nothing is written. Raises `PolicyMoved`.
        """
        ...

    def missing(self) -> Iterator[HeldCredential]:
        """The credentials of issuer and type that no row was about, as their newest version has them."""
        ...

    def report(self, as_of: datetime, generation: int, check: Callable[[datetime], None]) -> bool:
        """Enters that the register is complete up to an instant; False where that is known already.

        `check` refuses the statement's key for the instant of recording.
        """
        ...

    def settle(self) -> None:
        """Waits until everything that was entered counts as known."""
        ...
