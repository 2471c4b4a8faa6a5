"""The log's key beside the first signing key: on the token where that can, else in a file, and first."""

import stat
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import load_log_signer, make_key
from app.settings import Settings
from keys.custody import key_directory
from keys.errors import CustodyError

REFUSALS = {"Ed25519": "key.kind"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The algorithms that a token was asked for; it has none for Ed25519."""
    made: list[str] = []

    def create_on_token(*_: Any, alg: str, **__: Any) -> str:
        made.append(alg)
        if alg in REFUSALS:
            raise CustodyError(REFUSALS[alg], "has no keys for Ed25519")
        return "a signer"

    monkeypatch.setattr(key_directory, "create_on_token", create_on_token)
    return made


def settings(home: Path, **more: Any) -> Settings:
    return Settings(home=home, pkcs11_module=Path("module.so"), pkcs11_token="accord", pkcs11_pin="1234", **more)


def test_a_token_without_ed25519_leaves_the_log_key_in_a_file(tmp_path: Path, asked: list[str]) -> None:
    given = settings(tmp_path, key_passphrase="of the tests")
    assert make_key(given, "test", "ES256", activate=False, on_token=True) == "a signer"
    assert asked == ["Ed25519", "ES256"]
    signer = load_log_signer(given, "test")
    assert signer is not None
    assert (signer.alg, signer.remote) == ("Ed25519", False)
    assert stat.S_IMODE(given.keys_path.stat().st_mode) == 0o700


def test_where_that_takes_a_passphrase_and_there_is_none_no_key_is_made(tmp_path: Path, asked: list[str]) -> None:
    with pytest.raises(CustodyError) as caught:
        make_key(settings(tmp_path), "test", "ES256", activate=False, on_token=True)
    assert caught.value.code == "key.passphrase_missing"
    assert asked == ["Ed25519"]


def test_another_refusal_by_the_token_is_not_passed_over(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REFUSALS, "Ed25519", "key.pin_refused")
    with pytest.raises(CustodyError) as caught:
        make_key(settings(tmp_path, key_passphrase="of the tests"), "test", "ES256", activate=False, on_token=True)
    assert caught.value.code == "key.pin_refused"
    assert asked == ["Ed25519"]
    assert not list(tmp_path.rglob("*.pem"))


def test_a_log_key_that_a_crash_left_asleep_signs_again(tmp_path: Path) -> None:
    given = Settings(home=tmp_path, key_passphrase="of the tests")
    make_key(given, "test", "ES256", activate=False, on_token=False)
    before = load_log_signer(given, "test")
    (tmp_path / "keys" / "log" / "active").unlink()
    with pytest.raises(CustodyError):
        load_log_signer(given, "test")
    make_key(given, "test", "ES256", activate=False, on_token=False)
    after = load_log_signer(given, "test")
    assert before is not None
    assert after is not None
    assert before.kid == after.kid
