"""Everything that one question is judged on, as one read of the store found it."""

from datetime import datetime

from msgspec import Struct

from registry.credential import Credential
from registry.evidence import LockEvidence
from registry.log.checkpoint import TreeHead
from registry.policy import Policy
from registry.profile import CredentialProfile
from registry.query import RecognitionQuery


class HeldCredential(Struct, frozen=True, kw_only=True):
    """The version of a credential that was known at the query's `known_at`."""

    id: str
    credential: Credential
    digest: str
    known_from: datetime


class RegisterState(Struct, frozen=True, kw_only=True):
    """How far a competent register's knowledge reached: `as_of` is None where it never reported."""

    issuer: str
    as_of: datetime | None


class Dossier(Struct, frozen=True, kw_only=True):
    """A query with what is held about it.

    `held` are all matches, `registers` those of the competent issuers that were searched: of a single match only
    its own issuer's, otherwise every register that could hold the number. `lock` goes with a query by certificate,
    `head` is that of the log that the read saw.
    """

    query: RecognitionQuery
    profile: CredentialProfile
    policy: Policy
    held: tuple[HeldCredential, ...]
    registers: tuple[RegisterState, ...]
    lock: LockEvidence | None = None
    head: TreeHead | None = None
