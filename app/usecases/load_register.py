"""Turn credential documents into version rows, each judged by its profile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.ports import VersionRow
from registry.canonical import canonical_json, digest
from registry.credential import credential_id, known_from, read_credential, versions
from registry.errors import DocumentError
from registry.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """A document that was refused: its number among the documents (from 1) and what is wrong with it."""

    row: int
    problem: str


def version_rows(
    documents: Iterable[Mapping[str, Any]], policy: Policy
) -> tuple[tuple[VersionRow, ...], tuple[RowProblem, ...]]:
    """The rows of all versions of all documents that are in order, and the documents that are not."""
    rows: list[VersionRow] = []
    problems: list[RowProblem] = []
    for number, document in enumerate(documents, start=1):
        try:
            rows.extend(_rows_of(document, policy))
        except DocumentError as error:
            problems.append(RowProblem(row=number, problem=str(error)))
    return tuple(rows), tuple(problems)


def _rows_of(document: Mapping[str, Any], policy: Policy) -> Iterable[VersionRow]:
    type_id = document.get("type") if isinstance(document, dict) else None
    profile = policy.profiles.get(type_id) if isinstance(type_id, str) else None
    if profile is None:
        raise DocumentError("type", f"is not one of: {', '.join(policy.profiles)}")
    credential = read_credential(document, profile)
    number = profile.number.normalise(credential.number)
    rows = []
    for version in versions(credential):
        content = canonical_json(version.content())
        public = version.subject.kind == "organisation"
        rows.append(
            VersionRow(
                credential_id=credential_id(credential.type, number, credential.issuer),
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
