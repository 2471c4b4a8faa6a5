"""What a node has for uploads: who asked for what, the shelf, and the process that loads."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Lock

from app import clock
from app.store.imports import SqliteImports
from app.uploads.shelf import Shelf
from app.usecases.file_import import UNFINISHED, FileImport

_LOOK_SECONDS = 15.0
STARTED = list[subprocess.Popen[bytes]]()
"""The processes that any desk here started and that may still run: a load goes on when its node is gone."""


class UploadDesk:
    """Takes uploads for one store. `limit`: bytes of a file."""

    def __init__(self, store: Path, limit: int) -> None:
        self.imports, self.shelf, self.limit = SqliteImports(store), Shelf(store), limit
        self._store, self._lock = store, Lock()
        self._processes = list[subprocess.Popen[bytes]]()
        self._look_again = 0.0

    def wake(self) -> None:
        """Starts a process that loads what waits; it leaves at once where another one is at it."""
        with self._lock:
            self._processes = [entry for entry in self._processes if entry.poll() is None]
            STARTED[:] = [entry for entry in STARTED if entry.poll() is None]
            command = [sys.executable, "-P", "-m", "app.cli", "jobs", "load-uploads", "--json"]
            # The same modules as here, whatever the working directory is; and this store, whatever home says.
            path = os.pathsep.join(entry for entry in sys.path if entry)
            environment = {**os.environ, "PYTHONPATH": path, "ACCORD_STORE": str(self._store.absolute())}
            self._look_again = clock.monotonic() + _LOOK_SECONDS
            self._processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
            STARTED.append(self._processes[-1])

    def look_after(self, entry: FileImport) -> None:
        """Starts the process again where an import is unfinished and none of ours is at it: it may have been killed."""
        if entry.state in UNFINISHED and clock.monotonic() > self._look_again:
            self._processes = [process for process in self._processes if process.poll() is None]
            if not self._processes:
                self.wake()

    def resume(self) -> None:
        """Goes on with what an earlier process of the node left unfinished. Raises `StoreError`."""
        if self.imports.unfinished():
            self.wake()
