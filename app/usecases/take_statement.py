"""Take in what an issuer states: register a credential, or add a step to its life."""

import hashlib
import json
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from app.ports import Answer, Intake, Once, Principal, ReportAnswer, Taken, VersionRow
from app.usecases.version_row import person_salt, version_row
from keys import base64url
from registry.canonical import canonical_json
from registry.dossier import HeldCredential
from registry.errors import Fault, QueryRefused
from registry.intake import add_event, register, reported
from registry.policy import Policy, PolicyHistory
from registry.statement import Statement, check_key, open_statement, refused


class Submission(Struct, frozen=True, kw_only=True):
    """A statement as it was sent in, and by whom.

    `about` is what the address takes: "credential" to register one, "event" for a step of `credential_id`, "register".
    `expected` are the versions of `If-Match`, None where none was named. `key` is the Idempotency-Key, if there is one.
    """

    token: str
    principal: Principal
    about: str
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
        given = (submission.token.encode(), statement, _once(submission), policies.generation)
        if statement.register is not None:

            def judge_report(recorded_at: datetime) -> datetime:
                check_key(statement, policy.keys, now, recorded_at)
                return reported(statement, policy, now)

            return self._intake.take_report(*given, judge_report, _report_answer(statement))

        def judge(held: HeldCredential | None, recorded_at: datetime) -> VersionRow:
            check_key(statement, policy.keys, now, recorded_at)
            return self._version(submission, statement, held, policy, recorded_at)

        return self._intake.take_in(*given, judge, _answer(statement))

    def _version(
        self,
        submission: Submission,
        statement: Statement,
        held: HeldCredential | None,
        policy: Policy,
        recorded_at: datetime,
    ) -> VersionRow:
        if statement.credential_id is None:
            new = register(statement, policy, recorded_at, self._salt)
            row = version_row(new.id, new.number, new.credential)
            return replace(row, unique_number=policy.profiles[row.type].number.unique_within == "type")
        if held is None:
            raise refused("credential.not_found", "/credential_id")
        if held.digest not in (submission.expected or frozenset()):
            raise QueryRefused(Fault(pointer="", code="credential.changed", params={"version": held.digest}))
        number = policy.profiles[held.credential.type].number.normalise(held.credential.number)
        credential = add_event(statement, held.credential, policy, recorded_at, self._salt(held.id))
        return version_row(held.id, number, credential)

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
    if getattr(statement, submission.about) is None:
        raise refused("statement.kind_wrong", wanted=submission.about)
    stated, asked = statement.credential_id, submission.credential_id
    if stated is not None and stated != asked:
        raise refused("statement.credential_id_wrong", "/credential_id", stated=stated[:64], asked=(asked or "")[:64])


def _once(submission: Submission) -> Once | None:
    """What makes a request the same as an earlier one: everything that it asks for."""
    if submission.key is None:
        return None
    asked = f"{submission.about}\n{submission.credential_id}\n{sorted(submission.expected or ())}\n{submission.token}"
    request = hashlib.sha256(asked.encode()).hexdigest()
    return Once(principal=submission.principal.key_id, key=submission.key, request=request)


def _report_answer(statement: Statement) -> ReportAnswer:
    def answer(as_of: datetime, recorded_at: datetime, place: int) -> bytes:
        return canonical_json(
            {
                "issuer": statement.issuer,
                "type": statement.type,
                "as_of": as_of,
                "statement": statement.attestation.digest,
                "recorded_at": recorded_at,
                "log_index": place,
            }
        )

    return answer


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
    claims = _claims(token)
    said = claims.get("credential") or claims.get("event", {}).get("changes") or {}
    profile = policy.profiles.get(claims["profile"]["type"])
    fields = {} if profile is None else profile.attributes
    shown = all(name in fields and fields[name].public for name in said.get("attributes", {}))
    return shown and said.get("subject", {}).get("kind") != "person"


def _claims(token: bytes) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64url.decode(token.decode("ascii").split(".")[1]))
    return claims
