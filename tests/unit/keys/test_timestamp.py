"""Timestamp tokens: what they say is read, and every way in which one proves nothing has its code."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keys.certificate import Certificate, parse_certificate
from keys.content import DIGESTS, SM2_E, Octets, digested
from keys.errors import AlgorithmError, KeysError, MalformedError, SignatureError
from keys.timestamp import DIGEST_OIDS, TimestampInfo, TimestampToken, parse_token, verify_token
from keys.timestamp.info import read_info
from keys.timestamp.token import MAX_LENGTH
from tests.support import der_writer as der
from tests.support.der_writer import Extension
from tests.support.pki import AT, NOT_AFTER, NOT_BEFORE
from tests.support.timestamps import (
    CONTENT,
    SECOND,
    TIME_STAMPING,
    TST_INFO,
    Clock,
    InfoSpec,
    algorithm,
    attribute,
    clock,
    hashed,
    identifier_v1,
    identifier_v2,
    imprint,
    time,
    usage,
)
from tests.support.unsafe_sm2 import Key

GENERALIZED_TIME = 0x18
UNKNOWN = "1.2.156.999999.1"


def certificate_of(made: Clock) -> Certificate:
    return parse_certificate(made.certificate.der)


def verified(token: bytes, made: Clock, content: bytes = CONTENT) -> TimestampToken:
    read = parse_token(token)
    verify_token(read, Octets(content), certificate_of(made))
    return read


def refused(call: Callable[..., object], *arguments: Any, kind: type[KeysError] = MalformedError) -> KeysError:
    with pytest.raises(kind) as caught:
        call(*arguments)
    return caught.value


def told(**members: bytes) -> TimestampInfo:
    return read_info(InfoSpec(**members).der)


# What is said


def test_what_a_token_says_is_read() -> None:
    token = clock().token(
        accuracy=der.sequence(der.integer(1), der.implicit(0, der.integer(500)), der.implicit(1, der.integer(20))),
        ordering=der.boolean(True),
        nonce=der.integer(1 << 63),
        tsa=der.explicit(0, der.directory_name(clock().certificate.spec.subject.der)),
        extensions=der.implicit(1, der.sequence(Extension(UNKNOWN, b"x").der)),
    )
    read = verified(token, clock())
    assert read.info == TimestampInfo(
        policy="2.999.1",
        digest_name="sha256",
        imprint=hashed("sha256", CONTENT),
        serial=4711,
        gen_time=AT,
        accuracy=timedelta(seconds=1, milliseconds=500, microseconds=20),
        ordering=True,
        nonce=1 << 63,
    )
    assert (read.gen_time, read.info.latest) == (AT, AT + timedelta(seconds=1.50002))
    assert read.digest == f"sha256:{hashed('sha256', token).hex()}"
    assert (read.dialect, read_info(read.content)) == ("rfc5652", read.info)
    assert [each.der for each in read.certificates] == [clock().certificate.der, clock().issuer.certificate.der]


def test_what_may_be_missing_is_not_made_up() -> None:
    read = told()
    assert (read.accuracy, read.ordering, read.nonce, read.latest) == (None, False, None, AT)
    assert told(accuracy=der.sequence()).accuracy == timedelta(0)
    assert told(ordering=der.boolean(False)).ordering is False


@pytest.mark.parametrize("name", DIGESTS)
def test_every_digest_has_its_identifier(name: str) -> None:
    assert verified(clock().of(CONTENT, digest=name), clock()).info.digest_name == name
    assert der.oid(DIGEST_OIDS[name]) in algorithm(name)
    null = der.sequence(algorithm(name, der.null()), der.octet_string(hashed(name, CONTENT)))
    assert told(imprint=null).imprint == hashed(name, CONTENT)


@pytest.mark.parametrize(
    ("text", "micros"),
    [(b"20260101000000Z", 0), (b"20260101000000.5Z", 500_000), (b"20260101000000.123456789Z", 123_456)],
)
def test_a_time_may_be_finer_than_a_second(text: bytes, micros: int) -> None:
    assert told(gen_time=der.tlv(GENERALIZED_TIME, text)).gen_time == AT + timedelta(microseconds=micros)


def test_the_end_of_time_is_not_passed() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    read = told(gen_time=time(last), accuracy=der.sequence(der.integer(60)))
    assert read.latest == datetime.max.replace(tzinfo=UTC)


@given(
    at=st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)),
    parts=st.tuples(st.integers(0, 2**31), st.integers(0, 999), st.integers(0, 999)),
    nonce=st.none() | st.integers(-(2**256), 2**256),
    serial=st.integers(0, 2**160),
)
def test_what_is_written_is_what_is_read(
    at: datetime, parts: tuple[int, int, int], nonce: int | None, serial: int
) -> None:
    seconds, millis, micros = parts
    read = told(
        gen_time=der.tlv(
            GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%S").rjust(14, "0").encode() + b".%06dZ" % at.microsecond
        ),
        accuracy=der.sequence(
            der.integer(seconds), der.implicit(0, der.integer(millis)), der.implicit(1, der.integer(micros))
        ),
        nonce=b"" if nonce is None else der.integer(nonce),
        serial=der.integer(serial),
    )
    assert read.accuracy == timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)
    assert (read.gen_time, read.nonce, read.serial) == (at, nonce, serial)
    assert read.latest >= read.gen_time


# Forms that are none

WRONG_INFOS: dict[str, dict[str, bytes]] = {
    "version": {"version": der.integer(2)},
    "no version": {"version": b""},
    "imprint of another length": {"imprint": imprint("sha256", bytes(31))},
    "imprint of three": {"imprint": der.sequence(algorithm("sha256"), der.octet_string(bytes(32)), der.null())},
    "imprint by nothing": {"imprint": der.sequence(der.sequence(), der.octet_string(bytes(32)))},
    "imprint with parameters": {
        "imprint": der.sequence(algorithm("sha256", der.integer(1)), der.octet_string(bytes(32)))
    },
    "long serial number": {"serial": der.integer(1 << 512)},
    "long nonce": {"nonce": der.integer(1 << 512)},
    "UTCTime": {"gen_time": der.utc_time(AT)},
    "time of another zone": {"gen_time": der.tlv(GENERALIZED_TIME, b"20260101080000+0800")},
    "time to the minute": {"gen_time": der.tlv(GENERALIZED_TIME, b"202601010000Z")},
    "time with a comma": {"gen_time": der.tlv(GENERALIZED_TIME, b"20260101000000,5Z")},
    "time that does not exist": {"gen_time": der.tlv(GENERALIZED_TIME, b"20260230000000Z")},
    "accuracy below zero": {"accuracy": der.sequence(der.integer(-1))},
    "accuracy without end": {"accuracy": der.sequence(der.integer(2**31 + 1))},
    "too many millis": {"accuracy": der.sequence(der.implicit(0, der.integer(1000)))},
    "micros below zero": {"accuracy": der.sequence(der.implicit(1, der.integer(-1)))},
    "accuracy out of order": {
        "accuracy": der.sequence(der.implicit(1, der.integer(1)), der.implicit(0, der.integer(1)))
    },
    "seconds twice": {"accuracy": der.sequence(der.integer(1), der.integer(1))},
    "members out of order": {"accuracy": der.boolean(True), "ordering": der.sequence(der.integer(1))},
    "nonce twice": {"nonce": der.integer(1) + der.integer(2)},
    "something after it": {"trailing": der.octet_string(b"")},
    "critical extension": {"extensions": der.implicit(1, der.sequence(Extension(UNKNOWN, b"", True).der))},
    "extension of one part": {"extensions": der.implicit(1, der.sequence(der.sequence(der.oid(UNKNOWN))))},
}


@pytest.mark.parametrize("members", WRONG_INFOS.values(), ids=WRONG_INFOS)
def test_what_is_not_a_timestamp_is_refused(members: dict[str, bytes]) -> None:
    for call, data in ((read_info, InfoSpec(**members).der), (parse_token, clock().token(**members))):
        assert refused(call, data).code == "timestamp.malformed"


def test_a_digest_that_is_not_supported_is_refused() -> None:
    md5 = der.sequence(der.sequence(der.oid("1.2.840.113549.2.5"), der.null()), der.octet_string(bytes(16)))
    assert refused(parse_token, clock().token(imprint=md5), kind=AlgorithmError).code == "signature.algorithm_unknown"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"content_type": "1.2.840.113549.1.7.1"}, "timestamp.not_a_token"),
        ({"signers": 2}, "timestamp.not_a_token"),
        ({"signers": 0}, "timestamp.not_a_token"),
        ({"attached": False}, "timestamp.not_a_token"),
        ({"info": b""}, "timestamp.malformed"),
        ({"info": InfoSpec().der + b"\0"}, "timestamp.malformed"),
        ({"attributes": ()}, "timestamp.malformed"),
        ({"certificates": (bytes(MAX_LENGTH),)}, "timestamp.malformed"),
    ],
)
def test_other_signed_data_is_no_token(changes: dict[str, Any], code: str) -> None:
    assert refused(parse_token, clock().token(**changes)).code == code


def test_other_cms_is_no_token() -> None:
    data = der.sequence(der.oid("1.2.840.113549.1.7.1"), der.explicit(0, der.octet_string(b"x")))
    assert refused(parse_token, data).code == "timestamp.not_a_token"


# What it proves


@pytest.mark.parametrize("kind", ["sm2", "rsa-2048", "p-256", "p-384", "ed25519"])
def test_every_kind_of_key_tells_the_time(kind: str) -> None:
    digest = {"p-384": "sha384", "ed25519": "sha512"}.get(kind)
    assert verified(clock(kind).token(digest=digest), clock(kind)).gen_time == AT


def test_the_chinese_dialect_is_read() -> None:
    token = clock("sm2").of(CONTENT, digest="sm3", dialect="gm")
    read = verified(token, clock("sm2"))
    assert (read.dialect, read.info.digest_name) == ("gm", "sm3")


@pytest.mark.parametrize("identifier", ["v1", "v2"])
def test_the_authority_signs_which_certificate_is_its_own(identifier: str) -> None:
    assert verified(clock().token(identifier=identifier), clock())
    other = clock().token(identifier=identifier, identified=clock().issuer.certificate.der)
    assert refused(verified, other, clock(), kind=SignatureError).code == "timestamp.certificate_other"
    missing = clock().token(identifier=None)
    assert refused(verified, missing, clock(), kind=SignatureError).code == "timestamp.certificate_other"


def test_both_forms_of_the_hash_must_be_right() -> None:
    own, other = clock().certificate.der, clock().issuer.certificate.der
    standing = (attribute("1.2.840.113549.1.9.3", der.oid(TST_INFO)),)
    standing += (attribute("1.2.840.113549.1.9.4", der.octet_string(hashed("sha256", InfoSpec().der))),)
    assert verified(clock().token(attributes=(*standing, identifier_v1(own), identifier_v2(own))), clock())
    for first, second in ((own, other), (other, own)):
        token = clock().token(attributes=(*standing, identifier_v1(first), identifier_v2(second)))
        assert refused(verified, token, clock(), kind=SignatureError).code == "timestamp.certificate_other"


def test_the_certificate_of_another_authority_is_refused() -> None:
    other = clock(key=Key("p-256", "another clock"))
    refusal = refused(verified, clock().token(), other, kind=SignatureError)
    assert refusal.code == "timestamp.certificate_other"


def test_a_timestamp_of_other_content_is_refused() -> None:
    token = parse_token(clock().token())
    other = refused(verify_token, token, Octets(CONTENT + b"0"), certificate_of(clock()), kind=SignatureError)
    assert other.code == "timestamp.imprint_wrong"
    verify_token(token, digested("sha256", hashed("sha256", CONTENT)), certificate_of(clock()))
    short = refused(verify_token, token, digested(SM2_E, bytes(32)), certificate_of(clock()))
    assert short.code == "digest.insufficient"


def test_another_key_did_not_sign_it() -> None:
    token = clock().token(signed_by=Key("p-256", "a thief"))
    assert refused(verified, token, clock(), kind=SignatureError).code == "signature.wrong"
    other = clock().token(signed_by=Key("ed25519", "a thief"), digest="sha512")
    assert refused(verified, other, clock(), kind=AlgorithmError).code == "key.kind"


USAGES: dict[str, dict[str, Any]] = {
    "none": {"more": ()},
    "not critical": {"more": (usage(TIME_STAMPING, critical=False),)},
    "another": {"more": (usage("1.3.6.1.5.5.7.3.1"),)},
    "any": {"more": (usage("2.5.29.37.0"),)},
    "one more": {"more": (usage(TIME_STAMPING, "1.3.6.1.5.5.7.3.1"),)},
    "twice": {"more": (usage(TIME_STAMPING, TIME_STAMPING),)},
    "enciphers too": {"key_usage": ("digitalSignature", "keyEncipherment")},
    "issues too": {"ca": True, "key_usage": ("digitalSignature",)},
}


@pytest.mark.parametrize("changes", USAGES.values(), ids=USAGES)
def test_a_key_that_serves_for_more_tells_no_time(changes: dict[str, Any]) -> None:
    other = clock(**changes)
    assert refused(verified, other.token(), other, kind=SignatureError).code == "timestamp.usage_wrong"


@pytest.mark.parametrize("usages", [None, ("digitalSignature",), ("nonRepudiation",)])
def test_a_key_for_signing_tells_the_time(usages: tuple[str, ...] | None) -> None:
    other = clock(key_usage=usages)
    assert verified(other.token(), other)


@pytest.mark.parametrize(
    ("at", "good"),
    [(NOT_BEFORE, True), (NOT_AFTER, True), (NOT_BEFORE - SECOND, False), (NOT_AFTER + SECOND, False)],
)
def test_the_certificate_is_valid_at_the_time_that_is_told(at: datetime, good: bool) -> None:
    token = clock().of(CONTENT, at)
    if good:
        assert verified(token, clock()).gen_time == at
    else:
        refusal = refused(verified, token, clock(), kind=SignatureError)
        assert refusal.code == "timestamp.certificate_not_valid"


# Whatever is sent


@given(st.binary(max_size=300))
@example(b"")
def test_any_bytes_are_refused_with_a_code(data: bytes) -> None:
    for read in (parse_token, read_info):
        with pytest.raises(KeysError):
            read(data)


@given(place=st.integers(min_value=0), bit=st.integers(0, 7), kind=st.sampled_from(["p-256", "sm2"]))
def test_a_flipped_bit_changes_nothing_that_is_proven(place: int, bit: int, kind: str) -> None:
    token = bytearray(clock(kind).token(accuracy=der.sequence(der.integer(1)), nonce=der.integer(5)))
    whole = parse_token(bytes(token))
    token[place % len(token)] ^= 1 << bit
    try:
        read = verified(bytes(token), clock(kind))
    except KeysError:
        return
    assert (read.content, read.info) == (whole.content, whole.info)


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_of_what_was_signed_is_found(place: int, bit: int) -> None:
    token, content = bytearray(clock().token()), InfoSpec().der
    start = bytes(token).index(content)
    token[start + place % len(content)] ^= 1 << bit
    with pytest.raises(KeysError):
        verified(bytes(token), clock())


@given(st.integers(min_value=0))
def test_a_token_that_is_cut_off_is_malformed(place: int) -> None:
    token = clock().token()
    assert refused(parse_token, token[: place % len(token)]).code == "timestamp.malformed"
