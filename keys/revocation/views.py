"""What lists and answers say of one certificate, and what complete lists with their deltas make of it together."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from keys.revocation.crl import RevocationList
from keys.revocation.entries import RevokedEntry

REMOVED = "removeFromCRL"


class Statement(Struct, frozen=True):
    """What one list, or one answer (without `crl`), says of the certificate.

    `reasons`: those it speaks for, none where only its entries count. `keeps`: it also speaks of what has ended.
    """

    at: datetime
    until: datetime
    entries: tuple[RevokedEntry, ...]
    reasons: frozenset[str]
    digest: str
    crl: RevocationList | None = None
    keeps: bool = False


class View(Struct, frozen=True):
    """What a complete list says, or one with the delta that brings it up to date, or (`single`) an answer."""

    at: datetime
    until: datetime
    entries: tuple[RevokedEntry, ...]
    reasons: frozenset[str]
    crls: tuple[str, ...]
    single: bool = False
    keeps: bool = False


def views_of(statements: Sequence[Statement]) -> list[View]:
    """Every complete list, every delta on the latest complete list that it continues, and every answer."""
    complete = [each.crl for each in statements if each.crl is not None and each.crl.base_number is None]
    of_list = {statement.digest: statement for statement in statements}
    views = []
    for statement in statements:
        crl, entries = statement.crl, statement.entries
        digests: tuple[str, ...] = (statement.digest,)
        if crl is not None and crl.base_number is not None:
            bases = [base for base in complete if _continues(crl, base)]
            if not bases:
                continue
            base = max(bases, key=lambda each: (each.number, each.this_update, each.digest))
            # RFC 5280 §5.2.4: what the delta says of a certificate replaces what its base says.
            if entries:
                entries = tuple(entry for entry in entries if entry.reason != REMOVED)
            else:
                entries = of_list[base.digest].entries
            digests = (base.digest, statement.digest)
        views.append(
            View(statement.at, statement.until, entries, statement.reasons, digests, crl is None, statement.keeps)
        )
    return views


def _continues(delta: RevocationList, base: RevocationList) -> bool:
    """RFC 5280 §5.2.4 (a) to (d), §6.3.3 (c): same issuer, scope and key, and numbers in their order."""
    if delta.number is None or delta.base_number is None or base.number is None:
        return False
    return (
        delta.base_number <= base.number < delta.number
        and delta.issuer_key == base.issuer_key
        and delta.distribution == base.distribution
        and delta.authority_key_id == base.authority_key_id
    )
