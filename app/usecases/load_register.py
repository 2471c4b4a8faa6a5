"""Turn credential documents into version rows, each judged by its profile."""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from app.ports import VersionRow
from registry.canonical import canonical_json, digest
from registry.credential import Credential, credential_id, known_from, read_credential, versions
from registry.errors import DocumentError
from registry.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """A document that was refused: its number among the documents (from 1) and what is wrong with it."""

    row: int
    problem: str


def version_rows(
    documents: Iterable[Mapping[str, Any]], policy: Policy, secret: bytes
) -> tuple[tuple[VersionRow, ...], tuple[RowProblem, ...]]:
    """The rows of all versions of all documents that are in order, and the documents that are not.

    `secret` is the store's own; from it comes the salt that keeps natural persons' names out of public digests.
    """
    rows: list[VersionRow] = []
    problems: list[RowProblem] = []
    for number, document in enumerate(documents, start=1):
        try:
            rows.extend(_rows_of(document, policy, secret))
        except DocumentError as error:
            problems.append(RowProblem(row=number, problem=str(error)))
    return tuple(rows), tuple(problems)


def _names_a_person(credential: Credential) -> bool:
    amended = [event.changes.get("subject") for event in credential.events if event.changes is not None]
    return "person" in [credential.subject.kind, *(subject["kind"] for subject in amended if subject is not None)]


def _rows_of(document: Mapping[str, Any], policy: Policy, secret: bytes) -> Iterable[VersionRow]:
    type_id = document.get("type") if isinstance(document, dict) else None
    profile = policy.profiles.get(type_id) if isinstance(type_id, str) else None
    if profile is None:
        raise DocumentError("type", f"is not one of: {', '.join(policy.profiles)}")
    credential = read_credential(document, profile)
    number = profile.number.normalise(credential.number)
    identity = credential_id(credential.type, number, credential.issuer)
    if _names_a_person(credential):
        salt = hmac.digest(secret, identity.encode(), "sha256").hex()
        credential = replace(credential, subject=replace(credential.subject, salt=salt))
    rows = []
    for version in versions(credential):
        content = canonical_json(version.content())
        public = version.subject.kind == "organisation"
        rows.append(
            VersionRow(
                credential_id=identity,
                type=credential.type,
                number=number,
                issuer=credential.issuer,
                known_from=known_from(version),
                digest=digest(content),
                content=content,
                subject_uscc=version.subject.uscc if public else None,
                subject_name=version.subject.name if public else None,
            )
        )
    return rows
