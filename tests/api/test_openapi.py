"""The OpenAPI document: valid, complete, free of outside hosts, and its examples are what the demonstration answers."""

import json
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from app.api.lock_declarations import description
from app.api.openapi import examples
from registry.decision import OUTCOMES
from tests.api.service import JSON, LANGUAGES, Service, example_questions, link, open_service, settings_at

EXAMPLES = {entry["answer"]["decision"]: entry for entry in examples()}
METHODS = {"get", "post"}
TAKEN = {
    ("/v1/ca/signatures", "post"),
    ("/v1/recognitions", "post"),
    ("/v1/recognitions", "get"),
    ("/v1/credentials", "get"),
    ("/v1/credentials", "post"),
    ("/v1/credentials/{id}", "get"),
    ("/v1/credentials/{id}/events", "post"),
    ("/v1/credentials/{id}/history", "get"),
    ("/v1/jurisdictions", "get"),
    ("/v1/authorities", "get"),
    ("/v1/credential-types", "get"),
    ("/v1/agreements", "get"),
    ("/v1/trust-anchors", "get"),
    ("/v1/accepted-cas", "get"),
    ("/v1/issuer-keys", "get"),
    ("/v1/ca/challenges", "post"),
    ("/v1/ca/verifications", "post"),
    ("/.well-known/jwks.json", "get"),
    ("/v1/receipts/verifications", "post"),
    ("/v1/statements/{digest}", "get"),
    ("/v1/register-reports", "post"),
    ("/v1/imports", "post"),
    ("/v1/imports/{id}", "get"),
    ("/v1/imports/{id}/errors", "get"),
    ("/v1/objections", "get"),
    ("/v1/objections", "post"),
    ("/v1/objections/{id}", "get"),
    ("/v1/objections/{id}/answer", "post"),
    ("/v1/log/checkpoint", "get"),
    ("/v1/log/tile/{level}/{name}", "get"),
    ("/v1/log/proofs/inclusion", "get"),
    ("/v1/log/proofs/consistency", "get"),
    ("/v1/status-lists/{id}", "get"),
    ("/oauth/token", "post"),
    ("/healthz", "get"),
    ("/readyz", "get"),
    ("/v1/about", "get"),
}


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    response = service.get("/openapi.json")
    assert response.status_code == 200
    content: dict[str, Any] = response.json()
    return content


