"""What is signed: the decision core, and the claims of a receipt over it. No language, no clock, no key."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.agreement import Agreement
from registry.canonical import canonical_json, digest, unguarded_canonical_json
from registry.credential import standing
from registry.decision import OUTCOMES, Decision
from registry.document import LocalText
from registry.errors import Detail
from registry.evidence import ProvenTime
from registry.finding import CHECKS, Params, Reason
from registry.lock import JudgedLock
from registry.log.checkpoint import TreeHead
from registry.signers import ROLES, SignatureAnswer, SignerAnswer
from registry.trust import AcceptedList

RECEIPT_TYPE = "recognition-receipt+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who answers: the issuer name in receipts, the software's version, and whether the store is in live mode."""

    issuer: str
    software: str
    livemode: bool


def details(params: Params) -> dict[str, str | int | datetime]:
    """The language-free part of a message's parameters, for programs."""
    return {
        name: value.text if isinstance(value, Detail) else value
        for name, value in params.items()
        if not isinstance(value, LocalText)
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code,
        "details": details(reason.params),
        "legal_basis": [basis.statement() for basis in reason.legal_basis],
        "contact": None if reason.contact is None else reason.contact.id,
    }


def _agreement(agreement: Agreement | AcceptedList | None) -> dict[str, Any] | None:
    if agreement is None:
        return None
    return {
        "id": agreement.id,
        "version": agreement.version,
        "digest": agreement.digest,
        "basis_strength": agreement.strength,
    }


def _credential(decision: Decision) -> dict[str, Any] | None:
    held, state = decision.held, decision.state
    if held is None or state is None:
        return None
    return {
        "id": held.id,
        "type": held.credential.type,
        "number": held.credential.number,
        "issuer": held.credential.issuer,
        "digest": held.digest,
        "known_from": held.known_from,
        "status": standing(state, decision.query.valid_at),
        "valid_from": state.valid_from,
        "valid_until": state.valid_until,
    }


def evidence(decision: Decision) -> list[tuple[str, ...]]:
    """For each check the digests of what it rested on: the credential's version, the agreement, the policy file."""
    if decision.lock is not None:
        return _lock_evidence(decision, decision.lock)
    held = () if decision.held is None else (decision.held.digest,)
    agreement = () if decision.agreement is None else (decision.agreement.digest,)
    catalogue: tuple[str, ...] = ()
    if decision.outcome == "not_required":
        used = decision.policy.surroundings[decision.profile.id].catalogue
        catalogue = () if used is None else (used.digest,)
    return [
        ()
        if finding.result == "skipped"
        else agreement
        if finding.check == "agreement"
        else catalogue
        if finding.code == "catalogue.not_listed"
        else held
        for finding in decision.checks
    ]


def _lock_evidence(decision: Decision, lock: JudgedLock) -> list[tuple[str, ...]]:
    """The same of a lock: its certificate, the path, the revocation lists, the accepted list."""
    lists = () if lock.revocation is None else lock.revocation.lists
    accepted = () if lock.accepted is None else (lock.accepted.digest,)
    rested = {
        "path": tuple(certificate.fingerprint for certificate in lock.path),
        "issuer": accepted,
        "agreement": accepted,
        "status": lists,
        "freshness": lists,
    }
    shown = (lock.certificate.fingerprint,)
    return [() if finding.result == "skipped" else rested.get(finding.check, shown) for finding in decision.checks]


def core(decision: Decision) -> dict[str, Any]:
    """The decision core: what the same query with the same `known_at` gives again, byte for byte."""
    return {
        "query": decision.query.statement(),
        "decision": decision.outcome,
        "reasons": [_reason(reason) for reason in decision.reasons],
        "checks": [
            {"name": entry.check, "result": entry.result, "code": entry.code, "evidence": rested}
            for entry, rested in zip(decision.checks, evidence(decision), strict=True)
        ],
        "conditions": [
            {"id": entry.condition.id, "kind": entry.condition.kind, "state": entry.state}
            for entry in decision.conditions
        ],
        "agreement": _agreement(decision.agreement),
        "credential": _credential(decision),
        "searched": [{"issuer": entry.issuer, "as_of": entry.as_of} for entry in decision.searched],
        "digests": digests(decision),
        "fresh_until": decision.fresh_until,
        **({} if decision.lock is None else {"lock": _lock(decision.lock)}),
    }


