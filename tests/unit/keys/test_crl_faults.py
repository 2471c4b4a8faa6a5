from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keys.errors import KeysError, MalformedError
from keys.revocation.crl import RevocationList, parse_crl, read_crl, verify_crl
from keys.revocation.names import folded
from tests.support import der_writer as der
from tests.support.der_writer import Extension, IssuingDistributionPoint, Revoked
from tests.support.pki import AT, Authority

ROOT = Authority.root("sm2")
OTHER = Authority.root("sm2", "乙CA").subject.der
UNKNOWN = "1.2.3.4"


def unsigned(entries: Sequence[Revoked | bytes] = (), **changes: object) -> bytes:
    """A list whose signature nobody looks at."""
    return ROOT.crl(entries, signature=b"\0", **changes)


def refusal(data: bytes, read: Callable[[bytes], RevocationList] = parse_crl) -> KeysError:
    with pytest.raises(KeysError) as caught:
        read(data)
    return caught.value


def entry(*parts: bytes) -> list[bytes]:
    return [der.sequence(*parts)]


TIME = der.utc_time(AT)


def tbs_of(*fields: bytes) -> bytes:
    algorithm = der.ALGORITHM_IDENTIFIERS["sm2-sm3"]
    return der.sequence(der.sequence(*fields), algorithm, der.bit_string(b"\0"))


def with_extension(oid: str, value: bytes, critical: bool = False) -> list[Revoked]:
    return [Revoked(serial=1, at=AT, more=(Extension(oid, value, critical),))]


ALGORITHM = der.ALGORITHM_IDENTIFIERS["sm2-sm3"]
POINT = "2.5.29.28"

MALFORMED = {
    "nothing": (b"", "ends inside a header"),
    "not a sequence": (b"\x31\x00", "SEQUENCE belongs"),
    "two parts": (der.sequence(der.sequence(), ALGORITHM), "2 parts"),
    "rest": (unsigned() + b"\0", "follow the end"),
    "no fields": (tbs_of(), "without algorithm"),
    "version 3": (unsigned(version=2), "version that is not 2"),
    "two algorithms": (unsigned(outer_algorithm=der.ALGORITHM_IDENTIFIERS["rsa-pkcs1-sha256"]), "two different"),
    "extensions in version 1": (unsigned(version=None), "extensions in version 1"),
    "entry extension in version 1": (
        unsigned([Revoked(serial=1, at=AT, reason="superseded")], version=None, extensions=()),
        "an extension in version 1",
    ),
    "no extension": (
        tbs_of(der.integer(1), ALGORITHM, ROOT.subject.der, TIME, der.explicit(0, der.sequence())),
        "extensions without any",
    ),
    "unknown field": (tbs_of(ALGORITHM, ROOT.subject.der, TIME, der.null()), "does not belong here"),
    "fields out of order": (
        tbs_of(der.integer(1), ALGORITHM, ROOT.subject.der, TIME, der.explicit(0, der.sequence()), der.sequence()),
        "does not belong here",
    ),
    "issuer": (tbs_of(ALGORITHM, der.null(), TIME), "SEQUENCE belongs"),
    "date": (tbs_of(ALGORITHM, ROOT.subject.der, der.null()), "where a time belongs"),
    "entry of one part": (unsigned(entry(der.integer(1))), "1 parts"),
    "entry of four parts": (unsigned(entry(der.integer(1), TIME, der.sequence(), der.null())), "4 parts"),
    "entry that is a set": (unsigned([der.tlv(0x31, der.integer(1) + TIME)]), "SEQUENCE belongs"),
    "serial number padded": (unsigned(entry(der.integer(b"\0\x01"), TIME)), "more bytes than it needs"),
    "serial number padded below zero": (unsigned(entry(der.integer(b"\xff\x80"), TIME)), "more bytes than it needs"),
    "serial number empty": (unsigned(entry(der.integer(b""), TIME)), "INTEGER without contents"),
    "serial number of another type": (unsigned(entry(der.octet_string(b"\1"), TIME)), "INTEGER belongs"),
    "month 13": (unsigned(entry(der.integer(1), der.tlv(0x17, b"251301000000Z"))), "does not exist"),
    "hour 24": (unsigned(entry(der.integer(1), der.tlv(0x17, b"250101240000Z"))), "does not exist"),
    "no seconds": (unsigned(entry(der.integer(1), der.tlv(0x17, b"2501010000Z"))), "to the second"),
    "length too long": (unsigned([der.tlv(0x30, der.integer(1) + TIME, length_octets=1)]), "shortest form"),
    "entry longer than the list": (unsigned([b"\x30\x7f" + der.integer(1) + TIME]), "are announced"),
    "time longer than the entry": (unsigned([b"\x30\x05" + der.integer(1) + TIME]), "are announced"),
    "empty extensions of an entry": (unsigned(entry(der.integer(1), TIME, der.sequence())), "extensions without any"),
    "reason 7": (unsigned(with_extension("2.5.29.21", der.enumerated(7))), "unknown reason"),
    "reason 11": (unsigned(with_extension("2.5.29.21", der.enumerated(11))), "unknown reason"),
    "reason of another type": (unsigned(with_extension("2.5.29.21", der.integer(1))), "not ENUMERATED"),
    "invalidity date of another type": (unsigned(with_extension("2.5.29.24", TIME)), "another type"),
    "no certificate issuer": (
        unsigned(with_extension("2.5.29.29", der.sequence(der.uri_name("http://a.test")))),
        "0 certificate issuers",
    ),
    "two certificate issuers": (
        unsigned(with_extension("2.5.29.29", der.sequence(*2 * [der.directory_name(OTHER)]))),
        "2 certificate issuers",
    ),
    "extension twice": (
        unsigned([Revoked(serial=1, at=AT, reason="superseded", more=(Extension("2.5.29.21", der.enumerated(1)),))]),
        "comes twice",
    ),
    "extension of one part": (
        unsigned(entry(der.integer(1), TIME, der.sequence(der.sequence(der.oid(UNKNOWN))))),
        "an extension of 1 parts",
    ),
    "extension without octets": (
        unsigned(entry(der.integer(1), TIME, der.sequence(der.sequence(der.oid(UNKNOWN), der.null())))),
        "without OCTET STRING",
    ),
    "negative number": (unsigned(number=-1, more=(Extension("2.5.29.20", der.integer(-5)),)), "negative number"),
    "point name of no kind": (
        unsigned(more=(Extension(POINT, der.sequence(der.explicit(0, der.tlv(0xA2, b""))), True),)),
        "no name of a point",
    ),
    "point out of order": (
        unsigned(more=(Extension(POINT, der.sequence(der.tlv(0x82, b"\xff"), der.tlv(0x81, b"\xff")), True),)),
        "does not belong here",
    ),
    "signature of bits": (
        der.sequence(*der.members_of(unsigned())[:2], der.bit_string(b"\x80", 3)),
        "whole bytes",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_malformed_is_refused_with_what_and_where(case: str) -> None:
    data, detail = MALFORMED[case]
    refused = refusal(data)
    assert isinstance(refused, MalformedError)
    assert refused.code == "crl.malformed"
    assert detail in refused.detail
    assert "at byte" in refused.detail


def test_the_fault_of_an_entry_is_told_at_its_byte() -> None:
    data = unsigned([Revoked(serial=5, at=AT), *entry(der.integer(6), der.tlv(0x17, b"251301000000Z"))])
    assert f"(at byte {data.index(b'251301') - 2})" in refusal(data).detail


def test_an_explicit_false_and_unknown_reasons_of_a_scope_are_taken() -> None:
    reasons = der.implicit(3, der.named_bits((0, 1, 12)))
    scope = der.sequence(der.tlv(0x81, b"\0"), reasons)
    written = der.sequence(der.oid(POINT), der.boolean(False), der.octet_string(scope))
    listed = der.explicit(0, der.sequence(written))
    crl = parse_crl(tbs_of(der.integer(1), ALGORITHM, ROOT.subject.der, TIME, listed))
    assert crl.distribution is not None
    assert not crl.distribution.only_user
    assert crl.distribution.only_reasons == {"keyCompromise"}


def test_no_change_of_a_byte_passes() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")])
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    entry = x509.RevokedCertificateBuilder().serial_number(5).revocation_date(AT)
    entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.superseded), False)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(AT).next_update(AT)
    builder = builder.add_extension(x509.CRLNumber(7), False).add_revoked_certificate(entry.build())
    data = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    verify_crl(parse_crl(data), public)
    for position in range(len(data)):
        for mask in (0x01, 0x80):
            damaged = data[:position] + bytes((data[position] ^ mask,)) + data[position + 1 :]
            with pytest.raises(KeysError):
                verify_crl(parse_crl(damaged), public)
    for length in range(len(data)):
        assert refusal(data[:length]).code == "crl.malformed"


