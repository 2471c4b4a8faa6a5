"""The README's integration of a platform, run as printed: curl, Python and Java against a service with a soft lock."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.shell import ACCORD, PATIENCE, ROOT, Server, accord, environment
from tests.support.requirements import require

EXAMPLES = ROOT / "examples"
USCC, COMPANY = "91500105TT0000816G", "重庆测试渝建工程集团有限公司"
RECOGNIZED = "recognized"


def new_lock(server: Server, folder: Path, *more: str) -> Path:
    lock = folder / "lock"
    asked = ("--ca", "CN-CQ", "--algorithm", "sm2", "--uscc", USCC, "--name", COMPANY, "-o", str(lock), *more)
    outcome = accord(server.home, "lock", "new", *asked)
    assert outcome.code == 0, outcome.errors
    return lock


def run(server: Server, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(server.home),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """An `accord` beside no virtual environment of its own: the tests may run from anywhere."""
    file = tmp_path / "bin" / "accord"
    file.parent.mkdir()
    words = " ".join(f"'{word}'" for word in ACCORD)
    file.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("language", ["README.md", "README.zh-CN.md"])
def test_the_commands_of_the_readme(server: Server, tmp_path: Path, launcher: Path, language: str) -> None:
    require(shutil.which("curl"), "curl")
    text = (ROOT / language).read_text(encoding="utf-8")
    block = next(block for block in re.findall(r"```sh\n(.*?)```", text, re.S) if "accord lock new" in block)
    script = block.replace("http://127.0.0.1:8000", server.base).replace(".venv/bin/accord", str(launcher))
    done = run(server, tmp_path, "sh", "-e", "-c", script)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout[done.stdout.index('{"decision"') :])
    assert answer["decision"] == RECOGNIZED, answer["reasons"]
    assert answer["certificate"]["uscc"] == USCC
    assert [step["trust_anchor"] for step in answer["path"]] == ["demo-ca-cq-sm2", "demo-root-sm2"]


def test_the_python_example(server: Server, tmp_path: Path, launcher: Path) -> None:
    lock = new_lock(server, tmp_path)
    # The example finds `accord` beside the interpreter, as in the environment that `make` installs.
    program = (EXAMPLES / "verify_lock.py").read_text(encoding="utf-8")
    changed = program.replace('Path(sys.executable).with_name("accord")', f'Path("{launcher}")')
    assert changed != program
    (tmp_path / "verify_lock.py").write_text(changed, encoding="utf-8")
    done = run(server, tmp_path, sys.executable, "verify_lock.py", server.base, str(lock))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{RECOGNIZED} ")
    assert USCC in done.stdout
    assert (tmp_path / "lock-receipt.jws").read_text().count(".") == 2


def test_the_java_example(server: Server, tmp_path: Path, launcher: Path) -> None:
    require(shutil.which("javac"), "a JDK (17 or later)")
    lock = new_lock(server, tmp_path)
    done = run(
        server,
        tmp_path,
        "java",
        "-Dfile.encoding=UTF-8",
        str(EXAMPLES / "VerifyLock.java"),
        server.base,
        str(lock),
        str(launcher),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{RECOGNIZED} ")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--expired",), "validity.expired"),
        (("--revoked",), "status.revoked"),
        (("--ca", "foreign"), "path.no_anchor"),
    ],
)
def test_a_lock_that_does_not_count_says_why(
    server: Server, tmp_path: Path, launcher: Path, more: tuple[str, ...], code: str
) -> None:
    lock = new_lock(server, tmp_path, *more)
    program = (EXAMPLES / "verify_lock.py").read_text(encoding="utf-8")
    changed = program.replace('Path(sys.executable).with_name("accord")', f'Path("{launcher}")')
    (tmp_path / "verify_lock.py").write_text(changed, encoding="utf-8")
    done = run(server, tmp_path, sys.executable, "verify_lock.py", server.base, str(lock))
    assert done.returncode == 1, done.stderr
    assert f"[{code}]" in done.stdout
