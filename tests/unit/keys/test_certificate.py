import hashlib
from datetime import UTC, datetime

import pytest

from keys.certificate import FATAL_ODDITIES, MAX_LENGTH, parse_certificate
from keys.errors import MalformedError
from tests.support import der_writer as der
from tests.support.certificate_writer import ALGORITHM, NAME, SPKI, SUBJECT, extended, named, written
from tests.support.der_writer import Extension

V1, V2 = b"", der.explicit(0, der.integer(1))
CA = der.basic_constraints(True)
UNKNOWN = Extension("1.2.3.4", b"anything")


def refusal(data: bytes, code: str = "certificate.malformed") -> str:
    with pytest.raises(MalformedError) as caught:
        parse_certificate(data)
    assert caught.value.code == code
    return caught.value.detail


def oddities(data: bytes) -> tuple[str, ...]:
    return parse_certificate(data).oddities


def validity(not_before: bytes, not_after: bytes) -> bytes:
    return der.sequence(not_before, not_after)


def test_a_certificate_is_seen_as_it_stands() -> None:
    data = written(der.key_usage(["digitalSignature"]), UNKNOWN, signature=der.bit_string(b"signature"))
    certificate = parse_certificate(data)
    tbs, algorithm, _ = der.members_of(data)
    assert (certificate.der, certificate.tbs, certificate.signature_algorithm) == (data, tbs, algorithm)
    assert (certificate.signature, certificate.version, certificate.serial) == (b"signature", 3, 4711)
    assert (certificate.issuer, certificate.subject, certificate.spki) == (NAME, SUBJECT, SPKI)
    assert (certificate.not_before, certificate.not_after) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2028, 1, 1, tzinfo=UTC),
    )
    assert certificate.issued_at == certificate.not_before
    assert list(certificate.extensions) == ["2.5.29.15", "1.2.3.4"]
    assert certificate.extensions["1.2.3.4"].value == b"anything"
    assert [extension.critical for extension in certificate.extensions.values()] == [True, False]
    assert certificate.oddities == ()
    assert certificate.fingerprint == "sha256:" + hashlib.sha256(data).hexdigest()


def test_nothing_is_understood_where_nothing_is_said() -> None:
    certificate = parse_certificate(written(version=V1))
    assert (certificate.version, dict(certificate.extensions)) == (1, {})
    assert (certificate.is_ca, certificate.path_length, certificate.use) == (False, None, "both")
    assert certificate.key_usage is certificate.extended_key_usage is certificate.subject_key_id is None
    assert certificate.authority_key_id is certificate.authority_issuer is certificate.authority_serial is None
    assert certificate.certificate_policies is certificate.name_constraints is None
    assert certificate.distribution_points == certificate.freshest_crl == ()


def test_a_certificate_cannot_be_changed_and_is_known_by_its_bytes() -> None:
    data = written(UNKNOWN)
    certificate = parse_certificate(data)
    with pytest.raises(AttributeError):
        certificate.serial = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        certificate.is_ca = True  # type: ignore[misc]
    with pytest.raises(TypeError):
        certificate.extensions["1.2.3.4"] = certificate.extensions["1.2.3.4"]  # type: ignore[index]
    assert certificate == parse_certificate(data)
    assert not certificate != parse_certificate(data)  # noqa: SIM202 - the other operator
    assert certificate != parse_certificate(written())
    assert not certificate == parse_certificate(written())  # noqa: SIM201
    assert certificate != data
    assert {certificate, parse_certificate(data)} == {certificate}


