import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from registry.identifiers import CHECK_SYSTEMS
from tests.support import der_writer as der
from tests.support import unsafe_sm2
from tests.support.der_writer import IssuingDistributionPoint, Revoked, Subject
from tests.support.pki import (
    AT,
    LIES,
    NOT_AFTER,
    NOT_BEFORE,
    ODDITIES,
    Authority,
    CertificateSpec,
    case,
    id_card_number,
    off_curve,
    person,
    placed,
    renewed,
    representative,
    unit,
    uscc,
)
from tests.support.unsafe_sm2 import DEFAULT_USER_ID, Key, unsafe_verify
from tests.unit.support.oracles import holds, openssl, openssl_4_refuses, parts, status, written

HIERARCHIES = [
    ("sm2", "sm2", "sm2"),
    ("rsa-2048", "rsa-2048", "rsa-2048"),
    ("p-256", "sm2", "rsa-2048"),
    ("sm2", "p-384", "ed25519"),
    ("ed25519", "rsa-2048", "sm2"),
]
ROOT = Path(__file__).resolve().parents[3]


def test_even_md5_can_be_asked_for(tmp_path: Path) -> None:
    root = Authority.root("rsa-1024", scheme="rsa-pkcs1-md5")
    path = written(tmp_path, "root", root.certificate.der)
    code, said = openssl("verify", "-check_ss_sig", "-attime", "1767225600", "-auth_level", "0", "-CAfile", path, path)
    assert code == 0, said
    assert "md5WithRSAEncryption" in openssl("x509", "-noout", "-text", "-in", path)[1]


def digests() -> list[str]:
    """A digest of all that each case holds."""
    names = ("", *LIES, *ODDITIES)
    made = [case(name, kinds) for name in names for kinds in (("sm2",) * 3, ("p-256", "rsa-1024", "ed25519"))]
    return [
        sha256(b"".join((one.root.certificate.der, *one.chain, one.leaf.der, *one.crls, one.root_crl))).hexdigest()
        for one in made
    ]


def test_the_same_call_gives_the_same_bytes_again_and_in_another_process() -> None:
    here = digests()
    assert len(set(here)) == len(here), "each lie makes other bytes"
    assert digests() == here
    program = "from tests.unit.support.test_pki import digests; print(*digests())"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == here


# What is made honestly


@pytest.mark.parametrize("kinds", HIERARCHIES, ids="/".join)
def test_an_honest_hierarchy_is_accepted(tmp_path: Path, kinds: tuple[str, str, str]) -> None:
    made = case("", kinds)
    assert openssl_4_refuses(made) == ""
    root = written(tmp_path, "root", made.root.certificate.der)
    authority = written(tmp_path, "authority", made.authority.certificate.der)
    leaf = written(tmp_path, "leaf", made.leaf.der)
    # OpenSSL 3.0 has the user id for the last certificate only, so the path is walked step by step.
    for anchor, certificate, kind in ((root, authority, kinds[0]), (authority, leaf, kinds[1])):
        told = ["verify", "-x509_strict", "-attime", f"{AT.timestamp():.0f}", "-partial_chain", "-trusted", anchor]
        told += ["-vfyopt", f"distid:{DEFAULT_USER_ID.decode()}"] if kind == "sm2" else []
        assert openssl(*told, certificate) == (0, f"{certificate}: OK\n")


@pytest.mark.parametrize("kinds", HIERARCHIES, ids="/".join)
def test_what_was_asked_for_is_what_libraries_read(kinds: tuple[str, str, str]) -> None:
    made = case("", kinds)
    spec, authority = made.leaf.spec, made.authority
    read = x509.load_der_x509_certificate(made.leaf.der)
    assert read.serial_number == made.leaf.serial
    assert (read.not_valid_before_utc, read.not_valid_after_utc) == (spec.not_before, spec.not_after)
    assert read.subject.public_bytes() == spec.subject.der
    assert read.issuer.public_bytes() == authority.subject.der
    usage = read.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    assert not usage.key_cert_sign
    above = x509.load_der_x509_certificate(authority.certificate.der)
    identifier = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert read.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == identifier
    parsed = asn1_x509.Certificate.load(made.leaf.der, strict=True)
    assert parsed.dump(force=True) == made.leaf.der
    assert parsed.serial_number == made.leaf.serial
    assert parsed.subject.native["organization_name"] == spec.subject.organisation


