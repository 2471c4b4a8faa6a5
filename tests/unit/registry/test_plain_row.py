"""The quick way to a first version and the thorough one give the same, octet for octet, or the quick one gives none."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.bootstrap import seed_policy
from app.usecases.version_row import version_row
from registry.errors import StatementRefused
from registry.intake import register
from registry.plain_row import PlainRows, PlainVersion
from registry.policy import Policy, build_policy
from registry.statement import Statement, open_statement
from tests.support.issuing import LICENCE, Issuing

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
TABLE = [{"parameter": "铅", "method": "GB 5009.12", "site": "重庆"}]
LEVELS: dict[str, Any] = {
    "instrument": "压力表",
    "model": "Y-100",
    "range_min": "0",
    "range_max": "1.6",
    "range_unit": "MPa",
    "accuracy_classes": ["1.6"],
    "result": "positive",
    "tested_at": "2026-01-01T00:00:00Z",
}
RIGHT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "food-operation-licence": ("cq-yuzhong-amr", LICENCE["number"], LICENCE["attributes"]),
    "inspection-body-qualification": ("cq-samr", "150001210318", {"scope": TABLE, "site": "重庆市渝中区"}),
    "metrology-type-approval": (
        "cq-samr",
        "2024F166-50",
        {"instrument": "压力表", "models": ["Y-100"], "national_type": False},
    ),
    "metrology-type-evaluation": ("cq-cqjz", "XSPJ-2024-0001", LEVELS),
}
"""Of each type an issuer, a number and attributes that are in order."""

TEXTS = st.sampled_from(
    ["重庆", " 重庆", "重庆　", "ＪＹ１", "a\tb", "a\u202eb", "\ud800", "", " ", "x" * 5000, "1.60", "sales"]
)
INSTANTS = st.sampled_from(
    (
        *("2026-01-10T00:00:00+08:00", "2026-01-09T16:00:00Z", "2026-01-09T16:00:00.5Z", "2031-01-09T16:00:00Z"),
        *(
            "2026-11-20T08:04:59Z",
            "2027-01-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "2026-01-10",
            "1998-01-01T00:00:00Z",
        ),
    )
)
AREAS = st.sampled_from(["500103", "510104", "500000", "999999"])
ODD = (
    TEXTS
    | INSTANTS
    | AREAS
    | st.sampled_from([None, True, 0, 1.5, [], {}, [""], ["a", "a"], [1], TABLE, TABLE * 2, [{}], {"kind": "person"}])
    | st.text(max_size=6)
    | st.lists(st.text(max_size=3), max_size=3)
)
NUMBERS = st.sampled_from(["JY1500 1039920019", "jy15001039920019", "JY15001039920018", "JY35001039920019", "99-F166"])


@cache
def policy() -> Policy:
    issuers = {issuer for issuer, _, _ in RIGHT.values()}
    return build_policy((*seed_policy(), *(Issuing(issuer=issuer).document() for issuer in sorted(issuers))))


@cache
def stated(type_id: str) -> Statement:
    issuing = Issuing(issuer=RIGHT[type_id][0])
    claims = issuing.claims(NOW, bulk={}) | {"profile": {"type": type_id, "version": 1}}
    return open_statement(issuing.sign(claims), policy().keys)


@cache
def quick(type_id: str) -> PlainRows:
    """One for all examples: what it remembers must not change what it says."""
    rows = PlainRows(stated(type_id), policy())
    rows.begin(NOW)
    return rows


def right(type_id: str) -> dict[str, Any]:
    """Claims that are in order."""
    _, number, attributes = RIGHT[type_id]
    return {**LICENCE, "number": number, "attributes": dict(attributes), "predecessor": None}


def thorough(type_id: str, claims: dict[str, Any]) -> PlainVersion | None:
    try:
        new = register(replace(stated(type_id), credential=claims), policy(), NOW, lambda identity: "salt")
    except StatementRefused:
        return None
    row = version_row(new.id, new.number, new.credential)
    return PlainVersion(row.credential_id, row.number, row.content, row.subject_uscc, row.subject_name or "")


@st.composite
def claimed(draw: Callable[..., Any], type_id: str) -> dict[str, Any]:
    """Claims of which a few members are otherwise, or missing, or too many."""
    claims = right(type_id)
    claims["subject"] = dict(claims["subject"])
    places = claims, claims["subject"], claims["attributes"]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places))
        name = draw(st.sampled_from([*sorted(place), "status"]))
        if draw(st.integers(0, 9)) == 0:
            place.pop(name, None)
            continue
        fitting = {"number": NUMBERS, "kind": st.sampled_from(["person", "organisation"]), "premises_area": AREAS}
        fitting |= dict.fromkeys(("issued_at", "valid_from", "valid_until", "tested_at"), INSTANTS | st.none())
        place[name] = draw(fitting.get(name, TEXTS) | ODD)
    return claims


@pytest.mark.parametrize("type_id", RIGHT)
def test_what_is_in_order_goes_the_quick_way(type_id: str) -> None:
    version = quick(type_id).version(right(type_id))
    assert version is not None
    assert version == thorough(type_id, right(type_id))


@pytest.mark.parametrize("type_id", RIGHT)
@given(data=st.data())
def test_both_ways_give_the_same(type_id: str, data: st.DataObject) -> None:
    claims = data.draw(claimed(type_id))
    version = quick(type_id).version(claims)
    assert version is None or version == thorough(type_id, claims)


def test_what_is_salted_ahead_or_foreign_is_not_plain() -> None:
    type_id = "food-operation-licence"
    claims = right(type_id)
    otherwise: tuple[dict[str, Any], ...] = (
        {"subject": {"kind": "person", "name": "测试", "uscc": None}},
        {"issued_at": "2027-01-01T00:00:00Z"},
        {"attributes": claims["attributes"] | {"premises_area": "510104"}},
        {"attributes": claims["attributes"] | {"items": []}},
        {"valid_until": claims["valid_from"]},
        {"number": "JY3"},
        {"status": "valid"},
    )
    assert [quick(type_id).version(claims | change) for change in otherwise] == [None] * len(otherwise)
