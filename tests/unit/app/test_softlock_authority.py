"""Demonstration authorities: their certificates and lists as others read them, their files, and who may have them."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509

from app import clock
from app.ports import StoreError
from app.settings import Settings
from app.softlock import encoding
from app.softlock.authority import CAS, PLANS, AuthorityFolder, authority_id, trusted_ids
from app.softlock.certificate import REASONS, Revoked
from app.store import schema
from keys.algorithms.schemes import load_key, scheme_from_identifier, verify
from keys.custody.software_key import FAMILIES
from keys.errors import CustodyError, SignatureError
from keys.path_validation import PathError, validate_path
from keys.revocation.crl import parse_crl, verify_crl
from tests.store.rows import settings_at
from tests.support.softlock import DAY, NOW, issued, made
from tests.unit.support.oracles import openssl

ISSUING = [authority_id(ca, family) for ca in CAS[:2] for family in FAMILIES]
WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def folder_of(settings: Settings) -> AuthorityFolder:
    return AuthorityFolder.of_store(settings)


@pytest.mark.parametrize("identity", ISSUING)
def test_openssl_takes_every_step_of_a_path(trusting: Settings, identity: str, tmp_path: Path) -> None:
    authority, root = folder_of(trusting).chain(identity)
    family = PLANS[identity].family
    assert issued(authority, root, family, tmp_path).endswith(": OK\n")
    if family == "rsa":  # of a root, openssl asks for the empty user id
        assert issued(root, root, family, tmp_path, "-check_ss_sig").endswith(": OK\n")
    verify(load_key(root.spki), scheme_from_identifier(root.signature_algorithm), root.signature, root.tbs)
    other = folder_of(trusting).certificate(next(one for one in ISSUING if one != identity))
    assert "verification failed" in issued(authority, other, family, tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("ca", CAS[:2])
def test_a_lock_leads_to_its_root_and_to_no_other(home: Settings, ca: str, family: str) -> None:
    folder = folder_of(home)
    lock = made(folder, ca=ca, family=family)
    authority, root = lock.chain
    path = validate_path(lock.certificates["signing"], [authority], [root], NOW)
    assert [step.der for step in path.certificates] == [lock.certificates["signing"].der, authority.der, root.der]
    others = [folder.certificate(plan.id) for plan in PLANS.values() if plan.above is None and plan.trusted]
    with pytest.raises(PathError) as caught:
        validate_path(lock.certificates["signing"], [authority], [one for one in others if one.der != root.der], NOW)
    assert caught.value.step == "no_anchor"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_foreign_lock_leads_to_a_root_that_no_store_trusts(home: Settings, family: str) -> None:
    folder = folder_of(home)
    lock = made(folder, ca="foreign", family=family)
    assert validate_path(lock.certificates["signing"], lock.chain[:1], lock.chain[1:], NOW)
    trusted = [folder.certificate(identity) for identity in trusted_ids()]
    with pytest.raises(PathError) as caught:
        validate_path(lock.certificates["signing"], lock.chain, trusted, NOW)
    assert caught.value.step == "no_anchor"
    assert not any("foreign" in identity for identity in trusted_ids())


@pytest.mark.parametrize("identity", ISSUING)
def test_what_an_authority_says_of_itself(trusting: Settings, identity: str) -> None:
    authority, root = folder_of(trusting).chain(identity)
    assert authority.oddities == root.oddities == ()
    assert authority.key_usage == root.key_usage == {"keyCertSign", "cRLSign"}
    assert (authority.path_length, root.path_length) == (0, None)
    assert authority.authority_key_id == root.subject_key_id == root.authority_key_id
    assert authority.subject_key_id != root.subject_key_id
    assert [point.uris for point in authority.distribution_points] == [
        (f"http://crl.demo.invalid/{PLANS[identity].above}.crl",)
    ]
    assert "测试" in (authority.common_name or "")
    assert 2**126 <= authority.serial < 2**127
    native = x509.Certificate.load(authority.der)
    assert native.ca
    assert native.self_signed == "no"


def test_all_authorities_have_names_and_keys_of_their_own(trusting: Settings) -> None:
    certificates = [folder_of(trusting).certificate(identity) for identity in trusted_ids()]
    assert len({entry.subject for entry in certificates}) == len({entry.spki for entry in certificates}) == 6


@pytest.mark.parametrize("identity", trusted_ids())
def test_a_list_names_what_was_revoked_and_nothing_else(home: Settings, identity: str, tmp_path: Path) -> None:
    folder = folder_of(home)
    lines = [Revoked(serial=100 + code, at=WHEN, reason=reason) for reason, code in REASONS.items()]
    crl = folder.new_list(identity, NOW, revoked=lines)
    issuer = folder.certificate(identity)
    verify_crl(crl, issuer.spki)
    assert crl.issuer == issuer.subject
    assert crl.authority_key_id == issuer.subject_key_id
    assert (crl.this_update, crl.next_update) == (NOW, NOW + 7 * DAY)
    found = {line.serial: crl.find(line.serial) for line in lines}
    assert {serial: (entry.reason or "unspecified", entry.revoked_at) for serial, entry in found.items() if entry} == {
        line.serial: (line.reason, WHEN) for line in lines
    }
    assert crl.find(1) is None
    native = asn1_crl.CertificateList.load(crl.der)["tbs_cert_list"]["revoked_certificates"].native
    assert [entry["user_certificate"] for entry in native] == [line.serial for line in lines]
    if PLANS[identity].family == "rsa":
        (tmp_path / "list").write_bytes(crl.der)
        (tmp_path / "issuer.pem").write_bytes(encoding.pem(issuer.der, "CERTIFICATE"))
        code, said = openssl(
            "crl", "-inform", "DER", "-in", tmp_path / "list", "-CAfile", tmp_path / "issuer.pem", "-noout"
        )
        assert (code, "verify OK" in said) == (0, True), said


def test_no_list_forgets_what_an_older_one_told(home: Settings) -> None:
    identity = authority_id("CN-CQ", "sm2")
    first = folder_of(home).new_list(identity, NOW, revoked=[Revoked(serial=7, at=WHEN, reason="certificateHold")])
    second = folder_of(home).new_list(identity, NOW, revoked=[Revoked(serial=8, at=WHEN, reason="unspecified")])
    third = folder_of(home).new_list(identity, NOW, revoked=[Revoked(serial=7, at=WHEN, reason="keyCompromise")])
    numbers = [first.number, second.number, third.number]
    assert numbers == [2, 3, 4]  # the first list was made when the store was prepared
    assert {entry.serial for entry in second} == {7, 8}
    assert [(entry.serial, entry.reason) for entry in third] == [(8, None), (7, "keyCompromise")]
    other = folder_of(home).new_list(authority_id("CN-SC", "sm2"), NOW)
    assert other.count == 0
    with pytest.raises(SignatureError):
        verify_crl(other, folder_of(home).certificate(identity).spki)


def test_only_the_owner_can_read_the_folder(trusting: Settings) -> None:
    folder = trusting.home / "demo-ca"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert {f"{identity}.key" for identity in trusted_ids()} | {"passphrase"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    keys = [file.read_bytes() for file in folder.glob("*.key")]
    assert all(key.startswith(b"-----BEGIN ENCRYPTED ") for key in keys)


def test_what_is_there_is_not_made_again(home: Settings) -> None:
    before = {file: file.read_bytes() for file in (home.home / "demo-ca").iterdir()}
    folder_of(home).make(trusted_ids())
    assert {file: file.read_bytes() for file in (home.home / "demo-ca").iterdir()} == before


def test_what_a_crash_left_half_made_is_made_again(home: Settings) -> None:
    identity = authority_id("CN-SC", "rsa")
    folder = home.home / "demo-ca"
    (folder / f"{identity}.pem").unlink()
    untouched = {file.name: file.read_bytes() for file in folder.glob("*.pem")}
    folder_of(home).make(trusted_ids())
    lock = made(folder_of(home), ca="CN-SC", family="rsa")
    assert validate_path(lock.certificates["signing"], lock.chain[:1], lock.chain[1:], NOW)
    assert {name: (folder / name).read_bytes() for name in untouched} == untouched


def test_under_a_new_root_everything_is_new(home: Settings) -> None:
    (home.home / "demo-ca" / "demo-root-rsa.pem").unlink()
    folder_of(home).make(trusted_ids())
    lock = made(folder_of(home), ca="CN-CQ", family="rsa")
    assert validate_path(lock.certificates["signing"], lock.chain[:1], lock.chain[1:], NOW)
    assert folder_of(home).new_list(authority_id("CN-CQ", "rsa"), NOW).number == 1


def test_a_live_store_refuses_them(tmp_path: Path) -> None:
    settings = settings_at(tmp_path / "home")
    schema.migrate(settings.store_path, "live", clock.now())
    with pytest.raises(StoreError, match="demonstration certification authorities belong to test stores only"):
        folder_of(settings)
    assert not (settings.home / "demo-ca").exists()


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("passphrase", b"another\n", "key.passphrase_wrong"),
        ("demo-ca-cq-sm2.key", b"key", "key.damaged"),
        ("demo-ca-cq-sm2.pem", b"certificate", "key.damaged"),
        ("demo-ca-cq-sm2.revoked.json", b'{"number": 1, "revoked": [{"serial": "zz"}]}', "key.damaged"),
        ("demo-ca-cq-sm2.revoked.json", b"[]", "key.damaged"),
        (
            "demo-ca-cq-sm2.revoked.json",
            b'{"number": 1, "revoked": [{"serial": "1", "at": "2026-01-01T00:00:00Z", "reason": "x"}]}',
            "key.damaged",
        ),
    ],
)
def test_a_damaged_file_is_named(home: Settings, file: str, content: bytes, code: str) -> None:
    path = home.home / "demo-ca" / file
    path.write_bytes(content)
    with pytest.raises(CustodyError) as caught:
        folder_of(home).new_list("demo-ca-cq-sm2", NOW)
    assert caught.value.code == code
    named = path if path.name != "passphrase" else path.with_name("demo-ca-cq-sm2.key")
    assert str(named) in caught.value.detail


def test_the_key_of_another_authority_is_found_out(home: Settings) -> None:
    folder = home.home / "demo-ca"
    (folder / "demo-ca-cq-sm2.key").write_bytes((folder / "demo-ca-sc-sm2.key").read_bytes())
    with pytest.raises(CustodyError) as caught:
        folder_of(home).issuer("demo-ca-cq-sm2")
    assert caught.value.code == "key.name_wrong"


def test_a_missing_certificate_is_named(home: Settings) -> None:
    with pytest.raises(CustodyError) as caught:
        folder_of(home).certificate("demo-ca-foreign-sm2")
    assert caught.value.code == "key.file_missing"


def test_a_file_that_others_can_read_is_refused(home: Settings) -> None:
    (home.home / "demo-ca" / "passphrase").chmod(0o644)
    with pytest.raises(CustodyError) as caught:
        folder_of(home).issuer("demo-ca-cq-sm2")
    assert caught.value.code == "key.file_mode"


@pytest.mark.parametrize("instant", [datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)])
def test_dates_before_and_after_2050(home: Settings, instant: datetime) -> None:
    crl = folder_of(home).new_list("demo-root-sm2", instant - timedelta(days=1), instant)
    assert parse_crl(crl.der).next_update == instant
    form = asn1_crl.CertificateList.load(crl.der)["tbs_cert_list"]["next_update"].name
    assert form == ("utc_time" if instant.year < 2050 else "general_time")
