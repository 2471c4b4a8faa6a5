"""From findings to a decision: agreements from the strongest basis to the weakest, then the precedence of outcomes.

Total and deterministic; blind to the order in which agreements were declared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from registry.agreement import STRENGTHS, Agreement
from registry.condition import Condition, ConditionCase, State
from registry.credential import CredentialState
from registry.dossier import HeldCredential, RegisterState
from registry.finding import CHECKS, NO_PARAMS, Finding, Param, Params, Reason, reason_of
from registry.identifiers import comparable
from registry.jurisdiction import Authority, office_for
from registry.policy import Policy
from registry.profile import CredentialProfile, Purpose
from registry.query import RecognitionQuery
from registry.verification import Findings, place_of

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
_NEARNESS = (
    "agreement.condition_unmet",
    "agreement.out_of_scope",
    "agreement.repealed",
    "agreement.not_in_force",
    "agreement.party_not_bound",
)
# What a passed check may carry that the asker should still read.
_NOTICES = (
    "assumes.no_change",
    "facts.not_needed",
    "number.malformed",
    "number.check_digit_wrong",
    "number.province_mismatch",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCondition:
    """A condition of the deciding agreement and how it stands in this case."""

    condition: Condition
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to a query with everything it rests on; `checks` has all ten, in their order."""

    query: RecognitionQuery
    outcome: Outcome
    reasons: tuple[Reason, ...]
    checks: tuple[Finding, ...]
    conditions: tuple[JudgedCondition, ...]
    agreement: Agreement | None
    policy: Policy
    profile: CredentialProfile
    purpose: Purpose
    held: HeldCredential | None
    state: CredentialState | None
    issuer: Authority | None
    searched: tuple[RegisterState, ...]
    fresh_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """What came of one agreement: it decides (no code), or why not."""

    agreement: Agreement
    code: str | None = None
    variant: str = ""
    params: Params = field(default_factory=lambda: NO_PARAMS)
    conditions: tuple[JudgedCondition, ...] = ()


def _party_problem(agreement: Agreement, query: RecognitionQuery, found: Findings) -> str | None:
    """`` where both sides are bound as far as is known, a variant of party_not_bound, or None when all is well."""
    issuer = found.issuer
    giver = agreement.issued_in.get(issuer.jurisdiction) if issuer is not None else None
    taker = agreement.recognized_in.get(query.jurisdiction)
    if issuer is None or giver is None or taker is None:
        return "direction"
    gazetteer = found.policy.gazetteer
    if giver.areas:
        areas = issuer.areas_for(found.profile.id)
        if not areas or not all(gazetteer.covers(giver.areas, area) for area in areas):
            return "issuing_area"
    place = place_of(query, found.purpose)
    if place is None:
        return "place_missing" if taker.areas else None
    whole = found.policy.jurisdictions[query.jurisdiction].whole_area
    if not gazetteer.known(place):
        return "place_unknown" if taker.areas else None
    if not gazetteer.covers(taker.areas or (whole,), place):
        wider = any(gazetteer.contains(place, area) for area in taker.areas)
        return "place_unknown" if wider else "receiving_area"
    return None


def _in_scope(agreement: Agreement, found: Findings) -> bool:
    """Whether the credential is one the agreement speaks of: its date of issue and its `where` attributes."""
    held, state = found.held, found.state
    if held is None or state is None or held.credential.issued_at not in agreement.issued:
        return False
    for where in agreement.where:
        value = state.attributes.get(where.attribute)
        if isinstance(value, str) and isinstance(where.value, str):
            if comparable(value) != comparable(where.value):
                return False
        elif value != where.value:
            return False
    return True


def _try(agreement: Agreement, query: RecognitionQuery, found: Findings, case: ConditionCase) -> _Tried:
    """Whether one agreement binds the case and how its conditions stand."""
    named: dict[str, Param] = {"agreement": agreement.name, "agreement_id": agreement.id}
    if agreement.effect == "never_recognized":
        return _Tried(agreement=agreement, code="purpose.never_recognized", params=named)
    problem = _party_problem(agreement, query, found)
    if problem in ("place_missing", "place_unknown"):
        fact = found.purpose.place_fact or ""
        params: Params = {
            **named,
            "facts": fact,
            "label": found.profile.facts[fact].label,
            "count": 1,
            "given": str(query.facts.get(fact, "")),
            "nearest": "",
        }
        return _Tried(
            agreement=agreement,
            code="facts.missing",
            params=params,
            variant="" if problem == "place_missing" else "unclear",
        )
    if problem is not None:
        return _Tried(agreement=agreement, code="agreement.party_not_bound", variant=problem, params=named)
    if agreement.repealed_at is not None and agreement.repealed_at <= query.valid_at:
        params = {**named, "repealed_at": agreement.repealed_at}
        return _Tried(agreement=agreement, code="agreement.repealed", params=params)
    effective = agreement.effective
    if effective.start is not None and query.valid_at < effective.start:
        return _Tried(
            agreement=agreement,
            code="agreement.not_in_force",
            variant="not_yet",
            params={**named, "starts": effective.start},
        )
    if effective.end is not None and effective.end <= query.valid_at:
        return _Tried(
            agreement=agreement,
            code="agreement.not_in_force",
            variant="ended",
            params={**named, "ended": effective.end},
        )
    if not _in_scope(agreement, found):
        return _Tried(agreement=agreement, code="agreement.out_of_scope", params=named)
    judged = tuple([JudgedCondition(condition=entry, state=entry.judge(case)) for entry in agreement.conditions])
    for entry in judged:
        if entry.state == "unmet":
            params = {**named, "condition": entry.condition.text, "condition_id": entry.condition.id}
            return _Tried(agreement=agreement, code="agreement.condition_unmet", params=params, conditions=judged)
    return _Tried(agreement=agreement, conditions=judged)


