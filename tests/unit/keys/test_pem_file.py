import base64
import os
import shutil
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519

from keys.algorithms import ALGORITHMS
from keys.algorithms.ecdsa import ES256
from keys.algorithms.sm2 import openssl
from keys.custody import Signer, pem_file
from keys.errors import AlgorithmError, CustodyError
from tests.support.requirements import require_keys_for
from tests.support.unsafe_sm2 import unsafe_generate

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed448.Ed448PrivateKey | x25519.X25519PrivateKey

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def copy(pem_path: Path, tmp_path: Path) -> Path:
    """A sound key file of the test's own."""
    return Path(shutil.copy2(pem_path, tmp_path / "copy.pem"))


def refusal(path: Path, passphrase: bytes) -> str:
    """Gives the code with which a file is refused, having looked at the message."""
    with pytest.raises(CustodyError) as caught:
        pem_file.load(path, passphrase)
    assert "\n" not in caught.value.detail
    assert str(path) in caught.value.detail or caught.value.code.startswith("key.passphrase")
    if passphrase:
        assert passphrase.decode() not in str(caught.value)
    return caught.value.code


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def pem_of(private: PrivateKey, passphrase: bytes | None) -> bytes:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_generated_key_is_encrypted_private_and_loads_again(tmp_path: Path, passphrase: bytes, alg: str) -> None:
    require_keys_for(alg)
    path = tmp_path / "key.pem"
    made: Signer = pem_file.generate(path, passphrase, alg)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED " + b"PRIVATE KEY-----\n")
    assert list(tmp_path.iterdir()) == [path]
    loaded: Signer = pem_file.load(path, passphrase)
    assert loaded == made
    assert (loaded.alg, loaded.kid) == (alg, made.public.kid)
    made.public.verify(loaded.sign(b"message"), b"message")


def test_a_key_is_for_es256_unless_told(signer: Signer) -> None:
    assert signer.alg == "ES256"


def test_an_unknown_algorithm_makes_no_file(tmp_path: Path, passphrase: bytes) -> None:
    with pytest.raises(AlgorithmError) as caught:
        pem_file.generate(tmp_path / "key.pem", passphrase, "EdDSA")
    assert caught.value.code == "signature.algorithm_unknown"
    assert not list(tmp_path.iterdir())


def test_a_signer_does_not_show_its_key(pem_path: Path, passphrase: bytes) -> None:
    assert "rivate" not in repr(pem_file.load(pem_path, passphrase))


def test_a_file_is_never_overwritten(copy: Path, passphrase: bytes) -> None:
    before = copy.read_bytes()
    with pytest.raises(CustodyError) as caught:
        pem_file.generate(copy, passphrase)
    assert caught.value.code == "key.file_exists"
    assert copy.read_bytes() == before
    link = copy.with_name("link.pem")
    link.symlink_to(copy.with_name("nowhere.pem"))
    with pytest.raises(CustodyError) as caught:
        pem_file.generate(link, passphrase)
    assert caught.value.code == "key.file_exists"


@pytest.mark.parametrize(
    ("passphrase", "code"), [(b"", "key.passphrase_missing"), (b"a" * 1024, "key.passphrase_unusable")]
)
def test_a_passphrase_must_be_usable(copy: Path, passphrase: bytes, code: str) -> None:
    path = copy.with_name("new.pem")
    with pytest.raises(CustodyError) as caught:
        pem_file.generate(path, passphrase)
    assert caught.value.code == code
    assert not path.exists()
    assert refusal(copy, passphrase) == code


def test_the_longest_passphrase_is_usable(tmp_path: Path) -> None:
    made = pem_file.generate(tmp_path / "key.pem", b"a" * 1023)
    assert pem_file.load(tmp_path / "key.pem", b"a" * 1023) == made


def test_a_missing_file_is_refused(tmp_path: Path, copy: Path, passphrase: bytes) -> None:
    assert refusal(tmp_path / "none.pem", passphrase) == "key.file_missing"
    assert refusal(copy / "below.pem", passphrase) == "key.file_missing"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777])
def test_a_mode_that_lets_others_in_is_refused(copy: Path, passphrase: bytes, mode: int) -> None:
    copy.chmod(mode)
    assert refusal(copy, passphrase) == "key.file_mode"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_mode_for_the_owner_only_is_taken(copy: Path, passphrase: bytes, mode: int) -> None:
    copy.chmod(mode)
    assert pem_file.load(copy, passphrase)


