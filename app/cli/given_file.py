"""A file that the command line names: read within bounds, or one line that says which option or argument it is of."""

import errno
from pathlib import Path
from typing import NoReturn

from app.cli.outcome import USAGE, fail

_REASONS = {
    errno.ENOENT: "没有这个文件 / no such file",
    errno.ENOTDIR: "没有这个文件 / no such file",
    errno.EACCES: "没有读取权限 / no permission to read it",
    errno.EISDIR: "是文件夹，不是文件 / is a folder, not a file",
}


def read_given(name: str, path: Path, most: int) -> bytes:
    """The first bytes of a file, one more than so many at most: who needs it whole must look whether it is longer."""
    require_file(name, path)
    try:
        with path.open("rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        refuse_file(name, path, error)


def require_file(name: str, path: Path) -> None:
    """Refuses what is no ordinary file: nothing else can be read to its end."""
    try:
        ordinary = path.is_file()
    except OSError as error:
        refuse_file(name, path, error)
    if not ordinary:
        refuse_file(name, path, OSError(errno.EISDIR if path.is_dir() else errno.ENOENT, ""))


def refuse_file(name: str, path: Path, error: OSError) -> NoReturn:
    """Says why a file cannot be read."""
    fail(f"{name} {path}: {_REASONS.get(error.errno or 0) or error.strerror or error}", USAGE)