def digests(decision: Decision) -> dict[str, str | None]:
    """The versions of everything declarative and registered that the answer rests on."""
    catalogue = decision.policy.surroundings[decision.profile.id].catalogue
    issuer = decision.issuer
    laboratory = None if issuer is None else decision.policy.laboratories.get(issuer.id)
    found: dict[str, str | None] = {
        "credential": None if decision.held is None else decision.held.digest,
        "agreement": None if decision.agreement is None else decision.agreement.digest,
        "profile": decision.profile.digest,
        "catalogue": None if catalogue is None else catalogue.digest,
        "authorisation": None if laboratory is None else laboratory.digest,
        "issuing_jurisdiction": None if issuer is None else decision.policy.jurisdictions[issuer.jurisdiction].digest,
        "jurisdiction": decision.policy.jurisdictions[decision.query.jurisdiction].digest,
    }
    if decision.lock is not None:
        found["trust_anchor"] = None if decision.lock.anchor is None else decision.lock.anchor.digest
        found["algorithm_policy"] = decision.lock.algorithm_policy
    return found


def _lock(lock: JudgedLock) -> dict[str, Any]:
    """What a lock was judged by: its certificate and path by fingerprint, the lists, the challenge that it signed."""
    proven = None if lock.established is None else lock.established.proven
    return {
        "certificate": lock.certificate.fingerprint,
        "path": path_of(lock),
        "revocation_lists": [] if lock.revocation is None else list(lock.revocation.lists),
        "signed": lock.signed,
        **({} if proven is None else {"proven_time": time_statement(proven)}),
    }


def path_of(lock: JudgedLock) -> list[str]:
    """The fingerprints from the lock's certificate to the anchor."""
    return [certificate.fingerprint for certificate in lock.path]


def claims(
    decision: Decision, origin: Origin, *, evaluated_at: datetime, jti: str, answer: SignatureAnswer | None = None
) -> dict[str, Any]:
    """The claims of a receipt. `evaluated_at` also gives `iat`, in whole seconds.

    `answer`: that on the signatures of a document, of which `decision` is the one on the signer who decides.

    There is no `exp`: a receipt says what was true, for ever. The core is not repeated: it follows, byte for byte,
    from the query and the versions that `digests` names.
    """
    query = decision.query.statement()
    return {
        "iss": origin.issuer,
        "iat": int(evaluated_at.timestamp()),
        "jti": jti,
        "livemode": origin.livemode,
        "software": origin.software,
        "query": query,
        "query_hash": digest(unguarded_canonical_json(query)),
        "decision": decision.outcome if answer is None else answer.panel.outcome,
        "reasons": [reason.code for reason in (decision.reasons if answer is None else answer.panel.reasons)],
        "checks": {entry.check: entry.result for entry in decision.checks},
        "conditions": {entry.condition.id: entry.state for entry in decision.conditions},
        "agreement": _agreement(decision.agreement),
        "credential": _credential(decision),
        "valid_at": decision.query.valid_at,
        "known_at": decision.query.known_at,
        "time_source": time_source(decision),
        "evaluated_at": evaluated_at,
        "digests": digests(decision),
        "fresh_until": decision.fresh_until,
        **({} if decision.lock is None else {"lock": _lock(decision.lock)}),
        **({} if answer is None else {"signature": signature_statement(answer)}),
        **({} if decision.head is None else {"log": _log(decision.head)}),
    }


def proven_time(decision: Decision) -> ProvenTime | None:
    """The instant by which the signature that was shown is proven to have existed; None where nothing proves any."""
    established = None if decision.lock is None else decision.lock.established
    return None if established is None else established.proven


def time_source(decision: Decision) -> str:
    """Whether it is proven that the signature existed at `valid_at`, or only asserted by who asks.

    Who names no instant asks about the one that is proven, or about now where that may be moments ahead.
    """
    established = None if decision.lock is None else decision.lock.established
    if established is None or established.proven is None:
        return "asserted"
    reached = established.named is None or established.proven.instant <= established.named
    return "proven" if reached else "asserted"


def signature_statement(answer: SignatureAnswer) -> dict[str, Any]:
    """What a receipt says of a document's signatures: from its time on it proves that these values existed."""
    requirement = answer.requirement
    return {
        "digest": answer.message,
        "format": answer.dialect or "raw",
        "content": dict(answer.content),
        "content_seen": not answer.by_digest,
        "requirement": None
        if requirement is None
        else {**requirement.counts, "same_subject": requirement.same_subject},
        "signers": [_signer(signer) for signer in answer.signers],
    }


