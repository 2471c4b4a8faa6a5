"""Certificate revocation lists (RFC 5280 §5): read, verified and looked into.

A list that is read is not yet believed: `verify_crl` shows that a key signed it. That this key is the CA's, and may
sign lists (key usage cRLSign), is for the caller to establish.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from keys import der
from keys.algorithms import schemes
from keys.der import Element
from keys.errors import MalformedError
from keys.revocation import names
from keys.revocation.distribution import Scope, read_scope, tagged
from keys.revocation.entries import CERTIFICATE_ISSUER, EntryTable, RevokedEntry, read_extensions

MAX_LENGTH = 256 * 1024 * 1024  # bytes of a list: some five million entries

_AUTHORITY_KEY_ID, _NUMBER, _BASE_NUMBER, _DISTRIBUTION = "2.5.29.35", "2.5.29.20", "2.5.29.27", "2.5.29.28"
_UNDERSTOOD = frozenset((_AUTHORITY_KEY_ID, _NUMBER, _BASE_NUMBER, _DISTRIBUTION))

_PEM = re.compile(rb"-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RevocationList:
    """A list as it was read. Two are equal when their bytes are.

    `issuer` is a Name (DER), `issuer_key` the same folded for comparison. `base_number` is there in a delta only.
    `distribution` None: the list speaks of all certificates of its issuer, for all reasons. `unhandled` are critical
    extensions, of the list or of an entry, that are not understood: such a list says nothing of any certificate
    (RFC 5280 §5.2, §5.3). `signature_algorithm` is an AlgorithmIdentifier (DER).
    """

    der: bytes
    digest: str  # "sha256:<hex>" of the bytes
    issuer: bytes
    issuer_key: bytes
    number: int | None
    base_number: int | None
    this_update: datetime
    next_update: datetime | None
    distribution: Scope | None
    authority_key_id: bytes | None
    signature_algorithm: bytes
    signature: bytes
    unhandled: tuple[str, ...]
    signed: tuple[int, int]  # where the signed bytes start and end
    entries: EntryTable

    @property
    def tbs(self) -> bytes:
        """The bytes that were signed: a copy, made when asked for."""
        start, end = self.signed
        return self.der[start:end]

    @property
    def count(self) -> int:
        """How many entries there are."""
        return self.entries.count

    def find(self, serial: int, certificate_issuer: bytes | None = None) -> RevokedEntry | None:
        """Gives the first entry of a serial number under an issuer (Name DER; None: the list's own)."""
        if certificate_issuer is None:
            return self.entries.find(serial)
        return self.entries.find(serial, names.folded(certificate_issuer))

    def __contains__(self, serial: int) -> bool:
        """Whether a serial number of the list's own issuer is listed; decodes nothing."""
        return serial in self.entries

    def __iter__(self) -> Iterator[RevokedEntry]:
        """Gives every entry in its order."""
        return iter(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RevocationList) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"RevocationList({self.digest}, number={self.number}, {self.count} entries)"


def parse_crl(data: bytes, limit: int = MAX_LENGTH) -> RevocationList:
    """Reads a list (DER) of at most `limit` bytes, every entry included.

    Raises MalformedError "crl.malformed", which says what is wrong and at which byte.
    """
    if len(data) > limit:
        raise MalformedError("crl.malformed", f"{len(data)} bytes, of at most {limit}")
    try:
        return _certificate_list(data)
    except MalformedError as error:
        raise MalformedError("crl.malformed", error.detail) from error


def read_crl(data: bytes, limit: int = MAX_LENGTH) -> RevocationList:
    """Reads a list in DER or PEM; what stands around the PEM block is passed over.

    Raises MalformedError "crl.malformed", and "crl.several" for more than one PEM block.
    """
    if data[:1] == b"\x30":
        return parse_crl(data, limit)
    if len(data) > 2 * limit:
        raise MalformedError("crl.malformed", f"{len(data)} bytes of PEM, for a list of at most {limit}")
    blocks = list(_PEM.finditer(data))
    if len(blocks) != 1:
        if blocks:
            raise MalformedError("crl.several", f"{len(blocks)} lists, not one")
        raise MalformedError("crl.malformed", "neither DER nor a PEM block of type X509 CRL")
    try:
        decoded = base64.b64decode(b"".join(blocks[0][1].split()), validate=True)
    except binascii.Error as error:
        raise MalformedError("crl.malformed", "the PEM block is not base64") from error
    return parse_crl(decoded, limit)


def verify_crl(crl: RevocationList, issuer_spki: bytes) -> None:
    """Shows that a key (SubjectPublicKeyInfo DER) signed the list.

    That the key is the issuer's and that its certificate allows cRLSign is not looked at. Raises SignatureError
    "signature.wrong", AlgorithmError "signature.algorithm_unknown" or "key.kind", MalformedError
    "signature.algorithm_malformed" or "key.malformed".
    """
    scheme = schemes.scheme_from_identifier(crl.signature_algorithm)
    schemes.verify(schemes.load_key(issuer_spki), scheme, crl.signature, crl.tbs)


def _certificate_list(data: bytes) -> RevocationList:
    parts = der.sequence(der.parse(data))
    if len(parts) != 3:
        raise MalformedError("der.malformed", f"a list of {len(parts)} parts, not three (at byte 0)")
    tbs, algorithm, signature = parts
    fields = list(der.sequence(tbs))
    version_2 = bool(fields) and fields[0].tag == der.INTEGER
    if version_2 and der.integer(fields.pop(0)) != 1:
        raise MalformedError("der.malformed", f"a version that is not 2 (at byte {tbs.content})")
    if len(fields) < 3:
        raise MalformedError("der.malformed", f"a list without algorithm, issuer and date (at byte {tbs.start})")
    der.sequence(algorithm)
    signature_value = der.bit_string(signature)
    if fields[0].raw != algorithm.raw:
        # RFC 5280 §5.1.1.2: the signed one and the one beside the signature are the same.
        raise MalformedError("der.malformed", f"two different signature algorithms (at byte {algorithm.start})")
    issuer = fields[1]
    der.sequence(issuer)
    this_update = der.time(fields[2])
    next_update, revoked, extensions = _optional(fields[3:])
    if extensions is not None and not version_2:
        raise MalformedError("der.malformed", f"extensions in version 1 (at byte {extensions.start})")
    issuer_key = names.folded(issuer.raw)
    begin, end = (revoked.content, revoked.end) if revoked else (0, 0)
    entries = EntryTable(data, begin, end, issuer_key, version_2)
    said = _extensions(extensions, issuer.raw)
    indirect = said.distribution is not None and said.distribution.indirect
    if entries.attributed and not indirect:
        # RFC 5280 §5.3.3: only an indirect list speaks of other issuers' certificates.
        said.unhandled.append(CERTIFICATE_ISSUER)
    return RevocationList(
        der=data,
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
        issuer=issuer.raw,
        issuer_key=issuer_key,
        number=said.number,
        base_number=said.base_number,
        this_update=this_update,
        next_update=next_update,
        distribution=said.distribution,
        authority_key_id=said.authority_key_id,
        signature_algorithm=algorithm.raw,
        signature=signature_value,
        unhandled=tuple(sorted({*said.unhandled, *entries.unhandled})),
        signed=(tbs.start, tbs.end),
        entries=entries,
    )


def _optional(fields: list[Element]) -> tuple[datetime | None, Element | None, Element | None]:
    """Reads nextUpdate, and finds revokedCertificates and the extensions."""
    next_update = None
    if fields and fields[0].tag in (der.UTC_TIME, der.GENERALIZED_TIME):
        next_update = der.time(fields.pop(0))
    found = tagged(tuple(fields), (der.SEQUENCE, 0xA0))
    return next_update, found.get(der.SEQUENCE), found.get(0xA0)


@dataclass(slots=True, kw_only=True)
class _Said:
    """What the extensions of the list say."""

    number: int | None
    base_number: int | None
    distribution: Scope | None
    authority_key_id: bytes | None
    unhandled: list[str]


def _extensions(element: Element | None, issuer: bytes) -> _Said:
    found = read_extensions(der.inside(element)) if element is not None else {}
    values = {name: der.inside(value) for name, (_, value) in found.items() if name in _UNDERSTOOD}
    return _Said(
        number=_number(values.get(_NUMBER)),
        base_number=_number(values.get(_BASE_NUMBER)),
        distribution=read_scope(values[_DISTRIBUTION], issuer) if _DISTRIBUTION in values else None,
        authority_key_id=_key_id(values.get(_AUTHORITY_KEY_ID)),
        unhandled=[name for name, (critical, _) in found.items() if critical and name not in _UNDERSTOOD],
    )


def _number(element: Element | None) -> int | None:
    if element is None:
        return None
    number = der.integer(element)
    if number < 0:
        raise MalformedError("der.malformed", f"a negative number of a list (at byte {element.start})")
    return number


def _key_id(element: Element | None) -> bytes | None:
    if element is None:
        return None
    found = tagged(der.sequence(element), (0x80, 0xA1, 0x82))
    return found[0x80].value if 0x80 in found else None
