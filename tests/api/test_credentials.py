"""Credentials over HTTP: page by page to the end, by every filter, one by one, and never a natural person's name."""

from collections import Counter
from typing import Any

import pytest

from app.demonstration.loader import demonstration_documents
from tests.api.service import LANGUAGES, RECOGNIZED, Service, assert_problem, example_questions, is_instant

DOCUMENTS = demonstration_documents()
PERSONS = [document["subject"] for document in DOCUMENTS if document["subject"]["kind"] == "person"]
TYPES = {
    "ca-certificate",
    "food-operation-licence",
    "inspection-body-qualification",
    "metrology-type-approval",
    "metrology-type-evaluation",
}
STATUSES = {"valid", "suspended", "revoked", "cancelled", "superseded", "expired", "not_yet_valid"}
VIEW = {
    "id",
    "type",
    "number",
    "issuer",
    "subject",
    "status",
    "issued_at",
    "valid_from",
    "valid_until",
    "predecessor",
    "attributes",
}
TWICE = "XSPJ-2024-9005"
"""A number that two bodies gave out."""


def listed(service: Service, **parameters: str) -> list[dict[str, Any]]:
    """Every credential that the parameters select, through all pages."""
    entries: list[dict[str, Any]] = []
    asked = dict(parameters)
    while True:
        response = service.get("/v1/credentials", asked)
        assert response.status_code == 200, response.text
        page = response.json()
        assert page["has_more"] is (page["next_cursor"] is not None)
        assert len(page["data"]) <= int(parameters.get("limit", 20))
        entries += page["data"]
        if not page["has_more"]:
            return entries
        asked = parameters | {"cursor": page["next_cursor"]}


def organisation() -> dict[str, Any]:
    return next(document for document in DOCUMENTS if document["subject"]["uscc"] and document.get("events"))


@pytest.fixture(scope="module")
def everything(service: Service) -> list[dict[str, Any]]:
    return listed(service, limit="100")


def test_the_demonstration_is_listed_to_its_end(service: Service, everything: list[dict[str, Any]]) -> None:
    assert len(everything) == len(DOCUMENTS) >= 120
    names = [(entry["type"], entry["number"], entry["issuer"]["id"]) for entry in everything]
    assert Counter(names) == Counter((entry["type"], entry["number"], entry["issuer"]) for entry in DOCUMENTS)
    assert len({entry["id"] for entry in everything}) == len(everything)
    assert {entry["type"] for entry in everything} == TYPES
    assert {entry["issuer"]["jurisdiction"] for entry in everything} >= {"CN-CQ", "CN-SC"}
    assert {entry["status"] for entry in everything} == STATUSES
    for entry in everything:
        assert set(entry) == VIEW
        assert is_instant(entry["issued_at"])


@pytest.mark.parametrize("limit", ["1", "7", None])
def test_the_order_does_not_depend_on_the_page_size(
    service: Service, everything: list[dict[str, Any]], limit: str | None
) -> None:
    wanted = [entry["id"] for entry in everything if entry["type"] == "inspection-body-qualification"]
    parameters = {"type": "inspection-body-qualification"} | ({"limit": limit} if limit else {})
    assert [entry["id"] for entry in listed(service, **parameters)] == wanted
    assert len(wanted) > 20


def test_a_page_says_as_of_when_it_is(service: Service) -> None:
    response = service.get("/v1/credentials", {"limit": "2", "known_at": "2026-01-01T00:00:00+08:00"}, "en")
    assert response.headers["content-language"] == "en"
    assert response.headers["vary"] == "Accept-Language, Authorization"
    page = response.json()
    assert set(page) == {"data", "next_cursor", "has_more", "valid_at", "known_at", "livemode"}
    assert page["known_at"] == "2025-12-31T16:00:00Z"
    assert is_instant(page["valid_at"])
    assert page["livemode"] is False
    following = service.get("/v1/credentials", {"limit": "2", "cursor": page["next_cursor"]}).json()
    assert (following["known_at"], following["valid_at"]) == (page["known_at"], page["valid_at"])


