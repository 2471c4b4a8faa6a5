"""What is asked of a timestamp authority, what it answers, and what it answers instead."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.content import DIGESTS, SM2_E
from keys.errors import KeysError, MalformedError, SignatureError
from keys.timestamp import check_answer, parse_token, read_response, write_request
from tests.support import der_writer as der
from tests.support.pki import AT
from tests.support.timestamps import CONTENT, SECOND, algorithm, clock, hashed, read_request, response
from tests.support.timestamps import DIGESTS as SIZES

TOKEN = clock().token(nonce=der.integer(77))
HASH = hashed("sha256", CONTENT)


def refused(call: Callable[[], object]) -> KeysError:
    with pytest.raises(MalformedError) as caught:
        call()
    return caught.value


@given(name=st.sampled_from(DIGESTS), nonce=st.integers(0, 1 << 512), certificates=st.booleans(), data=st.data())
def test_a_request_says_what_it_was_told(name: str, nonce: int, certificates: bool, data: st.DataObject) -> None:
    digest = data.draw(st.binary(min_size=SIZES[name][1].digest_size, max_size=SIZES[name][1].digest_size))
    read = read_request(write_request(name, digest, nonce, certificates=certificates))
    null = b"" if name == "sm3" else der.null()
    assert read.imprint == der.sequence(algorithm(name, null), der.octet_string(digest))
    assert (read.nonce, read.certificates) == (der.integer(nonce), certificates)


@pytest.mark.parametrize(("name", "digest"), [("md5", bytes(16)), (SM2_E, bytes(32)), ("sha256", bytes(31))])
def test_nothing_is_asked_for_what_is_no_digest(name: str, digest: bytes) -> None:
    assert refused(lambda: write_request(name, digest, 1)).code == "digest.malformed"


@pytest.mark.parametrize("status", [0, 1])
def test_the_token_of_an_answer_comes_back_as_it_is(status: int) -> None:
    assert read_response(response(TOKEN, der.integer(status))) == TOKEN
    assert read_response(response(b"\x05\x00", der.integer(status), der.sequence(der.utf8("可")))) == b"\x05\x00"


REJECTED = der.integer(2)


@pytest.mark.parametrize(
    ("status", "named"),
    [
        ((REJECTED, der.sequence(der.utf8("no\nclock")), der.named_bits([14, 25])), "rejection, 'no\\nclock', "),
        ((REJECTED, der.sequence(), der.named_bits([14, 25])), "rejection, timeNotAvailable, systemFailure"),
        ((REJECTED, der.named_bits([0, 2, 5])), "rejection, badAlg, badRequest, badDataFormat"),
        ((REJECTED, der.named_bits([1, 15])), "rejection, failure 1, unacceptedPolicy"),
        ((REJECTED, der.named_bits([16, 17])), "rejection, unacceptedExtension, addInfoNotAvailable"),
        ((der.integer(3),), "waiting"),
        ((der.integer(4),), "revocationWarning"),
        ((der.integer(5),), "revocationNotification"),
        ((der.integer(6),), "not a known one"),
        ((der.integer(-1),), "not a known one"),
    ],
)
def test_a_refusal_says_why(status: tuple[bytes, ...], named: str) -> None:
    for token in (b"", TOKEN):  # RFC 3161 2.4.2: then there is none, and if there is it says nothing
        refusal = refused(lambda token=token: read_response(response(token, *status)))
        assert refusal.code == "timestamp.refused"
        assert refusal.detail.startswith(f"the authority's status is {named}")
    assert "\n" not in refusal.detail


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        der.null(),
        der.sequence(),
        der.sequence(der.sequence()),
        response(b"", der.integer(0)),
        response(TOKEN + TOKEN),
        response(TOKEN) + b"\0",
        response(TOKEN, der.integer(0), der.sequence(), der.named_bits([1]), der.null()),
        response(b"", der.utf8("2")),
        response(b"", der.integer(2), der.bit_string(b"\xff" * 5)),
        response(b"", der.integer(2), der.integer(5)),
        TOKEN,
    ],
)
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    assert refused(lambda: read_response(answer)).code == "timestamp.malformed"


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_code(data: bytes) -> None:
    refused(lambda: read_response(data))


def test_an_answer_is_to_the_request() -> None:
    info, bare = parse_token(TOKEN).info, parse_token(clock().token()).info
    check_answer(info, "sha256", HASH, 77, now=AT + SECOND, skew=SECOND)
    check_answer(info, "sha256", HASH, 77, now=AT - SECOND, skew=SECOND)
    for answer, name, digest, nonce, now, code in (
        (info, "sha256", HASH, 78, AT, "timestamp.nonce_wrong"),
        (bare, "sha256", HASH, 77, AT, "timestamp.nonce_wrong"),
        (info, "sha256", bytes(32), 77, AT, "timestamp.imprint_wrong"),
        (info, "sm3", HASH, 77, AT, "timestamp.imprint_wrong"),
        (info, "sha256", HASH, 77, AT + 2 * SECOND, "timestamp.time_wrong"),
        (info, "sha256", HASH, 77, AT - 2 * SECOND, "timestamp.time_wrong"),
    ):
        with pytest.raises(SignatureError) as caught:
            check_answer(answer, name, digest, nonce, now=now, skew=SECOND)
        assert caught.value.code == code
