"""Jurisdictions, their areas, what their authorities may issue, and the office to ask."""

from datetime import UTC, datetime
from typing import Any

import pytest

from registry.document import LocalText
from registry.errors import PolicyError
from registry.jurisdiction import Competence, Gazetteer, Jurisdiction, competent, office_for, read_jurisdiction
from registry.period import Period
from tests.unit.registry.specimens import (
    ABSENT,
    DAY,
    SOURCE,
    Content,
    area,
    authority,
    document,
    edited,
    jurisdiction,
    jurisdiction_aa,
    jurisdiction_bb,
    jurisdiction_nation,
)

FROM, UNTIL = datetime(2010, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)


def read(content: Content) -> Jurisdiction:
    return read_jurisdiction(document("jurisdiction", content))


AA, BB, CN = read(jurisdiction_aa()), read(jurisdiction_bb()), read(jurisdiction_nation())
GAZETTEER = Gazetteer((AA, BB, CN))


def test_a_jurisdiction_is_read_as_written() -> None:
    assert (AA.id, AA.version, AA.gb2260, AA.whole_area, AA.default_authority) == ("AA", 1, "11", "110000", "aa-office")
    assert AA.name == LocalText(zh="AA", en="AA (en)")
    assert set(AA.areas) == {"110100", "110101", "110102", "110200"}
    assert AA.areas["110100"].members == {"110101", "110102"}
    assert AA.sources == ("invented",)
    assert AA.confidence == "V"
    city = AA.authorities["aa-city"]
    assert (city.jurisdiction, city.phone, city.url, city.answers_for) == ("AA", "12315", None, {"licence"})
    (competence,) = city.competences
    assert competence == Competence(type="licence", areas=("110100",), period=Period(start=FROM), from_confidence="S")


