"""The bounds of an XLSX package: what it unpacks to is known before anything is unpacked for good.

A central directory can lie about sizes, and the standard library believes it only after it has unpacked; so every part
that a parser takes as a whole is unpacked here first, in pieces, up to the size that it owns to.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from app.importers.rows import FileRefused

MAX_PARTS = 2_000
MAX_UNPACKED = 2_000_000_000
MAX_RATIO = 100
"""Of unpacked to packed, for parts of more than a megabyte. Excel's own sheets stay below 40."""
MAX_STRINGS = 256 << 20
MAX_OTHER = 16 << 20
"""Of everything that is no sheet and no strings: what a parser takes as a whole."""
MAX_TAGS = 500_000
"""Of each such part."""
_SMALL = 1 << 20
_PIECE = 1 << 16
# A million rows of four texts that occur once. Tags: <si><t>…</t></si>, and formatted ones now and then.
_STRINGS, _TAGS_EACH, _TAGS_MORE = 4_500_000, 4, 1_000_000
_MANIFEST = "[Content_Types].xml"
_SHARED_STRINGS = "xl/sharedStrings.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"


def _is_sheet(name: str) -> bool:
    return name.startswith("xl/worksheets/") and name.endswith(".xml")


def _check_directory(parts: list[ZipInfo]) -> None:
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise FileRefused("file.unpacks_too_large")
    names = [part.filename for part in parts]
    # Names that differ in case only are the same part to some readers.
    if len({name.lower() for name in names}) < len(names) or not {_MANIFEST, _RELATIONS} <= set(names):
        raise FileRefused("file.not_a_workbook")
    for part in parts:
        if part.flag_bits & 1 or part.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise FileRefused("file.not_a_workbook")
        if part.file_size > max(_SMALL, part.compress_size * MAX_RATIO):
            raise FileRefused("file.unpacks_too_large")
        if _is_sheet(part.filename):
            continue
        if part.file_size > (MAX_STRINGS if part.filename == _SHARED_STRINGS else MAX_OTHER):
            raise FileRefused("file.unpacks_too_large")


def _pieces(package: ZipFile, part: ZipInfo) -> Iterator[bytes]:
    with package.open(part) as content:
        while piece := content.read(_PIECE):
            yield piece


def _check_strings(package: ZipFile, part: ZipInfo) -> None:
    """Bounds the strings and the tags inside them: each costs memory that its bytes do not tell."""
    strings = tags = 0
    for piece in _pieces(package, part):
        strings, tags = strings + piece.count(b"<si"), tags + piece.count(b"<")
        if strings > _STRINGS or tags > _TAGS_EACH * strings + _TAGS_MORE:
            raise FileRefused("file.unpacks_too_large")


def _check_tags(package: ZipFile, part: ZipInfo) -> None:
    """Bounds the tags of a part that becomes one tree: 16 MB of nothing but short tags would become 700 MB."""
    tags = 0
    for piece in _pieces(package, part):
        tags += piece.count(b"<")
        if tags > MAX_TAGS:
            raise FileRefused("file.unpacks_too_large")


def _check_roles(package: ZipFile) -> None:
    """A sheet is called nothing but a sheet: called anything else, it would be taken as a whole."""
    for override in fromstring(package.read(_MANIFEST)):
        name, kind = override.get("PartName", "").lstrip("/"), override.get("ContentType", "")
        strings = kind.endswith(".sharedStrings+xml")
        if (_is_sheet(name) and not kind.endswith(".worksheet+xml")) or (strings and name != _SHARED_STRINGS):
            raise FileRefused("file.not_a_workbook")
    for relation in fromstring(package.read(_RELATIONS)):
        sheet = "worksheets/" in relation.get("Target", "")
        if sheet and not relation.get("Type", "").endswith("/worksheet"):
            raise FileRefused("file.not_a_workbook")


def check_package(path: Path) -> None:
    """Whether the package can be given to a parser. Raises `FileRefused`."""
    try:
        with ZipFile(path) as package:
            parts = package.infolist()
            _check_directory(parts)
            for part in parts:
                if part.filename == _SHARED_STRINGS:
                    _check_strings(package, part)
                elif not _is_sheet(part.filename):
                    _check_tags(package, part)
            _check_roles(package)
    except FileRefused:
        raise
    except (BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, SyntaxError):
        # What a stranger's zip makes zipfile raise: RuntimeError for a password, NotImplementedError for a compression.
        # ValueError is also what defusedxml raises, SyntaxError what the XML parser does.
        raise FileRefused("file.not_a_workbook") from None
