"""Which encoding a text file is in: UTF-8 strictly, else GB18030 strictly, never a guess and never a mixture.

The whole file is read once, in pieces. Excel in China writes GB18030; a file pasted together from two programs may
hold both, and its UTF-8 lines would read as wrong characters that no later check could tell from a name.
"""

import codecs
import re
from pathlib import Path
from typing import BinaryIO

from app.importers.rows import FileRefused

PIECE = 1 << 20
_HAN = re.compile("[\u3400-\u9fff]")
_CLEARLY = 4
"""Han characters of a line: six bytes of GB18030 are two of them by chance, twelve hardly ever are four."""


class _Undecodable(Exception):
    def __init__(self, offset: int, line: int) -> None:
        self.offset, self.line = offset, line


def _check(file: BinaryIO, encoding: str) -> None:
    """Raises `_Undecodable` with the place of the first byte (from 0) that does not fit, and its line (from 1)."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    file.seek(0)
    offset, line, waiting = 0, 1, b""
    while True:
        piece = file.read(PIECE)
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            # The decoder counts from what it had kept of the piece before.
            place = offset - len(waiting) + error.start
            line += (waiting + piece)[: error.start].count(b"\n")
            raise _Undecodable(place, line) from None
        if not piece:
            return
        waiting = decoder.getstate()[0]
        # What waits is part of one character and holds no line break.
        line += piece.count(b"\n")
        offset += len(piece)


def _utf8_line(file: BinaryIO) -> tuple[int, int] | None:
    """Offset and number of the first line that is Chinese in UTF-8, in a file that is GB18030."""
    file.seek(0)
    offset, number = 0, 1
    while piece := file.readline(PIECE):
        if not piece.isascii() and _reads_as_utf8(piece):
            return offset, number
        offset += len(piece)
        number += piece.endswith(b"\n")
    return None


def _reads_as_utf8(line: bytes) -> bool:
    try:
        found = len(_HAN.findall(line.decode("utf-8")))
    except UnicodeDecodeError:
        return False
    if not found or found >= _CLEARLY:
        return found > 0
    try:
        # UTF-8 taken for GB18030 is full of characters that GB 2312 does not have.
        line.decode("gb18030").encode("gb2312")
    except UnicodeError:
        return True
    return False


def text_encoding(path: Path) -> str:
    """`utf-8`, `utf-8-sig` (with a byte order mark) or `gb18030`. Raises `FileRefused` with the place."""
    with path.open("rb") as file:
        begins = file.read(4)
        if begins.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise FileRefused("file.utf16")
        marked = begins.startswith(codecs.BOM_UTF8)
        try:
            _check(file, "utf-8")
        except _Undecodable as error:
            utf8 = error
        else:
            return "utf-8-sig" if marked else "utf-8"
        params = {"offset": str(utf8.offset), "line": str(utf8.line)}
        if marked:
            raise FileRefused("file.encoding_mixed", **params)
        try:
            _check(file, "gb18030")
            broken = None
        except _Undecodable as error:
            broken = error
        mixed = _utf8_line(file)
        if mixed is not None:
            # The place where the file turns: whichever of the two encodings came second.
            offset, line = max(mixed, (utf8.offset, utf8.line))
            raise FileRefused("file.encoding_mixed", offset=str(offset), line=str(line))
        if broken is not None:
            raise FileRefused("file.encoding_unknown", **params, gb_offset=str(broken.offset), gb_line=str(broken.line))
        return "gb18030"


def check_utf8(path: Path) -> str:
    """`utf-8` or `utf-8-sig`. Raises `FileRefused` with the place."""
    with path.open("rb") as file:
        marked = file.read(3) == codecs.BOM_UTF8
        try:
            _check(file, "utf-8")
        except _Undecodable as error:
            raise FileRefused("file.encoding_not_utf8", offset=str(error.offset), line=str(error.line)) from None
    return "utf-8-sig" if marked else "utf-8"
