"""Our reading of certificates against cryptography, asn1crypto and the openssl command, and against damage."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import asn1crypto.core
import asn1crypto.x509
import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys.certificate import Certificate, holder_candidates, parse_certificate, read_certificate
from keys.errors import KeysError, MalformedError
from tests.support.requirements import require

SHARED = Path(
    os.environ.get("ACCORD_CONFORMANCE_DATA") or Path(__file__).resolve().parents[3].parent / "shared" / "conformance"
)

EC_KEY, RSA_KEY = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)

USAGES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
    "encipher_only": "encipherOnly",
    "decipher_only": "decipherOnly",
}
REASONS = {
    x509.ReasonFlags.key_compromise: "keyCompromise",
    x509.ReasonFlags.ca_compromise: "cACompromise",
    x509.ReasonFlags.affiliation_changed: "affiliationChanged",
    x509.ReasonFlags.superseded: "superseded",
    x509.ReasonFlags.cessation_of_operation: "cessationOfOperation",
    x509.ReasonFlags.certificate_hold: "certificateHold",
    x509.ReasonFlags.privilege_withdrawn: "privilegeWithdrawn",
    x509.ReasonFlags.aa_compromise: "aACompromise",
}


def usages(extension: x509.KeyUsage) -> frozenset[str]:
    undefined = set() if extension.key_agreement else {"encipher_only", "decipher_only"}
    return frozenset(name for flag, name in USAGES.items() if flag not in undefined and getattr(extension, flag))


def uris_and_names(names: list[x509.GeneralName] | None) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    uris = tuple(name.value for name in names or () if isinstance(name, x509.UniformResourceIdentifier))
    return uris, tuple(name.value.public_bytes() for name in names or () if isinstance(name, x509.DirectoryName))


def agree_on_points(points: tuple[object, ...], theirs: x509.CRLDistributionPoints | x509.FreshestCRL) -> None:
    assert len(points) == len(list(theirs))
    for point, their in zip(points, theirs, strict=True):
        uris, names = uris_and_names(their.full_name)
        reasons = None if their.reasons is None else frozenset(REASONS[reason] for reason in their.reasons)
        assert (point.uris, point.names, point.reasons) == (uris, names, reasons)  # type: ignore[attr-defined]
        assert point.crl_issuers == uris_and_names(their.crl_issuer)[1]  # type: ignore[attr-defined]
        assert (point.relative_name is None) == (their.relative_name is None)  # type: ignore[attr-defined]


def agree_on_extensions(ours: Certificate, extensions: x509.Extensions) -> None:
    assert {oid: extension.critical for oid, extension in ours.extensions.items()} == {
        extension.oid.dotted_string: extension.critical for extension in extensions
    }
    said = {extension.oid: extension.value for extension in extensions}
    usage = said.get(ExtensionOID.KEY_USAGE)
    assert ours.key_usage == (usages(usage) if isinstance(usage, x509.KeyUsage) else None)
    basic = said.get(ExtensionOID.BASIC_CONSTRAINTS)
    expected = (basic.ca, basic.path_length) if isinstance(basic, x509.BasicConstraints) else (False, None)
    assert (ours.is_ca, ours.path_length) == expected
    purposes = said.get(ExtensionOID.EXTENDED_KEY_USAGE)
    expected_purposes = (
        tuple(oid.dotted_string for oid in purposes) if isinstance(purposes, x509.ExtendedKeyUsage) else None
    )
    assert ours.extended_key_usage == expected_purposes
    subject_key = said.get(ExtensionOID.SUBJECT_KEY_IDENTIFIER)
    assert ours.subject_key_id == (subject_key.digest if isinstance(subject_key, x509.SubjectKeyIdentifier) else None)
    authority = said.get(ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
    if isinstance(authority, x509.AuthorityKeyIdentifier):
        issuers = uris_and_names(authority.authority_cert_issuer)[1]
        assert ours.authority_key_id == authority.key_identifier
        assert ours.authority_issuer == (issuers[0] if issuers else None)
        assert ours.authority_serial == authority.authority_cert_serial_number
    else:
        assert ours.authority_key_id is None
    points = said.get(ExtensionOID.CRL_DISTRIBUTION_POINTS)
    agree_on_points(ours.distribution_points, points if isinstance(points, x509.CRLDistributionPoints) else [])  # type: ignore[arg-type]
    freshest = said.get(ExtensionOID.FRESHEST_CRL)
    agree_on_points(ours.freshest_crl, freshest if isinstance(freshest, x509.FreshestCRL) else [])  # type: ignore[arg-type]
    for oid, value in ((ExtensionOID.CERTIFICATE_POLICIES, ours.certificate_policies),):
        assert (value is None) == (oid not in said)
    assert (ours.name_constraints is None) == (ExtensionOID.NAME_CONSTRAINTS not in said)


def agree_with_cryptography(der: bytes) -> None:
    ours, theirs = parse_certificate(der), x509.load_der_x509_certificate(der)
    assert (ours.tbs, ours.signature) == (theirs.tbs_certificate_bytes, theirs.signature)
    assert (ours.version, ours.serial) == (theirs.version.value + 1, theirs.serial_number)
    assert (ours.issuer, ours.subject) == (theirs.issuer.public_bytes(), theirs.subject.public_bytes())
    assert (ours.not_before, ours.not_after) == (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
    assert ours.fingerprint == "sha256:" + theirs.fingerprint(hashes.SHA256()).hex()
    common_names = theirs.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert ours.common_name == (common_names[-1].value if common_names else None)
    agree_on_extensions(ours, theirs.extensions)


def agree_with_asn1crypto(der: bytes) -> None:
    ours, theirs = parse_certificate(der), asn1crypto.x509.Certificate.load(der, strict=True)
    tbs = theirs["tbs_certificate"]
    assert (ours.tbs, ours.signature) == (tbs.dump(), theirs["signature_value"].native)
    assert ours.signature_algorithm == theirs["signature_algorithm"].dump() == tbs["signature"].dump()
    assert (ours.serial, ours.spki) == (tbs["serial_number"].native, tbs["subject_public_key_info"].dump())
    assert (ours.issuer, ours.subject) == (tbs["issuer"].dump(), tbs["subject"].dump())
    assert (ours.not_before, ours.not_after) == (theirs.not_valid_before, theirs.not_valid_after)
    expected = {
        extension["extn_id"].dotted: (extension["critical"].native, extension["extn_value"].contents)
        for extension in tbs["extensions"]
    }
    assert {oid: (extension.critical, extension.value) for oid, extension in ours.extensions.items()} == expected
    assert ours.key_usage == (None if theirs.key_usage_value is None else their_usages(theirs))
    assert ours.is_ca == bool(theirs.ca)
    assert (ours.path_length if theirs.ca else None) == (theirs.max_path_length if theirs.ca else None)


def their_usages(theirs: asn1crypto.x509.Certificate) -> set[str]:
    names = {**USAGES, "non_repudiation": "nonRepudiation"}
    return {names[name] for name in theirs.key_usage_value.native}


NAMES = st.lists(
    st.builds(
        x509.NameAttribute,
        st.sampled_from([NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.LOCALITY_NAME]),
        st.text(
            alphabet=st.one_of(
                st.characters(min_codepoint=0x20, max_codepoint=0x7E),
                st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5),
            ),
            min_size=1,
            max_size=20,
        ),
    ),
    max_size=4,
).map(x509.Name)
GENERAL_NAMES = st.lists(
    st.one_of(
        st.sampled_from(["http://ca.example.cn/1.crl", "ldap://ca.example.cn/cn=1"]).map(
            x509.UniformResourceIdentifier
        ),
        NAMES.map(x509.DirectoryName),
        st.just(x509.IPAddress(ip_address("192.0.2.1"))),
        st.just(x509.DNSName("ca.example.cn")),
        st.just(x509.RFC822Name("ca@example.cn")),
        st.just(x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))),
    ),
    min_size=1,
    max_size=3,
)
POINTS = st.lists(
    st.builds(
        x509.DistributionPoint,
        GENERAL_NAMES,
        st.none(),
        st.none() | st.frozensets(st.sampled_from(list(REASONS)), min_size=1),
        st.none() | GENERAL_NAMES,
    ),
    min_size=1,
    max_size=3,
)
FLAGS = st.lists(st.booleans(), min_size=9, max_size=9).filter(any)


def key_usage(flags: list[bool]) -> x509.KeyUsage:
    agreement = flags[4] or not any(flags[:7])
    return x509.KeyUsage(*flags[:4], agreement, *flags[5:7], *(flag and agreement for flag in flags[7:]))


EXTENSIONS: dict[str, st.SearchStrategy[x509.ExtensionType]] = {
    "basic": st.one_of(
        st.just(x509.BasicConstraints(False, None)),
        st.builds(x509.BasicConstraints, st.just(True), st.none() | st.integers(0, 300)),
    ),
    "usage": FLAGS.map(key_usage),
    "purposes": st.lists(
        st.sampled_from([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.TIME_STAMPING]), min_size=1
    ).map(x509.ExtendedKeyUsage),
    "subject key": st.binary(min_size=1, max_size=30).map(x509.SubjectKeyIdentifier),
    "authority key": st.one_of(
        st.builds(x509.AuthorityKeyIdentifier, st.binary(min_size=1), st.none(), st.none()),
        st.builds(x509.AuthorityKeyIdentifier, st.none() | st.binary(), GENERAL_NAMES, st.integers(1, 2**159)),
    ),
    "points": POINTS.map(x509.CRLDistributionPoints),
    "freshest": POINTS.map(x509.FreshestCRL),
    "policies": st.just(
        x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.156.1"), ["http://ca.example.cn"])])
    ),
    "constraints": st.just(x509.NameConstraints([x509.DNSName("example.cn")], None)),
    "unknown": st.binary(max_size=20).map(
        lambda value: x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.86.11.7.4"), value)
    ),
}


@st.composite
def certificates(draw: st.DrawFn) -> bytes:
    starts = draw(st.datetimes(datetime(1950, 1, 1), datetime(2200, 1, 1))).replace(microsecond=0)
    ends = draw(st.datetimes(starts, datetime(9999, 12, 31)))
    key = draw(st.sampled_from([EC_KEY, RSA_KEY]))
    builder = (
        x509.CertificateBuilder()
        .serial_number(draw(st.integers(1, 2**159 - 1)))
        .issuer_name(draw(NAMES))
        .subject_name(draw(NAMES))
        .not_valid_before(starts)
        .not_valid_after(ends)
        .public_key(key.public_key())
    )
    for name in draw(st.lists(st.sampled_from(list(EXTENSIONS)), unique=True)):
        builder = builder.add_extension(draw(EXTENSIONS[name]), draw(st.booleans()))
    return builder.sign(key, draw(st.sampled_from([hashes.SHA256(), hashes.SHA384()]))).public_bytes(Encoding.DER)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(certificates())
def test_what_cryptography_writes_is_read_as_cryptography_and_asn1crypto_read_it(der: bytes) -> None:
    agree_with_cryptography(der)
    agree_with_asn1crypto(der)
    spki = (
        x509.load_der_x509_certificate(der).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    assert parse_certificate(der).spki == spki


@cache
def samples() -> tuple[bytes, ...]:
    """Two certificates with everything in them, from another writer's hand."""

    def made(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
                x509.NameAttribute(NameOID.COMMON_NAME, "测试@11010519491231002X@1"),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, "91350100M000100Y43"),
            ]
        )
        point = x509.DistributionPoint(
            [x509.UniformResourceIdentifier("http://a.cn/1")], None, frozenset(REASONS), None
        )
        builder = (
            x509.CertificateBuilder(name, name, key.public_key(), 77)
            .not_valid_before(datetime(2026, 1, 1))
            .not_valid_after(datetime(2051, 1, 1))
            .add_extension(x509.BasicConstraints(True, 1), True)
            .add_extension(key_usage([True] * 9), True)
            .add_extension(x509.SubjectKeyIdentifier(b"12345678"), False)
            .add_extension(x509.AuthorityKeyIdentifier(b"1", [x509.DirectoryName(name)], 5), False)
            .add_extension(x509.CRLDistributionPoints([point]), False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
            .add_extension(
                x509.UnrecognizedExtension(
                    x509.ObjectIdentifier("1.2.156.10260.4.1.1"), b"1\x16\xa0\x14\x13\x12" + b"1" * 18
                ),
                False,
            )
        )
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)

    return made(EC_KEY), made(RSA_KEY)