def test_repr_shows_times_and_oddities_and_nothing_that_names_anybody() -> None:
    certificate = parse_certificate(written(serial=der.integer(0)))
    assert repr(certificate).startswith("Certificate(not_before=datetime.datetime(2026, 1, 1")
    assert repr(certificate).endswith("oddities=('serial.zero',))")
    for telling in ("测试", "serial=", "der=", "tbs="):
        assert telling not in repr(certificate)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "certificate: the data ends inside a header (at byte 0)"),
        (b"\x04\x00", "certificate: tag 0x04 where SEQUENCE belongs"),
        (written() + b"\x00", "certificate: 1 bytes follow"),
        (der.sequence(*der.members_of(written())[:2]), "certificate: a certificate has 3 parts, not 2"),
        (der.sequence(*der.members_of(written()), b"\x05\x00"), "certificate: a certificate has 3 parts, not 4"),
        (written(outer=b"\x05\x00"), "signatureAlgorithm: tag 0x05"),
        (written(outer=der.sequence()), "signatureAlgorithm: an AlgorithmIdentifier has 1 or 2 parts, not 0"),
        (written(outer=der.sequence(der.null())), "signatureAlgorithm: tag 0x05 where OBJECT IDENTIFIER"),
        (written(outer=der.SM2_SM3_WITH_NULL), "signatureAlgorithm: not the one that is signed"),
        (written(signature=der.bit_string(b"\x80", 7)), "signature: a BIT STRING here has whole bytes"),
        (written(signature=der.octet_string(b"")), "signature: tag 0x04 where BIT STRING belongs"),
        (der.sequence(der.sequence(), ALGORITHM, der.bit_string(b"")), "tbsCertificate: parts are missing"),
        (written(spki=b"", extensions=b""), "tbsCertificate: parts are missing"),
        (written(version=der.explicit(0, der.integer(3))), "the version is not 1, 2 or 3"),
        (written(version=der.explicit(0, der.integer(-1))), "the version is not 1, 2 or 3"),
        (written(version=der.explicit(0, der.integer(b"\x00\x02"))), "more bytes than it needs"),
        (written(version=der.explicit(0, der.integer(2) + der.integer(2))), "3 bytes follow"),
        (written(serial=der.integer(b"")), "serialNumber: an INTEGER without contents"),
        (written(serial=der.integer(b"\x00\x01")), "serialNumber: an INTEGER in more bytes than it needs"),
        (written(serial=der.integer(b"\x01" * 129)), "serialNumber: a serial number of more than 128 bytes"),
        (written(serial=der.enumerated(1)), "serialNumber: tag 0x0a where INTEGER belongs"),
        (written(issuer=der.null()), "issuer: tag 0x05 where SEQUENCE belongs"),
        (written(subject=der.sequence(der.set_of())), "subject: a part of a name is empty"),
        (written(validity=der.null()), "validity: tag 0x05"),
        (written(validity=der.sequence()), "validity: it has 2 times, not 0"),
        (written(validity=validity(der.null(), der.null())), "validity: tag 0x05 where a time belongs"),
        (written(spki=der.sequence()), "subjectPublicKeyInfo: it has 2 parts, not 0"),
        (written(spki=der.sequence(ALGORITHM, der.bit_string(b"\x80", 1))), "subjectPublicKeyInfo: a BIT STRING here"),
        (written(spki=der.sequence(der.sequence(), der.bit_string(b""))), "subjectPublicKeyInfo: an AlgorithmIdent"),
    ],
)
def test_a_wrong_structure_is_refused_with_what_and_where(data: bytes, what: str) -> None:
    assert what in refusal(data)


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"extensions": extended(UNKNOWN), "version": V1}, "a certificate of version 1 has none of tag [3]"),
        ({"extensions": extended(UNKNOWN), "version": V2}, "a certificate of version 2 has none of tag [3]"),
        ({"unique": der.implicit(1, der.bit_string(b"a")), "version": V1}, "version 1 has none of tag [1]"),
        ({"unique": der.implicit(2, der.bit_string(b"a")), "version": V1}, "version 1 has none of tag [2]"),
        ({"unique": der.explicit(1, der.bit_string(b"a"))}, "tag 0xa1 out of place"),
        ({"unique": der.implicit(1, der.bit_string(b""))[:1] + b"\x00"}, "a BIT STRING without contents"),
        ({"unique": der.implicit(2, der.bit_string(b"a")) + der.implicit(1, der.bit_string(b"a"))}, "tag 0x81 out of"),
        ({"extensions": extended(UNKNOWN) + extended(UNKNOWN)}, "tag 0xa3 out of place"),
        ({"extensions": der.explicit(4, der.sequence())}, "tag 0xa4 out of place"),
        ({"extensions": der.null()}, "tag 0x05 out of place"),
        ({"extensions": der.explicit(3, der.null())}, "tag 0x05 where SEQUENCE belongs"),
        ({"extensions": extended(der.sequence(der.oid("1.2.3")))}, "an extension has 2 or 3 parts, not 1"),
        ({"extensions": extended(der.sequence(der.null(), der.octet_string(b"")))}, "where OBJECT IDENTIFIER belongs"),
        ({"extensions": extended(der.sequence(der.oid("1.2.3"), der.null()))}, "where OCTET STRING belongs"),
        (
            {"extensions": extended(der.sequence(der.oid("1.2.3"), der.null(), der.octet_string(b"")))},
            "tag 0x05 where BOOLEAN belongs",
        ),
        (
            {"extensions": extended(der.sequence(der.oid("1.2.3"), b"\x01\x01\x01", der.octet_string(b"")))},
            "a BOOLEAN is one byte, 00 or FF",
        ),
    ],
)
def test_what_follows_the_key_is_in_place_and_of_the_version(parts: dict[str, bytes], what: str) -> None:
    detail = refusal(written(**parts))
    assert detail.startswith("extensions: ")
    assert what in detail


