"""The report of refused rows, as a CSV that Excel opens as it is."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

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


def heading(language: Language) -> list[str]:
    """The header of the report."""
    names = ("row", "column", "code", "problem", "value")
    return [messages(language).word(f"report.{name}") for name in names]


def cells(fault: RowFault, language: Language) -> list[str]:
    """A line of the report. Everything in it came out of a stranger's file, the headers too."""
    said = (fault.column, fault.code, fault_text(fault, language), fault.value)
    return [str(fault.row or ""), *map(harmless, said)]


class Report:
    """The refused rows, written as they come, in UTF-8 with a byte order mark. There is no file where there is none.

    Raises OSError.
    """

    def __init__(self, path: Path, language: Language) -> None:
        self.path, self._language, self.count = path, language, 0
        self._file: TextIO | None = None

    def add(self, fault: RowFault) -> None:
        """Writes one fault."""
        if self._file is None:
            # Half of a surrogate pair has no UTF-8; JSON can say one.
            self._file = self.path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="")
            self._writer = csv.writer(self._file)
            self._writer.writerow(heading(self._language))
        self._writer.writerow(cells(fault, self._language))
        self.count += 1

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            self._file.close()


def write_report(path: Path, faults: Iterable[RowFault], language: Language) -> int:
    """Writes the faults and returns how many there were. Raises OSError."""
    report = Report(path, language)
    try:
        for fault in faults:
            report.add(fault)
    finally:
        report.close()
    return report.count
