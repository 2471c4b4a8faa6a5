"""The extensions that Accord understands (RFC 5280 §4.2.1), read once when a certificate is parsed."""

from collections.abc import Callable, Mapping
from functools import lru_cache

from msgspec import Struct

from keys import der
from keys.der import Element
from keys.errors import MalformedError

SUBJECT_KEY_ID, KEY_USAGE, BASIC_CONSTRAINTS = "2.5.29.14", "2.5.29.15", "2.5.29.19"
NAME_CONSTRAINTS, DISTRIBUTION_POINTS, CERTIFICATE_POLICIES = "2.5.29.30", "2.5.29.31", "2.5.29.32"
AUTHORITY_KEY_ID, EXTENDED_KEY_USAGE, FRESHEST_CRL = "2.5.29.35", "2.5.29.37", "2.5.29.46"

KEY_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
"""The names of RFC 5280 §4.2.1.3, in the order of their bits."""

# RFC 5280 §4.2.1.13, by bit; bit 0 is called unused and is.
_REASONS = (
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise",
)

# GeneralName (RFC 5280 §4.2.1.6), [0] to [8]; otherName, x400Address, directoryName and ediPartyName are constructed.
_GENERAL_NAMES = frozenset({0xA0, 0x81, 0x82, 0xA3, 0xA4, 0xA5, 0x86, 0x87, 0x88})
_DIRECTORY_NAME, _URI = 0xA4, 0x86

_NEVER_CRITICAL = frozenset({SUBJECT_KEY_ID, AUTHORITY_KEY_ID, FRESHEST_CRL})  # RFC 5280 §4.2.1.1, .2 and .15
_PATH_LENGTH = 2**31 - 1
_SERIAL_BYTES = 128
_CACHED = 512  # bytes of an extension that is remembered


class Extension(Struct, frozen=True, gc=False):
    """An extension: whether it must be understood, and the contents of its OCTET STRING, which are never shown."""

    critical: bool
    value: bytes

    def __repr__(self) -> str:
        return f"Extension(critical={self.critical}, {len(self.value)} bytes)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # msgspec's own would show the value, which may be a person's number.
        return [("critical", self.critical)]


class DistributionPoint(Struct, frozen=True, kw_only=True, cache_hash=True):
    """Where a CRL is to be had (RFC 5280 §4.2.1.13).

    `names` and `crl_issuers` are Names in DER, `relative_name` a RelativeDistinguishedName in DER, to be put behind the
    name of the CRL's issuer. `reasons` is None where the CRL covers all of them.
    """

    uris: tuple[str, ...] = ()
    names: tuple[bytes, ...] = ()
    relative_name: bytes | None = None
    reasons: frozenset[str] | None = None
    crl_issuers: tuple[bytes, ...] = ()


class Understood(Struct, kw_only=True, eq=False):
    """What the extensions say; the defaults are what their absence means. Filled by `understand`, then left alone."""

    key_usage: frozenset[str] | None = None
    extended_key_usage: tuple[str, ...] | None = None
    is_ca: bool = False
    path_length: int | None = None
    subject_key_id: bytes | None = None
    authority_key_id: bytes | None = None
    authority_issuer: bytes | None = None
    authority_serial: int | None = None
    distribution_points: tuple[DistributionPoint, ...] = ()
    freshest_crl: tuple[DistributionPoint, ...] = ()


def understand(values: Mapping[str, tuple[bool, Element]], oddities: list[str]) -> Understood:
    """Reads the known ones of the extensions, each given as criticality and OCTET STRING; tells oddities.

    What decides trust must be well formed: MalformedError "der.malformed", the detail naming the extension. The key
    identifiers and distribution points only guide a search: where they are not critical and not well formed, they are
    told as oddities and left out.
    """
    understood = Understood()
    for oid, (critical, octets) in values.items():
        known = _READERS.get(oid)
        if known is None:
            continue
        name, guides, reader = known
        try:
            if oid not in _REPEATED or not _recall(understood, oid, octets.value, oddities):
                reader(understood, der.inside(octets), oddities)
        except MalformedError as error:
            if critical or not guides:
                raise MalformedError(error.code, f"{name}: {error.detail}") from error
            oddities.append(f"{name}.malformed")
            continue
        if critical and oid in _NEVER_CRITICAL:
            oddities.append(f"{name}.critical")
    if understood.is_ca and not values[BASIC_CONSTRAINTS][0]:
        oddities.append("basic_constraints.not_critical")  # RFC 5280 §4.2.1.9
    return understood


