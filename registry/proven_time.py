"""When something is shown to have been there: an instant with the proof of it, or why there is none.

A time is proven, never presumed: what is missing, stale or unclear about the authority proves nothing. Who relies on a
proven time relies on the latest instant that the proof allows.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import pairwise

from msgspec import Struct

from keys.algorithm_policy import allowed, digest_allowed
from keys.algorithms.schemes import SignatureScheme, VerifyingKey, load_key, scheme_from_identifier
from keys.certificate import Certificate
from keys.cms import find_certificate
from keys.content import Content
from keys.errors import KeysError
from keys.path_validation.path import Path
from keys.revocation.judgement import RevocationVerdict
from keys.timestamp import TimestampToken, parse_token, verify_token
from registry.certificate_status import SKEW, StatusEvidence
from registry.evidence import PathFinder, ProvenTime
from registry.finding import Result
from registry.path_choice import JudgedPath, choose, grave

_MAX_OFFERED = 8  # certificates in a token that are tried on the way to an anchor: each try costs a verification
# RFC 3161 4 (1): where it says one of these, what the authority signed before it was revoked goes on to be believed.
_ENDED_WELL = frozenset({"unspecified", "affiliationChanged", "superseded", "cessationOfOperation"})


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a time is not proven: a stable code and an English detail."""

    code: str
    detail: str


class _Case(Struct, frozen=True, kw_only=True):
    token: TimestampToken
    certificate: Certificate
    status: StatusEvidence
    existed_at: datetime | None


def proven_by_timestamp(
    token: bytes,
    content: Content,
    *,
    paths: PathFinder,
    anchors: Callable[[datetime], Sequence[Certificate]],
    hints: Sequence[Certificate],
    own: Sequence[Certificate],
    status: StatusEvidence,
    existed_at: datetime | None = None,
) -> ProvenTime | Refusal:
    """The time that a token (RFC 3161) proves for content, as far as its authority's status is known; or why none.

    `anchors` gives those that serve timestamps at an instant; `own` are what the node holds, `hints` may be anybody's.
    `existed_at` is an instant at which the token itself is proven to have been there: algorithms need hold then only,
    and a later compromise takes nothing away.
    Codes of a refusal: those of `keys` for a token or a path that does not hold; "timestamp.future";
    "timestamp.certificate_missing"; "timestamp.revoked_later"; "signature.algorithm_not_allowed"; the reasons of
    `RevocationVerdict`.
    """
    try:
        read = parse_token(token)
        if read.info.latest > status.known_at + SKEW:
            return Refusal(code="timestamp.future", detail=f"it may be as late as {read.info.latest.isoformat()}")
        certificate = find_certificate(read.signer, (*read.certificates, *own, *hints))
        if certificate is None:
            detail = "the authority's certificate is neither in the token nor known here"
            return Refusal(code="timestamp.certificate_missing", detail=detail)
        verify_token(read, content, certificate)
        offered = (*hints, *read.certificates[:_MAX_OFFERED])
        found = paths.find_all(certificate, offered, anchors(read.info.latest), read.gen_time, own)
        case = _Case(token=read, certificate=certificate, status=status, existed_at=existed_at)
        best = choose(found, partial(_verdict, case), partial(_usable, case))
        why = _algorithms(case, best.path)
    except KeysError as error:
        return Refusal(code=error.code, detail=error.detail)
    if why is not None:
        return Refusal(code="signature.algorithm_not_allowed", detail=why)
    return _revocation(best) or _later_end(case, best) or _proven(case, best)


def _there_at(case: _Case, certificate: Certificate) -> datetime | None:
    """By when a certificate is proven to have existed: with the token, if that has it inside or signs its hash."""
    inside = certificate == case.certificate or certificate in case.token.certificates
    return case.existed_at if inside else None


def _verdict(
    case: _Case, certificate: Certificate, issuer: Certificate, below: Certificate | None, *, theft: bool = False
) -> RevocationVerdict:
    """What is said of a certificate on the path, whose key signed the token, or the certificate below it."""
    proven = case.existed_at if below is None else _there_at(case, below)
    return case.status.verdict(certificate, issuer, case.token.gen_time, proven, theft=theft)


def _usable(case: _Case, path: Path) -> tuple[Result]:
    try:
        why = _algorithms(case, path)
    except KeysError:
        return ("failed",)
    return ("passed" if why is None else "failed",)


def _algorithms(case: _Case, path: Path) -> str | None:
    """Why an algorithm of the token or of the path cannot be relied on. Raises KeysError for one that is unknown.

    The hash of its certificate that an authority signs may be by SHA-1 (RFC 5816 2.2): nobody can make another
    certificate of the same hash.
    """
    at, policy = _earlier(case, case.existed_at), case.status.algorithms
    digests = (case.token.info.digest_name, case.token.signer.digest)
    refusals = [digest_allowed(policy, name, at) for name in digests]
    refusals += [allowed(policy, *signature) for signature in _signatures(case, path)]
    return next((why for why in refusals if why is not None), None)


def _signatures(case: _Case, path: Path) -> Iterator[tuple[SignatureScheme, VerifyingKey, datetime]]:
    """The signatures of the token and of the path, each with when it must be worth something."""
    yield case.token.signer.scheme, load_key(case.certificate.spki), _earlier(case, case.existed_at)
    for subject, issuer in pairwise(path.certificates):
        at = _earlier(case, _there_at(case, subject))
        yield scheme_from_identifier(subject.signature_algorithm), load_key(issuer.spki), at


def _earlier(case: _Case, proven: datetime | None) -> datetime:
    return case.status.known_at if proven is None else min(case.status.known_at, proven)


def _revocation(best: JudgedPath) -> Refusal | None:
    """What speaks against the authority's certificate or one above it, the worst of it; None where nothing does."""
    steps = zip(best.path.certificates, best.verdicts, strict=False)
    certificate, verdict = max(steps, key=lambda step: grave(step[1]))
    if verdict.state == "good":
        return None
    detail = f"the certificate of {certificate.subject_text}: {verdict.state}"
    if verdict.entry is not None:
        since = verdict.entry.effective_at.isoformat()
        detail = f"{detail}, {verdict.entry.reason or 'unspecified'} since {since}"
    return Refusal(code=verdict.reason, detail=detail)


def _later_end(case: _Case, best: JudgedPath) -> Refusal | None:
    """What a later revocation along the path takes away: everything, unless its reason is harmless.

    So does a hold that lasts. What a key signed that is proven to be older than either keeps its worth.
    """
    below = (None, *best.path.certificates)
    for certificate, lower, verdict in zip(best.path.certificates, below, best.verdicts, strict=False):
        proven = case.existed_at if lower is None else _there_at(case, lower)
        for entry in verdict.later:
            if entry.reason not in _ENDED_WELL and not (proven is not None and proven < entry.effective_at):
                why = entry.reason or "for no reason that is given"
                detail = f"the certificate of {certificate.subject_text} was revoked later, {why}"
                return Refusal(code="timestamp.revoked_later", detail=detail)
    return None


def _proven(case: _Case, best: JudgedPath) -> ProvenTime:
    return ProvenTime(
        instant=case.token.info.latest,
        kind="timestamp",
        digest=case.token.digest,
        name=case.certificate.common_name or case.certificate.subject_text,
        path=best.path.certificates,
        lists=tuple(sorted({name for verdict in best.verdicts for name in verdict.crls})),
    )