def _signer(signer: SignerAnswer) -> dict[str, Any]:
    decision = signer.signed.decision
    proven = None if decision is None else proven_time(decision)
    document = signer.signature
    return {
        "signature": None if document is None else document.name,
        "certificate": None if signer.certificate is None else signer.certificate.fingerprint,
        "path": [] if decision is None or decision.lock is None else path_of(decision.lock),
        "role": signer.signed.role,
        "decision": signer.signed.outcome,
        "reasons": [signer.signed.undecided[0]] if decision is None else [reason.code for reason in decision.reasons],
        "claimed_time": None if document is None or document.signer is None else document.signer.claimed_time,
        "proven_time": None if proven is None else time_statement(proven),
    }


def time_statement(proven: ProvenTime) -> dict[str, Any]:
    """A proven time, with the digest of what proves it; of a receipt with the key, which may turn out to be stolen."""
    said = {"instant": proven.instant, "kind": proven.kind, "by": proven.name, "digest": proven.digest}
    return said if proven.kid is None else said | {"kid": proven.kid}


def _log(head: TreeHead) -> dict[str, Any]:
    """Size and root as a checkpoint writes them: one of this size or larger follows within seconds."""
    return {"size": head.size, "root": base64.b64encode(head.root).decode()}


_TEXTS = ("iss", "jti", "query_hash", "valid_at", "known_at", "evaluated_at")


def claims_problem(content: Any) -> str | None:
    """Why it cannot be said what a receipt decides, by its claims alone, or None. The signature is judged elsewhere.

    That takes the decision, the question, the instants, who answers, and whether it has any force. The query's hash is
    recomputed, so that a receipt cannot say one thing and hash another. The rest is for `unread_claims`. Raises
    `registry.errors.CanonicalError` for a query that has no hash.
    """
    if not isinstance(content, Mapping):
        return "the claims are not an object"
    for name in _TEXTS:
        if not isinstance(content.get(name), str):
            return f"claim {name!r} is missing or not a text"
    if type(content.get("livemode")) is not bool:
        return "claim 'livemode' is missing or of the wrong kind"
    if content.get("decision") not in OUTCOMES:
        return "claim 'decision' is not one of the six decisions"
    if not isinstance(content.get("query"), Mapping):
        return "claim 'query' is missing or not an object"
    if digest(canonical_json(content["query"])) != content["query_hash"]:
        return "claim 'query_hash' is not the hash of claim 'query'"
    return None


def unread_claims(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The claims, by name, that are not as this software writes them, then those that it does not know.

    A later version may say more, or otherwise. Who goes by such a receipt must be told that something was not read.
    """
    expected = [name for name in _FORMS if name in content or name not in _SOMETIMES]
    wrong = [name for name in expected if not _FORMS[name](content.get(name))]
    known = _FORMS.keys() | set(_TEXTS) | {"livemode", "decision"}
    return (*wrong, *sorted(name for name in content if name not in known))


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _codes(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(code, str) for code in value)


def _question(value: Any) -> bool:
    return _mapping(value) and _mapping(value.get("credential")) and isinstance(value.get("jurisdiction"), str)


def _signatures(value: Any) -> bool:
    if not (_mapping(value) and _mapping(value.get("content")) and isinstance(value.get("signers"), list)):
        return False
    named = all(isinstance(hexed, str) for hexed in value["content"].values())
    return named and all(map(_read_signer, value["signers"]))


def _read_signer(value: Any) -> bool:
    if not _mapping(value) or value.get("role") not in (*ROLES, "unknown") or value.get("decision") not in OUTCOMES:
        return False
    certificate, proven = value.get("certificate"), value.get("proven_time")
    timed = proven is None or (_mapping(proven) and all(isinstance(proven.get(name), str) for name in _TIME))
    return timed and (certificate is None or isinstance(certificate, str))


_TIME = ("instant", "kind", "by")
_SOMETIMES = frozenset({"lock", "signature", "log"})
_FORMS: Mapping[str, Callable[[Any], bool]] = {
    "iat": lambda value: type(value) is int,
    "software": lambda value: isinstance(value, str),
    "query": _question,
    "reasons": _codes,
    "checks": lambda value: _mapping(value) and set(value) == set(CHECKS),
    "conditions": _mapping,
    "agreement": lambda value: value is None or _mapping(value),
    "credential": lambda value: value is None or _mapping(value),
    "time_source": lambda value: value in ("asserted", "proven"),
    "digests": _mapping,
    "fresh_until": lambda value: value is None or isinstance(value, str),
    "lock": _mapping,
    "signature": _signatures,
    "log": _mapping,
}
