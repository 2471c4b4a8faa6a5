"""The revoked certificates of a CRL: checked once, found by serial number, decoded when asked for.

A CRL of a million entries takes its own bytes and 8 bytes of index for each: no object stands for an entry. The index
is an open-addressing table of offsets; Python's hash of bytes is keyed anew in each process, so that nobody can choose
serial numbers that collide.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

from msgspec import Struct

from keys import der
from keys.certificate.extensions import read_general_names
from keys.der import Element
from keys.errors import MalformedError
from keys.revocation import names

# RFC 5280 §5.3.1; 7 is not used.
_REASONS = {
    0: "unspecified",
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    8: "removeFromCRL",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}

_REASON_CODE, _INVALIDITY_DATE, CERTIFICATE_ISSUER = "2.5.29.21", "2.5.29.24", "2.5.29.29"

_TAILS = 4096  # distinct runs of entry extensions that are remembered while a CRL is read

_SPREAD = 0x9E3779B1  # sets equal serial numbers of different issuers apart in the table

_TAIL_BYTES = 256  # of a run of entry extensions that is remembered

_HEADERS = tuple(bytes((der.INTEGER, size)) for size in range(128))


class RevokedEntry(Struct, frozen=True):
    """One revoked certificate.

    `reason` is the name in RFC 5280 §5.3.1, None when it is not given. `certificate_issuer` is the Name (DER) that the
    entry stands under in an indirect CRL; None: the CRL's issuer.
    """

    serial: int
    revoked_at: datetime
    reason: str | None
    invalidity_date: datetime | None
    certificate_issuer: bytes | None

    @property
    def effective_at(self) -> datetime:
        """From when the revocation counts: the earlier of its date and of the date the key is known to be invalid."""
        if self.invalidity_date is None:
            return self.revoked_at
        return min(self.revoked_at, self.invalidity_date)


class _Extensions(Struct, frozen=True):
    """What the extensions of one entry say. `unhandled`: critical ones that are not understood."""

    reason: str | None = None
    invalidity_date: datetime | None = None
    certificate_issuer: bytes | None = None
    unhandled: tuple[str, ...] = ()


_NONE = _Extensions()


class EntryTable:
    """The index over the entries of one CRL. `unhandled` are the critical entry extensions that were not understood."""

    __slots__ = (
        "_begin",
        "_data",
        "_end",
        "_issuer_keys",
        "_issuer_names",
        "_mask",
        "_repeated",
        "_run_issuers",
        "_run_starts",
        "_slots",
        "attributed",
        "count",
        "unhandled",
    )

    def __init__(self, data: bytes, begin: int, end: int, issuer_key: bytes, extensible: bool) -> None:
        """Checks and indexes the entries between two offsets. Raises MalformedError "der.malformed".

        `issuer_key` is the CRL issuer's folded Name; `extensible` says that entries may have extensions (version 2).
        Behind the last entry there are five more bytes of data or more, as a list has its signature there.
        """
        scan = _Scan(data, issuer_key, extensible)
        starts = scan.run(begin, end)
        self._data, self._begin, self._end = data, begin, end
        self._run_starts, self._run_issuers = scan.run_starts, scan.run_issuers
        self._issuer_keys, self._issuer_names = scan.issuer_keys, scan.issuer_names
        self.unhandled = tuple(sorted(scan.unhandled))
        self.attributed = len(scan.run_starts) > 1
        self.count = len(starts)
        self._mask = (1 << (2 * len(starts)).bit_length()) - 1
        self._slots = array("I", (0,)) * (self._mask + 1)
        self._repeated: dict[int, list[int]] = {}
        self._fill(starts)

    def _fill(self, starts: "array[int]") -> None:
        data, slots, mask, attributed, issuer = self._data, self._slots, self._mask, self.attributed, 0
        for start in starts:
            # The two most common forms of header; _serial_at knows them all.
            if data[start + 1] < 0x80 and data[start + 3] < 0x80:
                at = start + 2
                key = data[at : at + 2 + data[at + 1]]
            else:
                key = _serial_at(data, start)
            if attributed:
                issuer = self._issuer_of(start)
            slot = hash(key) + issuer * _SPREAD & mask
            while other := slots[slot]:
                if data.startswith(key, _body(data, other)) and (not attributed or self._issuer_of(other) == issuer):
                    self._repeated.setdefault(other, []).append(start)
                    break
                slot = slot + 1 & mask
            else:
                slots[slot] = start

    def __contains__(self, serial: int) -> bool:
        """Whether the CRL issuer's own serial number is listed; decodes nothing."""
        return self._start(serial, None) != 0

    def find(self, serial: int, issuer_key: bytes | None = None) -> RevokedEntry | None:
        """Gives the entry of a serial number; the first in the list when there are several. Folded issuer as below."""
        start = self._start(serial, issuer_key)
        return self._decoded(start, serial) if start else None

    def find_all(self, serial: int, issuer_key: bytes | None = None) -> tuple[RevokedEntry, ...]:
        """Gives every entry of a serial number of one issuer (folded Name; None: the list's own), in their order."""
        start = self._start(serial, issuer_key)
        if not start:
            return ()
        return tuple(self._decoded(each, serial) for each in (start, *self._repeated.get(start, ())))

    def _start(self, serial: int, issuer_key: bytes | None) -> int:
        """Gives the offset of the first such entry, or 0."""
        size = serial.bit_length() // 8 + 1
        key = _HEADERS[size] + serial.to_bytes(size, "big") if serial >= 0 and size < 0x80 else _integer(serial)
        issuer = 0 if issuer_key is None else self._issuer_keys.get(issuer_key)
        if issuer is None:
            return 0
        data, slots, mask, attributed = self._data, self._slots, self._mask, self.attributed
        slot = hash(key) + issuer * _SPREAD & mask
        while start := slots[slot]:
            at = start + 2 if data[start + 1] < 0x80 else _body(data, start)
            if data.startswith(key, at) and (not attributed or self._issuer_of(start) == issuer):
                return start
            slot = slot + 1 & mask
        return 0

    def __iter__(self) -> Iterator[RevokedEntry]:
        """Gives every entry in its order."""
        start = self._begin
        while start < self._end:
            at = _body(self._data, start)
            _, content, after = der.header(self._data, at, self._end)
            yield self._decoded(start, int.from_bytes(self._data[content:after], "big", signed=True))
            start = der.header(self._data, start, self._end)[2]

    def _issuer_of(self, start: int) -> int:
        """Gives the number of the issuer whose run of entries an offset is in."""
        return self._run_issuers[bisect_right(self._run_starts, start) - 1]

    def _decoded(self, start: int, serial: int) -> RevokedEntry:
        data = self._data
        if data[start + 1] < 0x80:
            end = start + 2 + data[start + 1]
            moment = start + 4 + data[start + 3]
        else:
            end = der.header(data, start, self._end)[2]
            moment = der.header(data, _body(data, start), end)[2]
        rest = moment + 2 + data[moment + 1]
        if data[moment] == der.UTC_TIME and data[moment + 2] < 0x35:  # "5": before the year 2050
            text = data[moment + 2 : rest].decode()
            revoked_at = datetime.fromisoformat(f"20{text[:6]}T{text[6:]}")
        else:
            revoked_at = der.time(Element(data, data[moment], moment, moment + 2, rest))
        extensions = _tail(data[rest:end]) if rest < end else _NONE
        return RevokedEntry(
            serial,
            revoked_at,
            extensions.reason,
            extensions.invalidity_date,
            self._issuer_names[self._issuer_of(start)] if self.attributed else None,
        )


