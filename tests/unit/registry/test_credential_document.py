"""Reading a credential from an issuer's document: everything judged by the profile, every refusal naming its member."""

from datetime import UTC, datetime
from typing import Any

import pytest

from registry.credential import EVENTS, REVOCATION_KINDS, Credential, Event, Subject, read_credential
from registry.document import LegalBasis
from registry.errors import DocumentError, RegistryError
from registry.profile import read_profile
from tests.unit.registry.specimens import ABSENT, Content, document, edited, event, licence, licence_profile

PROFILE = read_profile(document("profile", licence_profile()))
SUCCESSOR = {"number": "LC120019", "issuer": "bb-office"}


def read(content: Any) -> Credential:
    return read_credential(content, PROFILE)


def refused(content: Any) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        read(content)
    assert str(caught.value) == f"{caught.value.key}: {caught.value.problem}"
    return caught.value


def test_a_credential_is_read_as_written() -> None:
    attributes = {
        "area": "110101",
        "items": ["面包", "蛋糕"],
        "grade": "low",
        "certified": False,
        "since": "2020-01-01T08:00:00+08:00",
        "load": "0.50",
        "rows": [{"parameter": "铅", "method": "GB 5009.12"}],
        "remark": " 备注 ",
    }
    made = read(licence(attributes=attributes, predecessor="LC110007", valid_until=None))
    assert made == Credential(
        type="licence",
        number="LC110015",
        issuer="aa-office",
        subject=Subject(kind="organisation", name="测试公司", uscc="11430000006122244L"),
        issued_at=datetime(2024, 1, 1, tzinfo=UTC),
        valid_from=datetime(2024, 1, 1, tzinfo=UTC),
        valid_until=None,
        attributes={**attributes, "since": "2020-01-01T00:00:00Z", "remark": "备注"},
        recorded_at=datetime(2024, 1, 2, tzinfo=UTC),
        predecessor="LC110007",
        events=(),
    )


def test_a_period_may_be_open_on_both_sides() -> None:
    made = read(licence(valid_from=ABSENT, valid_until=ABSENT))
    assert (made.valid_from, made.valid_until) == (None, None)


def test_an_optional_attribute_may_be_absent() -> None:
    assert read(licence(attributes={"items": ["面包"]})).attributes == {"items": ["面包"]}


def test_a_uscc_is_normalised_and_may_be_absent() -> None:
    subject = {"kind": "person", "name": "测试人员", "uscc": "1143 0000-006122244l"}
    assert read(licence(subject=subject)).subject.uscc == "11430000006122244L"
    assert read(licence(subject={"kind": "person", "name": "测试人员"})).subject.uscc is None
    assert read(licence(subject={**subject, "uscc": None})).subject.uscc is None


def test_a_uscc_with_a_wrong_check_character_is_registered_as_it_is() -> None:
    subject = {"kind": "organisation", "name": "测试公司", "uscc": "91350203M0001QAY9B"}
    assert read(licence(subject=subject)).subject.uscc == "91350203M0001QAY9B"


TEXT = "must be a text that is not empty, without control characters"


