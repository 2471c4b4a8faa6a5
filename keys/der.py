"""A strict reader of DER (X.690 §8 to §11): one encoding for each value, definite minimal lengths, nothing left over.

Every refusal is MalformedError "der.malformed" with the offset of the fault. Reading copies nothing until a value is
asked for. The caller bounds the length of the input; the depth is bounded here.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from keys.errors import MalformedError

MAX_DEPTH = 32

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
ENUMERATED, SEQUENCE, SET, UTC_TIME, GENERALIZED_TIME = 0x0A, 0x30, 0x31, 0x17, 0x18

_NAMES = {
    BOOLEAN: "BOOLEAN",
    INTEGER: "INTEGER",
    BIT_STRING: "BIT STRING",
    OCTET_STRING: "OCTET STRING",
    NULL: "NULL",
    OID: "OBJECT IDENTIFIER",
    ENUMERATED: "ENUMERATED",
    SEQUENCE: "SEQUENCE",
    SET: "SET",
    UTC_TIME: "UTCTime",
    GENERALIZED_TIME: "GeneralizedTime",
}

_OID_BYTES = 128  # of one object identifier: arcs of 128 bits (X.667) take 19 each


def _taken(tag: int) -> bool:
    """Whether an identifier byte can start a value here.

    Refused: tag numbers above 30 (X.509 has none), the end-of-contents mark, a SEQUENCE or SET that is not
    constructed, and any other universal type that is (X.690 §10.2).
    """
    number, constructed = tag & 0x1F, bool(tag & 0x20)
    if number == 0x1F:
        return False
    if tag & 0xC0:
        return True
    return number != 0 and constructed == (number in (0x10, 0x11))


_TAKEN = tuple(_taken(tag) for tag in range(256))


class Element(Struct, frozen=True, gc=False):
    """One value where it stands: a view, no copy. `start`, `content` and `end` are offsets into `data`.

    `tag` is the whole identifier byte, so [0] constructed is 0xA0. `depth` is that of the constructed values around it.
    """

    data: bytes
    tag: int
    start: int
    content: int
    end: int
    depth: int = 0

    @property
    def value(self) -> bytes:
        """The contents."""
        return self.data[self.content : self.end]

    @property
    def raw(self) -> bytes:
        """Header and contents."""
        return self.data[self.start : self.end]

    def __repr__(self) -> str:
        return f"Element(tag=0x{self.tag:02x}, start={self.start}, content={self.content}, end={self.end})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # msgspec's own would show the data.
        return [("tag", self.tag), ("start", self.start), ("content", self.content), ("end", self.end)]


def header(data: bytes, start: int, limit: int) -> tuple[int, int, int]:
    """Reads one header: the tag, where the contents start and where they end, at or before `limit`.

    This is `parse` and `members` for callers that walk millions of values. Raises MalformedError "der.malformed".
    """
    content = start + 2
    if content > limit:
        raise _malformed(start, "the data ends inside a header")
    tag = data[start]
    if not _TAKEN[tag]:
        raise _malformed(start, f"tag 0x{tag:02x} is not one that DER allows here")
    length = data[start + 1]
    if length == 0x82 and start + 4 <= limit and data[start + 2]:
        # The usual length of what holds a whole certificate.
        content, length = start + 4, data[start + 2] << 8 | data[start + 3]
    elif length >= 0x80:
        content, length = _long_length(data, start, limit)
    end = content + length
    if end > limit:
        raise _malformed(start, f"{length} bytes are announced, {limit - content} are there")
    return tag, content, end


def _long_length(data: bytes, start: int, limit: int) -> tuple[int, int]:
    """Reads a length of more than one byte: where the contents start, and how long they are."""
    size = data[start + 1] & 0x7F
    if not 1 <= size <= 4:
        raise _malformed(
            start, "the length is indefinite" if size == 0 else f"a length takes {size} bytes, of at most 4"
        )
    content = start + 2 + size
    if content > limit:
        raise _malformed(start, "the data ends inside a header")
    length = int.from_bytes(data[start + 2 : content], "big")
    if length < 0x80 or length >> (8 * size - 8) == 0:
        raise _malformed(start, "the length is not in its shortest form")
    return content, length


def parse(data: bytes) -> Element:
    """Reads exactly one value with nothing after it. Its contents are looked at when they are asked for."""
    tag, content, end = header(data, 0, len(data))
    if end != len(data):
        raise _malformed(end, f"{len(data) - end} bytes follow the end of the value")
    return Element(data, tag, 0, content, end)


def members(element: Element) -> tuple[Element, ...]:
    """Gives the values inside a constructed one, which they fill exactly."""
    if not element.tag & 0x20:
        raise _malformed(element.start, f"tag 0x{element.tag:02x} is primitive, it holds no values")
    depth = element.depth + 1
    if depth > MAX_DEPTH:
        raise _malformed(element.start, f"values are nested more than {MAX_DEPTH} deep")
    data, start, limit = element.data, element.content, element.end
    found: list[Element] = []
    while start < limit:
        # The short form is read here, as a call costs as much as everything else: most values are short.
        content = start + 2
        if (
            content <= limit
            and (length := data[start + 1]) < 0x80
            and content + length <= limit
            and _TAKEN[data[start]]
        ):
            tag, end = data[start], content + length
        else:
            tag, content, end = header(data, start, limit)
        found.append(Element(data, tag, start, content, end, depth))
        start = end
    return tuple(found)


def inside(element: Element) -> Element:
    """Reads the one value that another one holds: as an extension's OCTET STRING does, and [n] EXPLICIT.

    Offsets stay those of the whole data, and the depth goes on.
    """
    depth = element.depth + 1
    if depth > MAX_DEPTH:
        raise _malformed(element.start, f"values are nested more than {MAX_DEPTH} deep")
    tag, content, end = header(element.data, element.content, element.end)
    if end != element.end:
        raise _malformed(end, f"{element.end - end} bytes follow the end of the value")
    return Element(element.data, tag, element.content, content, end, depth)


def sequence(element: Element) -> tuple[Element, ...]:
    """Gives the members of a SEQUENCE."""
    if element.tag != SEQUENCE:
        _expect(element, SEQUENCE)
    return members(element)


def set_of(element: Element) -> tuple[Element, ...]:
    """Gives the members of a SET OF, in the order they stand in, which is not judged."""
    _expect(element, SET)
    return members(element)


def retagged(element: Element, tag: int) -> Element:
    """Gives the value under the tag that [n] IMPLICIT hides, so that the readers of this module take it."""
    return Element(element.data, tag, element.start, element.content, element.end, element.depth)


def integer(element: Element) -> int:
    """Reads an INTEGER: two's complement in the fewest bytes (X.690 §8.3)."""
    _expect(element, INTEGER)
    data, content, end = element.data, element.content, element.end
    if content == end:
        raise _malformed(element.start, "an INTEGER without contents")
    # X.690 §8.3.2: the first nine bits are neither all zeros nor all ones.
    if end - content > 1 and (data[content], data[content + 1] >> 7) in ((0x00, 0), (0xFF, 1)):
        raise _malformed(element.start, "an INTEGER in more bytes than it needs")
    return int.from_bytes(data[content:end], "big", signed=True)


