"""Make the next version of a policy document out of what an operator says."""

import re
from collections.abc import Mapping
from typing import Any

from registry.canonical import canonical_json, digest
from registry.document import LegalBasis, LocalText, PolicyDocument
from registry.errors import CanonicalError, PolicyError
from registry.period import Period, format_instant

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}", re.ASCII)


def source_of(kind: str, identity: str) -> str:
    """How errors name a document that an operator states. Raises `PolicyError` for an id that cannot be one."""
    if not _ID.fullmatch(identity):
        raise PolicyError(
            kind, "id", "has 1 to 64 of the characters A-Z a-z 0-9 . _ / - and begins with one of the first"
        )
    return f"{kind} {identity}"


def policy_version(kind: str, identity: str, version: int, body: Mapping[str, Any]) -> PolicyDocument:
    """A document with this body. Raises `PolicyError`."""
    source = source_of(kind, identity)
    content = {"id": identity, "version": version, **body}
    try:
        named = digest(canonical_json(content))
    except CanonicalError as error:
        raise PolicyError(source, "", str(error)) from None
    return PolicyDocument(kind=kind, id=identity, version=version, digest=named, source=source, content=content)


def said(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that say something: not those that are None or empty."""
    return {key: value for key, value in members.items() if value}


def period_members(period: Period) -> dict[str, str | None]:
    """A period as documents write it."""
    return {
        "from": None if period.start is None else format_instant(period.start),
        "until": None if period.end is None else format_instant(period.end),
    }


def name_member(name: LocalText) -> dict[str, str]:
    """A name as documents write it."""
    return {"zh": name.zh, "en": name.en}


def basis_member(basis: LegalBasis) -> dict[str, str]:
    """A citation as documents write it."""
    return {key: value for key, value in basis.statement().items() if value is not None}
