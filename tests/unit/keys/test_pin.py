from pathlib import Path

import pytest

from keys.custody.pin import from_sources
from keys.errors import CustodyError


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("content", "pin"),
    [(b"1234", "1234"), (b"1234\n", "1234"), (b"1234\r\n", "1234"), (b" 12 \n\n", " 12 \n"), ("密码".encode(), "密码")],
)
def test_a_pin_from_a_file_loses_one_newline(tmp_path: Path, content: bytes, pin: str) -> None:
    assert from_sources(write(tmp_path / "pin", content), None) == pin
    assert from_sources(write(tmp_path / "pin", content), "") == pin


def test_a_pin_from_a_value_is_taken_as_it_is() -> None:
    assert from_sources(None, "1234\n") == "1234\n"


@pytest.mark.parametrize(
    ("content", "value", "code"),
    [
        (None, None, "key.pin_missing"),
        (None, "", "key.pin_missing"),
        (b"", None, "key.pin_missing"),
        (b"\n", None, "key.pin_missing"),
        (b"1234", "1234", "key.pin_twice"),
        (b"12\xff34", None, "key.pin_unusable"),
        (None, "12\udcff34", "key.pin_unusable"),
    ],
)
def test_a_pin_that_is_none_is_refused_without_showing_it(
    tmp_path: Path, content: bytes | None, value: str | None, code: str
) -> None:
    file = None if content is None else write(tmp_path / "pin", content)
    with pytest.raises(CustodyError, match="ACCORD_PKCS11_PIN_FILE") as caught:
        from_sources(file, value)
    assert caught.value.code == code
    assert "12" not in caught.value.detail
    assert caught.value.__cause__ is None


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "pin", b"1234")
    file.chmod(0o644)
    with pytest.raises(CustodyError) as caught:
        from_sources(file, None)
    assert caught.value.code == "key.file_mode"
