"""A signer of a message (SignerInfo, RFC 5652 §5.3): who it says it is, how it signed, and what it signed besides."""

from datetime import datetime

from msgspec import Struct

from keys import der
from keys.algorithms.schemes import SignatureScheme
from keys.certificate.extensions import read_serial
from keys.cms import attributes
from keys.cms.algorithms import read_digest, read_scheme
from keys.cms.attributes import SignedAttributes
from keys.cms.parts import parts_of
from keys.der import Element
from keys.errors import KeysError, MalformedError

MAX_TIMESTAMPS = 16  # of a signer
MAX_COUNTERSIGNATURES = 8  # of a signer

_KEY_ID, _SIGNED, _UNSIGNED = 0x80, 0xA0, 0xA1
_BY_ISSUER, _BY_KEY_ID = 1, 3  # versions, RFC 5652 §5.3


class Signer(Struct, frozen=True, kw_only=True):
    """A signer as it was read; nothing has been verified.

    It names its certificate by `issuer` (Name, DER) and `serial`, or by `key_id`. `digest` is one of
    `keys.content.DIGESTS`. `signed_attributes` is a SET in DER, None where there are none. `claimed_time` is what the
    signer's clock said, which proves nothing. `certificate_hashes` are of its own certificate, with the digest they
    are by. `timestamps` are whole tokens (RFC 3161), DER. `oddities` are stable codes.
    """

    issuer: bytes | None
    serial: int | None
    key_id: bytes | None
    digest: str
    scheme: SignatureScheme
    signed_attributes: bytes | None
    claimed_time: datetime | None
    message_digest: bytes | None
    content_type: str | None
    certificate_hashes: tuple[tuple[str, bytes], ...]
    signature: bytes
    timestamps: tuple[bytes, ...]
    countersignatures: tuple["Signer", ...]
    oddities: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Signer(scheme={self.scheme.name!r}, claimed_time={self.claimed_time!r}, oddities={self.oddities!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # msgspec's own would show the issuer, who may be a person.
        return [("scheme", self.scheme.name), ("claimed_time", self.claimed_time), ("oddities", self.oddities)]


def read_signer(element: Element, *, nested: bool = False) -> Signer:
    """Reads one SignerInfo. A nested one is a countersignature, of whose own countersignatures none is read.

    Raises MalformedError "der.malformed", "cms.too_large", "cms.attribute_duplicate", "cms.algorithm_mismatch",
    "cms.attributes_missing", "signature.algorithm_malformed", AlgorithmError "signature.algorithm_unknown".
    """
    oddities: list[str] = []
    fields = parts_of(element, der.SEQUENCE, 5, 7)
    version, identifier, digest_algorithm = fields[:3]
    signed = fields[3] if fields[3].tag == _SIGNED else None
    rest = fields[3 if signed is None else 4 :]
    if not 2 <= len(rest) <= 3:
        raise MalformedError("der.malformed", f"parts of a signer are missing or too many (at byte {element.start})")
    issuer, serial, key_id = _identifier(identifier)
    if der.integer(version) != (_BY_ISSUER if key_id is None else _BY_KEY_ID):
        oddities.append("signer.version")
    digest = read_digest(digest_algorithm)
    scheme = read_scheme(rest[0], digest, oddities)
    said = None if signed is None else attributes.read_signed(signed, (digest_algorithm, rest[0]), oddities)
    if said is not None and said.message_digest is None:
        # RFC 5652 §5.3: without it nothing binds the attributes to the content.
        raise MalformedError("cms.attributes_missing", "signed attributes without messageDigest")
    if nested and said is not None and said.content_type is not None:
        oddities.append("countersignature.content_type")  # RFC 5652 §11.4 has none, Authenticode writes one
    unsigned = attributes.read_unsigned(rest[2], oddities) if len(rest) == 3 else {}
    signature = der.octet_string(rest[1])
    timestamps = _timestamps(unsigned.get(attributes.TIMESTAMP, []))
    countersigners = _countersigners(unsigned.get(attributes.COUNTERSIGNATURE, []), nested, oddities)
    said = said or SignedAttributes(raw=b"")
    return Signer(
        issuer=issuer,
        serial=serial,
        key_id=key_id,
        digest=digest,
        scheme=scheme,
        signed_attributes=said.raw or None,
        claimed_time=said.claimed_time,
        message_digest=said.message_digest,
        content_type=said.content_type,
        certificate_hashes=said.certificate_hashes,
        signature=signature,
        timestamps=timestamps,
        countersignatures=countersigners,
        oddities=tuple(dict.fromkeys(oddities)),
    )


def _identifier(element: Element) -> tuple[bytes | None, int | None, bytes | None]:
    """Reads SignerIdentifier: issuer and serial number, or the identifier of a key."""
    if element.tag == _KEY_ID:
        return None, None, element.value
    issuer, serial = parts_of(element, der.SEQUENCE, 2, 2)
    if issuer.tag != der.SEQUENCE:
        raise MalformedError("der.malformed", f"an issuer that is no Name (at byte {issuer.start})")
    return issuer.raw, read_serial(serial), None


def _timestamps(values: list[Element]) -> tuple[bytes, ...]:
    if len(values) > MAX_TIMESTAMPS:
        raise MalformedError("cms.too_large", f"{len(values)} timestamps of a signer, of at most {MAX_TIMESTAMPS}")
    return tuple(value.raw for value in values)


def _countersigners(values: list[Element], nested: bool, oddities: list[str]) -> tuple[Signer, ...]:
    """Reads those that can be read: anybody can add one, so one that cannot be takes nothing from the signer."""
    if len(values) > MAX_COUNTERSIGNATURES:
        raise MalformedError("cms.too_large", f"{len(values)} countersignatures, of at most {MAX_COUNTERSIGNATURES}")
    if nested and values:
        oddities.append("countersignature.nested")
        return ()
    found: list[Signer] = []
    for value in values:
        try:
            found.append(read_signer(value, nested=True))
        except KeysError:
            oddities.append("countersignature.unread")
    return tuple(found)
