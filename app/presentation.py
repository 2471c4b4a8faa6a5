"""From decisions and registers to what people and programs read: the wire shapes of api.md, in one language."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from app.messages import Messages
from app.usecases.find_credentials import HistoryStep
from keys.certificate import Certificate
from registry.agreement import Agreement
from registry.condition import Condition
from registry.credential import CredentialState, Event, Subject, standing
from registry.decision import Decision
from registry.document import LocalText
from registry.dossier import HeldCredential
from registry.errors import Detail, Fault
from registry.field import Field
from registry.finding import Reason
from registry.holder import issuer_of, shown_subject
from registry.jurisdiction import Authority, Jurisdiction
from registry.lifecycle import Lifecycle
from registry.lock_pair import pair_of
from registry.policy import Policy
from registry.profile import CredentialProfile, Purpose
from registry.receipt import Origin, details, evidence
from registry.trust import Trust


def to_json(view: Any, *, indent: bool = False) -> bytes:
    """A view as JSON. Instants stay instants until here: they are written in UTC with `Z`."""
    return orjson.dumps(view, option=orjson.OPT_UTC_Z | (orjson.OPT_INDENT_2 if indent else 0))


def contact_view(authority: Authority | None, messages: Messages) -> dict[str, Any] | None:
    """An office with its public contact."""
    if authority is None:
        return None
    return {
        "id": authority.id,
        "name": messages.local(authority.name),
        "phone": authority.phone,
        "url": authority.url,
    }


def reason_view(reason: Reason, messages: Messages) -> dict[str, Any]:
    """A reason with its sentence, what can be done, and the office to ask."""
    return {
        "code": reason.code,
        "message": messages.message(reason.code, reason.variant, reason.params),
        "remedy": messages.remedy(reason.code, reason.variant, reason.params),
        "contact": contact_view(reason.contact, messages),
        "legal_basis": [basis.statement() for basis in reason.legal_basis],
        "details": details(reason.params),
    }


def checks_view(decision: Decision, messages: Messages) -> list[dict[str, Any]]:
    """The ten checks, with the digests of what each rested on."""
    sentence = messages.message
    return [
        {
            "name": finding.check,
            "result": finding.result,
            "code": finding.code,
            "message": sentence(finding.code or f"skipped.{finding.check}", finding.variant, finding.params),
            "evidence": rested,
        }
        for finding, rested in zip(decision.checks, evidence(decision), strict=True)
    ]


def _condition(condition: Condition, state: str, messages: Messages) -> dict[str, Any]:
    return {
        "id": condition.id,
        "kind": condition.kind,
        "state": state,
        "fact": condition.fact,
        "message": messages.local(condition.text),
    }


def subject_view(subject: Subject) -> dict[str, Any]:
    """The holder as the public may see it: a natural person's name and number are withheld."""
    if subject.kind == "person":
        return {"kind": "person", "name": None, "uscc": None}
    return {"kind": subject.kind, "name": subject.name, "uscc": subject.uscc}


def credential_view(
    held: HeldCredential,
    state: CredentialState,
    profile: CredentialProfile | None,
    issuer: Authority | None,
    valid_at: datetime,
    messages: Messages,
) -> dict[str, Any]:
    """The public view of a credential at a legal instant."""
    credential = held.credential
    declared: Mapping[str, Field] = {} if profile is None else profile.attributes
    return {
        "id": held.id,
        "type": credential.type,
        "number": credential.number,
        "issuer": {
            "id": credential.issuer,
            "name": None if issuer is None else messages.local(issuer.name),
            "jurisdiction": None if issuer is None else issuer.jurisdiction,
        },
        "subject": subject_view(state.subject),
        "status": standing(state, valid_at),
        "issued_at": credential.issued_at,
        "valid_from": state.valid_from,
        "valid_until": state.valid_until,
        "predecessor": credential.predecessor,
        "attributes": {
            name: value for name, value in state.attributes.items() if name in declared and declared[name].public
        },
    }


def event_view(event: Event) -> dict[str, Any]:
    """A lifecycle event. The details of a penalty are not public; its kind and dates are."""
    return {
        "event": event.event,
        "kind": event.kind,
        "effective_at": event.effective_at,
        "recorded_at": event.recorded_at,
        "reason_code": event.reason_code,
        "legal_basis": [basis.statement() for basis in event.legal_basis],
        "successor": event.successor,
    }


