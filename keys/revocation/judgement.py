"""Whether a certificate was revoked at an instant, by the lists that were known at another (RFC 5280 §6.3).

Nothing here asks who signed a list: the caller gives only lists that `verify_crl` has shown to be signed by a key of
the CRL's issuer whose certificate leads to an anchor and allows cRLSign. Which lists an issuer may speak for is judged.

The argument, first that applies:

1. An entry that counts from `valid_at` or before, whatever list it stands in and however old that list is: revoked.
2. A hold that counts from `valid_at` or before, in a list issued after it, or in the last one before it while that was
   in force: suspended.
3. A compromise of the key that counts from after `valid_at`, and no proof that the signature is older: undetermined.
4. A hold in a last list that was no longer in force at `valid_at`: stale, as it may have been lifted.
5. Lists that serve `valid_at` speak for every reason and do not have the certificate: good.
6. Lists too old to serve would complete the reasons: stale. Otherwise: missing.

The order of the lists plays no part, and a list that is unknown at `known_at` or that speaks of others changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from keys.certificate.extensions import DistributionPoint
from keys.revocation import names
from keys.revocation.crl import RevocationList
from keys.revocation.distribution import ALL_REASONS, Place, Scope, implied_place, place_of
from keys.revocation.entries import RevokedEntry
from keys.revocation.silence import Silences

State = Literal["good", "revoked", "missing", "stale", "undetermined"]

_HOLD, _REMOVED = "certificateHold", "removeFromCRL"
COMPROMISES = frozenset(("keyCompromise", "cACompromise", "aACompromise"))


class KnownCrl(Struct, frozen=True, kw_only=True):
    """A list whose signature and signer the caller has verified, and the instant from which it was known here."""

    crl: RevocationList
    known_from: datetime


class RevocationPolicy(Struct, frozen=True, kw_only=True, cache_hash=True):
    """The limits of freshness: data of the caller.

    A list without nextUpdate is in force for `max_age`; any list for `grace` longer than it says; and a list may be
    dated `skew` after `known_at`, as the clocks of CAs differ from ours.
    """

    max_age: timedelta
    grace: timedelta = timedelta(0)
    skew: timedelta = timedelta(0)


class RevocationVerdict(Struct, frozen=True, kw_only=True, cache_hash=True):
    """What the lists say, and by which of them.

    `reason` is a code: "revocation.not_listed" or "revocation.later" (good); "status.revoked" or "status.suspended"
    (revoked); "revocation.compromised_later" (undetermined); "revocation.stale"; "revocation.missing". `entry` is the
    one the verdict rests on, or that tells of a later revocation. `crls` are digests, sorted. `as_of`: when the latest
    of those that the state rests on was issued; None when lists are missing. `fresh_until`: when the first of the lists
    behind a good answer goes out of force.
    """

    state: State
    reason: str
    entry: RevokedEntry | None = None
    crls: tuple[str, ...] = ()
    as_of: datetime | None = None
    fresh_until: datetime | None = None


class _Question(Struct, frozen=True):
    serial: int
    issuer: bytes
    issuer_key: bytes
    points: tuple[DistributionPoint, ...]
    is_ca: bool
    valid_at: datetime
    known_at: datetime
    certificate_end: datetime
    policy: RevocationPolicy
    proven_time: datetime | None


class _Statement(Struct, frozen=True):
    """What one list says of the certificate. `reasons`: those it speaks for, none where only its entries count."""

    crl: RevocationList
    entries: tuple[RevokedEntry, ...]
    reasons: frozenset[str]


class _View(Struct, frozen=True):
    """What a complete list says, or one with the delta that brings it up to date."""

    at: datetime
    until: datetime
    entries: tuple[RevokedEntry, ...]
    reasons: frozenset[str]
    crls: tuple[str, ...]


def judge(
    serial: int,
    issuer: bytes,
    crls: Sequence[KnownCrl],
    *,
    valid_at: datetime,
    known_at: datetime,
    certificate_end: datetime,
    policy: RevocationPolicy,
    distribution_points: Sequence[DistributionPoint] = (),
    is_ca: bool = False,
    proven_time: datetime | None = None,
) -> RevocationVerdict:
    """Says whether a certificate, named by serial number and issuer (Name DER), was revoked at `valid_at`.

    `certificate_end` is its notAfter: a list issued later may have dropped it. `proven_time` is the earliest instant at
    which the signature in question is proven to have existed. Raises nothing: what is not known is a verdict.
    """
    points, issuer_key = tuple(distribution_points), names.folded(issuer)
    silence, cell = None, None
    for known in crls:
        if known.crl.this_update > certificate_end or known.crl.entries.find_all(serial, issuer_key):
            break
    else:
        key = (tuple([(known.crl.digest, known.known_from) for known in crls]), issuer, points, is_ca, policy)
        silence = _SILENCES.find(key) or _SILENCES.add(key, _instants(crls, policy))
        cell = silence.cell(valid_at, known_at)
        remembered = silence.verdicts.get(cell)
        if remembered is not None:
            return remembered
    question = _Question(
        serial, issuer, issuer_key, points, is_ca, valid_at, known_at, certificate_end, policy, proven_time
    )
    verdict = _judged(question, crls)
    if silence is not None and cell is not None:
        silence.verdicts[cell] = verdict
    return verdict


_SILENCES = Silences[RevocationVerdict]()


def _instants(crls: Sequence[KnownCrl], policy: RevocationPolicy) -> Iterator[datetime]:
    """The instants that a verdict on a certificate which no list names can turn on."""
    for known in crls:
        at = known.crl.this_update
        yield from (known.known_from, at, _earlier(at, policy.skew), _until(known.crl, policy))


def _judged(question: _Question, crls: Sequence[KnownCrl]) -> RevocationVerdict:
    """The argument at the top of this module."""
    valid_at, proven_time = question.valid_at, question.proven_time
    statements = _statements(question, crls)
    proof = _first(statements, lambda entry: _is_revocation(entry) and entry.effective_at <= valid_at)
    if proof:
        return _resting_on(proof, "revoked", "status.revoked")
    views = _views(question, statements)
    hold = _hold(question, statements, views)
    if hold and hold.state == "revoked":
        return hold
    compromise = _first(
        statements,
        lambda entry: entry.reason in COMPROMISES and (proven_time is None or proven_time >= entry.effective_at),
    )
    if compromise:
        return _resting_on(compromise, "undetermined", "revocation.compromised_later")
    return hold or _coverage(question, views, _first(statements, _is_revocation))


def _resting_on(found: tuple[RevokedEntry, RevocationList], state: State, reason: str) -> RevocationVerdict:
    entry, crl = found
    return RevocationVerdict(state=state, reason=reason, entry=entry, crls=(crl.digest,), as_of=crl.this_update)


def _is_revocation(entry: RevokedEntry) -> bool:
    return entry.reason not in (_HOLD, _REMOVED)


def _statements(question: _Question, crls: Sequence[KnownCrl]) -> list[_Statement]:
    """What each list that was known and that has a say states, every list once."""
    seen = {known.crl.digest: known.crl for known in crls if known.known_from <= question.known_at}
    places = (*(place_of(point, question.issuer) for point in question.points), implied_place(question.issuer))
    found = (_statement(question, places, crl) for crl in seen.values() if not crl.unhandled)
    return [statement for statement in found if statement is not None]


def _statement(question: _Question, places: Sequence[Place], crl: RevocationList) -> _Statement | None:
    """RFC 5280 §6.3.3 (b): None when the list does not speak of this issuer's certificates at all.

    Its entries count wherever in the issuer's lists they stand; its silence only within its scope.
    """
    own, scope = crl.issuer_key == question.issuer_key, crl.distribution
    if scope is not None and scope.only_attribute:
        return None
    entitled, reasons = own, frozenset[str]()
    for place in places:
        if place.crl_issuers:
            applies = scope is not None and scope.indirect and crl.issuer_key in place.crl_issuers
            entitled = entitled or applies
        else:
            applies = own
        if applies:
            reasons |= _covered(scope, place, question.is_ca)
    if not entitled:
        return None
    return _Statement(crl, crl.entries.find_all(question.serial, question.issuer_key), reasons)


def _covered(scope: Scope | None, place: Place, is_ca: bool) -> frozenset[str]:
    """The reasons for which a list of this scope speaks for a place (RFC 5280 §6.3.3 (b)(2) and (d))."""
    if scope is None:
        return place.reasons
    if (scope.only_user and is_ca) or (scope.only_ca and not is_ca):
        return frozenset()
    if scope.names is not None and scope.names.isdisjoint(place.names):
        return frozenset()
    return place.reasons if scope.only_reasons is None else place.reasons & scope.only_reasons


def _first(
    statements: Iterable[_Statement], wanted: Callable[[RevokedEntry], bool]
) -> tuple[RevokedEntry, RevocationList] | None:
    """Gives the entry that counts from the earliest instant, and the latest list that has it."""
    found = [(entry, statement.crl) for statement in statements for entry in statement.entries if wanted(entry)]
    if not found:
        return None
    earliest = min(entry.effective_at for entry, _ in found)
    return max(
        ((entry, crl) for entry, crl in found if entry.effective_at == earliest),
        key=lambda each: (each[1].this_update, each[1].digest, each[0].revoked_at, each[0].reason or ""),
    )


def _views(question: _Question, statements: Sequence[_Statement]) -> list[_View]:
    """Every complete list, and every delta on the latest complete list that it continues."""
    complete = [statement for statement in statements if statement.crl.base_number is None]
    views = []
    for statement in statements:
        crl, entries, reasons = statement.crl, statement.entries, statement.reasons
        digests: tuple[str, ...] = (crl.digest,)
        if crl.base_number is not None:
            bases = [base for base in complete if _continues(crl, base.crl)]
            if not bases:
                continue
            base = max(bases, key=lambda each: (each.crl.number, each.crl.this_update, each.crl.digest))
            # RFC 5280 §5.2.4: what the delta says of a certificate replaces what its base says.
            entries = tuple(entry for entry in entries if entry.reason != _REMOVED) if entries else base.entries
            digests = (base.crl.digest, crl.digest)
        views.append(_View(crl.this_update, _until(crl, question.policy), entries, reasons, digests))
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


def _until(crl: RevocationList, policy: RevocationPolicy) -> datetime:
    """The instant from which a list is no longer in force."""
    if crl.next_update is None:
        return _later(crl.this_update, policy.max_age)
    return _later(crl.next_update, policy.grace)


def _later(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment + span
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _earlier(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment - span
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _holds_at(entry: RevokedEntry, valid_at: datetime) -> bool:
    return entry.reason == _HOLD and entry.effective_at <= valid_at


def _is_clear(view: _View, valid_at: datetime) -> bool:
    """Whether the certificate is neither on hold nor, against RFC 5280 §5.3.1, removed by a complete list."""
    return not any(entry.reason == _REMOVED or _holds_at(entry, valid_at) for entry in view.entries)


def _hold(question: _Question, statements: Sequence[_Statement], views: Sequence[_View]) -> RevocationVerdict | None:
    """Steps 2 and 4. A hold ends with a later view up to `valid_at` that speaks of holds and does not have it."""
    valid_at, policy = question.valid_at, question.policy
    alone = [
        _View(each.crl.this_update, _until(each.crl, policy), each.entries, each.reasons, (each.crl.digest,))
        for each in statements
        if each.entries
    ]
    holds = [
        (entry.effective_at, view.at, view.crls, entry, view.until)
        for view in (*alone, *views)
        for entry in view.entries
        if _holds_at(entry, valid_at)
    ]
    if not holds:
        return None
    lifted = max(
        (view.at for view in views if view.at <= valid_at and _HOLD in view.reasons and _is_clear(view, valid_at)),
        default=None,
    )
    open_holds = [each for each in holds if lifted is None or each[1] >= lifted]
    if not open_holds:
        return None
    in_force = [each for each in open_holds if each[1] >= valid_at or valid_at < each[4]]
    _, as_of, digests, entry, _ = min(in_force or open_holds, key=lambda each: each[:3])
    state: State = "revoked" if in_force else "stale"
    reason = "status.suspended" if in_force else "revocation.stale"
    return RevocationVerdict(state=state, reason=reason, entry=entry, crls=_sorted(digests), as_of=as_of)


def _coverage(
    question: _Question, views: Sequence[_View], later: tuple[RevokedEntry, RevocationList] | None
) -> RevocationVerdict:
    """Steps 5 and 6."""
    valid_at = question.valid_at
    latest = min(question.certificate_end, _later(question.known_at, question.policy.skew))
    clear = [view for view in views if view.at <= latest and _is_clear(view, valid_at)]
    serving = _covering([view for view in clear if view.at >= valid_at or valid_at < view.until])
    if serving:
        return RevocationVerdict(
            state="good",
            reason="revocation.later" if later else "revocation.not_listed",
            entry=later[0] if later else None,
            crls=_sorted(*(view.crls for view in serving), (later[1].digest,) if later else ()),
            as_of=serving[0].at,
            fresh_until=min(view.until for view in serving),
        )
    old = _covering(clear)
    if old:
        digests = _sorted(*(view.crls for view in old))
        return RevocationVerdict(state="stale", reason="revocation.stale", crls=digests, as_of=old[0].at)
    return RevocationVerdict(state="missing", reason="revocation.missing")


def _covering(views: Sequence[_View]) -> list[_View]:
    """Gives views that together speak for every reason, the latest first; none when they do not."""
    if len(views) == 1:
        return [*views] if views[0].reasons == ALL_REASONS else []
    chosen: list[_View] = []
    covered = frozenset[str]()
    for view in sorted(views, key=lambda view: (view.at, view.crls), reverse=True):
        if not view.reasons <= covered:
            chosen.append(view)
            covered |= view.reasons
        if covered == ALL_REASONS:
            return chosen
    return []


def _sorted(*digests: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({digest for each in digests for digest in each}))
