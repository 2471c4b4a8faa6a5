"""DER as a certification authority writes it, and the parts of X.509 that are made of it: names, times, extensions.

Nothing is judged here: whatever is asked for is written, right or wrong, so that a test can make what must be refused.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from textwrap import wrap

Text = str | bytes
"""A str is written as the place asks for; bytes are a whole DER element and go in as they are."""


def tlv(tag: int, contents: bytes, *, length_octets: int = 0) -> bytes:
    """One element: tag byte, definite length, contents. `length_octets` > 0 writes the length over-long (not DER)."""
    size = len(contents)
    if size < 0x80 and not length_octets:
        return bytes((tag, size)) + contents
    count = max(length_octets, (size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | count)) + size.to_bytes(count, "big") + contents


def contents_of(element: bytes) -> bytes:
    """The contents of one element that this module wrote."""
    return element[2:] if element[1] < 0x80 else element[2 + (element[1] & 0x7F) :]


def members_of(element: bytes) -> list[bytes]:
    """The elements inside one constructed element that this module wrote."""
    rest, found = contents_of(element), []
    while rest:
        header = 2 if rest[1] < 0x80 else 2 + (rest[1] & 0x7F)
        size = rest[1] if rest[1] < 0x80 else int.from_bytes(rest[2:header], "big")
        found.append(rest[: header + size])
        rest = rest[header + size :]
    return found


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    return tlv(0x31, b"".join(sorted(parts)))


def explicit(number: int, element: bytes) -> bytes:
    return tlv(0xA0 | number, element)


def implicit(number: int, element: bytes) -> bytes:
    """The element with its tag replaced; constructed stays constructed."""
    return bytes((0x80 | element[0] & 0x20 | number,)) + element[1:]


def integer(value: int | bytes) -> bytes:
    """An INTEGER; bytes are its contents as they are (over-long, empty)."""
    if isinstance(value, bytes):
        return tlv(0x02, value)
    length = (value + (value < 0)).bit_length() // 8 + 1
    return tlv(0x02, value.to_bytes(length, "big", signed=True))


def enumerated(value: int) -> bytes:
    return b"\x0a" + integer(value)[1:]


def boolean(value: bool) -> bytes:
    return tlv(0x01, b"\xff" if value else b"\x00")


def null() -> bytes:
    return b"\x05\x00"


@cache
def oid(dotted: str) -> bytes:
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    octets = bytearray()
    for arc in (40 * first + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        octets.extend(reversed(digits))
    return tlv(0x06, bytes(octets))


def bit_string(contents: bytes, unused: int = 0) -> bytes:
    return tlv(0x03, bytes((unused,)) + contents)


def named_bits(positions: Iterable[int]) -> bytes:
    """A BIT STRING of named bits, without trailing zero bits (X.690 11.2.2)."""
    wanted = sorted(set(positions))
    if not wanted:
        return bit_string(b"")
    size = wanted[-1] // 8 + 1
    value = sum(1 << (8 * size - 1 - position) for position in wanted)
    return bit_string(value.to_bytes(size, "big"), 8 * size - 1 - wanted[-1])


def octet_string(contents: bytes) -> bytes:
    return tlv(0x04, contents)


def utf8(text: str) -> bytes:
    return tlv(0x0C, text.encode("utf-8"))


def printable(text: str) -> bytes:
    return tlv(0x13, text.encode("ascii"))


def ia5(text: str) -> bytes:
    return tlv(0x16, text.encode("ascii"))


def bmp(text: str) -> bytes:
    return tlv(0x1E, text.encode("utf-16-be"))


def gb18030(text: str, tag: int = 0x0C) -> bytes:
    """A string that says it is UTF-8 (or what the tag says: 0x14 T61String, 0x13 PrintableString) but is GB18030."""
    return tlv(tag, text.encode("gb18030"))


def utc_time(instant: datetime, form: str = "%y%m%d%H%M%SZ") -> bytes:
    """UTCTime. Other forms than the default are BER at most: `%y%m%d%H%MZ`, `%y%m%d%H%M%S+0800`."""
    return tlv(0x17, instant.astimezone(UTC).strftime(form).encode("ascii"))


def generalized_time(instant: datetime, form: str = "%Y%m%d%H%M%SZ") -> bytes:
    return tlv(0x18, instant.astimezone(UTC).strftime(form).encode("ascii"))


@lru_cache(maxsize=1 << 16)
def time(instant: datetime | bytes) -> bytes:
    """UTCTime until 2049, GeneralizedTime after it (RFC 5280 4.1.2.5); bytes as they are."""
    if isinstance(instant, bytes):
        return instant
    return utc_time(instant) if 1950 <= instant.astimezone(UTC).year < 2050 else generalized_time(instant)


def pem(element: bytes, label: str = "CERTIFICATE") -> str:
    lines = wrap(b64encode(element).decode("ascii"), 64)
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


# Names

ATTRIBUTES = {
    "country": "2.5.4.6",
    "province": "2.5.4.8",
    "locality": "2.5.4.7",
    "organisation": "2.5.4.10",
    "unit": "2.5.4.11",
    "common_name": "2.5.4.3",
    "serial_number": "2.5.4.5",
}
"""The fields of `Subject` in the order in which they are written."""
_PRINTABLE_ONLY = {ATTRIBUTES["serial_number"], ATTRIBUTES["country"]}


def attribute(attribute_oid: str, value: Text) -> bytes:
    if isinstance(value, str):
        value = printable(value) if attribute_oid in _PRINTABLE_ONLY and value.isascii() else utf8(value)
    return sequence(oid(attribute_oid), value)


def name(attributes: Sequence[tuple[str, Text]]) -> bytes:
    """A Name of single-valued RDNs, in order."""
    return sequence(*(set_of(attribute(attribute_oid, value)) for attribute_oid, value in attributes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A distinguished name. A str is written as UTF8String (ASCII in C and serialNumber: PrintableString)."""

    country: Text | None = "CN"
    province: Text | None = None
    locality: Text | None = None
    organisation: Text | None = None
    unit: Text | None = None
    common_name: Text | None = None
    serial_number: Text | None = None
    more: tuple[tuple[str, Text], ...] = ()

    @property
    def der(self) -> bytes:
        said = [(dotted, getattr(self, field)) for field, dotted in ATTRIBUTES.items()]
        return name([*((dotted, value) for dotted, value in said if value is not None), *self.more])


