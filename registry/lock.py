"""Judges a CA lock that was shown: the nine checks of a certificate, each a finding.

What only a lock has: a certificate as bytes, a signature that shows possession, a certification path, revocation
lists, and a list of accepted authorities in the place of an agreement.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from itertools import pairwise

from msgspec import Struct

from keys.algorithm_policy import allowed
from keys.algorithms.schemes import SignatureScheme, VerifyingKey, load_key, scheme_from_identifier
from keys.certificate import Certificate
from keys.errors import KeysError
from keys.path_validation.errors import PathError
from keys.path_validation.path import Path
from keys.revocation.judgement import COMPROMISES, RevocationVerdict
from registry.canonical import digest
from registry.certificate_status import StatusEvidence, status_evidence
from registry.credential import Credential
from registry.errors import Detail, detail_of
from registry.evidence import DocumentSignature, Established, LockEvidence
from registry.finding import NO_PARAMS, SKIPPED, Finding, Param, Params, Result
from registry.holder import UNNAMED, credential_of, issuer_of, names_of
from registry.identifiers import comparable
from registry.jurisdiction import Authority, office_for
from registry.path_choice import choose, grave
from registry.policy import Policy
from registry.profile import CredentialProfile, Purpose
from registry.query import RecognitionQuery
from registry.shown_signature import by_time, other_content, scheme_of, verify_shown
from registry.trust import AcceptedCa, AcceptedList, TrustAnchor

# Purposes of servers, code, responders and clocks: id-kp-serverAuth, codeSigning, timeStamping, OCSPSigning.
_NO_HOLDERS = frozenset(f"1.3.6.1.5.5.7.3.{number}" for number in (1, 3, 8, 9))
# RFC 5280 4.2.1.3. Keys for encryption are kept by the authority as well (GM/T 0034): a signature by one binds nobody.
_SIGNING = frozenset({"digitalSignature", "nonRepudiation"})
_RELYING_PARTY: Params = {"facts": "relying_party", "count": 1}


class Revocation(Struct, frozen=True, kw_only=True):
    """What revocation evidence says of the lock, or of an authority on its path where that is worse."""

    verdict: RevocationVerdict
    as_of: datetime | None
    """How far the list reaches that reaches least, of those that a good answer rests on."""
    fresh_until: datetime | None
    lists: tuple[str, ...]
    """The digests of every list and OCSP response behind the answer, those about the authorities on the path too."""


class JudgedLock(Struct, frozen=True, kw_only=True):
    """What judging a lock brought to light besides the findings."""

    certificate: Certificate
    path: tuple[Certificate, ...]
    anchor: TrustAnchor | None
    revocation: Revocation | None
    accepted: AcceptedList | None
    credential: Credential
    issuer: Authority | None
    algorithm_policy: str
    signed: str | None
    """The digest of what was signed to show possession; of a document's signature that of the signature itself."""
    document: DocumentSignature | None
    established: Established | None


class LockCase(Struct, frozen=True, kw_only=True):
    """The lock under judgement and what every check needs of it."""

    query: RecognitionQuery
    profile: CredentialProfile
    purpose: Purpose
    policy: Policy
    certificate: Certificate
    evidence: LockEvidence

    @property
    def about(self) -> str:
        """The variant of what is said: of a lock, or of one that signed a document, where a proof of time may help."""
        return "document" if isinstance(self.evidence.shown, DocumentSignature) else "certificate"

    def finding(self, check: str, result: Result, code: str, variant: str = "", params: Params = NO_PARAMS) -> Finding:
        """A finding with the law on the check and the office to ask."""
        query, policy = self.query, self.policy
        return Finding(
            check=check,
            result=result,
            code=code,
            variant=variant,
            params=params,
            legal_basis=self.profile.bases[check],
            contact=office_for(policy.jurisdictions[query.jurisdiction], self.profile.id, None, policy.gazetteer),
        )


def _passed(check: str, code: str, variant: str = "", params: Params = NO_PARAMS) -> Finding:
    return Finding(check=check, result="passed", code=code, variant=variant, params=params)