def _condition_case(query: RecognitionQuery, found: Findings) -> ConditionCase:
    issuer = found.issuer
    return ConditionCase(
        attributes={} if found.state is None else found.state.attributes,
        facts=query.facts,
        results={name: finding.result for name, finding in found.checks.items()},
        authorisations=found.policy.laboratory_rows.get(issuer.id) if issuer is not None else None,
        catalogue=found.policy.surroundings[found.profile.id].catalogue,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ruling:
    """The agreement check with the reasons it gives and the agreement that decides, if one does."""

    finding: Finding
    reasons: tuple[Reason, ...] = ()
    tried: _Tried | None = None


def _office(query: RecognitionQuery, found: Findings) -> Authority:
    jurisdiction = found.policy.jurisdictions[query.jurisdiction]
    return office_for(jurisdiction, found.profile.id, place_of(query, found.purpose), found.policy.gazetteer)


def _reason(entry: _Tried, code: str, contact: Authority | None) -> Reason:
    return Reason(
        code=code, variant=entry.variant, params=entry.params, legal_basis=entry.agreement.legal_basis, contact=contact
    )


def _positive(entry: _Tried, found: Findings) -> str:
    if found.purpose.genuineness:
        return "inspection.genuine"
    return "statute.nationwide" if entry.agreement.strength == "statute" else "agreement.in_force"


def _refusal(code: str, variant: str, reasons: tuple[Reason, ...], *, unclear: bool) -> _Ruling:
    first = reasons[0]
    return _Ruling(
        finding=Finding(
            check="agreement",
            result="indeterminate" if unclear else "failed",
            code=code,
            variant=variant,
            params=first.params,
            legal_basis=first.legal_basis,
            contact=first.contact,
        ),
        reasons=reasons,
    )


def _rule(query: RecognitionQuery, found: Findings, agreements: Sequence[Agreement]) -> _Ruling:
    """The first agreement, from the strongest basis to the weakest, that binds the case with nothing unmet."""
    if found.held is None:
        return _Ruling(finding=Finding(check="agreement", result="skipped"))
    bases = found.profile.bases["agreement"]
    if found.profile.evidence == "certificate":
        office = _office(query, found)
        reason = Reason(code="agreement.none", variant="accepted_list", legal_basis=bases, contact=office)
        return _refusal("agreement.none", "accepted_list", (reason,), unclear=True)
    if found.issuer is None:
        reason = (
            reason_of(found.checks["issuer"])
            if found.checks["issuer"].code
            else Reason(
                code="issuer.unknown",
                params={"issuer": found.held.credential.issuer},
                legal_basis=bases,
                contact=_office(query, found),
            )
        )
        return _refusal("issuer.unknown", "", (reason,), unclear=True)
    if found.issuer.jurisdiction == query.jurisdiction:
        if found.purpose.not_at_home is None:
            return _Ruling(finding=Finding(check="agreement", result="skipped", variant="home"))
        params: Params = {"why": found.purpose.not_at_home}
        reason = Reason(
            code="purpose.never_recognized",
            variant="home",
            params=params,
            legal_basis=bases,
            contact=_office(query, found),
        )
        return _refusal(reason.code, reason.variant, (reason,), unclear=False)
    case = _condition_case(query, found)
    tried: list[_Tried] = []
    for agreement in sorted(agreements, key=lambda entry: (STRENGTHS.index(entry.strength), entry.id)):
        entry = _try(agreement, query, found, case)
        if entry.code is None:
            code = _positive(entry, found)
            unmet = [
                _reason(other, other.code, _office(query, found))
                for other in tried
                if other.code == "agreement.condition_unmet"
            ]
            params = {"agreement": agreement.name, "agreement_id": agreement.id}
            first = Reason(code=code, params=params, legal_basis=agreement.legal_basis)
            return _Ruling(
                finding=Finding(
                    check="agreement",
                    result="passed",
                    code=code,
                    params=params,
                    legal_basis=agreement.legal_basis,
                ),
                reasons=(first, *unmet),
                tried=entry,
            )
        tried.append(entry)
        if entry.code == "purpose.never_recognized":
            break
    return _refused(tried, _office(query, found), found)


def _refused(tried: Sequence[_Tried], office: Authority, found: Findings) -> _Ruling:
    """Why no agreement decides: the missing fact that could change it, else the nearest misses."""
    for code, unclear in (("purpose.never_recognized", False), ("facts.missing", True)):
        reasons = tuple(_reason(entry, code, office) for entry in tried if entry.code == code)
        if reasons:
            return _refusal(code, reasons[0].variant, reasons, unclear=unclear)
    ranked = sorted(tried, key=lambda entry: _NEARNESS.index(entry.code or ""))
    reasons = tuple(_reason(entry, entry.code or "", office) for entry in ranked)
    if not reasons:
        params: Params = {"type": found.profile.name, "purpose": found.purpose.label}
        reasons = (
            Reason(code="agreement.none", params=params, legal_basis=found.profile.bases["agreement"], contact=office),
        )
    return _refusal(reasons[0].code, reasons[0].variant, reasons, unclear=False)


def _unique(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Without a reason that says the same as one before it."""
    kept: list[Reason] = []
    for reason in reasons:
        if reason not in kept:
            kept.append(reason)
    return tuple(kept)


def _reasons(checks: Mapping[str, Finding], ruling: _Ruling, result: str) -> list[Reason]:
    """The reasons of every check with this result, in check order; the agreement check speaks for each one tried."""
    reasons: list[Reason] = []
    for name in CHECKS:
        finding = ruling.finding if name == "agreement" else checks[name]
        if finding.result == result:
            reasons.extend(ruling.reasons if name == "agreement" else (reason_of(finding),))
    return reasons


def _notices(checks: Mapping[str, Finding]) -> list[Reason]:
    return [
        reason_of(finding) for finding in checks.values() if finding.result == "passed" and finding.code in _NOTICES
    ]


def _grave(reason: Reason) -> int:
    return _GRAVITY.index(reason.code) if reason.code in _GRAVITY else len(_GRAVITY)


def _absent(query: RecognitionQuery, found: Findings) -> tuple[Outcome, tuple[Reason, ...]]:
    """Nothing held, or too much: what the number and the registers' age say."""
    checks = found.checks
    notices = _notices(checks)
    unknown = Reason(
        code="credential.unknown",
        params={"number": query.number or query.id or ""},
        legal_basis=found.profile.bases["status"],
        contact=_office(query, found),
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
    checks = tuple(finding if name == "scope" else Finding(check=name, result="skipped") for name in CHECKS)
    return _decision(query, found, "not_required", (reason_of(finding),), checks)


def _decision(
    query: RecognitionQuery,
    found: Findings,
    outcome: Outcome,
    reasons: Sequence[Reason],
    checks: tuple[Finding, ...],
    tried: _Tried | None = None,
) -> Decision:
    return Decision(
        query=query,
        outcome=outcome,
        reasons=_unique(reasons),
        checks=checks,
        conditions=() if tried is None else tried.conditions,
        agreement=None if tried is None else tried.agreement,
        policy=found.policy,
        profile=found.profile,
        purpose=found.purpose,
        held=found.held,
        state=found.state,
        issuer=found.issuer,
        searched=found.registers if found.held is None else (),
        fresh_until=found.fresh_until,
    )


def decide(query: RecognitionQuery, findings: Findings, agreements: Sequence[Agreement]) -> Decision:
    """The decision on a query. `agreements` are those for its jurisdiction, purpose and type, in any order.

    Precedence, first that applies: off the catalogue · not held · a failed check · an indeterminate check ·
    asked at home · an open condition · recognised.
    """
    if findings.listing is not None and findings.listing.state == "off":
        return _not_required(query, findings)
    ruling = _rule(query, findings, agreements)
    checks = tuple([ruling.finding if name == "agreement" else findings.checks[name] for name in CHECKS])
    if findings.held is None:
        outcome, absent = _absent(query, findings)
        return _decision(query, findings, outcome, absent, checks)
    failed = _reasons(findings.checks, ruling, "failed")
    unclear = _reasons(findings.checks, ruling, "indeterminate")
    notices = _notices(findings.checks)
    tried = ruling.tried
    if failed:
        return _decision(
            query, findings, "not_recognized", (*sorted(failed, key=_grave), *unclear, *notices), checks, tried
        )
    if unclear:
        return _decision(query, findings, "indeterminate", (*unclear, *notices), checks, tried)
    if tried is None:
        basis = findings.profile.bases["agreement"]
        home = [Reason(code="jurisdiction.home", legal_basis=basis)]
        if findings.purpose.genuineness:
            home.append(Reason(code="inspection.genuine", variant="home", legal_basis=basis))
        return _decision(query, findings, "recognized", (*home, *notices), checks)
    outcome = "conditional" if any(entry.state == "open" for entry in tried.conditions) else "recognized"
    return _decision(query, findings, outcome, (*ruling.reasons, *notices), checks, tried)
