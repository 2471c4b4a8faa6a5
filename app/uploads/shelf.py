"""The folder beside the store where uploaded files wait, and where it is kept what was wrong with their rows.

Nobody else may read it: files name people, and so does what is wrong with them.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec
from msgspec.structs import replace

from app.importers import RowFault
from app.ports import StoreError

_FILE, _PART, _FAULTS = ".file", ".part", ".faults"
_decode = msgspec.json.Decoder(RowFault).decode


class Upload:
    """A file on its way in. It is there as a whole once it is kept, and not at all otherwise."""

    def __init__(self, path: Path) -> None:
        self._path, self._hash, self.size = path, hashlib.sha256(), 0
        with _clearly(path):
            self._file = open(path, "xb", opener=_private)  # noqa: SIM115 - closed by `__exit__`

    def __enter__(self) -> "Upload":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        """Takes the next bytes. Raises `StoreError`."""
        with _clearly(self._path):
            self._file.write(content)
        self._hash.update(content)
        self.size += len(content)

    @property
    def digest(self) -> str:
        """The digest of what came so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def keep(self, import_id: str) -> None:
        """Puts the file on the shelf under a name. Raises `StoreError`."""
        with _clearly(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._path.rename(self._path.with_name(import_id + _FILE))


class Shelf:
    """Implements the folder of one store."""

    def __init__(self, store: Path) -> None:
        self._folder = store.with_name(f"{store.stem}.imports")

    def upload(self) -> Upload:
        """Begins to take a file. Raises `StoreError`."""
        with _clearly(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
        return Upload(self._folder / f"{os.urandom(16).hex()}{_PART}")

    def file(self, import_id: str) -> Path:
        """Where the file of an import is until it was loaded."""
        return self._folder / (import_id + _FILE)

    def drop(self, import_id: str) -> None:
        """Removes the file of an import."""
        self.file(import_id).unlink(missing_ok=True)

    @contextmanager
    def faults(self, import_id: str) -> "Iterator[FaultList]":
        """The list of what is wrong with the rows of an import, begun anew. Raises `StoreError`."""
        path = self._folder / (import_id + _FAULTS)
        with _clearly(path):
            path.unlink(missing_ok=True)
            with open(path, "xb", opener=_private) as file:
                yield FaultList(file)

    def read_faults(self, import_id: str, after: int, limit: int) -> tuple[list[RowFault], int | None]:
        """What is wrong, from a position on, and the position of what follows. Raises `ValueError` for one of none."""
        found = list[RowFault]()
        try:
            with (self._folder / (import_id + _FAULTS)).open("rb") as file:
                if after:
                    file.seek(after - 1)
                    if file.read(1) != b"\n":
                        raise ValueError(after)
                while len(found) < limit and (line := file.readline()).endswith(b"\n"):
                    found.append(_decode(line))
                    after += len(line)
                return found, after if file.read(1) else None
        except FileNotFoundError:
            return [], None
        except OSError as error:
            raise StoreError(f"{self._folder}: {error.strerror}") from None

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """True for the one process that works on this shelf, False for every other."""
        import fcntl  # not on Windows, which must start all the same

        with _clearly(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with open(self._folder / "lock", "ab", opener=_private) as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                else:
                    yield True

    def forget(self, before: datetime) -> None:
        """Removes what has been there since before an instant."""
        with suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                with suppress(FileNotFoundError):
                    old = path.stat().st_mtime < before.timestamp()
                    if old and path.suffix in (_FILE, _PART, _FAULTS):
                        path.unlink()


class FaultList:
    """Takes down what is wrong with rows, a line each."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._encode = file, msgspec.json.Encoder().encode

    def add(self, fault: RowFault) -> None:
        """Writes one fault."""
        try:
            line = self._encode(fault)
        except UnicodeEncodeError:
            params = {name: _sayable(value) for name, value in fault.params.items()}
            line = self._encode(
                replace(fault, column=_sayable(fault.column), value=_sayable(fault.value), params=params)
            )
        self._file.write(line + b"\n")

    def flush(self) -> None:
        """Lets readers see what was written."""
        self._file.flush()


def _sayable(text: str) -> str:
    """The text without halves of surrogate pairs: JSON lines can hold them, and UTF-8 cannot."""
    return text.encode("utf-8", "backslashreplace").decode()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def _clearly(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path.parent}: {error.strerror or type(error).__name__}") from None