def uri_name(uri: str) -> bytes:
    return implicit(6, ia5(uri))


def dns_name(host: str) -> bytes:
    return implicit(2, ia5(host))


def directory_name(name_der: bytes) -> bytes:
    return explicit(4, name_der)


# Extensions

KEY_USAGE_BITS = {
    "digitalSignature": 0,
    "nonRepudiation": 1,
    "keyEncipherment": 2,
    "dataEncipherment": 3,
    "keyAgreement": 4,
    "keyCertSign": 5,
    "cRLSign": 6,
    "encipherOnly": 7,
    "decipherOnly": 8,
}
REASONS = {
    "unspecified": 0,
    "keyCompromise": 1,
    "cACompromise": 2,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
    "certificateHold": 6,
    "removeFromCRL": 8,
    "privilegeWithdrawn": 9,
    "aACompromise": 10,
}


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension; `value` is the DER inside the OCTET STRING (or any bytes)."""

    oid: str
    value: bytes
    critical: bool = False

    @property
    def der(self) -> bytes:
        return sequence(oid(self.oid), boolean(True) if self.critical else b"", octet_string(self.value))


def basic_constraints(ca: bool, path_length: int | None = None, critical: bool = True) -> Extension:
    length = b"" if path_length is None else integer(path_length)
    return Extension("2.5.29.19", sequence(boolean(True) if ca else b"", length), critical)


def key_usage(usages: Iterable[str], critical: bool = True) -> Extension:
    return Extension("2.5.29.15", named_bits(KEY_USAGE_BITS[usage] for usage in usages), critical)


def extended_key_usage(oids: Iterable[str], critical: bool = False) -> Extension:
    return Extension("2.5.29.37", sequence(*map(oid, oids)), critical)


def subject_key_id(identifier: bytes) -> Extension:
    return Extension("2.5.29.14", octet_string(identifier))


def authority_key_id(identifier: bytes) -> Extension:
    return Extension("2.5.29.35", sequence(implicit(0, octet_string(identifier))))


def alternative_names(*names: bytes) -> Extension:
    return Extension("2.5.29.17", sequence(*names))


def certificate_policies(*oids: str, critical: bool = False) -> Extension:
    return Extension("2.5.29.32", sequence(*(sequence(oid(policy)) for policy in oids)), critical)


def name_constraints(permitted: Sequence[bytes] = (), excluded: Sequence[bytes] = ()) -> Extension:
    """Each is a GeneralName: `dns_name("…")`, `directory_name(name(…))`."""
    parts = [
        implicit(number, sequence(*(sequence(base) for base in bases)))
        for number, bases in enumerate((permitted, excluded))
        if bases
    ]
    return Extension("2.5.29.30", sequence(*parts), True)


def distribution_point(uris: Iterable[str], crl_issuer: bytes | None = None) -> bytes:
    """One DistributionPoint by addresses; `crl_issuer` (a Name) where another than the certificate's issuer signs."""
    full_name = b"".join(map(uri_name, uris))
    named = explicit(0, tlv(0xA0, full_name)) if full_name else b""
    return sequence(named, b"" if crl_issuer is None else tlv(0xA2, directory_name(crl_issuer)))


