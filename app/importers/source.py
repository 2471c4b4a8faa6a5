"""The one way in: looks at a file and gives the source of its rows."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from app.importers.delimited import read_delimited
from app.importers.json_lines import read_json_lines
from app.importers.rows import FileFacts, FileRefused, RowSource
from app.importers.values import AreaOf
from registry.profile import CredentialProfile

MAX_FILE = 2_000_000_000
"""Bytes."""
_ZIP = b"PK\x03\x04"
# What .xls is, and what Excel makes of an .xlsx with a password.
_COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")
_BLANK = b" \t\r\n"


def open_rows(
    path: Path, profile: CredentialProfile, *, issuer: str | None = None, area_of: AreaOf | None = None
) -> RowSource:
    """The rows of a register's file for credentials of one type. Raises `FileRefused`; rows are read only on demand.

    `issuer` is what the member `issuer` of JSON lines must say where it is there. `area_of` gives the code of an area
    by its name, None where the name is not unique; without it areas are told by code only.
    """
    try:
        if not path.is_file():
            raise FileRefused("file.not_a_file")
        size = path.stat().st_size
        if size > MAX_FILE:
            raise FileRefused("file.too_large", limit=f"{MAX_FILE:,}", size=f"{size:,}")
        with path.open("rb") as file:
            begins = file.read(4096)
        if not begins:
            raise FileRefused("file.empty")
        if begins.startswith(_COMPOUND):
            raise FileRefused("file.old_workbook")
        if begins.startswith(_ZIP):
            # Loaded at first use: openpyxl takes a quarter of a second.
            from app.importers.workbook import read_workbook

            return read_workbook(path, profile, area_of)
        if path.suffix.lower() in (".xlsx", ".xlsm"):
            raise FileRefused("file.not_a_workbook")
        if begins.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK).startswith(b"{"):
            return read_json_lines(path, profile, issuer)
        return read_delimited(path, profile, area_of)
    except OSError as error:
        raise FileRefused("file.unreadable", why=error.strerror or type(error).__name__) from None


def measure(path: Path, source: RowSource) -> FileFacts:
    """Digest and rows of a file. Goes through all of it, so that what refuses it as a whole is found before any row.

    Raises `FileRefused`.
    """
    try:
        with path.open("rb") as file:
            named = hashlib.file_digest(file, "sha256").hexdigest()
        return FileFacts(f"sha256:{named}", source.count())
    except OSError as error:
        raise FileRefused("file.unreadable", why=error.strerror or type(error).__name__) from None


def unchanged(path: Path) -> Callable[[], None]:
    """Gives what raises `FileRefused` once the file is no longer the one that is there now."""

    def identity() -> tuple[int, ...]:
        try:
            found = path.stat()
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    opened = identity()

    def check() -> None:
        if identity() != opened:
            raise FileRefused("file.changed")

    return check
