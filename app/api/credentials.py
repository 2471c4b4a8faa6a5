"""Credentials over HTTP: one by id, or page by page."""

from datetime import datetime
from typing import Any

from app import clock
from app.api.cursor import Cursor, read_cursor, write_cursor
from app.api.problems import problem
from app.bootstrap import Node
from app.messages import Messages
from app.ports import Filter
from app.presentation import credential_view, event_view, history_view
from app.usecases.find_credentials import MAX_PAGE, credential_history, find_credential, list_credentials
from registry.attested import counted
from registry.dossier import HeldCredential
from registry.field import forbidden_text
from registry.identifiers import compact
from registry.period import InstantError, parse_instant
from registry.policy import Policy

INSTANTS = ("valid_at", "known_at")
FILTERS = ("type", "number", "subject", "name", "issuer", "status")
LISTING = (*FILTERS, *INSTANTS, "cursor", "limit")
STATUSES = ("valid", "suspended", "revoked", "cancelled", "superseded", "expired", "not_yet_valid")
_DEFAULT_PAGE = 20


def read_instants(parameters: dict[str, str], now: datetime) -> tuple[datetime, datetime]:
    """`valid_at` and `known_at`, each now by default. Raises `Problem`."""
    instants = []
    for name in INSTANTS:
        text = parameters.get(name)
        try:
            instants.append(parse_instant(text) if text else now)
        except InstantError as error:
            raise problem(f"query.{error.code}", f"/{name}", name=name) from None
    if instants[1] > now:
        raise problem("query.known_at_in_future", "/known_at", name="known_at")
    return instants[0], instants[1]


def _view(held: HeldCredential, policy: Policy, valid_at: datetime, messages: Messages) -> dict[str, Any]:
    credential = held.credential
    return credential_view(
        held,
        counted(credential, policy.keys).credential.state_at(valid_at),
        policy.profiles.get(credential.type),
        policy.authorities.get(credential.issuer),
        valid_at,
        messages,
    )


async def show_credential(
    node: Node, credential_id: str, parameters: dict[str, str], messages: Messages
) -> dict[str, Any]:
    """One credential with its events. Raises `Problem` 404."""
    valid_at, known_at = read_instants(parameters, clock.now())
    await node.recognizer.refresh()
    policy = node.recognizer.policy_at(known_at)
    held = await find_credential(node.reader, credential_id, known_at) if may_be_id(credential_id) else None
    if held is None:
        raise problem("credential.not_found")
    place = await node.reader.status_place(credential_id)
    return {
        **_view(held, policy, valid_at, messages),
        "status_list": None if place is None else {"uri": node.status_lists.uri(place[0]), "index": place[1]},
        "events": [event_view(event) for event in held.credential.events],
        "objections": dict(zip(("open", "answered"), node.objections.count(held.id), strict=True)),
        "digest": held.digest,
        "known_from": held.known_from,
        "valid_at": valid_at,
        "known_at": known_at,
        "livemode": node.origin.livemode,
    }


async def show_history(node: Node, credential_id: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Every step of one credential that was known at `known_at`. Raises `Problem` 404."""
    _, known_at = read_instants(parameters, clock.now())
    steps = await credential_history(node.reader, credential_id, known_at) if may_be_id(credential_id) else None
    if steps is None:
        raise problem("credential.not_found")
    return {
        "id": credential_id,
        "known_at": known_at,
        "data": [history_view(step) for step in steps],
        "livemode": node.origin.livemode,
    }


def may_be_id(text: str) -> bool:
    """Whether a text can be an id. No id is longer; a lone surrogate or NUL cannot be asked of a store."""
    return len(text) <= 64 and not forbidden_text(text)


def _limit(text: str | None) -> int:
    if not text:
        return _DEFAULT_PAGE
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_PAGE and len(text) < 9):
        raise problem("query.out_of_range", "/limit", name="limit", minimum="1", maximum=str(MAX_PAGE))
    return int(text)


def _restriction(parameters: dict[str, str]) -> dict[str, str]:
    restriction = {name: parameters[name].strip() for name in FILTERS if parameters.get(name, "").strip()}
    for name, value in restriction.items():
        if forbidden_text(value):
            raise problem("query.text_not_allowed", f"/{name}", name=name)
        if len(value) > 200:
            raise problem("query.too_long", f"/{name}", name=name, limit="200")
    status = restriction.get("status")
    if status is not None and status not in STATUSES:
        raise problem("query.not_allowed", "/status", name="status", value=status[:64], allowed=", ".join(STATUSES))
    return restriction


def _filter(restriction: dict[str, str], policy: Policy) -> Filter:
    """The store's filter: a number without a type is looked for in every writing that some type gives it."""
    type_id, number, subject = (restriction.get(name) for name in ("type", "number", "subject"))
    if type_id is not None and type_id not in policy.profiles:
        raise problem("query.unknown_type", "/type", value=type_id[:64], allowed=", ".join(policy.profiles))
    profiles = policy.profiles.values() if type_id is None else (policy.profiles[type_id],)
    return Filter(
        type=type_id,
        numbers=None if number is None else tuple(sorted({entry.number.normalise(number) for entry in profiles})),
        subject=None if subject is None else compact(subject),
        name=restriction.get("name"),
        issuer=restriction.get("issuer"),
    )


async def page_credentials(node: Node, parameters: dict[str, str], messages: Messages) -> dict[str, Any]:
    """A page of credentials in the order in which they were registered."""
    now = clock.now()
    restriction = _restriction(parameters)
    if node.origin.livemode and "number" not in restriction and "subject" not in restriction:
        raise problem("query.filter_required", "/number")
    limit = _limit(parameters.get("limit"))
    valid_at, known_at = read_instants(parameters, now)
    cursor = Cursor(after=0, valid_at=valid_at, known_at=known_at)
    if parameters.get("cursor"):
        cursor = read_cursor(parameters["cursor"], restriction, now)
        # The cursor carries its instants; others beside it would make a page of another listing.
        for name, instant in (("valid_at", valid_at), ("known_at", known_at)):
            if parameters.get(name) and instant != getattr(cursor, name):
                raise problem("query.cursor_invalid", "/cursor")
    await node.recognizer.refresh()
    policy = node.recognizer.policy_at(cursor.known_at)
    page = await list_credentials(
        node.reader,
        _filter(restriction, policy),
        restriction.get("status"),
        valid_at=cursor.valid_at,
        known_at=cursor.known_at,
        after=cursor.after,
        limit=limit,
    )
    following = None
    if page.after is not None:
        following = write_cursor(
            Cursor(after=page.after, valid_at=cursor.valid_at, known_at=cursor.known_at), restriction
        )
    return {
        "data": [_view(entry, policy, cursor.valid_at, messages) for entry in page.held],
        "next_cursor": following,
        "has_more": following is not None,
        "valid_at": cursor.valid_at,
        "known_at": cursor.known_at,
        "livemode": node.origin.livemode,
    }
