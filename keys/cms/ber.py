"""BER (X.690 §8) as streaming signers write it, rewritten with definite, shortest lengths and strings in one piece.

What DER asks beyond that (the order of a SET OF, the bits of a BOOLEAN) is left as it stands. One pass, in time and
memory that grow with the input alone.
"""

from msgspec import Struct

from keys import der
from keys.errors import MalformedError
from keys.revocation.names import wrapped

MAX_ELEMENTS = 100_000
"""Values of one message: at a thousand bytes a piece, as some signers write, 100 MB of content."""

_INDEFINITE = 0x80
_LENGTH_BYTES = 8
_CONSTRUCTED = 0x20
_PIECES = der.OCTET_STRING | _CONSTRUCTED
_SEQUENCE, _SET = der.SEQUENCE & 0x1F, der.SET & 0x1F


class _Opened(Struct, kw_only=True, gc=False):
    """A constructed value that has begun: where it must have ended, and what of it was written, in bytes."""

    tag: int
    limit: int
    definite: bool
    place: int
    size: int = 0


def definite(data: bytes) -> bytes:
    """Rewrites one value, with nothing after it. What is DER already comes back as it is.

    Raises MalformedError "der.malformed" with the offset of the fault, and "cms.too_large" for too many values.
    """
    return _Rewriter(data).rewritten()


class _Rewriter:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.opened: list[_Opened] = []
        # The header of a constructed value is filled in when its end, and so its length, is known.
        self.written: list[bytes] = []

    def rewritten(self) -> bytes:
        """Goes through the data from value to value."""
        for _ in range(MAX_ELEMENTS):
            self._value()
            while self.opened and self._ended():
                self._close()
            if not self.opened:
                if self.at != len(self.data):
                    raise _malformed(self.at, f"{len(self.data) - self.at} bytes follow the end of the value")
                return b"".join(self.written)
        raise MalformedError("cms.too_large", f"more than {MAX_ELEMENTS} values of ASN.1")

    def _value(self) -> None:
        """Reads a header, and the contents of a primitive value."""
        start = self.at
        tag, length = self._header()
        inside_pieces = bool(self.opened) and self.opened[-1].tag == _PIECES
        if inside_pieces and tag not in (der.OCTET_STRING, _PIECES):
            raise _malformed(start, f"tag 0x{tag:02x} as a piece of an OCTET STRING")
        limit = self.opened[-1].limit if self.opened else len(self.data)
        if length is not None and self.at + length > limit:
            raise _malformed(start, f"{length} bytes are announced, {limit - self.at} are there")
        if tag & _CONSTRUCTED:
            if len(self.opened) >= der.MAX_DEPTH:
                raise _malformed(start, f"values are nested more than {der.MAX_DEPTH} deep")
            end = limit if length is None else self.at + length
            self.opened.append(_Opened(tag=tag, limit=end, definite=length is not None, place=len(self.written)))
            self.written.append(b"")
        elif length is None:
            raise _malformed(start, "a primitive value of indefinite length")
        else:
            contents = self.data[self.at : self.at + length]
            self.at += length
            self._write(contents if inside_pieces else wrapped(tag, contents))

    def _header(self) -> tuple[int, int | None]:
        """Reads tag and length; None: indefinite. What comes after is not yet known to be there."""
        start, limit = self.at, self.opened[-1].limit if self.opened else len(self.data)
        if start + 2 > limit:
            raise _malformed(start, "the data ends inside a header")
        tag, first = self.data[start], self.data[start + 1]
        if not _known(tag):
            raise _malformed(start, f"tag 0x{tag:02x} is not one that belongs here")
        self.at += 2
        if first < _INDEFINITE:
            return tag, first
        if first == _INDEFINITE:
            return tag, None
        size = first & 0x7F
        if size > _LENGTH_BYTES or self.at + size > limit:
            raise _malformed(start, f"a length of {size} bytes, of at most {_LENGTH_BYTES}, or cut off")
        self.at += size
        return tag, int.from_bytes(self.data[self.at - size : self.at], "big")

    def _ended(self) -> bool:
        """Whether the innermost value ends here; steps over the mark that says so."""
        last = self.opened[-1]
        if last.definite:
            return self.at == last.limit
        if not self.data.startswith(b"\0\0", self.at) or self.at + 2 > last.limit:
            return False
        self.at += 2
        return True

    def _close(self) -> None:
        last = self.opened.pop()
        if last.tag != _PIECES:
            header = _header_of(last.tag, last.size)
        elif self.opened and self.opened[-1].tag == _PIECES:
            header = b""
        else:
            header = _header_of(der.OCTET_STRING, last.size)
        self.written[last.place] = header
        if self.opened:
            self.opened[-1].size += len(header) + last.size

    def _write(self, piece: bytes) -> None:
        self.written.append(piece)
        if self.opened:
            self.opened[-1].size += len(piece)


def _known(tag: int) -> bool:
    """Whether a tag can stand in a message: as in DER, but an OCTET STRING may be in pieces."""
    number, constructed = tag & 0x1F, bool(tag & _CONSTRUCTED)
    if number == 0x1F or tag & 0xC0:
        return number != 0x1F
    return tag == _PIECES or (number != 0 and constructed == (number in (_SEQUENCE, _SET)))


def _header_of(tag: int, size: int) -> bytes:
    if size < 0x80:
        return bytes((tag, size))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length


def _malformed(at: int, what: str) -> MalformedError:
    return MalformedError("der.malformed", f"{what} (at byte {at})")
