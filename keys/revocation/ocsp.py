"""OCSP (RFC 6960): what to ask a responder, who signed what he answered, and what it says of a certificate.

`verify_ocsp` shows that a response is by a CA itself or by a responder whom that CA authorised. Whether the answer is
fresh, and what it means for an instant, is for `keys.revocation.judgement`.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from keys import der
from keys.algorithms import schemes
from keys.algorithms.schemes import SignatureScheme, VerifyingKey
from keys.certificate import FATAL_ODDITIES, Certificate
from keys.certificate.extensions import read_general_names
from keys.content import Octets
from keys.errors import AlgorithmError, KeysError, MalformedError, SignatureError, quoted
from keys.revocation import names
from keys.revocation.names import wrapped
from keys.revocation.ocsp_response import DIGESTS, MAX_LENGTH, NONCE, OcspAnswer, OcspResponse, parse_ocsp

__all__ = [
    "MAX_LENGTH",
    "OcspAnswer",
    "OcspResponse",
    "Usable",
    "answer_about",
    "answer_for",
    "needs_check",
    "ocsp_urls",
    "parse_ocsp",
    "request_for",
    "verify_ocsp",
    "write_request",
]

Usable = Callable[[SignatureScheme, VerifyingKey], str | None]
"""Says why a scheme with a key may not be relied on, None when it may."""

_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
_NO_CHECK = "1.3.6.1.5.5.7.48.1.5"
_AUTHORITY_INFORMATION, _OCSP_ADDRESS = "1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.48.1"

# What a responder's certificate may ask to be understood: nothing of it changes whom the CA authorised.
_UNDERSTOOD = frozenset(
    {
        "2.5.29.15",  # keyUsage
        "2.5.29.17",  # subjectAltName
        "2.5.29.19",  # basicConstraints
        "2.5.29.32",  # certificatePolicies
        "2.5.29.37",  # extKeyUsage
        _NO_CHECK,
    }
)

_OIDS = {name: oid for oid, name in DIGESTS.items()}
_MAX_NONCE = 128  # bytes: RFC 9654 §2.1
_MAX_FIT = 6  # certificates of responders that are verified: a farm of them, some renewed
_WORST = {"revoked": 2, "unknown": 1, "good": 0}


def write_request(
    certificate: Certificate, issuer: Certificate, digest: str = "sha1", nonce: bytes | None = None
) -> bytes:
    """Writes the request (DER) about one certificate of an issuer. See `request_for`."""
    return request_for(certificate.serial, certificate.issuer, issuer, digest, nonce)


def request_for(
    serial: int, issuer_name: bytes, issuer: Certificate, digest: str = "sha1", nonce: bytes | None = None
) -> bytes:
    """Writes an OCSPRequest (DER, RFC 6960 §4.1.1), not signed, with one CertID.

    `issuer_name` is a Name (DER) as it stands in the certificate asked about. `digest` names that of the CertID, as in
    `OcspAnswer`; SHA-1 is what every responder takes (RFC 5019 §2.1.1), and nothing rests on its strength. Raises
    MalformedError "ocsp.digest_unknown", "ocsp.nonce".
    """
    if digest not in _OIDS:
        raise MalformedError("ocsp.digest_unknown", f"digest {quoted(digest)} is not one of {', '.join(_OIDS)}")
    if nonce is not None and not 1 <= len(nonce) <= _MAX_NONCE:
        raise MalformedError("ocsp.nonce", f"a nonce of {len(nonce)} bytes, of 1 to {_MAX_NONCE}")
    algorithm = wrapped(der.SEQUENCE, _oid(_OIDS[digest]) + wrapped(der.NULL, b""))
    name_hash, key_hash = (wrapped(der.OCTET_STRING, each) for each in _hashes(digest, issuer_name, issuer.spki))
    size = (serial if serial >= 0 else ~serial).bit_length() // 8 + 1
    number = wrapped(der.INTEGER, serial.to_bytes(size, "big", signed=True))
    certificate_id = wrapped(der.SEQUENCE, algorithm + name_hash + key_hash + number)
    requests = wrapped(der.SEQUENCE, wrapped(der.SEQUENCE, certificate_id))
    if nonce is not None:
        value = wrapped(der.OCTET_STRING, wrapped(der.OCTET_STRING, nonce))
        requests += wrapped(0xA2, wrapped(der.SEQUENCE, wrapped(der.SEQUENCE, _oid(NONCE) + value)))
    return wrapped(der.SEQUENCE, wrapped(der.SEQUENCE, requests))


def _oid(dotted: str) -> bytes:
    """Writes an OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return wrapped(der.OID, bytes(content))


