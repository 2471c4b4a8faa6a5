"""Take in what an issuer states: register a credential, or add a step to its life."""

import hashlib
import json
from datetime import datetime

from msgspec import Struct

from app.ports import Answer, Intake, Once, Principal, Taken, VersionRow
from app.usecases.version_row import person_salt, version_row
from keys import base64url
from registry.canonical import canonical_json
from registry.dossier import HeldCredential
from registry.errors import Fault, QueryRefused
from registry.intake import add_event, register
from registry.policy import Policy, PolicyHistory
from registry.statement import Statement, check_key, open_statement, refused


class Submission(Struct, frozen=True, kw_only=True):
    """A statement as it was sent in, and by whom.

    `credential_id` is what the address names, None to register one. `expected` are the versions of `If-Match`, None
    where none was named. `key` is the Idempotency-Key, None where there is none.
    """

    token: str
    principal: Principal
    credential_id: str | None
    expected: frozenset[str] | None
    key: str | None


class StatementTaker:
    """Judges statements and enters those that stand. Blocks: a write returns when what it wrote is known."""

    def __init__(self, intake: Intake, secret: bytes) -> None:
        self._intake, self._secret = intake, secret

    def take(self, submission: Submission, policies: PolicyHistory, now: datetime) -> Taken:
        """Enters what a submission states. Raises `QueryRefused`, `StoreError`, and `PolicyMoved`: judge anew."""
        policy = policies.latest
        statement = open_statement(submission.token, policy.keys)
        _check_caller(submission, statement)

        def judge(held: HeldCredential | None, recorded_at: datetime) -> VersionRow:
            check_key(statement, policy.keys, now)
            if statement.credential_id is None:
                new = register(statement, policy, recorded_at, self._salt)
                return version_row(new.id, new.number, new.credential)
            if held is None:
                raise refused("credential.not_found", "/credential_id")
            if held.digest not in (submission.expected or frozenset()):
                raise QueryRefused(Fault(pointer="", code="credential.changed", params={"version": held.digest}))
            number = policy.profiles[held.credential.type].number.normalise(held.credential.number)
            return version_row(
                held.id, number, add_event(statement, held.credential, policy, recorded_at, self._salt(held.id))
            )

        token = submission.token.encode()
        asked = f"{submission.credential_id}\n{sorted(submission.expected or ())}\n".encode() + token
        once = None
        if submission.key is not None:
            request = hashlib.sha256(asked).hexdigest()
            once = Once(principal=submission.principal.key_id, key=submission.key, request=request)
        return self._intake.take_in(token, statement, once, policies.generation, judge, _answer(statement))

    def _salt(self, credential_id: str) -> str:
        return person_salt(self._secret, credential_id)


def _check_caller(submission: Submission, statement: Statement) -> None:
    """An issuer sends in its own statements, to the address that they are for."""
    principal = submission.principal
    if "credentials.write" not in principal.scopes:
        raise QueryRefused(Fault(pointer="", code="auth.forbidden", params={"why": "credentials.write"}))
    if principal.issuer != statement.issuer:
        owner = principal.issuer or principal.role
        raise QueryRefused(Fault(pointer="", code="auth.forbidden", params={"why": f"{owner} ≠ {statement.issuer}"}))
    stated, asked = statement.credential_id, submission.credential_id
    if (stated is None) != (asked is None):
        wanted = "credential" if asked is None else "credential_id, event"
        raise refused("statement.kind_wrong", wanted=wanted)
    if stated is not None and stated != asked:
        raise refused("statement.credential_id_wrong", "/credential_id", stated=stated[:64], asked=(asked or "")[:64])


def _answer(statement: Statement) -> Answer:
    """What the submitter is told, in no language: it is given again, to whoever asks in whichever."""

    def answer(row: VersionRow, recorded_at: datetime, place: int) -> bytes:
        return canonical_json(
            {
                "id": row.credential_id,
                "type": row.type,
                "number": row.number,
                "issuer": row.issuer,
                "version": row.digest,
                "statement": statement.attestation.digest,
                "recorded_at": recorded_at,
                "log_index": place,
            }
        )

    return answer


def is_public(token: bytes, policy: Policy) -> bool:
    """Whether anybody may read a statement that was taken in.

    It names no natural person, and holds no attribute that is not shown of a credential.
    """
    claims = json.loads(base64url.decode(token.decode("ascii").split(".")[1]))
    said = claims.get("credential") or claims["event"].get("changes") or {}
    profile = policy.profiles.get(claims["profile"]["type"])
    fields = {} if profile is None else profile.attributes
    shown = all(name in fields and fields[name].public for name in said.get("attributes", {}))
    return shown and said.get("subject", {}).get("kind") != "person"
