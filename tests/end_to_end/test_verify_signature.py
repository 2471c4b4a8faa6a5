"""`accord verify-signature`, as an operator uses it on files, with the test locks that the product makes."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.shell import Outcome, accord

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
