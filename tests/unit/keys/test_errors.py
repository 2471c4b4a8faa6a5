import pickle

import pytest

from keys.errors import AlgorithmError, CustodyError, KeysError, MalformedError, SignatureError, quoted


@pytest.mark.parametrize("kind", [AlgorithmError, CustodyError, MalformedError, SignatureError])
def test_a_refusal_carries_code_and_detail(kind: type[KeysError]) -> None:
    error = kind("a.code", "a detail")
    assert isinstance(error, KeysError)
    assert (error.code, error.detail, str(error)) == ("a.code", "a detail", "a.code: a detail")


def test_a_refusal_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(SignatureError("a.code", "a detail")))
    assert (type(again), again.code, again.detail) == (SignatureError, "a.code", "a detail")


def test_foreign_values_are_shown_short_and_on_one_line() -> None:
    assert quoted("a\n\ud800" + "b" * 1000) == r"'a\n\ud800" + "b" * 45 + "'"
    assert quoted({"a": 1}) == "a value of type dict"
