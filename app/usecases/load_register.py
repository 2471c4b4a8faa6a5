"""Turn credential documents into version rows, each judged by its profile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.ports import VersionRow
from app.usecases.version_row import person_salt, version_row
from registry.credential import credential_id, known_from, read_credential, salted, versions
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


def _rows_of(document: Mapping[str, Any], policy: Policy, secret: bytes) -> Iterable[VersionRow]:
    type_id = document.get("type") if isinstance(document, dict) else None
    profile = policy.profiles.get(type_id) if isinstance(type_id, str) else None
    if profile is None:
        raise DocumentError("type", f"is not one of: {', '.join(policy.profiles)}")
    credential = read_credential(document, profile)
    number = profile.number.normalise(credential.number)
    identity = credential_id(credential.type, number, credential.issuer)
    credential = salted(credential, person_salt(secret, identity))
    return [version_row(identity, number, version, known_from(version)) for version in versions(credential)]
