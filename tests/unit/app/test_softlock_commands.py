"""`accord lock`: what it writes, prints and refuses, and what a node answers to the locks that it makes."""

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app import clock
from app.bootstrap import lock_material
from app.cli.application import application
from app.settings import Settings
from app.softlock.authority import AuthorityFolder
from app.store import schema
from app.store.challenges import SqliteChallenges
from app.store.reader import SqliteReader
from app.store.revocations import RevocationShelf
from app.usecases.challenge import Challenger
from app.usecases.recognize import Recognizer
from app.usecases.verify_lock import LockVerifier
from keys.algorithms.raw import as_der, default_scheme
from keys.algorithms.schemes import load_key, verify
from keys.certificate import Certificate, read_certificate
from keys.revocation.judgement import KnownCrl
from registry.decision import Decision
from registry.period import parse_instant
from tests.store.rows import settings_at
from tests.support.softlock import DAY, NAME, NOW, USCC

PLATFORM, PURPOSE = "测试交易平台", "bidding.login"
HOLDER = ("--uscc", USCC, "--name", NAME)

Accord = Callable[..., Result]


@pytest.fixture
def accord(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Accord:
    """The command, at home in a store that trusts the demonstration authorities, in a folder of its own."""
    monkeypatch.setenv("ACCORD_HOME", str(home.home))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(application, ["lock", *arguments], input=given)

    return run


def well(result: Result) -> str:
    assert (result.exit_code, result.stderr, result.exception) == (0, "", None), result.output
    return result.stdout


def refused(result: Result, *named: str, code: int = 2) -> None:
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("accord: ")
    assert [text for text in named if text not in line] == [], line


def shown(name: str = "signing", lock: str = "lock") -> Certificate:
    return read_certificate(Path(lock, f"{name}.pem").read_bytes())


class Desk:
    """A platform: gives out challenges and asks the node about the answers."""

    def __init__(self, settings: Settings) -> None:
        self.store = settings.store_path
        reader = SqliteReader(self.store)
        recognizer = Recognizer(reader, reader.load_policies(), lock_material(self.store))
        challenger = Challenger(reader.secret(), "urn:accord:test")
        self._verifier = LockVerifier(recognizer, challenger, SqliteChallenges(self.store, clock.now()))

    def challenge(self) -> str:
        made = self._verifier.challenge(PLATFORM, PURPOSE, clock.now())
        return json.dumps({"challenge_id": made.id, "to_be_signed": base64.b64encode(made.to_be_signed).decode()})

    def decide(self, body: str) -> Decision:
        attempt = self._verifier.read(json.loads(body), body.encode(), clock.now())
        return asyncio.run(self._verifier.judge(attempt))


def asked(accord: Accord, home: Settings, *more: str, lock: str = "lock") -> tuple[str, list[str]]:
    desk = Desk(home)
    arguments = ("sign", "--lock", lock, "--challenge", "-", "--request", "--jurisdiction", "CN-SC", *more)
    decision = desk.decide(well(accord(*arguments, given=desk.challenge())))
    return decision.outcome, [reason.code for reason in decision.reasons]


@pytest.mark.parametrize(
    ("new", "sign", "outcome", "code"),
    [
        (["--ca=CN-CQ"], [], "recognized", "agreement.in_force"),
        (["--ca=CN-CQ"], ["--format=raw"], "recognized", "agreement.in_force"),
        (["--ca=CN-SC", "--algorithm=rsa"], [], "recognized", "agreement.in_force"),
        (["--ca=CN-CQ", "--kind=legal-representative"], [], "recognized", "agreement.in_force"),
        (["--ca=CN-CQ", "--expired"], [], "not_recognized", "validity.expired"),
        (["--ca=CN-CQ", "--revoked"], [], "not_recognized", "status.revoked"),
        (["--ca=CN-CQ", "--revoked", "--reason=certificateHold"], [], "not_recognized", "status.suspended"),
        (["--ca=foreign"], [], "not_recognized", "path.no_anchor"),
        (["--ca=foreign", "--revoked"], [], "not_recognized", "path.no_anchor"),
        (["--ca=CN-CQ"], ["--certificate=encryption"], "not_recognized", "key_usage.wrong"),
        (["--ca=CN-CQ"], ["--relying-party=别家平台"], "not_recognized", "challenge.mismatch"),
        (["--ca=CN-CQ"], ["--purpose=bidding.sign"], "not_recognized", "challenge.mismatch"),
    ],
)
def test_what_a_node_answers(
    accord: Accord, home: Settings, new: list[str], sign: list[str], outcome: str, code: str
) -> None:
    well(accord("new", *HOLDER, "-o", "lock", *new))
    decided, reasons = asked(accord, home, *sign)
    assert (decided, reasons[0]) == (outcome, code)


def test_lists_that_have_ended_and_a_new_one(accord: Accord, home: Settings) -> None:
    well(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "lock"))
    ended = json.loads(well(accord("crl", "--ca=CN-CQ", "--stale", "--json")))
    assert ended["this_update"] == ended["next_update"]
    assert asked(accord, home) == ("indeterminate", ["revocation.stale"])
    well(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "other"))
    assert asked(accord, home, lock="other") == ("indeterminate", ["revocation.stale"])
    assert "0 entries" in well(accord("crl", "--ca=CN-CQ", "--next-update-days=2"))
    assert asked(accord, home)[0] == "recognized"
    assert newest(home, "demo-ca-cq-sm2").crl.next_update == newest(home, "demo-ca-cq-sm2").crl.this_update + 2 * DAY


