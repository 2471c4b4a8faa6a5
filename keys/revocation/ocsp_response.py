"""OCSP responses as they are read (RFC 6960 §4.2.1): a responder's words about single certificates.

A response that is read is not yet believed: `keys.revocation.ocsp` shows who signed it, and whether he may.
"""

import hashlib
from datetime import datetime

from msgspec import Struct

from keys import der
from keys.certificate import Certificate, parse_certificate
from keys.certificate.extensions import read_serial
from keys.der import Element
from keys.errors import MalformedError
from keys.revocation.distribution import tagged
from keys.revocation.entries import RevokedEntry, read_extensions, read_invalidity_date, read_reason

MAX_LENGTH = 256 * 1024  # bytes of a response; one with an answer and a certificate has about 2,000
MAX_ANSWERS = 256
MAX_CERTIFICATES = 8  # each may cost two signatures to look into

DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "1.2.156.10197.1.401": "sm3",
}
"""The digests of a CertID, by object identifier."""

BASIC, NONCE, ARCHIVE_CUTOFF = "1.3.6.1.5.5.7.48.1.1", "1.3.6.1.5.5.7.48.1.2", "1.3.6.1.5.5.7.48.1.6"
_INVALIDITY_DATE = "2.5.29.24"
_EXTENDED_REVOKE = "1.3.6.1.5.5.7.48.1.9"  # RFC 6960 §4.4.8: how the responder answers about what was never issued

# RFC 6960 §4.2.1; 4 is not used.
_STATUSES = {
    0: "successful",
    1: "malformedRequest",
    2: "internalError",
    3: "tryLater",
    5: "sigRequired",
    6: "unauthorized",
}

_GOOD, _REVOKED, _UNKNOWN = 0x80, 0xA1, 0x82  # CertStatus


class OcspAnswer(Struct, frozen=True, kw_only=True):
    """What a response says of one certificate.

    The certificate is named by a CertID: `digest` ("sha1", "sha256", "sha384", "sha512", "sm3", or the object
    identifier of one that is not known) of its issuer's Name and key, and its serial number. `status` is "good",
    "revoked" or "unknown"; of a revoked one `entry` says since when and why. `archive_cutoff`: certificates that ended
    since then are still spoken of (RFC 6960 §4.4.4). `unhandled` are critical extensions of the response or of this
    answer that are not understood: such an answer says nothing. `produced_at` is when the response was signed.
    """

    digest: str
    name_hash: bytes
    key_hash: bytes
    serial: int
    status: str
    this_update: datetime
    next_update: datetime | None
    produced_at: datetime
    entry: RevokedEntry | None = None
    archive_cutoff: datetime | None = None
    unhandled: tuple[str, ...] = ()

    @property
    def revoked_at(self) -> datetime | None:
        """Since when the certificate is revoked, None where it is not said to be."""
        return None if self.entry is None else self.entry.revoked_at

    @property
    def reason(self) -> str | None:
        """Why it was revoked, by the name in RFC 5280 §5.3.1; None where that is not given."""
        return None if self.entry is None else self.entry.reason


class OcspResponse(Struct, frozen=True, kw_only=True, eq=False):
    """A successful basic response. Two are equal when their bytes are.

    The responder is named by `responder_name` (a Name, DER) or by `responder_key` (SHA-1 of its key), never by both.
    `tbs` is what `signature` is over; `signature_algorithm` is an AlgorithmIdentifier (DER). `certificates` came with
    it, and nothing says that they belong to anything.
    """

    der: bytes
    digest: str  # "sha256:<hex>" of the bytes
    responder_name: bytes | None
    responder_key: bytes | None
    produced_at: datetime
    answers: tuple[OcspAnswer, ...]
    nonce: bytes | None
    certificates: tuple[Certificate, ...]
    tbs: bytes
    signature_algorithm: bytes
    signature: bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OcspResponse) and self.digest == other.digest

    def __ne__(self, other: object) -> bool:
        # msgspec's own is not the contrary of the method above.
        return not self == other

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"OcspResponse({self.digest}, produced_at={self.produced_at!r}, {len(self.answers)} answers)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # msgspec's own would show every field, and serial numbers may be of people's certificates.
        return [("digest", self.digest), ("produced_at", self.produced_at)]