def survive(data: bytes) -> None:
    """Everything that can be asked of a certificate is answered, or the certificate is refused by a KeysError."""
    try:
        certificate = read_certificate(data)
    except KeysError:
        return
    assert certificate.subject_text.isprintable()
    assert certificate.issuer_text.isprintable()
    assert certificate.use in ("signing", "encryption", "both", "ca")
    assert "11010519491231002X" not in certificate.subject_text + repr(certificate) + str(
        holder_candidates(certificate)
    )
    str(certificate.serial)


@settings(deadline=None)
@given(st.data())
def test_damage_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(data.draw(st.sampled_from(samples())))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        match data.draw(st.sampled_from(["flip", "set", "cut", "insert", "drop", "double"])):
            case "flip":
                damaged[place] ^= 1 << data.draw(st.integers(0, 7))
            case "set":
                damaged[place] = data.draw(st.sampled_from([0, 1, 0x30, 0x7F, 0x80, 0x84, 0xA0, 0xFF]))
            case "cut":
                damaged = damaged[: place + 1]
            case "insert":
                damaged[place:place] = data.draw(st.binary(min_size=1, max_size=4))
            case "drop":
                del damaged[place : place + data.draw(st.integers(1, 4))]
                damaged = damaged or bytearray(b"0")
            case "double":
                damaged[place:place] = damaged[place : place + 40]
    survive(bytes(damaged))


