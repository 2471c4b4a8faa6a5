from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.certificate import parse_certificate
from keys.errors import KeysError, MalformedError
from keys.revocation.ocsp import answer_about, parse_ocsp, verify_ocsp
from keys.revocation.ocsp_response import MAX_ANSWERS, MAX_CERTIFICATES, MAX_LENGTH
from tests.support import der_writer as der
from tests.support.der_writer import Extension
from tests.support.ocsp import BASIC, NO_CHECK, Responder
from tests.support.pki import AT, Authority, unit

CA = Authority.root("p-256")
LEAF = CA.issue(unit("p-256"))
RESPONDER = Responder.delegated(CA)
ABOUT = RESPONDER.about(LEAF)
ALGORITHM = der.ALGORITHM_IDENTIFIERS["ecdsa-sha256"]
TIME = der.generalized_time(AT)
NAMED = der.explicit(2, der.octet_string(bytes(20)))


def wrapped(basic: bytes) -> bytes:
    content = der.sequence(der.oid(BASIC), der.octet_string(basic))
    return der.sequence(der.enumerated(0), der.explicit(0, content))


def basic(*fields: bytes, after: bytes = b"") -> bytes:
    return wrapped(der.sequence(der.sequence(*fields), ALGORITHM, der.bit_string(b"\0"), after))


def answering(*parts: bytes) -> bytes:
    return basic(NAMED, TIME, der.sequence(der.sequence(*parts)))


def with_id(*parts: bytes) -> bytes:
    return answering(der.sequence(*parts), GOOD, TIME)


def with_status(status: bytes) -> bytes:
    return answering(ABOUT.certificate_id, status, TIME)


GOOD = der.tlv(0x80, b"")
ANSWER = der.sequence(der.sequence(ABOUT.certificate_id, GOOD, TIME))
DIGEST = der.sequence(der.oid("1.3.14.3.2.26"))
OCTETS = der.octet_string(bytes(20))
EXTENSION = NO_CHECK.der

