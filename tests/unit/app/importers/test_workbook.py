"""XLSX as Excel writes it, and what Excel does to identifiers."""

import io
import random
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.importers import open_rows
from tests.unit.app.importers.registers import (
    CELLS,
    CLAIMS,
    HEADERS,
    LICENCE,
    PROFILES,
    cells,
    faults,
    only,
    read,
    refused,
)
from tests.unit.app.importers.test_package import repacked


def book(*rows: Any, headers: Any = HEADERS, more: Any = None) -> bytes:
    made = openpyxl.Workbook()
    for row in (headers, *rows):
        made.active.append(list(row))
    if more is not None:
        more(made)
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def with_cell(header: str, cell: Any) -> list[Any]:
    return [cell if name == header else right for name, right in zip(HEADERS, CELLS, strict=True)]


def test_a_row_becomes_claims(path: Path) -> None:
    assert only(read(path, book(CELLS))) == CLAIMS
    source = open_rows(path, LICENCE)
    assert (source.format, source.columns["许可证编号"]) == ("xlsx", "number")
    assert list(source.rows()) == list(source.rows())


@pytest.mark.parametrize("day", [date(2026, 1, 10), datetime(2026, 1, 10), "2026/1/10", 20260110])
def test_dates_are_taken_as_excel_has_them(path: Path, day: Any) -> None:
    assert only(read(path, book(with_cell("发证日期", day)))) == CLAIMS


def test_the_last_day_counts_in_a_sheet_too(path: Path) -> None:
    assert only(read(path, book(with_cell("有效期至", date(2031, 1, 9))))) == CLAIMS
    assert only(read(path, book(with_cell("有效期至", date(9999, 12, 31)))))["valid_until"] == "9999-12-31T16:00:00Z"
    assert only(read(path, book(with_cell("有效期至", None))))["valid_until"] is None


def test_whole_numbers_are_their_digits(path: Path) -> None:
    number = only(read(path, book(with_cell("许可证编号", 123456789012345))))["number"]
    assert number == "123456789012345"
    assert only(read(path, book(with_cell("区划代码", 500103)))) == CLAIMS
    assert only(read(path, book(with_cell("区划代码", 500103.0)))) == CLAIMS


@pytest.mark.parametrize(
    ("header", "cell", "code"),
    [
        ("许可证编号", 1.23e17, "row.digits_lost"),
        ("许可证编号", 10**15, "row.digits_lost"),
        ("许可证编号", 123456789012345678, "row.digits_lost"),
        ("许可证编号", "1.23E+17", "row.digits_lost"),
        ("许可证编号", 12.5, "row.digits_lost"),
        ("统一社会信用代码", 9.15e17, "row.digits_lost"),
        ("许可证编号", date(2026, 1, 10), "row.date_not_wanted"),
        ("许可证编号", True, "row.value_wrong"),
        ("许可证编号", "=A1", "row.formula"),
        ("经营场所", '=HYPERLINK("x")', "row.formula"),
        ("经营场所", "#N/A", "row.cell_error"),
        ("发证日期", "=TODAY()", "row.formula"),
        ("发证日期", datetime(2026, 1, 10, 8), "row.time_without_offset"),
        ("发证日期", time(8), "row.value_wrong"),
        ("发证日期", 45667, "row.time_malformed"),
        ("经营者名称", None, "row.missing"),
        ("经营项目", "项" * 32_767, "row.too_long"),
    ],
)
def test_what_a_cell_cannot_be_is_refused_by_row_and_column(path: Path, header: str, cell: Any, code: str) -> None:
    assert faults(read(path, book(CELLS, with_cell(header, cell)))) == [(3, header, code)]


def test_booleans_and_decimals_are_taken_where_they_belong(path: Path) -> None:
    headers = ("证书编号", "单位名称", "批准日期", "计量器具名称", "型号规格", "全国通用型式")
    row = ("2023F901-50", "重庆测试衡准衡器有限公司", date(2023, 5, 15), "电子台秤", "TCS-30|TCS-60", False)
    claims = only(read(path, book(row, headers=headers), PROFILES["metrology-type-approval"]))
    assert claims["attributes"] == {"instrument": "电子台秤", "models": ["TCS-30", "TCS-60"], "national_type": False}
    evaluation = PROFILES["metrology-type-evaluation"]
    heads = ("报告编号", "单位名称", "报告日期", *(label.label.zh for label in evaluation.attributes.values()))
    report = (
        "CQJZ-1",
        "重庆测试",
        "2025/4/21",
        "非自动衡器",
        "TCS-60",
        0.1 + 0.2,
        60,
        "kg",
        "Ⅲ级",
        "符合要求",
        date(2025, 3, 12),
    )
    claims = only(read(path, book(report, headers=heads), evaluation))
    assert (claims["attributes"]["range_min"], claims["attributes"]["range_max"]) == ("0.3", "60")
    assert claims["attributes"]["tested_at"] == "2025-03-11T16:00:00Z"


