import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import strict_json
from keys.errors import MalformedError


def test_members_are_in_order_without_white_space() -> None:
    assert strict_json.encode({"b": "ü", "a": "1 2"}) == '{"a":"1 2","b":"ü"}'.encode()


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))))
def test_decode_undoes_encode(value: dict[str, str]) -> None:
    assert strict_json.decode_object(strict_json.encode(value)) == value


@given(st.binary())
def test_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    try:
        assert isinstance(strict_json.decode_object(data), dict)
    except MalformedError:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"text"',
        b"null",
        b"{} {}",
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        json.dumps({"a": 1}).encode("utf-16"),
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 100_000,
    ],
    ids=range(17),
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        strict_json.decode_object(data)
    assert caught.value.code == "json.malformed"
    assert len(caught.value.detail) < 200
