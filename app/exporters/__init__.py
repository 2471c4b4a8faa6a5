"""Writing registers' files: CSV and JSON lines that `app.importers` reads back as they were.

What a format cannot say so that it is read back the same is not written: the row is refused, and told.
"""

from app.exporters.formats import FORMATS, row_writer
from app.exporters.rows import RowUntold, RowWriter

__all__ = ["FORMATS", "RowUntold", "RowWriter", "row_writer"]
