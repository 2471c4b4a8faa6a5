"""What a timestamp says: TSTInfo (RFC 3161 §2.4.2), read strictly, and the identifiers of the digests in it."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from msgspec import Struct

from keys import der
from keys.cms import algorithms
from keys.content import digested
from keys.der import Element
from keys.errors import MalformedError

# The first of each is the one that others write: GM/T 0006 has two for SM3.
DIGEST_OIDS: Mapping[str, str] = MappingProxyType(
    {name: oid for oid, name in reversed(tuple(algorithms.DIGEST_OIDS.items()))}
)
"""The identifier of each of `keys.content.DIGESTS`."""

_LONGEST_NUMBER = 64  # bytes of a serial number or a nonce; RFC 3161 §2.4.2 has serial numbers of at most 20
_LONGEST_ACCURACY = 2**31  # seconds
# RFC 3161 §2.4.2: to the second, with Z. Zeros at the end of a fraction are not DER, and change nothing.
_GEN_TIME = re.compile(rb"\d{14}(?:\.\d{1,32})?Z")
_TSA, _EXTENSIONS = 0xA0, 0xA1
_AFTER_TIME = (der.SEQUENCE, der.BOOLEAN, der.INTEGER, _TSA, _EXTENSIONS)
_MILLIS, _MICROS = 0x80, 0x81
_END = datetime.max.replace(tzinfo=UTC)


class TimestampInfo(Struct, frozen=True, kw_only=True):
    """TSTInfo. `imprint` is the digest of what was timestamped, by `digest_name`, one of `keys.content.DIGESTS`.

    `policy` is an object identifier in dotted form. `accuracy` is None where the authority does not tell it. The name
    of the authority that may stand here is not read: who signed says who it was.
    """

    policy: str
    digest_name: str
    imprint: bytes
    serial: int
    gen_time: datetime
    accuracy: timedelta | None
    ordering: bool
    nonce: int | None

    @property
    def latest(self) -> datetime:
        """The latest instant that the authority may have meant: from then on the imprint is shown to exist."""
        try:
            return self.gen_time + (self.accuracy or timedelta(0))
        except OverflowError:
            return _END


def read_info(data: bytes) -> TimestampInfo:
    """Reads TSTInfo, DER.

    Raises MalformedError "timestamp.malformed", also for a critical extension, as none is known; AlgorithmError
    "signature.algorithm_unknown" for the digest.
    """
    try:
        return _info(der.sequence(der.parse(data)))
    except MalformedError as error:
        raise MalformedError("timestamp.malformed", f"TSTInfo: {error.detail}") from error


def _info(fields: Sequence[Element]) -> TimestampInfo:
    if len(fields) < 5:
        raise _malformed(f"{len(fields)} members, of at least 5")
    version, policy, imprint, serial, time, *rest = fields
    if der.integer(version) != 1:
        raise _malformed("the version is not 1")
    digest_name, value = _imprint(imprint)
    given = _optional(rest, _AFTER_TIME)
    if _EXTENSIONS in given:
        _refuse_critical(given[_EXTENSIONS])
    return TimestampInfo(
        policy=der.oid(policy),
        digest_name=digest_name,
        imprint=value,
        serial=_number(serial),
        gen_time=_gen_time(time),
        accuracy=_accuracy(given[der.SEQUENCE]) if der.SEQUENCE in given else None,
        # The default, FALSE, is written out by some, against DER.
        ordering=der.boolean(given[der.BOOLEAN]) if der.BOOLEAN in given else False,
        nonce=_number(given[der.INTEGER]) if der.INTEGER in given else None,
    )


def _optional(fields: Sequence[Element], order: Sequence[int]) -> dict[int, Element]:
    """Members that may be missing, by tag: each at most once and in their order."""
    tags = [field.tag for field in fields]
    if tags != [tag for tag in order if tag in tags]:
        raise _malformed(f"members with the tags {', '.join(f'0x{tag:02x}' for tag in tags[:8])} out of place")
    return dict(zip(tags, fields, strict=True))


def _imprint(element: Element) -> tuple[str, bytes]:
    """Reads MessageImprint: the digest's name and value."""
    parts = der.sequence(element)
    if len(parts) != 2:
        raise _malformed(f"a messageImprint with {len(parts)} members, not 2")
    name, value = algorithms.read_digest(parts[0]), der.octet_string(parts[1])
    digested(name, value)
    return name, value


def _number(element: Element) -> int:
    if element.end - element.content > _LONGEST_NUMBER:
        raise _malformed(f"a number of more than {_LONGEST_NUMBER} bytes (at byte {element.start})")
    return der.integer(element)


def _gen_time(element: Element) -> datetime:
    if element.tag != der.GENERALIZED_TIME or _GEN_TIME.fullmatch(element.value) is None:
        raise _malformed("genTime is a GeneralizedTime to the second or finer that ends in Z")
    return der.any_time(element)[0]


def _accuracy(element: Element) -> timedelta:
    """Reads Accuracy; what is missing in it is zero."""
    given = _optional(der.sequence(element), (der.INTEGER, _MILLIS, _MICROS))
    seconds, millis, micros = (
        der.integer(der.retagged(given[tag], der.INTEGER)) if tag in given else 0
        for tag in (der.INTEGER, _MILLIS, _MICROS)
    )
    if not 0 <= seconds <= _LONGEST_ACCURACY or not 0 <= millis <= 999 or not 0 <= micros <= 999:
        raise _malformed("an accuracy that is none")
    return timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)


def _refuse_critical(element: Element) -> None:
    for extension in der.members(element):
        parts = der.sequence(extension)
        if len(parts) not in (2, 3):
            raise _malformed(f"an extension has 2 or 3 parts, not {len(parts)}")
        oid = der.oid(parts[0])
        der.octet_string(parts[-1])
        if len(parts) == 3 and der.boolean(parts[1]):
            raise _malformed(f"extension {oid} is critical and not known here")


def _malformed(what: str) -> MalformedError:
    return MalformedError("timestamp.malformed", what)
