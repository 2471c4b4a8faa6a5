"""Status List Tokens (draft-ietf-oauth-status-list §5.1): what they claim, for how long, and what they prove."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from keys import strict_json
from keys.errors import MalformedError
from registry.status_index import PLACES
from registry.status_list import INVALID, SUSPENDED, VALID, compressed_member, read, read_member

STATUS_LIST_TYPE = "statuslist+jwt"
MAX_LENGTH = 512 * 1024
"""Characters of a token: a list of all places in 2 bits that nothing can compress has fewer."""
BITS = (1, 2)
"""The sizes of a status in which every list is served."""
TTL = 300
"""Seconds after which whoever keeps a list should fetch it anew."""

_SLOT = 12 * 3600  # seconds; a list is good until the end of the next slot, where nothing turns before
_MICROS = 1_000_000
_MOST_EXPANDED = PLACES  # bytes: as many statuses of 8 bits


class Term(Struct, frozen=True, kw_only=True):
    """For how long a list speaks, in seconds since 1970: from `iat` until before `exp`; `ttl` is a span of seconds."""

    iat: int
    exp: int
    ttl: int


class ListClaims(Struct, frozen=True, kw_only=True):
    """What a token says: whose list it is, of when, and the statuses, still compressed.

    `livemode` is false where the list says that it has no force.
    """

    sub: str
    iat: int
    exp: int
    livemode: bool
    bits: int
    compressed: bytes


def term(at: int, since: int | None, until: int | None, learnt: int | None) -> Term:
    """For how long the list of an instant speaks: `at` lies in it, and nothing turns in it.

    It is a function of what the store holds and of the slot of time, so that all processes of a node say the same,
    and a list that does not change keeps its ETag. `at` is in seconds; in microseconds: nothing turns from `since`
    until before `until`, and the register last learnt of a turn at `learnt`. A turn within the very second of `at` ends
    the term with that second.
    """
    slot = at - at % _SLOT
    begins = [slot]
    if since is not None:
        begins.append(-(-since // _MICROS))
    if learnt is not None and learnt // _MICROS <= at:
        begins.append(learnt // _MICROS)
    exp = slot + 2 * _SLOT
    if until is not None:
        exp = max(min(exp, until // _MICROS), at + 1)
    left = exp - at
    # Near the end in powers of two, so that a kept list does not outlive it and few different ones are signed.
    ttl = TTL if left >= TTL else 1 << left.bit_length() - 1
    return Term(iat=max(begins), exp=exp, ttl=ttl)


def token_claims(uri: str, span: Term, compressed: bytes, bits: int, *, issuer: str, livemode: bool) -> dict[str, Any]:
    """The claims of a token; `uri` is where the list is found. Raises ValueError for a size that is none."""
    return {
        "iss": issuer,
        "sub": uri,
        "iat": span.iat,
        "exp": span.exp,
        "ttl": span.ttl,
        "livemode": livemode,
        "status_list": compressed_member(compressed, bits),
    }


def read_claims(payload: bytes) -> ListClaims:
    """Reads the claims of a token whose signature was verified. Raises MalformedError "status_list.malformed".

    `exp` is demanded, though the draft only recommends it: a list without an end would be taken for today's for ever.
    """
    try:
        content = strict_json.decode_object(payload)
    except MalformedError as error:
        raise _malformed(error.detail) from error
    member = content.get("status_list")
    if not isinstance(member, Mapping):
        raise _malformed('"status_list" is not an object')
    bits, compressed = read_member(member)
    sub = content.get("sub")
    if not isinstance(sub, str):
        raise _malformed('"sub" is not a string')
    return ListClaims(
        sub=sub,
        iat=_seconds(content, "iat"),
        exp=_seconds(content, "exp"),
        livemode=content.get("livemode") is not False,
        bits=bits,
        compressed=compressed,
    )


def status_in(claims: ListClaims, index: int, at: int, uri: str | None = None) -> int:
    """The status at an index: VALID, INVALID or SUSPENDED, and nothing else.

    `at`, in seconds, must lie in the list's term (§8.4), and `uri`, where it is given, must be the list's (§8.3).
    Raises MalformedError "status_list.other", "status_list.not_yet", "status_list.expired", "status_list.index",
    "status_list.status" for a status of another meaning, "status_list.malformed". None of these is VALID.
    """
    if uri is not None and claims.sub != uri:
        raise MalformedError("status_list.other", f"this is the list {claims.sub!r}, not {uri!r}")
    if at < claims.iat:
        raise MalformedError("status_list.not_yet", f"it speaks from {claims.iat} on, and not yet of {at}")
    if at >= claims.exp:
        raise MalformedError("status_list.expired", f"it speaks until {claims.exp}, and no longer of {at}")
    status = read(claims.compressed, claims.bits, index, limit=_MOST_EXPANDED)
    if status not in (VALID, INVALID, SUSPENDED):
        raise MalformedError("status_list.status", f"status {status} has no meaning here")
    return status


def _seconds(content: Mapping[str, object], name: str) -> int:
    value = content.get(name)
    # True is an int and no time.
    if type(value) is not int:
        raise _malformed(f'"{name}" is not a whole number of seconds')
    return value


def _malformed(what: str) -> MalformedError:
    return MalformedError("status_list.malformed", f"not a status list token: {what}")
