"""Writes the DER (X.690) of names, extensions and signed structures: as much as certificates and CRLs take."""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from textwrap import wrap

KEY_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
)
"""In the order of their bits (RFC 5280 4.2.1.3)."""

COUNTRY, ORGANISATION, UNIT, COMMON_NAME, SERIAL_NUMBER = "2.5.4.6", "2.5.4.10", "2.5.4.11", "2.5.4.3", "2.5.4.5"

SUBJECT_KEY_ID, KEY_USAGE, BASIC_CONSTRAINTS = "2.5.29.14", "2.5.29.15", "2.5.29.19"
EXTENDED_KEY_USAGE = "2.5.29.37"
CRL_NUMBER, REASON_CODE, DISTRIBUTION_POINTS, AUTHORITY_KEY_ID = "2.5.29.20", "2.5.29.21", "2.5.29.31", "2.5.29.35"

_LAST_UTC_TIME = 2049  # RFC 5280 4.1.2.5


def tlv(tag: int, content: bytes) -> bytes:
    """One value: its tag, its length in the shortest form, its content."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*members: bytes) -> bytes:
    """SEQUENCE; members that are empty are left out by being empty."""
    return tlv(0x30, b"".join(members))


def explicit(number: int, content: bytes) -> bytes:
    """[number] around a value."""
    return tlv(0xA0 | number, content)


def integer(value: int) -> bytes:
    """INTEGER."""
    # Of a negative one the sign bit is in its last byte where ~value still fits beside it: -128 is one byte.
    bits = (value if value >= 0 else ~value).bit_length()
    return tlv(0x02, value.to_bytes(bits // 8 + 1, "big", signed=True))


def enumerated(value: int) -> bytes:
    """ENUMERATED."""
    return tlv(0x0A, bytes((value,)))


def boolean(value: bool) -> bytes:
    """BOOLEAN."""
    return tlv(0x01, b"\xff" if value else b"\0")


def bit_string(content: bytes, unused: int = 0) -> bytes:
    """BIT STRING of whole bytes, the last with so many unused bits."""
    return tlv(0x03, bytes((unused,)) + content)


def octet_string(content: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(0x04, content)


def null() -> bytes:
    """NULL."""
    return tlv(0x05, b"")


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    return tlv(0x06, b"".join(map(_arc, (40 * first + second, *rest))))


def _arc(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.append(number & 0x7F | 0x80)
    return bytes(reversed(octets))


def printable(text: str) -> bytes:
    """PrintableString."""
    return tlv(0x13, text.encode("ascii"))


def time(instant: datetime) -> bytes:
    """UTCTime until 2049, GeneralizedTime after it, to the second."""
    text = instant.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode("ascii")
    return tlv(0x17, text[2:]) if instant.astimezone(UTC).year <= _LAST_UTC_TIME else tlv(0x18, text)


def name(attributes: Iterable[tuple[str, str]]) -> bytes:
    """A Name of one attribute a step; country and serial number as PrintableString (X.520), the rest as UTF8String."""
    steps = []
    for kind, text in attributes:
        value = printable(text) if kind in (COUNTRY, SERIAL_NUMBER) else tlv(0x0C, text.encode("utf-8"))
        steps.append(tlv(0x31, sequence(oid(kind), value)))
    return sequence(*steps)


def extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    """One extension around the DER of its value."""
    return sequence(oid(kind), boolean(True) if critical else b"", octet_string(value))


def key_usage(usages: Iterable[str]) -> bytes:
    """The keyUsage extension, critical."""
    bits = sorted(KEY_USAGES.index(usage) for usage in usages)
    octet = sum(0x80 >> bit for bit in bits)
    # X.690 11.2.2: no zero bits at the end; all usages that are written lie in the first byte.
    return extension(KEY_USAGE, bit_string(bytes((octet,)), 7 - bits[-1]), critical=True)


def distribution_point(uri: str) -> bytes:
    """The cRLDistributionPoints extension with one address."""
    full_name = tlv(0xA0, tlv(0x86, uri.encode("ascii")))
    return extension(DISTRIBUTION_POINTS, sequence(sequence(explicit(0, full_name))))


def pem(der: bytes, label: str) -> bytes:
    """The PEM block (RFC 7468)."""
    lines = wrap(base64.b64encode(der).decode("ascii"), 64)
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode("ascii")