@pytest.mark.parametrize("kinds", HIERARCHIES, ids="/".join)
def test_an_honest_crl_is_read_as_it_was_meant(kinds: tuple[str, str, str]) -> None:
    authority = case("", kinds).authority
    entries = [
        Revoked(serial=5, at=NOT_BEFORE, reason="keyCompromise", invalidity=NOT_BEFORE - timedelta(days=3)),
        Revoked(serial=2**120 + 1, at=datetime(2051, 2, 3, tzinfo=UTC)),
    ]
    made = authority.crl(entries, number=12)
    read = x509.load_der_x509_crl(made)
    first, second = read
    assert (first.serial_number, first.revocation_date_utc) == (5, NOT_BEFORE)
    assert first.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    assert first.extensions.get_extension_for_class(
        x509.InvalidityDate
    ).value.invalidity_date_utc == NOT_BEFORE - timedelta(days=3)
    assert (second.serial_number, second.revocation_date_utc) == (2**120 + 1, datetime(2051, 2, 3, tzinfo=UTC))
    assert read.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 12
    assert (read.last_update_utc, read.next_update_utc) == (AT - timedelta(hours=6), AT + timedelta(days=7))
    assert asn1_crl.CertificateList.load(made, strict=True).dump(force=True) == made
    tbs, algorithm, signature = parts(made)
    assert algorithm == der.ALGORITHM_IDENTIFIERS[authority.key.scheme]
    assert holds(authority.key, authority.key.scheme, signature, tbs)


def test_every_extension_is_read_as_it_was_meant() -> None:
    authority = case("", ("p-256", "p-256", "p-256")).authority
    other = Subject(common_name=der.bmp("测试"), more=(("2.5.4.12", "经理"),)).der
    made = authority.issue(
        unit("p-256"),
        ca=True,
        path_length=3,
        extended_key_usage=("1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"),
        key_ids=False,
        points=(der.distribution_point(["http://crl.example/1.crl"]), der.distribution_point([], crl_issuer=other)),
        more=(
            der.certificate_policies("2.5.29.32.0", "1.2.3"),
            der.alternative_names(der.dns_name("lock.example"), der.directory_name(other)),
            der.name_constraints([der.dns_name("example")], [der.directory_name(other)]),
        ),
    )
    read = x509.load_der_x509_certificate(made.der).extensions
    name = x509.DirectoryName(
        x509.Name(
            [
                x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "CN"),
                x509.NameAttribute(x509.NameOID.COMMON_NAME, "测试"),
                x509.NameAttribute(x509.NameOID.TITLE, "经理"),
            ]
        )
    )
    point, by_another = read.get_extension_for_class(x509.CRLDistributionPoints).value
    assert read.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(ca=True, path_length=3)
    assert [usage.dotted_string[-1] for usage in read.get_extension_for_class(x509.ExtendedKeyUsage).value] == [
        "2",
        "4",
    ]
    assert point.full_name == [x509.UniformResourceIdentifier("http://crl.example/1.crl")]
    assert (by_another.full_name, by_another.crl_issuer) == (None, [name])
    policies = read.get_extension_for_class(x509.CertificatePolicies).value
    assert [policy.policy_identifier.dotted_string for policy in policies] == ["2.5.29.32.0", "1.2.3"]
    alternative = read.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(alternative) == [x509.DNSName("lock.example"), name]
    constraints = read.get_extension_for_class(x509.NameConstraints).value
    assert (constraints.permitted_subtrees, constraints.excluded_subtrees) == ([x509.DNSName("example")], [name])
    assert len(read) == 7


@pytest.mark.parametrize("flag", ["only_user", "only_ca", "only_attribute", "indirect"])
def test_the_part_that_a_crl_speaks_of_is_read_as_it_was_meant(flag: str) -> None:
    authority = case().authority
    reasons = ("keyCompromise", "certificateHold", "privilegeWithdrawn", "aACompromise")
    part = IssuingDistributionPoint(only_reasons=reasons, **{flag: True})
    read = x509.load_der_x509_crl(authority.crl(part=part, number=-1, key_ids=False)).extensions
    assert len(read) == 1
    said = read.get_extension_for_class(x509.IssuingDistributionPoint).value
    flags = {
        "only_user": said.only_contains_user_certs,
        "only_ca": said.only_contains_ca_certs,
        "only_attribute": said.only_contains_attribute_certs,
        "indirect": said.indirect_crl,
    }
    assert [name for name, there in flags.items() if there] == [flag]
    assert said.only_some_reasons is not None
    assert {reason.value for reason in said.only_some_reasons} == set(reasons)


