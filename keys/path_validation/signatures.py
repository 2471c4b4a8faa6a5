"""Verifies the signatures of certificates and CRLs in a path, by our own schemes, with a bound on their number."""

import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa

from keys import der
from keys.algorithms import schemes
from keys.algorithms.schemes import SignatureScheme, VerifyingKey
from keys.errors import AlgorithmError, KeysError, MalformedError, SignatureError
from keys.path_validation.errors import PathError

MAX_SIGNATURES = 64  # verified for one question

Usable = Callable[[SignatureScheme, VerifyingKey], str | None]
"""Says why a scheme with a key may not be relied on, None when it may."""

# RFC 3279 §2.2.2, RFC 5758 §3.1. Old hierarchies have them, PKITS among these; no algorithm policy relies on them.
_DSA: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.10040.4.3": hashes.SHA1(),
    "2.16.840.1.101.3.4.3.2": hashes.SHA256(),
}


class Signatures:
    """Verifies signatures, each one once."""

    def __init__(self, usable: Usable | None) -> None:
        self._usable = usable
        self._done: dict[bytes, KeysError | None] = {}

    def verify(self, spki: bytes, algorithm: bytes, signature: bytes, message: bytes) -> None:
        """Raises PathError "signature", "algorithm", "malformed", or "too_complex" at the bound.

        `spki` is a SubjectPublicKeyInfo and `algorithm` an AlgorithmIdentifier, both DER.
        """
        parts = (spki, algorithm, signature, message)
        digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
        if digest not in self._done:
            if len(self._done) >= MAX_SIGNATURES:
                raise PathError("too_complex", f"more than {MAX_SIGNATURES} signatures to verify")
            self._done[digest] = self._verdict(*parts)
        verdict = self._done[digest]
        if verdict is not None:
            raise verdict

    def _verdict(self, spki: bytes, algorithm: bytes, signature: bytes, message: bytes) -> PathError | None:
        try:
            verify(spki, algorithm, signature, message, self._usable)
        except PathError as error:
            return error
        return None


def verify(spki: bytes, algorithm: bytes, signature: bytes, message: bytes, usable: Usable | None) -> None:
    """Verifies one signature. Raises PathError "signature", "algorithm" or "malformed"."""
    try:
        try:
            scheme = schemes.scheme_from_identifier(algorithm)
        except AlgorithmError:
            _verify_dsa(algorithm, spki, signature, message, usable)
            return
        key = schemes.load_key(spki)
        _refuse(usable, scheme, key)
        schemes.verify(key, scheme, signature, message)
    except SignatureError as error:
        raise PathError("signature", error.detail) from error
    except AlgorithmError as error:
        raise PathError("algorithm", error.detail) from error
    except MalformedError as error:
        raise PathError("malformed", error.detail) from error


def _refuse(usable: Usable | None, scheme: SignatureScheme, key: VerifyingKey) -> None:
    reason = usable(scheme, key) if usable is not None else None
    if reason is not None:
        raise PathError("algorithm", reason)


def _verify_dsa(algorithm: bytes, spki: bytes, signature: bytes, message: bytes, usable: Usable | None) -> None:
    """Verifies a DSA signature; of any other algorithm that our schemes do not have, raises again what is at hand."""
    parts = der.sequence(der.parse(algorithm))
    oid = der.oid(parts[0])
    if oid not in _DSA:
        raise AlgorithmError("signature.algorithm_unknown", f"the signature algorithm {oid} is not known here")
    digest = _DSA[oid]
    try:
        key = serialization.load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PathError("malformed", "the DSA key cannot be read") from error
    if not isinstance(key, dsa.DSAPublicKey):
        raise PathError("algorithm", "a DSA signature by a key of another kind")
    scheme = SignatureScheme(name=f"dsa-{digest.name}", family="dsa", digest=digest.name, oid=oid, jose=None)
    _refuse(usable, scheme, VerifyingKey(family="dsa", curve=None, bits=key.key_size, spki=spki, handle=key))
    try:
        key.verify(signature, message, digest)
    except InvalidSignature as error:
        raise PathError("signature", "the signature is not by this key over these bytes") from error
