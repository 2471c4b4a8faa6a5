"""The openssl command as a responder and as a client: what it writes we believe, and what we write it believes."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from keys.certificate import parse_certificate
from keys.errors import SignatureError
from keys.revocation.ocsp import answer_about, needs_check, parse_ocsp, verify_ocsp, write_request
from tests.support.ocsp import NO_CHECK, Responder, Said
from tests.support.pki import Authority, Issued, unit
from tests.support.requirements import require
from tests.support.unsafe_sm2 import Key

NOW = datetime.now(UTC).replace(microsecond=0)
DATES = {"not_before": NOW - timedelta(days=9), "not_after": NOW + timedelta(days=9)}
REASONS = (None, "keyCompromise", "superseded", "certificateHold")
REVOKED = NOW - timedelta(days=3)


def openssl(folder: Path, *arguments: str) -> str:
    command = shutil.which("openssl")
    require(command, "the openssl command")
    done = subprocess.run([str(command), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def put(folder: Path, name: str, issued: Issued | Authority) -> None:
    (folder / f"{name}.pem").write_text(issued.certificate.pem if isinstance(issued, Authority) else issued.pem)


def put_key(folder: Path, name: str, key: Key) -> None:
    private = serialization.load_der_private_key(key.private_key_info(), None)
    form = serialization.PrivateFormat.PKCS8
    pem = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(pem)


def answered(folder: Path, ca: Authority, leaf: Issued, responder: Responder, row: str, *options: str) -> bytes:
    """What openssl's responder answers to a request of ours, by an index with this row."""
    put(folder, "ca", ca)
    (folder / "signer.pem").write_text((responder.certificate or ca.certificate).pem)
    put_key(folder, "signer", responder.key)
    (folder / "index.txt").write_text(row)
    request = write_request(parse_certificate(leaf.der), parse_certificate(ca.certificate.der), nonce=bytes(32))
    (folder / "request.der").write_bytes(request)
    signer = ("-rsigner", "signer.pem", "-rkey", "signer.key", "-ndays", "1")
    files = ("-index", "index.txt", "-CA", "ca.pem", "-reqin", "request.der", "-respout", "answer.der")
    openssl(folder, "ocsp", *files, *signer, *options)
    return (folder / "answer.der").read_bytes()


@pytest.mark.parametrize("kind", ["rsa-2048", "p-256"])
@pytest.mark.parametrize("delegated", [False, True])
def test_what_openssl_answers_is_believed(tmp_path: Path, kind: str, delegated: bool) -> None:
    ca = Authority.root(kind)
    leaf = ca.issue(unit(kind, **DATES))
    issuer, certificate = parse_certificate(ca.certificate.der), parse_certificate(leaf.der)
    responder = Responder.delegated(ca, no_check=False, **DATES) if delegated else Responder.direct(ca)
    serial, end = f"{leaf.serial:X}", "301231235959Z"
    rows = {
        f"V\t{end}\t\t{serial}\tunknown\t/CN=a\n": ("good", None),
        f"V\t{end}\t\t01\tunknown\t/CN=a\n": ("unknown", None),
    }
    for reason in REASONS:
        word = "" if reason is None else f",{reason}"
        rows[f"R\t{end}\t{REVOKED:%y%m%d%H%M%S}Z{word}\t{serial}\tunknown\t/CN=a\n"] = ("revoked", reason)
    for row, (status, reason) in rows.items():
        option = ("-resp_key_id",) if status == "good" else ()
        response = parse_ocsp(answered(tmp_path, ca, leaf, responder, row, *option))
        signer = verify_ocsp(response, issuer, NOW + timedelta(days=1))
        assert needs_check(signer, issuer) is delegated
        answer = answer_about(response, certificate, issuer)
        assert answer is not None
        assert (answer.status, answer.reason, answer.revoked_at) == (
            status,
            reason,
            REVOKED if status == "revoked" else None,
        )
        assert (response.nonce, answer.digest) == (bytes(32), "sha1")
    with pytest.raises(SignatureError):
        verify_ocsp(response, parse_certificate(Authority.root(kind, "乙CA").certificate.der), NOW + timedelta(days=1))


@pytest.mark.parametrize("kind", ["rsa-2048", "p-256", "p-384", "ed25519"])
def test_what_the_simulator_answers_openssl_believes(tmp_path: Path, kind: str) -> None:
    ca = Authority.root(kind)
    leaf = ca.issue(unit(kind, **DATES))
    put(tmp_path, "ca", ca)
    put(tmp_path, "leaf", leaf)
    said = {"this_update": NOW - timedelta(hours=1), "next_update": NOW + timedelta(hours=8)}
    made = Said(produced_at=NOW - timedelta(hours=1), by_name=True)
    for responder in (Responder.direct(ca), Responder.delegated(ca, more=(NO_CHECK,), **DATES)):
        for digest, status in (("sha1", "good"), ("sha256", "revoked"), ("sha1", "unknown")):
            (tmp_path / "answer.der").write_bytes(responder.reply(leaf, made, digest=digest, status=status, **said))
            asked = (f"-{digest}", "-issuer", "ca.pem", "-cert", "leaf.pem", "-CAfile", "ca.pem")
            told = openssl(tmp_path, "ocsp", "-respin", "answer.der", *asked)
            assert f"leaf.pem: {status}" in told
            assert "Response verify OK" in told


def test_what_the_simulator_lies_openssl_does_not_believe(tmp_path: Path) -> None:
    ca = Authority.root("p-256")
    leaf = ca.issue(unit("p-256", **DATES))
    put(tmp_path, "ca", ca)
    put(tmp_path, "leaf", leaf)
    said = {"this_update": NOW - timedelta(hours=1), "next_update": NOW + timedelta(hours=8)}
    made = Said(produced_at=NOW - timedelta(hours=1), by_name=True, signed_by=Key("p-256", "intruder"))
    (tmp_path / "answer.der").write_bytes(Responder.direct(ca).reply(leaf, made, **said))
    command = shutil.which("openssl")
    require(command, "the openssl command")
    asked = ("-respin", "answer.der", "-issuer", "ca.pem", "-cert", "leaf.pem", "-CAfile", "ca.pem")
    done = subprocess.run([str(command), "ocsp", *asked], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Response Verify Failure" in done.stderr
