from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.custody import passphrase
from keys.errors import CustodyError


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def refusal(file: Path | None, value: str | None) -> CustodyError:
    with pytest.raises(CustodyError) as caught:
        passphrase.from_sources(file, value)
    return caught.value


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"secret", b"secret"),
        (b"secret\n", b"secret"),
        (b"secret\r\n", b"secret"),
        (b"secret\n\n", b"secret\n"),
        (b" se\ncret \n", b" se\ncret "),
        (b"\xff\x00\n", b"\xff\x00"),
    ],
)
def test_a_file_gives_its_bytes_less_one_newline(tmp_path: Path, data: bytes, expected: bytes) -> None:
    assert passphrase.from_sources(write(tmp_path / "file", data), None) == expected
    assert passphrase.from_sources(tmp_path / "file", "") == expected


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
def test_a_value_gives_its_bytes(value: str) -> None:
    assert passphrase.from_sources(None, value) == value.encode()


def test_a_value_that_is_not_utf_8_gives_the_bytes_it_had() -> None:
    assert passphrase.from_sources(None, b"\xff\x80".decode("utf-8", "surrogateescape")) == b"\xff\x80"


def test_neither_says_which_settings_to_set() -> None:
    for error in (refusal(None, None), refusal(None, "")):
        assert error.code == "key.passphrase_missing"
        assert "ACCORD_KEY_PASSPHRASE_FILE" in error.detail
        assert error.detail.endswith("or ACCORD_KEY_PASSPHRASE")


def test_both_are_refused(tmp_path: Path) -> None:
    error = refusal(write(tmp_path / "file", b"first"), "second")
    assert error.code == "key.passphrase_twice"
    assert "first" not in error.detail
    assert "second" not in error.detail


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n"])
def test_an_empty_file_is_refused(tmp_path: Path, data: bytes) -> None:
    assert refusal(write(tmp_path / "file", data), None).code == "key.passphrase_missing"


def test_a_passphrase_has_a_greatest_length(tmp_path: Path) -> None:
    assert refusal(write(tmp_path / "file", b"a" * 1024), None).code == "key.passphrase_unusable"


def test_a_value_that_stands_for_no_bytes_is_refused_without_showing_it() -> None:
    error = refusal(None, "secret\ud800")
    assert error.code == "key.passphrase_unusable"
    assert "secret" not in str(error)
    assert error.__suppress_context__  # the cause would show it


def test_a_file_others_can_touch_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(write(tmp_path / "file", b"secret", 0o640), None).code == "key.file_mode"
    assert refusal(tmp_path / "none", None).code == "key.file_missing"
