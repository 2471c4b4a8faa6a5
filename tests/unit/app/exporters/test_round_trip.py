"""What is exported is imported as it was: every type, both formats, both languages, whatever a register may hold."""

import csv
import io
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.exporters import RowUntold, row_writer
from app.messages import LANGUAGES, Language
from registry.profile import CredentialProfile
from tests.unit.app.exporters.registered import (
    BEGINNINGS,
    LICENCE_CLAIMS,
    REGISTERED,
    SEPARATORS,
    claims,
    read_back,
    written,
)
from tests.unit.app.importers.registers import LICENCE, PROFILES

SCOPE = PROFILES["inspection-body-qualification"]
EXCEL_DESTROYED = re.compile(r"[+-]?\d+(?:\.\d*)?E[+-]?\d+", re.ASCII | re.IGNORECASE)


def normalised(said: dict[str, Any]) -> dict[str, Any]:
    """Numbers as CSV says them; import looks them up in this form anyway."""
    names = ("number", "predecessor", "successor")
    return said | {name: said[name] and unicodedata.normalize("NFKC", said[name]).strip() for name in names}


def readable(said: dict[str, Any]) -> bool:
    """Whether the numbers are none of which import says that a spreadsheet destroyed them, nor nothing at all."""
    named = (normalised(said)[name] for name in ("number", "predecessor", "successor"))
    return not any(name is not None and (not name or EXCEL_DESTROYED.fullmatch(name)) for name in named)


def refusal(said: dict[str, Any], form: str = "csv") -> RowUntold | None:
    try:
        written(form, LICENCE, "zh-CN", said)
    except RowUntold as why:
        return why
    return None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("profile", REGISTERED, ids=lambda profile: profile.id)
def test_csv_is_read_back(path: Path, profile: CredentialProfile, language: Language) -> None:
    @given(st.lists(claims(profile).filter(readable), max_size=3))
    def law(rows: list[dict[str, Any]]) -> None:
        assert read_back(path, written("csv", profile, language, *rows), profile) == [normalised(row) for row in rows]

    law()


@pytest.mark.parametrize("profile", REGISTERED, ids=lambda profile: profile.id)
def test_json_lines_are_read_back(path: Path, profile: CredentialProfile) -> None:
    @given(st.lists(claims(profile), min_size=1, max_size=3))
    def law(rows: list[dict[str, Any]]) -> None:
        assert read_back(path, written("jsonl", profile, "zh-CN", *rows), profile) == rows

    law()


@given(claims(SCOPE).filter(readable), st.data())
def test_no_cell_is_a_formula(said: dict[str, Any], data: st.DataObject) -> None:
    language = data.draw(st.sampled_from(LANGUAGES))
    text = written("csv", SCOPE, language, said).decode("utf-8-sig")
    for row in csv.reader(io.StringIO(text, newline=""), strict=True):
        for cell in row:
            # Neither the cell nor what a list or a table is cut into.
            assert not any(piece.startswith(tuple("=+-@\t\r\n＝＋－＠")) for piece in re.split(f"[{SEPARATORS}]", cell))


@given(st.text(st.sampled_from(SEPARATORS + "甲'= "), max_size=6), st.text(max_size=6))
def test_what_csv_cannot_say_is_refused_and_never_said_otherwise(path: Path, first: str, second: str) -> None:
    said = LICENCE_CLAIMS | {"attributes": LICENCE_CLAIMS["attributes"] | {"items": [first, second]}}
    why = refusal(said)
    if why is None:
        assert read_back(path, written("csv", LICENCE, "zh-CN", said), LICENCE) == [said]
    else:
        assert (why.code, why.params) == ("export.not_in_csv", {"column": "经营项目"})


def test_a_file_for_officials() -> None:
    text = written("csv", LICENCE, "zh-CN", LICENCE_CLAIMS)
    assert text.startswith('\ufeff"许可证编号",'.encode())
    assert text.endswith(b"\r\n")
    assert text.count(b"\r\n") == 2
    head, row = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""))
    assert dict(zip(head, row, strict=True)) == {
        "许可证编号": "JY15001039920019",
        "持证主体类型": "单位",
        "经营者名称": "重庆测试新店食品有限公司",
        "统一社会信用代码": "91500103TT00000153",
        "发证日期": "2026-01-10",
        "有效期自": "2026-01-10",
        "有效期至": "2031-01-09",
        "原许可证编号": "",
        "许可证状态": "吊销",
        "状态日期": "2026-06-30T12:30:00+08:00",
        "新许可证编号": "",
        "主体业态": "食品销售经营者",
        "经营项目": "预包装食品销售、散装食品销售",
        "经营场所所在区划": "500103",
        "经营场所": "重庆市渝中区测试路9号",
    }


def test_the_same_in_english() -> None:
    head, row = csv.reader(io.StringIO(written("csv", LICENCE, "en", LICENCE_CLAIMS).decode("utf-8-sig"), newline=""))
    named = dict(zip(head, row, strict=True))
    assert (named["licence number"], named["licence status"]) == ("JY15001039920019", "penalty")
    assert (named["holder kind"], named["business form"]) == ("organisation", "Food sales")


def test_a_column_without_a_name_goes_by_its_path() -> None:
    approval = PROFILES["metrology-type-approval"]
    assert b'"valid_until"' in row_writer("csv", approval, "cn-samr", "zh-CN").head()


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_texts_that_really_begin_so(path: Path, beginning: str) -> None:
    for name in (f"{beginning}甲", f"'{beginning}甲", f"''{beginning}甲"):
        said = LICENCE_CLAIMS | {"subject": {"kind": "person", "name": name, "uscc": None}, "number": name}
        assert read_back(path, written("csv", LICENCE, "zh-CN", said), LICENCE) == [normalised(said)]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"subject": {"kind": "organisation", "name": " 测试", "uscc": None}}, "经营者名称"),
        ({"valid_until": "2026-01-09T16:00:00Z"}, "有效期至"),
        ({"number": "1.5E+14"}, "许可证编号"),
        ({"status": None}, "许可证状态"),
        ({"status": "revoked"}, "许可证状态"),
        ({"attributes": LICENCE_CLAIMS["attributes"] | {"business_form": "circus"}}, "主体业态"),
        ({"attributes": LICENCE_CLAIMS["attributes"] | {"items": "预包装"}}, "经营项目"),
        ({"attributes": LICENCE_CLAIMS["attributes"] | {"items": 5}}, "经营项目"),
        ({"attributes": LICENCE_CLAIMS["attributes"] | {"items": []}}, "经营项目"),
        ({"attributes": LICENCE_CLAIMS["attributes"] | {"former": "x"}}, "attributes.former"),
        ({"attributes": {}}, "主体业态"),
    ],
)
def test_what_is_not_read_back_is_not_written(change: dict[str, Any], column: str) -> None:
    why = refusal(LICENCE_CLAIMS | change)
    assert why is not None
    assert (why.code, why.params["column"]) == ("export.not_in_csv", column)


def test_a_row_longer_than_import_takes_is_not_written() -> None:
    said = LICENCE_CLAIMS | {"attributes": {"items": ["甲" * 200] * 2000}}
    why = refusal(said, "jsonl")
    assert why is not None
    assert why.code == "export.line_too_long"


def test_there_are_two_formats() -> None:
    with pytest.raises(ValueError, match="xlsx"):
        row_writer("xlsx", LICENCE, "cq-yuzhong-amr", "zh-CN")
