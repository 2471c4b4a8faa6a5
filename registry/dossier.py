"""Everything that one question is judged on, as one read of the store found it."""

from dataclasses import dataclass
from datetime import datetime

from registry.credential import Credential
from registry.policy import Policy
from registry.profile import CredentialProfile
from registry.query import RecognitionQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCredential:
    """The version of a credential that was known at the query's `known_at`."""

    id: str
    credential: Credential
    digest: str
    known_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterState:
    """How far a competent register's knowledge reached: `as_of` is None where it never reported."""

    issuer: str
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """A query with what is held about it.

    `held` are all matches, `registers` those of the competent issuers that were searched: of a single match only
    its own issuer's, otherwise every register that could hold the number.
    """

    query: RecognitionQuery
    profile: CredentialProfile
    policy: Policy
    held: tuple[HeldCredential, ...]
    registers: tuple[RegisterState, ...]
