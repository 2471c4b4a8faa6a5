"""What a fuzzing run plants, starts and says. The fuzzer itself runs by `make fuzz` alone."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from fuzz import run
from fuzz.__main__ import main
from fuzz.run import Outcome, command, fuzz, plant
from fuzz.targets import TARGETS, Target

TARGET = Target("x", len, lambda: iter([b"one", b"two"]))
SAID = "stat::number_of_executed_units: 1234\\nstat::peak_rss_mb:              94\\n"


def test_seeds_are_planted_once_each(tmp_path: Path) -> None:
    plant(TARGET, tmp_path / "corpus")
    (tmp_path / "corpus" / "found before").write_bytes(b"three")
    plant(TARGET, tmp_path / "corpus")
    assert {file.read_bytes() for file in (tmp_path / "corpus").iterdir()} == {b"one", b"two", b"three"}


def test_a_run_has_bounds_of_time_and_memory(tmp_path: Path) -> None:
    words = command(TARGET, tmp_path, 60)
    assert words[:4] == [sys.executable, "-m", "fuzz.one", "x"]
    assert {"-max_total_time=60", "-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=256"} <= set(words)
    assert words[-1] == str(tmp_path / "corpus")


def saying(program: str) -> Any:
    return lambda target, folder, seconds: [sys.executable, "-c", program, str(folder)]


def test_what_a_run_came_to_is_read_from_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "command", saying(f'print("{SAID}")'))
    outcome = fuzz(TARGET, 1, tmp_path)
    assert outcome.line() == "ok   x: 1,234 executions, corpus 2, peak 94 MB, findings 0"


def test_a_finding_is_named_and_an_older_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writing = "import sys, pathlib; pathlib.Path(sys.argv[1], 'findings', sys.argv[2]).touch(); sys.exit(77)"
    for name in ("crash-1", "crash-2"):
        monkeypatch.setattr(run, "command", lambda *given, name=name: [*saying(writing)(*given), name])
        outcome = fuzz(TARGET, 1, tmp_path)
        assert outcome.findings == (tmp_path / "x" / "findings" / name,)
        assert (outcome.code, outcome.executions) == (77, 0)
        assert outcome.line().startswith("FAIL x: ")


def test_the_exit_code_says_whether_anything_was_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"der": (), "crl": (Path("crash-1"),)}

    def fuzzed(target: Target, seconds: int) -> Outcome:
        return Outcome(
            target=target.name, code=0, executions=seconds, corpus=1, peak=1, findings=found.get(target.name, ())
        )

    monkeypatch.setattr("fuzz.__main__.fuzz", fuzzed)
    assert main(["--targets", "der", "--seconds", "7"]) == 0
    assert capsys.readouterr().out == "ok   der: 7 executions, corpus 1, peak 1 MB, findings 0\n"
    assert main(["--targets", "crl,der"]) == 1
    assert "crash-1" in capsys.readouterr().out
    assert main([]) == 1
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("ok")]) == len(TARGETS) - 1
    with pytest.raises(SystemExit):
        main(["--targets", "nothing"])
    assert "certificate" in capsys.readouterr().err


def test_a_seed_is_named_by_its_digest(tmp_path: Path) -> None:
    plant(TARGET, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {hashlib.sha1(seed).hexdigest() for seed in (b"one", b"two")}
