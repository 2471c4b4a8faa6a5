"""Judges a dossier: nine of the ten checks, each a finding. The one place where a failure becomes a finding.

Total and deterministic: an answer for every dossier, the same for the same dossier. The tenth check, `agreement`,
belongs to the decision.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from keys.certificate import Certificate
from registry.attested import Doubt, counted
from registry.catalogue import Listing
from registry.credential import Credential, CredentialState, Event, credential_id
from registry.document import LegalBasis, LocalText
from registry.dossier import Dossier, HeldCredential, RegisterState
from registry.evidence import LockEvidence
from registry.field import Field
from registry.finding import NO_PARAMS, SKIPPED, Finding, Param, Params, Result
from registry.identifiers import compact, comparable
from registry.jurisdiction import Authority, competent, office_for
from registry.lock import JudgedLock, LockCase, judge_lock
from registry.log.checkpoint import TreeHead
from registry.policy import Policy
from registry.profile import CredentialProfile, Purpose
from registry.query import RecognitionQuery
from registry.scope import ScopeVerdict
from registry.search import Search, absent, assumed, labels, place_of


class Findings(Struct, frozen=True, kw_only=True):
    """What verification found: the case it was about, and a finding for each check but `agreement`."""

    policy: Policy
    profile: CredentialProfile
    purpose: Purpose
    held: HeldCredential | None
    matches: int
    state: CredentialState | None
    issuer: Authority | None
    listing: Listing | None
    registers: tuple[RegisterState, ...]
    stale: tuple[RegisterState, ...]
    fresh_until: datetime | None
    checks: Mapping[str, Finding]
    lock: JudgedLock | None = None
    head: TreeHead | None = None


class _Case(Struct, frozen=True, kw_only=True):
    """The one held credential under judgement and what every check needs of it."""

    query: RecognitionQuery
    profile: CredentialProfile
    purpose: Purpose
    policy: Policy
    held: HeldCredential
    state: CredentialState
    doubt: Doubt | None
    issuer: Authority | None
    listing: Listing | None

    def finding(
        self,
        check: str,
        result: Result,
        code: str,
        variant: str = "",
        params: Params = NO_PARAMS,
        basis: tuple[LegalBasis, ...] = (),
    ) -> Finding:
        """A finding about the held credential, with the law on the check and the office that can mend it."""
        return Finding(
            check=check,
            result=result,
            code=code,
            variant=variant,
            params=params,
            legal_basis=basis or self.profile.bases[check],
            contact=self.contact(),
        )

    def contact(self) -> Authority:
        """The issuer while it answers for the type, else the office that does so where it was issued."""
        if self.issuer is None:
            return self.office()
        if self.profile.id in self.issuer.answers_for:
            return self.issuer
        return self.issuing_office()

    def issuing_office(self) -> Authority:
        """The office for the credential's own area in the jurisdiction where it was issued."""
        area = self.held.credential.attributes.get(self.profile.area_attribute or "")
        home = self.issuer.jurisdiction if self.issuer is not None else self.query.jurisdiction
        return office_for(self.policy.jurisdictions[home], self.profile.id, area, self.policy.gazetteer)

    def office(self) -> Authority:
        """The office in the jurisdiction asked about."""
        jurisdiction = self.policy.jurisdictions[self.query.jurisdiction]
        return office_for(jurisdiction, self.profile.id, place_of(self.query, self.purpose), self.policy.gazetteer)


# What is found alike in most cases, made once.
_IN_FORCE = Finding(check="status", result="passed", code="status.in_force")
_OPEN_ENDED = Finding(check="validity", result="passed", code="validity.current", variant="open_ended")
_COVERED = Finding(check="scope", result="passed", code="scope.covered")
_NO_SCOPE = Finding(check="scope", result="passed", code="scope.covered", variant="no_scope")
_NOTHING_GIVEN = Finding(check="scope", result="skipped", variant="nothing_given")
_SAME_SUBJECT = Finding(check="subject", result="passed", code="subject.matches")


def _passed(check: str, code: str, params: Params) -> Finding:
    """A finding that gives no reason: it needs no law and no office."""
    return Finding(check=check, result="passed", code=code, params=params)