def test_the_file_of_another_user_is_refused(copy: Path, passphrase: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = copy.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert refusal(copy, passphrase) == "key.file_owner"


@as_root
def test_only_root_reads_the_file_of_another_user(
    copy: Path, passphrase: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(copy, 4242, 4242)
    assert pem_file.load(copy, passphrase)
    monkeypatch.setattr(os, "geteuid", lambda: 4243)
    assert refusal(copy, passphrase) == "key.file_owner"
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert pem_file.load(copy, passphrase)


@as_root
def test_the_mode_holds_for_root_too(copy: Path, passphrase: bytes) -> None:
    os.chown(copy, 4242, 4242)
    copy.chmod(0o640)
    assert refusal(copy, passphrase) == "key.file_mode"


def test_where_there_are_no_posix_users_neither_mode_nor_owner_is_checked(
    copy: Path, passphrase: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.chmod(0o666)
    monkeypatch.delattr(os, "geteuid")
    assert pem_file.load(copy, passphrase)
    assert pem_file.generate(copy.with_name("new.pem"), passphrase)


def test_a_link_is_as_good_as_its_target(copy: Path, passphrase: bytes) -> None:
    link = copy.with_name("link.pem")
    link.symlink_to(copy)
    assert pem_file.load(link, passphrase)
    copy.chmod(0o640)
    assert refusal(link, passphrase) == "key.file_mode"
    copy.unlink()
    assert refusal(link, passphrase) == "key.file_missing"


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path, passphrase: bytes) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert refusal(pipe, passphrase) == "key.file_kind"
    assert refusal(tmp_path, passphrase) == "key.file_kind"


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, passphrase: bytes) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert refusal(loop, passphrase) == "key.file_unreadable"
    with pytest.raises(CustodyError) as caught:
        pem_file.load(tmp_path / "a\0b", passphrase)
    assert caught.value.code == "key.file_unreadable"


def test_a_file_too_large_is_refused(copy: Path, passphrase: bytes) -> None:
    pem = copy.read_bytes()
    write(copy, pem + b"\n" * (64 * 1024 - len(pem)))
    assert pem_file.load(copy, passphrase)
    write(copy, pem + b"\n" * (64 * 1024 - len(pem) + 1))
    assert refusal(copy, passphrase) == "key.file_too_large"


def test_a_wrong_passphrase_is_told_from_a_damaged_file(copy: Path) -> None:
    # Several: one wrong passphrase in 256 gets as far as garbage that looks decrypted.
    assert {refusal(copy, b"wrong %d" % number) for number in range(300)} == {"key.passphrase_wrong"}


def test_an_unencrypted_key_is_refused(tmp_path: Path, passphrase: bytes) -> None:
    private = ES256.generate()
    assert refusal(write(tmp_path / "plain.pem", pem_of(private, None)), passphrase) == "key.not_encrypted"
    sec1 = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    assert refusal(write(tmp_path / "sec1.pem", sec1), passphrase) == "key.not_encrypted"


def test_a_key_of_another_kind_is_refused(tmp_path: Path, passphrase: bytes) -> None:
    foreign: list[PrivateKey] = [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(65537, 2048),
        ed448.Ed448PrivateKey.generate(),
        x25519.X25519PrivateKey.generate(),
    ]
    for number, private in enumerate(foreign):
        path = write(tmp_path / f"{number}.pem", pem_of(private, passphrase))
        with pytest.raises(CustodyError) as caught:
            pem_file.load(path, passphrase)
        assert caught.value.code == "key.kind"
        assert caught.value.detail.startswith(f"{path}: not a private key of ES256 or Ed25519 or SM2 that opens here (")


def test_an_sm2_key_is_refused_like_any_other(tmp_path: Path, passphrase: bytes) -> None:
    require_keys_for("SM2")
    path = tmp_path / "key.pem"
    pem_file.generate(path, passphrase, "SM2")
    assert refusal(path, b"another") == "key.passphrase_wrong"
    text = base64.b64encode(unsafe_generate("open").private_key_info())
    label = b"PRIVATE" + b" KEY"
    plain = b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, text, label)
    assert refusal(write(tmp_path / "plain.pem", plain), passphrase) == "key.not_encrypted"


def test_where_libcrypto_has_no_sm2_such_keys_are_neither_made_nor_opened(
    tmp_path: Path, passphrase: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_keys_for("SM2")
    path = tmp_path / "key.pem"
    pem_file.generate(path, passphrase, "SM2")

    def no_sm2() -> None:
        raise AlgorithmError("sm2.unavailable", "the libcrypto of this Python has no SM2")

    monkeypatch.setattr(openssl, "load", no_sm2)
    with pytest.raises(CustodyError) as caught:
        pem_file.generate(tmp_path / "other.pem", passphrase, "SM2")
    assert (caught.value.code, list(tmp_path.iterdir())) == ("key.kind", [path])
    assert "no SM2" in caught.value.detail
    with pytest.raises(CustodyError, match="no SM2") as caught:
        pem_file.load(path, passphrase)
    assert caught.value.code == "key.kind"


def test_a_damaged_file_is_refused(copy: Path, passphrase: bytes) -> None:
    pem = copy.read_bytes()
    lines = pem.splitlines(keepends=True)
    public = ES256.generate().public_key()
    for damaged in (
        b"",
        b"\xff\x00\xfe",
        pem[: len(pem) // 2],
        b"".join(lines[:2] + lines[-1:]),
        pem.replace(b"-----BEGIN", b"-----BEGAN"),
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    ):
        assert refusal(write(copy, damaged), passphrase) == "key.damaged"


def test_no_damage_passes_or_fails_in_foreign_words(copy: Path, passphrase: bytes) -> None:
    lines = copy.read_bytes().splitlines()
    der = base64.b64decode(b"".join(lines[1:-1]))
    codes = set()
    for position in range(0, len(der), 2):
        if 48 < position < 56:
            continue  # the number of rounds: damage there may ask for hours of work
        damaged = bytearray(der)
        damaged[position] ^= 0x41
        text = b"\n".join([lines[0], base64.b64encode(damaged), lines[-1], b""])
        codes.add(refusal(write(copy, text), passphrase))
    assert codes <= {"key.damaged", "key.passphrase_wrong", "key.kind"}
