"""Signed documents: CMS (RFC 5652) and its Chinese dialect (GB/T 35275, GM/T 0010), read and verified.

Reading believes nothing: `verify_signer` shows that the key of a certificate signed the content. Whether that
certificate leads to an anchor, and was good when it signed, is for `keys.path_validation` and `keys.revocation`.
"""

from keys.cms.message import MAX_CERTIFICATES, MAX_LENGTH, MAX_SIGNERS, BrokenSigner, SignedData, parse_cms
from keys.cms.signer import MAX_COUNTERSIGNATURES, MAX_TIMESTAMPS, Signer
from keys.cms.verification import find_certificate, refuse_attributes_in, verify_countersignature, verify_signer

__all__ = [
    "MAX_CERTIFICATES",
    "MAX_COUNTERSIGNATURES",
    "MAX_LENGTH",
    "MAX_SIGNERS",
    "MAX_TIMESTAMPS",
    "BrokenSigner",
    "SignedData",
    "Signer",
    "find_certificate",
    "parse_cms",
    "refuse_attributes_in",
    "verify_countersignature",
    "verify_signer",
]