MALFORMED = {
    "nothing": (b"", "ends inside a header"),
    "no sequence": (b"\x31\x00", "SEQUENCE belongs"),
    "rest": (RESPONDER.reply(LEAF) + b"\0", "follow the end"),
    "no status": (der.sequence(), "0 parts"),
    "three parts": (der.sequence(der.enumerated(0), der.null(), der.null()), "3 parts"),
    "status of another type": (der.sequence(der.integer(0)), "not ENUMERATED"),
    "status 4": (der.sequence(der.enumerated(4)), "unknown status"),
    "success without an answer": (der.sequence(der.enumerated(0)), "without an answer"),
    "answer under another tag": (der.sequence(der.enumerated(0), der.explicit(1, der.null())), "without an answer"),
    "response bytes": (der.sequence(der.enumerated(0), der.explicit(0, der.sequence())), "0 parts, not two"),
    "no octets": (
        der.sequence(der.enumerated(0), der.explicit(0, der.sequence(der.oid(BASIC), der.null()))),
        "OCTET STRING belongs",
    ),
    "two parts": (wrapped(der.sequence(der.sequence(), ALGORITHM)), "2 parts"),
    "certificates under another tag": (basic(NAMED, TIME, ANSWER, after=der.explicit(1, der.sequence())), "0xa1"),
    "what is no certificate": (
        basic(NAMED, TIME, ANSWER, after=der.explicit(0, der.sequence(der.sequence()))),
        "a certificate inside",
    ),
    "signature of bits": (
        wrapped(der.sequence(der.sequence(), ALGORITHM, der.bit_string(b"\x80", 3))),
        "whole bytes",
    ),
    "version 2": (basic(der.explicit(0, der.integer(1)), NAMED, TIME, ANSWER), "version that is not 1"),
    "no fields": (basic(), "0 parts"),
    "five fields": (basic(NAMED, TIME, ANSWER, der.null(), der.null()), "5 parts"),
    "responder": (basic(der.sequence(), TIME, ANSWER), "no name of a responder"),
    "responder's name": (basic(der.explicit(1, der.null()), TIME, ANSWER), "SEQUENCE belongs"),
    "responder's key": (basic(der.explicit(2, der.null()), TIME, ANSWER), "OCTET STRING belongs"),
    "UTCTime": (basic(NAMED, der.utc_time(AT), ANSWER), "not GeneralizedTime"),
    "fraction": (basic(NAMED, der.tlv(0x18, b"20260101000000.5Z"), ANSWER), "to the second"),
    "no answers": (basic(NAMED, TIME, der.sequence()), "0 answers"),
    "extensions under another tag": (basic(NAMED, TIME, ANSWER, der.explicit(0, der.sequence())), "0xa0"),
    "no extensions": (basic(NAMED, TIME, ANSWER, der.explicit(1, der.sequence())), "extensions without any"),
    "extension twice": (
        basic(NAMED, TIME, ANSWER, der.explicit(1, der.sequence(EXTENSION, EXTENSION))),
        "comes twice",
    ),
    "nonce": (
        RESPONDER.respond([ABOUT], more=(Extension("1.3.6.1.5.5.7.48.1.2", der.null()),)),
        "OCTET STRING belongs",
    ),
    "answer of two parts": (answering(ABOUT.certificate_id, GOOD), "2 parts"),
    "answer out of order": (
        answering(ABOUT.certificate_id, GOOD, TIME, der.explicit(1, der.sequence(EXTENSION)), der.explicit(0, TIME)),
        "does not belong here",
    ),
    "next update": (answering(ABOUT.certificate_id, GOOD, TIME, der.explicit(0, der.null())), "not GeneralizedTime"),
    "id of three parts": (with_id(DIGEST, OCTETS, OCTETS), "3 parts, not four"),
    "digest of no parts": (with_id(der.sequence(), OCTETS, OCTETS, der.integer(1)), "0 parts"),
    "digest of three parts": (
        with_id(der.sequence(der.oid("1.2.3"), der.null(), der.null()), OCTETS, OCTETS, der.integer(1)),
        "3 parts",
    ),
    "digest with parameters": (
        with_id(der.sequence(der.oid("1.2.3"), der.integer(1)), OCTETS, OCTETS, der.integer(1)),
        "NULL belongs",
    ),
    "hash": (with_id(DIGEST, der.null(), OCTETS, der.integer(1)), "OCTET STRING belongs"),
    "serial number": (with_id(DIGEST, OCTETS, OCTETS, der.integer(b"\0\1")), "more bytes than it needs"),
    "status of another tag": (with_status(der.tlv(0x83, b"")), "no status"),
    "good with contents": (with_status(der.tlv(0x80, b"\0")), "NULL with contents"),
    "unknown with contents": (with_status(der.tlv(0x82, b"\0")), "NULL with contents"),
    "revoked without time": (with_status(der.tlv(0xA1, b"")), "without a time"),
    "reason 7": (with_status(der.tlv(0xA1, TIME + der.explicit(0, der.enumerated(7)))), "unknown reason"),
    "reason of another type": (with_status(der.tlv(0xA1, TIME + der.explicit(0, der.integer(1)))), "not ENUMERATED"),
    "reason under another tag": (with_status(der.tlv(0xA1, TIME + der.explicit(1, der.enumerated(1)))), "belong here"),
    "archive cutoff": (
        RESPONDER.reply(LEAF, more=(Extension("1.3.6.1.5.5.7.48.1.6", der.utc_time(AT)),)),
        "not GeneralizedTime",
    ),
    "invalidity date": (RESPONDER.reply(LEAF, more=(Extension("2.5.29.24", der.utc_time(AT)),)), "another type"),
}


