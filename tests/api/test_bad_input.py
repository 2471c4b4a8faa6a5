"""Bodies that cannot be asked: each a problem document that says where, the same in both languages, never a 500."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.service import JSON, LANGUAGES, RECOGNIZED, Service, assert_problem

ADDRESS = "/v1/recognitions"
CREDENTIAL = RECOGNIZED["credential"]


def but(**members: Any) -> dict[str, Any]:
    """The good question with other members."""
    return RECOGNIZED | members


def without(name: str) -> dict[str, Any]:
    return {member: value for member, value in RECOGNIZED.items() if member != name}


def assert_refused(service: Service, content: Any, status: int, code: str, pointer: str | None) -> None:
    """Refused in both languages with the same codes, and with texts that differ."""
    chinese, english = (
        assert_problem(service.post(ADDRESS, content, language), status, code, pointer) for language in LANGUAGES
    )
    assert chinese["title"] != english["title"]
    assert chinese["detail"] != english["detail"]
    for mine, other in zip(chinese["errors"], english["errors"], strict=True):
        assert (mine["pointer"], mine["code"]) == (other["pointer"], other["code"])
        assert mine["detail"] != other["detail"]
        assert "parameter" not in mine
    assert any("一" <= character <= "鿿" for character in chinese["detail"])


MALFORMED = {
    "empty": b"",
    "white space": b" \n",
    "truncated object": json.dumps(RECOGNIZED).encode()[:-20],
    "truncated text": b'{"purpose": "report',
    "trailing comma": b'{"purpose": "x",}',
    "single quotes": b"{'purpose': 'x'}",
    "two values": b"{} {}",
    "comment": b"{} // no",
    "not UTF-8": b'{"purpose": "\xff\xfe"}',
    "UTF-8 of a surrogate": b'{"purpose": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"purpose": "\xc0\x80"}',
    "GBK": '{"purpose": "用途"}'.encode("gbk"),
    "UTF-16": json.dumps(RECOGNIZED).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(RECOGNIZED).encode(),
    "NUL": b'{"purpose": "a\x00b"}',
    "NUL after": json.dumps(RECOGNIZED).encode() + b"\x00",
    "control character": b'{"purpose": "a\nb"}',
    "bad escape": b'{"purpose": "\\x41"}',
    "leading zero": b'{"purpose": 007}',
    "30,000 brackets": b"[" * 30_000,
    "30,000 brackets closed": b"[" * 30_000 + b"]" * 30_000,
    "10,000 objects": b'{"facts":' * 7_000,
    "5,000-digit integer": b'{"purpose": ' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_json_in_utf_8(service: Service, content: bytes) -> None:
    assert_refused(service, content, 400, "request.malformed_json", "")


DUPLICATES = {
    "at the top": b'{"purpose": "a", "jurisdiction": "CN-SC", "purpose": "a"}',
    "in the credential": b'{"credential": {"type": "x", "number": "1", "type": "x"}}',
    "in the facts": b'{"facts": {"site": "a", "site": "b"}}',
    "deep inside": b'{"facts": {"a": [[{"b": {"c": 1, "c": 2}}]]}}',
    "by escape": b'{"purpose": "a", "purpos\\u0065": "b"}',
    "surrogates": b'{"a\\ud800": 1, "a\\ud800": 2}',
    "unknown": b'{"x": 1, "x": 1}',
}


@pytest.mark.parametrize("content", DUPLICATES.values(), ids=DUPLICATES)
def test_a_member_twice(service: Service, content: bytes) -> None:
    assert_refused(service, content, 400, "request.duplicate_key", "")


@pytest.mark.parametrize("number", ["1.5", "1e5", "-0.0", "1E400", "NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("place", ['{{"facts": {{"size": {}}}}}', '{{"x": [{}]}}', "{}"])
def test_a_decimal_as_a_number(service: Service, number: str, place: str) -> None:
    content = place.format(number).encode()
    assert_refused(service, content, 422, "request.number_not_allowed", None)


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b" " * 1_048_576, b'{"purpose": "' + b"x" * 1_048_576 + b'"}'],
    ids=["100,000 brackets", "closed", "1 MB of spaces", "1 MB of text"],
)
def test_a_body_that_is_too_large(service: Service, content: bytes) -> None:
    assert_refused(service, content, 413, "request.too_large", "")


def test_a_body_in_pieces_is_measured_as_a_whole(service: Service) -> None:
    headers = [(b"content-type", b"application/json")]
    content = json.dumps(RECOGNIZED).encode()
    pieces = [content[place : place + 7] for place in range(0, len(content), 7)]
    assert service.raw("POST", ADDRESS, headers=headers, body=pieces).json()["decision"] == "recognized"
    too_many = service.raw("POST", ADDRESS, headers=headers, body=[b" " * 1000] * 200)
    assert_problem(too_many, 413, "request.too_large", "")


def test_a_body_that_breaks_off(service: Service) -> None:
    """The client goes away in the middle: what came is not answered as if it were all."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"500")]
    sent = service.raw("POST", ADDRESS, headers=headers, body=[b'{"purpose": ', b'"x"'])
    assert_problem(sent, 400, "request.malformed_json", "")