class _Scan:
    """One strict walk over the entries.

    Most entries are a short serial number, a UTCTime and one of few runs of extensions. Each day, each time of day and
    each run of extensions is checked in full when it comes first and is then known by its bytes.
    """

    def __init__(self, data: bytes, issuer_key: bytes, extensible: bool) -> None:
        self.data = data
        self.extensible = extensible
        self.unhandled: set[str] = set()
        # Runs of entries under one issuer: where each starts, and the number of its issuer (RFC 5280 §5.3.3).
        self.run_starts, self.run_issuers = array("I", (0,)), array("I", (0,))
        self.issuer_keys: dict[bytes, int] = {issuer_key: 0}
        self.issuer_names: list[bytes | None] = [None]
        self.days: set[bytes] = set()
        self.clocks: set[bytes] = set()
        self.tails: set[bytes] = {b""}

    def run(self, start: int, end: int) -> "array[int]":
        """Checks the entries between two offsets, and gives where each one starts."""
        data, days, clocks, tails = self.data, self.days, self.clocks, self.tails
        starts = array("I")
        append, check = starts.append, self._check
        while start < end:
            # Behind the entries stand five bytes at least (see EntryTable), so that looking ahead stays in the data.
            size, digits = data[start + 1], data[start + 3]
            after = start + 2 + size
            at = start + 4 + digits
            if (
                data[start] == 0x30
                and size < 0x80
                and data[start + 2] == 0x02
                # A positive number in the fewest bytes; zero, negative and padded ones are checked.
                and data[start + 4] < 0x80
                and (data[start + 4] or data[start + 5] >= 0x80)
                and digits
                and at + 15 <= after <= end
                and data[at : at + 8] in days
                and data[at + 8 : at + 15] in clocks
                and data[at + 15 : after] in tails
            ):
                append(start)
                start = after
            else:
                append(start)
                start = check(start, end)
        return starts

    def _check(self, start: int, limit: int) -> int:
        """Checks one entry in full, and gives where it ends."""
        data = self.data
        tag, content, end = der.header(data, start, limit)
        parts = der.sequence(Element(data, tag, start, content, end, 3))
        if not 2 <= len(parts) <= 3:
            raise MalformedError("der.malformed", f"a revoked certificate of {len(parts)} parts (at byte {start})")
        serial, moment = parts[0], parts[1]
        der.integer(serial)
        der.time(moment)
        tail = b""
        if len(parts) == 3:
            if not self.extensible:
                raise MalformedError("der.malformed", f"an extension in version 1 (at byte {parts[2].start})")
            tail = parts[2].raw
            self._take(_extensions(parts[2]), start, tail)
        if moment.tag == der.UTC_TIME:
            self.days.add(data[moment.start : moment.start + 8])
            self.clocks.add(data[moment.start + 8 : moment.end])
        return end

    def _take(self, extensions: _Extensions, start: int, tail: bytes) -> None:
        self.unhandled.update(extensions.unhandled)
        name = extensions.certificate_issuer
        if name is None:
            if len(self.tails) < _TAILS and len(tail) <= _TAIL_BYTES:
                self.tails.add(tail)
            return
        number = self.issuer_keys.setdefault(names.folded(name), len(self.issuer_names))
        if number == len(self.issuer_names):
            self.issuer_names.append(name)
        self.run_starts.append(start)
        self.run_issuers.append(number)


