"""Timestamps and Bouncy Castle: as an authority that we believe, and as a client of our authority for tests.

GB/T 35275 it reads as it reads CMS; only how that names signing by SM2 is translated for it.
"""

from datetime import timedelta

import pytest

from keys.certificate import parse_certificate
from keys.cms import find_certificate
from keys.content import Octets
from keys.errors import KeysError
from keys.timestamp import TimestampToken, check_answer, parse_token, read_response, verify_token, write_request
from tests.support import der_writer as der
from tests.support.bouncy_castle import BouncyCastle, BouncyCastleRefused, signing
from tests.support.pki import AT
from tests.support.timestamps import CONTENT, DIGESTS, Clock, clock, hashed, response
from tests.support.tsa import LIES, standing_clock
from tests.unit.keys.test_cms_openssl import samples

NONCE = 0x8000000000000001
SECONDS = int(AT.timestamp())

# The key, the digest of the imprint, and that of the certificate's hash.
GIVEN = [
    ("sm2", "sm3", "sm3"),
    ("sm2", "sm3", "sha256"),
    ("sm2", "sha256", "sm3"),
    ("rsa-2048", "sha256", "sha256"),
    ("rsa-2048", "sm3", "sha1"),
    ("p-256", "sha512", "sm3"),
]


def oid(digest: str) -> str:
    return DIGESTS[digest][0]


def replied(bouncy_castle: BouncyCastle, made: Clock, request: bytes, digest: str) -> bytes:
    """What it answers as the authority of a clock; the digest is that of the certificate's hash."""
    asked = {"request": request, "at": SECONDS, "digest": oid(digest), **signing(made.certificate)}
    return bouncy_castle.ask("timestamp.answer", **asked).octets("response")


def asked_by_it(bouncy_castle: BouncyCastle, digest: str, nonce: int = NONCE) -> bytes:
    asked = {"content": CONTENT, "digest": oid(digest), "nonce": nonce}
    return bouncy_castle.ask("timestamp.ask", **asked).octets("request")


def proven(answer: bytes, digest: str, content: bytes = CONTENT, nonce: int = NONCE) -> TimestampToken:
    """What we do with an answer."""
    token = parse_token(read_response(answer))
    check_answer(token.info, digest, hashed(digest, CONTENT), nonce, now=AT, skew=timedelta(0))
    certificate = find_certificate(token.signer, token.certificates)
    assert certificate is not None
    verify_token(token, Octets(content), certificate)
    return token


def judged(bouncy_castle: BouncyCastle, answer: bytes, request: bytes, certificate: bytes) -> bool:
    """Whether it believes an answer."""
    try:
        bouncy_castle.ask("timestamp.judge", response=answer, request=request, certificate=certificate)
    except BouncyCastleRefused:
        return False
    return True


def damaged(answer: bytes, token: TimestampToken) -> list[bytes]:
    """The answer with a bit turned over in what was signed, in the signature, and in the certificate's hash."""
    parts = (token.content, token.signer.signature, *(value for _, value in token.signer.certificate_hashes))
    ends = [answer.rindex(part) + len(part) - 1 for part in parts]
    return [answer[:end] + bytes((answer[end] ^ 1,)) + answer[end + 1 :] for end in ends]


def nobody_believes(bouncy_castle: BouncyCastle, answer: bytes, request: bytes, made: Clock, digest: str) -> None:
    assert not judged(bouncy_castle, answer, request, made.certificate.der)
    with pytest.raises(KeysError):
        proven(answer, digest)