@pytest.mark.parametrize(
    "media_type",
    [None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "application/problem+json", "json", ";"],
)
def test_a_body_that_says_it_is_something_else(service: Service, media_type: str | None) -> None:
    content = json.dumps(RECOGNIZED).encode()
    headers = [] if media_type is None else [(b"content-type", media_type.encode())]
    details = set()
    for language in LANGUAGES:
        spoken = [*headers, (b"accept-language", language.encode())]
        response = service.raw("POST", ADDRESS, headers=spoken, body=[content])
        details.add(assert_problem(response, 415, "request.media_type", "")["detail"])
    assert len(details) == 2


@pytest.mark.parametrize("media_type", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"])
def test_a_body_that_says_it_is_json(service: Service, media_type: str) -> None:
    headers = {**JSON, "Content-Type": media_type}
    response = service.request("POST", ADDRESS, content=json.dumps(RECOGNIZED), headers=headers)
    assert response.status_code == 200


def wrong_kinds() -> Iterator[Any]:
    """Every member of the question with every kind of value that it does not take."""
    for name in ("jurisdiction", "purpose", "valid_at", "known_at", "relying_party"):
        for value in (7, 10**30, True, [], ["CN-SC"], {}):
            yield pytest.param(but(**{name: value}), f"/{name}", id=f"{name} {value!r:.20}")
    for name in ("credential", "expected_subject", "facts"):
        for value in (7, True, [], "text", [{}]):
            yield pytest.param(but(**{name: value}), f"/{name}", id=f"{name} {value!r}")
    for name in ("id", "type", "number", "issuer"):
        for value in (7, False, [], {}):
            yield pytest.param(but(credential=CREDENTIAL | {name: value}), f"/credential/{name}", id=f"{name} {value}")
    for name in ("uscc", "name"):
        for value in (7, True, []):
            question = but(expected_subject={name: value})
            yield pytest.param(question, f"/expected_subject/{name}", id=f"{name} {value}")
    for value in (7, True, {}, [], ["铅"]):
        yield pytest.param(but(facts={"parameter": value}), "/facts/parameter", id=f"fact {value}")
    for value in ([], None, 7, "text", [[]]):
        yield pytest.param(value, "", id=f"question {value!r}")


@pytest.mark.parametrize(("content", "pointer"), list(wrong_kinds()))
def test_a_value_of_the_wrong_kind(service: Service, content: Any, pointer: str) -> None:
    assert_refused(service, content if content is not None else b"null", 422, "query.wrong_kind", pointer)


REFUSED_TEXTS = {
    "empty": ("", "query.empty"),
    "blank": (" \u3000", "query.empty"),
    "NUL": ("a\x00b", "query.text_not_allowed"),
    "escape": ("\x1b[31m", "query.text_not_allowed"),
    "next line": ("a\x85b", "query.text_not_allowed"),
    "10,000 characters": ("7" * 10_000, "query.too_long"),
}
TEXTS = ["/jurisdiction", "/purpose", "/relying_party", "/valid_at", "/known_at", "/credential/number"]
TEXTS += ["/credential/type", "/credential/issuer", "/expected_subject/name", "/expected_subject/uscc", "/facts/site"]


def question_with(pointer: str, value: Any) -> dict[str, Any]:
    """The good question with a value at a pointer."""
    outer, _, inner = pointer.strip("/").partition("/")
    if not inner:
        return but(**{outer: value})
    return but(**{outer: {**RECOGNIZED.get(outer, {}), inner: value}})


@pytest.mark.parametrize("pointer", TEXTS)
@pytest.mark.parametrize(("text", "code"), REFUSED_TEXTS.values(), ids=REFUSED_TEXTS)
def test_a_text_that_is_none(service: Service, pointer: str, text: str, code: str) -> None:
    assert_refused(service, question_with(pointer, text), 422, code, pointer)


@pytest.mark.parametrize("pointer", TEXTS)
@pytest.mark.parametrize("escape", ["\\ud800", "x\\udfff", "\\udc00\\ud800"])
def test_a_lone_surrogate(service: Service, pointer: str, escape: str) -> None:
    content = json.dumps(question_with(pointer, "HERE")).replace("HERE", escape).encode()
    assert_refused(service, content, 422, "query.text_not_allowed", pointer)


@pytest.mark.parametrize("escape", ["\\ud800", "\\u0000", "\\u001b"])
def test_a_name_that_cannot_be_printed(service: Service, escape: str) -> None:
    """The document about it must be printable itself."""
    for question, code, pointer in (
        (but(HERE=1), "query.unknown_member", "/�"),
        (but(credential=CREDENTIAL | {"HERE": 1}), "query.unknown_member", "/credential/�"),
        (but(facts={"HERE": "x"}), "query.unknown_fact", "/facts/�"),
    ):
        content = json.dumps(question).replace("HERE", escape).encode()
        assert_refused(service, content, 422, code, pointer)


@pytest.mark.parametrize(("name", "shown"), [("a/b", "a~1b"), ("a~b", "a~0b"), ("", ""), ("变量", "变量")])
def test_a_pointer_is_escaped(service: Service, name: str, shown: str) -> None:
    assert_refused(service, but(**{name: 1}), 422, "query.unknown_member", f"/{shown}" if shown else "/")
    assert_refused(service, but(facts={name: "x"}), 422, "query.unknown_fact", f"/facts/{shown}")


def test_a_number_of_64_characters_is_asked_and_one_of_65_is_not(service: Service) -> None:
    for number in ("7" * 64, "证" * 64, "💯" * 64):
        answer = service.recognize(but(credential=CREDENTIAL | {"number": number}))
        assert answer.status_code == 200
        assert answer.json()["decision"] == "not_found"
    for number in ("7" * 65, "证" * 65, "💯" * 65):
        assert_refused(
            service, but(credential=CREDENTIAL | {"number": number}), 422, "query.too_long", "/credential/number"
        )


@pytest.mark.parametrize("name", ["valid_at", "known_at"])
@pytest.mark.parametrize(
    ("instant", "code"),
    [
        ("2026-10-01", "query.time_without_offset"),
        ("2026-10-01T00:00:00", "query.time_without_offset"),
        ("2026-10-01 00:00:00", "query.time_without_offset"),
        ("2026-10-01T00:00:00.5", "query.time_without_offset"),
        ("yesterday", "query.time_malformed"),
        ("1790784000", "query.time_malformed"),
        ("2026-10-01T00:00:00+8", "query.time_malformed"),
        ("2026-10-01T00:00+08:00", "query.time_malformed"),
        ("２０２６-10-01T00:00:00Z", "query.time_malformed"),
        ("2026-10-01T00:00:00Z; DROP TABLE", "query.time_malformed"),
        ("0000-01-01T00:00:00Z", "query.time_out_of_range"),
        ("0001-01-01T00:00:00+08:00", "query.time_out_of_range"),
        ("9999-12-31T23:59:59-00:01", "query.time_out_of_range"),
        ("9999-12-31T23:59:59.999999-23:59", "query.time_out_of_range"),
        ("2026-02-30T00:00:00Z", "query.time_out_of_range"),
        ("2026-02-29T00:00:00Z", "query.time_out_of_range"),
        ("2026-13-01T00:00:00Z", "query.time_out_of_range"),
        ("2016-12-31T23:59:60Z", "query.time_out_of_range"),
        ("2026-10-01T24:00:01Z", "query.time_out_of_range"),
        ("2026-10-01T00:00:00+24:00", "query.time_out_of_range"),
    ],
)
def test_a_time_that_is_none(service: Service, name: str, instant: str, code: str) -> None:
    assert_refused(service, but(**{name: instant}), 422, code, f"/{name}")


@pytest.mark.parametrize("instant", ["2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_known_at_in_the_future(service: Service, instant: str) -> None:
    assert_refused(service, but(known_at=instant), 422, "query.known_at_in_future", "/known_at")


@pytest.mark.parametrize("instant", ["2019-12-31T15:59:59.999999Z", "0001-01-01T00:00:00Z"])
def test_a_known_at_before_all_history(service: Service, instant: str) -> None:
    assert_refused(service, but(known_at=instant), 422, "query.known_at_before_history", "/known_at")
