"""Checking receipts over HTTP: genuine, not genuine, and whether today's answer would be another."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.usecases.issue_receipt import RECEIPT_TYPE
from keys.custody import key_directory
from keys.jws import sign_compact
from registry.canonical import canonical_json, digest
from tests.api.registrations import append_document, revocation_of
from tests.api.service import (
    LANGUAGES,
    RECOGNIZED,
    Service,
    assert_problem,
    example_questions,
    is_instant,
)

VERIFICATIONS = "/v1/receipts/verifications"
REPORT = {
    "genuine",
    "code",
    "message",
    "why",
    "kid",
    "claims",
    "changed",
    "differences",
    "today",
    "problem",
    "livemode",
}


def report_on(service: Service, receipt: str, language: str | None = None) -> dict[str, Any]:
    response = service.post(VERIFICATIONS, {"receipt": receipt}, language)
    assert response.status_code == 200, response.text
    report: dict[str, Any] = response.json()
    assert set(report) == REPORT
    assert report["livemode"] is False
    return report


def receipt_for(service: Service, query: dict[str, Any]) -> str:
    receipt: str = service.recognize(query).json()["receipt"]
    return receipt


def parts_of(receipt: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in receipt.split(".")]


def joined(*parts: bytes) -> str:
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def assert_not_genuine(report: dict[str, Any], code: str) -> None:
    assert report["genuine"] is False
    assert report["code"] == code, report
    assert report["why"]
    assert report["message"]
    for name in ("kid", "claims", "changed", "today", "problem"):
        assert report[name] is None
    assert report["differences"] == []


@pytest.mark.parametrize("decision", sorted(example_questions()))
def test_a_receipt_of_every_decision_is_genuine_and_unchanged(service: Service, decision: str) -> None:
    report = report_on(service, receipt_for(service, example_questions()[decision]))
    assert report["genuine"] is True
    assert (report["code"], report["why"], report["problem"]) == (None, None, None)
    assert report["kid"] in {key["kid"] for key in service.get("/.well-known/jwks.json").json()["keys"]}
    assert report["claims"]["decision"] == decision
    assert (report["changed"], report["differences"]) == (False, [])
    assert set(report["today"]) == {"decision", "reasons", "known_at"}
    assert report["today"]["decision"] == decision
    assert report["today"]["reasons"] == report["claims"]["reasons"]
    assert is_instant(report["today"]["known_at"])


def test_the_claims_are_those_of_the_answer(service: Service) -> None:
    answer = service.recognize(RECOGNIZED).json()
    claims = report_on(service, answer["receipt"])["claims"]
    for name in ("decision", "valid_at", "known_at", "evaluated_at", "fresh_until", "livemode", "agreement"):
        assert claims[name] == answer[name], name
    assert claims["reasons"] == [reason["code"] for reason in answer["reasons"]]
    assert claims["checks"] == {check["name"]: check["result"] for check in answer["checks"]}
    assert claims["query_hash"] == digest(canonical_json(claims["query"]))
    assert claims["iss"] == "urn:accord:test"
    assert claims["time_source"] == "asserted"
    assert "exp" not in claims


def test_a_receipt_is_stripped_of_white_space(service: Service) -> None:
    assert report_on(service, f"\n {receipt_for(service, RECOGNIZED)}\n")["genuine"] is True


@pytest.mark.parametrize("place", [0, 5, 40, 300, 900, -87, -86, -43, -2, -1])
@pytest.mark.parametrize("by", ["A", "b", "-", "="])
def test_one_character_changed(service: Service, place: int, by: str) -> None:
    receipt = receipt_for(service, RECOGNIZED)
    changed = list(receipt)
    changed[place] = by if receipt[place] != by else "C"
    assert report_on(service, "".join(changed))["genuine"] is False


def test_a_payload_that_was_changed(service: Service) -> None:
    header, payload, signature = parts_of(receipt_for(service, RECOGNIZED))
    claims = json.loads(payload)
    claims["decision"] = "not_recognized"
    assert_not_genuine(report_on(service, joined(header, canonical_json(claims), signature)), "signature.wrong")


def test_a_signature_by_a_key_that_is_not_ours(service: Service, tmp_path: Path) -> None:
    payload = parts_of(receipt_for(service, RECOGNIZED))[1]
    stranger = key_directory.create(tmp_path / "keys", "test", b"not ours")
    assert_not_genuine(report_on(service, sign_compact(payload, stranger, RECEIPT_TYPE)), "key.unknown")


def test_a_token_of_another_type(service: Service) -> None:
    payload = parts_of(receipt_for(service, RECOGNIZED))[1]
    assert_not_genuine(report_on(service, sign_compact(payload, service.node.signer, "JWT")), "jws.type_wrong")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"alg": "none"}, "signature.algorithm_not_allowed"),
        ({"alg": "HS256"}, "signature.algorithm_not_allowed"),
        ({"alg": None}, "signature.algorithm_not_allowed"),
        ({"jwk": {}}, "jws.header_not_allowed"),
        ({"jku": "https://example.org/jwks"}, "jws.header_not_allowed"),
        ({"crit": ["x"]}, "jws.header_not_allowed"),
        ({"kid": 7}, "key.unknown"),
        ({"kid": "\x00"}, "key.unknown"),
    ],
)
def test_a_header_that_is_not_taken(service: Service, change: dict[str, Any], code: str) -> None:
    header, payload, signature = parts_of(receipt_for(service, RECOGNIZED))
    changed = json.dumps(json.loads(header) | change).encode()
    assert_not_genuine(report_on(service, joined(changed, payload, signature)), code)


@pytest.mark.parametrize(
    "text", ["x", "a.b", "a.b.c.d", "..", "\x00.\x00.\x00", "证.证.证", "[" * 30_000, "a." * 20_000]
)
def test_a_text_that_is_no_receipt(service: Service, text: str) -> None:
    assert_not_genuine(report_on(service, text), "jws.malformed")


def test_a_lone_surrogate_is_no_receipt(service: Service) -> None:
    response = service.post(VERIFICATIONS, b'{"receipt": "\\ud800.\\udfff.a"}')
    assert response.status_code == 200
    assert_not_genuine(response.json(), "jws.malformed")


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 5000, b'{"iss": 1}', b"1e999"])
def test_signed_claims_that_are_none(service: Service, payload: bytes) -> None:
    """Signed by us, but no receipt: the report says so instead of failing."""
    assert_not_genuine(report_on(service, sign_compact(payload, service.node.signer, RECEIPT_TYPE)), "receipt.claims")


def test_claims_that_hash_another_query(service: Service) -> None:
    claims = json.loads(parts_of(receipt_for(service, RECOGNIZED))[1])
    claims["query"]["jurisdiction"] = "CN-CQ"
    token = sign_compact(canonical_json(claims), service.node.signer, RECEIPT_TYPE)
    assert_not_genuine(report_on(service, token), "receipt.claims")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"purpose": "report.framing"}, "query.purpose_unknown_for_type"),
        ({"jurisdiction": "CN-BJ"}, "query.unknown_jurisdiction"),
        ({"facts": {"colour": "red"}}, "query.unknown_fact"),
        ({"credential": dict.fromkeys(("id", "type", "number", "issuer"))}, "query.credential_required"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_question_that_can_no_longer_be_asked(service: Service, change: dict[str, Any], code: str) -> None:
    """A receipt of an earlier policy: it is genuine, and `problem` says why today there is no answer."""
    claims = json.loads(parts_of(receipt_for(service, RECOGNIZED))[1])
    claims["query"] |= change
    claims["query_hash"] = digest(canonical_json(claims["query"]))
    token = sign_compact(canonical_json(claims), service.node.signer, RECEIPT_TYPE)
    details = set()
    for language in LANGUAGES:
        report = report_on(service, token, language)
        assert report["genuine"] is True
        assert (report["changed"], report["today"], report["differences"]) == (None, None, [])
        assert report["problem"][0]["code"] == code
        details.add(report["problem"][0]["detail"])
    assert len(details) == 2


def test_a_later_revocation_changes_the_answer_but_not_the_receipt(
    copied: Settings, opened: Callable[..., Service]
) -> None:
    service = opened(copied)
    answer = service.recognize(RECOGNIZED).json()
    assert answer["decision"] == "recognized"
    assert report_on(service, answer["receipt"])["changed"] is False
    assert append_document(copied, revocation_of(RECOGNIZED["credential"]["number"])) == 1
    report = report_on(service, answer["receipt"])
    assert report["genuine"] is True
    assert report["changed"] is True
    assert report["today"]["decision"] == "not_recognized"
    assert report["today"]["reasons"][0] == "status.revoked"
    differences = {entry["name"]: entry for entry in report["differences"]}
    assert differences["decision"] == {"name": "decision", "then": "recognized", "now": "not_recognized"}
    assert differences["checks"]["now"]["status"] == "failed"
    assert {"decision", "reasons", "checks", "digests"} <= differences.keys()
    # What was known then is still answered as then, word for word.
    replayed = service.recognize(RECOGNIZED | {"known_at": answer["known_at"]}).json()
    assert replayed["decision"] == "recognized"
    kept = ("iat", "jti", "evaluated_at", "log")  # of the reading, not of what was read
    then, now = (json.loads(parts_of(entry["receipt"])[1]) for entry in (answer, replayed))
    assert {k: v for k, v in then.items() if k not in kept} == {k: v for k, v in now.items() if k not in kept}
    assert report_on(opened(copied), answer["receipt"])["changed"] is True


@pytest.mark.parametrize(
    ("content", "status", "code", "pointer"),
    [
        ({}, 422, "query.member_missing", "/receipt"),
        ([], 422, "query.member_missing", "/receipt"),
        ({"receipt": None}, 422, "query.member_missing", "/receipt"),
        ({"receipt": 7}, 422, "query.member_missing", "/receipt"),
        ({"receipt": ""}, 422, "query.empty", "/receipt"),
        ({"receipt": " \n"}, 422, "query.empty", "/receipt"),
        ({"receipt": "x", "jwks": {}}, 422, "query.unknown_member", None),
        ({"receipt": "x" * 50_000}, 413, "receipt.too_large", "/receipt"),
        ({"receipt": "x" * 1_000_000}, 413, "request.too_large", ""),
        (b'{"receipt": "a", "receipt": "b"}', 400, "request.duplicate_key", None),
        (b'{"receipt": 1.5}', 422, "request.number_not_allowed", None),
        (b"{", 400, "request.malformed_json", None),
    ],
)
def test_a_submission_that_holds_no_receipt(
    service: Service, content: Any, status: int, code: str, pointer: str | None
) -> None:
    details = {
        assert_problem(service.post(VERIFICATIONS, content, lang), status, code, pointer)["detail"]
        for lang in LANGUAGES
    }
    assert len(details) == 2


def test_a_submission_takes_no_parameter(service: Service) -> None:
    refused = service.post(f"{VERIFICATIONS}?kid=1", {"receipt": "x"})
    assert_problem(refused, 422, "query.unknown_parameter", "/kid")
