"""Asking a timestamp authority and reading its answer (RFC 3161 §2.4); how the bytes travel is the caller's matter."""

from datetime import datetime, timedelta

from keys import der
from keys.content import digested
from keys.der import Element
from keys.errors import MalformedError, SignatureError, quoted
from keys.revocation.names import wrapped
from keys.timestamp.info import DIGEST_OIDS, TimestampInfo

QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"
"""The media types of request and answer (RFC 3161 §3.4)."""

# RFC 3161 §2.4.2.
_STATUSES = (
    "granted",
    "grantedWithMods",
    "rejection",
    "waiting",
    "revocationWarning",
    "revocationNotification",
)
_GRANTED = (0, 1)
_FAILURES = {
    0: "badAlg",
    2: "badRequest",
    5: "badDataFormat",
    14: "timeNotAvailable",
    15: "unacceptedPolicy",
    16: "unacceptedExtension",
    17: "addInfoNotAvailable",
    25: "systemFailure",
}
_LONGEST_FAILURES = 5  # bytes of a BIT STRING
_UTF8_STRING = 0x0C
_NULL = b"\x05\x00"


def write_request(digest_name: str, digest: bytes, nonce: int, *, certificates: bool = True) -> bytes:
    """Writes TimeStampReq, DER, for a digest by one of `keys.content.DIGESTS`.

    `nonce` should be a random number of 64 bits and not negative; with `certificates` the authority is asked for its
    own. Raises MalformedError "digest.malformed" for another kind of digest or another length.
    """
    if digest_name not in DIGEST_OIDS:
        raise MalformedError("digest.malformed", f"{quoted(digest_name)} is not one of {', '.join(DIGEST_OIDS)}")
    digested(digest_name, digest)
    # Of the SHA family authorities expect NULL; GM/T 0006 has nothing after SM3.
    algorithm = _oid(DIGEST_OIDS[digest_name]) + (b"" if digest_name == "sm3" else _NULL)
    imprint = wrapped(der.SEQUENCE, wrapped(der.SEQUENCE, algorithm) + wrapped(der.OCTET_STRING, digest))
    asked = wrapped(der.BOOLEAN, b"\xff") if certificates else b""
    return wrapped(der.SEQUENCE, _integer(1) + imprint + _integer(nonce) + asked)


def read_response(data: bytes) -> bytes:
    """Reads TimeStampResp, DER, and gives the token in it, which is not looked at.

    Raises MalformedError "timestamp.malformed", or "timestamp.refused" that names the status and the reasons given.
    """
    try:
        return _response(der.sequence(der.parse(data)))
    except MalformedError as error:
        if error.code == "timestamp.refused":
            raise
        raise MalformedError("timestamp.malformed", f"TimeStampResp: {error.detail}") from error


def check_answer(
    info: TimestampInfo, digest_name: str, digest: bytes, nonce: int, *, now: datetime, skew: timedelta
) -> None:
    """Holds an answer against its request: it may be to another one, or to an older one (RFC 3161 §2.4.2).

    `skew` is how far the authority's clock may be from ours. Raises SignatureError "timestamp.imprint_wrong",
    "timestamp.nonce_wrong", "timestamp.time_wrong".
    """
    if (info.digest_name, info.imprint) != (digest_name, digest):
        raise SignatureError("timestamp.imprint_wrong", "the authority timestamped another digest than it was sent")
    if info.nonce != nonce:
        raise SignatureError("timestamp.nonce_wrong", "the answer does not have the nonce of the request")
    if abs(info.gen_time - now) > skew:
        raise SignatureError("timestamp.time_wrong", f"the authority says {info.gen_time.isoformat()}, not now")


def _response(parts: tuple[Element, ...]) -> bytes:
    if len(parts) not in (1, 2):
        raise MalformedError("der.malformed", f"{len(parts)} members, not 1 or 2")
    status = der.sequence(parts[0])
    if not 1 <= len(status) <= 3:
        raise MalformedError("der.malformed", f"a status with {len(status)} members, not 1 to 3")
    number = der.integer(status[0])
    if number not in _GRANTED:
        raise MalformedError("timestamp.refused", _refusal(number, status[1:]))
    if len(parts) == 1:
        raise MalformedError("der.malformed", "granted, but without a token")
    return parts[1].raw


def _refusal(number: int, more: tuple[Element, ...]) -> str:
    """Says in words what a status that grants nothing says."""
    known = 0 <= number < len(_STATUSES)
    told = [f"the authority's status is {_STATUSES[number] if known else 'not a known one'}"]
    for element in more:
        if element.tag == der.BIT_STRING:
            if element.end - element.content > _LONGEST_FAILURES:
                raise MalformedError("der.malformed", "a failInfo of more bits than there are failures")
            told += [_FAILURES.get(bit, f"failure {bit}") for bit in sorted(der.named_bits(element))]
        else:
            texts = (text.value for text in der.sequence(element)[:4] if text.tag == _UTF8_STRING)
            told += [quoted(text.decode("utf-8", "replace")) for text in texts]
    return ", ".join(told)


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    return wrapped(der.OID, b"".join(map(_arc, (40 * first + second, *rest))))


def _arc(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.append(number & 0x7F | 0x80)
    return bytes(reversed(octets))


def _integer(value: int) -> bytes:
    return wrapped(der.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