@pytest.mark.parametrize(
    ("path", "value", "key", "problem"),
    [
        ("type", "device", "type", "'device' is not allowed; allowed: licence"),
        *((name, ABSENT, name, TEXT) for name in ("type", "number", "issuer", "issued_at", "recorded_at")),
        ("number", "", "number", TEXT),
        ("number", "  ", "number", TEXT),
        ("number", 110015, "number", TEXT),
        ("number", "LC\n110015", "number", TEXT),
        ("number", "LC\ud800", "number", TEXT),
        ("predecessor", "", "predecessor", TEXT),
        ("predecessor", 5, "predecessor", TEXT),
        ("issued_at", "2024-01-01", "issued_at", "must be RFC 3339 with an offset (time_without_offset)"),
        ("issued_at", "soon", "issued_at", "must be RFC 3339 with an offset (time_malformed)"),
        ("valid_from", "2024-02-30T00:00:00Z", "valid_from", "must be RFC 3339 with an offset (time_out_of_range)"),
        ("valid_until", 2029, "valid_until", TEXT),
        ("valid_until", "2024-01-01T00:00:00Z", "valid_until", "must be after valid_from"),
        ("valid_until", "2023-01-01T00:00:00Z", "valid_until", "must be after valid_from"),
        ("colour", "red", "colour", "unknown member"),
        ("subject", ABSENT, "subject", "must be an object"),
        ("subject", "测试公司", "subject", "must be an object"),
        ("subject/kind", "company", "subject.kind", "'company' is not allowed; allowed: organisation, person"),
        ("subject/name", "", "subject.name", TEXT),
        ("subject/name", "a\x1fb", "subject.name", TEXT),
        ("subject/uscc", "1143", "subject.uscc", "must be 18 characters of the USCC alphabet (no I, O, S, V, Z)"),
        ("subject/uscc", "I1430000006122244L", "subject.uscc", "must be 18 characters of the USCC alphabet"),
        ("subject/uscc", 18, "subject.uscc", TEXT),
        ("subject/phone", "1", "subject.phone", "unknown member"),
        ("attributes", ABSENT, "attributes.items", "is missing"),
        ("attributes", {}, "attributes.items", "is missing"),
        ("attributes", "items", "attributes", "must be an object"),
        ("attributes", [1], "attributes", "must be an object"),
        ("attributes/colour", "red", "attributes.colour", "unknown attribute; known: area, items, grade, certified"),
        ("attributes/items", [], "attributes.items", "must be of kind texts (empty)"),
        ("attributes/items", "面包,蛋糕", "attributes.items", "must be of kind texts (wrong_kind texts)"),
        ("attributes/items", ["面包", 1], "attributes.items", "must be of kind texts (wrong_kind text)"),
        ("attributes/area", "1101", "attributes.area", "must be of kind area (wrong_kind area)"),
        ("attributes/area", None, "attributes.area", "must be of kind area (wrong_kind text)"),
        ("attributes/grade", "medium", "attributes.grade", "must be of kind choice (wrong_kind high, low)"),
        ("attributes/certified", "true", "attributes.certified", "must be of kind boolean (wrong_kind true, false)"),
        ("attributes/load", 5, "attributes.load", "must be of kind decimal (wrong_kind text)"),
        ("attributes/load", "5 t", "attributes.load", "must be of kind decimal (wrong_kind decimal)"),
        ("attributes/since", "2024-01-01", "attributes.since", "must be of kind instant (time_without_offset)"),
        ("attributes/since", 2024, "attributes.since", "must be of kind instant (time_malformed)"),
        ("attributes/since", ["2024-01-01T00:00:00Z"], "attributes.since", "must be of kind instant (time_malformed)"),
        ("attributes/remark", "a\x00", "attributes.remark", "must be of kind text (text_not_allowed)"),
        ("attributes/remark", "x" * 201, "attributes.remark", "must be of kind text (too_long 200)"),
        ("attributes/rows", [], "attributes.rows", "must be a list of rows that is not empty"),
        ("attributes/rows", {}, "attributes.rows", "must be a list of rows that is not empty"),
        ("attributes/rows", ["铅"], "attributes.rows[0]", "must be an object"),
        ("attributes/rows", [{"parameter": "铅"}], "attributes.rows[0].method", TEXT),
        (
            "attributes/rows",
            [{"parameter": "铅", "method": "M"}, {"parameter": "铅", "method": "M", "site": "S"}],
            "attributes.rows[1].site",
            "unknown member",
        ),
    ],
)
def test_a_document_that_does_not_fit_is_refused(path: str, value: Any, key: str, problem: str) -> None:
    error = refused(edited(licence(predecessor="x"), path, value))
    assert error.key == key
    assert error.problem.startswith(problem)


@pytest.mark.parametrize("content", [None, [], "licence", 5, True])
def test_a_document_is_an_object(content: Any) -> None:
    error = refused(content)
    assert (error.key, error.problem) == ("document", "must be an object")
    assert isinstance(error, RegistryError)


def test_reading_does_not_consume_the_document() -> None:
    content = licence(events=[event("suspended")])
    before = edited(content, "number", content["number"])
    read(content)
    assert content == before


FULL_EVENTS = [
    event("suspended", "2025-01-01", reason_code="late_report", kind="自查"),
    event("reinstated", "2025-02-01", legal_basis=[{"instrument": "办法", "number": "1", "article": "2"}]),
    event(
        "amended",
        "2025-03-01",
        changes={
            "subject": {"kind": "organisation", "name": "新测试公司", "uscc": "11100000000013338w"},
            "valid_until": "2030-01-01T08:00:00+08:00",
            "attributes": {"items": ["茶"], "since": "2020-01-01T08:00:00+08:00"},
        },
    ),
    event("superseded", "2025-04-01", successor=SUCCESSOR),
    event("revoked", "2025-05-01", kind="penalty"),
    event("cancelled", "2025-06-01"),
]


def test_every_event_is_read_as_written() -> None:
    made = read(licence(events=FULL_EVENTS)).events
    assert [entry.event for entry in made] == [
        "suspended",
        "reinstated",
        "amended",
        "superseded",
        "revoked",
        "cancelled",
    ]
    assert set(EVENTS) == {entry.event for entry in made}
    suspended, reinstated, amended, superseded, revoked, cancelled = made
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    assert suspended == Event(
        event="suspended", effective_at=moment, recorded_at=moment, kind="自查", reason_code="late_report"
    )
    assert reinstated.legal_basis == (LegalBasis(instrument="办法", number="1", article="2"),)
    assert amended.changes == {
        "subject": {"kind": "organisation", "name": "新测试公司", "uscc": "11100000000013338W"},
        "valid_until": "2030-01-01T00:00:00Z",
        "attributes": {"items": ["茶"], "since": "2020-01-01T00:00:00Z"},
    }
    assert superseded.successor == SUCCESSOR
    assert revoked.kind == "penalty"
    assert (cancelled.kind, cancelled.changes, cancelled.successor, cancelled.reason_code) == (None,) * 4


