"""The workbook whose sheet is fuzzed: mutated bytes of a compressed package hardly ever reach what reads a sheet."""

import io
import zipfile
from collections.abc import Mapping
from functools import cache

import openpyxl

from tests.unit.app.importers.registers import CELLS, HEADERS

SHEET = "xl/worksheets/sheet1.xml"


@cache
def workbook() -> bytes:
    """A register of one row."""
    made = openpyxl.Workbook()
    made.active.append(HEADERS)
    made.active.append(CELLS)
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


@cache
def parts() -> Mapping[str, bytes]:
    """The files in the package by their names."""
    with zipfile.ZipFile(io.BytesIO(workbook())) as package:
        return {name: package.read(name) for name in package.namelist()}


def repacked(changes: Mapping[str, bytes]) -> bytes:
    """The package with other parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        for name, part in (dict(parts()) | changes).items():
            package.writestr(name, part)
    return made.getvalue()
