"""Where the holder's unified social credit code may stand in a certificate, and whose number is a person's.

No standard settles the place: each CA has its own. The candidates are collected here; the registry, which knows the
check digit, accepts the one that passes.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from msgspec import Struct

from keys import der
from keys.certificate import names
from keys.certificate.extensions import Extension
from keys.certificate.names import Attribute
from keys.der import Element
from keys.errors import MalformedError

_ID_CARD = "1.2.156.10260.4.1.1"
_CARD_SOURCE = f"extension.{_ID_CARD}"

_ORGANISATION_CODE = "1.2.156.10260.4.1.4"
_OTHER_EXTENSIONS = (
    "1.2.156.10260.4.1.3",  # business registration
    "1.2.156.10260.4.1.5",  # tax
    "1.2.86.11.7.4",  # the RSA generation
    "1.2.86.21.1.4",  # EastCA
    "1.2.156.1.8888.148",  # Shanghai CA
    _ID_CARD,
)

_TEXT = 256  # characters of a candidate; longer texts are no number
_VALUE = 4 * _TEXT  # bytes of an extension that is looked into
_SECRET = 4  # characters of the shortest text that is masked
_PARTS = 16  # texts that are looked at in one place
_DIGITS = 6  # of a number in a common name: a unified social credit code has those of its area


class Candidate(Struct, frozen=True, kw_only=True, gc=False):
    """A text that may be the holder's number, and the place it was found in.

    `personal` is true for what looks like a resident ID number, and for everything in the ID card's extension: it is
    never displayed, logged or stored in clear. The text is left out of `repr`.
    """

    source: str
    text: str
    personal: bool

    def __repr__(self) -> str:
        return f"Candidate(source={self.source!r}, personal={self.personal})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # msgspec's own would show the text.
        return [("source", self.source), ("personal", self.personal)]


def candidates(attributes: Sequence[Attribute], extensions: Mapping[str, Extension]) -> tuple[Candidate, ...]:
    """Collects the candidates of a subject and its extensions, the most telling first, each text once per place."""
    # A number in the ID card's extension, a passport's for one, is as personal where it is repeated.
    cards = card_texts(extensions)
    found: dict[tuple[str, str], Candidate] = {}
    for source, raw in _places(attributes, extensions):
        text = _trimmed(raw)
        if text is not None and (source, text) not in found:
            personal = source == _CARD_SOURCE or names.holds_resident_id(text) or any(card in text for card in cards)
            found[source, text] = Candidate(source=source, text=text, personal=personal)
    return tuple(found.values())


def card_texts(extensions: Mapping[str, Extension]) -> tuple[str, ...]:
    """Gives the texts of the ID card's extension, which nothing shown to people may hold, whatever their form.

    Fewer than four characters tell of nobody and are left out.
    """
    if _ID_CARD not in extensions:
        return ()
    trimmed = (_trimmed(text) for _, text in _extension(extensions, _ID_CARD))
    return tuple(text for text in trimmed if text is not None and len(text) >= _SECRET)


def _trimmed(raw: str) -> str | None:
    """Takes off what pads a text; None for what is no number at all."""
    text = raw.strip("\0 \t\r\n\u3000")
    return text if text and len(text) <= _TEXT and text.isprintable() else None


def _places(attributes: Sequence[Attribute], extensions: Mapping[str, Extension]) -> Iterator[tuple[str, str]]:
    if _ORGANISATION_CODE in extensions:
        yield from _extension(extensions, _ORGANISATION_CODE)
    of_type: dict[str, list[str]] = {}
    for attribute in attributes:
        of_type.setdefault(attribute.oid, []).append(attribute.text)
    for text in of_type.get(names.SERIAL_NUMBER, ())[:_PARTS]:
        yield "subject.serialNumber", text
    for text in of_type.get(names.ORGANISATION_IDENTIFIER, ())[:_PARTS]:
        yield "subject.organizationIdentifier", text
        scheme, dash, number = text.partition("-")
        if dash and len(scheme) == 5 and scheme.isascii() and scheme.isalpha():
            yield "subject.organizationIdentifier", number  # ETSI EN 319 412-1 §5.1.4: scheme, country, dash, number
    for oid in _OTHER_EXTENSIONS:
        if oid in extensions:
            yield from _extension(extensions, oid)
    for text in of_type.get(names.COMMON_NAME, ())[:_PARTS]:
        for part in text.split("@", _PARTS)[:_PARTS]:
            if _may_be_number(part):
                yield "subject.commonName", part


def _may_be_number(text: str) -> bool:
    """Keeps people's names out: it takes digits, full-width ones too."""
    return len(text) <= _TEXT and sum(map(str.isdecimal, text)) >= _DIGITS


def _extension(extensions: Mapping[str, Extension], oid: str) -> Iterator[tuple[str, str]]:
    value = extensions[oid].value
    if len(value) <= _VALUE:
        for text in _texts(value):
            yield f"extension.{oid}", text


def _texts(value: bytes) -> list[str]:
    """Reads a DER string, strings in an OCTET STRING, a SET or a tag around them, or else the bare bytes as text."""
    try:
        return list(islice(_strings(der.parse(value)), _PARTS))
    except MalformedError:
        return [names.guessed_text(value)]


def _strings(element: Element) -> Iterator[str]:
    if element.tag in names.TEXT_TAGS:
        yield names.read_text(element.tag, element.value)[0]
    elif element.tag & 0x20:
        for member in der.members(element):
            yield from _strings(member)
    elif element.tag == der.OCTET_STRING:
        try:
            inner = der.inside(element)
        except MalformedError:
            yield names.guessed_text(element.value)
        else:
            yield from _strings(inner)
    elif element.tag & 0x80:
        yield names.guessed_text(element.value)  # GM/T 0015 has [n] IMPLICIT strings in a SET
