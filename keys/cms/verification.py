"""Shows that a key signed a message: by whose certificate, and over which content (RFC 5652 §5.4, §5.6, §11.4).

That the certificate may be relied on, and at which instant, is for the caller to establish.
"""

import hmac
from collections.abc import Iterable

from keys.algorithms import schemes
from keys.algorithms.raw import as_der
from keys.certificate import Certificate
from keys.cms.attributes import MAX_SIGNED
from keys.cms.message import refuse_attributes
from keys.cms.signer import Signer
from keys.content import Content, Octets, Stream
from keys.errors import MalformedError, SignatureError
from keys.revocation.names import folded


def find_certificate(signer: Signer, certificates: Iterable[Certificate]) -> Certificate | None:
    """Finds the signer's certificate, whoever brought it; None where it is not among them.

    Of several that the signer may mean, one that the hashes it signed are of comes first.
    """
    meant = [certificate for certificate in certificates if _is_meant(signer, certificate)]
    hashed = (certificate for certificate in meant if _is_hashed(signer, certificate))
    return next(hashed, meant[0] if meant else None)


def verify_signer(signer: Signer, certificate: Certificate, content: Content) -> None:
    """Raises unless the key of the signer's certificate signed the content: of an attached one `SignedData.content`.

    Raises SignatureError "signature.wrong"; MalformedError "cms.certificate_other" for a certificate that is not the
    signer's, "cms.content_is_attributes", "digest.insufficient", "key.malformed"; AlgorithmError "key.kind". Of content
    known by its digest only nobody can tell whether it is attributes: that digest must be of a document that is there.
    """
    if not _is_meant(signer, certificate):
        raise MalformedError("cms.certificate_other", "the certificate is not the one that the signer names")
    if not _is_hashed(signer, certificate):
        raise MalformedError("cms.certificate_other", "the certificate is not the one whose hash the signer signed")
    key = schemes.load_key(certificate.spki)
    signature = as_der(key, signer.signature)
    if signer.signed_attributes is None:
        refuse_attributes_in(content)
        schemes.verify_content(key, signer.scheme, signature, content)
        return
    if not hmac.compare_digest(signer.message_digest or b"", content.digest(signer.digest)):
        raise SignatureError("signature.wrong", "the content is not the one that was signed: its digest differs")
    schemes.verify(key, signer.scheme, signature, signer.signed_attributes)


def verify_countersignature(inner: Signer, outer_signature: bytes, certificate: Certificate) -> None:
    """Raises unless the key of the countersigner's certificate signed a signature: the octets of the outer signer's.

    Raises as `verify_signer`.
    """
    verify_signer(inner, certificate, Octets(outer_signature))


def _is_meant(signer: Signer, certificate: Certificate) -> bool:
    if signer.issuer is None:
        return signer.key_id is not None and signer.key_id == certificate.subject_key_id
    return signer.serial == certificate.serial and folded(signer.issuer) == folded(certificate.issuer)


def _is_hashed(signer: Signer, certificate: Certificate) -> bool:
    """Whether the hashes that the signer signed, where it did, are those of the certificate (RFC 5035 §5.4)."""
    whole = Octets(certificate.der)
    return all(hmac.compare_digest(value, whole.digest(name)) for name, value in signer.certificate_hashes)


def refuse_attributes_in(content: Content) -> None:
    """Raises MalformedError "cms.content_is_attributes" for content that some signer of CMS signed as attributes.

    For a signature over content alone, in a message or bare. Of a digest nobody can tell.
    """
    if isinstance(content, Octets):
        refuse_attributes(content.content)
    elif isinstance(content, Stream):
        head = bytearray()
        with content.open() as source:
            # A source may give less than it is asked for before it ends.
            while len(head) <= MAX_SIGNED and (piece := source.read(MAX_SIGNED + 1 - len(head))):
                head += piece
        refuse_attributes(bytes(head))