SEED = unsigned(
    [
        Revoked(serial=1, at=AT, reason="superseded", invalidity=AT),
        Revoked(serial=2, at=AT, issuer=OTHER),
        Revoked(serial=2**130, at=datetime(2060, 1, 1, tzinfo=UTC)),
    ],
    part=IssuingDistributionPoint(uris=("http://a.test/",), only_reasons=("keyCompromise",), indirect=True),
    base=3,
)


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_only_our_own_errors_come_out_whatever_is_changed(data: st.DataObject) -> None:
    changed = bytearray(SEED)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(changed) - 1))
        end = position + data.draw(st.integers(0, 4))
        changed[position:end] = data.draw(st.binary(max_size=4))
    try:
        crl = read_crl(bytes(changed))
        assert len(list(crl)) == crl.count
        for entry in crl:
            assert entry in crl.entries.find_all(entry.serial, folded(entry.certificate_issuer or crl.issuer))
    except KeysError as error:
        assert error.code.startswith("crl.")  # noqa: PT017 - most changes are refused, and some are not


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: der.sequence(der.sequence(data))))
def test_only_our_own_errors_come_out_of_any_bytes(data: bytes) -> None:
    assert refusal(data, read_crl).code.startswith("crl.")


@given(st.binary(max_size=40))
@example(b"\x30")
@example(b"\x30\x00")
@example(b"\x30\x05\x02\x7f")
def test_entries_are_bounded_when_hardly_anything_follows_them(entries: bytes) -> None:
    algorithm = der.sequence()
    tbs = der.sequence(algorithm, ROOT.subject.der, TIME, der.tlv(0x30, entries))
    data = der.sequence(tbs, algorithm, der.bit_string(b""))
    if entries:
        assert refusal(data).code == "crl.malformed"
    else:
        assert parse_crl(data).count == 0
