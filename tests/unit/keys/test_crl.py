import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cryptography_vectors
import pytest
from asn1crypto import crl as asn1_crl
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.certificate import read_certificate
from keys.errors import AlgorithmError, KeysError, MalformedError, SignatureError
from keys.revocation.crl import RevocationList, parse_crl, read_crl, verify_crl
from keys.revocation.entries import RevokedEntry
from keys.revocation.names import folded
from tests.support import der_writer as der
from tests.support.der_writer import Extension, IssuingDistributionPoint, Revoked
from tests.support.pki import AT, Authority
from tests.support.requirements import require

VECTORS = Path(cryptography_vectors.__file__).parent / "x509"
CONFORMANCE = Path(
    os.environ.get("ACCORD_CONFORMANCE_DATA", Path(__file__).resolve().parents[4] / "shared/conformance")
)

# RFC 5280 §5.3.1, in the order of cryptography's flags.
REASONS = [flag for flag in x509.ReasonFlags if flag is not x509.ReasonFlags.remove_from_crl]

FIRST, LAST = datetime(1951, 1, 1), datetime(2080, 1, 1)
moments = st.datetimes(FIRST, LAST).map(lambda moment: moment.replace(microsecond=0, tzinfo=UTC))
serials = st.one_of(st.integers(1, 300), st.integers(1, 2**159 - 1))

KEYS: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = {
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
}
ROOT = Authority.root("sm2")
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "differential CA")])


def spki(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    public = key.public_key()
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def unsigned(entries: Sequence[Revoked | bytes] = (), **changes: object) -> bytes:
    """A list whose signature nobody looks at."""
    return ROOT.crl(entries, signature=b"\0", **changes)


def refusal(data: bytes, read: Callable[[bytes], RevocationList] = parse_crl) -> KeysError:
    with pytest.raises(KeysError) as caught:
        read(data)
    return caught.value


def extension_of(theirs: x509.CertificateRevocationList | x509.RevokedCertificate, kind: type) -> object:
    try:
        return theirs.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def entry_of(theirs: x509.RevokedCertificate) -> RevokedEntry:
    """The entry as cryptography reads it, without a certificate issuer."""
    reason = extension_of(theirs, x509.CRLReason)
    invalid = extension_of(theirs, x509.InvalidityDate)
    return RevokedEntry(
        theirs.serial_number,
        theirs.revocation_date_utc,
        reason.reason.value if isinstance(reason, x509.CRLReason) else None,
        invalid.invalidity_date_utc if isinstance(invalid, x509.InvalidityDate) else None,
        None,
    )


def without_issuer(entry: RevokedEntry) -> RevokedEntry:
    return RevokedEntry(entry.serial, entry.revoked_at, entry.reason, entry.invalidity_date, None)


def assert_same(ours: RevocationList, theirs: x509.CertificateRevocationList) -> None:
    number, base = extension_of(theirs, x509.CRLNumber), extension_of(theirs, x509.DeltaCRLIndicator)
    key_id = extension_of(theirs, x509.AuthorityKeyIdentifier)
    assert ours.issuer == theirs.issuer.public_bytes()
    assert (ours.this_update, ours.next_update) == (theirs.last_update_utc, theirs.next_update_utc)
    assert ours.number == (number.crl_number if isinstance(number, x509.CRLNumber) else None)
    assert ours.base_number == (base.crl_number if isinstance(base, x509.DeltaCRLIndicator) else None)
    assert ours.authority_key_id == (key_id.key_identifier if isinstance(key_id, x509.AuthorityKeyIdentifier) else None)
    assert (ours.tbs, ours.signature) == (theirs.tbs_certlist_bytes, theirs.signature)
    assert ours.count == len(theirs)
    assert [without_issuer(entry) for entry in ours] == [entry_of(entry) for entry in theirs]
    assert_same_scope(ours, extension_of(theirs, x509.IssuingDistributionPoint))


def assert_same_scope(ours: RevocationList, point: object) -> None:
    if not isinstance(point, x509.IssuingDistributionPoint):
        assert ours.distribution is None
        return
    assert ours.distribution is not None
    scope = ours.distribution
    assert (scope.only_user, scope.only_ca) == (point.only_contains_user_certs, point.only_contains_ca_certs)
    assert (scope.only_attribute, scope.indirect) == (point.only_contains_attribute_certs, point.indirect_crl)
    reasons = point.only_some_reasons
    assert scope.only_reasons == (None if reasons is None else {reason.value for reason in reasons})
    assert (scope.names is None) == (point.full_name is None and point.relative_name is None)


@st.composite
def revoked(draw: st.DrawFn) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(draw(serials)).revocation_date(draw(moments))
    for extension in draw(
        st.tuples(
            st.none() | st.sampled_from(REASONS).map(x509.CRLReason),
            # cryptography writes "unspecified" and any date; both are what a CA may write.
            st.none() | moments.map(x509.InvalidityDate),
        )
    ):
        if extension is not None:
            builder = builder.add_extension(extension, critical=draw(st.booleans()))
    return builder.build()


@st.composite
def lists(draw: st.DrawFn) -> tuple[x509.CertificateRevocationList, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]:
    key = KEYS[draw(st.sampled_from(sorted(KEYS)))]
    start = draw(moments.filter(lambda moment: moment.year < 2079))
    builder = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(start)
    builder = builder.next_update(start + draw(st.timedeltas(timedelta(seconds=1), timedelta(days=300))))
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if draw(st.booleans()):
        extensions.append((x509.CRLNumber(draw(st.integers(0, 2**150))), False))
    if draw(st.booleans()):
        extensions.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False))
    if draw(st.booleans()):
        extensions.append((x509.DeltaCRLIndicator(draw(st.integers(0, 2**64))), True))
    if draw(st.booleans()):
        reasons = draw(st.none() | st.frozensets(st.sampled_from(REASONS[1:]), min_size=1))
        only = draw(st.sampled_from((None, 0, 1, 2)))
        full = draw(st.none() | st.just([x509.UniformResourceIdentifier("http://example.test/1.crl")]))
        if reasons or only is not None or full:
            point = x509.IssuingDistributionPoint(full, None, only == 0, only == 1, reasons, False, only == 2)
            extensions.append((point, True))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for entry in draw(st.lists(revoked(), max_size=12)):
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(key, hashes.SHA256()), key


