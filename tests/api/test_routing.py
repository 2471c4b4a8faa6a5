"""What holds for every address: request ids, problem documents for what is not there, and the methods it takes."""

import re
from typing import Any

import pytest

from tests.api.service import LANGUAGES, RECOGNIZED, Service, assert_problem, assert_problem_shape

GET_ONLY = [
    "/v1/credentials/cred_nobody",
    "/v1/jurisdictions",
    "/v1/authorities",
    "/v1/credential-types",
    "/v1/agreements",
    "/.well-known/jwks.json",
    "/healthz",
    "/readyz",
    "/v1/about",
]
UNKNOWN = [
    "/",
    "/v1",
    "/v1/",
    "/v1/recognitions/",
    "/v1/Recognitions",
    "/v2/recognitions",
    "/v1/credentials/",
    "/%2e%2e",
]
METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]


@pytest.mark.parametrize("address", [*GET_ONLY, "/openapi.json", "/docs", "/v1/no-such-address"])
@pytest.mark.parametrize("given", ["a", "A-b_c.9", "0" * 64])
def test_a_request_id_is_given_back(service: Service, address: str, given: str) -> None:
    assert service.get(address, X_Request_ID=given).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, "", " ", "a b", "0" * 65, "a\tb", "<script>", "é".encode().decode("latin-1")])
def test_a_request_id_that_cannot_be_kept_is_replaced(service: Service, given: str | None) -> None:
    headers = [] if given is None else [(b"x-request-id", given.encode("latin-1"))]
    first, second = (service.raw("GET", "/healthz", headers=headers).headers["x-request-id"] for _ in range(2))
    assert re.fullmatch(r"[0-9a-f]{24}", first)
    assert first != second


def test_a_request_id_stands_in_answers_and_refusals(service: Service) -> None:
    answer = service.post("/v1/recognitions", RECOGNIZED, X_Request_ID="asked-7")
    assert (answer.headers["x-request-id"], answer.json()["request_id"]) == ("asked-7", "asked-7")
    refusal = service.post("/v1/recognitions", {}, X_Request_ID="asked-8")
    assert assert_problem_shape(refusal)["request_id"] == "asked-8"


@pytest.mark.parametrize("address", UNKNOWN)
def test_an_unknown_address(service: Service, address: str) -> None:
    titles = set()
    for language in LANGUAGES:
        document = assert_problem(service.get(address, language=language), 404, "route.not_found")
        titles.add((document["title"], document["detail"]))
    assert len(titles) == 2


@pytest.mark.parametrize("address", GET_ONLY)
@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_an_address_does_not_take(service: Service, address: str, method: str) -> None:
    response = service.request(method, address)
    assert_problem(response, 405, "route.method_not_allowed")
    assert "GET" in response.headers["allow"].split(", ")


@pytest.mark.parametrize("method", METHODS[1:])
def test_an_address_of_two_routes_names_the_methods_of_both(service: Service, method: str) -> None:
    response = service.request(method, "/v1/credentials")
    assert_problem(response, 405, "route.method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_method_that_the_main_question_does_not_take(service: Service, method: str) -> None:
    response = service.request(method, "/v1/recognitions")
    assert_problem(response, 405, "route.method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("method", ["GET", *METHODS[1:]])
def test_a_method_that_the_verification_does_not_take(service: Service, method: str) -> None:
    response = service.request(method, "/v1/receipts/verifications")
    assert_problem(response, 405, "route.method_not_allowed")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("address", ["/v1/agreements", "/v1/credentials?limit=1", "/healthz"])
def test_head_of_a_readable_address(service: Service, address: str) -> None:
    """RFC 9110 §9.1: GET and HEAD belong together."""
    head = service.request("HEAD", address)
    assert head.status_code == service.get(address).status_code
    assert head.content == b""


@pytest.mark.parametrize("address", [*GET_ONLY, "/v1/recognitions", "/docs", "/openapi.json"])
def test_every_response_says_what_it_is(service: Service, address: str) -> None:
    response = service.get(address)
    assert response.headers["content-type"].split(";")[0] in (
        "application/json",
        "application/problem+json",
        "text/html",
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    assert len(response.headers.get_list("x-request-id")) == 1
    if response.headers["content-type"].startswith("application"):
        body: Any = response.json()
        assert isinstance(body, dict)
