"""Anything as a body, a query string, a path or a receipt: an answer or a whole problem document, never a 500."""

import json
from typing import Any

import httpx
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.api.recognitions import LINK_PARAMETERS
from keys import base64url
from tests.api.service import RECOGNIZED, Service, assert_problem_shape, example_questions, link

JSON_HEADER = [(b"content-type", b"application/json")]
TRIED = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

texts = st.text(st.characters(), max_size=80)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
questions = st.sampled_from(list(example_questions().values()))
words = st.sampled_from(
    sorted({*LINK_PARAMETERS, "fact.site", "fact.items", "fact.premises_area", "limit", "cursor", "status", "name"})
)
known_values = st.sampled_from(
    sorted({value for query in example_questions().values() for value in link(query).values()})
)
instants = st.datetimes().map(lambda instant: instant.isoformat() + "Z") | st.from_regex(
    r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d{1,9})?(Z|[+-]\d\d:\d\d)\Z"
)


def assert_answered(response: httpx.Response, refusals: set[int]) -> None:
    if response.status_code == 200:
        assert response.headers["content-type"] == "application/json"
        assert response.json().get("livemode", False) is False
        return
    document = assert_problem_shape(response)
    assert document["status"] in refusals, document


def post(service: Service, content: Any) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return service.raw("POST", "/v1/recognitions", headers=JSON_HEADER, body=[body])


@TRIED
@given(content=values)
@example(content={"": {"": {"": ""}}})
@example(content={"credential": {"id": "\ud800"}})
def test_any_json_as_a_question(service: Service, content: Any) -> None:
    assert_answered(post(service, content), {400, 413, 422})


@TRIED
@given(content=st.binary(max_size=300))
@example(content=b"\x00")
def test_any_bytes_as_a_question(service: Service, content: bytes) -> None:
    assert_answered(post(service, content), {400, 422})


@TRIED
@given(query=questions, data=st.data())
def test_a_good_question_with_anything_in_one_place(
    service: Service, query: dict[str, Any], data: st.DataObject
) -> None:
    changed: dict[str, Any] = json.loads(json.dumps(query))
    inside = [changed, *(value for value in changed.values() if isinstance(value, dict))]
    place = data.draw(st.sampled_from(inside), label="object")
    name = data.draw(st.sampled_from(sorted(place)) | texts, label="member")
    place[name] = data.draw(values | instants | texts, label="value")
    assert_answered(post(service, changed), {400, 422})


@TRIED
@given(query=questions, valid_at=instants, known_at=instants | st.none())
def test_a_good_question_at_any_instant(service: Service, query: dict[str, Any], valid_at: str, known_at: str) -> None:
    response = post(service, query | {"valid_at": valid_at, "known_at": known_at})
    assert_answered(response, {422})
    if response.status_code == 422:
        assert {fault["pointer"] for fault in response.json()["errors"]} <= {"/valid_at", "/known_at"}


@TRIED
@given(number=texts, issuer=texts | st.none(), query=questions)
def test_a_good_question_about_any_number(
    service: Service, number: str, issuer: str | None, query: dict[str, Any]
) -> None:
    credential = {"type": RECOGNIZED["credential"]["type"], **query.get("credential", {}), "number": number}
    if issuer is not None:
        credential["issuer"] = issuer
    facts = query.get("facts", {}) if "credential" in query else {}
    asked = query | {"credential": credential, "facts": facts}
    if "credential" not in query:
        asked["purpose"] = RECOGNIZED["purpose"]
    assert_answered(post(service, asked), {422})


@TRIED
@given(query=st.binary(max_size=200) | texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_as_a_query_string(service: Service, query: bytes) -> None:
    for path in ("/v1/recognitions", "/v1/credentials", "/v1/credentials/cred_x", "/v1/agreements"):
        assert_answered(service.raw("GET", path, query), {400, 404, 422})


@TRIED
@given(pairs=st.lists(st.tuples(words | texts, known_values | instants | texts | st.integers().map(str)), max_size=8))
def test_any_parameters(service: Service, pairs: list[tuple[str, str]]) -> None:
    def bytes_of(text: str) -> bytes:
        return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass")).encode()

    query = b"&".join(bytes_of(name) + b"=" + bytes_of(value) for name, value in pairs)
    for path in ("/v1/recognitions", "/v1/credentials"):
        assert_answered(service.raw("GET", path, query), {400, 422})


@TRIED
@given(name=texts)
def test_any_credential_id(service: Service, name: str) -> None:
    response = service.raw("GET", f"/v1/credentials/{name}")
    assert response.status_code == 404
    assert_problem_shape(response)


@TRIED
@given(path=texts, method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) | texts)
def test_any_address(service: Service, path: str, method: str) -> None:
    response = service.raw(method, "/" + path)
    assert response.status_code in (404, 405)
    if method == "HEAD":
        assert response.content == b""
    else:
        assert_problem_shape(response)


@TRIED
@given(name=st.binary(max_size=20).map(bytes.lower), value=st.binary(max_size=100))
@example(name=b"accept-language", value=b"\xff" * 100)
@example(name=b"accept-language", value=b"en;q=nan, en;q=inf, zh;q=-1")
@example(name=b"if-none-match", value=b'W/W/"\xff", , ,')
@example(name=b"content-type", value=b"\xff;")
def test_any_header(service: Service, name: bytes, value: bytes) -> None:
    headers = [(name, value), *JSON_HEADER]
    body = json.dumps(RECOGNIZED).encode()
    assert_answered(service.raw("POST", "/v1/recognitions", headers=headers, body=[body]), {415})
    assert_answered(service.raw("GET", "/v1/credentials", b"limit=1", headers=headers), set())


@TRIED
@given(accept_language=texts | st.lists(st.sampled_from(["en", "zh", "*", ";q=", "0.5", ",", "nan", "-"])).map("".join))
def test_any_accept_language(service: Service, accept_language: str) -> None:
    headers = [(b"accept-language", accept_language.encode("latin-1", "replace"))]
    response = service.raw("GET", "/v1/agreements", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-language"] in ("zh-CN", "en")


@TRIED
@given(receipt=texts | st.lists(st.from_regex(r"\A[A-Za-z0-9_-]{0,40}\Z"), min_size=3, max_size=3).map(".".join))
def test_any_receipt(service: Service, receipt: str) -> None:
    content = json.dumps({"receipt": receipt}).encode()
    response = service.raw("POST", "/v1/receipts/verifications", headers=JSON_HEADER, body=[content])
    assert_answered(response, {422})
    if response.status_code == 200:
        assert response.json()["genuine"] is False


@TRIED
@given(cursor=texts | values.map(lambda value: link_safe(value)))
def test_any_cursor(service: Service, cursor: str) -> None:
    response = service.raw("GET", "/v1/credentials", f"cursor={quoted(cursor)}".encode())
    assert_answered(response, {400, 422})


def link_safe(value: Any) -> str:
    """A value as our cursors are written, or as anybody could forge one."""
    return base64url.encode(json.dumps(value).encode())


def quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
