"""Catalogues: what an instrument's name and size say about needing an approved type."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.catalogue import Catalogue, read_catalogue, read_decimal
from registry.errors import PolicyError
from registry.period import Period
from tests.unit.registry.specimens import ABSENT, SOURCE, Content, both, catalogue, document, edited, entry, table


def read(content: Content) -> Catalogue:
    return read_catalogue(document("catalogue", content))


COMPLETE, PARTIAL = read(catalogue()), read(catalogue(complete=False))


def test_a_catalogue_is_read_as_written() -> None:
    assert (COMPLETE.id, COMPLETE.version, COMPLETE.complete, COMPLETE.confidence) == ("instruments", 1, True, "V")
    meter, scale, charger = COMPLETE.entries
    assert (meter.name.zh, meter.aliases, meter.mark) == ("水表", ("冷水水表",), "P+V")
    assert (meter.quantity, meter.unit, meter.minimum, meter.maximum) == (
        "nominal_diameter",
        "DN",
        Decimal(15),
        Decimal(50),
    )
    assert (scale.quantity, scale.unit, scale.minimum, scale.maximum, scale.note) == (None,) * 5
    assert [item.needs_approval for item in (meter, scale, charger)] == [True, True, False]
    assert [basis.article for basis in COMPLETE.legal_basis] == ["3"]


@pytest.mark.parametrize(
    ("path", "value", "key", "problem"),
    [
        ("entries", [], "entries", "needs at least 1"),
        ("complete", "no", "complete", "must be true or false"),
        ("legal_basis", ABSENT, "legal_basis", "needs at least 1"),
        ("sources", ABSENT, "sources", "is missing"),
        ("hint", 1, "hint", "unknown key; known: complete, confidence, entries, "),
        ("entries/1/mark", "Q", "entries[1].mark", "allowed: P, V, P+V"),
        ("entries/1/mark", "V+P", "entries[1].mark", "allowed: P, V, P+V"),
        ("entries/0/quantity", "weight", "entries[0].quantity", "allowed: nominal_diameter, flow_rating, other"),
        ("entries/0/min", "wide", "entries[0].min", 'must be a decimal written as a text, as in "0.5"'),
        ("entries/0/min", "NaN", "entries[0].min", "must be a decimal"),
        ("entries/0/max", "Infinity", "entries[0].max", "must be a decimal"),
        ("entries/0/max", 50, "entries[0].max", "must be a text"),
        ("entries/0/aliases", ["a", "a"], "entries[0].aliases", "names something twice"),
        ("entries/0/hint", 1, "entries[0].hint", "unknown key; known: aliases, mark, max, min, name, "),
        ("entries/2/note", "x", "entries[2].note", "must be a table"),
    ],
)
def test_a_file_that_is_wrong_is_refused(path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(edited(catalogue(), path, value))
    assert (caught.value.source, caught.value.key) == (SOURCE, key)
    assert problem in caught.value.problem


def test_a_range_upside_down_is_refused() -> None:
    with pytest.raises(PolicyError):
        read(edited(catalogue(), "entries/0/max", "14"))


def test_a_catalogue_may_have_a_period() -> None:
    assert COMPLETE.effective == Period()
    made = read({**catalogue(), "from": "2020-10-26T00:00:00+08:00"})
    assert made.effective == Period(start=datetime(2020, 10, 25, 16, tzinfo=UTC))


def test_a_note_is_for_people() -> None:
    made = read(edited(catalogue(), "entries/2/note", both("说明")))
    assert made.entries[2].note is not None
    assert made.entries[2].note.zh == "说明"


@pytest.mark.parametrize(("text", "value"), [("0.5", Decimal("0.5")), ("-3", Decimal(-3)), ("1E2", Decimal(100))])
def test_decimals_are_texts(text: str, value: Decimal) -> None:
    assert read_decimal(table({"k": text}), "k") == value
    assert read_decimal(table({}), "k") is None


@pytest.mark.parametrize("name", ["水表", " 水 表 ", "冷水水表", "水表 (en)", "水表 (EN)"])
@pytest.mark.parametrize(
    ("size", "state"),
    [
        (None, "listed"),
        ("DN15", "listed"),
        ("dn 20", "listed"),
        ("ＤＮ50", "listed"),
        ("50DN", "listed"),
        ("50", "listed"),
        ("DN-40", "listed"),
        ("DN–80", "off"),
        ("DN0", "listed"),
        ("DN1e3", "listed"),
        ("DN1_000", "listed"),
        ("DN14.9", "off"),
        ("DN50.1", "off"),
        ("DN80", "off"),
        # What cannot be read frees nothing.
        ("80mm", "listed"),
        ("large", "listed"),
        ("DN", "listed"),
        ("NaN", "listed"),
        ("Infinity", "listed"),
    ],
)
def test_a_size_outside_the_range_is_off_the_catalogue(name: str, size: str | None, state: str) -> None:
    for made in (COMPLETE, PARTIAL):
        listing = made.find(name, size)
        assert listing.state == state
        assert listing.entry == made.entries[0]


@pytest.mark.parametrize(
    ("minimum", "maximum", "size", "state"),
    [("15", None, "14", "off"), ("15", None, "1000", "listed"), (None, "50", "1", "listed"), (None, "50", "51", "off")],
)
def test_a_range_may_be_open_on_one_side(minimum: str | None, maximum: str | None, size: str, state: str) -> None:
    limits = {key: value for key, value in (("min", minimum), ("max", maximum)) if value is not None}
    made = read({**catalogue(), "entries": [entry("水表", **limits)]})
    assert made.find("水表", size).state == state


@pytest.mark.parametrize(
    ("name", "size", "complete", "partial"),
    [
        ("电子秤", None, "listed", "listed"),
        ("台秤", "DN80", "listed", "listed"),
        # Only verified, not approved: by its own name that is certain.
        ("充电桩", None, "off", "off"),
        # Unheard of: only a complete catalogue can say that nothing is needed.
        ("望远镜", None, "off", "unclear"),
        # A name that contains a listed one, or is contained in one, counts as listed.
        ("超声波水表", None, "listed", "listed"),
        ("秤", None, "listed", "listed"),
        # … and is never freed by its size,
        ("超声波水表", "DN80", "unclear", "unclear"),
        # … nor by resembling an entry that needs no approval.
        ("直流充电桩", None, "off", "unclear"),
    ],
)
def test_a_name_is_looked_up_with_caution(name: str, size: str | None, complete: str, partial: str) -> None:
    assert COMPLETE.find(name, size).state == complete
    assert PARTIAL.find(name, size).state == partial


def test_an_unclear_size_names_the_entry_that_it_hangs_on() -> None:
    assert PARTIAL.find("超声波水表", "DN80").entry == PARTIAL.entries[0]
    assert PARTIAL.find("望远镜", None).entry is None
    assert COMPLETE.find("望远镜", None).entry is None


def test_of_two_entries_with_one_name_any_that_covers_the_size_counts() -> None:
    small, large = entry("水表", unit="DN", min="15", max="50"), entry("大水表", aliases=["水表"], unit="DN", min="100")
    made = read({**catalogue(), "entries": [small, large, entry("旧水表", "V", aliases=["水表"])]})
    assert made.find("水表", "DN20").entry == made.entries[0]
    assert made.find("水表", "DN200").entry == made.entries[1]
    assert made.find("水表", "DN80").state == "off"


@given(st.text(min_size=1), st.one_of(st.none(), st.text()))
def test_a_partial_catalogue_says_off_only_of_a_name_it_uses(name: str, size: str | None) -> None:
    listing = PARTIAL.find(name, size)
    assert listing.state in ("listed", "unclear")


@given(st.sampled_from(["水表", "电子秤", "充电桩", "望远镜", "超声波水表"]), st.text())
def test_looking_up_is_total(name: str, size: str) -> None:
    assert COMPLETE.find(name, size).state in ("listed", "off", "unclear")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("水表", "冷水水表", True),
        ("水表", "水表 (en)", True),
        ("望远镜", " 望远镜", True),
        ("水表", "电子秤", False),
        ("水表", "超声波水表", False),
        ("水表", "望远镜", False),
        ("望远镜", "水表", False),
    ],
)
def test_two_names_of_one_entry_are_one_instrument(one: str, other: str, same: bool) -> None:
    assert COMPLETE.same_instrument(one, other) == same
    assert COMPLETE.same_instrument(other, one) == same
