"""Signed documents as they are read: both dialects, what is inside, what is not signed data, and the bounds."""

import hashlib
from typing import Any

import pytest

from keys.cms import (
    MAX_CERTIFICATES,
    MAX_COUNTERSIGNATURES,
    MAX_SIGNERS,
    MAX_TIMESTAMPS,
    find_certificate,
    parse_cms,
    verify_signer,
)
from keys.content import Octets
from keys.errors import KeysError
from tests.support import cms_writer as cms
from tests.support import der_writer as der
from tests.support.cms_writer import Signed, message
from tests.support.pki import AT, key_id
from tests.unit.keys.cms_signers import CONTENT, authority, certificate, code_of, lock, only_signer, verified

NULL = der.null()


def refused(data: bytes, code: str, *named: str, limit: int | None = None) -> None:
    with pytest.raises(KeysError) as refusal:
        parse_cms(data) if limit is None else parse_cms(data, limit)
    assert refusal.value.code == code, refusal.value
    assert [text for text in named if text not in refusal.value.detail] == [], refusal.value.detail


@pytest.mark.parametrize("dialect", ["rfc5652", "gm"])
@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize("kind", ["sm2", "rsa-2048", "p-256", "p-384", "ed25519"])
def test_what_was_written_is_read_and_verified(dialect: str, attributes: bool, detached: bool, kind: str) -> None:
    signer = Signed(by=lock(kind), attributes=attributes, at=AT)
    data = message(None if detached else CONTENT, signer, over=CONTENT, dialect=dialect)
    read = parse_cms(data)
    assert (read.dialect, read.content_type) == (dialect, cms.DATA[dialect])
    assert read.content == (None if detached else CONTENT)
    assert (read.certificates, read.unread, read.oddities) == ((certificate(lock(kind)),), 0, ())
    assert read.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    (found,) = read.signers
    assert (found.issuer, found.serial, found.key_id) == (authority().subject.der, lock(kind).serial, None)
    assert (found.digest, found.scheme.name) == (cms.natural_digest(signer.way), signer.way)
    assert found.claimed_time == (AT if attributes else None)
    assert (found.signed_attributes is None) is not attributes
    assert found.content_type == (cms.DATA[dialect] if attributes else None)
    assert found.message_digest == (cms.digest_of(found.digest, CONTENT) if attributes else None)
    assert (found.timestamps, found.countersignatures, found.certificate_hashes) == ((), (), ())
    assert found.oddities == ()
    verified(data, Octets(CONTENT))
    assert code_of(data, Octets(CONTENT + b"!")) == "signature.wrong"


def test_several_signers_are_read_in_their_order_and_each_finds_its_certificate() -> None:
    signers = [Signed(by=lock(kind), by_key_id=kind == "p-256", at=AT) for kind in ("sm2", "rsa-2048", "p-256")]
    read = parse_cms(message(CONTENT, *signers))
    assert sorted(signer.scheme.family for signer in read.signers) == ["ec", "rsa", "sm2"]
    for signer in read.signers:
        found = find_certificate(signer, read.certificates)
        assert found is not None
        verify_signer(signer, found, Octets(CONTENT))
        others = [entry for entry in read.certificates if entry != found]
        assert find_certificate(signer, others) is None
    (by_key,) = [signer for signer in read.signers if signer.key_id is not None]
    assert (by_key.key_id, by_key.issuer, by_key.serial) == (key_id(lock("p-256").key), None, None)
    assert by_key.oddities == ()


KINDS = {
    "1.2.840.113549.1.7.1": "data",
    "1.2.840.113549.1.7.3": "enveloped",
    "1.2.840.113549.1.7.4": "signedAndEnveloped",
    "1.2.840.113549.1.7.5": "digested",
    "1.2.840.113549.1.7.6": "encrypted",
    "1.2.840.113549.1.9.16.1.2": "authenticated",
    "1.2.840.113549.1.9.16.1.9": "compressed",
    "1.2.840.113549.1.9.16.1.23": "authEnveloped",
    "1.2.156.10197.6.1.4.2.1": "data (GM)",
    "1.2.156.10197.6.1.4.2.3": "enveloped (GM)",
    "1.2.156.10197.6.1.4.2.4": "signedAndEnveloped (GM)",
    "1.2.156.10197.6.1.4.2.5": "encrypted (GM)",
    "1.2.156.10197.6.1.4.2.6": "keyAgreementInfo (GM)",
    "1.2.3.4": "unknown type 1.2.3.4",
}