@settings(max_examples=150, deadline=None)
@given(lists())
def test_what_cryptography_writes_is_read_as_cryptography_reads_it(
    made: tuple[x509.CertificateRevocationList, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey],
) -> None:
    theirs, key = made
    data = theirs.public_bytes(serialization.Encoding.DER)
    ours = parse_crl(data)
    assert_same(ours, theirs)
    assert ours.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert ours == read_crl(theirs.public_bytes(serialization.Encoding.PEM))
    verify_crl(ours, spki(key))
    for entry in theirs:
        assert entry.serial_number in ours
        assert list(ours.entries.find_all(entry.serial_number)) == [
            entry_of(each) for each in theirs if each.serial_number == entry.serial_number
        ]


def pkits() -> list[Path]:
    return sorted((VECTORS / "PKITS_data" / "crls").glob("*.crl"))


@pytest.mark.parametrize("path", pkits(), ids=lambda path: path.stem)
def test_the_lists_of_pkits_are_read_as_cryptography_reads_them(path: Path) -> None:
    data = path.read_bytes()
    if path.stem == "BadCRLSignatureCACRL":
        assert "whole bytes" in refusal(data).detail  # its signature says that three bits of it are not used
        return
    with warnings.catch_warnings():
        # cryptography warns of the negative serial numbers in one of them.
        warnings.simplefilter("ignore")
        theirs = x509.load_der_x509_crl(data)
        assert_same(parse_crl(data), theirs)
    assert bool(parse_crl(data).unhandled) == path.stem.startswith("UnknownCRL")


def test_all_of_pkits_is_there() -> None:
    assert len(pkits()) == 173


odd_serials = st.one_of(
    st.sampled_from((0, -1, -128, -129, 127, 128, 255, 256, 2**63, -(2**63))),
    st.integers(-(2**160), 2**160),
    st.integers(2**900, 2**2000),
    st.integers(-(2**2000), -(2**1000)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(Revoked, serial=odd_serials, at=moments), max_size=30))
def test_serial_numbers_of_any_size_and_sign_are_found_as_asn1crypto_reads_them(entries: list[Revoked]) -> None:
    data = unsigned(entries)
    ours = parse_crl(data)
    theirs = asn1_crl.CertificateList.load(data)["tbs_cert_list"]["revoked_certificates"]
    read = [(each["user_certificate"].native, each["revocation_date"].native) for each in theirs] if entries else []
    assert [(entry.serial, entry.revoked_at) for entry in ours] == read
    for serial, _ in read:
        assert serial in ours
        assert (serial + 2**2100) not in ours
        assert [entry.revoked_at for entry in ours.entries.find_all(serial)] == [
            moment for number, moment in read if number == serial
        ]


