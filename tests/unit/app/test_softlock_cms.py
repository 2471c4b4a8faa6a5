"""Documents that soft locks sign, in both dialects: what is in them, who verifies them, and `accord lock cms`."""

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli import lock_cms
from app.cli.application import application
from app.softlock import cms
from app.softlock import lock as locks
from app.softlock.authority import AuthorityFolder
from app.softlock.cms import DialectRefused, SignedDocument
from app.softlock.lock import SoftLock
from keys.certificate import Certificate
from keys.cms import SignedData, find_certificate, parse_cms, verify_signer
from keys.content import Octets
from keys.errors import KeysError
from tests.support import cms_writer as writer
from tests.support import der_writer
from tests.support.softlock import NOW, made
from tests.unit.support.oracles import openssl, written

CONTENT = "测试合同\n第一条\n".encode()
SIGNED_BY = {"sm2": "sm2-sm3", "rsa": "rsa-pkcs1-sha256"}


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SoftLock]:
    """A lock of each family, by authorities that nothing else uses."""
    folder = AuthorityFolder(tmp_path_factory.mktemp("owned"))
    return {family: made(folder, family=family) for family in SIGNED_BY}


def verified(data: bytes, *more: Certificate) -> SignedData:
    read = parse_cms(data)
    for signer in read.signers:
        found = find_certificate(signer, [*read.certificates, *more])
        assert found is not None
        verify_signer(signer, found, Octets(read.content or CONTENT))
        with pytest.raises(KeysError):
            verify_signer(signer, found, Octets(CONTENT + b"\n"))
    return read


@pytest.mark.parametrize("certificates", [True, False])
@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize(("dialect", "family"), [("rfc5652", "sm2"), ("rfc5652", "rsa"), ("gm", "sm2")])
def test_what_a_lock_signs_is_verified(
    owned: dict[str, SoftLock], dialect: str, family: str, detached: bool, attributes: bool, certificates: bool
) -> None:
    lock = owned[family]
    said: dict[str, Any] = {"detached": detached, "attributes": attributes, "certificates": certificates}
    document = cms.sign(CONTENT, [lock], dialect=dialect, at=NOW, **said)
    own = lock.certificates["signing"]
    read = verified(document.der, own)
    assert (read.dialect, read.content_type, read.oddities) == (dialect, writer.DATA[dialect], ())
    assert read.content == (None if detached else CONTENT)
    assert set(read.certificates) == ({own, *lock.chain} if certificates else set())
    (signer,) = read.signers
    assert (signer.scheme.name, signer.oddities, signer.timestamps) == (SIGNED_BY[family], (), ())
    assert signer.claimed_time == (NOW if attributes else None)
    assert [name for name, _ in signer.certificate_hashes] == (["sha256"] if attributes else [])


def test_without_a_time_none_is_said(owned: dict[str, SoftLock]) -> None:
    (signer,) = verified(cms.sign(CONTENT, [owned["sm2"]]).der).signers
    assert (signer.claimed_time, signer.message_digest) == (None, writer.digest_of("sm3", CONTENT))


def test_several_locks_sign_one_document(owned: dict[str, SoftLock]) -> None:
    read = verified(cms.sign(CONTENT, [*owned.values()], at=NOW).der)
    assert {signer.scheme.family for signer in read.signers} == {"sm2", "rsa"}
    assert len(read.certificates) == len({entry for lock in owned.values() for entry in lock.chain}) + 2


def test_timestamps_are_put_on_after_signing(owned: dict[str, SoftLock]) -> None:
    document = cms.sign(CONTENT, [owned["rsa"], owned["sm2"]], at=NOW)
    tokens = [der_writer.sequence(der_writer.integer(number)) for number in range(3)]
    stamped = document.stamped(1, tokens[0]).stamped(1, *tokens[1:])
    before = {signer.scheme.family: signer for signer in verified(document.der).signers}
    after = {signer.scheme.family: signer for signer in verified(stamped.der).signers}
    assert after["rsa"] == before["rsa"]
    assert after["sm2"].timestamps == tuple(tokens)
    assert after["sm2"].signature == before["sm2"].signature == document.signers[1].signature


def test_the_chinese_dialect_is_for_sm2(owned: dict[str, SoftLock]) -> None:
    with pytest.raises(DialectRefused, match="SM2"):
        cms.sign(CONTENT, [owned["sm2"], owned["rsa"]], dialect="gm")


