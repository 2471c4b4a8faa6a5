import pytest

from keys.certificate import Certificate, DistributionPoint, parse_certificate
from keys.errors import MalformedError
from tests.support import der_writer as der
from tests.support.certificate_writer import NAME, written
from tests.support.der_writer import Extension

KEY_USAGE, BASIC, EXTENDED = "2.5.29.15", "2.5.29.19", "2.5.29.37"
SUBJECT_KEY_ID, AUTHORITY_KEY_ID, POINTS, FRESHEST = "2.5.29.14", "2.5.29.35", "2.5.29.31", "2.5.29.46"

URI = "http://ca.example.cn/crl/1.crl"


def parsed(*extensions: Extension) -> Certificate:
    return parse_certificate(written(*extensions))


def refusal(*extensions: Extension) -> str:
    with pytest.raises(MalformedError) as caught:
        parsed(*extensions)
    assert caught.value.code == "certificate.malformed"
    return caught.value.detail


def test_key_usages_have_their_names() -> None:
    for name in der.KEY_USAGE_BITS:
        assert parsed(der.key_usage([name])).key_usage == {name}
    assert parsed(der.key_usage(der.KEY_USAGE_BITS)).key_usage == set(der.KEY_USAGE_BITS)


@pytest.mark.parametrize(
    ("value", "expected", "oddity"),
    [
        (der.bit_string(b"\x80"), {"digitalSignature"}, "key_usage.padded"),
        (der.bit_string(b"\xc0\x00", 7), {"digitalSignature", "nonRepudiation"}, "key_usage.padded"),
        (der.named_bits([0, 9]), {"digitalSignature"}, "key_usage.unknown_bit"),
        (der.named_bits([20]), set(), "key_usage.unknown_bit"),
    ],
)
def test_odd_key_usages_are_read_and_told(value: bytes, expected: set[str], oddity: str) -> None:
    certificate = parsed(Extension(KEY_USAGE, value, True))
    assert (certificate.key_usage, certificate.oddities) == (expected, (oddity,))


def test_a_usage_that_has_no_name_does_not_let_sign() -> None:
    assert parsed(Extension(KEY_USAGE, der.named_bits([20]), True)).use == "encryption"


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (b"", "key_usage: the data ends inside a header"),
        (der.bit_string(b""), "no usage is set"),
        (der.bit_string(b"\x00"), "no usage is set"),
        (der.bit_string(b"\x81", 7), "the unused bits of a BIT STRING are not zero"),
        (der.octet_string(b"\x80"), "tag 0x04 where BIT STRING belongs"),
        (der.named_bits([0]) + b"\x05\x00", "2 bytes follow"),
    ],
)
def test_a_malformed_key_usage_is_refused(value: bytes, what: str) -> None:
    assert what in refusal(Extension(KEY_USAGE, value))


@pytest.mark.parametrize(
    ("value", "is_ca", "path_length", "oddities"),
    [
        (der.sequence(), False, None, ()),
        (der.sequence(der.boolean(True)), True, None, ()),
        (der.sequence(der.boolean(True), der.integer(0)), True, 0, ()),
        (der.sequence(der.boolean(True), der.integer(2**31 - 1)), True, 2**31 - 1, ()),
        (der.sequence(der.boolean(False)), False, None, ("basic_constraints.default_encoded",)),
        (der.sequence(der.integer(1)), False, None, ("basic_constraints.path_length_without_ca",)),
    ],
)
def test_basic_constraints_say_who_may_issue(
    value: bytes, is_ca: bool, path_length: int | None, oddities: tuple[str, ...]
) -> None:
    certificate = parsed(Extension(BASIC, value, True))
    assert (certificate.is_ca, certificate.path_length, certificate.oddities) == (is_ca, path_length, oddities)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (der.null(), "basic_constraints: tag 0x05 where SEQUENCE belongs"),
        (der.sequence(b"\x01\x01\x01"), "00 or FF"),
        (der.sequence(der.boolean(True), der.integer(-1)), "negative or too great"),
        (der.sequence(der.boolean(True), der.integer(2**31)), "negative or too great"),
        (der.sequence(der.boolean(True), der.integer(b"\x00\x01")), "more bytes than it needs"),
        (der.sequence(der.integer(1), der.boolean(True)), "more than cA and a path length"),
        (der.sequence(der.boolean(True), der.integer(1), der.null()), "more than cA and a path length"),
        (der.sequence(der.boolean(True), der.boolean(True)), "where INTEGER belongs"),
    ],
)
def test_malformed_basic_constraints_are_refused(value: bytes, what: str) -> None:
    assert what in refusal(Extension(BASIC, value))