def test_a_list_in_every_form_of_entry_is_found_whole() -> None:
    """More entries than one run of extensions each can be remembered for, and more than one look has to pass."""
    entries = [
        Revoked(
            serial=number * 2**61 + 1 if number % 3 else number,
            at=AT - timedelta(seconds=number),
            reason=("superseded", None, "keyCompromise")[number % 3],
            invalidity=AT - timedelta(days=1, seconds=number) if number % 2 else None,
        )
        for number in range(10_000)
    ]
    crl = parse_crl(unsigned(entries))
    assert crl.count == len(entries)
    for entry in entries:
        expected = RevokedEntry(entry.serial, entry.at, entry.reason, entry.invalidity, None)
        assert crl.find(entry.serial) == expected
    written = {entry.serial for entry in entries}
    absent = [serial + 2 for serial in written if serial + 2 not in written]
    assert len(absent) > 6000
    assert not any(serial in crl for serial in absent)
    assert [entry.serial for entry in crl] == [entry.serial for entry in entries]


def test_a_serial_number_that_comes_twice_has_both_its_entries() -> None:
    entries = [Revoked(serial=9, at=AT - timedelta(days=day)) for day in (3, 1, 2)]
    crl = parse_crl(unsigned([*entries, Revoked(serial=8, at=AT)]))
    assert [entry.revoked_at for entry in crl.entries.find_all(9)] == [entry.at for entry in entries]
    assert crl.find(9) == crl.entries.find_all(9)[0]
    assert len(crl.entries.find_all(8)) == 1
    assert crl.entries.find_all(7) == ()


OTHER, THIRD = Authority.root("sm2", "乙CA").subject.der, Authority.root("sm2", "丙CA").subject.der
INDIRECT = IssuingDistributionPoint(indirect=True)


def test_an_indirect_list_attributes_entries_to_the_issuer_last_named() -> None:
    entries = [
        Revoked(serial=1, at=AT),
        Revoked(serial=1, at=AT, issuer=OTHER),
        Revoked(serial=2, at=AT, reason="superseded"),
        Revoked(serial=1, at=AT, issuer=THIRD),
        Revoked(serial=1, at=AT - timedelta(days=1), issuer=OTHER),
        Revoked(serial=3, at=AT, issuer=ROOT.subject.der),
    ]
    crl = parse_crl(unsigned(entries, part=INDIRECT))
    assert crl.unhandled == ()
    expected = [None, OTHER, OTHER, THIRD, OTHER, None]
    assert [entry.certificate_issuer for entry in crl] == expected
    assert crl.find(1) == crl.find(1, ROOT.subject.der)
    for serial, issuer, found in ((1, OTHER, 2), (2, OTHER, 1), (1, THIRD, 1), (2, THIRD, 0), (2, ROOT.subject.der, 0)):
        assert len(crl.entries.find_all(serial, keyed(issuer))) == found
        entry = crl.find(serial, issuer)
        assert (entry.certificate_issuer if entry else None) == (issuer if found else None)
    assert crl.find(2) is None
    assert crl.find(3) is not None
    assert crl.find(1, b"nobody") is None
    theirs = x509.load_der_x509_crl(unsigned(entries, part=INDIRECT))
    assert [extension_of(each, x509.CertificateIssuer) is not None for each in theirs] == [
        entry.issuer is not None for entry in entries
    ]


def keyed(name: bytes) -> bytes:
    return parse_crl(unsigned(issuer=name)).issuer_key


def test_many_issuers_with_the_same_serial_numbers_are_told_apart() -> None:
    issuers = [der.name([("2.5.4.3", f"CA {number}")]) for number in range(300)]
    entries = [Revoked(serial=serial, at=AT, issuer=issuer) for serial in (1, 2) for issuer in issuers]
    crl = parse_crl(unsigned(entries, part=INDIRECT))
    for issuer in issuers:
        for serial in (1, 2):
            entry = crl.find(serial, issuer)
            assert entry is not None
            assert entry.certificate_issuer == issuer
    assert crl.find(1) is None


def test_a_list_that_speaks_of_other_issuers_without_being_indirect_is_not_to_be_used() -> None:
    assert parse_crl(unsigned([Revoked(serial=1, at=AT, issuer=OTHER)])).unhandled == ("2.5.29.29",)


UNKNOWN = "1.2.3.4"