def test_an_authority_can_change_how_it_signs() -> None:
    made = case("", ("rsa-2048", "rsa-2048", "rsa-2048"))
    for scheme in ("rsa-pss-sha256", "rsa-pss-sha512", "rsa-pkcs1-sha512"):
        leaf = replace(made.authority, scheme=scheme).issue(made.leaf.spec)
        assert parts(leaf.der)[1] == der.ALGORITHM_IDENTIFIERS[scheme]
        assert openssl_4_refuses(replace(made, leaf=leaf)) == ""
    other_id = replace(case().authority, user_id=b"noza").issue(unit())
    tbs, _, signature = parts(other_id.der)
    assert unsafe_verify(case().authority.key.point, signature, tbs, b"noza")
    assert not unsafe_verify(case().authority.key.point, signature, tbs)


def test_fields_that_are_bytes_are_written_as_they_are() -> None:
    ended = der.generalized_time(NOT_AFTER, "%Y%m%d%H%MZ")
    made = case().authority.issue(unit(), not_after=ended, extensions=())
    assert ended in made.der
    assert made.revoked().not_after is None
    authority = case().authority
    entry = Revoked(serial=3, at=NOT_BEFORE)
    assert authority.crl([entry.der], drop_expired=True) == authority.crl([entry])
    bare = authority.crl([entry], this_update=ended, next_update=None, version=None, extensions=())
    assert len(der.members_of(parts(bare)[0])) == 4


def test_full_delta_and_partitioned_crls_say_who_is_revoked(tmp_path: Path) -> None:
    uri = "http://crl.example/1.crl"
    point = der.distribution_point([uri])
    honest = case("", ("p-256", "p-256", "p-256"))
    authority = honest.authority
    fresh = der.distribution_points(der.distribution_point(["http://crl.example/delta.crl"]), freshest=True)
    made = replace(honest, leaf=authority.issue(honest.leaf.spec, points=(point,), more=(fresh,)))
    entry, other = made.leaf.revoked(reason="superseded"), Revoked(serial=3, at=NOT_BEFORE)

    assert status(tmp_path, made, (authority.crl([other]),)) == ""
    assert status(tmp_path, made, (authority.crl([other, entry]),)) == "certificate revoked"

    base = authority.crl([other], number=5, more=(fresh,))
    delta = authority.crl([entry], number=6, base=5, this_update=AT - timedelta(hours=1))
    assert status(tmp_path, made, (base, delta), "-extended_crl", "-use_deltas") == "certificate revoked"
    assert status(tmp_path, made, (base,), "-extended_crl", "-use_deltas") == ""

    mine, users = IssuingDistributionPoint(uris=(uri,)), IssuingDistributionPoint(uris=(uri,), only_user=True)
    for part in (mine, users):
        assert status(tmp_path, made, (authority.crl([entry], part=part),)) == "certificate revoked"
        assert status(tmp_path, made, (authority.crl([other], part=part),)) == ""
    elsewhere = IssuingDistributionPoint(uris=("http://crl.example/2.crl",))
    assert status(tmp_path, made, (authority.crl([entry], part=elsewhere),)) == "different CRL scope"


def test_an_indirect_crl_speaks_of_another_authority(tmp_path: Path) -> None:
    honest = case("", ("p-256", "p-256", "p-256"))
    publisher = honest.root.subordinate("测试CRL发布中心", key_usage=("cRLSign",), ca=None)
    point = der.distribution_point(["http://crl.example/i.crl"], crl_issuer=publisher.subject.der)
    made = replace(honest, leaf=honest.authority.issue(honest.leaf.spec, points=(point,)))
    part = IssuingDistributionPoint(uris=("http://crl.example/i.crl",), indirect=True)
    own = Revoked(serial=3, at=NOT_BEFORE)
    entry = replace(made.leaf.revoked(), issuer=honest.authority.subject.der)
    lists = written(
        tmp_path,
        "lists",
        publisher.crl([own, entry], part=part),
        made.root.crl(),
        label="X509 CRL",
    )
    root = written(tmp_path, "root", made.root.certificate.der)
    between = written(tmp_path, "between", *made.chain, publisher.certificate.der)
    leaf = written(tmp_path, "leaf", made.leaf.der)
    told = ["verify", "-crl_check", "-extended_crl", "-attime", f"{AT.timestamp():.0f}", "-CAfile", root]
    code, said = openssl(*told, "-untrusted", between, "-CRLfile", lists, leaf)
    assert (code, "certificate revoked" in said) == (2, True)
    entry = replace(entry, issuer=made.root.subject.der)
    written(tmp_path, "lists", publisher.crl([own, entry], part=part), made.root.crl(), label="X509 CRL")
    assert openssl(*told, "-untrusted", between, "-CRLfile", lists, leaf)[0] == 0