def test_a_cursor_belongs_to_its_filter(service: Service) -> None:
    cursor = service.get("/v1/credentials", {"limit": "2", "type": "ca-certificate"}).json()["next_cursor"]
    for other in ({}, {"type": "food-operation-licence"}, {"type": "ca-certificate", "status": "valid"}):
        refused = service.get("/v1/credentials", {"cursor": cursor, **other})
        assert_problem(refused, 422, "query.cursor_invalid", "/cursor")


@pytest.mark.parametrize("parameter", ["known_at", "valid_at"])
@pytest.mark.parametrize("instant", ["2025-01-01T00:00:00Z", "yesterday"])
def test_a_cursor_belongs_to_its_instants(service: Service, parameter: str, instant: str) -> None:
    """Another instant beside the cursor is refused, not passed over."""
    cursor = service.get("/v1/credentials", {"limit": "2"}).json()["next_cursor"]
    refused = service.get("/v1/credentials", {"cursor": cursor, parameter: instant})
    assert refused.status_code == 422


@pytest.mark.parametrize("change", ["x", "", "=", "A" * 600, "\x00", "é"], ids=repr)
def test_a_cursor_that_is_not_ours_is_refused(service: Service, change: str) -> None:
    cursor = service.get("/v1/credentials", {"limit": "2"}).json()["next_cursor"]
    for forged in (cursor + change if change else cursor[:-1], f"{change}!"):
        assert_problem(service.get("/v1/credentials", {"cursor": forged}), 422, "query.cursor_invalid", "/cursor")


@pytest.mark.parametrize("limit", ["0", "-1", "101", "1.0", "ten", "１", "9" * 4000, " 5", "+5"])
def test_a_limit_lies_between_1_and_100(service: Service, limit: str) -> None:
    document = assert_problem(service.get("/v1/credentials", {"limit": limit}), 422, "query.out_of_range", "/limit")
    assert document["errors"][0]["parameter"] == "limit"


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_the_status_filter_selects_by_status(service: Service, everything: list[dict[str, Any]], status: str) -> None:
    wanted = [entry["id"] for entry in everything if entry["status"] == status]
    assert wanted
    assert [entry["id"] for entry in listed(service, status=status, limit="3")] == wanted


def test_the_status_is_that_of_valid_at(service: Service) -> None:
    earlier = {entry["id"] for entry in listed(service, status="expired", valid_at="2020-06-01T00:00:00Z", limit="100")}
    later = {entry["id"] for entry in listed(service, status="expired", valid_at="2040-01-01T00:00:00Z", limit="100")}
    assert earlier < later


@pytest.mark.parametrize(
    "writing", ["JY15001039900010", "jy1500103 9900010", "ＪＹ15001039900010", "JY1500103-9900010"]
)
@pytest.mark.parametrize("with_type", [True, False], ids=["with type", "without type"])
def test_a_number_is_found_in_any_writing(service: Service, writing: str, with_type: bool) -> None:
    parameters = {"number": writing} | ({"type": "food-operation-licence"} if with_type else {})
    assert [entry["number"] for entry in listed(service, **parameters)] == ["JY15001039900010"]


def test_a_number_of_another_type_is_not_found(service: Service) -> None:
    assert listed(service, number="JY15001039900010", type="ca-certificate") == []
    assert listed(service, number="nobody") == []


def test_a_number_that_two_bodies_gave_out_is_told_apart_by_the_issuer(service: Service) -> None:
    both = listed(service, number=TWICE)
    assert len(both) == 2
    for entry in both:
        assert listed(service, number=TWICE, issuer=entry["issuer"]["id"]) == [entry]
    assert listed(service, issuer="nobody") == []