def catalogue(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads(resources.files("app.messages").joinpath(f"{language}.toml").read_text(encoding="utf-8"))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield path, method, item[method]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def assert_conforms(document: dict[str, Any], name: str, value: Any) -> None:
    """The value fits the schema of that name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(value)


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()
    broken = json.loads(json.dumps(document))
    del broken["info"]
    with pytest.raises(jsonschema_rs.ValidationError):
        schemathesis.openapi.from_dict(broken).validate()


def test_every_schema_is_valid_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})
    found = set(references(document))
    assert found <= {f"#/components/schemas/{name}" for name in schemas}
    assert len(found) > 20


def test_every_operation_is_told_of(document: dict[str, Any]) -> None:
    told = list(operations(document))
    assert {(path, method) for path, method, _ in told} == TAKEN
    identities = [operation["operationId"] for _, _, operation in told]
    assert len(set(identities)) == len(identities)
    for _, _, operation in told:
        assert operation["summary"]
        assert operation["tags"]
        assert {"200", "201", "202"} & operation["responses"].keys()
        for status, response in operation["responses"].items():
            if status.startswith("4") and operation["operationId"] != "token_oauth_token_post":
                assert set(response["content"]) == {"application/problem+json"}


LOCKS = ("/v1/ca/challenges", "/v1/ca/verifications", "/v1/ca/signatures")
NAMED = re.compile(r"`([a-z][a-z0-9_.-]*)`")


def reachable(document: dict[str, Any], value: Any) -> set[str]:
    """Names of members, parameters and values in what an operation declares, through every reference."""
    schemas = document["components"]["schemas"]
    waiting, seen, names = [value], set[str](), set[str]()
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            names |= set(found.get("properties", ())) | {str(entry) for entry in found.get("enum", ())}
            names |= {str(found[name]) for name in ("name", "const") if name in found}
            reference = str(found.get("$ref", "")).rpartition("/")[2]
            if reference in schemas and reference not in seen:
                seen.add(reference)
                waiting.append(schemas[reference])
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
    return names


@pytest.mark.parametrize("path", LOCKS)
def test_the_operations_on_locks_say_what_they_answer_and_refuse(document: dict[str, Any], path: str) -> None:
    operation = document["paths"][path]["post"]
    told = operation["description"]
    assert told == description(operation["operationId"])
    in_chinese, in_english = re.split(r"\n\n(?=[A-Z])", told, maxsplit=1)
    known = {code.partition("#")[0] for table in catalogue("en").values() for code in table}
    members, purposes = reachable(document, operation), {"bidding.login", "bidding.sign"}
    for part, word in ((in_chinese, "拒绝"), (in_english, "Refused")):
        named = set(NAMED.findall(part))
        codes = {name for name in named if "." in name} - purposes
        assert codes
        assert codes <= known
        assert named - codes - purposes <= members
        assert word in part
    assert set(NAMED.findall(in_chinese)) == set(NAMED.findall(in_english))
    declared = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    required = set(document["components"]["schemas"][declared]["required"])
    assert required - {"jurisdiction"} <= set(NAMED.findall(told)) | {"purpose", "relying_party"}


def test_nothing_is_loaded_from_an_outside_host(service: Service, document: dict[str, Any]) -> None:
    assert "//" not in service.get("/docs").text.replace("<!-- `SwaggerUIBundle` is now available on the page -->", "")
    assert not {"servers", "externalDocs"} & document.keys()
    assert all(reference.startswith("#/") for reference in references(document))


@pytest.mark.parametrize("decision", OUTCOMES)
def test_every_decision_has_an_example(service: Service, document: dict[str, Any], decision: str) -> None:
    """The example's query, asked of the demonstration, gives the example's decision and reasons."""
    content = document["paths"]["/v1/recognitions"]["post"]
    query = content["requestBody"]["content"]["application/json"]["examples"][decision]["value"]
    shown = content["responses"]["200"]["content"]["application/json"]["examples"][decision]["value"]
    assert query == EXAMPLES[decision]["query"]
    assert shown == EXAMPLES[decision]["answer"]
    answer = service.recognize(query).json()
    assert answer["decision"] == shown["decision"] == decision
    assert answer["label"] == shown["label"]
    for name in ("reasons", "checks"):
        assert [entry["code"] for entry in answer[name]] == [entry["code"] for entry in shown[name]]
    assert [entry["result"] for entry in answer["checks"]] == [entry["result"] for entry in shown["checks"]]
    assert answer["conditions"] == shown["conditions"]
    assert answer["agreement"] == shown["agreement"]
    assert answer["credential"] == shown["credential"]
    assert answer["valid_at"] == shown["valid_at"]


@pytest.mark.parametrize("decision", OUTCOMES)
def test_an_example_fits_the_schemas(document: dict[str, Any], decision: str) -> None:
    assert_conforms(document, "Query", EXAMPLES[decision]["query"])
    assert_conforms(document, "Answer", EXAMPLES[decision]["answer"])


def test_there_is_one_example_for_every_decision() -> None:
    assert sorted(entry["answer"]["decision"] for entry in examples()) == sorted(OUTCOMES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answers_about_every_credential_fit_the_schema(
    service: Service, document: dict[str, Any], language: str
) -> None:
    """Every credential, for every purpose of its type, where it was issued and across the border."""
    types = {entry["id"]: entry for entry in service.get("/v1/credential-types").json()["data"]}
    decisions = set()
    cursor = ""
    while cursor is not None:
        page = service.get("/v1/credentials", {"limit": "100", "cursor": cursor}, language).json()
        assert_conforms(document, "CredentialPage", page)
        cursor = page["next_cursor"]
        for place, view in enumerate(page["data"]):
            purposes = types[view["type"]]["purposes"]
            query = {
                "credential": {"id": view["id"]},
                "jurisdiction": ("CN-CQ", "CN-SC")[place % 2],
                "purpose": purposes[place % len(purposes)]["id"],
            }
            answer = service.recognize(query, language).json()
            assert_conforms(document, "Answer", answer)
            decisions.add(answer["decision"])
    assert {"recognized", "not_recognized", "indeterminate"} <= decisions


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_other_answer_fits_its_schema(service: Service, document: dict[str, Any], language: str) -> None:
    listed = service.get("/v1/credentials", {"status": "revoked"}, language).json()["data"]
    receipt = service.recognize(example_questions()["recognized"]).json()["receipt"]
    for view in listed:
        record = service.get(f"/v1/credentials/{view['id']}", language=language).json()
        assert_conforms(document, "CredentialRecord", record)
        assert_conforms(document, "CredentialHistory", service.get(f"/v1/credentials/{view['id']}/history").json())
    for name in ("jurisdictions", "authorities", "credential-types", "agreements"):
        assert_conforms(document, "PolicyList", service.get(f"/v1/{name}", language=language).json())
    for text in (receipt, "x"):
        report = service.post("/v1/receipts/verifications", {"receipt": text}, language).json()
        assert_conforms(document, "ReceiptReport", report)
    for address, name in (
        ("/.well-known/jwks.json", "Jwks"),
        ("/healthz", "Health"),
        ("/readyz", "Readiness"),
        ("/v1/about", "About"),
        ("/v1/log/proofs/inclusion?index=7", "InclusionProof"),
        ("/v1/log/proofs/consistency?first=7", "ConsistencyProof"),
    ):
        assert_conforms(document, name, service.get(address, language=language).json())
    for refused in (
        service.recognize({}, language),
        service.get("/v1/recognitions", {"valid_at": "x"}, language),
        service.get("/v1/nothing", language=language),
    ):
        assert_conforms(document, "ProblemDocument", refused.json())


def test_the_schema_refuses_what_is_no_answer(document: dict[str, Any]) -> None:
    """Held against itself: the schemas are strict enough for the tests above to fail."""
    answer = EXAMPLES["recognized"]["answer"]
    for change in ({"decision": "yes"}, {"reasons": []}, {"checks": []}, {"surprise": 1}, {"valid_at": "soon"}):
        with pytest.raises(jsonschema_rs.ValidationError):
            assert_conforms(document, "Answer", answer | change)


def test_the_document_is_the_same_at_every_start(home: Path, service: Service) -> None:
    again = open_service(settings_at(home))
    try:
        assert again.get("/openapi.json").json() == service.get("/openapi.json").json()
    finally:
        again.node.reader.close()


@pytest.mark.parametrize("decision", sorted(EXAMPLES))
def test_the_examples_can_be_asked_by_link(service: Service, decision: str) -> None:
    response = service.get("/v1/recognitions", link(EXAMPLES[decision]["query"]))
    assert response.json()["decision"] == decision


def test_the_page_of_the_documentation(service: Service) -> None:
    page = service.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name, media_type in (
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("favicon.png", "image/png"),
    ):
        assert f"/docs/{name}" in page.text
        file = service.get(f"/docs/{name}")
        assert file.status_code == 200
        assert file.headers["content-type"].startswith(media_type)
        assert len(file.content) > 100
    assert service.request("POST", "/docs", headers=JSON).status_code == 405