def test_the_openssl_command_verifies_sm2_crls(tmp_path: Path) -> None:
    """With the empty user id, as OpenSSL 3.0 takes no other for a CRL; the default one is held by the path tests."""
    authority = replace(case().authority, user_id=b"")
    anchor = written(tmp_path, "anchor", authority.certificate.der)
    for listed, verdict in ((authority, "verify OK"), (replace(authority, user_id=b"x"), "verify failure")):
        made = written(tmp_path, "crl", listed.crl([Revoked(serial=3, at=NOT_BEFORE)]), label="X509 CRL")
        assert openssl("crl", "-in", made, "-noout", "-CAfile", anchor)[1].strip() == verdict


# Lies

REFUSALS = {
    "wrong-signer": "certificate signature failure",
    "swapped-algorithm": "certificate signature failure",
    "algorithms-differ": "certificate signature failure",
    "empty-signature": "certificate signature failure",
    "forged-issuer-name": "unable to get local issuer certificate",
    "unknown-critical-extension": "unhandled critical extension",
    "ca-wrong-signer": "certificate signature failure",
    "ca-swapped-algorithm": "certificate signature failure",
    "ca-algorithms-differ": "certificate signature failure",
    "ca-empty-signature": "certificate signature failure",
    "ca-forged-issuer-name": "unable to get local issuer certificate",
    "ca-unknown-critical-extension": "unhandled critical extension",
    "off-curve-key": "unspecified certificate verification error",
    "ca-off-curve-key": "unable to get local issuer certificate",
    "duplicate-extension": "unable to get local issuer certificate",
    "expired": "certificate has expired",
    "not-yet-valid": "certificate is not yet valid",
    "ca-expired": "certificate has expired",
    "no-key-cert-sign": "invalid CA certificate",
    "no-ca-bit": "invalid CA certificate",
    "no-basic-constraints": "invalid CA certificate",
    "version-1-ca": "invalid CA certificate",
    "path-length": "path length constraint exceeded",
    "name-constraints": "permitted subtree violation",
}
CRL_REFUSALS = {
    "no-crl-sign": "key usage does not include CRL signing",
    "crl-wrong-signer": "CRL signature failure",
    "crl-swapped-algorithm": "CRL signature failure",
    "crl-empty-signature": "CRL signature failure",
    "crl-forged-issuer-name": "unable to get certificate CRL",
    "crl-unknown-critical-extension": "unhandled critical CRL extension",
    "crl-stale": "CRL has expired",
    "crl-from-the-future": "CRL is not yet valid",
    "crl-other-part": "different CRL scope",
}
ONLY_SEEN_WHEN_PARSED = {"crl-algorithms-differ"}
FORGOTTEN = ("crl-entry-removed", "crl-lower-number", "crl-dropped-after-expiry")


def test_every_lie_has_a_test() -> None:
    assert LIES.keys() == REFUSALS.keys() | CRL_REFUSALS.keys() | ONLY_SEEN_WHEN_PARSED | set(FORGOTTEN)
    assert not LIES.keys() & ODDITIES.keys()


@pytest.mark.parametrize("kind", ["sm2", "rsa-2048", "p-256"])
@pytest.mark.parametrize("lie", REFUSALS)
def test_openssl_refuses_the_path_for_what_the_lie_says(lie: str, kind: str) -> None:
    made = case(lie, (kind, kind, kind))
    said = openssl_4_refuses(made)
    # SM2 has one scheme, so that OpenSSL does not find an issuer that could have signed by another.
    expected = {REFUSALS[lie], "unable to get local issuer certificate"} if "algorithm" in lie else {REFUSALS[lie]}
    assert any(reason in said for reason in expected), said
    told, signer = (made.leaf, made.authority) if LIES[lie].about == "leaf" else (made.authority.certificate, made.root)
    if lie == "path-length":
        signer = made.authority.above or signer
    tbs, _, signature = parts(told.der)
    right = holds(signer.key, signer.key.scheme, signature, tbs)
    assert right is (lie.removeprefix("ca-") not in {"wrong-signer", "empty-signature"}), "nothing else is wrong"


