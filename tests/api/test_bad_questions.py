"""Questions that read well and still cannot be asked, and instants at the end of time that can."""

from typing import Any

import pytest

from tests.api.service import LANGUAGES, RECOGNIZED, Service, assert_problem, example_questions, link

CREDENTIAL = RECOGNIZED["credential"]
USCC = "91500105TT0000816G"
LOCK = example_questions()["indeterminate"]

REFUSED: list[Any] = [
    ("no jurisdiction", {"jurisdiction": None}, "query.member_missing", "/jurisdiction"),
    ("no purpose", {"purpose": None}, "query.member_missing", "/purpose"),
    ("the national level", {"jurisdiction": "CN"}, "query.unknown_jurisdiction", "/jurisdiction"),
    ("another province", {"jurisdiction": "CN-BJ"}, "query.unknown_jurisdiction", "/jurisdiction"),
    ("in lower case", {"jurisdiction": "cn-sc"}, "query.unknown_jurisdiction", "/jurisdiction"),
    ("unknown type", {"credential": {"type": "passport", "number": "1"}}, "query.unknown_type", "/credential/type"),
    ("purpose of another type", {"purpose": "bidding.sign"}, "query.purpose_unknown_for_type", "/purpose"),
    ("no such purpose", {"purpose": "everything"}, "query.purpose_unknown_for_type", "/purpose"),
    ("purpose alone", {"purpose": "everything", "credential": None}, "query.unknown_purpose", "/purpose"),
    ("no credential", {"credential": None}, "query.credential_required", "/credential"),
    ("an empty credential", {"credential": {}}, "query.credential_required", "/credential"),
    ("type alone", {"credential": {"type": CREDENTIAL["type"]}}, "query.credential_required", "/credential"),
    ("number alone", {"credential": {"number": "1"}}, "query.member_missing", "/credential/type"),
    ("issuer alone", {"credential": {"issuer": "cq-samr"}}, "query.member_missing", "/credential/number"),
    ("id and number", {"credential": CREDENTIAL | {"id": "cred_x"}}, "query.credential_named_twice", "/credential/id"),
    ("unknown member", {"colour": "red"}, "query.unknown_member", "/colour"),
    ("member of the credential", {"credential": CREDENTIAL | {"x": 1}}, "query.unknown_member", "/credential/x"),
    ("member of the subject", {"expected_subject": {"uscc": USCC, "x": 1}}, "query.unknown_member",
     "/expected_subject/x"),
    ("an empty subject", {"expected_subject": {}}, "query.member_missing", "/expected_subject"),
    ("a code of 17", {"expected_subject": {"uscc": USCC[:17]}}, "query.uscc_malformed", "/expected_subject/uscc"),
    ("a code with O", {"expected_subject": {"uscc": "O" * 18}}, "query.uscc_malformed", "/expected_subject/uscc"),
    ("unknown fact", {"facts": {"colour": "red"}}, "query.unknown_fact", "/facts/colour"),
    ("65 facts", {"facts": {f"f{n}": "x" for n in range(65)}}, "query.too_long", "/facts"),
    ("201 characters of a fact", {"facts": {"parameter": "铅" * 201}}, "query.too_long", "/facts/parameter"),
    ("an empty fact", {"facts": {"parameter": ""}}, "query.empty", "/facts/parameter"),
    ("a null fact", {"facts": {"parameter": None}}, "query.wrong_kind", "/facts/parameter"),
    ("a certificate", {"credential": {"type": "ca-certificate", "certificate": "MIIB"}},
     "query.certificate_malformed", "/credential/certificate"),
    ("a certificate beside a number", {"credential": CREDENTIAL | {"certificate": "MIIB"}},
     "query.certificate_malformed", "/credential/certificate"),
    ("a lock in the future", {**LOCK, "facts": {}, "valid_at": "2999-01-01T00:00:00Z"}, "query.valid_at_in_future",
     "/valid_at"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "pointer"), [pytest.param(*entry[1:], id=entry[0]) for entry in REFUSED])