def distribution_points(*points: bytes, freshest: bool = False) -> Extension:
    """cRLDistributionPoints, or freshestCRL (where delta CRLs are)."""
    return Extension("2.5.29.46" if freshest else "2.5.29.31", sequence(*points))


NUMBER_EXTENSIONS = {
    "identity": "1.2.156.10260.4.1.1",
    "business-registration": "1.2.156.10260.4.1.3",
    "organisation-code": "1.2.156.10260.4.1.4",
    "tax": "1.2.156.10260.4.1.5",
    "rsa-generation": "1.2.86.11.7.4",
    "eastca": "1.2.86.21.1.4",
    "shanghai": "1.2.156.1.8888.148",
}
"""Extensions in which authorities put the holder's number: a USCC, or a person's ID-card number (the first)."""
NUMBER_ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "printable": printable,
    "utf8": utf8,
    "ia5": ia5,
    "octets": lambda number: octet_string(number.encode("ascii")),
    "tagged": lambda number: implicit(0, printable(number)),
    "set": lambda number: set_of(implicit(0, printable(number))),
    "raw": lambda number: number.encode("ascii"),
}
"""How they write it: standards say PrintableString, an ID card's tagged; raw is text without a DER header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuingDistributionPoint:
    """What part of its issuer's certificates a CRL speaks of (RFC 5280 5.2.5)."""

    uris: tuple[str, ...] = ()
    only_user: bool = False
    only_ca: bool = False
    only_attribute: bool = False
    only_reasons: tuple[str, ...] = ()
    indirect: bool = False

    @property
    def extension(self) -> Extension:
        parts = [explicit(0, tlv(0xA0, b"".join(map(uri_name, self.uris))))] if self.uris else []
        flags = {1: self.only_user, 2: self.only_ca, 4: self.indirect, 5: self.only_attribute}
        parts += [implicit(number, boolean(True)) for number, said in flags.items() if said]
        if self.only_reasons:
            # ReasonFlags count otherwise than CRLReason: 7 and 8 stand where 9 and 10 do (RFC 5280 4.2.1.13, 5.3.1).
            bits = [REASONS[reason] - 2 * (REASONS[reason] > 8) for reason in self.only_reasons]
            parts.append(implicit(3, named_bits(bits)))
        return Extension("2.5.29.28", sequence(*sorted(parts, key=lambda part: part[0] & 0x1F)), True)


