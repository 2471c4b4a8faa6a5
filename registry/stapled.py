"""OCSP responses that came with a request: what of them counts as evidence about a certificate."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from keys.algorithm_policy import AlgorithmPolicy, allowed
from keys.algorithms.schemes import SignatureScheme, VerifyingKey
from keys.certificate import Certificate
from keys.errors import KeysError
from keys.revocation.evidence import as_known
from keys.revocation.judgement import KnownOcsp
from keys.revocation.ocsp import OcspResponse, answer_for, parse_ocsp, verify_ocsp
from registry.refused_evidence import RefusedEvidence


class Stapled:
    """The OCSP responses that came with one request, for all the certificates that it leads to.

    Whoever asks chooses what he brings: each response is read once, and verified once for an issuer, however many
    signatures and timestamps there are. What was asked before changes no answer. Nothing is kept beyond the request.
    """

    def __init__(self, responses: Iterable[bytes] = ()) -> None:
        self._responses = tuple([_Response(data) for data in dict.fromkeys(responses)])
        self._found: dict[tuple[Certificate, Certificate, datetime, AlgorithmPolicy], tuple[KnownOcsp, ...]] = {}

    def about(
        self, certificate: Certificate, issuer: Certificate, known_at: datetime, algorithms: AlgorithmPolicy
    ) -> tuple[KnownOcsp, ...]:
        """The answers about a certificate of an issuer, each known since its response was produced.

        What cannot be read, does not verify by algorithms that may be relied on at `known_at`, or was produced later,
        is passed over. A responder who could have been revoked is still to be judged.
        """
        if not self._responses:
            return ()
        step = (certificate, issuer, known_at, algorithms)
        found = self._found.get(step)
        if found is None:
            told = [response.about(*step) for response in self._responses]
            found = self._found[step] = tuple([known for known in told if known is not None])
        return found

    def of_no_use(self) -> tuple[RefusedEvidence, ...]:
        """The responses that told nothing of any certificate that was asked about so far, each with the reason."""
        return tuple(
            [
                RefusedEvidence(kind="ocsp", digest=response.digest, code=response.why.code, detail=response.why.detail)
                for response in self._responses
                if response.why is not None
            ]
        )


class _Response:
    """One response. `why` it is of no use, as far as it was asked: None once it told of a certificate."""

    def __init__(self, data: bytes) -> None:
        self.digest = f"sha256:{sha256(data).hexdigest()}"
        self.why: KeysError | None = None
        self._content: OcspResponse | None = None
        self._signers: dict[tuple[Certificate, datetime, AlgorithmPolicy], Certificate | KeysError] = {}
        try:
            self._content = parse_ocsp(data)
            self.why = KeysError("ocsp.about_others", "the response speaks of no certificate that was asked about")
        except KeysError as error:
            self.why = error

    def about(
        self, certificate: Certificate, issuer: Certificate, known_at: datetime, algorithms: AlgorithmPolicy
    ) -> KnownOcsp | None:
        if self._content is None:
            return None
        answer = answer_for(self._content, certificate.serial, certificate.issuer, issuer)
        if answer is None:
            return None
        # Who signed it is the same for every certificate of the issuer.
        key = (issuer, known_at, algorithms)
        if key not in self._signers:
            self._signers[key] = _signer(self._content, *key)
        signer = self._signers[key]
        if isinstance(signer, KeysError):
            self.why = self.why and signer
            return None
        self.why = None
        return as_known(self._content, answer, signer, issuer)


def _signer(
    response: OcspResponse, issuer: Certificate, known_at: datetime, algorithms: AlgorithmPolicy
) -> Certificate | KeysError:
    """Who signed a response about an issuer's certificates, or why it is not believed."""
    refused: list[str] = []

    def usable(scheme: SignatureScheme, key: VerifyingKey) -> str | None:
        why = allowed(algorithms, scheme, key, known_at)
        refused.extend(() if why is None else (why,))
        return why

    try:
        return verify_ocsp(response, issuer, known_at, usable=usable)
    except KeysError as error:
        if not refused:
            return error
    try:
        # Without a look at its algorithms: what is left then is that they are not allowed.
        verify_ocsp(response, issuer, known_at)
    except KeysError as error:
        return error
    return KeysError("signature.algorithm_not_allowed", "the response is signed by an algorithm not allowed")
