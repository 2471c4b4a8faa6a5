"""A key directory whose keys are on a token: the same rules, and one place says which key signs and where it is."""

import dataclasses
import shutil
import stat
from pathlib import Path

import pytest

from keys.custody import pkcs11
from keys.custody.key_directory import (
    create,
    create_on_token,
    declare_compromised,
    find_active,
    list_keys,
    load_active,
    load_active_on_token,
    load_ring,
    make_active,
    retire,
)
from keys.custody.pkcs11 import TokenSigner
from keys.custody.token import Token
from keys.errors import CustodyError, SignatureError
from tests.support import softhsm


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def first(directory: Path, token: Token) -> TokenSigner:
    """The key of a directory that has one, on a token, labelled test and active."""
    return create_on_token(directory, "test", token, "accord")


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_key_on_a_token_is_published_and_active(directory: Path, token: Token, first: TokenSigner) -> None:
    file = directory / f"test-{first.kid}.token"
    assert sorted(content(directory)) == sorted([file.name, "active", "jwks.json"])
    assert file.read_text() == f"{first.place.uri()}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert all(softhsm.PIN.encode() not in data for data in content(directory).values())
    (entry,) = list_keys(directory)
    assert entry == find_active(directory, "test")
    assert (entry.active, entry.retired, entry.file, entry.place) == (True, False, file, first.place)
    assert load_active_on_token(directory, "test", token) == first
    assert load_ring(directory).keys == (first.public,)


def test_a_token_is_asked_for_nothing_before_the_first_signature(
    directory: Path, token: Token, first: TokenSigner
) -> None:
    """Who opens a key beside other work cannot wait for a token that does not answer."""
    gone = dataclasses.replace(token, module=directory / "none.so")
    for attempt in (
        lambda: load_active_on_token(directory, "test", gone),
        lambda: load_active_on_token(directory, "test", gone, tried=False).sign(b"message"),
    ):
        with pytest.raises(CustodyError) as caught:
            attempt()
        assert caught.value.code == "key.module_unusable"
    untried = load_active_on_token(directory, "test", token, tried=False)
    assert untried == first
    first.public.verify(untried.sign(b"message"), b"message")


def test_a_directory_may_have_keys_of_both_kinds(
    directory: Path, token: Token, first: TokenSigner, passphrase: bytes
) -> None:
    second = create(directory, "test", passphrase, activate=True, alg="Ed25519")
    assert load_active(directory, "test", passphrase) == second
    with pytest.raises(CustodyError) as caught:
        load_active_on_token(directory, "test", token)
    assert caught.value.code == "key.not_on_token"
    third = create_on_token(directory, "test", token, "accord", activate=True, alg="Ed25519")
    assert load_active_on_token(directory, "test", token) == third
    with pytest.raises(CustodyError, match="pkcs11:") as caught:
        load_active(directory, "test", passphrase)
    assert caught.value.code == "key.on_token"
    assert [entry.place for entry in list_keys(directory)] == [first.place, None, third.place]
    make_active(directory, "test", first.kid)
    assert load_active_on_token(directory, "test", token) == first


def test_a_retired_key_on_a_token_is_named_no_more(directory: Path, token: Token, first: TokenSigner) -> None:
    with pytest.raises(CustodyError) as caught:
        retire(directory, first.kid)
    assert caught.value.code == "key.active"
    second = create_on_token(directory, "test", token, "accord", activate=True)
    retired = retire(directory, first.kid)
    assert (retired.retired, retired.file) == (True, directory / f"test-{first.kid}.token.retired")
    assert list_keys(directory)[0] == retired
    with pytest.raises(CustodyError) as caught:
        make_active(directory, "test", first.kid)
    assert caught.value.code == "key.retired"
    # The token still has it, which is what the help says.
    first.public.verify(first.sign(b"message"), b"message")
    assert load_active_on_token(directory, "test", token) == second


def test_a_compromised_key_on_a_token_is_named_no_more(directory: Path, token: Token, first: TokenSigner) -> None:
    with pytest.raises(CustodyError) as caught:
        declare_compromised(directory, first.kid, 1)
    assert caught.value.code == "key.active"
    second = create_on_token(directory, "test", token, "accord", activate=True)
    entry = declare_compromised(directory, first.kid, 1)
    named = directory / f"test-{first.kid}.token.retired"
    assert (entry.retired, entry.compromised_at, entry.file, entry.place) == (True, 1, named, first.place)
    assert list_keys(directory)[0] == entry
    with pytest.raises(SignatureError) as refused:
        load_ring(directory).find(first.kid)
    assert refused.value.code == "key.compromised"
    (directory / "active").write_text(f"{first.kid}\n")
    with pytest.raises(CustodyError) as caught:
        load_active_on_token(directory, "test", token)
    assert caught.value.code == "key.compromised"
    make_active(directory, "test", second.kid)
    assert load_active_on_token(directory, "test", token) == second


def test_a_key_that_cannot_be_made_changes_nothing(directory: Path, token: Token, first: TokenSigner) -> None:
    before = content(directory)
    with pytest.raises(CustodyError) as caught:
        create_on_token(directory, "test", token, "accord", activate=True, alg="SM2")
    assert caught.value.code == "key.kind"
    with pytest.raises(CustodyError) as caught:
        create_on_token(directory, "test", dataclasses.replace(token, label="other"), "accord", activate=True)
    assert caught.value.code == "key.token_missing"
    with pytest.raises(CustodyError) as caught:
        create_on_token(directory, "Test", token, "accord", activate=True)
    assert caught.value.code == "key.label_malformed"
    assert content(directory) == before
    assert first.kid == find_active(directory, "test").kid


@pytest.mark.parametrize("written", [b"", b"accord\n", b"\xff", b"pkcs11:token=a;object=b;id=%00;type=public\n"])
def test_a_damaged_place_is_refused_with_its_file(
    directory: Path, token: Token, first: TokenSigner, written: bytes
) -> None:
    file = directory / f"test-{first.kid}.token"
    file.write_bytes(written)
    for attempt in (lambda: list_keys(directory), lambda: load_active_on_token(directory, "test", token)):
        with pytest.raises(CustodyError, match=str(file)) as caught:
            attempt()
        assert caught.value.code == "key.place_damaged"
    file.chmod(0o666)
    with pytest.raises(CustodyError, match=str(file)) as caught:
        list_keys(directory)
    assert caught.value.code == "key.file_mode"


def test_a_place_that_names_another_key_gives_no_signer(directory: Path, token: Token, first: TokenSigner) -> None:
    other = pkcs11.generate(token, "accord")
    (directory / f"test-{first.kid}.token").write_text(f"{other.place.uri()}\n")
    with pytest.raises(CustodyError) as caught:
        load_active_on_token(directory, "test", token)
    assert caught.value.code == "key.token_wrong"


def test_a_key_in_a_file_and_on_a_token_is_refused(directory: Path, token: Token, first: TokenSigner) -> None:
    shutil.copy2(directory / f"test-{first.kid}.token", directory / f"test-{first.kid}.pem")
    for attempt in (lambda: list_keys(directory), lambda: load_active_on_token(directory, "test", token)):
        with pytest.raises(CustodyError) as caught:
            attempt()
        assert caught.value.code == "key.place_twice"


def test_a_key_that_is_only_named_is_not_published(directory: Path, token: Token, first: TokenSigner) -> None:
    (directory / "jwks.json").unlink()
    with pytest.raises(CustodyError) as caught:
        load_active_on_token(directory, "test", token)
    assert caught.value.code == "key.not_published"
    assert first.kid in (directory / "active").read_text()