@pytest.mark.parametrize("lie", CRL_REFUSALS)
def test_openssl_refuses_the_crl_for_what_the_lie_says(tmp_path: Path, lie: str) -> None:
    made = case(lie, ("p-256", "p-256", "p-256"))
    assert openssl_4_refuses(made) == ""
    assert status(tmp_path, made, made.crls) == CRL_REFUSALS[lie]


@pytest.mark.parametrize("kind", ["sm2", "p-256"])
@pytest.mark.parametrize("lie", FORGOTTEN)
def test_a_later_crl_forgets_who_was_revoked(lie: str, kind: str) -> None:
    made = case(lie, (kind, kind, kind))
    assert all(holds(made.authority.key, made.authority.key.scheme, parts(crl)[2], parts(crl)[0]) for crl in made.crls)
    earlier, later = (x509.load_der_x509_crl(crl) for crl in made.crls)
    assert earlier.get_revoked_certificate_by_serial_number(made.leaf.serial) is not None
    assert later.get_revoked_certificate_by_serial_number(made.leaf.serial) is None
    numbers = [crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for crl in (earlier, later)]
    assert (numbers[0] > numbers[1]) is (lie == "crl-lower-number")
    ended = x509.load_der_x509_certificate(made.leaf.der).not_valid_after_utc
    assert earlier.last_update_utc < ended
    assert (ended < later.last_update_utc) is (lie == "crl-dropped-after-expiry")


@pytest.mark.parametrize(("lie", "which"), [("swapped-algorithm", (1, 1)), ("algorithms-differ", (1, 0))])
@pytest.mark.parametrize("prefix", ["", "ca-", "crl-"])
def test_the_named_algorithm_is_another_than_was_used(lie: str, which: tuple[int, int], prefix: str) -> None:
    made = case(prefix + lie)
    told = {"": made.leaf.der, "ca-": made.authority.certificate.der, "crl-": made.crls[-1]}[prefix]
    tbs, outer, signature = parts(told)
    inner = der.members_of(tbs)[1 if prefix == "crl-" else 2]
    names = {der.ALGORITHM_IDENTIFIERS["sm2-sm3"]: 0, der.ALGORITHM_IDENTIFIERS["ecdsa-sha256"]: 1}
    assert (names[inner], names[outer]) == which
    signer = made.root if prefix == "ca-" else made.authority
    assert holds(signer.key, "sm2-sm3", signature, tbs)


# Oddities

READABLE_BY_OPENSSL = {
    "negative-serial",
    "zero-serial",
    "long-serial",
    "gb18030-in-t61",
    "generalized-early",
    "trailing-bytes",
    "null-parameters",
}


@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_oddity_is_rightly_signed_and_really_there(oddity: str) -> None:
    made = case(oddity)
    assert (openssl_4_refuses(made) == "") is (oddity in READABLE_BY_OPENSSL)
    whole = made.leaf.der[: len(made.leaf.der) - len(made.leaf.spec.trailing)]
    tbs, outer, signature = parts(whole)
    assert unsafe_verify(made.authority.key.point, signature, tbs)
    _, serial, inner, _, validity, subject, spki, _ = der.members_of(tbs)
    begins = der.contents_of(der.members_of(validity)[0])
    common_name = "测试建设1有限公司".encode("gb18030")
    shown: dict[str, object] = {
        "negative-serial": serial == b"\x02\x01\xfb" and made.leaf.serial == -5,
        "zero-serial": serial == b"\x02\x01\0",
        "long-serial": len(der.contents_of(serial)) == 26,
        "padded-serial": serial == b"\x02\x03\0\0\1" and made.leaf.serial == 1,
        "empty-serial": serial == b"\x02\0",
        "gb18030-name": b"\x0c" + bytes((len(common_name),)) + common_name in subject,
        "gb18030-in-t61": b"\x14" + bytes((len(common_name),)) + common_name in subject,
        "curve-as-algorithm": der.members_of(spki)[0] == der.sequence(der.oid("1.2.156.10197.1.301")),
        "no-seconds": begins == b"2501010000Z",
        "local-offset": begins == b"250101080000+0800",
        "generalized-early": begins == b"20250101000000Z",
        "generalized-fraction": begins == b"20250101000000.0Z",
        "trailing-bytes": made.leaf.der == whole + b"\0\0",
        "null-parameters": inner == outer == der.sequence(der.oid("1.2.156.10197.1.501"), der.null()),
    }
    assert [name for name, really in shown.items() if really] == [oddity]
    assert shown.keys() == ODDITIES.keys()