def _format(case: _Case) -> Finding:
    rule, credential = case.profile.number, case.held.credential
    verdict = rule.judge(rule.normalise(credential.number))
    params = {"number": credential.number}
    if not verdict.well_formed:
        return case.finding("format", "passed", "number.malformed", "held", params)
    if not verdict.check_right:
        return case.finding("format", "passed", "number.check_digit_wrong", "held", params)
    if verdict.jurisdiction and case.issuer and verdict.jurisdiction != case.issuer.jurisdiction:
        return case.finding("format", "passed", "number.province_mismatch", "", params)
    return _passed("format", "number.well_formed", params)


def _signature(case: _Case) -> Finding:
    """Whether the issuer's statements count: each was verified when it came in, its key is judged as known now."""
    if case.profile.evidence == "certificate":
        return case.finding("signature", "indeterminate", "signature.missing")
    credential, doubt = case.held.credential, case.doubt
    if doubt is not None and doubt.known:
        params: Params = {"kid": doubt.kid, "recorded_at": doubt.recorded_at}
        result: Result = "failed" if doubt.whole else "indeterminate"
        return case.finding("signature", result, "issuer.key_retired", "" if doubt.whole else "step", params)
    if doubt is not None:
        return case.finding("signature", "indeterminate", "issuer.key_retired", "unknown", {"kid": doubt.kid})
    if credential.statement is None:
        return SKIPPED["signature"]
    if any(event.statement is None for event in credential.events):
        return case.finding("signature", "failed", "signature.missing", "step")
    params = {"kid": credential.statement.kid}
    return Finding(check="signature", result="passed", code="signature.verified", variant="statement", params=params)


def _path(case: _Case) -> Finding:
    if case.profile.evidence == "certificate":
        return case.finding("path", "indeterminate", "path.no_anchor")
    return SKIPPED["path"]


def _issuer(case: _Case) -> Finding:
    credential, profile, issuer = case.held.credential, case.profile, case.issuer
    if issuer is None:
        return case.finding("issuer", "indeterminate", "issuer.unknown", "", {"issuer": credential.issuer})
    # Of the area at issue: what was amended was held against the issuer's powers when it was stated.
    area = credential.attributes.get(profile.area_attribute) if profile.area_attribute else None
    params: dict[str, Param] = {"issuer": issuer.name, "issued_at": credential.issued_at}
    if area is not None and not case.policy.gazetteer.known(area):
        return case.finding("issuer", "indeterminate", "issuer.not_competent", "area_unknown", params | {"area": area})
    verdict = competent(issuer, profile.id, credential.issued_at, area, case.policy.gazetteer)
    if verdict is None:
        return case.finding("issuer", "indeterminate", "issuer.not_competent", "beginning_unsure", params)
    if verdict:
        return _passed("issuer", "issuer.competent", params)
    finding = case.finding("issuer", "failed", "issuer.not_competent", "", params)
    return replace(finding, contact=case.issuing_office())


def _status(case: _Case) -> Finding:
    state, event = case.state, case.state.event
    if event is None or state.status == "valid":
        return _IN_FORCE
    params: dict[str, str | datetime] = {"effective_at": event.effective_at}
    if state.status == "superseded":
        successor = event.successor or {}
        params |= {"successor": successor.get("number", ""), "successor_issuer": successor.get("issuer", "")}
        return case.finding("status", "failed", "credential.superseded", "", params, event.legal_basis)
    return case.finding("status", "failed", f"status.{state.status}", _kind(event), params, event.legal_basis)


def _kind(event: Event) -> str:
    return (event.kind or "") if event.event == "revoked" else ""


def _validity(case: _Case) -> Finding:
    # Where no beginning is stated, nothing is valid before it was issued.
    start = case.state.valid_from or case.held.credential.issued_at
    end, valid_at = case.state.valid_until, case.query.valid_at
    if valid_at < start:
        return case.finding("validity", "failed", "validity.not_yet", "", {"valid_from": start})
    if end is None:
        return _OPEN_ENDED
    if end <= valid_at:
        return case.finding("validity", "failed", "validity.expired", "", {"valid_until": end})
    return _passed("validity", "validity.current", {"valid_until": end})


