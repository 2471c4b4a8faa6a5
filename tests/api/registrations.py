"""Writes that the running service does not do itself: what happens to a credential after it was asked about."""

from typing import Any

from msgspec.structs import replace

from app.demonstration.loader import demonstration_documents
from app.settings import Settings
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.load_register import version_rows


def revocation_of(number: str) -> dict[str, Any]:
    """The demonstration's document of a credential, revoked since 1 September 2026."""
    document = next(entry for entry in demonstration_documents() if entry["number"] == number)
    event = {
        "event": "revoked",
        "kind": "annulled",
        "effective_at": "2026-09-01T00:00:00+08:00",
        "recorded_at": "2026-11-01T00:00:00+08:00",
        "legal_basis": [{"instrument": "行政许可法", "article": "69"}],
    }
    return document | {"events": [*document.get("events", []), event]}


def append_document(settings: Settings, document: dict[str, Any]) -> int:
    """Enters the newest version of a credential, known from now on; returns how many versions were new."""
    reader = SqliteReader(settings.store_path)
    writer = SqliteWriter(settings.store_path)
    try:
        rows, problems = version_rows([document], reader.load_policies().latest, reader.secret())
        assert problems == ()
        return writer.append([replace(rows[-1], known_from=None)], ())
    finally:
        writer.close()
        reader.close()
