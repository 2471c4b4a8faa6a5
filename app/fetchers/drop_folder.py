"""Reads revocation lists from a folder that somebody fills: one list per file, files of other kinds passed over."""

import os
import stat
from pathlib import Path

from app.fetchers import FetchError

SUFFIXES = frozenset({".crl", ".der", ".pem"})


def files_of(folder: Path) -> tuple[Path, ...]:
    """The files that should be lists, by name. Raises `OSError`."""
    return tuple(sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES))


def read_file(file: Path, size: int) -> bytes:
    """The content of a file. Raises `FetchError` "drop.unreadable" or "drop.too_large".

    Only regular files: a link could name any file of the machine, and a pipe would never end.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FetchError("drop.unreadable", "is not a regular file")
            content = stream.read(size + 1)
    except OSError as error:
        raise FetchError("drop.unreadable", f"cannot be read: {error.strerror or error}") from error
    if len(content) > size:
        raise FetchError("drop.too_large", f"is larger than {size} bytes")
    return content
