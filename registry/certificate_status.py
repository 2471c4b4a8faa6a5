"""What the evidence at hand says of one certificate: revocation lists, OCSP answers held, and those brought along."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from msgspec import Struct, field
from msgspec.structs import replace

from keys.algorithm_policy import AlgorithmPolicy
from keys.certificate import Certificate
from keys.revocation.judgement import COMPROMISES, KnownOcsp, RevocationPolicy, RevocationVerdict, judge
from registry.evidence import LockEvidence, RevocationEvidence
from registry.policy import Policy
from registry.profile import CredentialProfile
from registry.query import RecognitionQuery
from registry.stapled import Stapled

SKEW = timedelta(minutes=5)
"""So far ahead of ours may an authority's clock be."""


class StatusEvidence(Struct, frozen=True, kw_only=True):
    """What certificates are judged by, as far as it was known at an instant."""

    held: RevocationEvidence
    known_at: datetime
    limits: RevocationPolicy
    algorithms: AlgorithmPolicy
    stapled: Stapled = field(default_factory=Stapled)

    def verdict(
        self,
        certificate: Certificate,
        issuer: Certificate,
        valid_at: datetime,
        proven: datetime | None,
        *,
        theft: bool = False,
    ) -> RevocationVerdict:
        """Whether a certificate was revoked at `valid_at`; with `theft` only whether its key was compromised.

        `proven`: by when what its key signed is shown to have been there.
        """
        only = COMPROMISES if theft else None
        answers, doubtful = self._answers(certificate, issuer)
        verdict = self._by(certificate, issuer, valid_at, proven, answers, only)
        if not doubtful or (verdict.state != "good" and not theft):
            return verdict
        accused = self._by(certificate, issuer, valid_at, proven, (*answers, *doubtful), only)
        if accused.entry is None or accused.state not in ("revoked", "undetermined") or verdict.state == "revoked":
            return verdict
        reason = "revocation.compromised_later" if theft else "revocation.contradictory"
        return replace(accused, state="undetermined", reason=reason)

    def _by(
        self,
        certificate: Certificate,
        issuer: Certificate,
        valid_at: datetime,
        proven: datetime | None = None,
        answers: Sequence[KnownOcsp] = (),
        only: frozenset[str] | None = None,
    ) -> RevocationVerdict:
        usage = issuer.key_usage
        # RFC 5280 4.2.1.3: without cRLSign its lists say nothing. What takes lists in sees to that too.
        may_sign = usage is None or "cRLSign" in usage
        return judge(
            certificate.serial,
            certificate.issuer,
            self.held.lists_of(issuer, self.known_at, certificate) if may_sign else (),
            valid_at=valid_at,
            known_at=self.known_at,
            certificate_end=certificate.not_after,
            policy=self.limits,
            distribution_points=certificate.distribution_points,
            is_ca=certificate.is_ca,
            proven_time=proven,
            answers=answers,
            only=only,
        )

    def _answers(
        self, certificate: Certificate, issuer: Certificate
    ) -> tuple[Sequence[KnownOcsp], Sequence[KnownOcsp]]:
        """The OCSP answers that count, held and brought along; and accusations of which that cannot be told."""
        held = self.held.answers_of(issuer, self.known_at, certificate)
        brought = self.stapled.about(certificate, issuer, self.known_at, self.algorithms)
        counting, doubtful = list[KnownOcsp](), list[KnownOcsp]()
        # When one that was brought along was made, only its signer says.
        for known, seen in [*((known, known.known_from) for known in held), *((known, None) for known in brought)]:
            if known.unchecked is None:
                counting.append(known)
                continue
            verdict = self._by(known.unchecked, issuer, known.answer.produced_at, seen)
            kept = replace(known, unchecked=None, accuses=not self._is_older(seen, verdict))
            if verdict.state == "good":
                counting.append(kept)
            elif verdict.state != "revoked":
                doubtful.append(replace(kept, accuses=True))
        return counting, doubtful

    def _is_older(self, seen: datetime | None, responder: RevocationVerdict) -> bool:
        """Whether an answer is known to have been there before its responder was revoked.

        RFC 6960 4.2.2.2.1: without id-pkix-ocsp-nocheck he is judged, by lists, for when he signed. But who is revoked
        later may go on to sign, and date it back: against the certificate that counts, for it it does not.
        """
        return all((self.known_at if seen is None else seen) < entry.effective_at for entry in responder.later)


@lru_cache(maxsize=64)
def _limits(max_age: timedelta) -> RevocationPolicy:
    return RevocationPolicy(max_age=max_age, skew=SKEW)


def status_evidence(
    query: RecognitionQuery, profile: CredentialProfile, policy: Policy, evidence: LockEvidence
) -> StatusEvidence:
    """What every certificate that a question leads to is judged by."""
    return StatusEvidence(
        held=evidence.revocation,
        known_at=query.known_at,
        limits=_limits(profile.max_age),
        algorithms=policy.algorithms.rules,
        stapled=evidence.stapled,
    )
