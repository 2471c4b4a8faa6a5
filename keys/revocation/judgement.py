"""Whether a certificate was revoked at an instant, by what was known at another: lists and OCSP answers.

Nothing here asks who signed: the caller gives only lists that `verify_crl` has shown to be signed by a key of the CRL's
issuer whose certificate leads to an anchor and allows cRLSign, and only answers about this very certificate whose
response `verify_ocsp` has shown to be by its issuer or for it. Which lists an issuer may speak for is judged.

An OCSP answer (RFC 6960) is like a complete list, for every reason, that speaks of one certificate alone. "Good" is
its silence: it serves as that of a list does (RFC 5280 §6.3), by thisUpdate and nextUpdate, and also after the end of
the certificate where an archive cutoff says that the responder keeps what ended then. "Revoked" is an entry. "Unknown"
neither shows a revocation nor that there is none. Of lists and answers that serve, the latest tell how far the evidence
reaches.

The argument, first that applies:

1. An entry that counts from `valid_at` or before, whatever list it stands in and however old that list is: revoked.
2. A hold that counts from `valid_at` or before, in a list issued after it, or in the last one before it while that was
   in force: suspended.
3. A compromise of the key that counts from after `valid_at`, and no proof that the signature is older: undetermined.
4. A revocation from after `valid_at`, and a list or answer that was issued when it counted, not before the one that
   tells of it, and is silent about it; one of the two is an answer: contradictory, so undetermined. (Between two lists
   this is no contradiction: the later one may have a reason, and what was said is kept.)
5. A hold in a last list that was no longer in force at `valid_at`: stale, as it may have been lifted.
6. Lists that serve `valid_at` speak for every reason and do not have the certificate: good; but where an answer that
   came later than one of them says that the certificate is unknown: contradictory, so undetermined.
7. Lists too old to serve would complete the reasons: stale. Otherwise: missing.

The order of lists and answers plays no part, and one that is unknown at `known_at` or that speaks of others changes
nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from keys.certificate import Certificate
from keys.certificate.extensions import DistributionPoint
from keys.revocation import names
from keys.revocation.crl import RevocationList
from keys.revocation.distribution import ALL_REASONS, Place, Scope, implied_place, place_of
from keys.revocation.entries import RevokedEntry
from keys.revocation.ocsp_response import OcspAnswer
from keys.revocation.silence import Silences
from keys.revocation.views import REMOVED, Statement, View, views_of

State = Literal["good", "revoked", "missing", "stale", "undetermined"]

_HOLD = "certificateHold"
_CONTRADICTORY = "revocation.contradictory"
COMPROMISES = frozenset(("keyCompromise", "cACompromise", "aACompromise"))


class KnownCrl(Struct, frozen=True, kw_only=True):
    """A list whose signature and signer the caller has verified, and the instant from which it was known here."""

    crl: RevocationList
    known_from: datetime


class KnownOcsp(Struct, frozen=True, kw_only=True):
    """An answer about the certificate in question, of a response that was verified, and when it was known here.

    `digest` is that of the whole response. `unchecked`: the responder's certificate, where the caller has still to
    judge by lists that it was not revoked at `answer.produced_at` (RFC 6960 §4.2.2.2.1). Until then the answer says
    nothing.
    """

    answer: OcspAnswer
    digest: str
    known_from: datetime
    unchecked: Certificate | None = None
    accuses: bool = False


class RevocationPolicy(Struct, frozen=True, kw_only=True, cache_hash=True):
    """The limits of freshness: data of the caller.

    A list without nextUpdate is in force for `max_age`; any list for `grace` longer than it says; and a list may be
    dated `skew` after `known_at`, as the clocks of CAs differ from ours. The same holds for OCSP answers.
    """

    max_age: timedelta
    grace: timedelta = timedelta(0)
    skew: timedelta = timedelta(0)


class RevocationVerdict(Struct, frozen=True, kw_only=True, cache_hash=True):
    """What the lists say, and by which of them.

    `reason` is a code: "revocation.not_listed" or "revocation.later" (good); "status.revoked" or "status.suspended"
    (revoked); "revocation.compromised_later" or "revocation.contradictory" (undetermined); "revocation.stale";
    "revocation.missing". `entry` is the one the verdict rests on, or that tells of a later revocation. `crls` are the
    digests of lists and of OCSP responses, sorted. `as_of`: when the latest of those that the state rests on was
    issued; None when they are missing. `fresh_until`: when the first of those behind a good answer goes out of force.
    `later`, of a good answer: every revocation from after `valid_at`, and a hold that the latest evidence knows of.
    """

    state: State
    reason: str
    entry: RevokedEntry | None = None
    crls: tuple[str, ...] = ()
    as_of: datetime | None = None
    fresh_until: datetime | None = None
    later: tuple[RevokedEntry, ...] = ()


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
    only: frozenset[str] | None


class _Evidence(Struct, frozen=True):
    """All that counts: statements, the views that they make, and the answers that the certificate is unknown."""

    statements: Sequence[Statement]
    views: Sequence[View]
    unknown: Sequence[Statement]


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
    answers: Sequence[KnownOcsp] = (),
    only: frozenset[str] | None = None,
) -> RevocationVerdict:
    """Says whether a certificate, named by serial number and issuer (Name DER), was revoked at `valid_at`.

    `certificate_end` is its notAfter: a list issued later may have dropped it. `proven_time` is the earliest instant at
    which the signature in question is proven to have existed. `answers` are those that `answer_about` finds for the
    certificate. With `only`, entries of other reasons are passed over: nothing else that is said of a certificate hides
    those. Raises nothing: what is not known is a verdict.
    """
    points, issuer_key = tuple(distribution_points), names.folded(issuer)
    silence, cell = None, None
    # What is remembered is about every certificate that no list names; an answer is about one.
    if not answers and not any(_tells(known.crl, serial, issuer_key, certificate_end) for known in crls):
        key = (tuple([(known.crl.digest, known.known_from) for known in crls]), issuer, points, is_ca, policy)
        silence = _SILENCES.find(key) or _SILENCES.add(key, _instants(crls, policy))
        cell = silence.cell(valid_at, known_at)
        remembered = silence.verdicts.get(cell)
        if remembered is not None:
            return remembered
    question = _Question(
        serial, issuer, issuer_key, points, is_ca, valid_at, known_at, certificate_end, policy, proven_time, only
    )
    verdict = _judged(question, _evidence(question, crls, answers))
    if silence is not None and cell is not None:
        silence.verdicts[cell] = verdict
    return verdict


def _tells(crl: RevocationList, serial: int, issuer_key: bytes, certificate_end: datetime) -> bool:
    """Whether a list says of a certificate what it does not say of every other."""
    return crl.this_update > certificate_end or bool(crl.entries.find_all(serial, issuer_key))


_SILENCES = Silences[RevocationVerdict]()


def _instants(crls: Sequence[KnownCrl], policy: RevocationPolicy) -> Iterator[datetime]:
    """The instants that a verdict on a certificate which no list names can turn on."""
    for known in crls:
        at = known.crl.this_update
        yield from (known.known_from, at, _earlier(at, policy.skew), _until(known.crl, policy))


def _judged(question: _Question, evidence: _Evidence) -> RevocationVerdict:
    """The argument at the top of this module."""
    valid_at, proven_time, statements = question.valid_at, question.proven_time, evidence.statements
    proof = _first(statements, lambda entry: _is_revocation(entry) and entry.effective_at <= valid_at)
    if proof:
        return _resting_on(proof, "revoked", "status.revoked")
    hold = _hold(question, evidence)
    if hold and hold.state == "revoked":
        return hold
    compromise = _first(
        statements,
        lambda entry: entry.reason in COMPROMISES and (proven_time is None or proven_time >= entry.effective_at),
    )
    if compromise:
        return _resting_on(compromise, "undetermined", "revocation.compromised_later")
    return _contradiction(question, evidence) or hold or _coverage(question, evidence)


def _resting_on(found: tuple[RevokedEntry, Statement], state: State, reason: str) -> RevocationVerdict:
    entry, statement = found
    return RevocationVerdict(state=state, reason=reason, entry=entry, crls=(statement.digest,), as_of=statement.at)


def _is_revocation(entry: RevokedEntry) -> bool:
    return entry.reason not in (_HOLD, REMOVED)


def _evidence(question: _Question, crls: Sequence[KnownCrl], answers: Sequence[KnownOcsp]) -> _Evidence:
    """What was known and has a say, every list and answer once."""
    lists = {known.crl.digest: known.crl for known in crls if known.known_from <= question.known_at}
    places = (*(place_of(point, question.issuer) for point in question.points), implied_place(question.issuer))
    found = (_statement(question, places, crl) for crl in lists.values() if not crl.unhandled)
    statements = [statement for statement in found if statement is not None]
    heard = {
        (known.digest, known.answer): known
        for known in answers
        if known.known_from <= question.known_at
        and known.unchecked is None
        and known.answer.serial == question.serial
        and not known.answer.unhandled
    }
    unknown = [_said(question, known) for known in heard.values() if known.answer.status == "unknown"]
    statements += [_said(question, known) for known in heard.values() if known.answer.status != "unknown"]
    return _Evidence(statements, views_of(statements), unknown)


def _said(question: _Question, known: KnownOcsp) -> Statement:
    answer = known.answer
    return Statement(
        answer.this_update,
        _until(answer, question.policy),
        _counting(question, () if answer.entry is None else (answer.entry,)),
        frozenset() if known.accuses else ALL_REASONS,
        known.digest,
        # RFC 6960 §4.4.4: certificates that ended at the cutoff or later are still in the responder's records.
        keeps=answer.archive_cutoff is not None and answer.archive_cutoff <= question.certificate_end,
    )


def _statement(question: _Question, places: Sequence[Place], crl: RevocationList) -> Statement | None:
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
    entries = _counting(question, crl.entries.find_all(question.serial, question.issuer_key))
    return Statement(crl.this_update, _until(crl, question.policy), entries, reasons, crl.digest, crl)


def _counting(question: _Question, entries: tuple[RevokedEntry, ...]) -> tuple[RevokedEntry, ...]:
    only = question.only
    return entries if only is None else tuple(entry for entry in entries if entry.reason in only)


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
    statements: Iterable[Statement], wanted: Callable[[RevokedEntry], bool]
) -> tuple[RevokedEntry, Statement] | None:
    """Gives the entry that counts from the earliest instant, and the latest statement that has it."""
    found = [(entry, statement) for statement in statements for entry in statement.entries if wanted(entry)]
    if not found:
        return None
    earliest = min(entry.effective_at for entry, _ in found)
    return max(((entry, each) for entry, each in found if entry.effective_at == earliest), key=_lateness)


def _lateness(found: tuple[RevokedEntry, Statement]) -> tuple[datetime, str, datetime, str]:
    """Tells any two entries apart, so that the order in which they came plays no part."""
    entry, statement = found
    return statement.at, statement.digest, entry.revoked_at, entry.reason or ""


def _until(said: RevocationList | OcspAnswer, policy: RevocationPolicy) -> datetime:
    """The instant from which a list or an answer is no longer in force."""
    if said.next_update is None:
        return _later(said.this_update, policy.max_age)
    return _later(said.next_update, policy.grace)


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


def _is_clear(view: View, valid_at: datetime) -> bool:
    """Whether the certificate is neither on hold nor, against RFC 5280 §5.3.1, removed by a complete list."""
    return not any(entry.reason == REMOVED or _holds_at(entry, valid_at) for entry in view.entries)


def _hold(question: _Question, evidence: _Evidence) -> RevocationVerdict | None:
    """Steps 2 and 5. A hold ends with a later view up to `valid_at` that speaks of holds and does not have it."""
    valid_at, views = question.valid_at, evidence.views
    alone = [
        View(each.at, each.until, each.entries, each.reasons, (each.digest,))
        for each in evidence.statements
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


def _is_timely(question: _Question, said: View | Statement) -> bool:
    """Whether a silence can tell of the certificate: known in time, and issued before its end or kept beyond it."""
    known = said.at <= _later(question.known_at, question.policy.skew)
    return known and (said.keeps or said.at <= question.certificate_end)


def _contradiction(question: _Question, evidence: _Evidence) -> RevocationVerdict | None:
    """Step 4."""
    silent = [view for view in evidence.views if not view.entries and _is_timely(question, view)]
    found = [
        (view.at, view.crls, _lateness((entry, statement)), entry, statement.digest)
        for statement in evidence.statements
        for entry in statement.entries
        if _is_revocation(entry)
        for view in silent
        if (view.single or statement.crl is None) and _denies(view, entry, statement.at)
    ]
    if not found:
        return None
    at, digests, _, entry, told = max(found, key=lambda each: each[:3])
    crls = _sorted(digests, (told,))
    return RevocationVerdict(state="undetermined", reason=_CONTRADICTORY, entry=entry, crls=crls, as_of=at)


def _denies(view: View, entry: RevokedEntry, told_at: datetime) -> bool:
    """Whether a view that has no entry would have this one, which a list or answer of an instant tells of."""
    speaks = bool(view.reasons) if entry.reason in (None, "unspecified") else entry.reason in view.reasons
    return speaks and view.at >= max(told_at, entry.effective_at)


def _coverage(question: _Question, evidence: _Evidence) -> RevocationVerdict:
    """Steps 6 and 7."""
    valid_at = question.valid_at
    later = _first(evidence.statements, _is_revocation)
    clear = [view for view in evidence.views if _is_timely(question, view) and _is_clear(view, valid_at)]
    serving = _covering([view for view in clear if view.at >= valid_at or valid_at < view.until])
    if serving:
        doubts = [each for each in evidence.unknown if _is_timely(question, each) and each.at > serving[-1].at]
        if doubts:
            doubt = max(doubts, key=lambda each: (each.at, each.digest))
            crls = _sorted(*(view.crls for view in serving), (doubt.digest,))
            return RevocationVerdict(state="undetermined", reason=_CONTRADICTORY, crls=crls, as_of=doubt.at)
        return RevocationVerdict(
            state="good",
            reason="revocation.later" if later else "revocation.not_listed",
            entry=later[0] if later else None,
            crls=_sorted(*(view.crls for view in serving), (later[1].digest,) if later else ()),
            as_of=serving[0].at,
            fresh_until=min(view.until for view in serving),
            later=_later_entries(evidence),
        )
    old = _covering(clear)
    if old:
        digests = _sorted(*(view.crls for view in old))
        return RevocationVerdict(state="stale", reason="revocation.stale", crls=digests, as_of=old[0].at)
    return RevocationVerdict(state="missing", reason="revocation.missing")


def _later_entries(evidence: _Evidence) -> tuple[RevokedEntry, ...]:
    found = {entry for each in evidence.statements for entry in each.entries if _is_revocation(entry)}
    speaking = [view for view in evidence.views if _HOLD in view.reasons]
    latest = max((view.at for view in speaking), default=None)
    holds = (entry for view in speaking if view.at == latest for entry in view.entries if entry.reason == _HOLD)
    found.update(holds)
    return tuple(sorted(found, key=lambda entry: (entry.effective_at, entry.revoked_at, entry.reason or "")))


def _covering(views: Sequence[View]) -> list[View]:
    """Gives views that together speak for every reason, the latest first; none when they do not."""
    if len(views) == 1:
        return [*views] if views[0].reasons == ALL_REASONS else []
    chosen: list[View] = []
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
