"""Packages that unpack to more than they say, or are not what they seem."""

import io
import struct
import zipfile
from functools import cache
from pathlib import Path

import openpyxl
import pytest

from app.importers import package
from app.importers.package import check_package
from app.importers.rows import FileRefused
from tests.unit.app.importers.registers import CELLS, CLAIMS, HEADERS, only, read, refused

SHEET = "xl/worksheets/sheet1.xml"
MANIFEST = "[Content_Types].xml"
STRINGS = "xl/sharedStrings.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "xl/_rels/workbook.xml.rels"


@cache
def workbook() -> bytes:
    """The same each time, though a workbook says when it was made."""
    made = openpyxl.Workbook()
    made.active.append(HEADERS)
    made.active.append(CELLS)
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def repacked(content: bytes, changes: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The package with other parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", compression) as new:
        parts = {name: old.read(name) for name in old.namelist()} | changes
        for name, part in parts.items():
            new.writestr(name, part)
    return made.getvalue()


def with_shared_strings() -> bytes:
    """The workbook as Excel writes it; openpyxl writes every text into its cell."""
    texts = [*HEADERS, *CELLS]
    strings = f"<sst xmlns='{MAIN}'>" + "".join(f"<si><t>{text}</t></si>" for text in texts) + "</sst>"
    rows = [range(len(HEADERS)), range(len(HEADERS), len(texts))]
    cells = ["".join(f'<c t="s"><v>{number}</v></c>' for number in row) for row in rows]
    sheet = f"<worksheet xmlns='{MAIN}'><sheetData>" + "".join(f"<row>{row}</row>" for row in cells)
    override = b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    manifest = part(MANIFEST).replace(b"</Types>", override + b'spreadsheetml.sharedStrings+xml"/></Types>')
    changes = {STRINGS: strings.encode(), SHEET: (sheet + "</sheetData></worksheet>").encode(), MANIFEST: manifest}
    return repacked(workbook(), changes)


def part(name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(workbook())) as old:
        return old.read(name)


def code(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(FileRefused) as caught:
        check_package(path)
    return caught.value.code


def test_a_workbook_passes(path: Path) -> None:
    path.write_bytes(workbook())
    check_package(path)
    assert only(read(path, with_shared_strings())) == CLAIMS


@pytest.mark.parametrize("name", [SHEET, "xl/sharedStrings.xml", "xl/styles.xml", "xl/media/image1.png"])
def test_a_bomb_is_refused_by_its_ratio(path: Path, name: str) -> None:
    bomb = repacked(workbook(), {name: b" " * 50_000_000})
    assert len(bomb) < 200_000
    assert refused(path, bomb)[0] == "file.unpacks_too_large"


def lying(content: bytes, name: str, size: int) -> bytes:
    """The package with another unpacked size of one part, in both of its headers."""
    changed = bytearray(content)
    for signature, at, length in ((b"PK\x03\x04", 22, 26), (b"PK\x01\x02", 24, 28)):
        place = -1
        while (place := changed.find(signature, place + 1)) >= 0:
            begin = place + (30 if signature == b"PK\x03\x04" else 46)
            if (
                changed[begin : begin + int.from_bytes(changed[place + length : place + length + 2], "little")]
                == name.encode()
            ):
                struct.pack_into("<I", changed, place + at, size)
    return bytes(changed)


@pytest.mark.parametrize("name", ["xl/sharedStrings.xml", "xl/styles.xml", "docProps/app.xml"])
def test_a_bomb_that_lies_about_its_size_is_refused_before_it_unpacks(path: Path, name: str) -> None:
    bomb = lying(repacked(workbook(), {name: b" " * 50_000_000}), name, 500)
    assert refused(path, bomb)[0] == "file.not_a_workbook"


def test_a_sheet_that_lies_about_its_size_is_refused(path: Path) -> None:
    bomb = lying(repacked(workbook(), {SHEET: part(SHEET) + b" " * 50_000_000}), SHEET, len(part(SHEET)) - 1)
    assert refused(path, bomb)[0] == "file.workbook_broken"


@pytest.mark.parametrize(
    ("bound", "value"),
    [
        ("MAX_PARTS", 3),
        ("MAX_UNPACKED", 3000),
        ("MAX_STRINGS", 20),
        ("MAX_OTHER", 20),
        ("MAX_TAGS", 20),
        ("_STRINGS", 2),
    ],
)
def test_every_bound_is_held(path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    monkeypatch.setattr(package, bound, value)
    assert code(path, with_shared_strings()) == "file.unpacks_too_large"


def test_tags_within_a_string_are_bounded(path: Path) -> None:
    strings = b'<sst xmlns="x"><si>' + b"".join(b"<t>%d</t>" % number for number in range(600_000)) + b"</si></sst>"
    assert code(path, repacked(workbook(), {"xl/sharedStrings.xml": strings})) == "file.unpacks_too_large"


WORKSHEET = b"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"


@pytest.mark.parametrize(
    "changes",
    [
        {MANIFEST: part(MANIFEST).replace(WORKSHEET, WORKSHEET.replace(b"worksheet+", b"styles+"))},
        {MANIFEST: part(MANIFEST).replace(WORKSHEET, WORKSHEET.replace(b"worksheet+", b"sharedStrings+"))},
        {RELATIONS: part(RELATIONS).replace(b"relationships/worksheet", b"relationships/chartsheet")},
        {MANIFEST: b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><Types>&a;</Types>"},
        {MANIFEST: b"<Types"},
        {"XL/Styles.xml": b"<x/>"},
    ],
    ids=["sheet called styles", "strings called a sheet", "sheet called a chart", "entity", "no XML", "name twice"],
)
def test_a_part_is_what_it_is_called(path: Path, changes: dict[str, bytes]) -> None:
    assert code(path, repacked(workbook(), changes)) == "file.not_a_workbook"


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_the_usual_compression_is_read(path: Path, compression: int) -> None:
    assert code(path, repacked(workbook(), {}, compression)) == "file.not_a_workbook"


def test_a_zip_that_is_no_workbook_is_refused(path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as new:
        new.writestr("readme.txt", "测试")
    assert refused(path, made.getvalue())[0] == "file.not_a_workbook"


def test_entities_in_a_sheet_are_refused(path: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + part(SHEET)
    assert refused(path, repacked(workbook(), {SHEET: bomb}))[0] == "file.workbook_broken"
