"""Keys that sign as locks do: verified by `keys` and the openssl command, closed to whoever has no passphrase."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keys.algorithms import sm2
from keys.algorithms.schemes import load_key, verify
from keys.custody import software_key
from keys.custody.software_key import FAMILIES
from keys.errors import AlgorithmError, CustodyError, SignatureError
from tests.unit.support.oracles import openssl

PASSPHRASE = b"opener of keys in tests"
NONE = serialization.NoEncryption()
PKCS8 = serialization.PrivateFormat.PKCS8
PEM = serialization.Encoding.PEM


def refused(pem: bytes, passphrase: bytes, family: str) -> str:
    with pytest.raises(CustodyError) as caught:
        software_key.load(pem, passphrase, family)
    return caught.value.code


@pytest.mark.parametrize("family", FAMILIES)
def test_what_it_signs_is_verified_with_its_public_half(family: str) -> None:
    key = software_key.generate(family)
    public = load_key(key.spki)
    assert (key.family, public.family, key.scheme.family) == (family, family, family)
    signature = key.sign(b"message")
    verify(public, key.scheme, signature, b"message")
    with pytest.raises(SignatureError):
        verify(public, key.scheme, signature, b"massage")


@pytest.mark.parametrize("family", FAMILIES)
def test_it_comes_back_from_its_file(family: str) -> None:
    key = software_key.generate(family)
    again = software_key.load(key.pem(PASSPHRASE), PASSPHRASE, family)
    assert again == key
    verify(load_key(key.spki), key.scheme, again.sign(b"message"), b"message")


@pytest.mark.parametrize("family", FAMILIES)
def test_openssl_opens_the_file_and_finds_the_same_public_half(family: str, tmp_path: Path) -> None:
    key = software_key.generate(family)
    (tmp_path / "key").write_bytes(key.pem(PASSPHRASE))
    (tmp_path / "opener").write_bytes(PASSPHRASE)
    code, said = openssl(
        "pkey", "-in", tmp_path / "key", "-passin", f"file:{tmp_path}/opener", "-pubout", "-outform", "DER", "-out",
        tmp_path / "spki",
    )  # fmt: skip
    assert code == 0, said
    assert (tmp_path / "spki").read_bytes() == key.spki


@pytest.mark.parametrize("family", FAMILIES)
def test_the_file_is_encrypted_and_the_secret_is_in_no_text(family: str) -> None:
    key = software_key.generate(family)
    assert key.pem(PASSPHRASE).startswith(b"-----BEGIN ENCRYPTED ")
    assert "_private" not in repr(key)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_passphrase_opens_nothing(family: str) -> None:
    pem = software_key.generate(family).pem(PASSPHRASE)
    assert refused(pem, b"another", family) == "key.passphrase_wrong"
    assert refused(pem, b"", family) == "key.passphrase_missing"


@pytest.mark.parametrize("family", FAMILIES)
def test_no_file_without_a_passphrase(family: str) -> None:
    with pytest.raises(CustodyError) as caught:
        software_key.generate(family).pem(b"")
    assert caught.value.code == "key.passphrase_missing"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pem", [b"", b"key", b"-----BEGIN X-----\nAAAA\n-----END X-----\n"])
def test_bytes_that_are_no_key(family: str, pem: bytes) -> None:
    assert refused(pem, PASSPHRASE, family) in ("key.damaged", "key.passphrase_wrong")


def test_a_key_that_is_not_encrypted_is_refused() -> None:
    plain = rsa.generate_private_key(65537, 2048).private_bytes(PEM, PKCS8, NONE)
    assert refused(plain, PASSPHRASE, "rsa") == "key.not_encrypted"
    assert refused(plain, PASSPHRASE, "sm2") == "key.damaged"


def test_a_key_of_another_kind_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(PASSPHRASE))
    assert {refused(pem, PASSPHRASE, family) for family in FAMILIES} == {"key.kind"}
    assert refused(software_key.generate("rsa").pem(PASSPHRASE), PASSPHRASE, "sm2") == "key.kind"
    assert refused(software_key.generate("sm2").pem(PASSPHRASE), PASSPHRASE, "rsa") == "key.kind"


def test_a_kind_that_is_not_made() -> None:
    with pytest.raises(CustodyError) as caught:
        software_key.generate("dsa")
    assert caught.value.code == "key.kind"
    assert "sm2, rsa" in caught.value.detail
    assert not software_key.available("dsa")


def test_where_libcrypto_has_no_sm2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [software_key.available(family) for family in FAMILIES] == [True, True]

    def lacking() -> sm2.PrivateKey:
        raise AlgorithmError("sm2.unavailable", "the libcrypto of this Python has no SM2")

    monkeypatch.setattr(sm2, "generate", lacking)
    assert [software_key.available(family) for family in FAMILIES] == [False, True]
    with pytest.raises(CustodyError) as caught:
        software_key.generate("sm2")
    assert caught.value.code == "key.kind"
    assert "no SM2" in caught.value.detail