def test_every_holder_can_be_found_by_its_code_and_by_its_name(
    service: Service, everything: list[dict[str, Any]]
) -> None:
    subject = next(e["subject"] for e in everything if e["subject"]["uscc"] and e["status"] == "valid")
    wanted = [entry["id"] for entry in everything if entry["subject"]["uscc"] == subject["uscc"]]
    for writing in (subject["uscc"], subject["uscc"].lower(), f" {subject['uscc'][:9]} {subject['uscc'][9:]} "):
        assert [entry["id"] for entry in listed(service, subject=writing)] == wanted
    part = subject["name"][2:8]
    named = listed(service, name=part, limit="100")
    assert {entry["id"] for entry in named} == {e["id"] for e in everything if part in (e["subject"]["name"] or "")}
    assert set(wanted) <= {entry["id"] for entry in named}


@pytest.mark.parametrize("pattern", ["%", "_", "*", "' OR 1=1 --"])
def test_a_name_is_no_pattern(service: Service, pattern: str) -> None:
    assert listed(service, name=pattern) == []


def test_an_earlier_known_at_lists_what_was_known_then(service: Service, everything: list[dict[str, Any]]) -> None:
    earlier = listed(service, known_at="2023-01-01T00:00:00Z", limit="100")
    assert {entry["id"] for entry in earlier} < {entry["id"] for entry in everything}


