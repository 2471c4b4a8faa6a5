"""Which steps of a credential count: those whose statement is by a key of the issuer that was safe when they came in.

A step that does not count is nobody's word. But it may repeat what the issuer meant, such as a revocation, so there is
doubt until the issuer states anything about the credential with a key that counts: it names the version that it rests
on, and so has seen what was there.
"""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from registry.credential import Attestation, Credential
from registry.issuer import KeyRegister


class Doubt(Struct, frozen=True, kw_only=True):
    """What does not count and was not answered by the issuer since: by which key, and when it came in.

    `known`: the issuer has such a key, which is not safe. `whole`: it is the registration itself.
    """

    kid: str
    recorded_at: datetime
    known: bool
    whole: bool


class Counted(Struct, frozen=True, kw_only=True):
    """A credential with the steps that count, and the doubt that is left, if any."""

    credential: Credential
    doubt: Doubt | None


def counted(credential: Credential, keys: KeyRegister) -> Counted:
    """What of a credential counts by the keys as they are known. What nobody signed is as it is."""
    if credential.statement is None and not (credential.events and credential.attested()):
        return Counted(credential=credential, doubt=None)
    steps = [event for event in credential.events if _counts(credential, event.statement, event.recorded_at, keys)]
    good = [event.recorded_at for event in steps]
    if _counts(credential, credential.statement, credential.recorded_at, keys):
        good.append(credential.recorded_at)
    last = max(good, default=None)
    doubts = [
        Doubt(kid=statement.kid, recorded_at=at, known=statement.kid in keys.by_kid, whole=at == credential.recorded_at)
        for at, statement in credential.attested()
        if (last is None or at > last) and not _counts(credential, statement, at, keys)
    ]
    kept = credential if len(steps) == len(credential.events) else replace(credential, events=tuple(steps))
    return Counted(credential=kept, doubt=doubts[0] if doubts else None)


def _counts(credential: Credential, statement: Attestation | None, recorded_at: datetime, keys: KeyRegister) -> bool:
    if statement is None:
        # Of a signed register everything is signed; where nothing is, there is nothing to hold it against.
        return credential.statement is None
    return keys.counts(credential.issuer, statement.kid, recorded_at) is True
