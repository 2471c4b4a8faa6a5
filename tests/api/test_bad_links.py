"""Links that cannot be asked: repeated, unknown and unreadable parameters, each told by its name."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.api.service import LANGUAGES, RECOGNIZED, Service, assert_problem, example_questions, link

ADDRESS = "/v1/recognitions"
GOOD = urlencode(link(RECOGNIZED)).encode()
TEXTS = ["type", "number", "issuer", "jurisdiction", "purpose", "relying_party", "valid_at", "known_at", "fact.site"]


def assert_refused(service: Service, query: bytes, status: int, code: str, parameter: str | None = None) -> None:
    """Refused in both languages with the same code; the fault names the parameter."""
    documents = [
        assert_problem(service.raw("GET", ADDRESS, query, [(b"accept-language", language.encode())]), status, code)
        for language in LANGUAGES
    ]
    assert documents[0]["detail"] != documents[1]["detail"]
    if parameter is not None:
        for document in documents:
            assert parameter in [fault.get("parameter") for fault in document["errors"]], document


def with_parameter(name: str, value: str) -> bytes:
    parameters: dict[str, Any] = link(RECOGNIZED) | {name: value}
    return urlencode(parameters).encode()


@pytest.mark.parametrize(
    "query",
    [b"number=%ff%fe", b"number=\xff", b"%ff=1", b"fact.site=%ed%a0%80", b"number=%c0%80", "number=用途".encode("gbk")],
)
def test_bytes_that_are_not_utf_8(service: Service, query: bytes) -> None:
    assert_refused(service, GOOD + b"&" + query, 400, "request.malformed_query")
    assert_refused(service, query, 400, "request.malformed_query")


@pytest.mark.parametrize("query", [b"number=%zz", b"number=%", b"number=%2", b"number=%u5b57"])
def test_a_percent_sign_that_begins_nothing_is_a_character(service: Service, query: bytes) -> None:
    """As the URL standard reads it; such a number is simply not found."""
    others = urlencode({name: value for name, value in link(RECOGNIZED).items() if name != "number"}).encode()
    response = service.raw("GET", ADDRESS, others + b"&" + query)
    assert response.status_code == 200
    assert response.json()["decision"] == "not_found"


@pytest.mark.parametrize("count", [101, 1_000, 20_000])
def test_too_many_parameters(service: Service, count: int) -> None:
    query = b"&".join(b"fact.f%d=x" % place for place in range(count))
    assert_refused(service, query, 400, "request.malformed_query")


@pytest.mark.parametrize("name", ["number", "purpose", "known_at", "fact.site"])
@pytest.mark.parametrize("value", ["", "1"])
def test_a_parameter_twice(service: Service, name: str, value: str) -> None:
    repeated = f"&{name}={value}&{name}={value}".encode()
    assert_refused(service, GOOD + repeated, 422, "query.repeated_parameter", name)


def test_a_parameter_twice_in_two_writings(service: Service) -> None:
    assert_refused(service, GOOD + b"&%6eumber=1", 422, "query.repeated_parameter", "number")


@pytest.mark.parametrize("name", ["colour", "Number", "number ", "facts", "fact", "fact.", "expected_subject", "limit"])
def test_an_unknown_parameter(service: Service, name: str) -> None:
    assert_refused(service, GOOD + f"&{quote(name)}=1".encode(), 422, "query.unknown_parameter", name)


@pytest.mark.parametrize("name", ["\x00", "a\nb", "\x1b[31m", "x" * 5_000])
def test_a_parameter_that_cannot_be_printed(service: Service, name: str) -> None:
    response = service.raw("GET", ADDRESS, GOOD + f"&{quote(name)}=1".encode())
    document = assert_problem(response, 422, "query.unknown_parameter")
    shown = [text for fault in document["errors"] for text in fault.values()]
    assert all(len(text) < 500 for text in shown)
    assert not any(character < " " for text in shown for character in text)


@pytest.mark.parametrize("name", ["a/b", "a~b"])
def test_a_parameter_with_the_signs_of_a_pointer(service: Service, name: str) -> None:
    assert_refused(service, GOOD + f"&{quote(name, safe='')}=1".encode(), 422, "query.unknown_parameter", name)


@pytest.mark.parametrize("name", ["colour", "Parameter", "a.b", "变量", "a/b", "a~b"])
def test_an_unknown_fact(service: Service, name: str) -> None:
    assert_refused(service, with_parameter(f"fact.{name}", "x"), 422, "query.unknown_fact", f"fact.{name}")


@pytest.mark.parametrize("parameter", TEXTS)
@pytest.mark.parametrize(
    ("value", "code"),
    [("a\x00b", "query.text_not_allowed"), ("7" * 10_000, "query.too_long"), (" ", "query.empty")],
    ids=["NUL", "10,000 characters", "blank"],
)
def test_a_text_that_is_none(service: Service, parameter: str, value: str, code: str) -> None:
    assert_refused(service, with_parameter(parameter, value), 422, code, parameter)


@pytest.mark.parametrize("name", ["valid_at", "known_at"])
@pytest.mark.parametrize(
    ("instant", "code"),
    [
        ("2026-10-01", "query.time_without_offset"),
        ("2026-10-01T00:00:00  08:00", "query.time_malformed"),
        ("2026-10-01 00:00:00 08:00", "query.time_malformed"),
        ("2026-02-30T00:00:00Z", "query.time_out_of_range"),
        ("0000-01-01T00:00:00Z", "query.time_out_of_range"),
    ],
)
def test_a_time_that_is_none(service: Service, name: str, instant: str, code: str) -> None:
    assert_refused(service, with_parameter(name, instant), 422, code, name)


@pytest.mark.parametrize("path", [ADDRESS, "/v1/credentials"])
@pytest.mark.parametrize("name", ["valid_at", "known_at"])
def test_a_plus_sign_before_an_offset_need_not_be_escaped(service: Service, path: str, name: str) -> None:
    now = service.get(ADDRESS, link(RECOGNIZED)).json()["valid_at"].replace("Z", "+00:00")
    asked = {other: value for other, value in link(RECOGNIZED).items() if other != name}
    others = urlencode(asked).encode() if path == ADDRESS else b"limit=1"
    response = service.raw("GET", path, others + f"&{name}={now}".encode())
    assert response.status_code == 200, response.text
    assert response.json()[name] == now.replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("parameter", "value", "code", "named"),
    [
        ("known_at", "2999-01-01T00:00:00Z", "query.known_at_in_future", "known_at"),
        ("known_at", "2019-01-01T00:00:00Z", "query.known_at_before_history", "known_at"),
        ("jurisdiction", "CN", "query.unknown_jurisdiction", "jurisdiction"),
        ("jurisdiction", "", "query.member_missing", "jurisdiction"),
        ("purpose", "bidding.sign", "query.purpose_unknown_for_type", "purpose"),
        ("type", "passport", "query.unknown_type", "type"),
        ("type", "", "query.member_missing", "type"),
        ("number", "7" * 65, "query.too_long", "number"),
        ("id", "cred_x", "query.credential_named_twice", "id"),
        ("certificate", "MIIB", "query.unknown_parameter", "certificate"),
    ],
)
def test_a_question_that_cannot_be_asked(service: Service, parameter: str, value: str, code: str, named: str) -> None:
    assert_refused(service, with_parameter(parameter, value), 422, code, named)


def test_a_number_of_64_characters_is_asked(service: Service) -> None:
    for number in ("7" * 64, "证" * 64):
        response = service.raw("GET", ADDRESS, with_parameter("number", number))
        assert response.json()["decision"] == "not_found"


def test_a_question_without_any_parameter(service: Service) -> None:
    assert_refused(service, b"", 422, "query.member_missing", "jurisdiction")


def test_head_is_refused_as_get_is(service: Service) -> None:
    assert service.raw("HEAD", ADDRESS, b"number=1").status_code == 422


def test_a_list_is_written_with_any_usual_separator(service: Service) -> None:
    question = example_questions()["conditional"]
    for separator in (",", "，", "、", ";", "；"):
        items = separator.join(["预包装食品销售", "散装食品销售"])
        response = service.get(ADDRESS, link(question) | {"fact.items": items})
        assert response.status_code == 200
        assert response.json()["checks"][6]["name"] == "scope"


@pytest.mark.parametrize("path", ["/v1/credentials", "/v1/credentials/cred_x", "/v1/agreements", "/v1/jurisdictions"])
def test_other_addresses_read_their_parameters_as_strictly(service: Service, path: str) -> None:
    assert_problem(service.raw("GET", path, b"known_at=%ff"), 400, "request.malformed_query")
    assert_problem(service.raw("GET", path, b"a=1&" * 2000 + b"a=1"), 400, "request.malformed_query")
    document = assert_problem(service.raw("GET", path, b"colour=red"), 422, "query.unknown_parameter", "/colour")
    assert document["errors"][0]["parameter"] == "colour"
