"""From findings to a decision: agreements from the strongest basis to the weakest, then the precedence of outcomes.

Total and deterministic; blind to the order in which agreements were declared.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from registry.agreement import Agreement
from registry.credential import CredentialState
from registry.dossier import HeldCredential, RegisterState
from registry.finding import CHECKS, Finding, Params, Reason, reason_of
from registry.jurisdiction import Authority
from registry.lock import JudgedLock
from registry.log.checkpoint import TreeHead
from registry.policy import Policy
from registry.profile import CredentialProfile, Purpose
from registry.query import RecognitionQuery
from registry.ruling import JudgedCondition, Ruling, Tried, office_of, rule
from registry.search import assumed
from registry.trust import AcceptedList
from registry.verification import Findings

Outcome = Literal["recognized", "conditional", "not_recognized", "not_required", "indeterminate", "not_found"]
OUTCOMES: tuple[Outcome, ...] = (
    "recognized",
    "conditional",
    "not_recognized",
    "not_required",
    "indeterminate",
    "not_found",
)

_GRAVITY = ("status.revoked", "status.cancelled", "credential.superseded", "status.suspended", "validity.expired")
# What a passed check may carry that the asker should still read.
_NOTICES = frozenset(
    {
        "assumes.no_change",
        "facts.not_needed",
        "number.malformed",
        "number.check_digit_wrong",
        "number.province_mismatch",
    }
)


class Decision(Struct, frozen=True, kw_only=True):
    """The answer to a query with everything it rests on; `checks` has all ten, in their order."""

    query: RecognitionQuery
    outcome: Outcome
    reasons: tuple[Reason, ...]
    checks: tuple[Finding, ...]
    conditions: tuple[JudgedCondition, ...]
    agreement: Agreement | AcceptedList | None
    policy: Policy
    profile: CredentialProfile
    purpose: Purpose
    held: HeldCredential | None
    state: CredentialState | None
    issuer: Authority | None
    searched: tuple[RegisterState, ...]
    fresh_until: datetime | None
    lock: JudgedLock | None = None
    head: TreeHead | None = None
    """Of the log, as the read saw it: for the receipt. The decision does not rest on it."""


def _unique(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Without a reason that says the same as one before it."""
    if len(reasons) == 1:
        return tuple(reasons)
    kept: list[Reason] = []
    for reason in reasons:
        if reason not in kept:
            kept.append(reason)
    return tuple(kept)


def _reasons(checks: Sequence[Finding], ruling: Ruling, result: str) -> list[Reason]:
    """The reasons of every check with this result, in check order; the agreement check speaks for each one tried."""
    reasons: list[Reason] = []
    for finding in checks:
        if finding.result == result:
            reasons.extend(ruling.reasons if finding is ruling.finding else (reason_of(finding),))
    return reasons


def _without_echo(failed: list[Reason]) -> list[Reason]:
    """Drops conditions that only repeat a check that is itself among the reasons."""
    said = [reason for reason in failed if reason.variant != "check_failed"]
    return said if any(not reason.code.startswith("agreement.") for reason in said) else failed


def _notices(checks: Iterable[Finding]) -> list[Reason]:
    return [
        reason_of(finding) for finding in checks if finding.code in _NOTICES and finding.result in ("passed", "skipped")
    ]


def _grave(reason: Reason) -> int:
    return _GRAVITY.index(reason.code) if reason.code in _GRAVITY else len(_GRAVITY)


def _asked(query: RecognitionQuery, found: Findings) -> Params:
    issuer = found.policy.authorities.get(query.issuer or "")
    name = query.issuer or "" if issuer is None else issuer.name
    return {"number": query.number or query.id or "", "issuer": name}


def _absent(query: RecognitionQuery, found: Findings) -> tuple[Outcome, tuple[Reason, ...]]:
    """Nothing held, or too much: what the number and the registers' age say."""
    checks = found.checks
    notices = _notices(checks.values())
    unknown = Reason(
        code="credential.unknown",
        variant="of_issuer" if query.issuer is not None else "",
        params=_asked(query, found),
        legal_basis=found.profile.bases["status"],
        contact=office_of(query, found),
    )
    if checks["format"].result == "failed":
        return "not_found", (reason_of(checks["format"]),)
    unclear = [reason_of(finding) for finding in checks.values() if finding.result == "indeterminate"]
    if unclear:
        return "indeterminate", (*unclear, *notices)
    return "not_found", (unknown, *notices)


