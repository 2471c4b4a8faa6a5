"""The attributes of a signer (RFC 5652 §5.3, §11; RFC 5035; RFC 6211): what they say, and the laws they must keep."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from msgspec import Struct

from keys import der
from keys.cms.algorithms import comparable, read_digest
from keys.cms.parts import listed, parts_of
from keys.der import Element
from keys.errors import MalformedError

CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
COUNTERSIGNATURE = "1.2.840.113549.1.9.6"
PROTECTION = "1.2.840.113549.1.9.52"  # RFC 6211
CERTIFICATE_V1, CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
TIMESTAMP = "1.2.840.113549.1.9.16.2.14"  # RFC 3161, appendix A

MAX_ATTRIBUTES = 64  # of a signer, signed or unsigned
MAX_VALUES = 16  # of one attribute
MAX_SIGNED = 1 << 20  # bytes of signed attributes; those of PDF may hold revocation lists
_MAX_ELSEWHERE = 4096  # signed attributes that other software may have let somebody sign
_MAX_IDS = 16  # certificates that one ESS attribute names

_SINGLE = (CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME, PROTECTION, CERTIFICATE_V1, CERTIFICATE_V2)
_UNSIGNED_ONLY = frozenset((COUNTERSIGNATURE, TIMESTAMP))
_EXPLICIT_ATTRIBUTES = 0xA0


class SignedAttributes(Struct, kw_only=True):
    """What signed attributes say. `raw` is their DER as a SET, in the order received: what the signature is over."""

    raw: bytes
    content_type: str | None = None
    message_digest: bytes | None = None
    claimed_time: datetime | None = None
    certificate_hashes: tuple[tuple[str, bytes], ...] = ()


def read_signed(element: Element, algorithms: tuple[Element, Element], oddities: list[str]) -> SignedAttributes:
    """Reads [0] IMPLICIT SET OF Attribute beside the signer's digest and signature algorithms; tells oddities.

    Raises MalformedError "der.malformed", "cms.too_large", "cms.attribute_duplicate", "cms.algorithm_mismatch";
    AlgorithmError "signature.algorithm_unknown" for the digest of an ESS certificate identifier.
    """
    if element.end - element.content > MAX_SIGNED:
        raise MalformedError("cms.too_large", f"more than {MAX_SIGNED} bytes of signed attributes")
    # RFC 5652 §5.4: what is signed has the tag of SET OF in the place of [0].
    said = SignedAttributes(raw=bytes((der.SET,)) + element.raw[1:])
    members = listed(element, _EXPLICIT_ATTRIBUTES, MAX_ATTRIBUTES, "signed attributes")
    encodings = [member.raw for member in members]
    if encodings != sorted(encodings):
        oddities.append("attributes.unsorted")  # X.690 §11.6
    found: dict[str, Element] = {}
    for oid, values in map(_attribute, members):
        if oid in found:
            raise MalformedError("cms.attribute_duplicate", f"signed attribute {oid} is there twice")
        found[oid] = values
    if not _UNSIGNED_ONLY.isdisjoint(found):
        oddities.append("attribute.misplaced")  # and not read: RFC 5652 §11.4, RFC 3161 appendix A
    singles = {oid: _single(oid, found[oid]) for oid in _SINGLE if oid in found}
    for oid, reader in _READERS.items():
        if oid in singles:
            reader(said, singles[oid], oddities)
    if PROTECTION in singles:
        _protection(singles[PROTECTION], algorithms)
    return said


def read_unsigned(element: Element, oddities: list[str]) -> Mapping[str, list[Element]]:
    """Reads [1] IMPLICIT SET OF Attribute: the values of those understood, by type, of several of one type all.

    What counts only where it is signed is passed over, and told (RFC 5652 §11.1 to §11.3).

    Raises MalformedError "der.malformed", "cms.too_large".
    """
    found: dict[str, list[Element]] = {TIMESTAMP: [], COUNTERSIGNATURE: []}
    for oid, values in map(_attribute, listed(element, 0xA1, MAX_ATTRIBUTES, "unsigned attributes")):
        if oid in found:
            found[oid] += _values(values)
        elif oid in _SINGLE:
            oddities.append("attribute.misplaced")
    return found


def are_attributes(content: bytes) -> bool:
    """Whether content is itself the DER of signed attributes, which would serve as a message without any.

    Those of a countersignature have no contentType (RFC 5652 §11.4), all have a messageDigest.

    So a signature over attributes could be shown as one over a document that the signer has never seen.
    """
    if content[:1] != bytes((der.SET,)) or len(content) > MAX_SIGNED:
        return False
    try:
        members = listed(der.parse(content), der.SET, _MAX_ELSEWHERE, "attributes")
        found = {oid for oid, _ in map(_attribute, members)}
    except MalformedError:
        return False
    return MESSAGE_DIGEST in found


def _attribute(element: Element) -> tuple[str, Element]:
    """Reads Attribute: its type and the SET of its values, which are looked at when they are understood."""
    kind, values = parts_of(element, der.SEQUENCE, 2, 2)
    if values.tag != der.SET:
        raise MalformedError("der.malformed", f"an attribute without a SET of values (at byte {values.start})")
    return der.oid(kind), values


def _values(values: Element) -> list[Element]:
    return listed(values, der.SET, MAX_VALUES, "values of an attribute")


def _single(oid: str, values: Element) -> Element:
    found = _values(values)
    if len(found) != 1:
        raise MalformedError("cms.attribute_duplicate", f"signed attribute {oid} with {len(found)} values, not one")
    return found[0]


def _content_type(said: SignedAttributes, value: Element, _: list[str]) -> None:
    said.content_type = der.oid(value)


def _message_digest(said: SignedAttributes, value: Element, _: list[str]) -> None:
    said.message_digest = der.octet_string(value)


def _signing_time(said: SignedAttributes, value: Element, oddities: list[str]) -> None:
    # Nobody vouches for it, so nothing rests on it: what cannot be read is told and left out.
    try:
        said.claimed_time, usual = der.any_time(value)
    except MalformedError:
        oddities.append("signing_time.unreadable")
        return
    if not usual:
        oddities.append("signing_time.variant")


def _certificate_v1(said: SignedAttributes, value: Element, _: list[str]) -> None:
    """Reads SigningCertificate (RFC 5035 §5.4): the first identifier is the signer's."""
    identifier = parts_of(_first_id(value), der.SEQUENCE, 1, 2)
    said.certificate_hashes += (("sha1", der.octet_string(identifier[0])),)