@pytest.mark.parametrize("oid", KINDS)
def test_what_is_not_signed_data_is_named(oid: str) -> None:
    refused(message(CONTENT, Signed(by=lock()), outer=oid), "cms.not_signed", KINDS[oid])
    refused(der.sequence(der.oid(oid)), "cms.not_signed", KINDS[oid])


def test_certificates_alone_are_nobodys_signature() -> None:
    refused(message(None, certificates=[lock().der]), "cms.no_signer")


SIGNER = Signed(by=lock())
INFO = SIGNER.info(CONTENT)
PARTS = der.members_of(INFO)
CONTENT_INFO = der.sequence(der.oid(cms.DATA["rfc5652"]), der.explicit(0, der.octet_string(CONTENT)))
MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "text": b"not a signature",
    "a certificate": lock().der,
    "no contents": der.sequence(der.oid(cms.SIGNED["rfc5652"])),
    "contents untagged": der.sequence(der.oid(cms.SIGNED["rfc5652"]), der.sequence()),
    "three parts": der.sequence(der.oid(cms.SIGNED["rfc5652"]), der.explicit(0, der.sequence()), NULL),
    "an empty SignedData": der.sequence(der.oid(cms.SIGNED["rfc5652"]), der.explicit(0, der.sequence())),
    "something after it": message(CONTENT, INFO, trailing=b"\0"),
    "content that is no OCTET STRING": message(
        CONTENT, INFO, encapsulated=der.sequence(der.oid(cms.DATA["rfc5652"]), der.explicit(0, NULL))
    ),
    "content without its type": message(CONTENT, INFO, encapsulated=der.sequence()),
    "content under [1]": message(
        CONTENT, INFO, encapsulated=der.sequence(der.oid(cms.DATA["rfc5652"]), der.explicit(1, der.octet_string(b"")))
    ),
    "a signer that is no SEQUENCE": message(CONTENT, NULL),
    "a signer without signature": message(CONTENT, der.sequence(*PARTS[:-1])),
    "a signer with a part too many": message(CONTENT, der.sequence(*PARTS, der.tlv(0xA1, b""), NULL)),
    "a signer with something for unsigned attributes": message(CONTENT, der.sequence(*PARTS, NULL)),
    "a signer whose parts are one too few": message(CONTENT, der.sequence(*PARTS[:3], *PARTS[3:5])),
    "a signer with too many parts without attributes": message(
        CONTENT, der.sequence(*der.members_of(Signed(by=lock(), attributes=False).info(CONTENT)), NULL, NULL)
    ),
    "an issuer that is a SET": message(
        CONTENT, Signed(by=lock(), identifier=der.sequence(der.set_of(), der.integer(1)))
    ),
    "an issuer without number": message(CONTENT, Signed(by=lock(), identifier=der.sequence(der.sequence()))),
    "a signature that is a NULL": message(CONTENT, der.sequence(*PARTS[:-1], NULL)),
    "a digest without algorithm": message(CONTENT, Signed(by=lock(), digest_algorithm=der.sequence())),
    "a digest with odd parameters": message(
        CONTENT, Signed(by=lock(), digest_algorithm=cms.algorithm(cms.DIGEST_OIDS["sha256"], der.integer(1)))
    ),
    "a digest among all that is none": message(CONTENT, INFO, digests=[NULL]),
    "parts out of order": der.sequence(
        der.oid(cms.SIGNED["rfc5652"]),
        der.explicit(0, der.sequence(der.integer(1), der.set_of(), CONTENT_INFO, NULL, der.set_of(INFO))),
    ),
    "lists before certificates": der.sequence(
        der.oid(cms.SIGNED["rfc5652"]),
        der.explicit(
            0,
            der.sequence(
                der.integer(1), der.set_of(), CONTENT_INFO, der.tlv(0xA1, b""), der.tlv(0xA0, b""), der.set_of(INFO)
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_cms_is_refused(name: str) -> None:
    refused(MALFORMED[name], "cms.malformed")


def test_a_message_of_more_bytes_than_allowed_is_not_read() -> None:
    data = message(CONTENT, SIGNER)
    assert parse_cms(data, len(data)).content == CONTENT
    refused(data, "cms.too_large", str(len(data)), limit=len(data) - 1)


def test_who_signed_is_bounded_and_counted_before_anything_is_read() -> None:
    # The message is as long as a message may be, and not one of the signers is any.
    refused(message(CONTENT, NULL, *([NULL] * 100_000)), "cms.too_large", f"more than {MAX_SIGNERS} signers")
    signers = [Signed(by=lock(), at=AT, more=(cms.attribute(f"1.2.{n}", NULL),)) for n in range(MAX_SIGNERS)]
    assert len(parse_cms(message(CONTENT, *signers)).signers) == MAX_SIGNERS


def test_certificates_are_hints_and_bounded() -> None:
    odd = [der.tlv(0xA1, b""), der.tlv(0xA3, b""), NULL, der.sequence(NULL), lock("sm2").der[:-1] + b"\0"]
    data = message(CONTENT, SIGNER, certificates=[*odd[:4], lock().der, odd[4]])
    read = parse_cms(data)
    assert (read.unread, len(read.certificates)) == (4, 2)
    verified(data)
    refused(message(CONTENT, SIGNER, certificates=[NULL] * (MAX_CERTIFICATES + 1)), "cms.too_large", "certificates")
    assert parse_cms(message(CONTENT, SIGNER, certificates=[NULL] * MAX_CERTIFICATES)).unread == MAX_CERTIFICATES
    long = der.octet_string(bytes(1 << 16))
    refused(message(CONTENT, SIGNER, certificates=[long] * 8), "cms.too_large", "bytes of certificates")
    assert parse_cms(message(CONTENT, SIGNER, certificates=[long] * 7)).unread == 7


def test_lists_and_answers_about_revocation_inside_are_passed_over() -> None:
    revoked = authority().crl([lock().revoked()])
    answer = der.tlv(0xA1, der.oid("1.3.6.1.5.5.7.16.2") + der.sequence(der.enumerated(0)))
    plain = parse_cms(message(CONTENT, SIGNER))
    for lists in ((revoked,), (answer,), (revoked, answer), (b"\xff" * 40,)):
        data = message(CONTENT, SIGNER, lists=lists)
        assert parse_cms(data).signers == plain.signers
        verified(data)


def countersigned(count: int = 1, **changes: Any) -> bytes:
    outer = Signed(by=lock())
    over = cms.signature_of(outer.info(CONTENT))
    infos = [Signed(**({"by": lock("sm2")} | changes)).info(over, None) for _ in range(count)]
    attributes = [cms.attribute(cms.COUNTERSIGNATURE, *infos[n : n + 4]) for n in range(0, count, 4)]
    return message(CONTENT, Signed(by=lock(), unsigned=tuple(attributes)))


def test_countersignatures_are_read_one_level_deep() -> None:
    (found,) = only_signer(countersigned(at=AT)).countersignatures
    assert (found.scheme.name, found.claimed_time, found.content_type, found.oddities) == ("sm2-sm3", AT, None, ())
    deeper = cms.attribute(cms.COUNTERSIGNATURE, Signed(by=lock("rsa-2048")).info(b"", None))
    signer = only_signer(countersigned(unsigned=(deeper,)))
    assert (signer.countersignatures[0].countersignatures, signer.oddities) == ((), ())
    assert signer.countersignatures[0].oddities == ("countersignature.nested",)


def test_a_countersignature_that_cannot_be_read_takes_nothing_from_the_signer() -> None:
    data = countersigned(signature_algorithm=cms.algorithm("1.2.3"))
    assert (only_signer(data).countersignatures, only_signer(data).oddities) == ((), ("countersignature.unread",))
    verified(data)


def test_a_countersignature_with_a_content_type_is_odd() -> None:
    data = countersigned(more=(cms.content_type(),))
    assert only_signer(data).countersignatures[0].oddities == ("countersignature.content_type",)


def test_countersignatures_and_timestamps_are_bounded() -> None:
    assert len(only_signer(countersigned(MAX_COUNTERSIGNATURES)).countersignatures) == MAX_COUNTERSIGNATURES
    refused(countersigned(MAX_COUNTERSIGNATURES + 1), "cms.too_large", "countersignatures")
    tokens = [der.sequence(der.integer(number)) for number in range(MAX_TIMESTAMPS + 1)]
    stamps = [cms.attribute(cms.TIMESTAMP, token) for token in tokens]
    data = message(CONTENT, Signed(by=lock(), unsigned=tuple(stamps[:-1])))
    assert only_signer(data).timestamps == tuple(tokens[:-1])
    verified(data)
    refused(message(CONTENT, Signed(by=lock(), unsigned=tuple(stamps))), "cms.too_large", "timestamps")
    together = cms.attribute(cms.TIMESTAMP, *tokens)
    refused(message(CONTENT, Signed(by=lock(), unsigned=(together,))), "cms.too_large", "values")


ODD: dict[str, tuple[bytes, tuple[str, ...], tuple[str, ...]]] = {
    "content type of the other dialect": (
        message(CONTENT, SIGNER, kind=cms.DATA["gm"]),
        ("content_type.other_dialect",),
        (),
    ),
    "content type of RFC 5652 in GM": (
        message(CONTENT, SIGNER, dialect="gm", kind=cms.DATA["rfc5652"]),
        ("content_type.other_dialect",),
        (),
    ),
    "a version that does not go with it": (message(CONTENT, Signed(by=lock(), version=3)), (), ("signer.version",)),
    "attributes out of order": (
        message(CONTENT, Signed(by=lock(), more=(cms.attribute("1.2.3", NULL),), ordered=False)),
        (),
        ("attributes.unsorted",),
    ),
    "a local time": (
        message(CONTENT, Signed(by=lock(), at=der.utc_time(AT, "%y%m%d%H%M%S+0000"))),
        (),
        ("signing_time.variant",),
    ),
    "a time that nobody signed": (
        message(CONTENT, Signed(by=lock(), unsigned=(cms.signing_time(AT), cms.message_digest(bytes(32))))),
        (),
        ("attribute.misplaced",),
    ),
    "a timestamp that was signed": (
        message(CONTENT, Signed(by=lock(), more=(cms.attribute(cms.TIMESTAMP, NULL),))),
        (),
        ("attribute.misplaced",),
    ),
    "a countersignature that was signed": (
        message(CONTENT, Signed(by=lock(), more=(cms.attribute(cms.COUNTERSIGNATURE, NULL),))),
        (),
        ("attribute.misplaced",),
    ),
    "a time that is none": (message(CONTENT, Signed(by=lock(), at=NULL)), (), ("signing_time.unreadable",)),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_told_and_verified(name: str) -> None:
    data, oddities, of_signer = ODD[name]
    read = only_signer(data)
    assert (parse_cms(data).oddities, read.oddities) == (oddities, of_signer)
    assert (read.timestamps, read.countersignatures) == ((), ())
    assert read.claimed_time in (None, AT)
    verified(data)


def test_nothing_of_a_person_or_a_document_is_shown() -> None:
    read = parse_cms(message(CONTENT, SIGNER))
    for shown in (repr(read), repr(read.signers[0]), str(read.__rich_repr__()), str(read.signers[0].__rich_repr__())):
        assert CONTENT.decode() not in shown
        assert str(lock().serial) not in shown