def test_pem_is_the_same_message(owned: dict[str, SoftLock]) -> None:
    document = cms.sign(CONTENT, [owned["sm2"]], dialect="gm")
    begin, *lines, end = document.pem.decode("ascii").splitlines()
    assert (begin, end) == ("-----BEGIN CMS-----", "-----END CMS-----")
    assert base64.b64decode("".join(lines)) == document.der


@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("detached", [True, False])
def test_openssl_verifies_what_a_lock_of_rsa_signs(
    owned: dict[str, SoftLock], tmp_path: Path, detached: bool, attributes: bool
) -> None:
    lock = owned["rsa"]
    # What its key for the other use signs is right too: whether it may be relied on is not asked here.
    other = replace(lock, **{name: {"signing": getattr(lock, name)["encryption"]} for name in ("certificates", "keys")})
    document = cms.sign(CONTENT, [lock, other], detached=detached, attributes=attributes, at=NOW)
    assert len(parse_cms(document.der).signers) == 2

    def verifies(document: SignedDocument) -> tuple[int, str]:
        (tmp_path / "signed").write_bytes(document.pem)
        (tmp_path / "content").write_bytes(CONTENT)
        anchor = written(tmp_path, "anchor", lock.chain[-1].der)
        given = ("-content", tmp_path / "content") if detached else ()
        cades = ("-cades",) if attributes else ()
        form = ("-in", tmp_path / "signed", "-inform", "PEM", "-binary", "-out", tmp_path / "told")
        return openssl("cms", "-verify", *form, *given, *cades, "-CAfile", anchor, "-purpose", "any")

    code, said = verifies(document)
    assert (code, (tmp_path / "told").read_bytes()) == (0, CONTENT), said
    assert verifies(document.stamped(0, der_writer.sequence()))[0] == 0


# The command


@pytest.fixture
def desk(owned: dict[str, SoftLock], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command in a folder with a lock of each family and a document."""
    monkeypatch.chdir(tmp_path)
    for family, lock in owned.items():
        locks.write(lock, tmp_path / family)
    (tmp_path / "合同.txt").write_bytes(CONTENT)
    return lambda *arguments: CliRunner().invoke(application, ["lock", "cms", "合同.txt", *arguments])


def test_the_command_signs_with_every_lock(desk: Callable[..., Result]) -> None:
    for options, name, dialect in (
        (["--lock", "sm2", "--lock", "rsa"], "合同.txt.p7m", "rfc5652"),
        (["--lock", "sm2", "--gm", "--detached"], "合同.txt.p7s", "gm"),
        (["--lock", "sm2", "--no-attributes", "-o", "other"], "other", "rfc5652"),
    ):
        result = desk(*options)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        assert name in result.stdout
        read = verified(Path(name).read_bytes())
        assert (read.dialect, len(read.signers)) == (dialect, options.count("--lock"))
        assert (read.content is None) == ("--detached" in options)
        for signer in read.signers:
            assert (signer.claimed_time is None) == ("--no-attributes" in options)


def test_the_command_writes_pem(desk: Callable[..., Result]) -> None:
    assert desk("--lock", "rsa", "--pem", "-o", "signed.pem").exit_code == 0
    assert Path("signed.pem").read_bytes().startswith(b"-----BEGIN CMS-----\n")


def test_the_command_refuses_in_one_line(desk: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("taken").write_bytes(b"")
    for options, named, code in (
        (["--lock", "rsa", "--gm"], "SM2", 2),
        (["--lock", "none"], "--lock none: ", 2),
        (["--lock", "sm2", "-o", "taken"], "taken", 2),
        (["--lock", "sm2", "-o", "nowhere/signed"], "nowhere", 70),
    ):
        result = desk(*options)
        (line,) = result.stderr.splitlines()
        assert (result.exit_code, result.stdout, named in line) == (code, "", True), line
    assert Path("taken").read_bytes() == b""
    monkeypatch.setattr(lock_cms, "_MAX_CONTENT", len(CONTENT) - 1)
    assert desk("--lock", "sm2").exit_code == 2
    Path("合同.txt").unlink()
    assert desk("--lock", "sm2").exit_code == 2
    assert not list(Path().glob("*.p7*"))