def test_events_are_in_the_order_in_which_they_took_effect() -> None:
    later = event("reinstated", "2025-02-01", "2025-02-05")
    sooner = event("suspended", "2025-02-01", "2025-02-04")
    first = event("amended", "2024-06-01", "2025-09-01", changes={"valid_until": None})
    made = read(licence(events=[later, first, sooner])).events
    assert [entry.event for entry in made] == ["amended", "suspended", "reinstated"]
    assert made[0].changes == {"valid_until": None}


@pytest.mark.parametrize("kind", REVOCATION_KINDS)
def test_a_revocation_says_of_which_kind_it_is(kind: str) -> None:
    assert read(licence(events=[event("revoked", kind=kind)])).events[0].kind == kind


@pytest.mark.parametrize(
    ("written", "key", "problem"),
    [
        (event("expired"), "events[0].event", f"'expired' is not allowed; allowed: {', '.join(EVENTS)}"),
        ("suspended", "events[0]", "must be an object"),
        (event("revoked"), "events[0].kind", TEXT),
        (event("revoked", kind="other"), "events[0].kind", "'other' is not allowed; allowed: annulled, penalty"),
        (event("suspended", kind=5), "events[0].kind", TEXT),
        (event("suspended", reason_code=""), "events[0].reason_code", TEXT),
        (event("suspended", note="x"), "events[0].note", "unknown member"),
        (event("superseded"), "events[0].successor", "belongs to a superseded credential, which needs it"),
        (event("revoked", kind="penalty", successor=SUCCESSOR), "events[0].successor", "belongs to a superseded"),
        (event("superseded", successor={}), "events[0].successor.number", TEXT),
        (event("superseded", successor={"number": "1"}), "events[0].successor.issuer", TEXT),
        (event("superseded", successor={**SUCCESSOR, "type": "x"}), "events[0].successor.type", "unknown member"),
        (event("superseded", successor="LC120019"), "events[0].successor", "must be an object"),
        (event("amended"), "events[0].changes", "belongs to an amendment, which needs it"),
        (event("suspended", changes={"valid_until": None}), "events[0].changes", "belongs to an amendment"),
        (event("amended", changes={}), "events[0].changes", "an amendment must change something: subject, valid_until"),
        (event("amended", changes="x"), "events[0].changes", "must be an object"),
        (event("amended", changes={"number": "x"}), "events[0].changes.number", "unknown member"),
        (event("amended", changes={"subject": None}), "events[0].changes.subject", "must be an object"),
        (event("amended", changes={"valid_until": "x"}), "events[0].changes.valid_until", "must be RFC 3339"),
        (event("amended", changes={"attributes": {"zz": 1}}), "events[0].changes.attributes.zz", "unknown attribute"),
        (
            event("amended", changes={"attributes": {"area": "x"}}),
            "events[0].changes.attributes.area",
            "must be of kind",
        ),
        (event("amended", changes={"attributes": 5}), "events[0].changes.attributes", "must be an object"),
        (event("suspended", legal_basis=["办法"]), "events[0].legal_basis", "must be an object"),
        (event("suspended", legal_basis=[{}]), "events[0].legal_basis.instrument", TEXT),
        (
            event("suspended", legal_basis=[{"instrument": "办法", "clause": "1"}]),
            "events[0].legal_basis.clause",
            "unknown member",
        ),
        (edited(event("suspended"), "effective_at", ABSENT), "events[0].effective_at", TEXT),
        (edited(event("suspended"), "recorded_at", "2025-01-01"), "events[0].recorded_at", "must be RFC 3339"),
        (
            event("suspended", "2024-01-01", "2024-01-01"),
            "events[0].recorded_at",
            "is before the credential's own recorded_at",
        ),
    ],
)
def test_an_event_that_does_not_fit_is_refused(written: Any, key: str, problem: str) -> None:
    error = refused(licence(events=[written]))
    assert error.key == key
    assert error.problem.startswith(problem)
    second = refused(licence(events=[event("suspended", "2026-01-01"), written]))
    assert second.key == key.replace("[0]", "[1]")


def test_what_took_effect_before_it_was_recorded_is_a_matter_of_course() -> None:
    made = read(licence(events=[event("suspended", "2023-01-01", "2024-01-02")]))
    assert made.events[0].effective_at < made.issued_at


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (licence(events=5), "events"),
        (licence(events=True), "events"),
        (licence(events=[event("suspended", legal_basis=5)]), "events[0].legal_basis"),
    ],
)
def test_a_list_is_a_list(content: Content, key: str) -> None:
    assert refused(content).key == key


@pytest.mark.parametrize(
    "content",
    [licence(events=0), licence(events=""), licence(events=False), licence(events={})],
    ids=["0", "empty text", "false", "empty object"],
)
def test_nothing_but_an_absent_list_is_a_list_without_events(content: Content) -> None:
    assert refused(content).key == "events"


@pytest.mark.parametrize("until", ["2024-01-01T00:00:00Z", "2020-01-01T00:00:00Z"])
def test_an_amended_period_must_end_after_it_starts(until: str) -> None:
    error = refused(licence(events=[event("amended", changes={"valid_until": until})]))
    assert error.key == "events[0].changes.valid_until"