def _recall(understood: Understood, oid: str, value: bytes, oddities: list[str]) -> bool:
    """Takes over what an extension of the same bytes said before; False where it has to be read."""
    if len(value) > _CACHED:
        return False
    found = _remembered(oid, value)
    if found is None:
        return False
    said, odd = found
    for member in _REPEATED[oid]:
        setattr(understood, member, getattr(said, member))
    oddities += odd
    return True


@lru_cache(maxsize=1024)
def _remembered(oid: str, value: bytes) -> tuple[Understood, tuple[str, ...]] | None:
    """Reads an extension by itself; None where it is malformed, as the caller can say where."""
    said, oddities = Understood(), list[str]()
    try:
        _READERS[oid][2](said, der.parse(value), oddities)
    except MalformedError:
        return None
    return said, tuple(oddities)


def read_distribution_points(value: Element, oddities: list[str]) -> tuple[DistributionPoint, ...]:
    """Reads CRLDistributionPoints. Raises MalformedError "der.malformed"."""
    points = der.sequence(value)
    if not points:
        raise MalformedError("der.malformed", f"a list without members (at byte {value.start})")
    return tuple(_distribution_point(point, oddities) for point in points)


def read_general_names(names: Element, oddities: list[str]) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """Reads GeneralNames under any [n] IMPLICIT tag: the URIs and the Names in DER; other kinds are passed over.

    A URI that is not printable ASCII is left out, with an oddity. Raises MalformedError "der.malformed".
    """
    uris: list[str] = []
    directory_names: list[bytes] = []
    members = der.members(names)
    if not members:
        raise MalformedError("der.malformed", f"a list without members (at byte {names.start})")
    for name in members:
        if name.tag not in _GENERAL_NAMES:
            raise MalformedError("der.malformed", f"tag 0x{name.tag:02x} is no GeneralName (at byte {name.start})")
        if name.tag == _DIRECTORY_NAME:
            directory = der.inside(name)
            der.sequence(directory)
            directory_names.append(directory.raw)
        elif name.tag == _URI:
            uri = name.value
            if uri.isascii() and uri.decode("ascii").isprintable() and b" " not in uri:
                uris.append(uri.decode("ascii"))
            else:
                oddities.append("uri.not_ascii")
    return tuple(uris), tuple(directory_names)


def read_reasons(flags: Element) -> frozenset[str]:
    """Reads ReasonFlags under any [n] IMPLICIT tag; bits without a name are passed over."""
    bits = der.named_bits(der.retagged(flags, der.BIT_STRING))
    return frozenset(_REASONS[bit - 1] for bit in bits if 1 <= bit <= len(_REASONS))


def _distribution_point(point: Element, oddities: list[str]) -> DistributionPoint:
    uris: tuple[str, ...] = ()
    names: tuple[bytes, ...] = ()
    issuers: tuple[bytes, ...] = ()
    relative: bytes | None = None
    reasons: frozenset[str] | None = None
    before = 0
    for part in der.sequence(point):
        if part.tag not in (0xA0, 0x81, 0xA2) or part.tag & 0x1F < before:
            raise MalformedError("der.malformed", f"tag 0x{part.tag:02x} out of place (at byte {part.start})")
        before = (part.tag & 0x1F) + 1
        if part.tag == 0x81:
            reasons = read_reasons(part)
        elif part.tag == 0xA2:
            _, issuers = read_general_names(part, oddities)
        else:
            choice = der.inside(part)
            if choice.tag == 0xA0:
                uris, names = read_general_names(choice, oddities)
            elif choice.tag == 0xA1:
                der.members(choice)
                relative = bytes((der.SET,)) + choice.raw[1:]
            else:
                raise MalformedError("der.malformed", f"tag 0x{choice.tag:02x} out of place (at byte {choice.start})")
    if not before or (reasons is not None and before == 2 and not (uris or names or relative)):
        # RFC 5280 §4.2.1.13: not of reasons alone.
        oddities.append("distribution_point.empty")
    return DistributionPoint(uris=uris, names=names, relative_name=relative, reasons=reasons, crl_issuers=issuers)


def _key_usage(understood: Understood, value: Element, oddities: list[str]) -> None:
    content, unused = der.bits(value)
    numbers = der.named_bits(value)
    if not numbers:
        # RFC 5280 §4.2.1.3: at least one bit is set.
        raise MalformedError("der.malformed", f"no usage is set (at byte {value.start})")
    if not content[-1] >> unused & 1:
        oddities.append("key_usage.padded")
    if max(numbers) >= len(KEY_USAGES):
        oddities.append("key_usage.unknown_bit")
    understood.key_usage = frozenset(KEY_USAGES[bit] for bit in numbers if bit < len(KEY_USAGES))