def test_unique_identifiers_are_passed_over_where_they_may_be() -> None:
    both = der.implicit(1, der.bit_string(b"a")) + der.implicit(2, der.bit_string(b"b"))
    assert parse_certificate(written(unique=both, version=V2)).version == 2
    assert list(parse_certificate(written(UNKNOWN, unique=both)).extensions) == ["1.2.3.4"]


def test_a_certificate_has_a_greatest_length() -> None:
    room = MAX_LENGTH - len(written(Extension("1.2.3.4", bytes(MAX_LENGTH - 1000)))) + MAX_LENGTH - 1000
    assert len(parse_certificate(written(Extension("1.2.3.4", bytes(room)))).der) == MAX_LENGTH
    assert "65537 bytes" in refusal(written(Extension("1.2.3.4", bytes(room + 1))), "certificate.too_large")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, ()),
        (2**159 - 1, ()),
        (0, ("serial.zero",)),
        (-1, ("serial.negative",)),
        (2**159, ("serial.too_long",)),
        (-(2**200), ("serial.negative", "serial.too_long")),
        (2**1023 - 1, ("serial.too_long",)),
    ],
)
def test_odd_serial_numbers_are_read_and_told(number: int, expected: tuple[str, ...]) -> None:
    certificate = parse_certificate(written(serial=der.integer(number)))
    assert (certificate.serial, certificate.oddities) == (number, expected)
    assert str(certificate.serial) == str(number)


UTC_2026, GENERALIZED_2050 = der.tlv(0x17, b"260101000000Z"), der.tlv(0x18, b"20500101000000Z")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((UTC_2026, GENERALIZED_2050), ()),
        ((UTC_2026, UTC_2026), ()),
        ((UTC_2026, der.tlv(0x18, b"99991231235959Z")), ()),
        ((UTC_2026, der.tlv(0x18, b"20491231235959Z")), ("time.generalized_before_2050",)),
        ((der.tlv(0x17, b"2601010000Z"), GENERALIZED_2050), ("time.utctime_variant",)),
        ((der.tlv(0x17, b"260101000000+0800"), GENERALIZED_2050), ("time.utctime_variant",)),
        ((UTC_2026, der.tlv(0x18, b"20500101000000.5Z")), ("time.generalized_variant",)),
        ((UTC_2026, der.tlv(0x18, b"205001010000+0800")), ("time.generalized_variant",)),
        ((GENERALIZED_2050, UTC_2026), ("validity.reversed",)),
    ],
)
def test_odd_times_are_read_and_told(times: tuple[bytes, bytes], expected: tuple[str, ...]) -> None:
    assert oddities(written(validity=validity(*times))) == expected