def _not_covered(case: _Case, verdict: ScopeVerdict) -> Finding:
    field = case.profile.field(verdict.fact)
    params: Params = {
        "fact": verdict.fact,
        "label": field.label,
        "given": _shown_choice(field, verdict.given),
        "nearest": _shown_choice(field, verdict.nearest),
    }
    variant = verdict.variant or ("" if verdict.nearest else "nothing_near")
    if verdict.fact not in case.profile.facts:
        variant = "attribute"
    return case.finding("scope", "failed", "scope.not_covered", variant, params)


def _shown_choice(field: Field, value: str) -> LocalText | str:
    """A choice by its label; anything else as it is."""
    return field.choices.get(value, value)


def _scope(case: _Case) -> Finding:
    purpose, facts = case.purpose, case.query.facts
    around = case.policy.surroundings[case.profile.id]
    verdicts = [rule.judge(case.state.attributes, facts, around) for rule in purpose.scope]
    for verdict in verdicts:
        if verdict.state == "not_covered":
            return _not_covered(case, verdict)
    missing = [name for name in purpose.required if name not in facts]
    if missing:
        return case.finding("scope", "indeterminate", "facts.missing", "", labels(case.profile, missing))
    for verdict in verdicts:
        if verdict.state == "unknown" and verdict.fact not in case.profile.facts:
            params: Params = {"attribute": verdict.fact, "label": case.profile.field(verdict.fact).label}
            return case.finding("scope", "indeterminate", "facts.missing", "attribute", params)
        if verdict.state == "unknown":
            params = {**labels(case.profile, [verdict.fact]), "given": verdict.given, "nearest": verdict.nearest}
            return case.finding("scope", "indeterminate", "facts.missing", verdict.variant, params)
    silent = bool(purpose.scope) and all(verdict.state == "silent" for verdict in verdicts)
    surplus = [name for name in facts if name not in purpose.needed]
    if surplus:
        # A fact that nothing asks for does not make a scope that was not looked at one that passed.
        result: Result = "skipped" if silent else "passed"
        return case.finding("scope", result, "facts.not_needed", "", labels(case.profile, sorted(surplus)))
    if silent:
        return _NOTHING_GIVEN
    return _COVERED if purpose.scope else _NO_SCOPE


def _subject(case: _Case) -> Finding:
    expected, subject = case.query.expected_subject, case.state.subject
    if expected is None:
        return SKIPPED["subject"]
    if expected.uscc is not None and subject.uscc is None:
        return case.finding("subject", "indeterminate", "subject.mismatch", "uscc_unknown")
    same_uscc = expected.uscc is None or expected.uscc == compact(subject.uscc or "")
    same_name = expected.name is None or comparable(expected.name) == comparable(subject.name)
    if same_uscc and same_name:
        return _SAME_SUBJECT
    return case.finding("subject", "failed", "subject.mismatch")


def _stale(state: RegisterState, profile: CredentialProfile, query: RecognitionQuery) -> bool:
    """A register that reaches `valid_at` is fresh for ever; one that does not must be young at `known_at`."""
    if state.as_of is None:
        return True
    return state.as_of < query.valid_at and query.known_at - state.as_of > profile.max_age


def _freshness(case: _Case, registers: tuple[RegisterState, ...]) -> Finding:
    register = registers[0] if registers else RegisterState(issuer=case.held.credential.issuer, as_of=None)
    name = case.issuer.name if case.issuer else case.held.credential.issuer
    if register.as_of is None:
        return case.finding("freshness", "indeterminate", "register.stale", "never", {"register": name})
    params = {"register": name, "as_of": register.as_of}
    if _stale(register, case.profile, case.query):
        return case.finding("freshness", "indeterminate", "register.stale", "", params)
    if case.query.valid_at > case.query.known_at:
        return assumed(case.query, case.profile)
    return _passed("freshness", "register.fresh", params)