def test_a_question_that_cannot_be_asked(service: Service, change: dict[str, Any], code: str, pointer: str) -> None:
    details = set()
    for language in LANGUAGES:
        document = assert_problem(service.recognize(RECOGNIZED | change, language), 422, code, pointer)
        details.add(document["detail"])
        assert document["errors"][0]["code"] == code
    assert len(details) == 2


def test_everything_wrong_is_told_at_once(service: Service) -> None:
    question = {"credential": {"number": 7}, "valid_at": "soon", "facts": [], "x": 1}
    document = assert_problem(service.recognize(question), 422, "query.wrong_kind")
    assert {(fault["pointer"], fault["code"]) for fault in document["errors"]} == {
        ("/credential/number", "query.wrong_kind"),
        ("/jurisdiction", "query.member_missing"),
        ("/purpose", "query.member_missing"),
        ("/valid_at", "query.time_malformed"),
        ("/facts", "query.wrong_kind"),
        ("/x", "query.unknown_member"),
    }


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("premises_area", "51010"),
        ("premises_area", "成都"),
        ("items", "预包装食品销售"),
        ("items", [7]),
        ("confirmation_letter", "true"),
        ("confirmation_letter", 1),
        ("directly_operated", "yes"),
    ],
)
def test_a_fact_of_the_wrong_kind(service: Service, fact: str, value: Any) -> None:
    question = example_questions()["conditional"]
    refused = service.recognize(question | {"facts": question["facts"] | {fact: value}})
    assert_problem(refused, 422, "query.wrong_kind", f"/facts/{fact}")


@pytest.mark.parametrize("value", ["yes", "1", "TRUE", "wahr"])
def test_a_written_truth_value(service: Service, value: str) -> None:
    parameters = link(example_questions()["conditional"]) | {"fact.directly_operated": value}
    document = assert_problem(
        service.get("/v1/recognitions", parameters), 422, "query.wrong_kind", "/facts/directly_operated"
    )
    assert document["errors"][0]["parameter"] == "fact.directly_operated"


@pytest.mark.parametrize("decision", sorted(set(example_questions()) - {"indeterminate"}))
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "instant",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000001Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T15:59:59Z",
        "9999-12-31T16:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999999999Z",
    ],
)
def test_the_first_and_the_last_instant_are_answered(
    service: Service, decision: str, language: str, instant: str
) -> None:
    question = example_questions()[decision] | {"valid_at": instant}
    response = service.recognize(question, language)
    assert response.status_code == 200
    assert response.json()["valid_at"].startswith(instant[:19])
    verified = service.post("/v1/receipts/verifications", {"receipt": response.json()["receipt"]})
    assert verified.json()["genuine"] is True
    page = service.get("/v1/credentials", {"valid_at": instant, "limit": "100"}, language)
    assert page.status_code == 200
    following = service.get("/v1/credentials", {"cursor": page.json()["next_cursor"], "limit": "100"}, language)
    assert following.json()["valid_at"] == page.json()["valid_at"]


def test_a_lock_is_answered_at_the_first_instant(service: Service) -> None:
    response = service.recognize(LOCK | {"valid_at": "0001-01-01T00:00:00Z"})
    assert response.status_code == 200


@pytest.mark.parametrize("offset", ["+08:00", "-23:59", "+23:59", "+00:00", "-00:00"])
def test_an_instant_may_have_any_offset(service: Service, offset: str) -> None:
    answer = service.recognize(RECOGNIZED | {"valid_at": f"2026-10-01T12:00:00.25{offset}"})
    assert answer.status_code == 200
    assert answer.json()["valid_at"].endswith(".250000Z")


def test_the_query_of_a_body_is_not_passed_over(service: Service) -> None:
    """A parameter beside a body would be believed to count: it is refused, as on every other address."""
    refused = service.post("/v1/recognitions?known_at=2025-01-01T00:00:00Z", RECOGNIZED)
    assert refused.status_code == 422
