"""Look up credentials: one by its id, or page by page."""

from dataclasses import dataclass
from datetime import datetime

from app.ports import Filter, LoggedVersion, RegisterReader
from registry.credential import Credential, Event, standing
from registry.dossier import HeldCredential

MAX_PAGE = 100
# Rows looked at for one page when a status is asked for: status depends on the instant and is not indexed.
_MAX_SCANNED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialPage:
    """Held credentials and the position after which the next page begins; `after` is None at the end."""

    held: tuple[HeldCredential, ...]
    after: int | None


async def find_credential(reader: RegisterReader, credential_id: str, known_at: datetime) -> HeldCredential | None:
    """The version known at the instant, or None."""
    lookup = await reader.find_by_id(credential_id, known_at)
    return lookup.found[0].held if lookup.found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryStep:
    """What one version brought: an event, or None for the registration itself and for what has no event of its own."""

    version: LoggedVersion
    event: Event | None
    first: bool


async def credential_history(
    reader: RegisterReader, credential_id: str, known_at: datetime
) -> tuple[HistoryStep, ...] | None:
    """Every step of a credential that was known at the instant, in the order it became known; None: no such one."""
    steps: list[HistoryStep] = []
    before: Credential | None = None
    for version in await reader.history(credential_id, known_at):
        credential = version.held.credential
        if before is None:
            steps.append(HistoryStep(version=version, event=None, first=True))
        told = () if before is None else before.events
        fresh = [event for event in credential.events if event not in told]
        steps.extend(HistoryStep(version=version, event=event, first=False) for event in fresh)
        if before is not None and not fresh:
            steps.append(HistoryStep(version=version, event=None, first=False))
        before = credential
    return tuple(steps) or None


async def list_credentials(
    reader: RegisterReader,
    restrict: Filter,
    status: str | None,
    *,
    valid_at: datetime,
    known_at: datetime,
    after: int,
    limit: int,
) -> CredentialPage:
    """A page of at most `limit`; a page restricted by status may be shorter although more follow."""
    kept: list[HeldCredential] = []
    scanned = 0
    while True:
        page = await reader.page(restrict, known_at, after, limit)
        for position, held in page.rows:
            after = position
            scanned += 1
            if status is None or standing(held.credential.state_at(valid_at), valid_at) == status:
                kept.append(held)
            if len(kept) == limit:
                more = page.more or position != page.rows[-1][0]
                return CredentialPage(held=tuple(kept), after=after if more else None)
        if not page.more:
            return CredentialPage(held=tuple(kept), after=None)
        if scanned >= _MAX_SCANNED:
            return CredentialPage(held=tuple(kept), after=after)