def _body(data: bytes, start: int) -> int:
    """Gives where the contents of a checked value start."""
    size = data[start + 1]
    return start + 2 if size < 0x80 else start + 2 + (size & 0x7F)


def _integer(number: int) -> bytes:
    """Writes an INTEGER of any size and sign."""
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return names.wrapped(der.INTEGER, number.to_bytes(size, "big", signed=True))


def _serial_at(data: bytes, start: int) -> bytes:
    """Gives the serial number of a checked entry, header and contents."""
    at = _body(data, start)
    return data[at : der.header(data, at, len(data))[2]]


def _tail(tail: bytes) -> _Extensions:
    return _remembered(tail) if len(tail) <= _TAIL_BYTES else _extensions(der.parse(tail))


@lru_cache(maxsize=1024)
def _remembered(tail: bytes) -> _Extensions:
    return _extensions(der.parse(tail))


def _extensions(element: Element) -> _Extensions:
    """Reads the extensions of one entry. Raises MalformedError "der.malformed"."""
    found = read_extensions(element)
    reason, invalidity_date, issuer = None, None, None
    unhandled = []
    for name, (critical, value) in found.items():
        if name == _REASON_CODE:
            reason = read_reason(der.inside(value))
        elif name == _INVALIDITY_DATE:
            invalidity_date = read_invalidity_date(der.inside(value))
        elif name == CERTIFICATE_ISSUER:
            issuer = _certificate_issuer(der.inside(value))
        elif critical:
            unhandled.append(name)
    return _Extensions(reason, invalidity_date, issuer, tuple(unhandled))


def read_extensions(element: Element) -> dict[str, tuple[bool, Element]]:
    """Reads Extensions: by object identifier, whether it is critical, and the OCTET STRING that holds its value.

    An explicit FALSE is taken, though DER leaves it out: it is common and means one thing. Raises MalformedError
    "der.malformed", also for none and for one that comes twice (RFC 5280 §4.2).
    """
    found: dict[str, tuple[bool, Element]] = {}
    for extension in der.sequence(element):
        parts = der.sequence(extension)
        if not 2 <= len(parts) <= 3:
            raise MalformedError("der.malformed", f"an extension of {len(parts)} parts (at byte {extension.start})")
        name, value = der.oid(parts[0]), parts[-1]
        critical = der.boolean(parts[1]) if len(parts) == 3 else False
        if value.tag != der.OCTET_STRING:
            raise MalformedError("der.malformed", f"an extension without OCTET STRING (at byte {value.start})")
        if name in found:
            raise MalformedError("der.malformed", f"extension {name} comes twice (at byte {extension.start})")
        found[name] = critical, value
    if not found:
        raise MalformedError("der.malformed", f"extensions without any (at byte {element.start})")
    return found


def read_reason(element: Element) -> str:
    """Reads CRLReason. Raises MalformedError "der.malformed"."""
    if element.tag != der.ENUMERATED:
        raise MalformedError("der.malformed", f"a reason that is not ENUMERATED (at byte {element.start})")
    reason = _REASONS.get(der.integer(der.retagged(element, der.INTEGER)))
    if reason is None:
        raise MalformedError("der.malformed", f"an unknown reason (at byte {element.start})")
    return reason


def read_invalidity_date(element: Element) -> datetime:
    """Reads an invalidity date. Raises MalformedError "der.malformed"."""
    # RFC 5280 §5.3.2: GeneralizedTime also before 2050.
    if element.tag != der.GENERALIZED_TIME:
        raise MalformedError("der.malformed", f"an invalidity date of another type (at byte {element.start})")
    return der.time(element)


def _certificate_issuer(element: Element) -> bytes:
    der.sequence(element)
    _, found = read_general_names(element, [])
    if len(found) != 1:
        raise MalformedError("der.malformed", f"{len(found)} certificate issuers, not one (at byte {element.start})")
    return found[0]