def test_a_bit_flipped_anywhere_and_every_cut_is_read_or_refused() -> None:
    sample = samples()[0]
    for place in range(len(sample)):
        survive(sample[:place])
        for bit in (0, 5, 7):
            flipped = bytearray(sample)
            flipped[place] ^= 1 << bit
            survive(bytes(flipped))


def test_a_cut_or_lengthened_certificate_is_always_refused() -> None:
    for sample in samples():
        for wrong in (*(sample[:place] for place in range(len(sample))), sample + b"\0", sample + sample):
            with pytest.raises(MalformedError):
                read_certificate(wrong)


@pytest.fixture(scope="module")
def openssl() -> str:
    path = shutil.which("openssl")
    require(path, "the openssl command")
    return str(path)


def run(openssl: str, *arguments: str, data: bytes | None = None) -> str:
    done = subprocess.run([openssl, *arguments], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def sm2_certificate(openssl: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sm2")
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    curves = subprocess.run([openssl, "ecparam", "-list_curves"], capture_output=True, check=False).stdout
    require(b"SM2" in curves, "an openssl command with SM2")
    run(openssl, "ecparam", "-name", "SM2", "-genkey", "-noout", "-out", key)
    extensions = (
        "keyUsage=critical,digitalSignature,nonRepudiation",
        "basicConstraints=critical,CA:FALSE",
        "crlDistributionPoints=URI:http://ca.example.cn/1.crl",
        "1.2.156.10260.4.1.4=ASN1:PRINTABLESTRING:91350100M000100Y43",
    )
    command = ["req", "-x509", "-new", "-key", key, "-sm3", "-sigopt", "distid:1234567812345678", "-days", "30"]
    command += ["-subj", "/C=CN/O=测试公司/CN=测试公司", "-utf8", "-out", certificate]
    run(openssl, *command, *(part for extension in extensions for part in ("-addext", extension)))
    return certificate


def test_an_sm2_certificate_of_openssl_is_read_as_openssl_reads_it(openssl: str, sm2_certificate: str) -> None:
    ours = read_certificate(Path(sm2_certificate).read_bytes())
    shown = run(
        openssl, "x509", "-in", sm2_certificate, "-noout", "-serial", "-fingerprint", "-sha256", "-dates", "-subject",
        "-nameopt", "utf8,sep_comma_plus_space", "-dateopt", "iso_8601",
    )  # fmt: skip
    said = dict(line.split("=", 1) for line in shown.splitlines())
    assert ours.serial == int(said["serial"], 16)
    assert ours.fingerprint == "sha256:" + said["sha256 Fingerprint"].replace(":", "").lower()
    for instant, name in ((ours.not_before, "notBefore"), (ours.not_after, "notAfter")):
        assert instant == datetime.fromisoformat(said[name]).replace(tzinfo=UTC)
    assert ours.subject_text == said["subject"].replace("UTF8:", "")
    assert (ours.use, ours.oddities) == ("signing", ())
    assert ours.distribution_points[0].uris == ("http://ca.example.cn/1.crl",)
    codes = [candidate.text for candidate in holder_candidates(ours)]
    assert codes == ["91350100M000100Y43"]
    agree_with_asn1crypto(ours.der)
    key = run(openssl, "x509", "-in", sm2_certificate, "-noout", "-pubkey")
    assert run(openssl, "pkey", "-pubin", "-inform", "DER", data=ours.spki) == key


# Made wrong by a change of the BIT STRING's first byte, which counts unused bits.
WRONG_SIGNATURES = {"BadSignedCACert", "InvalidDSASignatureTest6EE"}


def pkits() -> Iterator[Path]:
    folder = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data" / "certs"
    yield from sorted(folder.glob("*.crt"))


def test_every_certificate_of_pkits_is_read_as_cryptography_reads_it() -> None:
    paths = list(pkits())
    assert len(paths) > 400
    told: set[str] = set()
    for path in paths:
        der = path.read_bytes()
        if path.stem in WRONG_SIGNATURES:
            with pytest.raises(MalformedError, match=r"signature: .* whole bytes"):
                parse_certificate(der)
            continue
        told.update(parse_certificate(der).oddities)
        # cryptography warns of the one, and does not know DSA keys without parameters.
        if "serial.negative" not in parse_certificate(der).oddities and "DSAParameter" not in path.stem:
            agree_with_cryptography(der)
        agree_with_asn1crypto(der)
    assert told == {
        "basic_constraints.not_critical",
        "key_usage.cert_sign_without_ca",
        "serial.negative",
        "time.generalized_before_2050",
    }


def shared_certificates() -> list[Path]:
    folder = SHARED / "sm2"
    require(folder.is_dir(), f"the conformance data at {SHARED}")
    suffixes = {".crt", ".pem", ".der"}
    return sorted(path for path in folder.rglob("*") if path.suffix in suffixes)


def test_every_real_sm2_certificate_is_read() -> None:
    operating = 0
    for path in shared_certificates():
        if path.name == "damaged.crt":
            with pytest.raises(MalformedError, match="announced"):
                read_certificate(path.read_bytes())
            continue
        data = path.read_bytes()
        if data.count(b"-----BEGIN CERTIFICATE-----") > 1:
            with pytest.raises(MalformedError, match=r"certificate\.several"):
                read_certificate(data)
            continue
        certificate = read_certificate(data)
        survive(certificate.der)
        if path.parent.name in ("operating-cas", "roots"):
            assert certificate.use == "ca"
            # Even the three national roots do not mark basicConstraints critical.
            assert certificate.oddities in ((), ("basic_constraints.not_critical",))
            operating += path.parent.name == "operating-cas"
        if "spki.sm2_curve_as_algorithm" not in certificate.oddities:
            agree_with_asn1crypto(certificate.der)
    assert operating == 43


def test_real_certificates_with_a_flipped_byte_are_read_or_refused() -> None:
    for path in shared_certificates():
        if path.parent.name != "operating-cas" or path.name == "damaged.crt":
            continue
        der = read_certificate(path.read_bytes()).der
        for place in range(0, len(der), 7):
            survive(der[:place] + bytes((der[place] ^ 0xFF,)) + der[place + 1 :])