def test_basic_constraints_of_a_ca_that_may_be_ignored_are_told() -> None:
    assert parsed(der.basic_constraints(True, critical=False)).oddities == ("basic_constraints.not_critical",)
    assert parsed(der.basic_constraints(False, critical=False)).oddities == ()


def test_extended_key_usages_are_object_identifiers_in_order() -> None:
    certificate = parsed(der.extended_key_usage(["1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.2"]))
    assert certificate.extended_key_usage == ("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.2")
    repeated = parsed(der.extended_key_usage(["1.2.3", "1.2.3"]))
    assert (repeated.extended_key_usage, repeated.oddities) == (("1.2.3", "1.2.3"), ("extended_key_usage.repeated",))


@pytest.mark.parametrize("value", [der.sequence(), der.null(), der.sequence(der.null()), b"\x30"])
def test_malformed_extended_key_usages_are_refused(value: bytes) -> None:
    assert refusal(Extension(EXTENDED, value)).startswith("extensions: extended_key_usage: ")


def test_key_identifiers_are_read() -> None:
    certificate = parsed(der.subject_key_id(b"mine"), der.authority_key_id(b"theirs"))
    assert (certificate.subject_key_id, certificate.authority_key_id) == (b"mine", b"theirs")
    assert certificate.authority_issuer is certificate.authority_serial is None
    whole = der.sequence(
        der.implicit(0, der.octet_string(b"theirs")),
        der.tlv(0xA1, der.dns_name("ca.example.cn") + der.directory_name(NAME)),
        der.implicit(2, der.integer(-5)),
    )
    certificate = parsed(Extension(AUTHORITY_KEY_ID, whole))
    assert certificate.authority_key_id == b"theirs"
    assert (certificate.authority_issuer, certificate.authority_serial) == (NAME, -5)
    assert certificate.oddities == ()


def test_an_authority_that_is_half_named_is_told() -> None:
    serial_only = der.sequence(der.implicit(2, der.integer(5)))
    assert parsed(Extension(AUTHORITY_KEY_ID, serial_only)).oddities == ("authority_key_id.incomplete",)
    host_only = der.sequence(der.tlv(0xA1, der.dns_name("ca.example.cn")))
    certificate = parsed(Extension(AUTHORITY_KEY_ID, host_only))
    assert (certificate.authority_issuer, certificate.oddities) == (None, ("authority_key_id.incomplete",))
    assert parsed(Extension(AUTHORITY_KEY_ID, der.sequence())).oddities == ()


@pytest.mark.parametrize(
    ("oid", "name", "values"),
    [
        (SUBJECT_KEY_ID, "subject_key_id", [b"", der.null(), b"bare bytes"]),
        (
            AUTHORITY_KEY_ID,
            "authority_key_id",
            [
                der.octet_string(b"theirs"),
                der.sequence(der.null()),
                der.sequence(der.implicit(2, der.integer(5)), der.implicit(0, der.octet_string(b""))),
                der.sequence(*2 * [der.implicit(0, der.octet_string(b""))]),
                der.sequence(der.implicit(2, der.integer(b""))),
                der.sequence(der.implicit(2, der.integer(b"\x01" * 129))),
                der.sequence(der.tlv(0xA1, b"")),
            ],
        ),
        (
            POINTS,
            "distribution_points",
            [
                der.sequence(),
                der.sequence(der.null()),
                der.sequence(der.sequence(der.null())),
                der.sequence(der.sequence(der.explicit(0, der.null()))),
                der.sequence(der.sequence(der.explicit(0, der.tlv(0xA0, b"")))),
                der.sequence(der.sequence(der.explicit(0, der.tlv(0xA0, der.null())))),
                der.sequence(der.sequence(der.explicit(0, der.tlv(0xA0, der.explicit(4, der.null()))))),
                der.sequence(der.sequence(der.tlv(0xA2, der.uri_name(URI)), der.implicit(1, der.named_bits([1])))),
                der.sequence(der.sequence(*2 * [der.tlv(0xA2, der.uri_name(URI))])),
                der.sequence(der.sequence(der.explicit(0, der.tlv(0xA1, b"\x05")))),
            ],
        ),
        (FRESHEST, "freshest_crl", [der.sequence(), b""]),
    ],
)
def test_what_only_guides_is_left_out_when_malformed_unless_it_is_critical(
    oid: str, name: str, values: list[bytes]
) -> None:
    for value in values:
        certificate = parsed(Extension(oid, value))
        assert certificate.oddities == (f"{name}.malformed",)
        assert not getattr(certificate, name)
        assert refusal(Extension(oid, value, True)).startswith(f"extensions: {name}: ")


