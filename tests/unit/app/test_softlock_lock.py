"""Soft locks: what their certificates say, what they sign, and what becomes of them in a folder."""

import base64
import json
import stat
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509
from hypothesis import example, given
from hypothesis import strategies as st

from app.settings import Settings
from app.softlock import encoding
from app.softlock import lock as locks
from app.softlock.authority import CAS, NOT_AFTER, NOT_BEFORE, AuthorityFolder
from app.softlock.challenge import HEAD, MAX_LENGTH, ChallengeRefused, read_challenge
from app.softlock.description import certificate_lines, certificate_view
from app.softlock.lock import KINDS, USES, OrderRefused
from app.usecases.challenge import Challenger
from keys import der
from keys.algorithms.raw import as_der, default_scheme
from keys.algorithms.schemes import load_key, verify
from keys.certificate import holder_candidates
from keys.custody.software_key import FAMILIES
from keys.errors import CustodyError, SignatureError
from registry.holder import subject_of, uscc_of
from tests.support.softlock import DAY, NAME, NOW, USCC, issued, made, order
from tests.unit.support.oracles import openssl


def folder_of(settings: Settings) -> AuthorityFolder:
    return AuthorityFolder.of_store(settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_both_certificates_are_of_one_holder_and_tell_their_use(home: Settings, family: str, kind: str) -> None:
    lock = made(folder_of(home), family=family, kind=kind)
    signing, encryption = lock.certificates["signing"], lock.certificates["encryption"]
    assert (signing.use, encryption.use) == USES
    assert signing.key_usage == {"digitalSignature", "nonRepudiation"}
    assert encryption.key_usage == {"keyEncipherment", "dataEncipherment", "keyAgreement"}
    assert signing.subject == encryption.subject
    assert signing.spki != encryption.spki
    assert signing.serial != encryption.serial
    for certificate in (signing, encryption):
        assert certificate.oddities == ()
        assert uscc_of(certificate) == USCC
        assert subject_of(certificate).kind == "organisation"
        assert certificate.organisation == NAME
        assert (certificate.not_before, certificate.not_after) == (NOW - DAY, NOW + 365 * DAY)
        assert not any(candidate.personal for candidate in holder_candidates(certificate))
        assert load_key(certificate.spki).family == family


def test_the_two_kinds_say_the_code_in_different_places(home: Settings) -> None:
    folder = folder_of(home)
    unit, representative = (made(folder, kind=kind).certificates["signing"] for kind in KINDS)
    assert unit.subject_text == f"C=CN, O={NAME}, CN={NAME}, serialNumber={USCC}"
    assert representative.subject_text == f"C=CN, O={NAME}, OU=法定代表人, CN=测试法定代表人"
    sources = [[one.source for one in holder_candidates(certificate)] for certificate in (unit, representative)]
    assert sources == [["subject.serialNumber"], ["extension.1.2.156.10260.4.1.4"]]


@pytest.mark.parametrize("ca", CAS)
@pytest.mark.parametrize("family", FAMILIES)
def test_openssl_takes_locks_of_every_authority(home: Settings, ca: str, family: str, tmp_path: Path) -> None:
    lock = made(folder_of(home), ca=ca, family=family)
    for use, purpose in zip(USES, ("smimesign", "smimeencrypt"), strict=True):
        said = issued(lock.certificates[use], lock.chain[0], family, tmp_path, "-purpose", purpose)
        assert said.endswith(": OK\n")


def test_asn1crypto_reads_a_lock_as_we_do(home: Settings) -> None:
    certificate = made(folder_of(home), family="rsa").certificates["signing"]
    native = x509.Certificate.load(certificate.der, strict=True)
    assert native.serial_number == certificate.serial
    assert native.subject.native == {
        "country_name": "CN",
        "organization_name": NAME,
        "common_name": NAME,
        "serial_number": USCC,
    }
    assert native.key_usage_value.native == {"digital_signature", "non_repudiation"}
    assert native.crl_distribution_points[0].url == "http://crl.demo.invalid/demo-ca-cq-rsa.crl"
    assert native.dump(force=True) == certificate.der


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "重庆建设有限公司"}, "测试"),
        ({"name": "测试\n公司"}, "64"),
        ({"name": "测试" * 33}, "64"),
        ({"name": " 测试"}, "64"),
        ({"uscc": USCC[:17]}, "18"),
        ({"uscc": USCC[:17] + "A"}, "校验位应为 G"),
        ({"not_after": NOW - 2 * DAY}, "有效期"),
        ({"not_before": NOT_BEFORE - timedelta(seconds=1)}, "2017-12-31"),
        ({"not_after": NOT_AFTER + timedelta(seconds=1)}, "2042-12-31"),
    ],
)
def test_what_no_demonstration_authority_issues(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(OrderRefused, match=told):
        order(**changes)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("form", locks.FORMATS)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_lock_signs_is_verified(home: Settings, family: str, form: str, use: str) -> None:
    lock = made(folder_of(home), family=family)
    signature = lock.sign(b"message", use, form)
    assert (len(signature) == 64) == (family == "sm2" and form == "raw")
    key = load_key(lock.certificates[use].spki)
    verify(key, default_scheme(key), as_der(key, signature), b"message")
    other = load_key(lock.certificates["signing" if use == "encryption" else "encryption"].spki)
    with pytest.raises(SignatureError):
        verify(other, default_scheme(other), as_der(other, signature), b"message")


@pytest.mark.parametrize("family", FAMILIES)
def test_openssl_verifies_what_a_lock_signs(home: Settings, family: str, tmp_path: Path) -> None:
    lock = made(folder_of(home), family=family)
    (tmp_path / "key").write_bytes(encoding.pem(lock.certificates["signing"].spki, "PUBLIC KEY"))
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "signature").write_bytes(lock.sign(b"message"))
    how = ("-digest", "sm3", "-pkeyopt", "distid:1234567812345678") if family == "sm2" else ("-digest", "sha256")
    code, said = openssl(
        "pkeyutl", "-verify", "-rawin", *how, "-pubin", "-inkey", tmp_path / "key", "-in", tmp_path / "message",
        "-sigfile", tmp_path / "signature",
    )  # fmt: skip
    assert (code, "Verified Successfully" in said) == (0, True), said


