"""What the evidence at hand says of one certificate: revocation lists, OCSP answers held, and those brought along."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from msgspec import Struct, field
from msgspec.structs import replace

from keys.algorithm_policy import AlgorithmPolicy
from keys.certificate import Certificate
from keys.revocation.judgement import COMPROMISES, KnownOcsp, RevocationPolicy, RevocationVerdict, judge
from keys.revocation.ocsp_response import OcspAnswer
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
        return self._by(certificate, issuer, valid_at, proven, self._answers(certificate, issuer), only)

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

    def _answers(self, certificate: Certificate, issuer: Certificate) -> Sequence[KnownOcsp]:
        """The OCSP answers that count: those held and those brought along, but for responders who may be revoked."""
        held = self.held.answers_of(issuer, self.known_at, certificate)
        brought = self.stapled.about(certificate, issuer, self.known_at, self.algorithms)
        if not (held or brought):
            return ()
        found = [(known, known.known_from) for known in held]
        # When one that was brought along was made, only its signer says.
        found += [(known, self.known_at) for known in brought]
        return [
            replace(known, unchecked=None)
            for known, seen in found
            if known.unchecked is None or self._counts(known.answer, known.unchecked, issuer, seen)
        ]

    def _counts(self, answer: OcspAnswer, responder: Certificate, issuer: Certificate, seen: datetime) -> bool:
        """Whether a responder was not revoked when he signed; for "good" nor before the answer is known to be there.

        RFC 6960 4.2.2.2.1: without id-pkix-ocsp-nocheck he is judged, by lists. Who is revoked later may go on to
        sign, and date it back.
        """
        verdict = self._by(responder, issuer, answer.produced_at)
        in_time = answer.status != "good" or all(seen < entry.effective_at for entry in verdict.later)
        return verdict.state == "good" and in_time


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