def history_view(step: HistoryStep) -> dict[str, Any]:
    """A step of a credential's history, with the place of its version in the log."""
    held, event = step.version.held, step.event
    credential = held.credential
    statement = event.statement if event is not None else credential.statement if step.first else None
    said: dict[str, Any] = {
        "event": "registered" if step.first else "amended",
        "kind": None,
        "effective_at": credential.issued_at if step.first else None,
        "recorded_at": credential.recorded_at if step.first else held.known_from,
        "reason_code": None,
        "legal_basis": [],
        "successor": None,
    }
    return {
        **(said if event is None else event_view(event)),
        "known_from": held.known_from,
        "digest": held.digest,
        "statement": None if statement is None else statement.digest,
        "log_index": step.version.log_index,
    }


def _searched(decision: Decision, messages: Messages) -> list[dict[str, Any]]:
    searched = []
    for register in decision.searched:
        authority = decision.policy.authorities.get(register.issuer)
        age = None if register.as_of is None else decision.query.known_at - register.as_of
        searched.append(
            {
                "issuer": register.issuer,
                "name": register.issuer if authority is None else messages.local(authority.name),
                "as_of": register.as_of,
                "age_seconds": None if age is None else int(age.total_seconds()),
            }
        )
    return searched


def certificate_view(decision: Decision) -> dict[str, Any] | None:
    """The certificate that was shown, None where none was. Of a person neither the name nor the number."""
    lock = decision.lock
    if lock is None:
        return None
    certificate, subject = lock.certificate, lock.credential.subject
    pair = None if len(lock.path) < 2 else pair_of(certificate, lock.path[1], decision.query.chain)
    usage = certificate.key_usage
    return {
        "subject": shown_subject(certificate),
        "uscc": None if subject.kind == "person" else subject.uscc,
        "serial": lock.credential.number,
        "issuer": issuer_of(certificate),
        "fingerprint": certificate.fingerprint,
        "algorithm": lock.credential.attributes.get("algorithm"),
        "key_usage": None if usage is None else sorted(usage),
        "use": certificate.use,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "pair": None if pair is None else {"fingerprint": pair.fingerprint, "use": pair.use},
    }


def path_view(decision: Decision, messages: Messages) -> list[dict[str, Any]]:
    """The authorities on the path of a certificate that was shown, up to the anchor."""
    path = () if decision.lock is None else decision.lock.path[1:]
    return [_step(certificate, decision.policy.trust, messages) for certificate in path]


def _step(certificate: Certificate, trust: Trust, messages: Messages) -> dict[str, Any]:
    """An authority on the path, with the trust anchor file that names its key."""
    named = trust.of_key(certificate)
    return {
        "subject": certificate.subject_text,
        "fingerprint": certificate.fingerprint,
        "trust_anchor": named[0].id if named else None,
        "name": messages.local(named[0].name) if named else None,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
    }


def answer_view(decision: Decision, messages: Messages, origin: Origin) -> dict[str, Any]:
    """The answer to the main question, without receipt, `request_id` and `evaluated_at`."""
    query, agreement, held, state = decision.query, decision.agreement, decision.held, decision.state
    view: dict[str, Any] = {
        "decision": decision.outcome,
        "label": messages.label(decision.outcome, genuineness=decision.purpose.genuineness),
        "reasons": [reason_view(reason, messages) for reason in decision.reasons],
        "checks": checks_view(decision, messages),
        "conditions": [_condition(entry.condition, entry.state, messages) for entry in decision.conditions],
        "agreement": None
        if agreement is None
        else {
            "id": agreement.id,
            "version": agreement.version,
            "digest": agreement.digest,
            "basis_strength": agreement.strength,
        },
        "credential": None
        if held is None or state is None
        else credential_view(held, state, decision.profile, decision.issuer, query.valid_at, messages),
        "jurisdiction": query.jurisdiction,
        "purpose": query.purpose,
        "valid_at": query.valid_at,
        "known_at": query.known_at,
        "fresh_until": decision.fresh_until,
        "livemode": origin.livemode,
    }
    if decision.lock is not None:
        view["certificate"] = certificate_view(decision)
        view["path"] = path_view(decision, messages)
    if decision.searched:
        view["searched"] = _searched(decision, messages)
    return view


def fault_view(fault: Fault, messages: Messages) -> dict[str, str]:
    """One fault of a refused query; `technical` is for who has to mend it."""
    said = {"pointer": fault.pointer, "code": fault.code, "detail": messages.problem(fault.code, fault.params)}
    technical = [value.text for value in fault.params.values() if isinstance(value, Detail)]
    return said | ({"technical": "; ".join(technical)} if technical else {})