def refusal(call: Callable[[], object]) -> KeysError:
    with pytest.raises(KeysError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_malformed_is_refused_with_what_and_where(case: str) -> None:
    data, detail = MALFORMED[case]
    refused = refusal(lambda: parse_ocsp(data))
    assert isinstance(refused, MalformedError)
    assert (refused.code, detail in refused.detail) == ("ocsp.malformed", True), refused.detail
    assert "at byte" in refused.detail


STATUSES = {1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"}


@pytest.mark.parametrize("status", STATUSES)
def test_a_responder_that_does_not_answer_is_told(status: int) -> None:
    refused = refusal(lambda: parse_ocsp(RESPONDER.respond([], status=status)))
    assert (refused.code, refused.detail) == ("ocsp.not_successful", f"the responder answered: {STATUSES[status]}")


def test_other_types_of_response_are_refused() -> None:
    refused = refusal(lambda: parse_ocsp(RESPONDER.respond([ABOUT], kind="1.2.3.4")))
    assert refused.code == "ocsp.not_basic"
    assert "1.2.3.4" in refused.detail


def test_everything_is_bounded() -> None:
    most = parse_ocsp(RESPONDER.respond([ABOUT] * MAX_ANSWERS, certificates=(CA.certificate.der,) * MAX_CERTIFICATES))
    assert (len(most.answers), len(most.certificates)) == (MAX_ANSWERS, MAX_CERTIFICATES)
    for data, detail in (
        (bytes(MAX_LENGTH + 1), "of at most"),
        (RESPONDER.respond([ABOUT] * (MAX_ANSWERS + 1)), f"{MAX_ANSWERS + 1} answers"),
        (RESPONDER.respond([ABOUT], certificates=(CA.certificate.der,) * (MAX_CERTIFICATES + 1)), "certificates"),
        (wrapped(b"\x30\x80" * 200), "indefinite"),
    ):
        refused = refusal(lambda data=data: parse_ocsp(data))
        assert (refused.code, detail in refused.detail) == ("ocsp.malformed", True)


def test_a_version_that_is_written_out_and_a_digest_without_parameters_are_taken() -> None:
    bare = der.sequence(DIGEST, OCTETS, OCTETS, der.integer(5))
    data = basic(der.explicit(0, der.integer(0)), NAMED, TIME, der.sequence(der.sequence(bare, GOOD, TIME)))
    (answer,) = parse_ocsp(data).answers
    assert (answer.digest, answer.serial, answer.next_update) == ("sha1", 5, None)


ISSUER, HOLDER = parse_certificate(CA.certificate.der), parse_certificate(LEAF.der)


def judged(data: bytes) -> str:
    response = parse_ocsp(data)
    verify_ocsp(response, ISSUER, AT)
    answer = answer_about(response, HOLDER, ISSUER)
    return "no answer" if answer is None else answer.status


def test_no_change_of_a_byte_passes() -> None:
    data = Responder.direct(CA).reply(LEAF)
    assert judged(data) == "good"
    for position in range(len(data)):
        for mask in (0x01, 0x80):
            damaged = data[:position] + bytes((data[position] ^ mask,)) + data[position + 1 :]
            assert refusal(lambda damaged=damaged: judged(damaged)).code
    for length in range(len(data)):
        assert refusal(lambda length=length: parse_ocsp(data[:length])).code == "ocsp.malformed"


SEED = RESPONDER.respond([RESPONDER.about(LEAF, status="revoked", reason="superseded", cutoff=AT), ABOUT], nonce=b"1")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_only_our_own_errors_come_out_whatever_is_changed(data: st.DataObject) -> None:
    changed = bytearray(SEED)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(changed) - 1))
        end = position + data.draw(st.integers(0, 4))
        changed[position:end] = data.draw(st.binary(max_size=4))
    try:
        said = judged(bytes(changed))
    except KeysError as error:
        said = error.code
    # What is changed is found out, unless it is put back or stands where nobody looks: among the certificates.
    assert "." in said or said == "revoked"


@given(st.binary(max_size=300) | st.binary(max_size=300).map(basic) | st.binary(max_size=300).map(answering))
def test_only_our_own_errors_come_out_of_any_bytes(data: bytes) -> None:
    assert refusal(lambda: parse_ocsp(data)).code.startswith("ocsp.")
