"""Judge the signatures of a document: whose they are, whether their locks count, and since when they are proven."""

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from app.ports import NodeKeys
from app.usecases.odd_message import told
from app.usecases.recognize import Recognizer
from app.usecases.signature_evidence import SignatureReceipt, read_receipts
from app.usecases.signature_request import SignatureRequest
from keys.algorithms.schemes import load_key
from keys.certificate import Certificate
from keys.cms import SignedData, Signer, find_certificate, parse_cms, verify_countersignature
from keys.content import DIGESTS, Content, Digested, Octets
from keys.errors import KeysError
from registry.errors import Detail, Fault, QueryRefused, detail_of
from registry.evidence import Brought, DocumentSignature
from registry.query import MAX_CHAIN
from registry.refused_evidence import RefusedEvidence
from registry.shown_signature import insufficient
from registry.signers import MAX_SIGNERS, Countersigned, SignatureAnswer, Signed, SignerAnswer, judge_signers, role_of
from registry.stapled import Stapled

MAX_TIMESTAMPS = 64
"""Timestamps of all signers of a request, those brought along counted for each: each one takes a path and lists."""
_NAMES = {"cms.not_signed": "document.not_signed", "cms.no_signer": "document.no_signer"}


class SignatureVerifier:
    """Judges signed documents. Keeps nothing: whoever asks keeps the receipt."""

    def __init__(self, recognizer: Recognizer, keys: NodeKeys, *, livemode: bool) -> None:
        self._recognizer, self._keys, self._livemode = recognizer, keys, livemode

    async def verify(self, request: SignatureRequest) -> SignatureAnswer:
        """The answer on every signer. Raises `QueryRefused`, `StoreError` and `keys.errors.CustodyError`."""
        message, content, found = read_message(request)
        receipts, refused = read_receipts(request.evidence, self._keys.ring, livemode=self._livemode)
        whole = Octets(request.signature)
        hints = () if message is None else message.certificates
        inside = frozenset(certificate.fingerprint for certificate in hints)
        documents = [
            (certificate, _document(request, whole, signer, certificate, content, receipts, refused, inside))
            for signer, certificate in found
        ]
        _refuse_insufficient(documents)
        if sum(len(document.timestamps) for _, document in documents) > MAX_TIMESTAMPS:
            raise _refused("/evidence", "document.too_many_timestamps", limit=str(MAX_TIMESTAMPS))
        stapled = Stapled(piece.octets for piece in request.evidence if piece.kind == "ocsp")
        answers = []
        for certificate, document in documents:
            # A message of many signers and timestamps takes seconds: others are answered in between.
            await asyncio.sleep(0)
            signed = Signed(role="unknown", decision=None)
            if certificate is not None:
                signed = await self._judged(request, certificate, hints, Brought(shown=document, stapled=stapled))
            given = (*([request.certificate] if request.certificate else []), *request.chain, *hints)
            answers.append(
                SignerAnswer(
                    signed=signed,
                    certificate=certificate,
                    signature=document,
                    countersigned=_countersigned(document.signer, given),
                )
            )
        # Only now: what tells nothing of one signer may tell of another.
        unused = stapled.of_no_use()
        answers = [replace(answer, unused=unused) if _has_lock(answer.signed) else answer for answer in answers]
        broken = () if message is None else message.broken
        answers += [
            SignerAnswer(signed=Signed(role="unknown", decision=None, broken=entry), certificate=None, signature=None)
            for entry in broken
        ]
        return SignatureAnswer(
            panel=judge_signers([answer.signed for answer in answers], request.requirement),
            signers=tuple(answers),
            requirement=request.requirement,
            message=_named(whole),
            content=_digests(content, [document for _, document in documents]),
            dialect=None if message is None else message.dialect,
            by_digest=isinstance(content, Digested),
        )

    async def _judged(
        self, request: SignatureRequest, certificate: Certificate, hints: Sequence[Certificate], brought: Brought
    ) -> Signed:
        others = [entry for entry in (*request.chain, *hints) if entry != certificate]
        chain = tuple(dict.fromkeys(others))[: 4 * MAX_CHAIN]
        question = replace(request.question, certificate=certificate, chain=chain)
        decision = await self._recognizer.answer(question, brought)
        return Signed(role=role_of(certificate, decision.profile.role_words), decision=decision)


def read_message(
    request: SignatureRequest,
) -> tuple[SignedData | None, Content, list[tuple[Signer | None, Certificate | None]]]:
    """The message, the content, and each signer with the certificate that he names. Raises `QueryRefused`."""
    if request.format == "raw":
        if request.content is None:
            raise _refused("/content", "document.content_missing")
        return None, request.content, [(None, request.certificate)]
    message = read_cms(request.signature, tolerant=True)
    if len(message.signers) + len(message.broken) > MAX_SIGNERS:
        raise _refused("/signature", "document.too_many_signers", limit=str(MAX_SIGNERS))
    # Anybody can put another certificate of the same number into a message: what the asker holds goes before it.
    given = (*([request.certificate] if request.certificate else []), *request.chain, *message.certificates)
    found = [(signer, find_certificate(signer, given)) for signer in message.signers]
    if all(certificate is None for _, certificate in found):
        raise _refused("/certificate", "document.certificate_missing")
    signers = [certificate for _, certificate in found if certificate is not None]
    if request.certificate is not None and request.certificate not in signers:
        # Who asks about a certificate must not be answered about another.
        raise _refused("/certificate", "document.certificate_other")
    return message, _content(message, request.content, signers), list(found)


