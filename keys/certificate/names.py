"""Names (RFC 5280 §4.1.2.4) as they are met: text in any of five encodings, and text that is safe to show."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache

from msgspec import Struct

from keys import der
from keys.der import Element
from keys.errors import MalformedError

MASK = "******"

_UTF8, _NUMERIC, _PRINTABLE, _T61, _IA5 = 0x0C, 0x12, 0x13, 0x14, 0x16
_VISIBLE, _GENERAL, _UNIVERSAL, _BMP = 0x1A, 0x1B, 0x1C, 0x1E

_ONE_BYTE = frozenset({_NUMERIC, _PRINTABLE, _T61, _IA5, _VISIBLE, _GENERAL})
TEXT_TAGS = _ONE_BYTE | {_UTF8, _UNIVERSAL, _BMP}

_PRINTABLE_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?"  # X.680 §41.4

COMMON_NAME, SERIAL_NUMBER, ORGANISATION, ORGANISATION_IDENTIFIER = "2.5.4.3", "2.5.4.5", "2.5.4.10", "2.5.4.97"

_SHORT = {
    COMMON_NAME: "CN",
    "2.5.4.4": "SN",
    SERIAL_NUMBER: "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    ORGANISATION: "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "2.5.4.46": "dnQualifier",
    ORGANISATION_IDENTIFIER: "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}

_SHOWN = 256  # characters of one attribute; X.520 allows 64 in most
_ATTRIBUTES = 32  # of a name that is shown
_MASKED = 256  # characters of the longest text that is masked
_CACHED = 1024  # bytes of a name that is remembered
_SPECIAL = re.compile(r'[,+"\\<>;]')  # RFC 4514 §2.4

# What people put between the digits of a number, and what stands for a character that cannot be shown.
_BETWEEN = r"[\s\-‐-―._/·\ufffd]{0,2}"
# A day of 1900 to 2099 in the middle, digit by digit.
_DAY = ("(?:1{0}9|2{0}0)", "[0-9]", "[0-9]", "(?:0{0}[1-9]|1{0}[0-2])", "(?:0{0}[1-9]|[12]{0}[0-9]|3{0}[01])")
_ID_PARTS = ("[0-9]",) * 6 + tuple(part.format(_BETWEEN) for part in _DAY) + ("[0-9]",) * 3 + ("[0-9X]",)
# Overlapping on purpose: a number can start at any digit of a longer run.
_RESIDENT_ID = re.compile(rf"(?=({_BETWEEN.join(_ID_PARTS)}))")
_ID_LENGTH = 18
_ID_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(_ID_LENGTH))  # GB 11643-1999, ISO/IEC 7064 MOD 11-2
_NOT_OF_ID = re.compile(r"[^0-9X]")


class Attribute(Struct, frozen=True, gc=False):
    """One attribute of a name: its type, its value as it stands, and the text that was read from it.

    `joined` is true where it shares a relative distinguished name with the attribute before it. The text may be a
    person's and may hold anything: show it only by `name_text` or `shown`.
    """

    oid: str
    tag: int
    value: bytes
    text: str
    joined: bool

    def __repr__(self) -> str:
        return f"Attribute(oid={self.oid!r}, tag=0x{self.tag:02x}, {len(self.value)} bytes)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # msgspec's own would show every field.
        return [("oid", self.oid)]


def read_name(name: Element) -> tuple[tuple[Attribute, ...], tuple[str, ...]]:
    """Reads a Name: its attributes in the order they stand in, and the oddities met.

    Raises MalformedError "der.malformed".
    """
    attributes: list[Attribute] = []
    oddities: list[str] = []
    for relative in der.sequence(name):
        joined = False
        for oid, tag, value in _single(relative) or _several(relative):
            text, oddity = read_text(tag, value)
            if oddity is not None:
                oddities.append(oddity)
            if not text.isprintable():
                oddities.append("name.hidden_characters")
            attributes.append(Attribute(oid, tag, value, text, joined))
            joined = True
        if not joined:
            raise MalformedError("der.malformed", f"a part of a name is empty (at byte {relative.start})")
    return tuple(attributes), tuple(oddities)


def _several(relative: Element) -> Iterator[tuple[str, int, bytes]]:
    """Reads a RelativeDistinguishedName: type, tag and value of each attribute."""
    for pair in der.set_of(relative):
        parts = der.sequence(pair)
        if len(parts) != 2:
            raise MalformedError("der.malformed", f"an attribute has 2 parts, not {len(parts)} (at {pair.start})")
        yield der.oid(parts[0]), parts[1].tag, parts[1].value


def _single(relative: Element) -> tuple[tuple[str, int, bytes]] | None:
    """Reads what nearly all are, one attribute of short lengths, in one step; None for all else, well formed or not."""
    data, at, end = relative.data, relative.content, relative.end
    size = end - at - 2
    if relative.tag != der.SET or not 4 <= size < 0x80 or data[at] != der.SEQUENCE or data[at + 1] != size:
        return None
    value = at + 4 + data[at + 3]
    if data[at + 2] != der.OID or value + 2 > end or data[value] not in TEXT_TAGS or data[value + 1] != end - value - 2:
        return None
    oid = der.dotted(data[at + 4 : value])
    return None if oid is None else ((oid, data[value], data[value + 2 : end]),)


def read_issuer(name: Element) -> tuple[tuple[Attribute, ...], tuple[str, ...]]:
    """Reads a Name that many certificates share. Subjects are never remembered, as they may be persons.

    Raises MalformedError "der.malformed"; its offset is then that within the name, if the name is short.
    """
    return _remembered(name.raw) if name.end - name.start <= _CACHED else read_name(name)


@lru_cache(maxsize=512)
def _remembered(raw: bytes) -> tuple[tuple[Attribute, ...], tuple[str, ...]]:
    return read_name(der.parse(raw))


def read_text(tag: int, value: bytes) -> tuple[str, str | None]:
    """Reads the contents of a string, whatever its maker thought its type allows; the oddity, if there is one.

    UTF-8 and GB18030 bytes are looked for in every type of one-byte characters. Never raises.
    """
    if tag == _UTF8:
        try:
            return value.decode("utf-8"), None
        except UnicodeDecodeError:
            return guessed_text(value), "name.not_utf8"
    if tag in _ONE_BYTE:
        if value.isascii():
            usual = tag != _PRINTABLE or not value.translate(None, _PRINTABLE_CHARACTERS)
            return value.decode("ascii"), None if usual else "name.not_printable_string"
        return guessed_text(value), "name.not_ascii"
    if tag in (_BMP, _UNIVERSAL):
        codec = "utf-16-be" if tag == _BMP else "utf-32-be"
        try:
            return value.decode(codec), None
        except UnicodeDecodeError:
            return value.decode(codec, "replace"), "name.wide_string_malformed"
    return "#" + value[:_SHOWN].hex(), "name.not_text"


def guessed_text(value: bytes) -> str:
    """Reads bytes of unsaid encoding; never raises. UTF-8 first: text in GB18030 hardly ever is UTF-8 by accident."""
    for codec in ("utf-8", "gb18030"):
        try:
            return value.decode(codec)
        except UnicodeDecodeError:
            continue
    return value.decode("utf-8", "replace")


def name_text(attributes: Sequence[Attribute], hidden: Iterable[str] = ()) -> str:
    """Writes a name for people: types and values in the order of the certificate, specials escaped as in RFC 4514.

    Masked like `shown`, and as bounded: of more than 32 attributes the first.
    """
    hidden = tuple(hidden)
    pieces: list[str] = []
    for attribute in attributes[:_ATTRIBUTES]:
        text = _SPECIAL.sub(r"\\\g<0>", shown(attribute.text, hidden))
        between = "" if not pieces else " + " if attribute.joined else ", "
        pieces.append(f"{between}{_SHORT.get(attribute.oid, attribute.oid)}={text}")
    if len(attributes) > _ATTRIBUTES:
        pieces.append(", …")
    return "".join(pieces)


def last(attributes: Iterable[Attribute], oid: str) -> str | None:
    """Gives the text of the last attribute of a type, the most specific one; not masked."""
    found = None
    for attribute in attributes:
        if attribute.oid == oid:
            found = attribute.text
    return found


def shown(text: str, hidden: Sequence[str] = ()) -> str:
    """Gives text that is safe to show: one line without control, format or bidirectional characters, of bounded length.

    Every resident ID number in it, and every text of `hidden`, is replaced by `MASK`.
    """
    if len(text) < _ID_LENGTH and not hidden and text.isprintable():
        return text
    window = text[: _SHOWN + _MASKED]
    if not window.isprintable():
        window = "".join(map(_visible, window))
    spans = list(_id_spans(window))
    for secret in hidden:
        spans += [(match.start(), match.end()) for match in re.finditer(re.escape(secret), window)]
    # Cut by places in the original: a number at the edge is masked whole, though only its beginning would be shown.
    pieces: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if done <= start < _SHOWN:
            pieces += (window[done:start], MASK)
        done = max(done, end)
    pieces.append(window[done:_SHOWN])
    if len(text) > _SHOWN:
        pieces.append("…")
    return "".join(pieces)


def holds_resident_id(text: str) -> bool:
    """Whether a text holds something that looks like a resident ID number.

    That is 18 characters with the check character of GB 11643 and a day of 1900 to 2099 as birth date, also in
    full-width digits, and with spaces or dashes between them.
    """
    return len(text) >= _ID_LENGTH and any(True for _ in _id_spans(text))


def _id_spans(text: str) -> Iterator[tuple[int, int]]:
    if len(text) < _ID_LENGTH or (len(text) == _ID_LENGTH and not text[:-1].isdecimal()):
        return
    for match in _RESIDENT_ID.finditer(text.upper() if text.isascii() else "".join(map(_plain, text))):
        if _is_resident_id(_NOT_OF_ID.sub("", match[1])):
            yield match.span(1)


def _plain(character: str) -> str:
    """Gives the ASCII form of a digit of any script and of an X; one character for one, so that places stay."""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return "X" if character in "xＸｘⅩⅹ" else character


def _is_resident_id(number: str) -> bool:
    values = [10 if character == "X" else int(character) for character in number]
    if sum(value * weight for value, weight in zip(values, _ID_WEIGHTS, strict=True)) % 11 != 1:
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return True


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else "\ufffd"