def test_unknown_critical_extensions_are_named() -> None:
    critical, other = Extension(UNKNOWN, b"\x05\x00", True), Extension("1.2.3.5", b"\x05\x00")
    assert parse_crl(unsigned(more=(critical, other))).unhandled == (UNKNOWN,)
    entries = [Revoked(serial=serial, at=AT, more=(critical, other)) for serial in (1, 2)]
    assert parse_crl(unsigned(entries)).unhandled == (UNKNOWN,)
    assert parse_crl(unsigned([Revoked(serial=1, at=AT, more=(other,))], more=(other,))).unhandled == ()


def test_a_list_without_extensions_and_end_is_read() -> None:
    crl = parse_crl(unsigned([Revoked(serial=1, at=AT)], extensions=(), version=None, next_update=None))
    assert (crl.number, crl.next_update, crl.distribution, crl.authority_key_id) == (None, None, None, None)
    assert crl.count == 1


def test_an_empty_list_has_nothing() -> None:
    crl = parse_crl(unsigned())
    assert (crl.count, list(crl), crl.find(1), 1 in crl) == (0, [], None, False)


def test_two_lists_are_equal_when_their_bytes_are() -> None:
    first, again, other = parse_crl(unsigned()), parse_crl(unsigned()), parse_crl(unsigned(number=5))
    assert first == again
    assert len({first, again, other}) == 2
    assert first != first.der
    assert repr(other) == f"RevocationList({other.digest}, number=5, 0 entries)"


def test_a_list_longer_than_the_limit_is_refused() -> None:
    data = unsigned()
    assert parse_crl(data, limit=len(data)).der == data
    assert refusal(data, lambda each: parse_crl(each, limit=len(data) - 1)).code == "crl.malformed"


def armoured(data: bytes) -> bytes:
    return der.pem(data, "X509 CRL").encode()


def test_pem_is_read_whatever_stands_around_it() -> None:
    data = unsigned([Revoked(serial=5, at=AT)])
    for text in (armoured(data), b"Certificate Revocation List (CRL):\r\n" + armoured(data).replace(b"\n", b"\r\n")):
        assert read_crl(text).der == data
    assert read_crl(data).der == data


def test_pem_that_is_none_is_refused() -> None:
    data = armoured(unsigned())
    assert refusal(data + data, read_crl).code == "crl.several"
    for damaged, detail in (
        (b"", "neither DER nor a PEM block"),
        (b"text", "neither DER nor a PEM block"),
        (der.pem(unsigned()).encode(), "neither DER nor a PEM block"),
        (data.replace(b"M", b"*", 1), "not base64"),
        (data.replace(b"\n", b"\nM", 1), "not base64"),
    ):
        refused = refusal(damaged, read_crl)
        assert refused.code == "crl.malformed"
        assert detail in refused.detail
    long = refusal(data, lambda each: read_crl(each, limit=20))
    assert "bytes of PEM" in long.detail


def test_the_signature_of_each_kind_of_authority_is_verified() -> None:
    for kind in ("sm2", "rsa-2048", "p-256", "p-384", "ed25519"):
        authority, other = Authority.root(kind), Authority.root(kind, "乙CA")
        crl = parse_crl(authority.crl([Revoked(serial=5, at=AT)]))
        verify_crl(crl, authority.key.spki)
        with pytest.raises(SignatureError) as caught:
            verify_crl(crl, other.key.spki)
        assert caught.value.code == "signature.wrong"
    with pytest.raises(AlgorithmError) as unlike:
        verify_crl(parse_crl(Authority.root("rsa-2048").crl()), Authority.root("sm2").key.spki)
    assert unlike.value.code == "key.kind"
    with pytest.raises(MalformedError):
        verify_crl(crl, b"no key")


def test_the_national_list_is_read_and_verified() -> None:
    path = CONFORMANCE / "sm2" / "crls" / "ROOTCA.crl"
    require(path.is_file(), "the conformance data")
    crl = read_crl(path.read_bytes())
    theirs = asn1_crl.CertificateList.load(crl.der)["tbs_cert_list"]["revoked_certificates"]
    assert [(entry.serial, entry.revoked_at) for entry in crl] == [
        (each["user_certificate"].native, each["revocation_date"].native) for each in theirs
    ]
    assert crl.count == 18
    assert crl.find(0x17591F6E224B3EB60A35DC48278C3774) == next(each for each in crl if each.reason)
    root = read_certificate((CONFORMANCE / "sm2" / "roots" / "ROOTCA.pem").read_bytes())
    assert crl.issuer_key == folded(root.subject)
    verify_crl(crl, root.spki)
