"""Signed data as other software writes it: CMS (RFC 5652 §3, §5) and its Chinese dialect (GB/T 35275, GM/T 0010)."""

import hashlib
from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct

from keys import der
from keys.certificate import Certificate, parse_certificate
from keys.cms import attributes, ber
from keys.cms.algorithms import DIGEST_OIDS, comparable
from keys.cms.parts import listed, parts_of
from keys.cms.signer import Signer, read_signer
from keys.der import Element
from keys.errors import AlgorithmError, KeysError, MalformedError

MAX_LENGTH = 32 * 1024 * 1024  # bytes of a message, with the content inside
MAX_SIGNERS = 64
MAX_CERTIFICATES = 256
_MAX_CERTIFICATE_BYTES = 1 << 19  # of all of them: a certificate of a thousand extensions takes long to read
_MAX_DIGESTS = 64

RFC5652, GM = "rfc5652", "gm"
DATA = MappingProxyType({RFC5652: "1.2.840.113549.1.7.1", GM: "1.2.156.10197.6.1.4.2.1"})
"""Content of no particular type, by dialect."""
_SIGNED = MappingProxyType({"1.2.840.113549.1.7.2": RFC5652, "1.2.156.10197.6.1.4.2.2": GM})
_OTHERS: Mapping[str, str] = MappingProxyType(
    {
        "1.2.840.113549.1.7.1": "data",
        "1.2.840.113549.1.7.3": "enveloped",
        "1.2.840.113549.1.7.4": "signedAndEnveloped",
        "1.2.840.113549.1.7.5": "digested",
        "1.2.840.113549.1.7.6": "encrypted",
        "1.2.840.113549.1.9.16.1.2": "authenticated",
        "1.2.840.113549.1.9.16.1.9": "compressed",
        "1.2.840.113549.1.9.16.1.23": "authEnveloped",
        "1.2.156.10197.6.1.4.2.1": "data (GM)",
        "1.2.156.10197.6.1.4.2.3": "enveloped (GM)",
        "1.2.156.10197.6.1.4.2.4": "signedAndEnveloped (GM)",
        "1.2.156.10197.6.1.4.2.5": "encrypted (GM)",
        "1.2.156.10197.6.1.4.2.6": "keyAgreementInfo (GM)",
    }
)

_CERTIFICATES, _LISTS = 0xA0, 0xA1
_WHOLE = frozenset({"der.malformed", "cms.too_large"})  # faults of the message, whichever part they are in
_EXPLICIT = 0xA0


class BrokenSigner(Struct, frozen=True, kw_only=True):
    """A signer who breaks a rule, so that his signature cannot be right: the code of an error and its detail."""

    code: str
    detail: str


class SignedData(Struct, frozen=True, kw_only=True):
    """A signed message as it was read; nothing has been verified.

    `dialect` is "rfc5652" or "gm". `content_type` is an object identifier. `content` is None where it is detached.
    `certificates` are those inside that can be read, which are hints only; `unread` is how many cannot. Lists and
    answers about revocation inside are passed over. `signers` is never empty; `broken` are those set apart, whose
    signatures cannot be right: whoever passes a message on can add some. `oddities` are stable codes; a signer has its
    own.
    """

    dialect: str
    content_type: str
    content: bytes | None
    certificates: tuple[Certificate, ...]
    unread: int
    signers: tuple[Signer, ...]
    broken: tuple[BrokenSigner, ...]
    digest: str
    """SHA-256 of the bytes given: "sha256:" and 64 hexadecimal digits."""
    oddities: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"SignedData(dialect={self.dialect!r}, {len(self.signers)} signers, digest={self.digest!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # msgspec's own would show the content.
        return [("dialect", self.dialect), ("signers", len(self.signers)), ("digest", self.digest)]


def parse_cms(data: bytes, limit: int = MAX_LENGTH, *, tolerant: bool = False) -> SignedData:
    """Reads a message in DER, or in BER as streaming signers write it, of at most `limit` bytes.

    One signer who breaks a rule refuses the message; `tolerant` sets him apart as `broken`, for a caller who judges
    each signer by himself.

    Raises MalformedError "cms.malformed", "cms.too_large", "cms.not_signed" (the detail names what it is),
    "cms.no_signer" (certificates only); and for the first signer who breaks a rule, if `tolerant` where all do:
    "cms.algorithm_mismatch", "cms.attribute_duplicate", "cms.attributes_missing",
    "cms.content_type_wrong", "cms.content_is_attributes", "signature.algorithm_malformed"; AlgorithmError
    "signature.algorithm_unknown".
    """
    if len(data) > limit:
        raise MalformedError("cms.too_large", f"{len(data)} bytes, of at most {limit}")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    try:
        try:
            return _content_info(data, digest, tolerant)
        except MalformedError as error:
            if error.code != "der.malformed":
                raise
        # RFC 5652 §5.4: signed is the DER of the attributes, even where BER was sent.
        return _content_info(ber.definite(data), digest, tolerant)
    except MalformedError as error:
        if error.code != "der.malformed":
            raise
        raise MalformedError("cms.malformed", error.detail) from error