def newest(home: Settings, identity: str) -> KnownCrl:
    shelf = RevocationShelf(home.store_path)
    try:
        return shelf.lists_of(AuthorityFolder.of_store(home).certificate(identity), clock.now())[-1]
    finally:
        shelf.close()


def test_both_certificates_of_a_revoked_lock_are_listed(accord: Accord, home: Settings) -> None:
    at = "2026-01-02T03:04:05+08:00"
    more = ("--revoked", "--revoked-at", at, "--reason=keyCompromise", "--algorithm=rsa")
    well(accord("new", *HOLDER, "--ca=CN-SC", "-o", "lock", *more))
    crl = newest(home, "demo-ca-sc-rsa").crl
    assert crl.count == 2
    for use in ("signing", "encryption"):
        entry = crl.find(shown(use).serial)
        assert entry is not None
        assert (entry.revoked_at, entry.reason) == (parse_instant(at), "keyCompromise")


def test_the_validity_is_as_told(accord: Accord) -> None:
    well(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "a", "--valid-from=2024-01-01T00:00:00+08:00"))
    well(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "b", "--valid-until=2030-01-01T00:00:00+08:00"))
    well(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "c", "--expired"))
    first, second, third = (shown(lock=name) for name in "abc")
    assert first.not_before == parse_instant("2024-01-01T00:00:00+08:00")
    assert first.not_after > NOW + 360 * DAY
    assert second.not_after == parse_instant("2030-01-01T00:00:00+08:00")
    assert NOW - 2 * DAY < third.not_after < clock.now()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--name", "重庆建设有限公司", "--uscc", USCC], "测试"),
        (["--name", NAME, "--uscc", USCC[:17] + "A"], "G"),
        (["--name", NAME, "--uscc", "1"], "18"),
        ([*HOLDER, "--expired", "--valid-until=2030-01-01T00:00:00Z"], "--expired"),
        ([*HOLDER, "--revoked-at=2026-01-01T00:00:00Z"], "--revoked"),
        ([*HOLDER, "--reason=superseded"], "--revoked"),
        ([*HOLDER, "--revoked", "--revoked-at=2999-01-01T00:00:00Z"], "--revoked-at"),
        ([*HOLDER, "--valid-from=2026-01-01"], "--valid-from"),
        ([*HOLDER, "--valid-until=2026-01-01T00:00:00"], "--valid-until"),
        ([*HOLDER, "--valid-until=2020-01-01T00:00:00Z"], "有效期"),
        ([*HOLDER, "--valid-from=2010-01-01T00:00:00Z"], "有效期"),
    ],
)
def test_a_mistake_makes_no_lock(accord: Accord, arguments: list[str], named: str) -> None:
    refused(accord("new", "--ca=CN-CQ", "-o", "lock", *arguments), named)
    assert not Path("lock").exists()


def test_a_folder_with_a_lock_is_left_as_it_is(accord: Accord) -> None:
    well(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "lock"))
    before = shown()
    refused(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "lock"), "lock/passphrase", code=70)
    assert shown() == before


