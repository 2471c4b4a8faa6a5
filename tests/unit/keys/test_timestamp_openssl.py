"""The timestamps of openssl: what its authority writes we verify, and what is damaged neither of us does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keys.certificate import parse_certificate
from keys.cms import find_certificate
from keys.content import Octets
from keys.errors import KeysError
from keys.path_validation import validate_path
from keys.timestamp import (
    TimestampToken,
    check_answer,
    parse_token,
    read_response,
    verify_token,
    write_request,
)
from tests.support.pki import AT
from tests.support.timestamps import CONTENT, LAST, Clock, clock, hashed, response
from tests.unit.support.oracles import openssl, written

NONCE = 0x1122334455667788

CONFIGURATION = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 2.999.1
digests = sha1, sha224, sha256, sha384, sha512, sm3
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = yes
ess_cert_id_alg = {identifier}
"""


def run(*arguments: str | Path) -> str:
    code, said = openssl("ts", *arguments)
    assert code == 0, said
    return said


def replied(folder: Path, made: Clock, request: bytes, identifier: str = "sha256") -> bytes:
    """What openssl as the authority of a clock answers now."""
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder, identifier=identifier))
    (folder / "serial").write_text("01\n")
    (folder / "request").write_bytes(request)
    signer = written(folder, "tsa.pem", made.certificate.der)
    key = written(folder, "tsa.key", made.certificate.key.private_key_info(), label="PRIVATE KEY")
    chain = written(folder, "chain.pem", made.issuer.certificate.der)
    known = ("-config", folder / "tsa.cnf", "-queryfile", folder / "request", "-out", folder / "answer")
    run("-reply", *known, "-signer", signer, "-inkey", key, "-chain", chain)
    return (folder / "answer").read_bytes()


def proven(answer: bytes, made: Clock, digest: str = "sha256") -> TimestampToken:
    """What a client does with an answer."""
    token = parse_token(read_response(answer))
    now = datetime.now(UTC)
    check_answer(token.info, digest, hashed(digest, CONTENT), NONCE, now=now, skew=timedelta(minutes=5))
    certificate = find_certificate(token.signer, token.certificates)
    assert certificate == parse_certificate(made.certificate.der)
    verify_token(token, Octets(CONTENT), certificate)
    return token


def judged(folder: Path, answer: bytes, made: Clock) -> bool:
    """What openssl as a client does with an answer."""
    root = written(folder, "root.pem", made.issuer.chain[-1])
    (folder / "judged").write_bytes(answer)
    (folder / "content").write_bytes(CONTENT)
    at = ("-attime", f"{AT.timestamp():.0f}")
    code, said = openssl("ts", "-verify", "-data", folder / "content", "-in", folder / "judged", *at, "-CAfile", root)
    assert ("Verification: OK" in said) is (code == 0), said
    return code == 0


@pytest.mark.parametrize(
    ("kind", "digest", "identifier"),
    [("rsa-2048", "sha256", "sha1"), ("rsa-2048", "sm3", "sha256"), ("p-256", "sha512", "sha384")],
)
def test_what_openssl_writes_is_verified(kind: str, digest: str, identifier: str, tmp_path: Path) -> None:
    made = clock(kind, not_after=LAST)
    request = write_request(digest, hashed(digest, CONTENT), NONCE)
    token = proven(replied(tmp_path, made, request, identifier), made, digest)
    assert (token.info.policy, token.info.serial, token.info.ordering, token.info.nonce) == ("2.999.1", 2, True, NONCE)
    assert token.info.accuracy is not None
    assert token.info.accuracy.total_seconds() == 1.5001
    assert token.info.gen_time > AT
    root = parse_certificate(made.issuer.chain[-1])
    assert validate_path(token.certificates[0], token.certificates[1:], [root], token.gen_time).certificates[-1] == root


def test_openssl_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "request").write_bytes(write_request("sha256", hashed("sha256", CONTENT), NONCE))
    said = run("-query", "-in", tmp_path / "request", "-text")
    assert f"Nonce: 0x{NONCE:X}" in said
    assert "Hash Algorithm: sha256" in said
    assert "Certificate required: yes" in said
    bare = write_request("sha256", hashed("sha256", CONTENT), NONCE, certificates=False)
    (tmp_path / "request").write_bytes(bare)
    assert "Certificate required: no" in run("-query", "-in", tmp_path / "request", "-text")


def test_neither_of_us_takes_a_damaged_one(tmp_path: Path) -> None:
    made = clock("rsa-2048")
    answer = response(made.token())
    assert judged(tmp_path, answer, made)
    token = parse_token(read_response(answer))
    inside = (token.content, token.signer.signature, hashed("sha256", made.certificate.der))
    for place in (answer.index(part) + len(part) - 1 for part in inside):
        damaged = bytearray(answer)
        damaged[place] ^= 1
        assert not judged(tmp_path, bytes(damaged), made)
        with pytest.raises(KeysError):
            verify_token(
                parse_token(read_response(bytes(damaged))), Octets(CONTENT), parse_certificate(made.certificate.der)
            )


def test_openssl_refuses_what_it_was_not_asked(tmp_path: Path) -> None:
    """An answer to a request that it does not take is an answer, which says so."""
    request = bytearray(write_request("sha256", hashed("sha256", CONTENT), NONCE))
    request[request.index(bytes.fromhex("608648016503040201")) + 8] = 8  # SHA3-256, which is not on its list
    with pytest.raises(KeysError) as caught:
        read_response(replied(tmp_path, clock("rsa-2048", not_after=LAST), bytes(request)))
    assert caught.value.code == "timestamp.refused"
    assert "rejection" in caught.value.detail
    assert "badAlg" in caught.value.detail
