"""What issuers read of their uploads."""

from typing import Any

from app.importers import RowFault
from app.importers.report import fault_text
from app.messages import Messages
from app.presentation import fault_view
from app.usecases.file_import import FileImport

_COUNTS = ("rows", "new", "changed", "unchanged", "refused", "missing")


def import_view(entry: FileImport, messages: Messages) -> dict[str, Any]:
    """An import: how far it is, and what came of it."""
    report = entry.report
    counts = None if report is None else {name: getattr(report, name) for name in _COUNTS}
    return {
        "id": entry.id,
        "state": entry.state,
        "type": entry.type,
        "issuer": entry.issuer,
        "dry_run": entry.dry_run,
        "file": entry.file,
        "received_at": entry.received_at,
        "started_at": entry.started_at,
        "finished_at": entry.finished_at,
        "progress": {"rows": entry.rows, "done": entry.done, "tries": entry.tries},
        "result": counts,
        "register_complete_as_of": None if report is None else report.reported,
        "problem": None if entry.problem is None else fault_view(entry.problem, messages),
        "errors": f"/v1/imports/{entry.id}/errors",
    }


def import_line(entry: FileImport, messages: Messages) -> str:
    """An import that came to an end, as one line."""
    if entry.report is not None:
        counts = {name: str(getattr(entry.report, name)) for name in _COUNTS}
        said = messages.word("load.dry") + " " if entry.dry_run else ""
        return f"{entry.id}: {said}{messages.word('load.done', **counts)}"
    assert entry.problem is not None
    return f"{entry.id}: {messages.problem(entry.problem.code, entry.problem.params)} [{entry.problem.code}]"


def row_fault_view(fault: RowFault, messages: Messages) -> dict[str, Any]:
    """What is wrong with a row; `row` is None where a credential is missing that the file does not name."""
    return {
        "row": fault.row or None,
        "column": fault.column,
        "code": fault.code,
        "message": fault_text(fault, messages.language),
        "value": fault.value,
    }