def test_identifiers_that_must_not_be_critical_are_told() -> None:
    point = der.distribution_point([URI])
    assert parsed(
        Extension(SUBJECT_KEY_ID, der.octet_string(b"mine"), True),
        Extension(AUTHORITY_KEY_ID, der.sequence(), True),
        Extension(FRESHEST, der.sequence(point), True),
    ).oddities == ("subject_key_id.critical", "authority_key_id.critical", "freshest_crl.critical")
    assert parsed(Extension(POINTS, der.sequence(point), True)).oddities == ()


def test_distribution_points_tell_where_whose_and_for_what() -> None:
    relative = der.attribute("2.5.4.3", "CRL1")
    points = (
        der.distribution_point([URI, "ldap://ca.example.cn/cn=1"]),
        der.sequence(
            der.explicit(0, der.tlv(0xA0, der.directory_name(NAME) + der.uri_name(URI))),
            der.implicit(1, der.named_bits([1, 8])),
            der.tlv(0xA2, der.directory_name(NAME)),
        ),
        der.sequence(der.explicit(0, der.tlv(0xA1, relative))),
        der.distribution_point([], NAME),
    )
    expected = (
        DistributionPoint(uris=(URI, "ldap://ca.example.cn/cn=1")),
        DistributionPoint(
            uris=(URI,), names=(NAME,), reasons=frozenset({"keyCompromise", "aACompromise"}), crl_issuers=(NAME,)
        ),
        DistributionPoint(relative_name=der.set_of(relative)),
        DistributionPoint(crl_issuers=(NAME,)),
    )
    certificate = parsed(der.distribution_points(*points), der.distribution_points(*points, freshest=True))
    assert certificate.distribution_points == certificate.freshest_crl == expected
    assert certificate.oddities == ()


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (der.sequence(), DistributionPoint()),
        (
            der.sequence(der.implicit(1, der.named_bits([1, 9]))),
            DistributionPoint(reasons=frozenset({"keyCompromise"})),
        ),
    ],
)
def test_a_point_that_points_nowhere_is_told(point: bytes, expected: DistributionPoint) -> None:
    certificate = parsed(der.distribution_points(point))
    assert (certificate.distribution_points, certificate.oddities) == ((expected,), ("distribution_point.empty",))


@pytest.mark.parametrize("uri", ["http://ca.example.cn/重庆".encode(), b"http://a b", b"http://a\r\nHost: b", b"\x00"])
def test_an_address_that_is_not_printable_ascii_is_left_out_and_told(uri: bytes) -> None:
    names = der.tlv(0x86, uri) + der.uri_name(URI) + der.dns_name("ca.example.cn")
    certificate = parsed(der.distribution_points(der.sequence(der.explicit(0, der.tlv(0xA0, names)))))
    assert (certificate.distribution_points, certificate.oddities) == (
        (DistributionPoint(uris=(URI,)),),
        ("uri.not_ascii",),
    )


def test_policies_and_name_constraints_are_given_as_they_stand() -> None:
    policies, constraints = der.certificate_policies("1.2.3"), der.name_constraints([der.dns_name("example.cn")])
    certificate = parsed(policies, constraints)
    assert (certificate.certificate_policies, certificate.name_constraints) == (policies.value, constraints.value)


def test_an_extension_shows_no_contents() -> None:
    extension = parsed(Extension("1.2.3", b"110101199003070011", True)).extensions["1.2.3"]
    assert repr(extension) == "Extension(critical=True, 18 bytes)"
    assert extension.__rich_repr__() == [("critical", True)]