def _path(case: LockCase) -> tuple[Finding, Path | None, TrustAnchor | None, Revocation | None]:
    """The path to an anchor that serves the purpose, there and then, and what the lists say along it."""
    query, trust = case.query, case.policy.trust
    serving = trust.serving(case.purpose.qualifier or "", query.jurisdiction, query.valid_at)
    try:
        found = case.evidence.paths.find_all(
            case.certificate,
            query.chain,
            [anchor.certificate for anchor in serving],
            query.valid_at,
            trust.certificates,
        )
    except PathError as error:
        if error.code == "path.no_anchor":
            params: Params = {"issuer": issuer_of(case.certificate)}
            return case.finding("path", "failed", "path.no_anchor", "certificate", params), None, None, None
        if error.step == "too_complex":
            return case.finding("path", "indeterminate", "path.invalid", "too_complex"), None, None, None
        return case.finding("path", "failed", "path.invalid", "", {"step": error.step}), None, None, None
    status = status_evidence(query, case.profile, case.policy, case.evidence)
    judged = choose(found, partial(_verdict, case, status), partial(_others, case))
    path, revocation = judged.path, _joined(judged.verdicts)
    anchor = next(entry for entry in serving if entry.certificate.der == path.certificates[-1].der)
    finding = _passed("path", "path.valid", "", {"anchor": anchor.name, "anchor_id": anchor.id})
    return finding, path, anchor, revocation


def _others(case: LockCase, path: Path) -> tuple[Result, Result]:
    """The results of what is asked of a path besides revocation: which of several counts depends on them too."""
    return _algorithms(case, path).result, _accepted(case, path, _named(case, path))[0].result


def _algorithms(case: LockCase, path: Path | None) -> Finding:
    """What the algorithms of lock and path are worth.

    Judged at the earliest proven existence of the signature, else at `known_at`: neither a caller's `valid_at` nor a
    claimed signing time relaxes it.
    """
    certificates = (case.certificate, case.certificate) if path is None else path.certificates
    try:
        signed = [
            (scheme_from_identifier(subject.signature_algorithm), load_key(issuer.spki))
            for subject, issuer in pairwise(certificates)
        ]
        own = load_key(case.certificate.spki)
        scheme = scheme_of(case.evidence.shown, own)
    except KeysError as error:
        return case.finding("format", "failed", "signature.algorithm_not_allowed", "", {"why": detail_of(error)})
    known_at = case.query.known_at
    signed_at = _signed_at(case) or known_at
    why = allowed(case.policy.algorithms.rules, scheme, own, signed_at)
    if why is not None:
        return _not_allowed(case, why, "document" if case.about == "document" else "")
    # Most paths are of one kind of key throughout, of which it is asked once.
    kinds: dict[tuple[str, str, int, str | None, datetime], tuple[SignatureScheme, VerifyingKey]] = {
        (entry.name, key.family, key.bits, key.curve, _there_at(case, subject) or known_at): (entry, key)
        for subject, (entry, key) in zip(certificates, signed, strict=False)
    }
    kinds.pop((scheme.name, own.family, own.bits, own.curve, signed_at), None)
    for (*_, instant), (entry, key) in kinds.items():
        why = allowed(case.policy.algorithms.rules, entry, key, instant)
        if why is not None:
            return _not_allowed(case, why)
    return _passed("format", "lock.readable")


def _not_allowed(case: LockCase, why: str, variant: str = "") -> Finding:
    refused = Detail(code="signature.algorithm_not_allowed", text=why)
    return case.finding("format", "failed", "signature.algorithm_not_allowed", variant, {"why": refused})


def _signed_at(case: LockCase) -> datetime | None:
    """By when the signature is proven to have existed."""
    established = case.evidence.established
    return None if established is None or established.proven is None else established.proven.instant


def _there_at(case: LockCase, certificate: Certificate) -> datetime | None:
    """By when a certificate is proven to have existed."""
    established = case.evidence.established
    if established is None:
        return None
    name = certificate.fingerprint
    return next((entry.instant for entry in established.proofs if name in entry.certificates), None)


def _signature(case: LockCase) -> Finding:
    """Possession: the signature over the challenge, judged now; or the signature over a document."""
    shown, established = case.evidence.shown, case.evidence.established
    if shown is None:
        return case.finding("signature", "indeterminate", "signature.missing", "certificate")
    document = isinstance(shown, DocumentSignature)
    if not isinstance(shown, DocumentSignature) and shown.problem is not None:
        given = {} if shown.expires_at is None else {"expires_at": shown.expires_at}
        return case.finding("signature", "failed", shown.problem, "", given)
    try:
        verify_shown(shown, case.certificate)
    except KeysError as error:
        if not document:
            return case.finding("signature", "failed", "signature.wrong")
        variant = "form"
        if error.code == "signature.wrong":
            variant = "content" if isinstance(shown, DocumentSignature) and other_content(shown) else "document"
        return case.finding("signature", "failed", "signature.wrong", variant, {"why": detail_of(error)})
    if isinstance(shown, DocumentSignature):
        result, code, variant, params = by_time(shown, established)
        return case.finding("signature", result, code, variant, params)
    return _passed("signature", "signature.verified")