@pytest.mark.parametrize(("kind", "digest", "identifier"), GIVEN)
def test_what_it_gives_is_proven(bouncy_castle: BouncyCastle, kind: str, digest: str, identifier: str) -> None:
    made = clock(kind)
    for request in (write_request(digest, hashed(digest, CONTENT), NONCE), asked_by_it(bouncy_castle, digest)):
        answer = replied(bouncy_castle, made, request, identifier)
        token = proven(answer, digest)
        assert (token.gen_time, token.info.accuracy, token.info.ordering) == (AT, timedelta(seconds=1.5), True)
        assert (token.info.policy, token.info.serial, token.dialect) == ("2.999.1", 2, "rfc5652")
        assert token.certificates == (parse_certificate(made.certificate.der),)
        assert [name for name, _ in token.signer.certificate_hashes] == [identifier]
        assert (token.signer.claimed_time, token.signer.oddities) == (AT, ())
        assert judged(bouncy_castle, answer, request, made.certificate.der)
    for wrong in damaged(answer, token):
        nobody_believes(bouncy_castle, wrong, request, made, digest)
    for error in ({"content": CONTENT + b"0"}, {"nonce": NONCE + 1}):
        with pytest.raises(KeysError):
            proven(answer, digest, **error)
    assert not judged(bouncy_castle, answer, asked_by_it(bouncy_castle, digest, NONCE + 1), made.certificate.der)


def test_what_we_accept_damaged_it_accepts_too(bouncy_castle: BouncyCastle) -> None:
    made = clock("sm2")
    certificate = parse_certificate(made.certificate.der)
    request = write_request("sm3", hashed("sm3", CONTENT), NONCE, certificates=False)
    whole = read_response(replied(bouncy_castle, made, request, "sm3"))
    assert parse_token(whole).certificates == ()

    def accepted(data: bytes) -> bool:
        try:
            verify_token(parse_token(data), Octets(CONTENT), certificate)
        except KeysError:
            return False
        return True

    assert accepted(whole)
    found = [data for data in samples(whole, 200) if accepted(data)]
    assert len(found) < 20
    for data in found:
        assert judged(bouncy_castle, response(data), request, certificate.der), data.hex()


@pytest.mark.parametrize("digest", DIGESTS)
def test_it_reads_our_requests(bouncy_castle: BouncyCastle, digest: str) -> None:
    for certificates in (True, False):
        request = write_request(digest, hashed(digest, CONTENT), NONCE, certificates=certificates)
        told = bouncy_castle.ask("timestamp.read", request=request)
        assert (told.text("digest"), told.octets("imprint")) == (oid(digest), hashed(digest, CONTENT))
        assert (int(told.text("nonce")), told.text("certificates")) == (NONCE, str(certificates).lower())


@pytest.mark.parametrize(
    ("kind", "dialect"), [("sm2", "rfc5652"), ("sm2", "gm"), ("rsa-2048", "rfc5652"), ("p-256", "rfc5652")]
)
@pytest.mark.parametrize("digest", ["sm3", "sha256"])
def test_it_believes_our_authority_for_tests(bouncy_castle: BouncyCastle, kind: str, dialect: str, digest: str) -> None:
    made, request = clock(kind), asked_by_it(bouncy_castle, digest)
    answer = response(made.of(CONTENT, digest=digest, nonce=der.integer(NONCE), dialect=dialect))
    assert proven(answer, digest).dialect == dialect
    told = bouncy_castle.ask("timestamp.judge", response=answer, request=request, certificate=made.certificate.der)
    assert (told.text("policy"), told.text("serial"), int(told.text("nonce"))) == ("2.999.1", "4711", NONCE)
    assert int(told.text("milliseconds")) == 1000 * SECONDS
    for wrong in damaged(answer, parse_token(read_response(answer))):
        nobody_believes(bouncy_castle, wrong, request, made, digest)


LEFT_TO_ITS_CALLER = {"no certificate", "in the future", "in the past"}
"""It is given the certificate that it judges by, and asks for no time of day."""


@pytest.mark.parametrize("lie", LIES)
def test_it_refuses_what_we_refuse(bouncy_castle: BouncyCastle, lie: str) -> None:
    request = write_request("sha256", hashed("sha256", CONTENT), NONCE)
    answer = LIES[lie][0](request)
    try:
        inside = parse_token(read_response(answer)).certificates
    except KeysError:
        inside = ()
    shown = inside[0].der if inside else standing_clock().certificate.der
    assert judged(bouncy_castle, answer, request, shown) == (lie in LEFT_TO_ITS_CALLER)
