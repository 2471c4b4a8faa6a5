"""The `accord` command as a process, and a server that is really listening."""

import atexit
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.end_to_end.forking import OF_THE_INTERPRETER, Forking

ROOT = Path(__file__).parents[2]
ACCORD = [sys.executable, "-c", "from app.cli import main; main()"]
READY = "演示已就绪"
PATIENCE = 120  # seconds before a process that does not answer fails the test


def environment(home: Path, **settings: str) -> dict[str, str]:
    """The environment of a node at home there: nothing of the test run's own settings, and no proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("ACCORD_")}
    kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "ACCORD_HOME": str(home), **settings}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    errors: str


def accord(home: Path, *arguments: str, given: str | None = None, cwd: Path | None = None, **settings: str) -> Outcome:
    """Runs `accord` to its end, in a fork of an interpreter that has imported it already."""
    if any(name.startswith(OF_THE_INTERPRETER) for name in settings):
        return accord_from_nothing(home, *arguments, given=given, cwd=cwd, **settings)
    with tempfile.TemporaryDirectory() as folder:
        return Outcome(
            *_forking().run(arguments, given, cwd or home.parent, environment(home, **settings), Path(folder))
        )


def accord_from_nothing(
    home: Path, *arguments: str, given: str | None = None, cwd: Path | None = None, **settings: str
) -> Outcome:
    """Runs `accord` to its end, in an interpreter of its own: as users do."""
    done = subprocess.run(
        [*ACCORD, *arguments],
        cwd=cwd or home.parent,
        env=environment(home, **settings),
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@cache
def _forking() -> Forking:
    """One for a process of the test run."""
    forking = Forking(environment(Path("nowhere")), PATIENCE)
    atexit.register(forking.close)
    return forking


def assert_refused(outcome: Outcome, *named: str, code: int = 70) -> None:
    """Refused with one line on standard error that names what is wrong, and nothing else anywhere."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    lines = outcome.errors.splitlines()
    assert len(lines) == 1, outcome.errors
    assert lines[0].startswith("accord: ")
    for text in named:
        assert text in lines[0]
    assert "Traceback" not in outcome.errors


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@dataclass
class Server:
    """A demonstration that is being served."""

    home: Path
    port: int
    process: subprocess.Popen[str]
    lines: list[str]
    log: Path

    @property
    def base(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(home: Path, log: Path, *command: str, **settings: str) -> Iterator[Server]:
    """A server process, once it says that it is ready; it is ended when the test is done."""
    port = free_port()
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [*ACCORD, *(command or ("demo",)), "--port", str(port)],
            cwd=home.parent,
            env=environment(home, **settings),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        lines = _until_ready(process, port, log) if not command else _until_listening(process, port, log)
        yield Server(home, port, process, lines, log)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def _until_ready(process: subprocess.Popen[str], port: int, log: Path) -> list[str]:
    """Every line of the announcement, which ends with the address of the credentials."""
    assert process.stdout is not None
    lines: list[str] = []
    watch = threading.Timer(PATIENCE, process.kill)
    watch.start()
    try:
        while not any("/v1/credentials?" in line for line in lines):
            line = process.stdout.readline()
            assert line, f"ended after {lines}: {log.read_text(encoding='utf-8')}"
            lines.append(line.rstrip("\n"))
    finally:
        watch.cancel()
    assert any(READY in line and f":{port}/" in line for line in lines)
    return lines


def _until_listening(process: subprocess.Popen[str], port: int, log: Path) -> list[str]:
    while True:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with socket.socket() as calling:
            calling.settimeout(PATIENCE)
            if calling.connect_ex(("127.0.0.1", port)) == 0:
                return []
        # Asking without a pause would take the processor from the server that is starting.
        time.sleep(0.02)


def fingerprint(folder: Path) -> dict[str, str]:
    """The digest of every file in a folder but for the side files that SQLite keeps beside an open store."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.endswith(("-wal", "-shm"))
    }


def settings_of(values: Mapping[str, object]) -> dict[str, str]:
    """Settings as environment variables."""
    return {f"ACCORD_{name.upper()}": str(value) for name, value in values.items()}
