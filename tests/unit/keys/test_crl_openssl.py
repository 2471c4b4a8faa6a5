"""Lists that the openssl command writes from its own database, and reads back."""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keys.certificate import read_certificate
from keys.errors import SignatureError
from keys.revocation.crl import RevocationList, read_crl, verify_crl
from keys.revocation.entries import RevokedEntry
from tests.support.pki import Authority
from tests.support.requirements import require

CONFIG = """
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = number
default_md = sha256
default_crl_days = 7
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid
"""
REVOKED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
INVALID = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

# openssl's words in its database (doc/man1/openssl-ca), and what they become in a list.
WORDS: dict[str, tuple[str | None, datetime | None]] = {
    "": (None, None),
    ",unspecified": ("unspecified", None),
    ",keyCompromise": ("keyCompromise", None),
    ",CACompromise": ("cACompromise", None),
    ",affiliationChanged": ("affiliationChanged", None),
    ",superseded": ("superseded", None),
    ",cessationOfOperation": ("cessationOfOperation", None),
    ",certificateHold": ("certificateHold", None),
    ",removeFromCRL": ("removeFromCRL", None),
    ",holdInstruction,holdInstructionReject": ("certificateHold", None),
    ",keyTime,20260102030405Z": ("keyCompromise", INVALID),
    ",CAkeyTime,20260102030405Z": ("cACompromise", INVALID),
}
SERIALS = [0x01, 0x7F, 0x80, 0xFF00, 2**63, 2**127 + 5, 2**158 + 3, 10, 11, 12, 13, 14]


def openssl(folder: Path, *arguments: str) -> str:
    command = shutil.which("openssl")
    require(command, "the openssl command")
    done = subprocess.run([str(command), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(folder: Path, *key: str) -> RevocationList:
    """A list by a new authority with one entry for each of openssl's words."""
    rows = [
        f"R\t301231235959Z\t{REVOKED:%y%m%d%H%M%S}Z{word}\t{serial:0{2 * ((serial.bit_length() + 7) // 8)}X}"
        f"\tunknown\t/CN=holder {serial}\n"
        for word, serial in zip(WORDS, SERIALS, strict=True)
    ]
    (folder / "index.txt").write_text("".join(rows))
    (folder / "number").write_text("0A\n")
    (folder / "ca.cnf").write_text(CONFIG)
    subject = ("-subj", "/C=CN/O=openssl/CN=CA", "-days", "30", "-keyout", "ca.key", "-out", "ca.pem", "-noenc")
    openssl(folder, "req", "-x509", "-newkey", *key, *subject)
    openssl(folder, "ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem", "-out", "ca.crl")
    return read_crl((folder / "ca.crl").read_bytes())


@pytest.mark.parametrize("key", [("rsa:2048",), ("ec", "-pkeyopt", "ec_paramgen_curve:P-384")], ids=["rsa", "ec"])
def test_what_openssl_was_told_is_read(tmp_path: Path, key: tuple[str, ...]) -> None:
    crl = written(tmp_path, *key)
    told = {serial: (REVOKED, *WORDS[word]) for word, serial in zip(WORDS, SERIALS, strict=True)}
    assert {entry.serial: (entry.revoked_at, entry.reason, entry.invalidity_date) for entry in crl} == told
    assert (crl.number, crl.base_number, crl.unhandled) == (10, None, ())
    certificate = read_certificate((tmp_path / "ca.pem").read_bytes())
    assert (crl.issuer, crl.authority_key_id) == (certificate.subject, certificate.subject_key_id)
    verify_crl(crl, certificate.spki)
    with pytest.raises(SignatureError):
        verify_crl(crl, Authority.root({"rsa:2048": "rsa-2048"}.get(key[0], "p-384")).key.spki)


def test_what_openssl_shows_is_what_is_found(tmp_path: Path) -> None:
    crl = written(tmp_path, "rsa:2048")
    (tmp_path / "ours.crl").write_bytes(crl.der)
    text = openssl(tmp_path, "crl", "-in", "ours.crl", "-inform", "DER", "-noout", "-text", "-lastupdate")
    shown = [int(number, 16) for number in re.findall(r"Serial Number: ([0-9A-F]+)", text)]
    assert sorted(shown) == sorted(SERIALS)
    for serial in shown:
        found = crl.find(serial)
        assert isinstance(found, RevokedEntry)
        assert f"{serial:X}" in text
    assert f"lastUpdate={crl.this_update:%b %e %H:%M:%S %Y} GMT" in text