def _verdict(
    case: LockCase,
    status: StatusEvidence,
    certificate: Certificate,
    issuer: Certificate,
    below: Certificate | None,
    *,
    theft: bool = False,
) -> RevocationVerdict:
    """What is said of a certificate on the path, of whose key is the signature, or the certificate below it."""
    # A proof of the signature's value alone does not tell since when there is the certificate, and one of the
    # certificate not since when there is its issuer's: who steals an authority's key later can make others.
    proven = _signed_at(case) if below is None else _there_at(case, below)
    return status.verdict(certificate, issuer, case.query.valid_at, proven, theft=theft)


@lru_cache(maxsize=1024)
def _joined(found: tuple[RevocationVerdict, ...]) -> Revocation:
    """The worst of the verdicts along a path. Kept, as most locks of an authority have the same."""
    ends = [verdict.fresh_until for verdict in found if verdict.fresh_until is not None]
    reached = [verdict.as_of for verdict in found if verdict.as_of is not None]
    worst = max(found, key=grave)
    good = worst.state == "good"
    return Revocation(
        verdict=worst,
        lists=tuple(sorted({name for verdict in found for name in verdict.crls})),
        as_of=min(reached, default=None) if good else worst.as_of,
        fresh_until=min(ends, default=None) if good else worst.fresh_until,
    )


def _status(case: LockCase, found: Revocation | None) -> Finding:
    if found is None:
        return SKIPPED["status"]
    verdict = found.verdict
    if verdict.state == "good":
        return _passed("status", "status.in_force", "certificate")
    if verdict.state == "revoked" and verdict.entry is not None:
        params: Params = {"effective_at": verdict.entry.effective_at, "reason": verdict.entry.reason or "unspecified"}
        if verdict.reason == "status.suspended":
            return case.finding("status", "failed", "status.suspended", "certificate", params)
        variant = "compromise" if verdict.entry.reason in COMPROMISES else case.about
        return case.finding("status", "failed", "status.revoked", variant, params)
    return case.finding("status", "indeterminate", *_unclear(found))


def _unclear(found: Revocation) -> tuple[str, str, Params]:
    """Code, variant and values of revocation evidence that does not tell."""
    if found.verdict.state == "undetermined":
        contradictory = found.verdict.reason == "revocation.contradictory"
        return "revocation.stale", "contradictory" if contradictory else "compromise", {}
    if found.verdict.state == "stale" and found.as_of is not None:
        return "revocation.stale", "", {"as_of": found.as_of}
    return "revocation.missing", "", {}


def _freshness(case: LockCase, found: Revocation | None) -> Finding:
    if found is None:
        return SKIPPED["freshness"]
    if found.verdict.state in ("good", "revoked") and found.as_of is not None:
        return _passed("freshness", "revocation.fresh", "", {"as_of": found.as_of})
    return case.finding("freshness", "indeterminate", *_unclear(found))


def _validity(case: LockCase) -> Finding:
    """Both ends of a certificate's validity are included (RFC 5280 4.1.2.5)."""
    certificate, valid_at = case.certificate, case.query.valid_at
    end: Params = {"not_after": certificate.not_after}
    if valid_at < certificate.not_before:
        params: Params = {"valid_from": certificate.not_before}
        return case.finding("validity", "failed", "validity.not_yet", "certificate", params)
    if valid_at > certificate.not_after:
        return case.finding("validity", "failed", "validity.expired", case.about, end)
    return _passed("validity", "validity.current", "certificate", end)


def _scope(case: LockCase) -> Finding:
    """Whether the certificate's usages serve the purpose. Of one that states none it cannot be told."""
    usage, wanted = case.certificate.key_usage, case.purpose.key_usage
    extended = case.certificate.extended_key_usage
    if extended is not None and set(extended) <= _NO_HOLDERS:
        return case.finding("scope", "failed", "key_usage.wrong", "extended", {"given": ", ".join(extended)})
    if usage is not None and isinstance(case.evidence.shown, DocumentSignature) and not usage & _SIGNING:
        wanted = _SIGNING
    if not wanted or (usage is not None and usage & wanted):
        return _passed("scope", "key_usage.fits")
    params: Params = {"given": ", ".join(sorted(usage or ())), "wanted": ", ".join(sorted(wanted))}
    if usage is None:
        return case.finding("scope", "indeterminate", "key_usage.wrong", "absent", params)
    return case.finding("scope", "failed", "key_usage.wrong", "", params)


def _subject(case: LockCase, credential: Credential) -> Finding:
    expected, subject = case.query.expected_subject, credential.subject
    if expected is None:
        return SKIPPED["subject"]
    if expected.uscc is not None and subject.uscc is None:
        return case.finding("subject", "indeterminate", "subject.mismatch", "uscc_unknown")
    same_uscc = expected.uscc is None or expected.uscc == subject.uscc
    names = {comparable(name) for name in names_of(case.certificate)}
    same_name = expected.name is None or comparable(expected.name) in names
    if same_uscc and same_name:
        return _passed("subject", "subject.matches")
    if same_uscc and names == {comparable(UNNAMED)}:
        return case.finding("subject", "indeterminate", "subject.mismatch", "name_unknown")
    return case.finding("subject", "failed", "subject.mismatch", "certificate")