def certificates_of(request: SignatureRequest) -> list[Certificate]:
    """The certificates of the signers, each once. Raises `QueryRefused`."""
    _, _, found = read_message(request)
    return list(dict.fromkeys(certificate for _, certificate in found if certificate is not None))


def read_cms(octets: bytes, *, tolerant: bool = False) -> SignedData:
    """A message with at least one signer; as `parse_cms`. Raises `QueryRefused` with what it is instead."""
    try:
        return parse_cms(octets, tolerant=tolerant)
    except KeysError as error:
        if error.code in _NAMES:
            raise _refused("/signature", _NAMES[error.code], why=Detail(text=error.detail)) from None
        raise _refused("/signature", "document.malformed", why=detail_of(error), **told(octets)) from None


def _content(message: SignedData, given: Content | None, signers: Sequence[Certificate]) -> Content:
    """The content inside, or the one given beside the message; where both are there they must be the same."""
    if message.content is None:
        if given is None:
            raise _refused("/content", "document.content_missing")
        return given
    inside = Octets(message.content)
    if given is not None and not _is_of(given, inside, signers):
        raise _refused("/content", "document.content_other")
    return inside


def _is_of(given: Content, inside: Octets, signers: Sequence[Certificate]) -> bool:
    if not isinstance(given, Digested):
        return given.digest("sha256") == inside.digest("sha256")
    if given.kind in DIGESTS:
        return inside.digest(given.kind) == given.value
    # Of e = SM3(Z‖M) nobody says with whose key it was taken: that of any signer will do.
    return any(inside.sm2_digest(point) == given.value for point in map(_sm2_point, signers) if point is not None)


def _sm2_point(certificate: Certificate) -> bytes | None:
    try:
        key = load_key(certificate.spki)
    except KeysError:
        return None
    handle: Any = key.handle
    return handle.point if key.family == "sm2" else None


def _document(
    request: SignatureRequest,
    message: Octets,
    signer: Signer | None,
    certificate: Certificate | None,
    content: Content,
    receipts: Sequence[SignatureReceipt],
    refused: tuple[RefusedEvidence, ...],
    inside_message: frozenset[str],
) -> DocumentSignature:
    value = request.signature if signer is None else signer.signature
    name = _named(Octets(value))
    about = [] if certificate is None else [entry for entry in receipts if entry.is_about(name, certificate)]
    others = tuple(
        RefusedEvidence(
            kind="receipt",
            digest=entry.proven.digest,
            code="receipt.other",
            detail="the receipt is over another signature, or names another certificate",
        )
        for entry in receipts
        if entry not in about
    )
    inside = () if signer is None else signer.timestamps
    brought = tuple(piece.octets for piece in request.evidence if piece.kind == "timestamp")
    return DocumentSignature(
        signer=signer,
        value=value,
        name=name,
        message=message,
        content=content,
        timestamps=(*inside, *brought),
        receipts=()
        if certificate is None
        else tuple(entry.proves(name, certificate, _named(message), inside) for entry in about),
        refused=(*refused, *others),
        deadline=request.deadline,
        inside=inside_message,
    )


def _refuse_insufficient(documents: Sequence[tuple[Certificate | None, DocumentSignature]]) -> None:
    """A digest by which a signature cannot be judged is the asker's to mend, and no finding about the signer."""
    for certificate, document in documents:
        needed = None if certificate is None else insufficient(document, certificate)
        if needed is not None:
            given = document.content.kind if isinstance(document.content, Digested) else "stream"
            raise _refused("/digest_kind", "digest.insufficient", needed=needed, given=given)


def _digests(content: Content, documents: Sequence[DocumentSignature]) -> dict[str, str]:
    """By what digests a receipt names the content: the one given, or those that its signatures are over."""
    if isinstance(content, Digested):
        return {content.kind: content.value.hex()}
    kinds = {document.signer.digest for document in documents if document.signer is not None}
    return {kind: content.digest(kind).hex() for kind in sorted(kinds or {"sha256"})}


def _has_lock(signed: Signed) -> bool:
    return signed.decision is not None and signed.decision.lock is not None


def _countersigned(signer: Signer | None, given: Sequence[Certificate]) -> tuple[Countersigned, ...]:
    found = []
    for inner in () if signer is None else signer.countersignatures:
        certificate = find_certificate(inner, given)
        right = certificate is not None and _countersigns(inner, signer, certificate)
        found.append(Countersigned(certificate=certificate, right=right, claimed_time=inner.claimed_time))
    return tuple(found)


def _countersigns(inner: Signer, outer: Signer | None, certificate: Certificate) -> bool:
    try:
        verify_countersignature(inner, b"" if outer is None else outer.signature, certificate)
    except KeysError:
        return False
    return True


def _named(octets: Octets) -> str:
    return f"sha256:{octets.digest('sha256').hex()}"


def _refused(pointer: str, code: str, **params: str | Detail) -> QueryRefused:
    return QueryRefused(Fault(pointer=pointer, code=code, params=params))