@pytest.mark.parametrize("time", [b"260230000000Z", b"260101000000", b"991301000000Z"])
def test_times_that_are_no_instant_are_refused(time: bytes) -> None:
    assert refusal(written(validity=validity(UTC_2026, der.tlv(0x17, time)))).startswith("validity: ")


def test_the_curve_in_the_place_of_the_algorithm_is_told() -> None:
    point = b"\x04" + bytes(64)
    assert oddities(written(spki=der.curve_as_algorithm(point))) == ("spki.sm2_curve_as_algorithm",)
    assert oddities(written(spki=der.elliptic_public_key(point))) == ()


def test_values_that_are_the_default_and_written_all_the_same_are_told() -> None:
    assert oddities(written(version=der.explicit(0, der.integer(0)))) == ("version.default_encoded",)
    spelt = der.sequence(der.oid("1.2.3"), der.boolean(False), der.octet_string(b""))
    certificate = parse_certificate(written(spelt))
    assert certificate.oddities == ("extension.default_encoded",)
    assert not certificate.extensions["1.2.3"].critical


def test_an_empty_list_of_extensions_is_told() -> None:
    assert oddities(written(extensions=extended())) == ("extension.none",)


def test_of_an_extension_that_is_there_twice_the_first_is_shown_and_it_is_fatal() -> None:
    certificate = parse_certificate(
        written(der.basic_constraints(False), Extension("1.2.3", b"1"), CA, Extension("1.2.3", b"2"))
    )
    assert certificate.oddities == ("extension.duplicate",)
    assert not certificate.is_ca
    assert certificate.extensions["1.2.3"].value == b"1"
    assert "extension.duplicate" in FATAL_ODDITIES


def test_empty_names_are_fatal_where_the_profile_needs_one() -> None:
    assert oddities(written(issuer=der.sequence())) == ("issuer.empty",)
    assert oddities(written(CA, subject=der.sequence())) == ("subject.empty_of_ca",)
    assert oddities(written(subject=der.sequence())) == ()
    assert {"issuer.empty", "subject.empty_of_ca"} <= FATAL_ODDITIES


def test_a_right_to_sign_certificates_without_being_a_ca_is_fatal() -> None:
    signs = der.key_usage(["digitalSignature", "keyCertSign"])
    assert oddities(written(signs)) == ("key_usage.cert_sign_without_ca",)
    assert oddities(written(signs, CA)) == ()
    assert "key_usage.cert_sign_without_ca" in FATAL_ODDITIES


@pytest.mark.parametrize(
    ("usages", "use"),
    [
        (["digitalSignature", "nonRepudiation"], "signing"),
        (["nonRepudiation"], "signing"),
        (["digitalSignature", "cRLSign"], "signing"),
        (["keyEncipherment", "dataEncipherment"], "encryption"),
        (["keyAgreement"], "encryption"),
        (["keyAgreement", "encipherOnly"], "encryption"),
        (["digitalSignature", "keyAgreement"], "both"),
        (["nonRepudiation", "dataEncipherment"], "both"),
        (["cRLSign"], "ca"),
        (["keyCertSign"], "ca"),
        (["cRLSign", "keyEncipherment"], "encryption"),
        (["decipherOnly"], "encryption"),
    ],
)
def test_signing_and_encryption_certificates_are_told_apart(usages: list[str], use: str) -> None:
    assert parse_certificate(written(der.key_usage(usages))).use == use
    assert parse_certificate(written(der.key_usage(usages), CA)).use == "ca"


def test_an_oddity_is_told_once() -> None:
    odd = (("2.5.4.3", der.gb18030("甲")), ("2.5.4.10", der.gb18030("乙")))
    assert oddities(named(*odd)) == ("name.not_utf8",)
