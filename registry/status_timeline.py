"""When the lifecycle status of a credential turns, as one version of it knows, and how a whole list stands then.

Statuses are those of a status list. They say nothing of the validity period, which stands in the credential.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from registry.attested import counted
from registry.credential import Credential, read_version
from registry.issuer import KeyRegister
from registry.period import to_micros
from registry.status_list import INVALID, SUSPENDED, VALID

Turn = tuple[int, int]
"""From an instant on (microseconds since 1970) a status holds, until the next turn."""

STATUSES = {
    "valid": VALID,
    "suspended": SUSPENDED,
    "revoked": INVALID,
    "cancelled": INVALID,
    "superseded": INVALID,
}
"""The status in a list of every status of `registry.credential.CredentialState`."""

_TURN = struct.Struct(">qB")


class _Events(Struct):
    events: tuple[Raw, ...]


_decode_events = Decoder(_Events).decode


class Standing(Struct, frozen=True, kw_only=True):
    """How the credentials of a list stand from `since` until before `until`, in microseconds; None: always, for ever.

    `exceptions` has the status of every index that is not VALID.
    """

    exceptions: Mapping[int, int]
    since: int | None
    until: int | None


def turns_of(content: bytes) -> tuple[Turn, ...]:
    """The turns of a version, by its canonical content; it is VALID before the first. Raises ValueError as a version.

    Most versions have no event, and are not decoded any further.
    """
    try:
        if not _decode_events(content).events:
            return ()
    except MsgspecError as error:
        raise ValueError(f"no version of a credential: {error}") from None
    return turns_of_credential(read_version(content))


def turns_of_credential(credential: Credential) -> tuple[Turn, ...]:
    """The turns of a version that was read."""
    turns: list[Turn] = []
    status = VALID
    for instant in sorted({event.effective_at for event in credential.events}):
        before, status = status, STATUSES[credential.state_at(instant).status]
        if status != before:
            turns.append((to_micros(instant), status))
    return tuple(turns)


def counted_turns(credential: Credential, keys: KeyRegister) -> tuple[Turn, ...]:
    """The turns by the steps that count. Where the issuer has not settled what does not, it is never VALID."""
    known = counted(credential, keys)
    if known.doubt is not None:
        return ((to_micros(min(credential.issued_at, credential.recorded_at)), SUSPENDED),)
    return turns_of_credential(known.credential)


def write_turns(turns: Iterable[Turn]) -> bytes:
    """Nine octets for each turn."""
    return b"".join([_TURN.pack(*turn) for turn in turns])


def read_turns(octets: bytes) -> tuple[Turn, ...]:
    """Reads what `write_turns` wrote. Raises ValueError for anything that is not in order of time."""
    if len(octets) % _TURN.size:
        raise ValueError("turns have nine octets each")
    turns = tuple(_TURN.iter_unpack(octets))
    before: Turn | None = None
    for turn in turns:
        if turn[1] > SUSPENDED or (before is not None and before >= turn):
            raise ValueError("turns are in order of time, and each to a status")
        before = turn
    return turns


def standing_at(timelines: Mapping[int, Sequence[Turn]], instant: int) -> Standing:
    """How a list stands at an instant (microseconds since 1970), by the turns of its credentials by their index."""
    exceptions: dict[int, int] = {}
    since: int | None = None
    until: int | None = None
    for index, turns in timelines.items():
        status = VALID
        for turned, turned_to in turns:
            if turned > instant:
                until = turned if until is None else min(until, turned)
                break
            status = turned_to
            since = turned if since is None else max(since, turned)
        if status != VALID:
            exceptions[index] = status
    return Standing(exceptions=exceptions, since=since, until=until)


def in_one_bit(exceptions: Mapping[int, int]) -> dict[int, int]:
    """The same where a status has one bit: what is suspended does not count, so it is INVALID there."""
    return dict.fromkeys(exceptions, INVALID)
