"""Tries the agreements that could speak to a case, from the strongest basis to the weakest: the tenth check."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

from msgspec import Struct

from registry.agreement import Agreement
from registry.condition import Condition, ConditionCase, State
from registry.dossier import HeldCredential
from registry.finding import NO_PARAMS, Finding, Param, Params, Reason
from registry.identifiers import comparable
from registry.jurisdiction import Authority, office_for
from registry.lock import JudgedLock
from registry.query import RecognitionQuery
from registry.search import place_of
from registry.verification import Findings

_NEARNESS = (
    "agreement.condition_unmet",
    "agreement.out_of_scope",
    "agreement.repealed",
    "agreement.not_in_force",
    "agreement.party_not_bound",
)


class JudgedCondition(Struct, frozen=True, kw_only=True):
    """A condition of the deciding agreement and how it stands in this case."""

    condition: Condition
    state: State


class Tried(Struct, frozen=True, kw_only=True):
    """What came of one agreement: it decides (no code), or why not."""

    agreement: Agreement
    code: str | None = None
    variant: str = ""
    params: Params = NO_PARAMS
    conditions: tuple[JudgedCondition, ...] = ()


def _party_problem(agreement: Agreement, query: RecognitionQuery, found: Findings) -> str | None:
    """Why the parties are not bound for certain, as a variant of party_not_bound; None where they are or may be."""
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
    if place is None or not gazetteer.known(place):
        return None
    bound = taker.areas or (found.policy.jurisdictions[query.jurisdiction].whole_area,)
    if gazetteer.covers(bound, place) or any(gazetteer.contains(place, area) for area in taker.areas):
        return None
    return "receiving_area"


def _place_unclear(agreement: Agreement, query: RecognitionQuery, found: Findings) -> bool:
    """Whether the agreement binds only areas, and the place given does not tell whether it lies in them."""
    areas = agreement.recognized_in[query.jurisdiction].areas
    place = place_of(query, found.purpose)
    return bool(areas) and (place is None or not found.policy.gazetteer.covers(areas, place))


def _time_problem(agreement: Agreement, valid_at: datetime) -> tuple[str, str, Params] | None:
    """Code, variant and instant of why the agreement is not in force; None where it is."""
    effective, repealed = agreement.effective, agreement.repealed_at
    if repealed is not None and repealed <= valid_at:
        return "agreement.repealed", "", {"repealed_at": repealed}
    if effective.start is not None and valid_at < effective.start:
        return "agreement.not_in_force", "not_yet", {"starts": effective.start}
    if effective.end is not None and effective.end <= valid_at:
        return "agreement.not_in_force", "ended", {"ended": effective.end}
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


def _place_needed(agreement: Agreement, query: RecognitionQuery, found: Findings) -> Tried:
    """The agreement might bind the case: the place would settle it."""
    fact = found.purpose.place_fact or ""
    params: Params = {
        "facts": fact,
        "label": found.profile.facts[fact].label,
        "count": 1,
        "given": str(query.facts.get(fact, "")),
        "nearest": ", ".join(agreement.recognized_in[query.jurisdiction].areas),
    }
    variant = "unclear" if fact in query.facts else ""
    return Tried(agreement=agreement, code="facts.missing", variant=variant, params=params)


def _try(agreement: Agreement, query: RecognitionQuery, found: Findings, case: ConditionCase) -> Tried:
    """Whether one agreement binds the case and how its conditions stand. What is certain comes before what is not."""
    named: dict[str, Param] = {"agreement": agreement.name, "agreement_id": agreement.id}
    never = agreement.effect == "never_recognized"
    problem = None if never else _party_problem(agreement, query, found)
    if problem is not None:
        return Tried(agreement=agreement, code="agreement.party_not_bound", variant=problem, params=named)
    untimely = _time_problem(agreement, query.valid_at)
    if untimely is not None:
        code, variant, instant = untimely
        return Tried(agreement=agreement, code=code, variant=variant, params={**named, **instant})
    if not _in_scope(agreement, found):
        return Tried(agreement=agreement, code="agreement.out_of_scope", params=named)
    if never:
        return Tried(agreement=agreement, code="purpose.never_recognized", params=named)
    judged = tuple([JudgedCondition(condition=entry, state=entry.judge(case)) for entry in agreement.conditions])
    unmet = [entry.condition for entry in judged if entry.state == "unmet"]
    if unmet:
        # A failed check speaks for itself: another condition says more.
        condition = next((entry for entry in unmet if entry.kind != "checks"), unmet[0])
        return Tried(
            agreement=agreement,
            code="agreement.condition_unmet",
            variant="check_failed" if condition.kind == "checks" else "",
            params={**named, "condition": condition.text, "condition_id": condition.id},
            conditions=judged,
        )
    if _place_unclear(agreement, query, found):
        return _place_needed(agreement, query, found)
    return Tried(agreement=agreement, conditions=judged)


def _condition_case(query: RecognitionQuery, found: Findings) -> ConditionCase:
    laboratory = found.policy.laboratories.get(found.issuer.id) if found.issuer is not None else None
    return ConditionCase(
        attributes={} if found.state is None else found.state.attributes,
        facts=query.facts,
        results={name: finding.result for name, finding in found.checks.items()},
        authorisations=None if laboratory is None else laboratory.rows,
        catalogue=found.policy.surroundings[found.profile.id].catalogue,
    )


class Ruling(Struct, frozen=True, kw_only=True):
    """The agreement check with the reasons it gives and the agreement that decides, if one does."""

    finding: Finding
    reasons: tuple[Reason, ...] = ()
    tried: Tried | None = None


def office_of(query: RecognitionQuery, found: Findings) -> Authority:
    """The office to ask in the jurisdiction asked about."""
    jurisdiction = found.policy.jurisdictions[query.jurisdiction]
    return office_for(jurisdiction, found.profile.id, place_of(query, found.purpose), found.policy.gazetteer)


def _reason(entry: Tried, code: str, contact: Authority | None) -> Reason:
    return Reason(
        code=code, variant=entry.variant, params=entry.params, legal_basis=entry.agreement.legal_basis, contact=contact
    )


def _positive(entry: Tried, found: Findings) -> str:
    if found.purpose.genuineness:
        return "inspection.genuine"
    return "statute.nationwide" if entry.agreement.strength == "statute" else "agreement.in_force"


def _refusal(code: str, variant: str, reasons: tuple[Reason, ...], *, unclear: bool) -> Ruling:
    first = reasons[0]
    return Ruling(
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


def _without_agreement(query: RecognitionQuery, found: Findings, held: HeldCredential) -> Ruling | None:
    """The ruling where no agreement is asked: a lock, an issuer nobody lists, or a question at home."""
    bases = found.profile.bases["agreement"]
    if found.lock is not None:
        return _by_accepted_list(found, found.lock)
    if found.profile.evidence == "certificate":
        reason = Reason(
            code="agreement.none", variant="accepted_list", legal_basis=bases, contact=office_of(query, found)
        )
        return _refusal(reason.code, reason.variant, (reason,), unclear=True)
    if found.issuer is None:
        params: Params = {"issuer": held.credential.issuer}
        reason = Reason(code="issuer.unknown", params=params, legal_basis=bases, contact=office_of(query, found))
        return _refusal(reason.code, "", (reason,), unclear=True)
    if found.issuer.jurisdiction != query.jurisdiction:
        return None
    if found.purpose.not_at_home is None:
        return Ruling(finding=Finding(check="agreement", result="skipped", variant="home"))
    params = {"why": found.purpose.not_at_home}
    reason = Reason(
        code="purpose.never_recognized",
        variant="home",
        params=params,
        legal_basis=bases,
        contact=office_of(query, found),
    )
    return _refusal(reason.code, reason.variant, (reason,), unclear=False)


def _by_accepted_list(found: Findings, lock: JudgedLock) -> Ruling:
    """A lock has no home and no agreement: the line of an accepted list counts as one (api.md, checks)."""
    if lock.accepted is None or found.checks["issuer"].result != "passed":
        return Ruling(finding=Finding(check="agreement", result="skipped"))
    params: Params = {"agreement": lock.accepted.name, "agreement_id": lock.accepted.id}
    reason = Reason(
        code="agreement.in_force", variant="accepted_list", params=params, legal_basis=lock.accepted.legal_basis
    )
    finding = Finding(
        check="agreement",
        result="passed",
        code=reason.code,
        variant=reason.variant,
        params=params,
        legal_basis=reason.legal_basis,
    )
    return Ruling(finding=finding, reasons=(reason,))


def _accepted(query: RecognitionQuery, found: Findings, entry: Tried, before: Sequence[Tried]) -> Ruling:
    """The agreement that decides, and the stronger ones that were tried before it and had a condition unmet."""
    agreement, code = entry.agreement, _positive(entry, found)
    params: Params = {"agreement": agreement.name, "agreement_id": agreement.id}
    unmet = [
        _reason(other, other.code, office_of(query, found))
        for other in before
        if other.code == "agreement.condition_unmet"
    ]
    open_ = "open" in [judged.state for judged in entry.conditions]
    first = Reason(
        code=code,
        variant="open" if open_ else "",
        params=params,
        legal_basis=agreement.legal_basis,
        contact=office_of(query, found) if open_ else None,
    )
    return Ruling(
        finding=Finding(
            check="agreement", result="passed", code=code, params=params, legal_basis=agreement.legal_basis
        ),
        reasons=(first, *unmet),
        tried=entry,
    )


def rule(query: RecognitionQuery, found: Findings, agreements: Sequence[Agreement]) -> Ruling:
    """The first agreement, from the strongest basis to the weakest, that binds the case with nothing unmet."""
    if found.held is None:
        return Ruling(finding=Finding(check="agreement", result="skipped"))
    ruling = _without_agreement(query, found, found.held)
    if ruling is not None:
        return ruling
    case = _condition_case(query, found)
    tried: list[Tried] = []
    for agreement in sorted(agreements, key=attrgetter("rank")):
        entry = _try(agreement, query, found, case)
        if entry.code is None:
            return _accepted(query, found, entry, tried)
        tried.append(entry)
        if entry.code == "purpose.never_recognized":
            break
    return _refused(tried, office_of(query, found), found)


def _refused(tried: Sequence[Tried], office: Authority, found: Findings) -> Ruling:
    """Why no agreement decides: the missing fact that could change it, else the nearest misses."""
    for code, unclear in (("purpose.never_recognized", False), ("facts.missing", True)):
        reasons = tuple(_reason(entry, code, office) for entry in tried if entry.code == code)
        if reasons:
            # The same fact is asked for once, for the strongest agreement that needs it.
            return _refusal(code, reasons[0].variant, reasons[:1], unclear=unclear)
    ranked = sorted(tried, key=lambda entry: _NEARNESS.index(entry.code or ""))
    reasons = tuple(_reason(entry, entry.code or "", office) for entry in ranked)
    if not reasons:
        params: Params = {"type": found.profile.name, "purpose": found.purpose.label}
        reasons = (
            Reason(code="agreement.none", params=params, legal_basis=found.profile.bases["agreement"], contact=office),
        )
    return _refusal(reasons[0].code, reasons[0].variant, reasons, unclear=False)
