"""What a file is, told before it is read: the digest of its bytes and how many rows it gives; and that it stays so."""

import hashlib
import io
import json
import os
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.importers import FileFacts, FileRefused, measure, open_rows, unchanged
from tests.unit.app.importers.registers import CLAIMS, HEADERS, LICENCE, cells, csv_text

BLANK = ("",) * len(HEADERS)
ROWS = st.lists(
    st.sampled_from([BLANK, cells(), cells(许可证编号=""), (" ", *BLANK[1:]), cells(经营者名称="x")]), max_size=8
)
LINES = st.lists(st.sampled_from(["", " ", "\t", json.dumps(CLAIMS), "{}", "[", "nonsense"]), max_size=8)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measured") / "register"


def assert_counted(place: Path, content: bytes) -> None:
    """As many rows as there are, with faults or without; or the file is refused either way, for the same."""
    place.write_bytes(content)

    def outcome(count: bool) -> int | str:
        try:
            source = open_rows(place, LICENCE)
            return source.count() if count else sum(1 for _ in source.rows())
        except FileRefused as refusal:
            return refusal.code

    assert outcome(True) == outcome(False)


@given(ROWS, st.sampled_from([",", "\t", ";"]), st.sampled_from(["utf-8-sig", "gb18030"]))
def test_rows_of_a_table_are_counted(place: Path, rows: list[tuple[str, ...]], separator: str, encoding: str) -> None:
    assert_counted(place, csv_text(*rows, separator=separator).encode(encoding))


@given(st.text(alphabet='",\r\n a证', max_size=30))
def test_quotes_and_line_breaks_are_counted(place: Path, text: str) -> None:
    assert_counted(place, (csv_text(cells()) + text).encode())


@given(LINES, st.sampled_from(["\n", "\r\n"]))
def test_json_lines_are_counted(place: Path, lines: list[str], ending: str) -> None:
    assert_counted(place, ending.join([json.dumps(CLAIMS), *lines]).encode())


@given(ROWS)
def test_rows_of_a_sheet_are_counted(place: Path, rows: list[tuple[str, ...]]) -> None:
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in (HEADERS, *rows):
        book.active.append([cell or None for cell in row])
    book.save(content)
    assert_counted(place, content.getvalue())


def test_a_file_is_measured(path: Path) -> None:
    content = csv_text(cells(), BLANK, cells(许可证编号="")).encode()
    path.write_bytes(content)
    source = open_rows(path, LICENCE)
    assert measure(path, source) == FileFacts(f"sha256:{hashlib.sha256(content).hexdigest()}", 2)
    path.unlink()
    with pytest.raises(FileRefused) as caught:
        measure(path, source)
    assert caught.value.code == "file.unreadable"


def test_a_file_that_changes_is_noticed(path: Path) -> None:
    path.write_text("first")
    check = unchanged(path)
    check()
    path.read_bytes()
    check()
    other = path.with_name("other")
    other.write_text("first")
    found = path.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(path)
    with pytest.raises(FileRefused, match=r"file\.changed"):
        check()
    check = unchanged(path)
    path.unlink()
    with pytest.raises(FileRefused, match=r"file\.changed"):
        check()