def _extended_key_usage(understood: Understood, value: Element, oddities: list[str]) -> None:
    purposes = tuple(map(der.oid, der.sequence(value)))
    if not purposes:
        raise MalformedError("der.malformed", f"a list without members (at byte {value.start})")
    if len(set(purposes)) != len(purposes):
        oddities.append("extended_key_usage.repeated")
    understood.extended_key_usage = purposes


def _basic_constraints(understood: Understood, value: Element, oddities: list[str]) -> None:
    parts = list(der.sequence(value))
    if parts and parts[0].tag == der.BOOLEAN:
        understood.is_ca = der.boolean(parts.pop(0))
        if not understood.is_ca:
            oddities.append("basic_constraints.default_encoded")  # X.690 §11.5
    if parts:
        length = der.integer(parts.pop(0))
        if not 0 <= length <= _PATH_LENGTH:
            raise MalformedError("der.malformed", f"the path length is negative or too great (at byte {value.start})")
        if understood.is_ca:
            understood.path_length = length
        else:
            oddities.append("basic_constraints.path_length_without_ca")
    if parts:
        raise MalformedError("der.malformed", f"more than cA and a path length (at byte {parts[0].start})")


def _subject_key_id(understood: Understood, value: Element, oddities: list[str]) -> None:
    understood.subject_key_id = der.octet_string(value)


def _authority_key_id(understood: Understood, value: Element, oddities: list[str]) -> None:
    members = der.sequence(value)
    if len(members) == 1 and members[0].tag == 0x80:
        understood.authority_key_id = members[0].value
        return
    parts, tags = {part.tag: part for part in members}, [part.tag for part in members]
    if [tag for tag in (0x80, 0xA1, 0x82) if tag in tags] != tags:
        raise MalformedError("der.malformed", f"not an AuthorityKeyIdentifier (at byte {value.start})")
    issuer = serial = None
    if 0xA1 in parts:
        _, names = read_general_names(parts[0xA1], oddities)
        issuer = names[0] if names else None
    if 0x82 in parts:
        serial = read_serial(der.retagged(parts[0x82], der.INTEGER))
    if (0xA1 in parts) != (0x82 in parts):
        oddities.append("authority_key_id.incomplete")  # RFC 5280 appendix A.2: both or neither
    understood.authority_key_id = parts[0x80].value if 0x80 in parts else None
    understood.authority_issuer, understood.authority_serial = issuer, serial


def read_serial(value: Element) -> int:
    """Reads a serial number of any sign, of at most 128 bytes. Raises MalformedError "der.malformed"."""
    if value.end - value.content > _SERIAL_BYTES:
        raise MalformedError("der.malformed", f"a serial number of more than {_SERIAL_BYTES} bytes")
    return der.integer(value)


def _distribution_points(understood: Understood, value: Element, oddities: list[str]) -> None:
    understood.distribution_points = read_distribution_points(value, oddities)


def _freshest_crl(understood: Understood, value: Element, oddities: list[str]) -> None:
    understood.freshest_crl = read_distribution_points(value, oddities)


# By extension: its name in messages and oddities, whether it only guides a search, and its reader.
_READERS: dict[str, tuple[str, bool, Callable[[Understood, Element, list[str]], None]]] = {
    KEY_USAGE: ("key_usage", False, _key_usage),
    EXTENDED_KEY_USAGE: ("extended_key_usage", False, _extended_key_usage),
    BASIC_CONSTRAINTS: ("basic_constraints", False, _basic_constraints),
    SUBJECT_KEY_ID: ("subject_key_id", True, _subject_key_id),
    AUTHORITY_KEY_ID: ("authority_key_id", True, _authority_key_id),
    DISTRIBUTION_POINTS: ("distribution_points", True, _distribution_points),
    FRESHEST_CRL: ("freshest_crl", True, _freshest_crl),
}

# What an authority writes alike into all its certificates is remembered, with the members of Understood it fills. Key
# identifiers are not: they tell of one holder, or name an issuer, who may be the holder himself.
_REPEATED: dict[str, tuple[str, ...]] = {
    KEY_USAGE: ("key_usage",),
    EXTENDED_KEY_USAGE: ("extended_key_usage",),
    BASIC_CONSTRAINTS: ("is_ca", "path_length"),
    DISTRIBUTION_POINTS: ("distribution_points",),
    FRESHEST_CRL: ("freshest_crl",),
}