def boolean(element: Element) -> bool:
    """Reads a BOOLEAN: 00 or FF (X.690 §11.1)."""
    _expect(element, BOOLEAN)
    value = element.value
    if value not in (b"\x00", b"\xff"):
        raise _malformed(element.start, "a BOOLEAN is one byte, 00 or FF")
    return value == b"\xff"


def null(element: Element) -> None:
    """Reads a NULL, which has no contents."""
    _expect(element, NULL)
    if element.content != element.end:
        raise _malformed(element.start, "a NULL with contents")


def octet_string(element: Element) -> bytes:
    """Reads an OCTET STRING."""
    _expect(element, OCTET_STRING)
    return element.value


def bits(element: Element) -> tuple[bytes, int]:
    """Reads a BIT STRING: its bytes, and how many bits of the last one are not used (these are zero, X.690 §11.2.1)."""
    _expect(element, BIT_STRING)
    value = element.value
    if not value:
        raise _malformed(element.start, "a BIT STRING without contents")
    unused = value[0]
    if unused > 7 or (unused and len(value) == 1):
        raise _malformed(element.start, f"a BIT STRING of {len(value) - 1} bytes with {unused} unused bits")
    if unused and value[-1] & ((1 << unused) - 1):
        raise _malformed(element.start, "the unused bits of a BIT STRING are not zero")
    return value[1:], unused


def bit_string(element: Element) -> bytes:
    """Reads a BIT STRING of whole bytes, as keys and signatures are."""
    value, unused = bits(element)
    if unused:
        raise _malformed(element.start, "a BIT STRING here has whole bytes")
    return value


def named_bits(element: Element) -> frozenset[int]:
    """Reads the numbers of the bits that are set; bit 0 is the first.

    Trailing zero bits (X.690 §11.2.2 has none) are passed over, as they change nothing and many write them.
    """
    value, _ = bits(element)
    return _remembered_numbers(value) if len(value) <= 4 else _numbers(value)