@pytest.mark.parametrize(
    ("path", "value", "key", "problem"),
    [
        ("gb2260", ABSENT, "gb2260", "is missing"),
        ("whole_area", "", "whole_area", "must be a text"),
        ("confidence", "X", "confidence", "allowed: V, S, G, U"),
        (
            "default_authority",
            "zz",
            "default_authority",
            "'zz' is not allowed; allowed: aa-office, aa-city, aa-district",
        ),
        ("sources", [], "sources", "must not be empty"),
        ("authorities", [], "authorities", "needs at least 1"),
        ("hint", 1, "hint", "unknown key; known: areas, authorities, confidence, default_authority, gb2260, id"),
        ("areas/1/code", "120101", "areas[1].code", "must be six digits that begin with 11"),
        ("areas/1/code", "1101", "areas[1].code", "must be six digits that begin with 11"),
        ("areas/1/code", "11010X", "areas[1].code", "must be six digits that begin with 11"),
        ("areas/1/code", "110100", "areas[1].code", "110100 is declared twice"),
        ("areas/1/hint", 1, "areas[1].hint", "unknown key; known: code, members, name"),
        ("areas/0/members", ["110199"], "areas[0].members", "110199 of 110100 is not declared under [[areas]]"),
        ("areas/0/members", ["120101"], "areas[0].members", "120101 of 110100 is not declared"),
        ("authorities/1/id", "aa-office", "authorities[1].id", "'aa-office' is declared twice"),
        ("authorities/1/hint", 1, "authorities[1].hint", "unknown key; known: answers_for, competences, confidence"),
        ("authorities/1/contact", ABSENT, "authorities[1].contact", "is missing"),
        ("authorities/1/contact", {}, "authorities[1].contact.phone", "give a phone, a url or both"),
        ("authorities/1/contact/fax", "1", "authorities[1].contact.fax", "unknown key; known: phone, url"),
        ("authorities/1/answers_for", ABSENT, "authorities[1].answers_for", "is missing"),
        ("authorities/1/competences/0/areas", [], "authorities[1].competences[0].areas", "must not be empty"),
        (
            "authorities/1/competences/0/areas",
            ["120100"],
            "authorities[1].competences[0].areas",
            "'120100' is not an area of this jurisdiction; declare it under [[areas]]",
        ),
        (
            "authorities/1/competences/0/from_confidence",
            "maybe",
            "authorities[1].competences[0].from_confidence",
            "allowed: V, S, G, U",
        ),
        ("authorities/1/competences/0/note", "x", "authorities[1].competences[0].note", "unknown key; known: areas"),
        (
            "authorities/1/competences/0/until",
            "2010-01-01T00:00:00Z",
            "authorities[1].competences[0].until",
            "a period ends after it starts",
        ),
        pytest.param(
            "areas/2/members",
            ["110199"],
            "areas[2].members",
            "110199 of 110102 is not declared",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused(path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(edited(jurisdiction_aa(), path, value))
    assert (caught.value.source, caught.value.key) == (SOURCE, key)
    assert problem in caught.value.problem


def test_a_url_serves_as_well_as_a_phone() -> None:
    made = read(edited(jurisdiction_aa(), "authorities/0/contact", {"url": "https://example.test"}))
    assert (made.authorities["aa-office"].phone, made.authorities["aa-office"].url) == (None, "https://example.test")


@pytest.mark.parametrize(
    ("outer", "inner", "inside"),
    [
        ("110100", "110101", True),
        ("110100", "110100", True),
        ("110000", "110100", True),
        ("110000", "110101", True),
        ("000000", "110101", True),
        ("000000", "120000", True),
        ("000000", "000000", True),
        ("110101", "110100", False),
        ("110100", "110200", False),
        ("110200", "110101", False),
        ("110000", "120100", False),
        ("110000", "000000", False),
        # Digits alone say nothing: 110199 is declared nowhere.
        ("110100", "110199", False),
        ("110000", "110199", False),
        ("000000", "110199", False),
    ],
)
def test_one_area_lies_inside_another_where_a_file_says_so(outer: str, inner: str, inside: bool) -> None:
    assert GAZETTEER.contains(outer, inner) == inside


def test_an_undeclared_code_equals_itself_and_nothing_else() -> None:
    assert GAZETTEER.contains("999999", "999999")
    assert not GAZETTEER.known("999999")
    assert GAZETTEER.name("999999") == "999999"
    assert GAZETTEER.jurisdiction_of("999999") is None


def test_the_gazetteer_knows_names_and_jurisdictions() -> None:
    assert GAZETTEER.name("110101") == LocalText(zh="区110101", en="区110101 (en)")
    assert GAZETTEER.name("120000") == LocalText(zh="BB", en="BB (en)")
    whole = {code: GAZETTEER.jurisdiction_of(code) for code in ("110000", "110101", "120200", "000000")}
    assert whole == {"110000": "AA", "110101": "AA", "120200": "BB", "000000": "CN"}
    assert all(GAZETTEER.known(code) for code in whole)


def test_one_of_several_areas_is_enough() -> None:
    assert GAZETTEER.covers(("110200", "110100"), "110101")
    assert not GAZETTEER.covers(("110200",), "110101")
    assert not GAZETTEER.covers((), "110101")


def test_areas_that_contain_each_other_come_to_an_end() -> None:
    content = jurisdiction("AA", "11", [area("110100", "110101"), area("110101", "110100")], [authority("aa-office")])
    gazetteer = Gazetteer((read(content),))
    assert gazetteer.contains("110100", "110101")
    assert gazetteer.contains("110101", "110100")


def test_a_member_of_a_member_lies_inside() -> None:
    content = jurisdiction(
        "AA", "11", [area("110100", "110101"), area("110101", "110111"), area("110111")], [authority("aa-office")]
    )
    gazetteer = Gazetteer((read(content),))
    assert gazetteer.contains("110100", "110101")
    assert gazetteer.contains("110101", "110111")
    assert gazetteer.contains("110100", "110111")


@pytest.mark.parametrize(("confidence", "before"), [("V", False), ("S", False), ("G", None), ("U", None)])
def test_only_a_sure_beginning_speaks_against_an_issuer(confidence: str, before: bool | None) -> None:
    competence = Competence(
        type="licence", areas=("110000",), period=Period(start=FROM, end=UNTIL), from_confidence=confidence
    )
    assert competence.covers(FROM - DAY) is before
    assert competence.covers(FROM) is True
    assert competence.covers(UNTIL - DAY) is True
    # Its end is always sure.
    assert competence.covers(UNTIL) is False


def test_without_a_beginning_only_the_end_counts() -> None:
    competence = Competence(type="licence", areas=("110000",), period=Period(end=UNTIL), from_confidence="U")
    assert competence.covers(FROM - 3650 * DAY) is True
    assert competence.covers(UNTIL) is False


@pytest.mark.parametrize(
    ("type_id", "instant", "place", "verdict"),
    [
        ("licence", FROM, "110100", True),
        ("licence", FROM, "110101", True),
        ("licence", FROM, None, True),
        ("licence", FROM, "110200", False),
        ("licence", FROM, "110000", False),
        ("licence", FROM - DAY, "110101", False),
        ("device", FROM, None, False),
    ],
)
def test_competence_is_for_type_area_and_instant(
    type_id: str, instant: datetime, place: str | None, verdict: bool
) -> None:
    assert competent(AA.authorities["aa-city"], type_id, instant, place, GAZETTEER) is verdict


def test_one_competence_of_several_is_enough_and_doubt_beats_a_no() -> None:
    unsure = {"type": "licence", "areas": ["110100"], "from": "2015-01-01T00:00:00Z", "from_confidence": "G"}
    ended = {"type": "licence", "areas": ["110100"], "until": "2005-01-01T00:00:00Z"}
    made = read(edited(jurisdiction_aa(), "authorities/1/competences", [ended, unsure]))
    city = made.authorities["aa-city"]
    assert competent(city, "licence", datetime(2016, 1, 1, tzinfo=UTC), "110101", GAZETTEER) is True
    assert competent(city, "licence", datetime(2001, 1, 1, tzinfo=UTC), "110101", GAZETTEER) is True
    assert competent(city, "licence", datetime(2010, 1, 1, tzinfo=UTC), "110101", GAZETTEER) is None
    assert city.areas_for("licence") == {"110100"}


def test_an_authority_issues_what_it_ever_was_competent_for() -> None:
    city = AA.authorities["aa-city"]
    assert city.issues("licence")
    assert not city.issues("device")
    assert city.areas_for("device") == frozenset()


@pytest.mark.parametrize(
    ("type_id", "place", "office"),
    [
        ("licence", "110101", "aa-district"),
        ("licence", "110102", "aa-city"),
        ("licence", "110100", "aa-city"),
        ("licence", "110200", "aa-office"),
        ("licence", "110000", "aa-office"),
        ("licence", "999999", "aa-office"),
        ("licence", None, "aa-office"),
        ("device", "110101", "aa-office"),
        ("unheard-of", "110101", "aa-office"),
    ],
)
def test_the_office_to_ask_is_the_narrowest_around_the_place(type_id: str, place: str | None, office: str) -> None:
    assert office_for(AA, type_id, place, GAZETTEER).id == office


def jurisdiction_of(*authorities: Content) -> tuple[Jurisdiction, Gazetteer]:
    made = read(jurisdiction("AA", "11", jurisdiction_aa()["areas"], list(authorities)))
    return made, Gazetteer((made,))


def test_the_default_office_yields_to_those_that_answer_for_the_type() -> None:
    general = authority("z-general", {"device": ["110000"]}, ["device"])
    narrow = authority("a-narrow", {"device": ["110100"]}, ["device"])
    silent = authority("m-silent", {"device": ["110000"]})
    made, gazetteer = jurisdiction_of(authority("default"), silent, narrow, general)
    # The one that answers for the whole jurisdiction comes before a narrow one; the silent one never comes.
    assert office_for(made, "device", None, gazetteer).id == "z-general"
    assert office_for(made, "device", "110200", gazetteer).id == "z-general"
    assert office_for(made, "device", "110101", gazetteer).id == "a-narrow"
    made, gazetteer = jurisdiction_of(authority("default"), authority("b", {}, ["device"]), narrow)
    assert office_for(made, "device", None, gazetteer).id == "a-narrow"
    assert office_for(made, "device", "110200", gazetteer).id == "a-narrow"


def test_of_two_offices_with_the_same_areas_the_first_by_name_is_asked() -> None:
    made, gazetteer = jurisdiction_of(
        authority("default"),
        authority("b", {"device": ["110100"]}, ["device"]),
        authority("a", {"device": ["110100"]}, ["device"]),
    )
    assert office_for(made, "device", "110101", gazetteer).id == "a"


def test_where_no_office_is_narrowest_the_general_one_is_asked() -> None:
    # 110101 lies in two areas of which neither lies in the other.
    areas = [area("110100", "110101"), area("110200", "110101"), area("110101")]
    offices = [
        authority("default", {}, ["device"]),
        authority("a", {"device": ["110100"]}, ["device"]),
        authority("b", {"device": ["110200"]}, ["device"]),
    ]
    made = read(jurisdiction("AA", "11", areas, offices))
    assert office_for(made, "device", "110101", Gazetteer((made,))).id == "default"


def test_areas_elsewhere_do_not_make_an_office_narrow() -> None:
    made, gazetteer = jurisdiction_of(
        authority("default", {}, ["device"]),
        authority("a-wide", {"device": ["110100", "110200"]}, ["device"]),
        authority("b-narrow", {"device": ["110101", "110200"]}, ["device"]),
    )
    assert office_for(made, "device", "110101", gazetteer).id == "b-narrow"
