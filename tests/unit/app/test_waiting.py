"""Commands wait for an answer and do not write it out: it holds the whole policy, or the whole document."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.application import application
from app.demonstration.commands import examples
from app.waiting import waited_for
from registry.decision import Decision
from tests.end_to_end.shell import environment


class Loud:
    """Tells when somebody writes it out."""

    def __init__(self) -> None:
        self.written = 0

    def __repr__(self) -> str:
        self.written += 1
        return "Loud"


async def answered(value: object) -> object:
    return value


def test_an_answer_is_waited_for_and_not_written_out() -> None:
    loud = Loud()
    assert waited_for(answered(loud)) is loud
    assert loud.written == 0


def test_what_fails_fails() -> None:
    async def failing() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        waited_for(failing())


def test_a_command_does_not_write_out_its_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    monkeypatch.setattr(Decision, "__repr__", lambda decision: written.append(decision) or "a decision")
    runner, settings = CliRunner(), {"ACCORD_HOME": str(tmp_path / "home")}
    assert runner.invoke(application, ["demo", "--no-serve"], env=settings).exit_code == 0
    query = examples()[0]["query"]
    options = [f"--{name.replace('_', '-')}={query[name]}" for name in ("jurisdiction", "purpose", "valid_at")]
    options += [f"--{name}={value}" for name, value in query["credential"].items()]
    options += [f"--fact={name}={value}" for name, value in query["facts"].items()]
    done = runner.invoke(application, ["recognize", "--json", *options], env=settings)
    assert json.loads(done.stdout)["decision"] == "recognized"
    assert written == []


def test_a_start_does_without_what_only_writers_need(tmp_path: Path) -> None:
    """Loading it takes longer than answering; commands start anew each time."""
    program = "import sys, app.bootstrap; print([name for name in ('sqlalchemy', 'sqlmodel') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
