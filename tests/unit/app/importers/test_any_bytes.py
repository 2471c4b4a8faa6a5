"""Whatever is in a file: rows come out, or it is refused, and both are told in both languages."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.importers import FileRefused, Row, open_rows
from app.importers.report import fault_text, refusal_text
from app.messages import LANGUAGES
from registry.credential import read_credential
from tests.unit.app.importers.registers import CELLS, HEADERS, LICENCE, csv_text
from tests.unit.app.importers.test_package import MANIFEST, SHEET, part, repacked, workbook

HEAD = ",".join(HEADERS).encode()
CELL = st.sampled_from(CELLS) | st.text(max_size=12) | st.sampled_from(["", "长期", "1.23E+17", "=1", '"', "20260110"])
FOLDER = "any"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(FOLDER) / "register"


def outcome(place: Path, content: bytes) -> list[Row]:
    place.write_bytes(content)
    rows: list[Row] = []
    try:
        rows.extend(open_rows(place, LICENCE).rows())
    except FileRefused as refusal:
        told = [refusal_text(refusal, language) for language in LANGUAGES]
    else:
        told = []
    assert all(told)
    for row in rows:
        assert (row.claims is None) == bool(row.faults)
        for fault in row.faults:
            assert all(fault_text(fault, language) for language in LANGUAGES)
    return rows


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(place: Path, content: bytes) -> None:
    outcome(place, content)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", b"\xef\xbb\xbf"]), st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_any_bytes_behind_a_header(place: Path, content: bytes, mark: bytes, end: bytes) -> None:
    outcome(place, mark + HEAD + end + content)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_json_line(place: Path, content: bytes) -> None:
    outcome(place, b'{"number": ' + content)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(CELL, min_size=10, max_size=10), max_size=4))
def test_claims_that_come_out_are_taken_as_credentials(place: Path, rows: list[list[str]]) -> None:
    quoted = [['"{}"'.format(cell.replace('"', '""')) for cell in row] for row in rows]
    about = {"type": LICENCE.id, "issuer": "cq-yuzhong-amr", "recorded_at": "2026-01-11T00:00:00Z"}
    for row in outcome(place, csv_text(*quoted).encode("utf-8", "replace")):
        if row.claims is not None:
            read_credential(row.claims | about, LICENCE)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_workbook(place: Path, data: st.DataObject) -> None:
    content = bytearray(workbook())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    outcome(place, bytes(content))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_sheet(place: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([SHEET, "xl/workbook.xml", "xl/styles.xml", MANIFEST]))
    content = bytearray(part(name))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    outcome(place, repacked(workbook(), {name: bytes(content)}))


def test_any_zip(place: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w"):
        pass
    assert outcome(place, made.getvalue()) == []
