"""The report of refused rows: read by people, in a spreadsheet, which must compute nothing."""

import csv
import re
from pathlib import Path

import pytest

from app.importers import FileRefused, RowFault
from app.importers.report import refusal_text, write_report
from app.messages import Language
from tests.unit.app.importers.registers import cells, csv_text, read

HARMFUL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", '=HYPERLINK("x","y")']


def table(path: Path) -> list[list[str]]:
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("language", "heads"),
    [("zh-CN", ["行号", "列", "代码", "问题", "原值"]), ("en", ["row", "column", "code", "problem", "value"])],
)
def test_every_fault_has_a_line(path: Path, tmp_path: Path, language: Language, heads: list[str]) -> None:
    rows = read(path, csv_text(cells(许可证编号="", 主体业态="歌舞厅"), cells(发证日期="昨天")))
    report = tmp_path / "report.csv"
    assert write_report(report, (fault for row in rows for fault in row.faults), language) == 3
    head, *body = table(report)
    assert head == heads
    assert [line[:3] for line in body] == [
        ["2", "许可证编号", "row.missing"],
        ["2", "主体业态", "row.value_wrong"],
        ["3", "发证日期", "row.time_malformed"],
    ]
    assert body[1][4] == "歌舞厅"
    assert bool(re.search("[\u4e00-\u9fff]", body[0][3])) is (language == "zh-CN")


@pytest.mark.parametrize("cell", HARMFUL)
def test_no_cell_is_a_formula(tmp_path: Path, cell: str) -> None:
    report = tmp_path / "report.csv"
    fault = RowFault(row=2, column=cell, code="row.member_unknown", params={"name": cell, "known": cell}, value=cell)
    write_report(report, [fault], "zh-CN")
    for read_cell in table(report)[1]:
        assert not read_cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    assert table(report)[1][4] == f"'{cell}"


def test_half_a_surrogate_pair_does_not_break_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    assert write_report(report, [RowFault(row=1, column="\ud800", code="row.missing", value="\udfff")], "en") == 1
    assert len(table(report)) == 2


def test_a_refused_file_is_told_in_words() -> None:
    refusal = FileRefused("file.header_twice", header="证号", other="许可证编号")
    assert refusal_text(refusal, "zh-CN") == "列“证号”与列“许可证编号”是同一项，只能保留一列。"
    assert "证号" in refusal_text(refusal, "en")
