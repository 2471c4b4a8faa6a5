"""Cells say what import reads from them: dates at their borders, labels that could be taken for others."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.exporters.cells import cell_writer, column_name, harmless
from app.importers.values import converter
from registry.document import LocalText
from registry.period import format_instant
from tests.unit.app.importers.registers import LICENCE, PROFILES

DATED = ("issued_at", "valid_from", "valid_until", "status_since")
EVALUATION = PROFILES["metrology-type-evaluation"]


def cell(member: str, value: object, profile: str = LICENCE.id) -> str:
    return cell_writer(PROFILES[profile], member, "zh-CN")(value)


@given(st.datetimes(timezones=st.just(UTC)))
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(1, 1, 1, 16, tzinfo=UTC))
@example(datetime(9999, 12, 31, 15, 59, 59, 999_999, tzinfo=UTC))
@example(datetime(9999, 12, 31, 16, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
@example(datetime(2028, 2, 28, 16, tzinfo=UTC))
@example(datetime(2028, 2, 28, 16, 0, 0, 1, tzinfo=UTC))
def test_an_instant_is_read_back(instant: datetime) -> None:
    text = format_instant(instant)
    for member in DATED:
        assert converter(LICENCE, member, None)(cell(member, text)) == text
    tested = "attributes.tested_at"
    assert converter(EVALUATION, tested, None)(cell(tested, text, EVALUATION.id)) == text


@given(st.dates(min_value=datetime(1, 1, 2, tzinfo=UTC).date()).map(lambda day: day.isoformat()))
def test_a_bare_date_stays_one(day: str) -> None:
    for member in DATED:
        assert cell(member, converter(LICENCE, member, None)(day)) == day


@pytest.mark.parametrize(
    ("instant", "beginning", "end"),
    [
        ("2031-01-09T16:00:00Z", "2031-01-10", "2031-01-09"),
        ("2028-02-29T16:00:00Z", "2028-03-01", "2028-02-29"),
        ("2031-01-10T00:00:00Z", "2031-01-10T08:00:00+08:00", "2031-01-10T08:00:00+08:00"),
        ("2031-01-09T16:00:00.000001Z", "2031-01-10T00:00:00.000001+08:00", "2031-01-10T00:00:00.000001+08:00"),
        ("9999-12-31T16:00:00Z", "9999-12-31T16:00:00Z", "9999-12-31"),
    ],
)
def test_dates_as_people_write_them(instant: str, beginning: str, end: str) -> None:
    assert (cell("valid_from", instant), cell("valid_until", instant)) == (beginning, end)


@given(st.text(max_size=5), st.sampled_from("=+-@＝＋－＠\t\r\n"), st.integers(0, 4))
def test_one_apostrophe_is_put_before_and_taken_away(rest: str, sign: str, apostrophes: int) -> None:
    text = "'" * apostrophes + sign + rest
    assert harmless(text) == f"'{text}"
    assert harmless(rest) in (rest, f"'{rest}")


@pytest.mark.parametrize("text", ["", "'", "''", "'甲", "甲=1", "1-2", " =1"])
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_a_decimal_below_zero_is_text() -> None:
    assert cell("attributes.range_min", "-40.50", EVALUATION.id) == "'-40.50"


def test_a_label_that_stands_for_another_gives_way_to_the_id() -> None:
    form = LICENCE.attributes["business_form"]
    labels = {"sales": "canteen", "catering": "=1", "canteen": "餐饮", "kiosk": "餐饮", "stall": "摊位"}
    choices = {name: LocalText(zh=label, en=label) for name, label in labels.items()}
    attributes = {**LICENCE.attributes, "business_form": replace(form, choices=choices)}
    profile = replace(LICENCE, attributes=attributes)
    member = "attributes.business_form"
    write, read = cell_writer(profile, member, "en"), converter(profile, member, None)
    assert [write(name) for name in choices] == ["sales", "catering", "canteen", "餐饮", "摊位"]
    assert [read(write(name)) for name in choices] == list(choices)


def test_names_of_columns() -> None:
    columns = {"number": ("－编号", "x" * 61, "证号", "no."), "predecessor": ("前证",)}
    profile = replace(LICENCE, columns=columns)
    assert [column_name(profile, "number", language) for language in ("zh-CN", "en")] == ["证号", "no."]
    assert [column_name(profile, "predecessor", language) for language in ("zh-CN", "en")] == ["前证", "predecessor"]
    assert column_name(profile, "valid_until", "zh-CN") == "valid_until"
