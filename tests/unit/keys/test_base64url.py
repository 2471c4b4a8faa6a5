import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import base64url
from keys.errors import MalformedError

ALPHABET = string.ascii_letters + string.digits + "-_"


def test_rfc_7515_appendix_c() -> None:
    assert base64url.encode(bytes([3, 236, 255, 224, 193])) == "A-z_4ME"
    assert base64url.decode("A-z_4ME") == bytes([3, 236, 255, 224, 193])


def test_nothing_is_the_empty_text() -> None:
    assert base64url.encode(b"") == ""
    assert base64url.decode("") == b""


@given(st.binary())
def test_decode_undoes_encode(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@given(st.text(ALPHABET) | st.text())
def test_what_is_accepted_is_the_one_encoding_of_its_bytes(text: str) -> None:
    try:
        data = base64url.decode(text)
    except MalformedError:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize("size", [1, 2])
def test_of_all_last_characters_only_the_canonical_are_accepted(size: int) -> None:
    canonical = {base64url.encode(bytes(size - 1) + bytes([number]))[-1] for number in range(256)}
    assert len(canonical) == {1: 4, 2: 16}[size]
    for last in ALPHABET:
        if last in canonical:
            base64url.decode("A" * size + last)
        else:
            with pytest.raises(MalformedError) as caught:
                base64url.decode("A" * size + last)
            assert caught.value.code == "base64url.not_canonical"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("YQ==", "base64url.alphabet"),
        ("YW\n", "base64url.alphabet"),
        ("YWI ", "base64url.alphabet"),
        (" YWI", "base64url.alphabet"),
        ("ab+/", "base64url.alphabet"),
        ("ab\x00c", "base64url.alphabet"),
        ("abé", "base64url.alphabet"),
        ("abc１", "base64url.alphabet"),
        ("ab\ud800", "base64url.alphabet"),
        ("A=", "base64url.alphabet"),
        ("====", "base64url.alphabet"),
        ("ab=c", "base64url.alphabet"),
        ("A", "base64url.length"),
        ("YWI=\n", "base64url.length"),
        ("AAAAA", "base64url.length"),
        ("YR", "base64url.not_canonical"),
        ("YWJ", "base64url.not_canonical"),
    ],
)
def test_anything_else_is_refused(text: str, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        base64url.decode(text)
    assert caught.value.code == code
