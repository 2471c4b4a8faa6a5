"""Processes for commands, each forked from one that has imported the product.

Importing is most of what a short command takes. A fork is a process of its own all the same: its environment, folder,
streams, exit code and end are its own.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "ACCORD_SM2_BACKEND")
"""How variables begin that are read when an interpreter starts, or the product is imported."""
_SERVING = "from tests.end_to_end.forking import serve; serve()"
# What the product imports within functions.
_LATE = ("alembic.command", "sqlalchemy.dialects.sqlite", "sqlmodel", "uvicorn", "openpyxl", "app.cli")


class Forking:
    """The process that is forked, as the tests speak to it."""

    def __init__(self, environment: Mapping[str, str], patience: int) -> None:
        self._patience = patience
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVING],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, arguments: Sequence[str], given: str | None, cwd: Path, environment: Mapping[str, str], folder: Path
    ) -> tuple[int, str, str]:
        """Runs `accord` to its end and gives exit code, standard output and standard error.

        The folder is for the files that stand for its streams.
        """
        streams = [folder / name for name in ("in", "out", "errors")]
        streams[0].write_bytes((given or "").encode())
        order = {
            "arguments": list(arguments),
            "cwd": str(cwd.absolute()),
            "environment": dict(environment),
            "streams": [str(stream) for stream in streams],
            "patience": self._patience,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert code != -signal.SIGALRM, f"accord {' '.join(arguments)} did not end in {self._patience} s"
        return code, streams[1].read_text(encoding="utf-8"), streams[2].read_text(encoding="utf-8")

    def close(self) -> None:
        """Ends it."""
        self._process.communicate(timeout=self._patience)


def serve() -> None:
    """Forks for every line of standard input and answers with the exit code of the fork."""
    codes: list[object] = []
    # Registered first, so that it comes last of all that is done at the end.
    atexit.register(_leave, codes)
    for name in _LATE:
        importlib.import_module(name)
    for package in ("keys", "registry", "app"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    with os.fdopen(os.dup(0), encoding="utf-8") as orders, os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        # Else a fork's collector writes to, and so copies, every page.
        gc.freeze()
        order = _forked(orders, answers)
    if order is None:
        return
    _become(order)
    from app.cli import main

    try:
        main()
    except SystemExit as ended:
        codes.append(ended.code)
        raise


def _forked(orders: Iterable[str], answers: IO[str]) -> Mapping[str, Any] | None:
    """Gives each order to a fork, which leaves this with it. None when there are no more."""
    for line in orders:
        pid = os.fork()
        if not pid:
            return dict(json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
    return None


def _leave(codes: Sequence[object]) -> None:
    """Ends a fork without taking down what was imported, as that writes to, and so copies, every page."""
    for code in codes:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _become(order: Mapping[str, Any]) -> None:
    for descriptor, stream in enumerate(order["streams"]):
        opened = os.open(stream, os.O_WRONLY | os.O_CREAT if descriptor else os.O_RDONLY, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    signal.alarm(order["patience"])
    sys.argv[1:] = order["arguments"]