def parse_ocsp(data: bytes, limit: int = MAX_LENGTH) -> OcspResponse:
    """Reads a response (DER) of at most `limit` bytes, with at most MAX_ANSWERS and MAX_CERTIFICATES.

    Raises MalformedError "ocsp.malformed", which says what is wrong and at which byte; "ocsp.not_successful", which
    names the status; "ocsp.not_basic" for another type of response.
    """
    if len(data) > limit:
        raise MalformedError("ocsp.malformed", f"{len(data)} bytes, of at most {limit}")
    try:
        return _response(data)
    except MalformedError as error:
        if error.code.startswith("ocsp."):
            raise
        raise MalformedError("ocsp.malformed", error.detail) from error


def _response(data: bytes) -> OcspResponse:
    """Reads OCSPResponse."""
    parts = der.sequence(der.parse(data))
    if not 1 <= len(parts) <= 2:
        raise _malformed(f"a response of {len(parts)} parts", 0)
    _refuse_failure(parts[0])
    if len(parts) == 1 or parts[1].tag != 0xA0:
        raise _malformed("success without an answer", parts[0].start)
    content = der.sequence(der.inside(parts[1]))
    if len(content) != 2:
        raise _malformed(f"response bytes of {len(content)} parts, not two", parts[1].start)
    kind = der.oid(content[0])
    if kind != BASIC:
        raise MalformedError("ocsp.not_basic", f"a response of the type {kind} (at byte {content[0].start})")
    der.octet_string(content[1])
    return _basic(data, der.inside(content[1]))


def _refuse_failure(element: Element) -> None:
    if element.tag != der.ENUMERATED:
        raise _malformed("a status that is not ENUMERATED", element.start)
    status = der.integer(der.retagged(element, der.INTEGER))
    if status not in _STATUSES:
        raise _malformed("an unknown status", element.start)
    if status:
        raise MalformedError("ocsp.not_successful", f"the responder answered: {_STATUSES[status]}")


def _basic(data: bytes, element: Element) -> OcspResponse:
    """Reads BasicOCSPResponse."""
    parts = der.sequence(element)
    if not 3 <= len(parts) <= 4:
        raise _malformed(f"a basic response of {len(parts)} parts", element.start)
    tbs, algorithm, signature = parts[:3]
    der.sequence(algorithm)
    signature_value = der.bit_string(signature)
    certificates = _certificates(parts[3]) if len(parts) == 4 else ()
    fields = list(der.sequence(tbs))
    if fields and fields[0].tag == 0xA0 and der.integer(der.inside(fields.pop(0))) != 0:
        raise _malformed("a version that is not 1", tbs.content)
    if not 3 <= len(fields) <= 4:
        raise _malformed(f"response data of {len(fields)} parts", tbs.start)
    name, key = _responder(fields[0])
    produced_at = _time(fields[1])
    nonce, unhandled = _response_extensions(fields[3]) if len(fields) == 4 else (None, ())
    answers = der.sequence(fields[2])
    if not 1 <= len(answers) <= MAX_ANSWERS:
        raise _malformed(f"{len(answers)} answers, of 1 to {MAX_ANSWERS}", fields[2].start)
    return OcspResponse(
        der=data,
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
        responder_name=name,
        responder_key=key,
        produced_at=produced_at,
        answers=tuple([_answer(answer, produced_at, unhandled) for answer in answers]),
        nonce=nonce,
        certificates=certificates,
        tbs=tbs.raw,
        signature_algorithm=algorithm.raw,
        signature=signature_value,
    )


def _certificates(element: Element) -> tuple[Certificate, ...]:
    if element.tag != 0xA0:
        raise _malformed(f"tag 0x{element.tag:02x} where certificates belong", element.start)
    found = der.sequence(der.inside(element))
    if len(found) > MAX_CERTIFICATES:
        raise _malformed(f"{len(found)} certificates, of at most {MAX_CERTIFICATES}", element.start)
    try:
        return tuple([parse_certificate(each.raw) for each in found])
    except MalformedError as error:
        raise _malformed(f"a certificate inside: {error.detail}", element.start) from error


def _responder(element: Element) -> tuple[bytes | None, bytes | None]:
    """Reads ResponderID: a Name or the digest of a key."""
    if element.tag == 0xA1:
        name = der.inside(element)
        der.sequence(name)
        return name.raw, None
    if element.tag == 0xA2:
        return None, der.octet_string(der.inside(element))
    raise _malformed(f"tag 0x{element.tag:02x} is no name of a responder", element.start)


