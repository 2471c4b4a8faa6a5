"""What laboratories may evaluate: instrument, range, accuracy class, period."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.authorisation import Authorisation, read_authorisations
from registry.errors import PolicyError
from registry.period import Period
from tests.unit.registry.specimens import ABSENT, SOURCE, authorisations, authorised_row, document, edited

FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
ROW = read_authorisations(document("authorisation", authorisations())).rows[0]
Span = tuple[Decimal, Decimal, str]


def span(low: str, high: str, unit: str = "m³/h") -> Span:
    return Decimal(low), Decimal(high), unit


def test_a_file_is_read_as_written() -> None:
    made = read_authorisations(document("authorisation", authorisations()))
    assert (made.id, made.version, made.laboratory, made.confidence) == ("aa-lab-rows", 1, "aa-office", "V")
    assert [basis.instrument for basis in made.legal_basis] == ["授权书"]
    assert made.rows == (
        Authorisation(
            instrument="水表",
            minimum=Decimal("0.5"),
            maximum=Decimal(20),
            unit="m³/h",
            accuracy_classes=("2级", "Ⅲ级"),
            period=Period(start=FROM, end=UNTIL),
        ),
    )


@pytest.mark.parametrize(
    ("path", "value", "key", "problem"),
    [
        ("laboratory", ABSENT, "laboratory", "is missing"),
        ("rows", [], "rows", "needs at least 1"),
        ("legal_basis", [], "legal_basis", "needs at least 1"),
        ("confidence", "A", "confidence", "allowed: V, S, G, U"),
        ("hint", 1, "hint", "unknown key; known: confidence, id, laboratory, legal_basis, rows, version"),
        ("rows/0/min", ABSENT, "rows[0].min", "give min and max, min not above max"),
        ("rows/0/max", ABSENT, "rows[0].min", "give min and max, min not above max"),
        ("rows/0/max", "0.4", "rows[0].min", "give min and max, min not above max"),
        ("rows/0/max", "much", "rows[0].max", "must be a decimal"),
        ("rows/0/unit", "", "rows[0].unit", "must be a text"),
        ("rows/0/accuracy_classes", [], "rows[0].accuracy_classes", "must not be empty"),
        ("rows/0/until", "2019-01-01T00:00:00Z", "rows[0].until", "a period ends after it starts"),
        ("rows/0/site", "x", "rows[0].site", "unknown key; known: accuracy_classes, from, instrument, max, min, unit"),
    ],
)
def test_a_file_that_is_wrong_is_refused(path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_authorisations(document("authorisation", edited(authorisations(), path, value)))
    assert (caught.value.source, caught.value.key) == (SOURCE, key)
    assert problem in caught.value.problem


def test_a_range_may_be_a_single_point() -> None:
    content = authorisations(authorised_row(min="5", max="5"))
    (row,) = read_authorisations(document("authorisation", content)).rows
    assert row.covers(span("5", "5"), ["2级"], FROM) is True
    assert row.covers(span("5", "5.1"), ["2级"], FROM) is False


@pytest.mark.parametrize(
    ("asked", "classes", "instant", "verdict"),
    [
        (span("0.5", "20"), ["2级"], FROM, True),
        (span("1", "2"), ["2级", "iii 级"], FROM, True),
        (span("1", "2", "M3/H"), ["2级"], FROM, True),
        (span("1", "2"), [], FROM, True),
        (span("0.49", "2"), ["2级"], FROM, False),
        (span("1", "20.01"), ["2级"], FROM, False),
        (span("3", "2"), ["2级"], FROM, False),
        (span("1", "2"), ["1级"], FROM, False),
        (span("1", "2"), ["2级", "1级"], FROM, False),
        (span("1", "2"), ["2级"], FROM - timedelta(microseconds=1), False),
        (span("1", "2"), ["2级"], UNTIL, False),
        # Units are not converted: that cannot be told, unless something else already says no.
        (span("1", "2", "L/h"), ["2级"], FROM, None),
        (span("1", "2", "L/h"), ["1级"], FROM, False),
        (span("1", "2", "L/h"), ["2级"], UNTIL, False),
    ],
)
def test_a_row_covers_range_classes_and_date_together(
    asked: Span, classes: list[str], instant: datetime, verdict: bool | None
) -> None:
    assert ROW.covers(asked, classes, instant) is verdict


@given(st.integers(0, 25), st.integers(0, 25))
def test_a_range_is_covered_as_a_whole(low: int, high: int) -> None:
    assert ROW.covers((Decimal(low), Decimal(high), "m³/h"), ["2级"], FROM) == (1 <= low <= high <= 20)