def _fresh_until(registers: tuple[RegisterState, ...], profile: CredentialProfile) -> datetime | None:
    """Until when the registers' knowledge counts as fresh without a new report; None when one never reported."""
    reached = [register.as_of for register in registers if register.as_of is not None]
    if not reached or len(reached) < len(registers):
        return None
    try:
        return min(reached) + profile.max_age
    except OverflowError:
        return None


def _listing(query: RecognitionQuery, profile: CredentialProfile, purpose: Purpose, policy: Policy) -> Listing | None:
    """What the catalogue says of the instrument asked about; None where the purpose does not ask it."""
    catalogue = policy.surroundings[profile.id].catalogue
    if not purpose.uses_catalogue or profile.catalogue is None or catalogue is None:
        return None
    instrument = query.facts.get(profile.catalogue.instrument_fact)
    if instrument is None:
        return None
    if query.valid_at not in catalogue.effective:
        return Listing(state="unclear")
    size = query.facts.get(profile.catalogue.size_fact or "")
    return catalogue.find(str(instrument), None if size is None else str(size))


def _linked(credential: Credential, held: tuple[HeldCredential, ...]) -> Credential:
    """A certificate with the one that it renewed, where the register of its issuer says so."""
    registered = [entry.credential for entry in held if entry.credential.issuer == credential.issuer]
    return replace(credential, predecessor=registered[0].predecessor) if len(registered) == 1 else credential


def _verify_lock(dossier: Dossier, purpose: Purpose, certificate: Certificate, evidence: LockEvidence) -> Findings:
    """The findings about a certificate that was shown."""
    query, profile, policy = dossier.query, dossier.profile, dossier.policy
    case = LockCase(
        query=query, profile=profile, purpose=purpose, policy=policy, certificate=certificate, evidence=evidence
    )
    checks, judged = judge_lock(case)
    credential = _linked(judged.credential, dossier.held)
    held = HeldCredential(
        id=credential_id(credential.type, credential.number, credential.issuer),
        credential=credential,
        digest=certificate.fingerprint,
        known_from=certificate.not_before,
    )
    return Findings(
        policy=policy,
        profile=profile,
        purpose=purpose,
        held=held,
        matches=1,
        state=credential.state_at(query.valid_at),
        issuer=judged.issuer,
        listing=None,
        registers=(),
        stale=(),
        fresh_until=None if judged.revocation is None else judged.revocation.fresh_until,
        checks=checks,
        lock=judged,
        head=dossier.head,
    )


def verify(dossier: Dossier) -> Findings:
    """The findings about a dossier. Never raises for what a register, a holder or an asker could have written."""
    query, profile, policy = dossier.query, dossier.profile, dossier.policy
    purpose = profile.purposes[query.purpose]
    if query.certificate is not None and dossier.lock is not None:
        return _verify_lock(dossier, purpose, query.certificate, dossier.lock)
    listing = _listing(query, profile, purpose, policy)
    stale = tuple([state for state in dossier.registers if _stale(state, profile, query)])
    held = dossier.held[0] if len(dossier.held) == 1 else None
    issuer = policy.authorities.get(held.credential.issuer) if held is not None else None
    known = counted(held.credential, policy.keys) if held is not None else None
    state = known.credential.state_at(query.valid_at) if known is not None else None
    if held is None or known is None or state is None:
        checks = absent(Search(dossier=dossier, purpose=purpose, stale=stale, listing=listing))
    else:
        case = _Case(
            query=query,
            profile=profile,
            purpose=purpose,
            policy=policy,
            held=held,
            state=state,
            doubt=known.doubt,
            issuer=issuer,
            listing=listing,
        )
        checks = {
            "format": _format(case),
            "signature": _signature(case),
            "path": _path(case),
            "issuer": _issuer(case),
            "status": _status(case),
            "validity": _validity(case),
            "scope": _scope(case),
            "subject": _subject(case),
            "freshness": _freshness(case, dossier.registers),
        }
    return Findings(
        policy=policy,
        profile=profile,
        purpose=purpose,
        held=held,
        matches=len(dossier.held),
        state=state,
        issuer=issuer,
        listing=listing,
        registers=dossier.registers,
        stale=stale,
        fresh_until=_fresh_until(dossier.registers, profile),
        checks=checks,
        head=dossier.head,
    )