def _key_bits(spki: bytes) -> bytes:
    """The contents of the BIT STRING of a SubjectPublicKeyInfo, without the count of unused bits."""
    return der.bit_string(der.sequence(der.parse(spki))[1])


def _hashes(digest: str, issuer_name: bytes, issuer_spki: bytes) -> tuple[bytes, bytes]:
    return Octets(issuer_name).digest(digest), Octets(_key_bits(issuer_spki)).digest(digest)


def answer_about(response: OcspResponse, certificate: Certificate, issuer: Certificate) -> OcspAnswer | None:
    """Finds what a response says of a certificate of an issuer. See `answer_for`."""
    return answer_for(response, certificate.serial, certificate.issuer, issuer)


def answer_for(response: OcspResponse, serial: int, issuer_name: bytes, issuer: Certificate) -> OcspAnswer | None:
    """Finds what a response says of a certificate, by serial number and the Name (DER) in its issuer field.

    Where it has several answers about it, the worst: revoked (the earliest), then unknown, then good; of equals the
    latest. None when it speaks of others only.
    """
    about = [answer for answer in response.answers if answer.serial == serial and answer.digest in _OIDS]
    hashes = {digest: _hashes(digest, issuer_name, issuer.spki) for digest in {answer.digest for answer in about}}
    found = [answer for answer in about if (answer.name_hash, answer.key_hash) == hashes[answer.digest]]
    return max(found, key=_weight, default=None)


def _weight(answer: OcspAnswer) -> tuple[int, float, datetime, str]:
    since = 0.0 if answer.entry is None else -answer.entry.effective_at.timestamp()
    return _WORST[answer.status], since, answer.this_update, answer.digest


def ocsp_urls(certificate: Certificate) -> tuple[str, ...]:
    """The addresses of responders that a certificate names (RFC 5280 §4.2.2.1).

    They only guide a search, so of an extension that cannot be read there are none.
    """
    extension = certificate.extensions.get(_AUTHORITY_INFORMATION)
    if extension is None:
        return ()
    urls: list[str] = []
    try:
        for description in der.sequence(der.parse(extension.value)):
            method, location = _pair(der.sequence(description))
            if der.oid(method) == _OCSP_ADDRESS:
                urls += read_general_names(_alone(location), [])[0]
    except MalformedError:
        return ()
    return tuple(dict.fromkeys(urls))


def _pair(parts: Sequence[der.Element]) -> tuple[der.Element, der.Element]:
    if len(parts) != 2:
        raise MalformedError("der.malformed", f"a description of {len(parts)} parts, not two")
    return parts[0], parts[1]


def _alone(name: der.Element) -> der.Element:
    """One GeneralName as GeneralNames."""
    return der.parse(wrapped(der.SEQUENCE, name.raw))


def verify_ocsp(
    response: OcspResponse, issuer: Certificate, instant: datetime, *, usable: Usable | None = None
) -> Certificate:
    """Shows who signed a response about certificates of an issuer, and gives his certificate (RFC 6960 §4.2.2.2).

    That is the issuer itself, or a responder whose certificate came with the response and was issued by that very
    issuer for this; it was valid when the response was produced, which is not after `instant`. `usable` may refuse the
    scheme and key of either signature. The issuer's own path, and a responder for whom `needs_check` is true, are still
    to be judged.

    Raises SignatureError "signature.wrong", "ocsp.responder_unknown" (nobody there has the name or key that the
    response gives), "ocsp.responder_not_authorised", "ocsp.future"; AlgorithmError "signature.algorithm_unknown",
    "signature.algorithm_not_allowed" or "key.kind"; MalformedError "signature.algorithm_malformed", "key.malformed".
    """
    candidates = _candidates(response, issuer)
    if not candidates:
        raise SignatureError("ocsp.responder_unknown", "neither the issuer nor a certificate inside is the responder")
    failures: list[KeysError] = []
    for signer in candidates:
        try:
            _refuse_stranger(signer, issuer, response.produced_at, usable)
            _verify(signer, response.signature_algorithm, response.signature, response.tbs, usable)
        except KeysError as error:
            failures.append(error)
            continue
        if response.produced_at > instant:
            raise SignatureError("ocsp.future", f"produced at {response.produced_at.isoformat()}, still to come")
        return signer
    # The last one: behind an issuer who has the responder's name only, it is the responder who is meant.
    raise failures[-1]


