"""The canonical form is RFC 8785: the `rfc8785` package is the oracle."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.canonical import canonical_json, digest, unguarded_canonical_json
from registry.errors import CanonicalError, RegistryError
from registry.period import format_instant, parse_instant

LARGEST = 2**53 - 1
TEXTS = st.text(st.characters(codec="utf-8"))
# Keys on both sides of the surrogates: UTF-16 sorts U+1F600 before U+FB01, UTF-8 after it.
KEYS = st.one_of(TEXTS, st.text(st.sampled_from("aZ~\u00e9\ud7ff\ue000\ufb01\uffff\U0001f600\U00010000\U0010ffff")))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-LARGEST, LARGEST), TEXTS)


def values(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(keys, inner)), max_leaves=20)


@settings(deadline=None)
@given(values(KEYS))
def test_the_form_is_that_of_rfc_8785(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@settings(deadline=None)
@given(values(st.text(st.characters(codec="ascii"))))
def test_ascii_keys_need_no_guard(value: Any) -> None:
    assert unguarded_canonical_json(value) == canonical_json(value) == rfc8785.dumps(value)


@settings(deadline=None)
@given(values(KEYS))
def test_reading_undoes_writing(value: Any) -> None:
    written = canonical_json(value)
    assert json.loads(written) == value
    assert canonical_json(json.loads(written)) == written


@given(st.dictionaries(KEYS, st.integers(0, 9)))
def test_the_order_of_members_does_not_matter(value: dict[str, int]) -> None:
    backwards = dict(reversed(value.items()))
    assert canonical_json(backwards) == canonical_json(value)


def test_keys_are_sorted_by_utf_16_units() -> None:
    keys = ("\ufb01", "\U0001f600")
    assert sorted(keys) == ["\ufb01", "\U0001f600"]  # by code point, which is the order of UTF-8 bytes
    assert canonical_json(dict.fromkeys(keys, 0)) == '{"\U0001f600":0,"\ufb01":0}'.encode()
    # The same one level down, under an ASCII key.
    assert canonical_json({"a": dict.fromkeys(keys, 0)}) == '{"a":{"\U0001f600":0,"\ufb01":0}}'.encode()
    assert canonical_json([1, dict.fromkeys(keys, 0)]) == '[1,{"\U0001f600":0,"\ufb01":0}]'.encode()


def test_the_example_of_rfc_8785_without_its_floats() -> None:
    written = canonical_json(
        {"string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", "literals": [None, True, False]}
    )
    assert written == b'{"literals":[null,true,false],"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'


def test_a_tuple_is_a_list() -> None:
    assert canonical_json({"a": (1, ("b",))}) == b'{"a":[1,["b"]]}'
    assert canonical_json({"\u00e9": (1,)}) == '{"\u00e9":[1]}'.encode()


class Text(str):
    """A kind of text that could carry anything beside it."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        0.5,
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        2**64,
        b"bytes",
        bytearray(b"bytes"),
        {1, 2},
        {1: "a"},
        {None: "a"},
        {True: "a"},
        {b"a": "a"},
        "\ud800",
        "\udfff b",
        "a\ud83d",
        {"\ud800": 1},
        datetime(2024, 1, 1),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=8))),
        datetime(2024, 1, 1, tzinfo=UTC).date(),
        1j,
        Text("text"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("depth", ["bare", "in a list", "under an ASCII key", "beside a non-ASCII key"])
def test_what_has_no_canonical_form_is_refused(value: Any, depth: str) -> None:
    nested = {
        "bare": value,
        "in a list": [1, [value]],
        "under an ASCII key": {"a": {"b": value}},
        "beside a non-ASCII key": {"\u00e9": 1, "b": value},
    }[depth]
    with pytest.raises(CanonicalError):
        canonical_json(nested)


def test_the_refusal_says_what_to_do() -> None:
    with pytest.raises(CanonicalError, match=r"a float .* write decimals as strings"):
        canonical_json(1.5)
    with pytest.raises(CanonicalError, match=r"beyond 2\^53 - 1; write it as a string"):
        canonical_json(2**53)
    with pytest.raises(CanonicalError, match="key 1 is not a string"):
        canonical_json({1: 2})
    assert issubclass(CanonicalError, RegistryError)


@pytest.mark.parametrize("integer", [LARGEST, -LARGEST, 0])
def test_integers_up_to_the_interoperable_limit_are_kept(integer: int) -> None:
    assert canonical_json(integer) == str(integer).encode()


@pytest.mark.parametrize("depth", [300, 5_000])
def test_nesting_too_deep_is_refused(depth: int) -> None:
    for key in (None, "a", "\u00e9"):
        value: Any = 1
        for _ in range(depth):
            value = [value] if key is None else {key: value}
        with pytest.raises(CanonicalError):
            canonical_json(value)


def test_moderate_nesting_is_not() -> None:
    value: Any = 1
    for _ in range(100):
        value = [value]
    assert canonical_json(value) == b"[" * 100 + b"1" + b"]" * 100


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_becomes_its_rfc_3339_text(instant: datetime) -> None:
    assert canonical_json(instant) == f'"{format_instant(instant)}"'.encode()
    assert canonical_json({"\u00e9": instant}) == f'{{"\u00e9":"{format_instant(instant)}"}}'.encode()
    assert parse_instant(json.loads(canonical_json([instant]))[0]) == instant


@given(st.binary())
def test_a_digest_names_its_algorithm(content: bytes) -> None:
    assert digest(content) == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_the_digest_of_nothing_is_known() -> None:
    assert digest(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
