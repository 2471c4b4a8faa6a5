"""Timestamp tokens (RFC 3161 §2.4.2), in CMS or its Chinese dialect: read, then held against what they are to prove.

The argument for a time, of which the last two steps are the caller's: the imprint is of the content; the key of the
authority's certificate signed it; the authority named that very certificate in what it signed; the certificate is for
timestamps and nothing else; it was valid then; a path leads from it to an anchor; it was not revoked.
"""

import hmac
from datetime import datetime

from msgspec import Struct

from keys.certificate import Certificate
from keys.cms import Signer, parse_cms, verify_signer
from keys.content import Content, Octets
from keys.errors import KeysError, MalformedError, SignatureError
from keys.timestamp.info import TimestampInfo, read_info

MAX_LENGTH = 256 * 1024  # bytes; with a chain of certificates inside, a token has about 6,000
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"  # id-kp-timeStamping

_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_EXTENDED_KEY_USAGE = "2.5.29.37"
_UNSIGNED = frozenset({"cms.not_signed", "cms.no_signer"})
_SIGNING = frozenset({"digitalSignature", "nonRepudiation"})


class TimestampToken(Struct, frozen=True, kw_only=True):
    """A token as it was read; nothing has been verified.

    `content` is the DER of `info`, which the signer signed. `certificates` are those inside, which are hints only.
    `dialect` is that of CMS, see `keys.cms.SignedData`.
    """

    info: TimestampInfo
    content: bytes
    signer: Signer
    certificates: tuple[Certificate, ...]
    dialect: str
    digest: str
    """SHA-256 of the token: "sha256:" and 64 hexadecimal digits."""

    @property
    def gen_time(self) -> datetime:
        """When the authority says it signed."""
        return self.info.gen_time


def parse_token(data: bytes) -> TimestampToken:
    """Reads a token: CMS SignedData with TSTInfo for its content and exactly one signer.

    Raises MalformedError "timestamp.malformed", or "timestamp.not_a_token" for other CMS; AlgorithmError
    "signature.algorithm_unknown".
    """
    try:
        signed = parse_cms(data, MAX_LENGTH)
    except MalformedError as error:
        code = "timestamp.not_a_token" if error.code in _UNSIGNED else "timestamp.malformed"
        raise MalformedError(code, error.detail) from error
    if signed.content_type != _TST_INFO:
        raise MalformedError("timestamp.not_a_token", f"signed data of the type {signed.content_type}")
    if len(signed.signers) != 1:
        detail = f"{len(signed.signers)} signers; a token has the signature of its authority only"
        raise MalformedError("timestamp.not_a_token", detail)
    if signed.content is None:
        raise MalformedError("timestamp.not_a_token", "the timestamp itself is not inside")
    return TimestampToken(
        info=read_info(signed.content),
        content=signed.content,
        signer=signed.signers[0],
        certificates=signed.certificates,
        dialect=signed.dialect,
        digest=signed.digest,
    )


def verify_token(token: TimestampToken, imprint_of: Content, certificate: Certificate) -> None:
    """Raises unless the key of the authority's certificate timestamped the content, by the rules of RFC 3161.

    Whether a path leads from the certificate to an anchor, and was good when the token was made, is for the caller.
    Raises SignatureError "timestamp.imprint_wrong", "timestamp.certificate_other" (the authority did not sign which
    certificate is its own, or signed another), "timestamp.usage_wrong", "timestamp.certificate_not_valid" (at the
    token's own time), "signature.wrong"; MalformedError "digest.insufficient", "key.malformed"; AlgorithmError
    "key.kind".
    """
    if not hmac.compare_digest(imprint_of.digest(token.info.digest_name), token.info.imprint):
        raise SignatureError("timestamp.imprint_wrong", "the timestamp is of other content")
    _check_signature(token, certificate)
    _check_usage(certificate)
    if not certificate.not_before <= token.gen_time <= certificate.not_after:
        detail = f"the authority's certificate was not valid at {token.gen_time.isoformat()}"
        raise SignatureError("timestamp.certificate_not_valid", detail)


def _check_signature(token: TimestampToken, certificate: Certificate) -> None:
    if not token.signer.certificate_hashes:
        # RFC 3161 §2.4.1, RFC 5816 §2.2.1.
        raise SignatureError("timestamp.certificate_other", "the authority did not sign which certificate is its own")
    try:
        verify_signer(token.signer, certificate, Octets(token.content))
    except KeysError as error:
        if error.code == "cms.certificate_other":
            raise SignatureError("timestamp.certificate_other", error.detail) from error
        raise


def _check_usage(certificate: Certificate) -> None:
    """RFC 3161 §2.3: a key for timestamps only, so that no signature of another kind passes for one."""
    extended = certificate.extensions.get(_EXTENDED_KEY_USAGE)
    if extended is None or certificate.extended_key_usage != (TIME_STAMPING,):
        raise SignatureError("timestamp.usage_wrong", "the certificate is not for timestamps, and nothing else")
    if not extended.critical:
        raise SignatureError("timestamp.usage_wrong", "the certificate's extended key usage is not critical")
    usage = certificate.key_usage
    if certificate.is_ca or (usage is not None and not usage <= _SIGNING):
        raise SignatureError("timestamp.usage_wrong", "the certificate's key may be used for other than signing")
