"""What the log says of each thing that was entered: digests and metadata, never the content, never a person.

Canonical JSON (RFC 8785), so that whoever holds the row can make the entry again.
"""

from collections.abc import Callable
from datetime import datetime

from registry.canonical import unguarded_canonical_json

VERSION = 1


def credential_entry(
    credential: str, type_id: str, issuer: str, version: str, known_from: datetime, statement: str | None = None
) -> bytes:
    """A version of a credential, by the digest of its content and of the statement that made it; known from then on."""
    content: dict[str, str | int | datetime] = {
        "credential": credential,
        "type": type_id,
        "issuer": issuer,
        "digest": version,
    }
    return _entry("credential", known_from, content if statement is None else content | {"statement": statement})


def credential_entries(type_id: str, issuer: str, known_from: datetime, statement: str) -> Callable[[str, str], bytes]:
    """Makes the entries of many versions that one statement made: of a credential's id and a version's digest.

    Neither has a character that JSON would escape, so each is put where it belongs.
    """
    head, rest = credential_entry("\x1a", type_id, issuer, "\x1b", known_from, statement).split(b"\\u001a")
    middle, tail = rest.split(b"\\u001b")

    def entry(credential: str, version: str) -> bytes:
        return b"".join((head, credential.encode("ascii"), middle, version.encode("ascii"), tail))

    return entry


def report_entry(
    type_id: str, issuer: str, as_of: datetime, known_from: datetime, statement: str | None = None
) -> bytes:
    """An issuer's register of a type was said to be complete up to `as_of`, by a statement where it was signed."""
    content: dict[str, str | int | datetime] = {"type": type_id, "issuer": issuer, "as_of": as_of}
    return _entry("report", known_from, content if statement is None else content | {"statement": statement})


def policy_entry(kind: str, document: str, version: int, digest: str, known_from: datetime) -> bytes:
    """A version of a policy document."""
    return _entry("policy", known_from, {"kind": kind, "document": document, "version": version, "digest": digest})


def _entry(event: str, known_from: datetime, content: dict[str, str | int | datetime]) -> bytes:
    return unguarded_canonical_json({"v": VERSION, "event": event, "known_from": known_from, **content})
