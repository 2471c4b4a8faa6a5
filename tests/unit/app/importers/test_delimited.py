"""CSV as Excel, WPS and databases write it, and as nobody should."""

import tracemalloc
from pathlib import Path

import pytest

from app.importers import open_rows
from bench.importers import write_csv
from registry.columns import member_paths
from registry.credential import read_credential
from tests.unit.app.importers.registers import (
    CELLS,
    CLAIMS,
    HEADERS,
    LICENCE,
    cells,
    csv_text,
    faults,
    only,
    read,
    refused,
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_row_becomes_claims(path: Path, encoding: str, separator: str) -> None:
    content = csv_text(CELLS, separator=separator)
    assert only(read(path, content.encode(encoding))) == CLAIMS
    source = open_rows(path, LICENCE)
    assert (source.format, source.encoding) == ("csv", encoding)
    assert source.columns["有效期至"] == "valid_until"
    assert list(source.rows()) == list(source.rows())


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_end_as_they_like(path: Path, end: str) -> None:
    assert only(read(path, csv_text(CELLS).replace("\r\n", end))) == CLAIMS
    assert only(read(path, csv_text(CELLS).replace("\r\n", end).rstrip("\r\n"))) == CLAIMS


def test_what_comes_out_is_taken_as_a_credential(path: Path) -> None:
    claims = only(read(path, csv_text(CELLS)))
    document = claims | {"type": LICENCE.id, "issuer": "cq-yuzhong-amr", "recorded_at": "2026-01-11T00:00:00Z"}
    assert read_credential(document, LICENCE).number == CLAIMS["number"]


def test_headers_are_blind_to_spaces_width_and_case(path: Path) -> None:
    headers = ["Licence　NUMBER", " operator", "ＵＳＣＣ", "Issue Date", "VALID FROM", "有效期 至", *HEADERS[6:]]
    assert only(read(path, csv_text(CELLS, headers=headers))) == CLAIMS


def test_a_members_path_is_a_header(path: Path) -> None:
    left_out = ("subject.kind", "predecessor", "status", "status_since", "successor")
    paths = [path for path in member_paths(LICENCE.attributes) if path not in left_out]
    assert only(read(path, csv_text(CELLS, headers=paths))) == CLAIMS


def test_further_columns_are_read(path: Path) -> None:
    row = only(
        read(path, csv_text((*CELLS, "个人", "JY15001039920002"), headers=(*HEADERS, "主体类型", "原许可证编号")))
    )
    assert (row["subject"]["kind"], row["predecessor"]) == ("person", "JY15001039920002")


@pytest.mark.parametrize(
    ("cell", "standing"), [("有效", "valid"), ("吊销", "penalty"), ("撤销", "annulled"), ("注 销", "cancelled")]
)
def test_a_standing_is_told_with_its_day(path: Path, cell: str, standing: str) -> None:
    row = only(read(path, csv_text((*CELLS, cell, "2026-03-01"), headers=(*HEADERS, "许可证状态", "状态日期"))))
    assert (row["status"], row["status_since"]) == (standing, "2026-02-28T16:00:00Z")


@pytest.mark.parametrize(("cell", "code"), [("", "row.missing"), ("过期", "row.value_wrong")])
def test_a_standing_is_told_of_every_row_or_of_none(path: Path, cell: str, code: str) -> None:
    rows = read(path, csv_text((*CELLS, cell), headers=(*HEADERS, "许可证状态")))
    assert faults(rows) == [(2, "许可证状态", code)]


def test_quotes_hold_separators_line_breaks_and_quotes(path: Path) -> None:
    odd = cells(经营项目='"预包装食品销售\r\n散装食品销售"', 经营场所='"测试路9号,""甲""座"')
    first, second = read(path, csv_text(odd, CELLS))
    assert first.claims is not None
    assert first.claims["attributes"]["items"] == ["预包装食品销售", "散装食品销售"]
    assert first.claims["attributes"]["premises_address"] == '测试路9号,"甲"座'
    assert (second.row, second.claims) == (3, CLAIMS)


def test_blank_rows_are_passed_over_and_counted(path: Path) -> None:
    rows = read(path, csv_text(CELLS, [""] * 10, [], [" ", "", "\u3000"], CELLS, [*CELLS, "", ""]))
    assert [(row.row, row.claims) for row in rows] == [(2, CLAIMS), (6, CLAIMS), (7, CLAIMS)]


def test_every_fault_of_a_row_is_told(path: Path) -> None:
    wrong = cells(许可证编号="", 发证日期="2026-02-30", 主体业态="歌舞厅", 统一社会信用代码="9150010")
    rows = read(path, csv_text(CELLS, wrong, CELLS))
    assert [row.row for row in rows] == [2, 3, 4]
    assert faults(rows) == [
        (3, "许可证编号", "row.missing"),
        (3, "统一社会信用代码", "row.uscc_wrong"),
        (3, "发证日期", "row.time_out_of_range"),
        (3, "主体业态", "row.value_wrong"),
    ]
    told = rows[1].faults
    assert told[3].value == "歌舞厅"
    assert "sales" in told[3].params["wanted"]


@pytest.mark.parametrize("row", [CELLS[:-1], (*CELLS, "多余")])
def test_a_row_has_as_many_cells_as_headers(path: Path, row: tuple[str, ...]) -> None:
    assert faults(read(path, csv_text(row))) == [(2, "", "row.cells_count")]


@pytest.mark.parametrize("character", ["\0", "\x07", "\x7f", "\x85"])
@pytest.mark.parametrize("header", ["许可证编号", "经营者名称", "经营项目", "经营场所"])
def test_a_control_character_is_refused_by_row_and_column(path: Path, character: str, header: str) -> None:
    rows = read(path, csv_text(CELLS, cells(**{header: f"测试{character}甲"})))
    assert faults(rows) == [(3, header, "row.control_character")]


def test_a_cell_beyond_32_kb_is_refused_by_row_and_column(path: Path) -> None:
    assert faults(read(path, csv_text(CELLS, cells(经营项目="项" * 40_000)))) == [(3, "经营项目", "row.cell_too_long")]


@pytest.mark.parametrize("size", [200_000, 10_000_000])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_huge_cell_ends_the_reading_by_row_and_column(path: Path, size: int, quote: str) -> None:
    huge = cells(经营项目=f"{quote}{'项' * size}{quote}")
    assert refused(path, csv_text(CELLS, CELLS, huge, CELLS)) == (
        "file.cell_too_long",
        {"row": "4", "column": "经营项目", "limit": "32767"},
    )


def test_an_open_quote_that_swallows_rows_is_found_where_it_opens(path: Path) -> None:
    content = csv_text(CELLS, cells(经营者名称='"重庆测试'), *[CELLS] * 2000)
    code, params = refused(path, content)
    assert (code, params["row"], params["column"]) == ("file.cell_too_long", "3", "经营者名称")


def test_quotes_are_held_to_strictly(path: Path) -> None:
    assert refused(path, csv_text(CELLS, cells(经营者名称='"重庆"测试'))) == ("file.quotes_wrong", {"row": "3"})
    assert refused(path, csv_text(CELLS, cells(经营场所='"测试路'))) == ("file.quote_open", {"row": "3"})
    assert refused(path, '"许可证"编号\n')[0] == "file.quotes_wrong"


def test_a_million_rows_take_no_memory(path: Path) -> None:
    """Twice as many rows of which no two are alike, once the memory of what repeats is full, take no more."""
    peaks = []
    for count in (20_000, 40_000):
        write_csv(path, count)
        tracemalloc.start()
        assert sum(row.claims is not None for row in open_rows(path, LICENCE).rows()) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 20_000_000
    assert peaks[1] < 1.2 * peaks[0]
