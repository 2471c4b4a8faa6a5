"""Objections to what a register holds or an answer said: they reach the issuer, and change nothing by themselves."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from app.ports import Principal
from app.usecases.verify_receipt import KEY_COMPROMISED, verify_receipt
from keys.key_ring import KeyRing
from registry.errors import Detail, Fault, QueryRefused
from registry.field import forbidden_text

MAX_MESSAGE = 2000  # characters
MAX_CONTACT = 200
MAX_RECEIPT = 48 * 1024
MOST_OPEN = 20
"""Open objections to one credential; more would drown those that are there."""
READ, ANSWER = "objections.read", "objections.answer"
"""The scopes that reading a list and answering need."""

_MEMBERS = ("credential_id", "receipt", "message", "contact")


class Objection(Struct, frozen=True, kw_only=True):
    """What somebody holds against a credential or a receipt. `contact` is for whoever answers, and for nobody else.

    `issuer` is whose list it is on; None: the operator's.
    """

    id: str
    credential_id: str | None
    receipt: str | None
    issuer: str | None
    message: str
    contact: str
    received_at: datetime
    answer: str | None = None
    answered_at: datetime | None = None


class Submitted(Struct, frozen=True, kw_only=True):
    """An objection as it was sent in. `receipt` is the `jti` of a genuine one, or None."""

    credential_id: str | None
    receipt: str | None
    issuer: str | None
    message: str
    contact: str


class ObjectionStore(Protocol):
    """Keeps objections, and who read their contacts. Each raises `StoreError`."""

    def add(self, objection: Objection) -> bool:
        """Enters an objection; False where the credential or receipt has `MOST_OPEN` open ones."""
        ...

    def find(self, objection_id: str) -> Objection | None:
        """One by its id."""
        ...

    def page(self, issuer: str | None, *, open_only: bool, after: int, limit: int) -> list[tuple[int, Objection]]:
        """The objections on an issuer's list, None: on all, in the order in which they came, after a position."""
        ...

    def answer(self, objection_id: str, answer: str, by: str, now: datetime) -> bool:
        """Answers an objection; False where it has been answered."""
        ...

    def count(self, credential_id: str) -> tuple[int, int]:
        """How many objections to a credential are open, and how many answered."""
        ...

    def note_read(self, principal: Principal, what: str, purpose: str, now: datetime) -> None:
        """Notes who read what is not public, and what for."""
        ...


def read_submission(content: Any, ring: KeyRing) -> Submitted:
    """An objection from a request's parsed body, all but whose list it is on. Raises `QueryRefused`."""
    if not isinstance(content, dict):
        raise _refused("", "query.wrong_kind", name="objection", wanted="object")
    for name in content:
        if name not in _MEMBERS:
            raise _refused("", "query.unknown_member", name=str(name)[:64], allowed=", ".join(_MEMBERS))
    if (content.get("credential_id") is None) == (content.get("receipt") is None):
        raise _refused("", "objection.about_what")
    credential_id, jti, issuer = content.get("credential_id"), None, None
    if credential_id is not None:
        credential_id = _text(content, "credential_id", 64)
    else:
        claims = _receipt(_text(content, "receipt", MAX_RECEIPT), ring)
        credential, jti = claims.get("credential"), claims["jti"]
        if isinstance(credential, dict):
            credential_id, issuer = (_text_or_none(credential.get(name)) for name in ("id", "issuer"))
    return Submitted(
        credential_id=credential_id,
        receipt=jti,
        issuer=issuer,
        message=_text(content, "message", MAX_MESSAGE),
        contact=_text(content, "contact", MAX_CONTACT),
    )


def objection(submitted: Submitted, issuer: str | None, now: datetime) -> Objection:
    """A new objection on an issuer's list. Its id cannot be guessed: who holds it may see how it stands."""
    return Objection(
        id=f"obj_{os.urandom(16).hex()}",
        credential_id=submitted.credential_id,
        receipt=submitted.receipt,
        issuer=issuer,
        message=submitted.message,
        contact=submitted.contact,
        received_at=now,
    )


def read_answer(content: Any) -> str:
    """The answer to an objection, from a request's parsed body. Raises `QueryRefused`."""
    if not isinstance(content, dict) or content.keys() - {"answer"}:
        raise _refused("", "query.wrong_kind", name="answer", wanted='{"answer": text}')
    return _text(content, "answer", MAX_MESSAGE)


def may_see(principal: Principal, entry: Objection) -> bool:
    """Whether it is on a list of theirs."""
    return principal.role in ("operator", "auditor") or (
        principal.role == "issuer" and principal.issuer == entry.issuer
    )


def _receipt(token: str, ring: KeyRing) -> Mapping[str, Any]:
    verdict = verify_receipt(token, ring)
    if verdict.code == KEY_COMPROMISED:
        # Its claims would say which credential is meant and whose list the objection goes on: the thief's choice.
        raise _refused("/receipt", "receipt.key_compromised")
    if verdict.claims is None:
        raise _refused(
            "/receipt", "objection.receipt_not_ours", why=Detail(code=str(verdict.code), text=str(verdict.why))
        )
    return verdict.claims


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _text(content: Mapping[str, Any], name: str, limit: int) -> str:
    value = content.get(name)
    if value is None:
        raise _refused(f"/{name}", "query.member_missing", name=name)
    if not isinstance(value, str):
        raise _refused(f"/{name}", "query.wrong_kind", name=name, wanted="text")
    text = value.strip()
    if not text:
        raise _refused(f"/{name}", "query.empty", name=name)
    if len(text) > limit:
        raise _refused(f"/{name}", "query.too_long", name=name, limit=str(limit))
    if forbidden_text(text.replace("\n", "")):
        raise _refused(f"/{name}", "query.text_not_allowed", name=name)
    return text


def _refused(pointer: str, code: str, **params: str | Detail) -> QueryRefused:
    return QueryRefused(Fault(pointer=pointer, code=code, params=params))