def _field_view(field: Field, messages: Messages) -> dict[str, Any]:
    return {
        "name": field.name,
        "kind": field.kind,
        "label": messages.local(field.label),
        "required": field.required,
        "choices": [{"value": value, "label": messages.local(text)} for value, text in field.choices.items()],
        "columns": list(field.columns),
    }


def _purpose_view(purpose: Purpose, messages: Messages) -> dict[str, Any]:
    return {
        "id": purpose.id,
        "label": messages.local(purpose.label),
        "required_facts": list(purpose.required),
        "optional_facts": list(purpose.optional),
        "not_required_possible": purpose.uses_catalogue,
    }


def profile_view(profile: CredentialProfile, messages: Messages) -> dict[str, Any]:
    """A credential type: its number, attributes, facts and purposes."""
    return {
        "id": profile.id,
        "version": profile.version,
        "digest": profile.digest,
        "confidence": profile.confidence,
        "name": messages.local(profile.name),
        "number": {
            "example": profile.number.example,
            "pattern": None if profile.number.pattern is None else profile.number.pattern.pattern,
            "check": profile.number.check,
            "unique_within": profile.number.unique_within,
        },
        "max_age_hours": int(profile.max_age.total_seconds() // 3600),
        "lifecycle": None if profile.lifecycle is None else _lifecycle_view(profile.lifecycle),
        "attributes": [_field_view(field, messages) for field in profile.attributes.values()],
        "facts": [_field_view(field, messages) for field in profile.facts.values()],
        "purposes": [_purpose_view(purpose, messages) for purpose in profile.purposes.values()],
    }


def _lifecycle_view(lifecycle: Lifecycle) -> dict[str, list[str]]:
    """Which steps an issuer may state, by what the credential is."""
    return {standing: sorted(steps) for standing, steps in lifecycle.steps.items()}


def jurisdiction_view(jurisdiction: Jurisdiction, messages: Messages) -> dict[str, Any]:
    """A jurisdiction with its areas."""
    return {
        "id": jurisdiction.id,
        "version": jurisdiction.version,
        "digest": jurisdiction.digest,
        "confidence": jurisdiction.confidence,
        "name": messages.local(jurisdiction.name),
        "whole_area": jurisdiction.whole_area,
        "areas": [
            {"code": area.code, "name": messages.local(area.name), "members": sorted(area.members)}
            for area in jurisdiction.areas.values()
        ],
        "sources": list(jurisdiction.sources),
    }


def authority_view(authority: Authority, policy: Policy, messages: Messages) -> dict[str, Any]:
    """An authority with what it may issue and what it answers for. Versioned with its jurisdiction's file."""
    jurisdiction = policy.jurisdictions[authority.jurisdiction]
    return {
        "id": authority.id,
        "version": jurisdiction.version,
        "digest": jurisdiction.digest,
        "confidence": authority.confidence,
        "name": messages.local(authority.name),
        "jurisdiction": authority.jurisdiction,
        "contact": {"phone": authority.phone, "url": authority.url},
        "answers_for": sorted(authority.answers_for),
        "competences": [
            {
                "type": entry.type,
                "areas": list(entry.areas),
                "from": entry.period.start,
                "until": entry.period.end,
            }
            for entry in authority.competences
        ],
    }


def agreement_view(agreement: Agreement, messages: Messages) -> dict[str, Any]:
    """An agreement: who is bound, for what, from when until when, on which conditions and by which law."""
    note: LocalText | None = agreement.note
    return {
        "id": agreement.id,
        "version": agreement.version,
        "digest": agreement.digest,
        "confidence": agreement.confidence,
        "name": messages.local(agreement.name),
        "basis_strength": agreement.strength,
        "effect": agreement.effect,
        "types": list(agreement.types),
        "purposes": list(agreement.purposes),
        "issued_in": [{"jurisdiction": p.jurisdiction, "areas": list(p.areas)} for p in agreement.issued_in.values()],
        "recognized_in": [
            {"jurisdiction": p.jurisdiction, "areas": list(p.areas)} for p in agreement.recognized_in.values()
        ],
        "from": agreement.effective.start,
        "until": agreement.effective.end,
        "repealed_at": agreement.repealed_at,
        "conditions": [
            {"id": entry.id, "kind": entry.kind, "fact": entry.fact, "message": messages.local(entry.text)}
            for entry in agreement.conditions
        ],
        "legal_basis": [basis.statement() for basis in agreement.legal_basis],
        "note": None if note is None else messages.local(note),
    }
