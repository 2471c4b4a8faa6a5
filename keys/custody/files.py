"""Files of key custody: secrets read only where nobody else can, and writes that survive a crash whole or not at all.

Raises CustodyError "key.file_missing", "key.file_unreadable", "key.file_kind", "key.file_mode", "key.file_owner",
"key.file_too_large", "key.file_exists" and "key.file_unwritable", each with the path in its detail.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from keys.errors import CustodyError

MAX_SECRET = 64 * 1024  # bytes
MAX_PUBLIC = 1024 * 1024


def read_secret(path: Path) -> bytes:
    """Reads a file that only its owner, who is the effective user, can touch. Root may read anybody's.

    Where there are no POSIX users (Windows) neither mode nor owner is looked at: modes say nothing there.
    """
    return _read(path, secret=True, limit=MAX_SECRET)


def read_public(path: Path) -> bytes | None:
    """Reads a file anybody may see, or None where there is none."""
    try:
        return _read(path, secret=False, limit=MAX_PUBLIC)
    except CustodyError as error:
        if error.code == "key.file_missing":
            return None
        raise


def create(path: Path, data: bytes) -> None:
    """Writes a new file with mode 0600, on disk when this returns. Never overwrites; leaves nothing when it fails."""
    with _writing(path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            with open(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(descriptor)
            _sync_directory(path.parent)
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise


def replace(path: Path, data: bytes) -> None:
    """Writes a file in place of any former one; a crash leaves the one or the other."""
    temporary = path.with_name(f".{path.name}.new")
    discard(temporary)
    create(temporary, data)
    move(temporary, path)


def move(source: Path, target: Path) -> None:
    """Renames within a directory, on disk when this returns."""
    with _writing(target):
        os.replace(source, target)
        _sync_directory(target.parent)


def discard(path: Path) -> None:
    """Removes what a crash may have left."""
    with _writing(path):
        path.unlink(missing_ok=True)


def make_directory(path: Path) -> None:
    """Makes a directory with mode 0700 unless it is there."""
    with _writing(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_directory(path.parent)


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Holds off other writers of the directory. The lock ends with the process; there is none on Windows."""
    if not _posix():
        yield
        return
    import fcntl  # exists on POSIX only

    with _writing(directory):
        descriptor = os.open(directory, os.O_RDONLY)
    try:
        with _writing(directory):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path, *, secret: bool, limit: int) -> bytes:
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CustodyError("key.file_missing", f"{path}: there is no such file; check the path") from error
    except (OSError, ValueError) as error:
        raise CustodyError("key.file_unreadable", f"{path}: cannot be opened: {error}") from error
    try:
        # The descriptor, not the path: what is checked is what is read, whatever happens to the name meanwhile.
        _check(path, os.fstat(descriptor), secret=secret)
        with open(descriptor, "rb", closefd=False) as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise CustodyError("key.file_unreadable", f"{path}: cannot be read: {error}") from error
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise CustodyError("key.file_too_large", f"{path}: more than {limit} bytes; check that it is the right file")
    return data


def _check(path: Path, found: os.stat_result, *, secret: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise CustodyError("key.file_kind", f"{path}: not a regular file; give the path of one")
    if not secret or not _posix():
        return
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise CustodyError("key.file_mode", f"{path}: mode {mode:04o} lets other users at it; run chmod 600 {path}")
    user = os.geteuid()
    if user not in (0, found.st_uid):
        mend = f"run chown {user} {path}, or run as its owner"
        raise CustodyError("key.file_owner", f"{path}: belongs to user {found.st_uid}, not to user {user}; {mend}")


def _sync_directory(directory: Path) -> None:
    """Puts the names in a directory on disk. Windows cannot, and does not need to."""
    if not _posix():
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise CustodyError("key.file_exists", f"{path}: exists and is not overwritten; give another path") from error
    except (OSError, ValueError) as error:
        raise CustodyError("key.file_unwritable", f"{path}: cannot be written: {error}") from error


def _posix() -> bool:
    return hasattr(os, "geteuid")
