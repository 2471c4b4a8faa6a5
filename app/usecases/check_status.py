"""Decide from a saved status list, offline, whether a credential counts as valid, invalid or suspended."""

from dataclasses import dataclass

from app.usecases.verify_receipt import ALGORITHMS
from keys.errors import KeysError
from keys.jws import verify_compact
from keys.key_ring import KeyRing
from registry.status_list import INVALID, SUSPENDED, VALID
from registry.status_token import MAX_LENGTH, STATUS_LIST_TYPE, ListClaims, read_claims, status_in

NAMES = {VALID: "valid", INVALID: "invalid", SUSPENDED: "suspended"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusVerdict:
    """A status by its name, or None with what is wrong (code and detail). `claims` is None where nothing was signed."""

    status: str | None
    kid: str | None
    code: str | None
    why: str | None
    claims: ListClaims | None


def check_status(token: str, ring: KeyRing, index: int, at: int, uri: str | None = None) -> StatusVerdict:
    """Judges a list by the keys in hand and the instant `at`, in seconds since 1970. Total over any text.

    Whatever is not shown is no status: a list that is not signed by one of the keys, is of another type, does not speak
    of the instant, is not the one at `uri`, cannot be read, or has no such index.
    """
    kid: str | None = None
    claims: ListClaims | None = None
    try:
        verified = verify_compact(token, ring, STATUS_LIST_TYPE, ALGORITHMS, MAX_LENGTH)
        kid, claims = verified.kid, read_claims(verified.payload)
        status = NAMES[status_in(claims, index, at, uri)]
    except KeysError as error:
        return StatusVerdict(status=None, kid=kid, code=error.code, why=error.detail, claims=claims)
    return StatusVerdict(status=status, kid=kid, code=None, why=None, claims=claims)
