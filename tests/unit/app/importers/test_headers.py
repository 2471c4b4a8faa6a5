"""Headers that cannot be read refuse the file, with what would do."""

from pathlib import Path

import pytest

from tests.unit.app.importers.registers import CELLS, HEADERS, PROFILES, csv_text, faults, read, refused


def test_unknown_headers_are_listed_with_the_known_ones(path: Path) -> None:
    code, params = refused(path, csv_text((*CELLS, "", ""), headers=(*HEADERS, "法定代表人", "电\x07话")))
    assert code == "file.headers_unknown"
    assert params["headers"] == "法定代表人, 电�话"
    assert "许可证编号 (number)" in params["known"]
    assert "attributes.items" in params["known"]


@pytest.mark.parametrize(
    ("twice", "other"), [("许可证编号", "许可证编号"), ("证号", "许可证编号"), (" Number", "许可证编号")]
)
def test_one_member_has_one_column(path: Path, twice: str, other: str) -> None:
    code, params = refused(path, csv_text((*CELLS, ""), headers=(*HEADERS, twice)))
    assert (code, params) == ("file.header_twice", {"header": twice.strip(), "other": other})


@pytest.mark.parametrize(
    "header", ["许可证编号", "经营者名称", "发证日期", "有效期至", "主体业态", "经营项目", "区划代码"]
)
def test_what_every_row_must_say_must_have_a_column(path: Path, header: str) -> None:
    headers = [name for name in HEADERS if name != header]
    code, params = refused(path, csv_text(headers=headers))
    assert code == "file.headers_missing"
    assert params["headers"].count("(") == 1


def test_a_type_without_an_end_needs_no_column_for_it(path: Path) -> None:
    headers = ("证书编号", "单位名称", "批准日期", "计量器具名称", "型号规格", "全国通用型式")
    row = ("2023F901-50", "重庆测试衡准衡器有限公司", "2023/5/15", "电子台秤", "TCS-30|TCS-60", "是")
    (read_row,) = read(path, csv_text(row, headers=headers), PROFILES["metrology-type-approval"])
    assert read_row.claims is not None
    assert read_row.claims["valid_until"] is None
    assert read_row.claims["attributes"]["national_type"] is True


def test_a_header_may_be_followed_by_nothing(path: Path) -> None:
    assert read(path, csv_text(headers=(*HEADERS, "", " "))) == []
    assert faults(read(path, csv_text((*CELLS, "", "x"), headers=(*HEADERS, "", "")))) == [(2, "", "row.cells_count")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "file.empty"),
        ("\r\n\r\n", "file.header_none"),
        (" , ,\r\n", "file.header_none"),
        ("许可证编号,,经营者名称\r\n", "file.header_blank"),
        ("x" * 2_000_000, "file.quotes_wrong"),
        ("许可证编号" * 1000, "file.headers_unknown"),
        (",".join(f"列{place}" for place in range(201)), "file.columns_too_many"),
    ],
)
def test_a_file_needs_a_header(path: Path, content: str, code: str) -> None:
    assert refused(path, content)[0] == code
