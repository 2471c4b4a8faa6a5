"""`accord verify-signature`, as an operator uses it on files, with the test locks that the product makes."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.shell import Outcome, accord
from tests.support.requirements import require

USCC = "91500105TT0000816G"
NAME = "重庆测试渝建工程集团有限公司"
WHERE = ("--jurisdiction=CN-SC",)


@pytest.fixture(scope="module")
def fresh(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration's home for the tests of this module."""
    home = tmp_path_factory.mktemp("signatures") / "home"
    shutil.copytree(prepared, home)
    return home


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, fresh: Path) -> Path:
    """A folder with a document, two locks, and the document signed by both."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "bid.pdf").write_bytes("测试投标文件".encode() * 100_000)
    for name, kind in (("unit", "unit"), ("person", "legal-representative")):
        made = accord(
            fresh,
            "lock",
            "new",
            "--ca=CN-CQ",
            f"--uscc={USCC}",
            f"--name={NAME}",
            f"--kind={kind}",
            f"-o{folder / name}",
        )
        assert made.code == 0, made
    locks = (f"--lock={folder / 'unit'}", f"--lock={folder / 'person'}")
    bid = str(folder / "bid.pdf")
    for out, more in (("bid.p7m", locks), ("bid.p7s", ("--detached", *locks)), ("unit.p7s", ("--detached", locks[0]))):
        assert accord(fresh, "lock", "cms", bid, "--gm", f"-o{folder / out}", *more).code == 0
    return folder


def told(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def test_a_document_is_judged_attached_and_detached(fresh: Path, desk: Path) -> None:
    attached = accord(fresh, "verify-signature", str(desk / "bid.p7m"), *WHERE, "--json")
    detached = accord(
        fresh, "verify-signature", str(desk / "bid.pdf"), f"--signature={desk / 'bid.p7s'}", *WHERE, "--json"
    )
    for outcome in (attached, detached):
        assert outcome.code == 0, outcome
        assert {entry["role"] for entry in told(outcome)["signers"]} == {"unit", "legal_representative"}
    (desk / "other.pdf").write_bytes(b"another document")
    other = accord(fresh, "verify-signature", str(desk / "other.pdf"), f"--signature={desk / 'bid.p7s'}", *WHERE)
    assert other.code == 1
    assert "signature.wrong" in other.out


def test_who_must_have_signed_and_by_when(fresh: Path, desk: Path, tmp_path: Path) -> None:
    both = ("--unit=1", "--representative=1", "--same-subject")
    asked = ("verify-signature", str(desk / "bid.pdf"), *WHERE, *both, "--lang=en")
    receipt = tmp_path / "receipt.jws"
    met = accord(fresh, *asked, f"--signature={desk / 'bid.p7s'}", f"--receipt={receipt}")
    assert met.code == 0, met
    assert "All signatures that were asked for are there." in met.out
    assert re.search(r"Signer [12]: .* · legal representative · ", met.out)
    lacking = accord(fresh, *asked, f"--signature={desk / 'unit.p7s'}")
    assert (lacking.code, "signers.missing" in lacking.out) == (1, True)
    assert "valid ones are still missing: 1 of a legal representative." in lacking.out
    shown = accord(fresh, "verify-receipt", str(receipt), "--lang=en")
    assert shown.code == 0
    assert len(re.findall(r"Signer [12]: sha256:[0-9a-f]{64} · ", shown.out)) == 2
    assert re.search(r"^Document \(sm3\): [0-9a-f]{64}$", shown.out, re.MULTILINE)
    late = ("--deadline=2026-01-01T00:00:00+08:00", f"--signature={desk / 'bid.p7s'}")
    missed = accord(fresh, *asked, *late)
    assert (missed.code, "signature.after_deadline" in missed.out) == (1, True)
    # What is wrong is said under each signer, and of which instant this was judged.
    assert len(re.findall(r"^  - .*\[signature\.after_deadline\]$", missed.out, re.MULTILINE)) == 3
    assert "Judged for: " in missed.out
    chain = accord(fresh, *asked, f"--signature={desk / 'bid.p7s'}", f"--chain={desk / 'unit' / 'chain.pem'}")
    assert chain.code == 0, chain
    # The receipt is evidence from its time on.
    again = accord(fresh, *asked, f"--signature={desk / 'bid.p7s'}", f"--earlier={receipt}", "--json")
    assert [entry["proven_time"]["kind"] for entry in told(again)["signers"]] == ["receipt", "receipt"]


def judged(outcome: Outcome) -> str:
    """The line that says of which instant it was judged."""
    (line,) = re.findall(r"^(?:判断时点：|Judged for: ).*$", outcome.out, re.MULTILINE)
    return str(line)


def test_an_instant_that_nobody_named_is_not_laid_to_the_asker(fresh: Path, desk: Path) -> None:
    asked = ("verify-signature", str(desk / "bid.p7m"), *WHERE)
    assert "（当前时间：提问时未指明时点，" in judged(accord(fresh, *asked))
    assert "(now: no instant was named, " in judged(accord(fresh, *asked, "--lang=en"))
    shown = told(accord(fresh, *asked, "--json"))
    assert (shown["decision"], shown["time_source"]) == ("recognized", "asserted")
    instant = shown["valid_at"]
    assert "（所知时点（known_at）：提问时未指明法律时点，" in judged(accord(fresh, *asked, f"--known-at={instant}"))
    for more in ((), (f"--known-at={instant}",)):
        assert "（系提问方所述，" in judged(accord(fresh, *asked, f"--valid-at={instant}", *more))
    assert "(as asked; " in judged(accord(fresh, *asked, f"--valid-at={instant}", "--lang=en"))


def test_midnight_is_no_end_of_a_day(fresh: Path, desk: Path) -> None:
    asked = ("verify-signature", str(desk / "bid.p7m"), *WHERE, "--deadline=2026-01-01T00:00:00+08:00")
    assert "晚于截止时间2026年1月1日00:00（北京时间）。" in accord(fresh, *asked).out
    assert "later than the deadline 1 January 2026 00:00 (Beijing time)." in accord(fresh, *asked, "--lang=en").out
    past = accord(fresh, "verify-signature", str(desk / "bid.p7m"), *WHERE, "--valid-at=2026-01-01T00:00:00+08:00")
    assert judged(past).startswith("判断时点：2026年1月1日00:00（北京时间）（系提问方所述，")


def test_who_has_an_rsa_lock_is_told_how_a_timestamp_proves_his_signature(
    fresh: Path, desk: Path, tmp_path: Path
) -> None:
    require(shutil.which("openssl"), "openssl")
    lock = tmp_path / "rsa"
    holder = (f"--uscc={USCC}", f"--name={NAME}", "--kind=unit")
    made = accord(fresh, "lock", "new", "--ca=CN-CQ", "--algorithm=rsa", *holder, f"-o{lock}")
    assert made.code == 0, made
    for name, more in (("plain", ()), ("cades", ("-cades",))):
        key = ("-signer", lock / "signing.pem", "-inkey", lock / "lock.key", "-passin", f"file:{lock / 'passphrase'}")
        out = ("-nodetach", "-outform", "DER", "-out", tmp_path / f"{name}.p7m")
        signing = ("openssl", "cms", "-sign", "-binary", "-in", desk / "bid.pdf", *more, *key, *out)
        subprocess.run(list(map(str, signing)), check=True, capture_output=True)
        stamped = ("lock", "timestamp", f"--cms={tmp_path / name}.p7m", f"-o{tmp_path / name}.stamped")
        assert accord(fresh, *stamped).code == 0
    plain = ("verify-signature", str(tmp_path / "plain.stamped"), *WHERE)
    chinese, english = accord(fresh, *plain), accord(fresh, *plain, "--lang=en")
    (line,) = re.findall(r"^.*\[timestamp\.key_open\]$", chinese.out, re.MULTILINE)
    assert "openssl cms 加 -cades" in line
    assert "--timestamp" in line
    assert "with openssl cms: -cades" in english.out
    # Both ways that it names do.
    assert accord(fresh, "lock", "timestamp", str(tmp_path / "plain.p7m"), f"-o{tmp_path / 'token'}").code == 0
    whole = (str(tmp_path / "plain.p7m"), f"--timestamp={tmp_path / 'token'}")
    for arguments in ((str(tmp_path / "cades.stamped"),), whole):
        answer = told(accord(fresh, "verify-signature", *arguments, *WHERE, "--json"))
        (signer,) = answer["signers"]
        assert (answer["decision"], signer["evidence"]) == ("recognized", [])
        assert signer["proven_time"]["kind"] == "timestamp"


def test_a_mistake_names_the_command_that_was_meant(fresh: Path, desk: Path, tmp_path: Path) -> None:
    alone, text, bare = desk / "bid.p7s", tmp_path / "bid.txt", tmp_path / "bid.sig"
    text.write_text("测试投标文件", encoding="utf-8")
    bare.write_bytes(bytes.fromhex("3006020101020101"))
    cut = tmp_path / "cut.p7s"
    cut.write_bytes(alone.read_bytes()[:-7])
    size = alone.stat().st_size
    for arguments, said, english in (
        ((str(alone),), f"verify-signature 原文 --signature {alone}", f"verify-signature DOCUMENT --signature {alone}"),
        ((str(text),), f"verify-signature {text} --signature 签名文件", f"verify-signature {text} --signature SIGN"),
        ((str(text), f"--signature={bare}"), "--format raw", "--format raw"),
        ((str(cut),), f"应有 {size} 字节，实有 {size - 7} 字节", f"announces {size} bytes, {size - 7} are there"),
    ):
        outcome = accord(fresh, "verify-signature", *arguments, *WHERE)
        assert (outcome.code, said in outcome.errors, "/content" in outcome.errors) == (2, True, False), outcome
        assert english in accord(fresh, "verify-signature", *arguments, *WHERE, "--lang=en").errors
    # With a document beside it nothing was forgotten.
    both = accord(fresh, "verify-signature", str(text), f"--signature={text}", *WHERE)
    assert (both.code, "是否忘了" in both.errors) == (2, False)


def test_mistakes_are_told_in_one_line(fresh: Path, desk: Path) -> None:
    for arguments in (
        (str(desk / "nothing"),),
        (str(desk / "bid.pdf"),),
        (str(desk / "bid.p7s"),),
        (str(desk / "bid.p7m"), "--same-subject"),
        (str(desk / "bid.p7m"), "--deadline=tomorrow"),
        (str(desk / "bid.p7m"), "--format=raw"),
    ):
        outcome = accord(fresh, "verify-signature", *arguments, *WHERE)
        assert outcome.code == 2, (arguments, outcome)
        assert outcome.errors.count("\n") == 1