def _content_info(data: bytes, digest: str, tolerant: bool) -> SignedData:
    fields = parts_of(der.parse(data), der.SEQUENCE, 1, 2)
    kind = der.oid(fields[0])
    dialect = _SIGNED.get(kind)
    if dialect is None:
        name = _OTHERS.get(kind)
        what = f"content of the unknown type {kind}" if name is None else name
        raise MalformedError("cms.not_signed", f"{what}, not signed data")
    if len(fields) != 2:
        raise MalformedError("der.malformed", "signed data without contents")
    return _signed_data(_explicit(fields[1]), dialect, digest, tolerant)


def _explicit(element: Element) -> Element:
    if element.tag != _EXPLICIT:
        raise MalformedError("der.malformed", f"tag 0x{element.tag:02x}, not [0] (at byte {element.start})")
    return der.inside(element)


def _signed_data(element: Element, dialect: str, digest: str, tolerant: bool) -> SignedData:
    """Reads SignedData (RFC 5652 §5.1)."""
    version, digests, encapsulated, *rest = parts_of(element, der.SEQUENCE, 4, 6)
    der.integer(version)
    content_type, content = _content(encapsulated)
    certificates: tuple[Certificate, ...] = ()
    unread = 0
    if rest[0].tag == _CERTIFICATES:
        certificates, unread = _certificates(rest.pop(0))
    if rest and rest[0].tag == _LISTS:
        rest.pop(0)  # Whoever made the message chose them: revocation is judged by what is fetched from the CA.
    if len(rest) != 1:
        raise MalformedError("der.malformed", f"parts are missing or out of place (at byte {element.start})")
    found = listed(rest[0], der.SET, MAX_SIGNERS, "signers")
    if not found:
        raise MalformedError("cms.no_signer", "nobody signed it: it only carries certificates")
    signers, broken = _signers(found, _announced(digests), content_type, content, tolerant)
    other = content_type in DATA.values() and content_type != DATA[dialect]
    return SignedData(
        dialect=dialect,
        content_type=content_type,
        content=content,
        certificates=certificates,
        unread=unread,
        signers=signers,
        broken=broken,
        digest=digest,
        oddities=("content_type.other_dialect",) if other else (),
    )


def _signers(
    elements: Iterable[Element],
    announced: Container[str | None],
    content_type: str,
    content: bytes | None,
    tolerant: bool,
) -> tuple[tuple[Signer, ...], tuple[BrokenSigner, ...]]:
    """Those who keep the rules, and those who do not. Raises for these unless `tolerant` and somebody keeps them."""
    signers, broken = list[Signer](), list[AlgorithmError | MalformedError]()
    for element in elements:
        try:
            signer = read_signer(element)
            if signer.digest not in announced:
                # RFC 5652 §5.1 leaves it to the reader. Others digest as they read, and so only what is announced.
                raise MalformedError("cms.algorithm_mismatch", f"{signer.digest} is not among the digests announced")
            _hold(signer, content_type, content)
            signers.append(signer)
        except (AlgorithmError, MalformedError) as error:
            if error.code in _WHOLE or not tolerant:
                raise
            broken.append(error)
    if not signers:
        raise broken[0]
    return tuple(signers), tuple(BrokenSigner(code=error.code, detail=error.detail) for error in broken)


def _content(element: Element) -> tuple[str, bytes | None]:
    """Reads EncapsulatedContentInfo (RFC 5652 §5.2): its type, and the content where it is inside."""
    fields = parts_of(element, der.SEQUENCE, 1, 2)
    content = der.octet_string(_explicit(fields[1])) if len(fields) == 2 else None
    return der.oid(fields[0]), content


def _certificates(element: Element) -> tuple[tuple[Certificate, ...], int]:
    if element.end - element.content > _MAX_CERTIFICATE_BYTES:
        raise MalformedError("cms.too_large", f"more than {_MAX_CERTIFICATE_BYTES} bytes of certificates")
    found: list[Certificate] = []
    members = listed(element, _CERTIFICATES, MAX_CERTIFICATES, "certificates")
    for member in members:
        try:
            found.append(parse_certificate(member.raw))
        except KeysError:
            continue  # the signer's is looked for elsewhere as well
    return tuple(found), len(members) - len(found)


def _hold(signer: Signer, content_type: str, content: bytes | None) -> None:
    """Holds a signer to what RFC 5652 §5.3 says of the type of the content."""
    if signer.signed_attributes is not None:
        if signer.content_type != content_type:
            said = signer.content_type or "no type"
            raise MalformedError("cms.content_type_wrong", f"the signer signed {said}, the content is {content_type}")
    elif content_type not in DATA.values():
        raise MalformedError("cms.attributes_missing", f"content of type {content_type} without signed attributes")
    elif content is not None:
        refuse_attributes(content)


def refuse_attributes(content: bytes) -> None:
    """Raises MalformedError "cms.content_is_attributes" for what a signer may have signed as attributes."""
    if attributes.are_attributes(content):
        raise MalformedError("cms.content_is_attributes", "the content is itself the signed attributes of a message")


def _announced(digests: Element) -> set[str | None]:
    members = listed(digests, der.SET, _MAX_DIGESTS, "digest algorithms")
    return {DIGEST_OIDS.get(comparable(member)[0]) for member in members}