def _numbers(value: bytes) -> frozenset[int]:
    return frozenset(
        8 * index + bit for index, byte in enumerate(value) if byte for bit in range(8) if byte & (0x80 >> bit)
    )


_remembered_numbers = lru_cache(maxsize=512)(_numbers)  # most certificates have one of few usages


def oid(element: Element) -> str:
    """Reads an OBJECT IDENTIFIER, in dotted form."""
    if element.tag != OID:
        _expect(element, OID)
    value = element.data[element.content : element.end]
    text = dotted(value) if len(value) <= _OID_BYTES else None
    if text is None:
        raise _malformed(element.start, "an OBJECT IDENTIFIER that is empty, cut off, padded or too long")
    return text


@lru_cache(maxsize=1024)
def dotted(value: bytes) -> str | None:
    """Writes an object identifier (X.690 §8.19), None when it is not one. Cached, as the same few are everywhere."""
    if not value or value[-1] & 0x80:
        return None
    arcs: list[int] = []
    arc, fresh = 0, True
    for byte in value:
        if fresh and byte == 0x80:
            return None
        arc, fresh = arc << 7 | byte & 0x7F, not byte & 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


_UTC_TIME = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?()(Z|[+-]\d{4})")
_ZULU = ord("Z")
_GENERALIZED_TIME = re.compile(
    rb"(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:(\d\d)(?:[.,](\d{1,32}))?)?)?(Z|[+-]\d\d(?:\d\d)?)"
)


def time(element: Element) -> datetime:
    """Reads a UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 has them: to the second, with Z. An instant in UTC."""
    instant, usual = any_time(element)
    if not usual:
        raise _malformed(element.start, "a time is written to the second and ends in Z")
    return instant


def any_time(element: Element) -> tuple[datetime, bool]:
    """Reads a UTCTime or GeneralizedTime in any of the forms met that name one instant.

    Gives the instant in UTC, and whether it is written as RFC 5280 §4.1.2.5 has it. Without seconds or minutes these
    are 0; fractions beyond microseconds are cut off; two digits of a year are 1950 to 2049. Refused: no time zone, as
    nobody can say which instant that is; a date that does not exist; anything outside the years 1 to 9999.
    """
    value = element.data[element.content : element.end]
    if element.tag not in (UTC_TIME, GENERALIZED_TIME):
        raise _malformed(element.start, f"tag 0x{element.tag:02x} where a time belongs")
    digits = 2 if element.tag == UTC_TIME else 4  # of the year
    usual = len(value) == digits + 11 and value[-1] == _ZULU and value[:-1].isdigit()
    try:
        return (_usual_time(value, digits) if usual else _odd_time(element)), usual
    except (ValueError, OverflowError):
        # 30 February, second 60, year 0, or an offset that leads outside the years 1 to 9999.
        raise _malformed(element.start, "a time that does not exist") from None


def _usual_time(value: bytes, digits: int) -> datetime:
    if value[digits + 4 : digits + 6] == b"24":
        raise ValueError  # ISO 8601 has an end of day, X.680 has not
    text = value.decode("ascii")
    century = "" if digits == 4 else "19" if text[0] >= "5" else "20"  # RFC 5280 §4.1.2.5.1
    return datetime.fromisoformat(f"{century}{text[: digits + 4]}T{text[digits + 4 :]}")


def _odd_time(element: Element) -> datetime:
    form = _UTC_TIME if element.tag == UTC_TIME else _GENERALIZED_TIME
    match = form.fullmatch(element.value)
    if match is None:
        raise _malformed(element.start, "not a time, or one that names no time zone")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micros = int(fraction[:6].ljust(6, b"0")) if fraction else 0
    parts = (int(month), int(day), int(hour), int(minute or 0), int(second or 0), micros)
    instant = datetime(_year(year), *parts, tzinfo=UTC)
    return instant if zone == b"Z" else instant - _offset(zone)


def _year(digits: bytes) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (1900 if year >= 50 else 2000)  # RFC 5280 §4.1.2.5.1


def _offset(zone: bytes) -> timedelta:
    """Reads +hhmm, -hhmm, +hh or -hh. Raises ValueError for minutes above 59 or a day and more."""
    hours, minutes = int(zone[1:3]), int(zone[3:] or 0)
    if hours > 23 or minutes > 59:
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[:1] == b"-" else offset


def _expect(element: Element, tag: int) -> None:
    if element.tag != tag:
        raise _malformed(element.start, f"tag 0x{element.tag:02x} where {_NAMES[tag]} belongs")


def _malformed(at: int, what: str) -> MalformedError:
    return MalformedError("der.malformed", f"{what} (at byte {at})")