def needs_check(signer: Certificate, issuer: Certificate) -> bool:
    """Whether a signer that `verify_ocsp` gave is a responder who could have been revoked (RFC 6960 §4.2.2.2.1).

    The caller then judges him by the issuer's lists at the instant at which the response was produced.
    """
    return signer.spki != issuer.spki and _NO_CHECK not in signer.extensions


def _candidates(response: OcspResponse, issuer: Certificate) -> list[Certificate]:
    """The issuer and the certificates inside, as far as they may be the responder that the response names.

    Whoever hands the response on can put certificates into it: those that cost a verification are few.
    """
    inside = (issuer, *response.certificates)
    named = list(dict.fromkeys(each for each in inside if _is_named(response, each)))
    own = [each for each in named if each.spki == issuer.spki]
    fit = [each for each in named if each not in own and _unfit(each, issuer, response.produced_at) is None]
    too_many = {*own[1:], *fit[_MAX_FIT:]}
    return [each for each in named if each not in too_many]


def _is_named(response: OcspResponse, certificate: Certificate) -> bool:
    if response.responder_name is not None:
        return names.folded(response.responder_name) == names.folded(certificate.subject)
    # RFC 6960 §4.2.1: SHA-1, whatever the CertIDs use. It only tells which certificate is meant.
    key = hashlib.sha1(_key_bits(certificate.spki), usedforsecurity=False).digest()
    return response.responder_key == key


def _refuse_stranger(signer: Certificate, issuer: Certificate, produced_at: datetime, usable: Usable | None) -> None:
    """Raises SignatureError for who is neither the issuer nor a responder authorised by him."""
    if signer.spki == issuer.spki:
        return
    why = _unfit(signer, issuer, produced_at)
    if why is None:
        try:
            _verify(issuer, signer.signature_algorithm, signer.signature, signer.tbs, usable)
            return
        except SignatureError:
            why = "its certificate is not signed by the issuer of the certificate asked about"
    raise SignatureError("ocsp.responder_not_authorised", f"the responder may not answer: {why}")


def _unfit(signer: Certificate, issuer: Certificate, produced_at: datetime) -> str | None:
    usage = signer.key_usage
    if names.folded(signer.issuer) != names.folded(issuer.subject):
        return "its certificate is by another issuer than the certificate asked about"
    # RFC 6960 §4.2.2.2: asked for by name; anyExtendedKeyUsage does not do.
    if _OCSP_SIGNING not in (signer.extended_key_usage or ()):
        return "its certificate is not for OCSP signing"
    if signer.is_ca:
        return "its certificate is that of an authority"
    if usage is not None and "digitalSignature" not in usage:
        return "its certificate is not for signatures"
    if not signer.not_before <= produced_at <= signer.not_after:
        return "its certificate was not valid when the response was produced"
    critical = {oid for oid, extension in signer.extensions.items() if extension.critical}
    if FATAL_ODDITIES.intersection(signer.oddities) or critical - _UNDERSTOOD:
        return "its certificate has parts that are wrong or not understood"
    return None


def _verify(signer: Certificate, algorithm: bytes, signature: bytes, message: bytes, usable: Usable | None) -> None:
    """Verifies one signature, of SM2 under the default user id."""
    scheme, key = schemes.scheme_from_identifier(algorithm), schemes.load_key(signer.spki)
    why = None if usable is None else usable(scheme, key)
    if why is not None:
        raise AlgorithmError("signature.algorithm_not_allowed", why)
    schemes.verify(key, scheme, signature, message)