def _certificate_v2(said: SignedAttributes, value: Element, _: list[str]) -> None:
    """Reads SigningCertificateV2 (RFC 5035 §3, §4)."""
    identifier = parts_of(_first_id(value), der.SEQUENCE, 1, 3)
    digest = read_digest(identifier.pop(0)) if identifier[0].tag == der.SEQUENCE else "sha256"
    if not identifier:
        raise MalformedError("der.malformed", f"a certificate identifier without its hash (at byte {value.start})")
    said.certificate_hashes += ((digest, der.octet_string(identifier[0])),)


def _first_id(value: Element) -> Element:
    identifiers = parts_of(value, der.SEQUENCE, 1, 2)[0]
    found = listed(identifiers, der.SEQUENCE, _MAX_IDS, "certificates that a signer names")
    if not found:
        raise MalformedError("der.malformed", f"a signing certificate that names none (at byte {value.start})")
    return found[0]


def _protection(value: Element, algorithms: tuple[Element, Element]) -> None:
    """Holds CMSAlgorithmProtection (RFC 6211 §2, §3) against the algorithms beside the signature."""
    digest, *named = parts_of(value, der.SEQUENCE, 2, 3)
    if len(named) != 1 or named[0].tag != 0xA1:
        raise MalformedError("cms.algorithm_mismatch", "the signed algorithms are not a digest and a signature")
    signed = comparable(digest), comparable(der.retagged(named[0], der.SEQUENCE))
    if signed != (comparable(algorithms[0]), comparable(algorithms[1])):
        raise MalformedError("cms.algorithm_mismatch", "the signer signed with other algorithms than it names")


_READERS: Mapping[str, Callable[[SignedAttributes, Element, list[str]], None]] = MappingProxyType(
    {
        CONTENT_TYPE: _content_type,
        MESSAGE_DIGEST: _message_digest,
        SIGNING_TIME: _signing_time,
        CERTIFICATE_V1: _certificate_v1,
        CERTIFICATE_V2: _certificate_v2,
    }
)
