"""The report of refused rows, as a CSV that Excel opens as it is."""

import csv
from collections.abc import Iterable
from pathlib import Path

from app.importers.rows import FileRefused, RowFault
from app.messages import Language, messages

# What Excel, WPS or LibreOffice would take for a formula, also in full width.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def fault_text(fault: RowFault, language: Language) -> str:
    """What is wrong with the row, and how to mend it."""
    return messages(language).problem(fault.code, fault.params)


def refusal_text(refusal: FileRefused, language: Language) -> str:
    """Why the file was refused, and how to mend it."""
    return messages(language).problem(refusal.code, refusal.params)


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet computes."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_report(path: Path, faults: Iterable[RowFault], language: Language) -> int:
    """Writes the faults in UTF-8 with a byte order mark and returns how many there were. Raises OSError.

    Everything in the report came out of a stranger's file, the headers too.
    """
    catalogue, count = messages(language), 0
    # Half of a surrogate pair has no UTF-8; JSON can say one.
    with path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([catalogue.word(f"report.{name}") for name in ("row", "column", "code", "problem", "value")])
        for fault in faults:
            said = (fault.column, fault.code, fault_text(fault, language), fault.value)
            writer.writerow([str(fault.row), *map(harmless, said)])
            count += 1
    return count
