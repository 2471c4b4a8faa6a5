"""A store to measure on: the demonstration, and many more credentials like its own under numbers of their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.cli.demo import prepare
from app.demonstration.loader import demonstration_documents
from app.settings import Settings
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.load_register import version_rows
from registry.identifiers import mod_11_10

_VALID_AT = "2026-10-01T00:00:00Z"

# One demonstration credential of each kind of question, with the question asked of its copies.
_QUESTIONS: tuple[dict[str, Any], ...] = (
    {
        "of": "222220349001",
        "jurisdiction": "CN-SC",
        "purpose": "report.acceptance",
        "facts": {"parameter": "铅", "method": "GB 5009.12-2023", "site": "重庆市渝北区"},
    },
    {
        "of": "JY15001039900010",
        "jurisdiction": "CN-SC",
        "purpose": "premises.open-store",
        "facts": {
            "premises_area": "510104",
            "items": ["预包装食品销售"],
            "confirmation_letter": True,
            "directly_operated": True,
        },
    },
    {
        "of": "JY15001039900010",
        "jurisdiction": "CN-SC",
        "purpose": "inspection.authenticity",
        "facts": {"premises_area": "500103"},
    },
    {
        "of": "2023F901-50",
        "jurisdiction": "CN-SC",
        "purpose": "market.placement",
        "facts": {"instrument": "电子台秤", "model": "TCS-30"},
    },
)


def _number(like: str, serial: int) -> str:
    """A number of the same type that no demonstration credential has."""
    if like.startswith("JY"):
        digits = f"{like[2:9]}{serial:06d}"
        return f"JY{digits}{mod_11_10(digits)}"
    if "F" in like:
        return f"2023FA{serial % 10_000:04d}-50" if serial < 10_000 else f"2022FB{serial % 10_000:04d}-50"
    return f"{like[:6]}{serial:06d}"


def copies(count: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """`count` documents with a question about each; every number occurs once."""
    held = {document["number"]: document for document in demonstration_documents()}
    for serial in range(count):
        question = _QUESTIONS[serial % len(_QUESTIONS)]
        number = _number(question["of"], serial)
        document = held[question["of"]] | {"number": number}
        query = {
            "credential": {"type": document["type"], "number": number},
            "jurisdiction": question["jurisdiction"],
            "purpose": question["purpose"],
            "valid_at": _VALID_AT,
            "facts": question["facts"],
        }
        yield document, query


def build(home: Path, count: int) -> list[dict[str, Any]]:
    """Builds the store under `home` and returns the questions."""
    settings = Settings(home=home)
    prepare(settings)
    reader = SqliteReader(settings.store_path)
    policy, secret = reader.load_policies().latest, reader.secret()
    reader.close()
    pairs = list(copies(count))
    rows, problems = version_rows((document for document, _ in pairs), policy, secret)
    if problems:
        raise SystemExit(f"row {problems[0].row}: {problems[0].problem}")
    writer = SqliteWriter(settings.store_path)
    writer.append(rows, ())
    writer.close()
    return [query for _, query in pairs]
