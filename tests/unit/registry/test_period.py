"""Instants and half-open periods."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.period import (
    ALWAYS,
    InstantError,
    Period,
    format_instant,
    format_local,
    from_micros,
    parse_instant,
    to_micros,
)

INSTANTS = st.datetimes(timezones=st.just(UTC))
SMALL = st.one_of(st.none(), st.integers(0, 8))
ORIGIN = datetime(2024, 1, 1, tzinfo=UTC)


def at(hour: int) -> datetime:
    return ORIGIN + timedelta(hours=hour)


@st.composite
def periods(draw: st.DrawFn) -> Period:
    """Periods on whole hours 0 to 8, so that a search of all hours and half hours finds every common instant."""
    start, end = draw(SMALL), draw(SMALL)
    if start is not None and end is not None:
        start, end = min(start, end), max(start, end) + (start == end)
    return Period(start=None if start is None else at(start), end=None if end is None else at(end))


@given(INSTANTS)
def test_reading_undoes_writing(instant: datetime) -> None:
    text = format_instant(instant)
    assert text.endswith("Z")
    assert parse_instant(text) == instant
    assert parse_instant(text).tzinfo is UTC


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_the_offset_does_not_change_the_instant(instant: datetime, minutes: int) -> None:
    elsewhere = instant.astimezone(timezone(timedelta(minutes=minutes)))
    assert parse_instant(elsewhere.isoformat()) == instant


@given(INSTANTS)
def test_microseconds_round_trip(instant: datetime) -> None:
    assert from_micros(to_micros(instant)) == instant


@given(INSTANTS, INSTANTS)
def test_microseconds_keep_order_and_distance(one: datetime, other: datetime) -> None:
    assert to_micros(other) - to_micros(one) == (other - one) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("instant", "micros"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 0, 0, 1, 2, tzinfo=UTC), 1_000_002),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        # As a float this one is off by a microsecond.
        (datetime(2262, 4, 11, 23, 47, 16, 854_775, tzinfo=UTC), 9_223_372_036_854_775),
    ],
)
def test_microseconds_count_from_1970(instant: datetime, micros: int) -> None:
    assert to_micros(instant) == micros
    assert from_micros(micros) == instant


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00Z"),
        (datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC), "2024-01-01T00:00:00.000001Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
)
def test_microseconds_are_written_only_where_there_are_any(instant: datetime, text: str) -> None:
    assert format_instant(instant) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-01-01T08:00:00+08:00", "2024-01-01T00:00:00Z"),
        ("2023-12-31T19:30:00-04:30", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00-00:00", "2024-01-01T00:00:00Z"),
        ("2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.500000Z"),
        ("2024-01-01T00:00:00.123456789Z", "2024-01-01T00:00:00.123456Z"),
        ("2024-01-01T00:00:00.999999999Z", "2024-01-01T00:00:00.999999Z"),
        ("2024-01-01T00:00:00.0000009Z", "2024-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00-08:00", "0001-01-01T08:00:00Z"),
        ("9999-12-31T23:59:59+08:00", "9999-12-31T15:59:59Z"),
    ],
)
def test_any_offset_is_brought_to_utc(text: str, same: str) -> None:
    assert format_instant(parse_instant(text)) == same


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2024-01-01T00:00:00", "time_without_offset"),
        ("2024-01-01T00:00", "time_without_offset"),
        ("2024-01-01 00:00:00.5", "time_without_offset"),
        ("2024-01-01t00:00:00", "time_without_offset"),
        ("2024-01-01", "time_without_offset"),
        ("0000-01-01T00:00:00Z", "time_out_of_range"),
        ("0001-01-01T00:00:00+00:01", "time_out_of_range"),
        ("9999-12-31T23:59:59-00:01", "time_out_of_range"),
        ("2024-01-01T00:00:60Z", "time_out_of_range"),
        ("2016-12-31T23:59:60Z", "time_out_of_range"),
        ("2024-01-01T24:00:00Z", "time_out_of_range"),
        ("2024-01-01T00:60:00Z", "time_out_of_range"),
        ("2024-02-30T00:00:00Z", "time_out_of_range"),
        ("2023-02-29T00:00:00Z", "time_out_of_range"),
        ("2024-13-01T00:00:00Z", "time_out_of_range"),
        ("2024-01-00T00:00:00Z", "time_out_of_range"),
        ("2024-01-01T00:00:00+24:00", "time_out_of_range"),
        ("2024-01-01t00:00:00Z", "time_malformed"),
        ("2024-01-01T00:00:00z", "time_malformed"),
        ("2024-01-01 00:00:00Z", "time_malformed"),
        ("2024-01-01T00:00Z", "time_malformed"),
        ("2024-01-01T00:00:00+08", "time_malformed"),
        ("2024-01-01T00:00:00+0800", "time_malformed"),
        ("2024-01-01T00:00:00+08:00:30", "time_malformed"),
        ("2024-01-01T00:00:00.Z", "time_malformed"),
        ("2024-01-01T00:00:00,5Z", "time_malformed"),
        ("2024-01-01T00:00:00.1234567890Z", "time_malformed"),
        ("20240101T000000Z", "time_malformed"),
        ("2024-W01-1T00:00:00Z", "time_malformed"),
        ("+2024-01-01T00:00:00Z", "time_malformed"),
        ("２０２４-01-01T00:00:00Z", "time_malformed"),
        (" 2024-01-01T00:00:00Z", "time_malformed"),
        ("2024-01-01T00:00:00Z\n", "time_malformed"),
        ("", "time_malformed"),
        ("2024-01-01T00:00:00+00:60", "time_malformed"),
    ],
)
def test_what_is_no_instant_is_refused_with_its_code(text: str, code: str) -> None:
    with pytest.raises(InstantError) as caught:
        parse_instant(text)
    assert caught.value.code == code
    assert str(caught.value) == code


def reading(text: str) -> str:
    """The instant written again, or the code of the refusal."""
    try:
        return format_instant(parse_instant(text))
    except InstantError as error:
        return error.code


@given(st.one_of(st.text(), st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T?[0-9:.]{0,12}[Z+-]?[0-9:]{0,6}\Z")))
def test_reading_is_total(text: str) -> None:
    outcome = reading(text)
    assert outcome in ("time_without_offset", "time_malformed", "time_out_of_range") or outcome.endswith("Z")


@given(st.from_regex(r"\A[09][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z\Z"))
def test_a_well_formed_text_is_an_instant_or_out_of_range(text: str) -> None:
    assert reading(text) in (text, "time_out_of_range")


def test_a_period_holds_its_start_and_not_its_end() -> None:
    period, moment = Period(start=at(1), end=at(3)), timedelta(microseconds=1)
    assert at(1) in period
    assert at(1) - moment not in period
    assert at(3) - moment in period
    assert at(3) not in period


def test_a_side_left_open_has_no_limit() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    assert first in Period(end=at(1))
    assert last not in Period(end=at(1))
    assert last in Period(start=at(1))
    assert first not in Period(start=at(1))
    assert first in ALWAYS
    assert last in ALWAYS


@pytest.mark.parametrize("end", [0, -1])
def test_a_period_that_does_not_end_after_its_start_is_refused(end: int) -> None:
    with pytest.raises(ValueError, match="a period ends after it starts"):
        Period(start=at(0), end=at(end))


@given(periods(), periods())
def test_periods_overlap_where_some_instant_lies_in_both(one: Period, other: Period) -> None:
    half_hours = [ORIGIN + timedelta(minutes=30 * step) for step in range(-4, 24)]
    shared = any(instant in one and instant in other for instant in half_hours)
    assert one.overlaps(other) == shared
    assert other.overlaps(one) == shared


def test_periods_that_touch_do_not_overlap() -> None:
    assert not Period(end=at(1)).overlaps(Period(start=at(1)))
    assert not Period(start=at(1)).overlaps(Period(end=at(1)))
    assert ALWAYS.overlaps(Period(start=at(1), end=at(2)))


def test_people_read_instants_by_the_clock_of_beijing() -> None:
    assert format_local(parse_instant("2026-11-20T18:30:00.5Z")) == "2026-11-21T02:30:00+08:00"
    assert format_local(parse_instant("9999-12-31T23:59:59Z")) == "9999-12-31T23:59:59Z"
