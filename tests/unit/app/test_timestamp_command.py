"""`accord lock timestamp`: tokens of files and of signatures, from the demonstration and from elsewhere."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app import clock
from app.cli.application import application
from app.settings import Settings
from app.store import schema
from keys.cms import find_certificate, parse_cms, verify_signer
from keys.content import Octets
from keys.timestamp import TimestampToken, parse_token, verify_token
from registry.period import format_instant
from tests.store.rows import settings_at
from tests.support import der_writer as der
from tests.support.cms_writer import Signed, message
from tests.support.pki import Authority, unit
from tests.support.softlock import NAME, USCC
from tests.support.tsa import elsewhere, flooding, honest, replying, tsa, unwilling

CONTENT = b"an offer of 1,000,000"
TWO = [Signed(by=Authority.root("p-256").issue(unit("p-256", number))) for number in (1, 2)]

Accord = Callable[..., Result]


@pytest.fixture
def accord(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Accord:
    """The command, in a folder of its own that has a file, at home in a test store."""
    monkeypatch.setenv("ACCORD_HOME", str(home.home))
    monkeypatch.chdir(tmp_path)
    Path("offer").write_bytes(CONTENT)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(application, ["lock", "timestamp", *arguments])

    return run


def well(result: Result) -> str:
    assert (result.exit_code, result.stderr, result.exception) == (0, "", None), result.output
    return result.stdout


def refused(result: Result, *named: str, code: int = 2) -> None:
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("accord: ")
    assert [text for text in named if text not in line] == [], line
    assert not Path("token").exists()


def verified(file: str | bytes, content: bytes = CONTENT) -> TimestampToken:
    token = parse_token(file if isinstance(file, bytes) else Path(file).read_bytes())
    certificate = find_certificate(token.signer, token.certificates)
    assert certificate is not None
    verify_token(token, Octets(content), certificate)
    return token


@pytest.mark.parametrize(
    ("options", "digest", "scheme", "dialect", "authority"),
    [
        ([], "sm3", "sm2-sm3", "rfc5652", "重庆测试CA时间戳"),
        (["--ca=CN-SC", "--gm"], "sm3", "sm2-sm3", "gm", "四川测试CA时间戳"),
        (["--algorithm=rsa"], "sha256", "rsa-pkcs1-sha256", "rfc5652", "重庆测试CA时间戳"),
        (["--ca=foreign", "--digest=sha256"], "sha256", "sm2-sm3", "rfc5652", "外地测试CA时间戳"),
    ],
)
def test_a_file_gets_a_token(
    accord: Accord, options: list[str], digest: str, scheme: str, dialect: str, authority: str
) -> None:
    said = well(accord("offer", "-o", "token", *options))
    token = verified("token")
    assert (token.info.digest_name, token.signer.scheme.name, token.dialect) == (digest, scheme, dialect)
    assert authority in said
    assert token.digest in said
    assert abs((token.gen_time - clock.now()).total_seconds()) < 600


def test_a_program_is_told_the_same(accord: Accord) -> None:
    told: dict[str, Any] = json.loads(well(accord("offer", "-o", "token", "--json")))
    token = verified("token")
    assert told["file"] == "token"
    (view,) = told["timestamps"]
    assert view["digest"] == token.digest
    assert view["imprint"] == Octets(CONTENT).digest("sm3").hex()
    assert (view["serial"], view["policy"]) == (f"{token.info.serial:X}", token.info.policy)
    assert view["accuracy_seconds"] == 1.0
    assert view["latest"] == format_instant(token.gen_time + timedelta(seconds=1))


def test_the_accuracy_and_the_instant_that_it_will_prove_are_told(accord: Accord) -> None:
    said = well(accord("offer", "-o", "token"))
    latest = format_instant(verified("token").gen_time + timedelta(seconds=1))
    assert f"精度 1 秒，可证明最迟于 {latest} 已经存在 / accuracy 1 s, proves existence by {latest}\n" in said
    with tsa() as url:
        said = well(accord("offer", "-o", "other", "--tsa", url))
    time = format_instant(verified("other").gen_time)
    assert f"未载明精度，可证明最迟于 {time} 已经存在 / no accuracy stated, proves existence by {time}\n" in said


@pytest.mark.parametrize("digest", ["sha256", "sm3"])
def test_an_authority_elsewhere_is_asked(accord: Accord, digest: str) -> None:
    with tsa() as url:
        told = json.loads(well(accord("offer", "-o", "token", "--tsa", url, "--digest", digest, "--json")))
    assert verified("token").info.digest_name == digest
    assert told["timestamps"][0]["accuracy_seconds"] is None


def test_without_a_word_it_is_asked_by_sha256(accord: Accord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCORD_HOME", "there is no store here")
    with tsa() as url:
        well(accord("offer", "-o", "token", "--tsa", url))
    assert verified("token").info.digest_name == "sha256"


@pytest.mark.parametrize("elsewhere", [True, False])
def test_every_signature_of_a_cms_file_gets_a_token(accord: Accord, elsewhere: bool) -> None:
    Path("signed").write_bytes(message(CONTENT, *TWO))
    with tsa() as url:
        told = json.loads(
            well(accord("--cms", "signed", "-o", "out", "--json", *(["--tsa", url] if elsewhere else [])))
        )
    signers = parse_cms(Path("out").read_bytes()).signers
    assert len(signers) == 2
    tokens = [verified(signer.timestamps[0], signer.signature).digest for signer in signers]
    assert {view["digest"] for view in told["timestamps"]} == set(tokens)
    assert parse_cms(Path("signed").read_bytes()).signers[0].timestamps == ()


def test_what_a_test_lock_signed_gets_a_token(accord: Accord) -> None:
    def lock(*arguments: str) -> None:
        well(CliRunner().invoke(application, ["lock", *arguments]))

    lock("new", "--ca=CN-CQ", "--uscc", USCC, "--name", NAME, "-o", "lock")
    lock("cms", "offer", "--lock=lock", "--gm", "-o", "signed")
    well(accord("--cms", "signed", "-o", "out", "--gm"))
    signed, stamped = (parse_cms(Path(file).read_bytes()) for file in ("signed", "out"))
    (signer,) = stamped.signers
    assert (stamped.dialect, stamped.content, stamped.certificates) == ("gm", CONTENT, signed.certificates)
    holder = find_certificate(signer, stamped.certificates)
    assert holder is not None
    verify_signer(signer, holder, Octets(CONTENT))
    (token,) = signer.timestamps
    assert verified(token, signer.signature).dialect == "gm"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--cms"),
        (["offer", "--cms", "offer"], "--cms"),
        (["offer", "--tsa=http://x/", "--ca=CN-CQ"], "--tsa"),
        (["offer", "--tsa=http://x/", "--gm"], "--gm"),
        (["offer", "--gm", "--algorithm=rsa"], "--gm"),
        (["nowhere"], "nowhere"),
        (["--cms", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_makes_no_token(accord: Accord, arguments: list[str], named: str) -> None:
    refused(accord("-o", "token", *arguments), named)


def test_nothing_is_overwritten(accord: Accord) -> None:
    result = accord("offer", "-o", "offer")
    assert (result.exit_code, Path("offer").read_bytes()) == (2, CONTENT)
    assert "offer: 已存在" in result.stderr


def test_a_cms_file_in_pem_is_read(accord: Accord) -> None:
    octets = message(CONTENT, *TWO)
    pem = b"-----BEGIN CMS-----\n" + base64.encodebytes(octets) + b"-----END CMS-----\n"
    Path("signed.pem").write_bytes(pem)
    with tsa() as url:
        well(accord("--cms", "signed.pem", "-o", "out", "--tsa", url))
    assert len(parse_cms(Path("out").read_bytes()).signers) == 2
    for content, named in (
        (pem[:-30], "PEM"),
        (octets[:-1], f"{len(octets)} bytes are announced, {len(octets) - 1} are there"),
        (b"\x30\x80" + octets[4:-1], "it does not end"),
        (b"MIME-Version: 1.0\r\n\r\n", "S/MIME"),
        (b"\x80" * 64, "a bare signature"),
    ):
        Path("odd").write_bytes(content)
        refused(accord("--cms", "odd", "-o", "token"), named)


def test_what_nobody_signed_is_told(accord: Accord) -> None:
    refused(accord("--cms", "offer", "-o", "token"), "timestamp.not_signed", code=70)
    Path("long").write_bytes(b"")
    with Path("long").open("wb") as stream:
        stream.truncate(32 * 1024 * 1024 + 1)
    refused(accord("--cms", "long", "-o", "token"), "long")


def test_an_authority_that_lies_or_is_silent_is_told(accord: Accord) -> None:
    for behaviour, named in (
        (replying(honest(nonce=der.integer(1))), "timestamp.nonce_wrong"),
        (unwilling, "503"),
        (elsewhere, "307"),
        (flooding, "more than"),
    ):
        with tsa(behaviour) as url:
            refused(accord("offer", "-o", "token", "--tsa", url), named, code=70)
    refused(accord("offer", "-o", "token", "--tsa", "ftp://x/"), "ftp", code=70)


def test_a_live_store_refuses(accord: Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = settings_at(tmp_path / "live")
    schema.migrate(live.store_path, "live", clock.now())
    monkeypatch.setenv("ACCORD_HOME", str(live.home))
    refused(accord("offer", "-o", "token"), "is live", "test stores only", code=70)
    assert not (live.home / "demo-ca").exists()
