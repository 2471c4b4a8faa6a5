"""The main question over HTTP: the answer's shape, its headers, its languages, and the same by link and by body."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from app import clock
from tests.api.service import CHECKS, LANGUAGES, RECOGNIZED, Service, example_questions, is_instant, link, stable

MEMBERS = {
    "decision",
    "label",
    "reasons",
    "checks",
    "conditions",
    "agreement",
    "credential",
    "jurisdiction",
    "purpose",
    "valid_at",
    "known_at",
    "fresh_until",
    "evaluated_at",
    "receipt",
    "livemode",
    "request_id",
}
QUERIES = [pytest.param(query, decision, id=decision) for decision, query in example_questions().items()]
OPEN_ENDED = {name: value for name, value in RECOGNIZED.items() if name != "valid_at"}


def claims_of(receipt: str) -> dict[str, Any]:
    payload = receipt.split(".")[1]
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return content


def core_of(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims that the same question with the same `known_at` gives again."""
    assert {"query", "query_hash", "decision", "reasons", "checks", "digests", "fresh_until"} <= claims.keys()
    return {name: value for name, value in claims.items() if name not in ("iat", "jti", "evaluated_at")}


@pytest.mark.parametrize(("query", "decision"), QUERIES)
def test_every_decision_has_the_same_shape(service: Service, query: dict[str, Any], decision: str) -> None:
    response = service.recognize(query)
    assert response.status_code == 200
    answer = response.json()
    assert answer["decision"] == decision
    assert set(answer) - {"searched"} == MEMBERS
    assert answer["livemode"] is False
    assert [entry["name"] for entry in answer["checks"]] == CHECKS
    assert {entry["result"] for entry in answer["checks"]} <= {"passed", "failed", "indeterminate", "skipped"}
    assert answer["reasons"]
    for reason in answer["reasons"]:
        assert set(reason) == {"code", "message", "remedy", "contact", "legal_basis", "details"}
        assert reason["message"]
        for basis in reason["legal_basis"]:
            assert set(basis) == {"instrument", "number", "article"}
    for name in ("valid_at", "known_at", "evaluated_at"):
        assert is_instant(answer[name]), name
    assert answer["fresh_until"] is None or is_instant(answer["fresh_until"])
    assert answer["known_at"] <= answer["evaluated_at"]


@pytest.mark.parametrize(("query", "decision"), QUERIES)
def test_a_link_asks_the_same_question_as_a_body(service: Service, query: dict[str, Any], decision: str) -> None:
    question = query | {"known_at": service.recognize(query).json()["known_at"]}
    by_body = service.recognize(question)
    by_link = service.get("/v1/recognitions", link(question))
    assert by_link.status_code == 200
    assert stable(by_link.json()) == stable(by_body.json())
    assert by_link.json()["decision"] == decision
    mine, other = claims_of(by_link.json()["receipt"]), claims_of(by_body.json()["receipt"])
    assert core_of(mine) == core_of(other)
    assert mine["jti"] != other["jti"]


def test_an_answer_says_what_it_rests_on(service: Service) -> None:
    answer = service.recognize(RECOGNIZED).json()
    assert answer["agreement"].keys() == {"id", "version", "digest", "basis_strength"}
    assert answer["agreement"]["digest"].startswith("sha256:")
    assert answer["credential"]["id"].startswith("cred_")
    assert answer["credential"]["number"] == RECOGNIZED["credential"]["number"]
    assert answer["credential"]["issuer"]["jurisdiction"] == "CN-CQ"
    assert answer["credential"]["status"] == "valid"
    assert (answer["jurisdiction"], answer["purpose"]) == ("CN-SC", "report.acceptance")
    assert answer["valid_at"] == "2026-09-30T16:00:00Z"


def test_what_is_not_found_says_where_it_was_looked_for(service: Service) -> None:
    answer = service.recognize(example_questions()["not_found"]).json()
    assert answer["credential"] is None
    assert len(answer["searched"]) > 1
    for register in answer["searched"]:
        assert set(register) == {"issuer", "name", "as_of", "age_seconds"}
        assert is_instant(register["as_of"])
        assert register["age_seconds"] >= 0


