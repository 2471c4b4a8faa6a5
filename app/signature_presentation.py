"""Answers on signatures of documents as people and programs read them, in one language."""

from typing import Any

from app.messages import Messages
from app.presentation import answer_view, certificate_view, checks_view, path_view, reason_view
from keys.algorithms.schemes import load_key
from keys.certificate import Certificate
from keys.errors import KeysError
from registry.evidence import DocumentSignature
from registry.receipt import Origin, proven_time, signature_statement, time_source, time_statement
from registry.shown_signature import scheme_of
from registry.signers import Countersigned, Requirement, SignatureAnswer, SignerAnswer


def signature_view(answer: SignatureAnswer, messages: Messages, origin: Origin) -> dict[str, Any]:
    """The answer without receipt, `request_id` and `evaluated_at`: that on the signer who decides, and every signer."""
    panel, decision = answer.panel, answer.decision
    statement = signature_statement(answer)
    return answer_view(decision, messages, origin) | {
        "decision": panel.outcome,
        "label": messages.label(panel.outcome, genuineness=False),
        "reasons": [reason_view(reason, messages) for reason in panel.reasons],
        "time_source": time_source(decision),
        "signature": {name: statement[name] for name in ("digest", "format", "content", "content_seen")},
        "requirement": None if answer.requirement is None else _requirement(answer, answer.requirement),
        "signers": [_signer(signer, messages) for signer in answer.signers],
    }


def _requirement(answer: SignatureAnswer, requirement: Requirement) -> dict[str, Any]:
    missing = answer.panel.missing or {}
    return {
        **{str(role): count for role, count in requirement.counts.items()},
        "same_subject": requirement.same_subject,
        "met": not any(missing.values()),
        "missing": dict(missing),
    }


def _signer(signer: SignerAnswer, messages: Messages) -> dict[str, Any]:
    """A signer: whose certificate, what was decided of it, when he says that he signed, and since when it is proven."""
    decision, document = signer.signed.decision, signer.signature
    said = None if document is None else document.signer
    view: dict[str, Any] = {
        "role": signer.signed.role,
        "signature": None if document is None else document.name,
        "scheme": None if document is None else _scheme(document, signer.certificate),
        "claimed_time": None if said is None else said.claimed_time,
        "proven_time": None,
        "evidence": [],
        "countersignatures": [_countersigned(entry) for entry in signer.countersigned],
        "oddities": [] if said is None else list(said.oddities),
        "decision": signer.signed.outcome,
    }
    if decision is None or decision.lock is None:
        why = signer.signed.undecided
        reason = {"code": why[0], "message": messages.message(*why), "remedy": messages.remedy(*why)}
        return view | {"certificate": None, "path": [], "reasons": [reason], "checks": []}
    established = decision.lock.established
    refused = () if established is None else established.refused
    proven = proven_time(decision)
    return view | {
        "certificate": certificate_view(decision),
        "path": path_view(decision, messages),
        "reasons": [reason_view(reason, messages) for reason in decision.reasons],
        "checks": checks_view(decision, messages),
        "valid_at": decision.query.valid_at,
        "proven_time": None if proven is None else time_statement(proven),
        "evidence": [
            {
                "kind": entry.kind,
                "digest": entry.digest,
                "code": entry.code,
                "message": messages.refusal(entry.code),
                "detail": entry.detail,
            }
            for entry in (*refused, *signer.unused)
        ],
    }


def _scheme(document: DocumentSignature, certificate: Certificate | None) -> str | None:
    """What it is signed by; of a bare signature that follows from the certificate's key."""
    if document.signer is not None or certificate is None:
        return None if document.signer is None else document.signer.scheme.name
    try:
        return scheme_of(document, load_key(certificate.spki)).name
    except KeysError:
        return None


def _countersigned(entry: Countersigned) -> dict[str, Any]:
    certificate = entry.certificate
    return {
        "right": entry.right,
        "fingerprint": None if certificate is None else certificate.fingerprint,
        "claimed_time": entry.claimed_time,
    }