# Entries of a CRL


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """An entry of a CRL. `not_after` is when its certificate ends, for authorities that drop entries then."""

    serial: int
    at: datetime
    reason: str | None = None
    invalidity: datetime | None = None
    issuer: bytes | None = None
    """A Name, where an indirect CRL goes over to another issuer's certificates."""
    not_after: datetime | None = None
    more: tuple[Extension, ...] = ()

    @property
    def der(self) -> bytes:
        said = list(self.more)
        if self.reason is not None:
            said.append(Extension("2.5.29.21", enumerated(REASONS[self.reason])))
        if self.invalidity is not None:
            said.append(Extension("2.5.29.24", generalized_time(self.invalidity)))
        if self.issuer is not None:
            said.append(Extension("2.5.29.29", sequence(directory_name(self.issuer)), True))
        extensions = sequence(*(extension.der for extension in said)) if said else b""
        return sequence(integer(self.serial), time(self.at), extensions)


# Algorithms and keys


def _pss_parameters(digest_oid: str, salt_length: int) -> bytes:
    digest = sequence(oid(digest_oid), null())
    mask = sequence(oid("1.2.840.113549.1.1.8"), digest)
    return sequence(explicit(0, digest), explicit(1, mask), explicit(2, integer(salt_length)))


def _identifier(dotted: str, parameters: bytes = b"") -> bytes:
    return sequence(oid(dotted), parameters)


ALGORITHM_IDENTIFIERS = {
    "sm2-sm3": _identifier("1.2.156.10197.1.501"),
    "rsa-pkcs1-md5": _identifier("1.2.840.113549.1.1.4", null()),
    "rsa-pkcs1-sha1": _identifier("1.2.840.113549.1.1.5", null()),
    "rsa-pkcs1-sha256": _identifier("1.2.840.113549.1.1.11", null()),
    "rsa-pkcs1-sha384": _identifier("1.2.840.113549.1.1.12", null()),
    "rsa-pkcs1-sha512": _identifier("1.2.840.113549.1.1.13", null()),
    "rsa-pss-sha256": _identifier("1.2.840.113549.1.1.10", _pss_parameters("2.16.840.1.101.3.4.2.1", 32)),
    "rsa-pss-sha512": _identifier("1.2.840.113549.1.1.10", _pss_parameters("2.16.840.1.101.3.4.2.3", 64)),
    "ecdsa-sha1": _identifier("1.2.840.10045.4.1"),
    "ecdsa-sha256": _identifier("1.2.840.10045.4.3.2"),
    "ecdsa-sha384": _identifier("1.2.840.10045.4.3.3"),
    "ed25519": _identifier("1.3.101.112"),
}
"""AlgorithmIdentifiers by the name of the scheme. SM2 is also seen with NULL: `SM2_SM3_WITH_NULL`."""
SM2_SM3_WITH_NULL = _identifier("1.2.156.10197.1.501", null())

SM2_CURVE_OID = "1.2.156.10197.1.301"


def elliptic_public_key(point: bytes, curve_oid: str = SM2_CURVE_OID) -> bytes:
    """SubjectPublicKeyInfo of an encoded point, on the curve or not."""
    return sequence(_identifier("1.2.840.10045.2.1", oid(curve_oid)), bit_string(point))


def curve_as_algorithm(point: bytes) -> bytes:
    """SubjectPublicKeyInfo as some SM2 authorities write it: the curve's OID where id-ecPublicKey belongs."""
    return sequence(_identifier(SM2_CURVE_OID), bit_string(point))