@pytest.mark.parametrize("command", [["new", "--ca=CN-CQ", *HOLDER, "-o", "lock"], ["crl", "--ca=CN-CQ"]])
def test_a_live_store_refuses(
    accord: Accord, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = settings_at(tmp_path / "live")
    schema.migrate(live.store_path, "live", clock.now())
    monkeypatch.setenv("ACCORD_HOME", str(live.home))
    refused(accord(*command), "is live", "test stores only", code=70)
    assert not Path("lock").exists()
    assert not (live.home / "demo-ca").exists()


def test_a_bare_test_store_comes_to_trust_them(accord: Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = settings_at(tmp_path / "bare")
    schema.migrate(bare.store_path, "test", clock.now())
    monkeypatch.setenv("ACCORD_HOME", str(bare.home))
    well(accord("new", *HOLDER, "--ca=CN-SC", "-o", "lock"))
    assert asked(accord, bare)[0] == "recognized"


def test_the_foreign_authority_has_no_lists(accord: Accord) -> None:
    refused(accord("crl", "--ca=foreign"), "foreign")


def test_a_lock_is_shown(accord: Accord) -> None:
    made: dict[str, Any] = json.loads(well(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "lock", "--json")))
    assert made.pop("directory") == "lock"
    assert json.loads(well(accord("show", "lock", "--json"))) == made
    assert made["signing"]["fingerprint"] == shown().fingerprint
    Path("lock/passphrase").unlink()
    lines = well(accord("show", "lock")).splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        "签名证书 / signing certificate",
        "加密证书 / encryption certificate",
    ]
    assert f"  统一社会信用代码 / USCC: {USCC}" in lines
    refused(accord("show", "nowhere"), "directory nowhere: ", "accord lock new")


@pytest.mark.parametrize("algorithm", ["sm2", "rsa"])
def test_a_signature_is_printed_in_base64(accord: Accord, home: Settings, algorithm: str) -> None:
    well(accord("new", *HOLDER, "--ca=CN-CQ", "--algorithm", algorithm, "-o", "lock"))
    challenge = json.loads(Desk(home).challenge())
    Path("challenge.json").write_text(json.dumps(challenge), encoding="utf-8")
    key = load_key(shown().spki)
    for arguments, given in ((("challenge.json",), None), (("-", "--format=raw"), challenge["to_be_signed"])):
        printed = well(accord("sign", "--lock", "lock", "--challenge", *arguments, given=given)).strip()
        signature = base64.b64decode(printed, validate=True)
        verify(key, default_scheme(key), as_der(key, signature), base64.b64decode(challenge["to_be_signed"]))


def test_the_request_is_what_the_api_takes(accord: Accord, home: Settings) -> None:
    well(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "lock"))
    challenge = Desk(home).challenge()
    arguments = ("--request", "--jurisdiction", "CN-SC", "--purpose", "bidding.sign", "--relying-party", "P")
    body = json.loads(well(accord("sign", "--lock=lock", "--challenge=-", *arguments, given=challenge)))
    assert body.pop("signature")
    assert body == {
        "challenge_id": json.loads(challenge)["challenge_id"],
        "certificate": Path("lock/signing.pem").read_text(encoding="ascii"),
        "chain": body["chain"],
        "signature_format": "raw",
        "jurisdiction": "CN-SC",
        "purpose": "bidding.sign",
        "relying_party": "P",
    }
    assert "".join(body["chain"]) == Path("lock/chain.pem").read_text(encoding="ascii")
    assert len(body["chain"]) == 2


def test_a_wrong_passphrase_signs_nothing(accord: Accord, home: Settings) -> None:
    well(accord("new", *HOLDER, "--ca=CN-CQ", "-o", "lock"))
    Path("lock/passphrase").write_text("another\n", encoding="ascii")
    refused(accord("sign", "--lock=lock", "--challenge=-", given=Desk(home).challenge()), "lock/lock.key", code=70)


@pytest.mark.parametrize(
    ("arguments", "given", "named"),
    [
        (["--challenge=-"], "{}", "to_be_signed"),
        (["--challenge=-"], base64.b64encode(b"contract").decode(), "accord-challenge-v1"),
        (["--challenge=nowhere.json"], None, "nowhere.json"),
        (["--challenge=-", "--request"], "{}", "--jurisdiction"),
        (["--challenge=-", "--jurisdiction=CN-SC"], "{}", "--request"),
        (["--challenge=-", "--purpose=bidding.sign"], "{}", "--request"),
    ],
)
def test_a_mistake_signs_nothing(accord: Accord, arguments: list[str], given: str | None, named: str) -> None:
    refused(accord("sign", "--lock=lock", *arguments, given=given), named)