def _answer(element: Element, produced_at: datetime, unhandled: tuple[str, ...]) -> OcspAnswer:
    """Reads SingleResponse."""
    parts = der.sequence(element)
    if not 3 <= len(parts) <= 5:
        raise _malformed(f"an answer of {len(parts)} parts", element.start)
    digest, name_hash, key_hash, serial = _certificate_id(parts[0])
    rest = tagged(parts[3:], (0xA0, 0xA1))
    archive_cutoff = invalid_since = None
    if 0xA1 in rest:
        archive_cutoff, invalid_since, more = _answer_extensions(rest[0xA1])
        unhandled = tuple(sorted({*unhandled, *more}))
    status, entry = _status(parts[1], serial, invalid_since)
    return OcspAnswer(
        digest=digest,
        name_hash=name_hash,
        key_hash=key_hash,
        serial=serial,
        status=status,
        this_update=_time(parts[2]),
        next_update=_time(der.inside(rest[0xA0])) if 0xA0 in rest else None,
        produced_at=produced_at,
        entry=entry,
        archive_cutoff=archive_cutoff,
        unhandled=unhandled,
    )


def _certificate_id(element: Element) -> tuple[str, bytes, bytes, int]:
    parts = der.sequence(element)
    if len(parts) != 4:
        raise _malformed(f"a certificate's id of {len(parts)} parts, not four", element.start)
    algorithm = der.sequence(parts[0])
    if not 1 <= len(algorithm) <= 2:
        raise _malformed(f"a digest algorithm of {len(algorithm)} parts", parts[0].start)
    digest = der.oid(algorithm[0])
    if len(algorithm) == 2:
        der.null(algorithm[1])
    return DIGESTS.get(digest, digest), der.octet_string(parts[1]), der.octet_string(parts[2]), read_serial(parts[3])


def _status(element: Element, serial: int, invalid_since: datetime | None) -> tuple[str, RevokedEntry | None]:
    """Reads CertStatus."""
    if element.tag in (_GOOD, _UNKNOWN):
        der.null(der.retagged(element, der.NULL))
        return "good" if element.tag == _GOOD else "unknown", None
    if element.tag != _REVOKED:
        raise _malformed(f"tag 0x{element.tag:02x} is no status", element.start)
    parts = der.members(element)
    if not parts:
        raise _malformed("a revocation without a time", element.start)
    given = tagged(parts[1:], (0xA0,))
    reason = read_reason(der.inside(given[0xA0])) if given else None
    return "revoked", RevokedEntry(serial, _time(parts[0]), reason, invalid_since, None)


def _answer_extensions(element: Element) -> tuple[datetime | None, datetime | None, tuple[str, ...]]:
    """Archive cutoff, invalidity date (RFC 6960 §4.4.5 has those of CRL entries here), and what is not understood."""
    found = read_extensions(der.inside(element))
    values = {name: der.inside(value) for name, (_, value) in found.items() if name in _OF_ANSWERS}
    return (
        _time(values[ARCHIVE_CUTOFF]) if ARCHIVE_CUTOFF in values else None,
        read_invalidity_date(values[_INVALIDITY_DATE]) if _INVALIDITY_DATE in values else None,
        tuple(sorted(name for name, (critical, _) in found.items() if critical and name not in _OF_ANSWERS)),
    )


_OF_ANSWERS = frozenset((ARCHIVE_CUTOFF, _INVALIDITY_DATE))


def _response_extensions(element: Element) -> tuple[bytes | None, tuple[str, ...]]:
    """The nonce, and critical extensions that are not understood."""
    if element.tag != 0xA1:
        raise _malformed(f"tag 0x{element.tag:02x} where extensions belong", element.start)
    found = read_extensions(der.inside(element))
    nonce = der.octet_string(der.inside(found[NONCE][1])) if NONCE in found else None
    known = (NONCE, _EXTENDED_REVOKE)
    return nonce, tuple(sorted(name for name, (critical, _) in found.items() if critical and name not in known))


def _time(element: Element) -> datetime:
    # RFC 6960 §4.2.2.1: GeneralizedTime, as RFC 5280 §4.1.2.5.2 has it.
    if element.tag != der.GENERALIZED_TIME:
        raise _malformed("a time that is not GeneralizedTime", element.start)
    return der.time(element)


def _malformed(what: str, at: int) -> MalformedError:
    return MalformedError("ocsp.malformed", f"{what} (at byte {at})")
