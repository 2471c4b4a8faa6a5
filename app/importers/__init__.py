"""Reading registers' files: CSV, XLSX and JSON lines become claims as `registry.intake.register` takes them.

The format is told from the content, not from the name. Every file is somebody else's: whatever is in it, rows with
claims or faults come out, or `FileRefused`.
"""

from app.importers.rows import FileFacts, FileRefused, Row, RowFault, RowSource
from app.importers.source import measure, open_rows, unchanged

__all__ = ["FileFacts", "FileRefused", "Row", "RowFault", "RowSource", "measure", "open_rows", "unchanged"]