def test_a_credential_can_be_named_by_its_id(service: Service) -> None:
    by_number = service.recognize(RECOGNIZED).json()
    question = RECOGNIZED | {"credential": {"id": by_number["credential"]["id"]}, "known_at": by_number["known_at"]}
    by_id = service.recognize(question).json()
    assert by_id["decision"] == "recognized"
    assert by_id["credential"] == by_number["credential"]
    by_link = service.get("/v1/recognitions", link(question)).json()
    assert stable(by_link) == stable(by_id)


def test_an_id_that_nobody_holds_is_not_found(service: Service) -> None:
    answer = service.recognize(RECOGNIZED | {"credential": {"id": "cred_nobody"}}).json()
    assert answer["decision"] == "not_found"
    assert answer["credential"] is None


def test_an_expected_subject_is_compared(service: Service) -> None:
    held = service.recognize(RECOGNIZED).json()["credential"]["subject"]
    right = service.recognize(RECOGNIZED | {"expected_subject": {"uscc": held["uscc"].lower(), "name": held["name"]}})
    assert right.json()["decision"] == "recognized"
    wrong = service.recognize(RECOGNIZED | {"expected_subject": {"uscc": "91510100TT0000000A"}}).json()
    assert wrong["decision"] == "not_recognized"
    assert wrong["reasons"][0]["code"] == "subject.mismatch"


def test_the_headers_of_an_answer(service: Service) -> None:
    response = service.recognize(RECOGNIZED)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-language"] == "zh-CN"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["vary"] == "Accept-Language, Authorization"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"] == response.json()["request_id"]
    assert int(response.headers["content-length"]) == len(response.content)


def test_the_languages_say_the_same(service: Service) -> None:
    question = RECOGNIZED | {"known_at": service.recognize(RECOGNIZED).json()["known_at"]}
    chinese, english = (service.recognize(question, language) for language in LANGUAGES)
    assert [chinese.headers["content-language"], english.headers["content-language"]] == list(LANGUAGES)
    first, second = chinese.json(), english.json()
    assert first["label"] != second["label"]
    for mine, other in zip(first["reasons"] + first["checks"], second["reasons"] + second["checks"], strict=True):
        assert mine["message"] != other["message"]
        assert mine["code"] == other["code"]
    assert core_of(claims_of(first["receipt"])) == core_of(claims_of(second["receipt"]))


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "zh-CN"),
        ("", "zh-CN"),
        ("zh-CN", "zh-CN"),
        ("zh-TW, en;q=0.5", "zh-CN"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("fr, en;q=0.8, zh;q=0.2", "en"),
        ("zh;q=0.4,en;q=0.5", "en"),
        ("en;q=0", "zh-CN"),
        ("fr", "zh-CN"),
        ("en;q=banana", "zh-CN"),
        ("*", "zh-CN"),
        (";;;,,,q=", "zh-CN"),
    ],
)
def test_accept_language_is_negotiated(service: Service, header: str | None, language: str) -> None:
    for address in ("/v1/agreements", "/v1/no-such-address", "/v1/credentials?limit=1"):
        assert service.get(address, language=header).headers["content-language"] == language, address
    assert service.recognize(RECOGNIZED, header).headers["content-language"] == language


@pytest.mark.parametrize("question", [OPEN_ENDED, RECOGNIZED], ids=["now", "at an instant"])
def test_the_tag_stays_the_same_and_saves_the_answer(service: Service, question: dict[str, Any]) -> None:
    first = service.get("/v1/recognitions", link(question))
    again = service.get("/v1/recognitions", link(question))
    assert first.json()["evaluated_at"] != again.json()["evaluated_at"]
    assert first.headers["etag"] == again.headers["etag"]
    tag = first.headers["etag"]
    saved = service.get("/v1/recognitions", link(question), If_None_Match=tag)
    assert (saved.status_code, saved.content) == (304, b"")
    for name in ("etag", "vary", "cache-control", "content-language"):
        assert saved.headers[name] == first.headers[name], name
    assert "content-type" not in saved.headers
    assert saved.headers["x-request-id"]
    assert service.get("/v1/recognitions", link(question), If_None_Match='"other"').status_code == 200