def test_rows_have_the_numbers_that_people_see(path: Path) -> None:
    rows = read(path, book(CELLS, [], [], CELLS, [None] * 10, cells(许可证编号="")))
    assert [row.row for row in rows] == [2, 5, 7]
    assert faults(read(path, book([*CELLS, "多余"]))) == [(2, "", "row.cells_count")]


def test_hidden_and_empty_sheets_are_passed_over_and_full_ones_refused(path: Path) -> None:
    def hidden(made: Any) -> None:
        made.create_sheet("空表")
        made.create_sheet("字典").append(["食品销售经营者"])
        made["字典"].sheet_state = "hidden"

    assert only(read(path, book(CELLS, more=hidden))) == CLAIMS
    code, params = refused(path, book(CELLS, more=lambda made: made.create_sheet("二月").append(["x"])))
    assert (code, params["others"]) == ("file.sheets_several", "二月")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (book(headers=["=A2", *HEADERS[1:]]), "file.header_formula"),
        (book(headers=[]), "file.header_none"),
        (book(headers=[*HEADERS, "电话"]), "file.headers_unknown"),
        (book(headers=[*HEADERS, *[None] * 200, "x"]), "file.columns_too_many"),
        (book(headers=[*HEADERS[:3], None, *HEADERS[3:]]), "file.header_blank"),
        (book(CELLS)[:-100], "file.not_a_workbook"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "file.old_workbook"),
    ],
    ids=["formula", "none", "unknown", "far out", "blank", "cut off", "old"],
)
def test_what_is_no_such_sheet_is_refused(path: Path, content: bytes, code: str) -> None:
    assert refused(path, content)[0] == code


def test_a_text_is_no_workbook(tmp_path: Path) -> None:
    assert refused(tmp_path / "register.xlsx", ",".join(HEADERS))[0] == "file.not_a_workbook"


def sheet(path: Path, xml: str) -> bytes:
    """A workbook with these rows of its sheet."""
    head = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in HEADERS)
    whole = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        f'<row r="1">{head}</row>{xml}</sheetData></worksheet>'
    )
    return repacked(book(), {"xl/worksheets/sheet1.xml": whole.encode()})


ROW = "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in CELLS)


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (f'<row r="3">{ROW}</row><row r="2">{ROW}</row>', "file.workbook_broken"),
        (f'<row r="2">{ROW}</row><row r="2">{ROW}</row>', "file.workbook_broken"),
        (f'<row r="1048577">{ROW}</row>', "file.rows_too_many"),
        ('<row r="x"><c/></row>', "file.workbook_broken"),
        ('<row r="2"><c t="s"><v>7</v></c></row>', "file.workbook_broken"),
        ('<row r="2"><c t="n"><v>abc</v></c></row>', "file.workbook_broken"),
        ('<row r="2"><c r="ZZZZZZ9"><v>1</v></c></row>', "file.workbook_broken"),
        ('<row r="2">', "file.workbook_broken"),
        ("<!DOCTYPE x>", "file.workbook_broken"),
    ],
)
def test_a_sheet_that_no_program_wrote_is_refused(path: Path, xml: str, code: str) -> None:
    assert refused(path, sheet(path, xml))[0] == code


def test_a_gap_between_rows_costs_nothing(path: Path) -> None:
    assert [row.row for row in read(path, sheet(path, f'<row r="1048576">{ROW}</row>'))] == [1_048_576]


def test_shared_formulas_are_not_translated(path: Path) -> None:
    formula = '<c r="A{}"><f t="shared" si="0">{}</f><v>1</v></c>'
    rows = "".join(
        f'<row r="{row}">{formula.format(row, "A1+" * 100_000 if row == 2 else "")}</row>' for row in range(2, 9)
    )
    found = faults(read(path, sheet(path, rows)))
    assert [row for row, header, code in found if (header, code) == ("许可证编号", "row.formula")] == list(range(2, 9))


def test_a_row_without_end_is_refused_while_it_is_read(path: Path) -> None:
    chance = random.Random(1)
    # Some ten million bytes that hardly pack.
    cells = "".join(f"<c><v>{chance.randbytes(28).hex()}</v></c>" for _ in range(140_000))
    content = sheet(path, f'<row r="2">{cells}</row>')
    assert refused(path, content)[0] == "file.unpacks_too_large"
