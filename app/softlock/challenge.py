"""What a soft lock is asked to sign, as an integrator's program has it in hand."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

import orjson

HEAD = b"accord-challenge-v1\n"
"""What every challenge begins with, so that a lock signs nothing that could be taken for another document."""

MAX_LENGTH = 64 * 1024  # bytes of an answer; one of ours has less than 2,000

_NAMES = ("challenge_id", "relying_party", "purpose")


class ChallengeRefused(Exception):
    """What was given is not a challenge; `str()` says in one line what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenChallenge:
    """A challenge: its bytes, and what they say of themselves."""

    to_be_signed: bytes
    id: str
    relying_party: str
    purpose: str


def read_challenge(content: bytes) -> GivenChallenge:
    """Reads the answer of `POST /v1/ca/challenges`, or its `to_be_signed` alone. Raises `ChallengeRefused`."""
    if len(content) > MAX_LENGTH:
        raise ChallengeRefused(f"more than {MAX_LENGTH} bytes")
    text = content.strip()
    answer: dict[str, Any] = {}
    if text.startswith(b"{"):
        answer = _object(text, "the answer")
        given = answer.get("to_be_signed")
        if not isinstance(given, str):
            raise ChallengeRefused("the JSON has no to_be_signed; give the answer of POST /v1/ca/challenges")
        text = given.encode("utf-8", "replace")
    to_be_signed = _decoded(text)
    if not to_be_signed.startswith(HEAD):
        raise ChallengeRefused(f"not a challenge: it does not begin with {HEAD.decode().strip()!r}")
    statement = _object(to_be_signed.removeprefix(HEAD), "the challenge")
    said = {name: statement.get(name) for name in _NAMES}
    if not all(isinstance(value, str) for value in said.values()):
        raise ChallengeRefused(f"the challenge does not say its {', '.join(_NAMES)}")
    if answer.get("challenge_id", said["challenge_id"]) != said["challenge_id"]:
        raise ChallengeRefused("challenge_id is not that of to_be_signed")
    return GivenChallenge(
        to_be_signed=to_be_signed,
        id=str(said["challenge_id"]),
        relying_party=str(said["relying_party"]),
        purpose=str(said["purpose"]),
    )


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(re.sub(rb"\s+", b"", text), validate=True)
    except binascii.Error:
        raise ChallengeRefused("neither JSON nor base64") from None


def _object(content: bytes, what: str) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ChallengeRefused(f"{what} is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise ChallengeRefused(f"{what} is not a JSON object")
    return found