def _not_required(query: RecognitionQuery, found: Findings) -> Decision:
    catalogue = found.policy.surroundings[found.profile.id].catalogue
    basis = catalogue.legal_basis if catalogue is not None else found.profile.bases["scope"]
    use = found.profile.catalogue
    params: Params = {
        "instrument": str(query.facts.get(use.instrument_fact if use is not None else "", "")),
        "catalogue": catalogue.name if catalogue is not None else found.profile.name,
    }
    variant = "size" if found.listing is not None and found.listing.entry is not None else ""
    finding = Finding(
        check="scope",
        result="passed",
        code="catalogue.not_listed",
        variant=variant,
        params=params,
        legal_basis=basis,
    )
    checks = {name: Finding(check=name, result="skipped") for name in CHECKS} | {"scope": finding}
    if query.valid_at > query.known_at:
        checks["freshness"] = assumed(query, found.profile)
    reasons = (reason_of(finding), *_notices(checks.values()))
    return _decision(query, found, "not_required", reasons, tuple(checks.values()))


def _basis(found: Findings, tried: Tried | None) -> Agreement | AcceptedList | None:
    if found.lock is not None:
        return found.lock.accepted
    return None if tried is None else tried.agreement


def _decision(
    query: RecognitionQuery,
    found: Findings,
    outcome: Outcome,
    reasons: Sequence[Reason],
    checks: tuple[Finding, ...],
    tried: Tried | None = None,
) -> Decision:
    return Decision(
        query=query,
        outcome=outcome,
        reasons=_unique(reasons),
        checks=checks,
        conditions=() if tried is None else tried.conditions,
        agreement=_basis(found, tried),
        policy=found.policy,
        profile=found.profile,
        purpose=found.purpose,
        held=found.held,
        state=found.state,
        issuer=found.issuer,
        searched=found.registers if found.held is None else (),
        fresh_until=found.fresh_until,
        lock=found.lock,
        head=found.head,
    )


def decide(query: RecognitionQuery, findings: Findings, agreements: Sequence[Agreement]) -> Decision:
    """The decision on a query. `agreements` are those for its jurisdiction, purpose and type, in any order.

    Precedence, first that applies: off the catalogue · not held · a failed check · an indeterminate check ·
    asked at home · an open condition · recognised.
    """
    if findings.listing is not None and findings.listing.state == "off":
        return _not_required(query, findings)
    ruling = rule(query, findings, agreements)
    checks = tuple([ruling.finding if name == "agreement" else findings.checks[name] for name in CHECKS])
    if findings.held is None:
        outcome, absent = _absent(query, findings)
        return _decision(query, findings, outcome, absent, checks)
    results = {finding.result for finding in checks}
    failed = _without_echo(_reasons(checks, ruling, "failed")) if "failed" in results else []
    unclear = _reasons(checks, ruling, "indeterminate") if "indeterminate" in results else []
    notices = _notices(checks)
    tried = ruling.tried
    if failed:
        return _decision(
            query, findings, "not_recognized", (*sorted(failed, key=_grave), *unclear, *notices), checks, tried
        )
    if unclear:
        return _decision(query, findings, "indeterminate", (*unclear, *notices), checks, tried)
    if findings.lock is not None:
        return _decision(query, findings, "recognized", (*ruling.reasons, *notices), checks)
    if tried is None:
        basis = findings.profile.bases["agreement"]
        home = [Reason(code="jurisdiction.home", legal_basis=basis)]
        if findings.purpose.genuineness:
            home.append(Reason(code="inspection.genuine", variant="home", legal_basis=basis))
        return _decision(query, findings, "recognized", (*home, *notices), checks)
    outcome = "conditional" if any(entry.state == "open" for entry in tried.conditions) else "recognized"
    return _decision(query, findings, outcome, (*ruling.reasons, *notices), checks, tried)