@pytest.mark.parametrize(
    ("parameters", "code", "pointer"),
    [
        ({"type": "driving-licence"}, "query.unknown_type", "/type"),
        ({"status": "good"}, "query.not_allowed", "/status"),
        ({"number": "7" * 201}, "query.too_long", "/number"),
        ({"name": "a\x00b"}, "query.text_not_allowed", "/name"),
        ({"subject": "a\nb"}, "query.text_not_allowed", "/subject"),
        ({"colour": "red"}, "query.unknown_parameter", "/colour"),
        ({"fact.parameter": "x"}, "query.unknown_parameter", "/fact.parameter"),
        ({"known_at": "2999-01-01T00:00:00Z"}, "query.known_at_in_future", "/known_at"),
        ({"known_at": "2019-01-01T00:00:00Z"}, "query.known_at_before_history", "/known_at"),
        ({"valid_at": "2026-10-01T00:00:00"}, "query.time_without_offset", "/valid_at"),
        ({"valid_at": "tomorrow"}, "query.time_malformed", "/valid_at"),
        ({"valid_at": "2026-02-30T00:00:00Z"}, "query.time_out_of_range", "/valid_at"),
        ([("type", "ca-certificate"), ("type", "ca-certificate")], "query.repeated_parameter", "/type"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_listing_that_cannot_be_asked_for(service: Service, parameters: Any, code: str, pointer: str) -> None:
    texts = {
        assert_problem(service.get("/v1/credentials", parameters, lang), 422, code, pointer)["detail"]
        for lang in LANGUAGES
    }
    assert len(texts) == 2


def test_one_credential_by_its_id(service: Service) -> None:
    document = organisation()
    (listed_view,) = listed(service, type=document["type"], number=document["number"], issuer=document["issuer"])
    response = service.get(f"/v1/credentials/{listed_view['id']}")
    assert response.status_code == 200
    record = response.json()
    assert {name: record[name] for name in VIEW} == listed_view
    assert set(record) == VIEW | {
        "status_list",
        "events",
        "objections",
        "digest",
        "known_from",
        "valid_at",
        "known_at",
        "livemode",
    }
    assert record["digest"].startswith("sha256:")
    assert [event["event"] for event in record["events"]] == [event["event"] for event in document["events"]]
    for event in record["events"]:
        assert is_instant(event["effective_at"])
        assert is_instant(event["recorded_at"])


def test_a_record_of_an_earlier_time(service: Service) -> None:
    """A revocation is not yet in force before it takes effect, and not yet known before it is recorded."""
    document = next(d for d in DOCUMENTS if [e["event"] for e in d.get("events", ())] == ["revoked"])
    (view,) = listed(service, type=document["type"], number=document["number"], issuer=document["issuer"])
    address = f"/v1/credentials/{view['id']}"
    event = document["events"][0]
    assert service.get(address).json()["status"] == "revoked"
    before = service.get(address, {"valid_at": document["issued_at"]}).json()
    assert before["status"] != "revoked"
    assert len(before["events"]) == 1
    unknowing = service.get(address, {"known_at": document["recorded_at"], "valid_at": event["effective_at"]}).json()
    assert unknowing["status"] != "revoked"
    assert unknowing["events"] == []
    assert unknowing["digest"] != before["digest"]


@pytest.mark.parametrize("name", ["cred_nobody", "x" * 65, "x" * 5000, "%00", "%FF", "%F0%9F%94%91", "..%5C", "1' --"])
def test_an_id_that_nobody_has(service: Service, name: str) -> None:
    assert_problem(service.get(f"/v1/credentials/{name}"), 404, "credential.not_found")


@pytest.mark.parametrize(
    ("parameters", "code", "pointer"),
    [
        ({"known_at": "2999-01-01T00:00:00Z"}, "query.known_at_in_future", "/known_at"),
        ({"valid_at": "2026-10-01"}, "query.time_without_offset", "/valid_at"),
        ({"limit": "5"}, "query.unknown_parameter", "/limit"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_record_that_cannot_be_asked_for(
    service: Service, parameters: dict[str, str], code: str, pointer: str
) -> None:
    assert_problem(service.get("/v1/credentials/cred_nobody", parameters), 422, code, pointer)


def test_a_record_before_it_was_known_is_not_there(service: Service, everything: list[dict[str, Any]]) -> None:
    record = service.get(f"/v1/credentials/{everything[0]['id']}").json()
    assert record["known_from"] > "2020-01-02"
    earlier = service.get(f"/v1/credentials/{record['id']}", {"known_at": "2020-01-01T12:00:00Z"})
    assert_problem(earlier, 404, "credential.not_found")


def test_no_answer_names_a_natural_person(service: Service) -> None:
    """Neither the name nor the code of a person, in a listing, a record, an answer, or a receipt."""
    assert len(PERSONS) > 5
    answers = [service.get("/v1/credentials", {"limit": "100", "cursor": cursor}).text for cursor in cursors(service)]
    persons = [document for document in DOCUMENTS if document["subject"]["kind"] == "person"]
    for document in persons:
        (view,) = listed(service, type=document["type"], number=document["number"], issuer=document["issuer"])
        assert view["subject"] == {"kind": "person", "name": None, "uscc": None}
        answers.append(service.get(f"/v1/credentials/{view['id']}").text)
        purpose = "bidding.sign" if document["type"] == "ca-certificate" else "inspection.authenticity"
        answer = service.recognize({"credential": {"id": view["id"]}, "jurisdiction": "CN-SC", "purpose": purpose})
        assert answer.json()["credential"]["subject"]["name"] is None
        answers.append(answer.text)
        report = service.post("/v1/receipts/verifications", {"receipt": answer.json()["receipt"]})
        assert report.json()["genuine"] is True
        answers.append(report.text)
    hidden = {text for person in PERSONS for text in (person["name"], person["uscc"]) if text}
    assert [text for text in hidden for answer in answers if text in answer] == []


def cursors(service: Service) -> list[str]:
    """The beginning of every page of a hundred."""
    found = [""]
    while True:
        page = service.get("/v1/credentials", {"limit": "100", "cursor": found[-1]}).json()
        if not page["has_more"]:
            return found
        found.append(page["next_cursor"])


def test_a_natural_person_cannot_be_looked_for(service: Service) -> None:
    for person in PERSONS:
        assert listed(service, name=person["name"]) == []
        if person["uscc"]:
            assert listed(service, subject=person["uscc"]) == []


def test_the_examples_name_credentials_that_are_listed(service: Service) -> None:
    for decision, query in example_questions().items():
        number = query.get("credential", {}).get("number")
        if number is not None:
            assert bool(listed(service, number=number)) is (decision != "not_found")
    assert listed(service, number=RECOGNIZED["credential"]["number"])
