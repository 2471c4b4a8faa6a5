"""What a cell means: dates at their borders, words for yes and no, lists, areas, tables."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.importers.rows import CellProblem
from app.importers.values import converter
from registry.period import parse_instant
from tests.unit.app.importers.registers import LICENCE, PROFILES, cells, csv_text, faults, only, read

EVALUATION = PROFILES["metrology-type-evaluation"]


def value(member: str, cell: str, profile: str = LICENCE.id) -> object:
    return converter(PROFILES[profile], member, {"渝中区": "500103"}.get)(cell)


def code(member: str, cell: str, profile: str = LICENCE.id) -> str:
    with pytest.raises(CellProblem) as caught:
        value(member, cell, profile)
    return caught.value.code


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-01-10", "2026-1-10", "2026/1/10", "2026/01/10", "2026年1月10日", "2026年01月10日", "20260110"),
        *("２０２６－０１－１０", " 2026 年 1 月 10 日 ", "\u30002026/1/10", "２０２６年１月１０日"),
        *("2026-01-10T00:00:00+08:00", "2026-01-09T16:00:00Z", "2026-01-09T16:00:00.000Z"),
    ],
)
def test_a_date_begins_in_beijing(cell: str) -> None:
    assert value("issued_at", cell) == value("valid_from", cell) == "2026-01-09T16:00:00Z"


@pytest.mark.parametrize(
    ("cell", "end"),
    [
        ("2026-01-10", "2026-01-10T16:00:00Z"),
        ("2028-02-28", "2028-02-28T16:00:00Z"),
        ("2028年2月29日", "2028-02-29T16:00:00Z"),
        ("20271231", "2027-12-31T16:00:00Z"),
        ("9999-12-31", "9999-12-31T16:00:00Z"),
        ("2026-01-10T00:00:00+08:00", "2026-01-09T16:00:00Z"),
        *((cell, None) for cell in ("", "\u3000", "长期", " 长 期 ", "长期有效", "永久", "PERMANENT", "Long-term")),
    ],
)
def test_an_end_is_the_last_day_that_counts(cell: str, end: str | None) -> None:
    assert value("valid_until", cell) == end


@given(st.dates(min_value=date(1, 1, 2)))
def test_a_day_lasts_a_day(day: date) -> None:
    start, end = (parse_instant(str(value(member, day.isoformat()))) for member in ("valid_from", "valid_until"))
    assert end - start == timedelta(days=1)
    for written in (
        f"{day:%Y%m%d}".zfill(8),
        f"{day.year:04}/{day.month}/{day.day}",
        f"{day.year:04}年{day.month}月{day.day}日",
    ):
        assert value("valid_from", written) == value("valid_from", day.isoformat())


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("2026-02-29", "row.time_out_of_range"),
        ("2100年2月29日", "row.time_out_of_range"),
        ("20261301", "row.time_out_of_range"),
        ("0000-01-01", "row.time_out_of_range"),
        ("0001-01-01", "row.time_out_of_range"),
        ("2026-01-10T24:00:00Z", "row.time_out_of_range"),
        ("2026-01-10 08:00:00", "row.time_without_offset"),
        ("2026-01-10T08:00:00", "row.time_without_offset"),
        ("2026-01", "row.time_malformed"),
        ("2026-01/10", "row.time_malformed"),
        ("10/01/2026", "row.time_malformed"),
        ("45667", "row.time_malformed"),
        ("202601100", "row.time_malformed"),
        ("长期", "row.time_malformed"),
        ("2026-01-1\0", "row.time_malformed"),
        ("", "row.missing"),
    ],
)
def test_what_is_no_date_is_said_so(cell: str, problem: str) -> None:
    assert code("issued_at", cell) == problem


def test_a_period_begins_before_it_ends(path: Path) -> None:
    same = cells(有效期自="2026-01-10", 有效期至="2026-01-10")
    assert only(read(path, csv_text(same)))["valid_until"] == "2026-01-10T16:00:00Z"
    for start, end in (("2026-01-11", "2026-01-10"), ("2026-01-10T00:00:00.5+08:00", "2026-01-10T00:00:00+08:00")):
        assert faults(read(path, csv_text(cells(有效期自=start, 有效期至=end)))) == [
            (2, "有效期至", "row.period_empty")
        ]


@pytest.mark.parametrize(
    ("cell", "number"),
    [(" JY15001039920019\u3000", "JY15001039920019"), ("ＪＹ１５００１０", "JY150010"), ("1-2", "1-2")],
)
def test_identifiers_are_normalised(cell: str, number: str) -> None:
    assert value("number", cell) == value("predecessor", cell) == number


@pytest.mark.parametrize("cell", ["1.23E+17", "1.5E+14", "1e17", "１．２３Ｅ＋１７", " 9.15E+17 "])
@pytest.mark.parametrize("member", ["number", "subject.uscc", "predecessor"])
def test_digits_that_excel_destroyed_are_not_taken(member: str, cell: str) -> None:
    # 1e17 is also what a number may look like that is none: letters and digits.
    if cell == "1e17":
        return
    assert code(member, cell) == "row.digits_lost"


def test_a_uscc_is_normalised() -> None:
    assert value("subject.uscc", " 91500103tt0000015-3 ") == "91500103TT00000153"
    assert value("subject.uscc", " ") is None
    for wrong in ("91500103TT0000015", "91500103TT0000015O", "915001030000001530"[:17] + "I"):
        assert code("subject.uscc", wrong) == "row.uscc_wrong"


@pytest.mark.parametrize(
    ("cell", "kind"), [("", None), ("企业", "organisation"), ("Person", "person"), ("自然人", "person")]
)
def test_kinds_of_holders(cell: str, kind: str | None) -> None:
    assert value("subject.kind", cell) == kind
    assert code("subject.kind", "机器") == "row.value_wrong"


@pytest.mark.parametrize(
    "cell", ["sales", "SALES", "食品销售经营者", " 食品 销售经营者", "Food sales", "ｆｏｏｄ　ｓａｌｅｓ"]
)
def test_a_choice_goes_by_id_or_label(cell: str) -> None:
    assert value("attributes.business_form", cell) == "sales"


@pytest.mark.parametrize(
    ("cell", "truth"),
    [*((cell, True) for cell in ("是", "true", "TRUE", "1", "１")), *((cell, False) for cell in ("否", "False", "0"))],
)
def test_yes_and_no(cell: str, truth: bool) -> None:
    assert value("attributes.national_type", cell, "metrology-type-approval") is truth
    for wrong in ("yes", "2", "是的"):
        assert code("attributes.national_type", wrong, "metrology-type-approval") == "row.value_wrong"


def test_lists_are_divided_by_more_than_one_mark() -> None:
    convert = converter(LICENCE, "attributes.items", None)
    first = convert("甲、乙；丙;丁|戊｜己\n庚\r\n 辛、、")
    assert first == list("甲乙丙丁戊己庚辛")
    first.clear()
    assert convert("甲、乙；丙;丁|戊｜己\n庚\r\n 辛、、") == list("甲乙丙丁戊己庚辛")
    assert convert("甲,乙，丙") == ["甲,乙，丙"]
    assert code("attributes.items", "、；") == "row.missing"
    assert code("attributes.items", "、".join("甲" * 101)) == "row.items_too_many"
    assert code("attributes.items", "甲" * 201) == "row.too_long"


def test_areas_go_by_code_or_by_a_name_that_is_unique() -> None:
    assert value("attributes.premises_area", "500103") == "500103"
    assert value("attributes.premises_area", "５００１０３") == "500103"
    assert value("attributes.premises_area", " 渝中区 ") == "500103"
    assert code("attributes.premises_area", "市中区") == "row.area_unknown"
    with pytest.raises(CellProblem):
        converter(LICENCE, "attributes.premises_area", None)("渝中区")


def test_decimals_and_instants_of_attributes() -> None:
    assert value("attributes.range_min", " ０.2 ", EVALUATION.id) == "0.2"
    for wrong in ("1,000", "1e3", "0,2", "≤5"):
        assert code("attributes.range_min", wrong, EVALUATION.id) == "row.value_wrong"
    assert code("attributes.range_min", "1\x07", EVALUATION.id) == "row.control_character"
    assert value("attributes.tested_at", "2025/3/12", EVALUATION.id) == "2025-03-11T16:00:00Z"


def test_a_table_has_rows_and_columns() -> None:
    qualification = "inspection-body-qualification"
    assert value("attributes.scope", "铅|GB 5009.12|渝北区；镉｜GB 5009.15｜渝北区\n", qualification) == [
        {"parameter": "铅", "method": "GB 5009.12", "site": "渝北区"},
        {"parameter": "镉", "method": "GB 5009.15", "site": "渝北区"},
    ]
    for wrong in ("铅|GB 5009.12", "铅||渝北区", "铅|a|b|c"):
        assert code("attributes.scope", wrong, qualification) == "row.table_wrong"
    assert code("attributes.scope", "|" * 40_000, qualification) == "row.cell_too_long"
    assert code("attributes.scope", "", qualification) == "row.missing"


def test_what_repeats_is_remembered_within_bounds() -> None:
    convert = converter(LICENCE, "attributes.items", None)
    assert all(convert(f"项{number}") == [f"项{number}"] for number in range(20_000))
    assert convert("项0") == ["项0"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        *(("'=1+1", "=1+1"), ("''=1+1", "'=1+1"), ("'＝1", "＝1"), (" '-5 ", "-5"), ("'@甲", "@甲"), ("'+1", "+1")),
        *(
            ("=1+1", "=1+1"),
            ("-5", "-5"),
            ("'甲", "'甲"),
            ("''", "''"),
            ("'", "'"),
            ("甲'=1", "甲'=1"),
            ("' =1", "' =1"),
        ),
    ],
)
def test_the_apostrophe_that_disarms_a_formula_is_no_part_of_the_text(cell: str, text: str) -> None:
    assert value("attributes.premises_address", cell) == value("subject.name", cell) == text
    assert value("attributes.items", f"{cell}、{cell}") == [text, text]


def test_disarmed_numbers_and_identifiers_are_what_they_were() -> None:
    assert value("attributes.range_min", "'-40.5", EVALUATION.id) == value(
        "attributes.range_min", "-40.5", EVALUATION.id
    )
    assert value("number", "'-1") == value("number", "＇－1") == "-1"
    assert value("attributes.premises_address", "'=" + "甲" * 199) == "=" + "甲" * 199