@pytest.mark.parametrize("decision", sorted(example_questions()))
def test_the_tag_outlives_the_second(service: Service, monkeypatch: pytest.MonkeyPatch, decision: str) -> None:
    """The same answer a little later: what only says how late it is belongs to no decision."""
    question = {name: value for name, value in example_questions()[decision].items() if name != "valid_at"}
    first = service.get("/v1/recognitions", link(question))
    later = clock.now() + timedelta(seconds=90)
    monkeypatch.setattr(clock, "now", lambda: later)
    second = service.get("/v1/recognitions", link(question))
    assert second.json()["evaluated_at"] > first.json()["evaluated_at"]
    assert second.json()["decision"] == first.json()["decision"]
    assert second.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("form", ["W/{}", '"other", {}', '"other",{}', "*", '{} , "x"'])
def test_if_none_match_is_read_as_a_list(service: Service, form: str) -> None:
    tag = service.get("/v1/recognitions", link(RECOGNIZED)).headers["etag"]
    response = service.get("/v1/recognitions", link(RECOGNIZED), If_None_Match=form.format(tag))
    assert response.status_code == 304


def test_the_tag_differs_by_language_and_by_question(service: Service) -> None:
    def tag(query: dict[str, Any], language: str) -> str:
        return service.get("/v1/recognitions", link(query), language).headers["etag"]

    other = RECOGNIZED | {"facts": RECOGNIZED["facts"] | {"parameter": "总砷"}}
    later = RECOGNIZED | {"valid_at": "2026-10-02T00:00:00+08:00"}
    tags = [tag(RECOGNIZED, "zh-CN"), tag(RECOGNIZED, "en"), tag(other, "zh-CN"), tag(later, "zh-CN")]
    assert len(set(tags)) == len(tags)


def test_a_body_is_never_answered_with_not_modified(service: Service) -> None:
    tag = service.get("/v1/recognitions", link(RECOGNIZED)).headers["etag"]
    assert service.post("/v1/recognitions", RECOGNIZED, If_None_Match=tag).status_code == 200


def test_head_gives_the_headers_of_get(service: Service) -> None:
    got = service.get("/v1/recognitions", link(RECOGNIZED))
    head = service.request("HEAD", "/v1/recognitions", params=link(RECOGNIZED))
    assert head.status_code == 200
    for name in ("etag", "vary", "cache-control", "content-language", "content-type", "content-length"):
        assert head.headers[name] == got.headers[name], name


def test_an_empty_parameter_counts_as_absent(service: Service) -> None:
    parameters = link(RECOGNIZED) | {"issuer": "", "relying_party": "", "known_at": "", "id": ""}
    assert service.get("/v1/recognitions", parameters).json()["decision"] == "recognized"


def test_the_same_question_with_known_at_gives_the_same_core(service: Service) -> None:
    question = RECOGNIZED | {"known_at": service.recognize(RECOGNIZED).json()["known_at"]}
    receipts = [claims_of(service.recognize(question).json()["receipt"]) for _ in range(2)]
    assert core_of(receipts[0]) == core_of(receipts[1])
    assert receipts[0]["jti"] != receipts[1]["jti"]


def test_what_became_known_later_is_not_seen_earlier(service: Service) -> None:
    """A question as of an instant before the register knew the credential."""
    record = service.get(f"/v1/credentials/{service.recognize(RECOGNIZED).json()['credential']['id']}").json()
    assert record["known_from"] > "2020-01-02"
    answer = service.recognize(RECOGNIZED | {"known_at": "2020-01-02T00:00:00Z"}).json()
    assert answer["credential"] is None
    assert answer["decision"] in ("not_found", "indeterminate")
    assert answer["known_at"] == "2020-01-02T00:00:00Z"