@pytest.mark.parametrize("family", FAMILIES)
def test_a_lock_comes_back_from_its_folder(home: Settings, family: str, tmp_path: Path) -> None:
    lock = made(folder_of(home), family=family)
    locks.write(lock, tmp_path / "lock")
    assert locks.read(tmp_path / "lock") == lock
    assert locks.read_certificates(tmp_path / "lock") == lock.certificates
    one = locks.read(tmp_path / "lock", ("signing",))
    assert one.keys.keys() == {"signing"}


def test_only_the_owner_can_read_a_lock(home: Settings, tmp_path: Path) -> None:
    locks.write(made(folder_of(home)), tmp_path / "lock")
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "lock").iterdir()}
    files = ("signing.pem", "encryption.pem", "chain.pem", "lock.key", "encryption.key", "passphrase")
    assert modes == dict.fromkeys(files, 0o600)


def test_a_lock_is_not_overwritten(home: Settings, tmp_path: Path) -> None:
    folder = folder_of(home)
    locks.write(made(folder), tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    with pytest.raises(CustodyError) as caught:
        locks.write(made(folder), tmp_path)
    assert caught.value.code == "key.file_exists"
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("passphrase", b"another", "key.passphrase_wrong"),
        ("passphrase", b"", "key.passphrase_missing"),
        ("passphrase", None, "key.file_missing"),
        ("lock.key", b"key", "key.damaged"),
        ("lock.key", None, "key.file_missing"),
        ("signing.pem", b"certificate", "key.damaged"),
        ("signing.pem", None, "key.file_missing"),
        ("chain.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "key.damaged"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told(
    home: Settings, tmp_path: Path, name: str, content: bytes | None, code: str
) -> None:
    locks.write(made(folder_of(home)), tmp_path / "lock")
    path = tmp_path / "lock" / name
    path.unlink()
    if content is not None:
        path.touch(0o600)
        path.write_bytes(content)
    with pytest.raises(CustodyError) as caught:
        locks.read(tmp_path / "lock")
    assert caught.value.code == code


def test_the_key_of_the_other_certificate_is_found_out(home: Settings, tmp_path: Path) -> None:
    locks.write(made(folder_of(home)), tmp_path / "lock")
    (tmp_path / "lock/lock.key").write_bytes((tmp_path / "lock/encryption.key").read_bytes())
    with pytest.raises(CustodyError) as caught:
        locks.read(tmp_path / "lock")
    assert caught.value.code == "key.name_wrong"


def test_a_certificate_is_shown_in_both_languages(home: Settings) -> None:
    lock = made(folder_of(home))
    view = certificate_view(lock.certificates["signing"])
    assert (view["uscc"], view["algorithm"], view["key_usage"]) == (USCC, "sm2", ["digitalSignature", "nonRepudiation"])
    assert datetime.fromisoformat(view["not_after"]) == NOW + 365 * DAY
    assert view["fingerprint"] == lock.certificates["signing"].fingerprint
    lines = certificate_lines("encryption", lock.certificates["encryption"])
    assert lines[0] == "加密证书 / encryption certificate"
    assert f"  统一社会信用代码 / USCC: {USCC}" in lines
    assert any("密钥协商 keyAgreement" in line for line in lines)


# Challenges

CHALLENGE = Challenger(b"secret of tests".ljust(32), "urn:accord:test").make("platform", "bidding.login", NOW)
GIVEN = base64.b64encode(CHALLENGE.to_be_signed).decode()
ANSWER = {"challenge_id": CHALLENGE.id, "to_be_signed": GIVEN, "expires_at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "content", [json.dumps(ANSWER), json.dumps(ANSWER, indent=1), GIVEN, f"\n{GIVEN[:40]}\n{GIVEN[40:]}\n"]
)
def test_a_challenge_is_read_as_an_answer_or_alone(content: str) -> None:
    read = read_challenge(content.encode())
    assert (read.to_be_signed, read.id) == (CHALLENGE.to_be_signed, CHALLENGE.id)
    assert (read.relying_party, read.purpose) == ("platform", "bidding.login")


def encoded(content: bytes) -> bytes:
    return base64.b64encode(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a challenge"),
        (b"{", "not JSON"),
        (b"{}", "no to_be_signed"),
        (b'{"to_be_signed": 1}', "no to_be_signed"),
        (b"challenge!", "neither JSON nor base64"),
        (encoded(b"a contract"), "not a challenge"),
        (encoded(HEAD), "not JSON"),
        (encoded(HEAD + b"[]"), "not a JSON object"),
        (encoded(HEAD + b'{"challenge_id": "x", "purpose": "y"}'), "relying_party"),
        (json.dumps(ANSWER | {"challenge_id": "chal_x"}).encode(), "not that of to_be_signed"),
        (b"A" * (MAX_LENGTH + 1), "more than"),
    ],
)
def test_a_lock_signs_nothing_but_challenges(content: bytes, told: str) -> None:
    with pytest.raises(ChallengeRefused, match=told):
        read_challenge(content)


@given(st.one_of(st.binary(), st.binary().map(lambda content: encoded(HEAD + content)), st.text().map(str.encode)))
def test_whatever_is_given_is_a_challenge_or_is_refused(content: bytes) -> None:
    with suppress(ChallengeRefused):
        assert read_challenge(content).to_be_signed.startswith(HEAD)


# DER


@given(st.integers())
@example(-128)
@example(-129)
@example(128)
def test_integers_are_read_back(value: int) -> None:
    assert der.integer(der.parse(encoding.integer(value))) == value


@given(st.lists(st.integers(min_value=0, max_value=2**64), max_size=8), st.integers(0, 2), st.integers(0, 39))
def test_object_identifiers_are_read_back(arcs: list[int], first: int, second: int) -> None:
    dotted = ".".join(map(str, (first, second, *arcs)))
    assert der.oid(der.parse(encoding.oid(dotted))) == dotted


@given(st.integers(min_value=0, max_value=70_000))
def test_lengths_are_as_short_as_can_be(length: int) -> None:
    assert der.octet_string(der.parse(encoding.octet_string(bytes(length)))) == bytes(length)