_Named = Sequence[tuple[TrustAnchor, ...]]


def _named(case: LockCase, path: Path | None) -> _Named:
    """For each authority of a path, the issuer first, the trust anchor files that name its key."""
    return () if path is None else [case.policy.trust.of_key(certificate) for certificate in path.certificates[1:]]


def _accepted(case: LockCase, path: Path | None, named: _Named) -> tuple[Finding, AcceptedList | None]:
    """Whether an authority of the path is on the list that decides, at `valid_at`."""
    query, trust = case.query, case.policy.trust
    accepted = trust.list_for(query.jurisdiction, query.relying_party, query.purpose)
    if accepted is None:
        if trust.platform_lists(query.jurisdiction, query.purpose):
            return case.finding("issuer", "indeterminate", "facts.missing", "relying_party", _RELYING_PARTY), None
        return case.finding("issuer", "indeterminate", "agreement.none", "accepted_list"), None
    if path is None:
        return SKIPPED["issuer"], None
    name = named[0][0].name if named[0] else path.certificates[1].subject_text
    params: dict[str, Param] = {"ca": name, "list": accepted.name, "list_id": accepted.id}
    # A file that had ended by then speaks for nobody.
    entries = accepted.entries_for(
        anchor.id for files in named for anchor in files if query.valid_at in anchor.effective
    )
    if any(query.valid_at in entry.period for entry in entries):
        return _passed("issuer", "issuer.accepted", "", params), accepted
    return case.finding("issuer", "failed", "issuer.not_accepted", *_when(entries, query.valid_at, params)), accepted


def _when(entries: Sequence[AcceptedCa], instant: datetime, params: dict[str, Param]) -> tuple[str, Params]:
    """Variant and values for an authority that is on the list at another time, or never."""
    coming = [
        entry.period.start for entry in entries if entry.period.start is not None and instant < entry.period.start
    ]
    gone = [entry.period.end for entry in entries if entry.period.end is not None and entry.period.end <= instant]
    if gone:
        return "ended", params | {"ended": max(gone)}
    if coming:
        return "not_yet", params | {"starts": min(coming)}
    return "", params


def _issuing_authority(case: LockCase, named: _Named) -> Authority | None:
    """The body behind the certificate that signed the lock, where a trust anchor file names it."""
    bodies = [anchor.authority for anchor in named[0] if anchor.authority is not None] if named else []
    return case.policy.authorities[bodies[0]] if bodies else None


def _issuer_id(case: LockCase, issuer: Authority | None, named: _Named) -> str:
    """The issuer by the id of its authority, else of the file that names its key, else by its name."""
    if issuer is not None:
        return issuer.id
    return named[0][0].id if named and named[0] else issuer_of(case.certificate)


def _attributes(certificate: Certificate) -> dict[str, str]:
    try:
        return {"algorithm": load_key(certificate.spki).family, "use": certificate.use}
    except KeysError:
        return {"use": certificate.use}


def _signed(case: LockCase) -> str | None:
    shown = case.evidence.shown
    if shown is None:
        return None
    return shown.name if isinstance(shown, DocumentSignature) else digest(shown.message)


def judge_lock(case: LockCase) -> tuple[dict[str, Finding], JudgedLock]:
    """The findings of all checks but `agreement`. Total: whatever a lock, a list or an asker could hold."""
    # Both signatures are verified one after the other: the second finds everything still in the processor's cache.
    signature_finding = _signature(case)
    path_finding, path, anchor, revocation = _path(case)
    named = _named(case, path)
    issuer = _issuing_authority(case, named)
    accepted_finding, accepted = _accepted(case, path, named)
    name = _issuer_id(case, issuer, named)
    credential = credential_of(case.certificate, case.profile.id, name, _attributes(case.certificate))
    checks = {
        "format": _algorithms(case, path),
        "signature": signature_finding,
        "path": path_finding,
        "issuer": accepted_finding,
        "status": _status(case, revocation),
        "validity": _validity(case),
        "scope": _scope(case),
        "subject": _subject(case, credential),
        "freshness": _freshness(case, revocation),
    }
    judged = JudgedLock(
        certificate=case.certificate,
        path=() if path is None else path.certificates,
        anchor=anchor,
        revocation=revocation,
        accepted=accepted,
        credential=credential,
        issuer=issuer,
        algorithm_policy=case.policy.algorithms.digest,
        signed=_signed(case),
        document=shown if isinstance(shown := case.evidence.shown, DocumentSignature) else None,
        established=case.evidence.established,
    )
    return checks, judged
