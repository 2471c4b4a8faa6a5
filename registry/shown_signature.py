"""Judges a signature that was shown: over a challenge or over a document, bare or by a signer of a CMS message."""

from datetime import timedelta
from typing import Any

from keys.algorithms.raw import as_der, default_scheme
from keys.algorithms.schemes import SCHEMES, SignatureScheme, VerifyingKey, load_key, verify_content
from keys.algorithms.schemes import verify as verify_signature
from keys.certificate import Certificate
from keys.cms import refuse_attributes_in, verify_signer
from keys.content import DIGESTS, Content, Digested, Octets
from keys.errors import KeysError
from registry.evidence import DocumentSignature, Established, Possession, ProvenTime
from registry.finding import Params, Result

_SKEW = timedelta(minutes=5)  # so far ahead may a signer's clock be
_NAMED_BY_DIGEST = {"rsa": "rsa-pkcs1", "ec": "ecdsa"}


def scheme_of(shown: Possession | DocumentSignature | None, key: VerifyingKey) -> SignatureScheme:
    """The scheme of what was shown: a CMS signer names it; a bare signature has its key's, over the digest given.

    Raises AlgorithmError "key.kind".
    """
    if shown is not None and shown.signer is not None:
        return shown.signer.scheme
    content = shown.content if isinstance(shown, DocumentSignature) else None
    if isinstance(content, Digested) and content.kind in DIGESTS and key.family in _NAMED_BY_DIGEST:
        scheme = SCHEMES.get(f"{_NAMED_BY_DIGEST[key.family]}-{content.kind}")
        if scheme is not None:
            return scheme
    return default_scheme(key)


def verify_shown(shown: Possession | DocumentSignature, certificate: Certificate) -> None:
    """Raises `KeysError` unless the certificate's key made the signature over what was to be signed."""
    content = shown.content if isinstance(shown, DocumentSignature) else Octets(shown.message)
    if shown.signer is not None:
        verify_signer(shown.signer, certificate, content)
        return
    key = load_key(certificate.spki)
    scheme = scheme_of(shown, key)
    if isinstance(shown, DocumentSignature):
        refuse_attributes_in(content)
        verify_content(key, scheme, as_der(key, shown.value), content)
    else:
        verify_signature(key, scheme, as_der(key, shown.signature), shown.message)


def insufficient(document: DocumentSignature, certificate: Certificate) -> str | None:
    """What the signature needs to be judged where the content was given otherwise; None where that will do.

    It is a kind of digest (`keys.content.KINDS`) or "content". Takes no digest of a stream.
    """
    signer = document.signer
    try:
        if signer is not None and signer.signed_attributes is not None:
            needed = signer.digest
            if isinstance(document.content, Digested):
                document.content.digest(needed)
        else:
            key = load_key(certificate.spki)
            scheme = scheme_of(document, key)
            needed = _needed(scheme)
            _ask(document.content, scheme, key)
    except KeysError as error:
        return needed if error.code == "digest.insufficient" else None
    return None


def _needed(scheme: SignatureScheme) -> str:
    """What a signature over the content alone is judged by: for SM2 e = SM3(Z‖M), which only its key gives."""
    return "sm2-e" if scheme.family == "sm2" else scheme.digest or "content"


def _ask(content: Content, scheme: SignatureScheme, key: VerifyingKey) -> None:
    """Raises MalformedError "digest.insufficient" where a bare signature needs what the content cannot give."""
    if scheme.digest is None:
        content.octets()
    elif isinstance(content, Digested) and scheme.family == key.family:
        point: Any = key.handle
        content.sm2_digest(point.point) if scheme.family == "sm2" else content.digest(scheme.digest)


def other_content(document: DocumentSignature) -> bool:
    """Whether the signer signed the digest of other content. Of a signature over content alone nobody can tell."""
    signer = document.signer
    if signer is None or signer.message_digest is None:
        return False
    return signer.message_digest != document.content.digest(signer.digest)


def by_digest_alone(document: DocumentSignature) -> bool:
    """Whether the signature is directly over a digest that somebody gave.

    Whoever may choose the digest can make one, with a signature that fits, for anybody's key of SM2 or ECDSA: such an
    answer is worth what the asker knows of where the digest came from.
    """
    signer = document.signer
    return isinstance(document.content, Digested) and (signer is None or signer.signed_attributes is None)


def by_time(document: DocumentSignature, established: Established | None) -> tuple[Result, str, str, Params]:
    """Result, code, variant and values of a right signature: whether it was made in time, where that was asked.

    Only what is proven counts: a claimed time later than the deadline, or than the instant that the asker named,
    speaks against who claims it, an earlier one speaks for nobody.
    """
    proven, named = (None, None) if established is None else (established.proven, established.named)
    found = _by_deadline(document, proven)
    claimed = None if document.signer is None else document.signer.claimed_time
    if found[0] != "passed" or named is None or claimed is None or claimed <= named + _SKEW:
        return found
    if proven is not None and proven.instant <= named:
        return found
    return "indeterminate", "signature.after_valid_at", "", {"claimed_at": claimed, "valid_at": named}


def _by_deadline(document: DocumentSignature, proven: ProvenTime | None) -> tuple[Result, str, str, Params]:
    deadline, digest = document.deadline, by_digest_alone(document)
    claimed = None if document.signer is None else document.signer.claimed_time
    if proven is not None:
        params: Params = {"proven_at": proven.instant, "by": proven.name}
        if deadline is not None and proven.instant > deadline:
            return "failed", "signature.after_deadline", "", {**params, "deadline": deadline}
        return "passed", "signature.verified", "proven_digest" if digest else "proven", params
    if deadline is None:
        return "passed", "signature.verified", "digest" if digest else "document", {}
    if claimed is not None and claimed > deadline:
        return "failed", "signature.after_deadline", "claimed", {"deadline": deadline, "claimed_at": claimed}
    return "indeterminate", "signature.time_unproven", "", {"deadline": deadline}