# Holders


@given(st.integers(0, 999_999), st.integers(0, 999))
def test_numbers_of_holders_have_right_check_characters(company: int, holder: int) -> None:
    assert CHECK_SYSTEMS["uscc"](uscc(company))
    number = id_card_number(holder)
    assert len(number) == 18
    # ISO 7064 MOD 11-2, which GB 11643 is, by its own recurrence.
    remainder = 0
    for character in number[:-1]:
        remainder = (remainder + int(character)) * 2 % 11
    assert (remainder + (10 if number[-1] == "X" else int(number[-1]))) % 11 == 1


@pytest.mark.parametrize("where", ["subject", "common-name", *der.NUMBER_EXTENSIONS])
@pytest.mark.parametrize("encoding", der.NUMBER_ENCODINGS)
def test_the_number_of_the_holder_stands_where_it_was_placed(where: str, encoding: str) -> None:
    bare = CertificateSpec(subject=Subject(common_name="测试"), key=Key("sm2", "a"))
    made = case().authority.issue(placed(bare, uscc(7), where, encoding))
    read = asn1_x509.Certificate.load(made.der, strict=True)
    extensions = {
        extension["extn_id"].dotted: extension["extn_value"].contents
        for extension in read["tbs_certificate"]["extensions"]
    }
    found = {
        "subject": read.subject.native.get("serial_number") == uscc(7),
        "common-name": read.subject.native["common_name"] == f"{uscc(7)}@测试@01@003",
        **{name: uscc(7).encode() in extensions.get(dotted, b"") for name, dotted in der.NUMBER_EXTENSIONS.items()},
    }
    assert [name for name, there in found.items() if there] == [where]
    assert made.der.count(uscc(7).encode()) == 1


@pytest.mark.parametrize("kind", ["sm2", "rsa-1024"])
@pytest.mark.parametrize("spec", [unit, representative, person], ids=lambda holder: holder.__name__)
def test_a_lock_has_two_certificates_of_one_subject_and_is_renewed(
    spec: Callable[..., CertificateSpec], kind: str
) -> None:
    authority = case("", (kind, kind, kind)).authority
    lock = authority.pair(spec(kind, number=4))
    after = authority.pair(renewed(lock.signing.spec))
    same = authority.pair(renewed(lock.signing.spec, same_key=True))
    read = [
        x509.load_der_x509_certificate(one.der)
        for pair in (lock, after, same)
        for one in (pair.signing, pair.encryption)
    ]
    assert len({one.subject for one in read}) == 1
    assert len({one.serial_number for one in read}) == 6
    assert len({pair.signing.key for pair in (lock, after, same)} | {lock.encryption.key}) == 3
    usages = [one.extensions.get_extension_for_class(x509.KeyUsage).value for one in read]
    assert [one.digital_signature and one.content_commitment for one in usages] == [True, False] * 3
    assert [one.key_encipherment and one.data_encipherment for one in usages] == [False, True] * 3
    assert read[0].not_valid_before_utc < read[2].not_valid_before_utc < read[0].not_valid_after_utc
    assert read[0].not_valid_after_utc == NOT_AFTER < read[2].not_valid_after_utc
    shown = id_card_number(4) if spec is person else uscc(4)
    assert shown.encode() in lock.signing.der
    assert (id_card_number(4).encode() in lock.signing.der) is (spec is not unit)


def test_the_key_off_the_curve_is_off_the_curve() -> None:
    point = der.contents_of(der.members_of(off_curve())[1])[1:]
    with pytest.raises(ValueError, match="not an uncompressed point"):
        unsafe_sm2.decode_point(point)
    assert unsafe_sm2.decode_point(Key("sm2", "off the curve").point)[0] == int.from_bytes(point[1:33], "big")
