"""Signed documents as a soft lock makes them: CMS (RFC 5652) or its Chinese dialect (GB/T 35275, GM/T 0010).

Of a lock's two keys the one for signing signs; SM2 with SM3, RSA by PKCS #1 v1.5 with SHA-256.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from app.softlock import encoding
from app.softlock.lock import SoftLock
from keys import der
from keys.certificate import Certificate
from keys.content import Octets

RFC5652, GM = "rfc5652", "gm"
DIALECTS = (RFC5652, GM)

_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_TIME, _SIGNING_CERTIFICATE = "1.2.840.113549.1.9.5", "1.2.840.113549.1.9.16.2.47"
_TIMESTAMP = "1.2.840.113549.1.9.16.2.14"  # RFC 3161, appendix A

_SIGNED = MappingProxyType({RFC5652: "1.2.840.113549.1.7.2", GM: "1.2.156.10197.6.1.4.2.2"})
_DATA = MappingProxyType({RFC5652: "1.2.840.113549.1.7.1", GM: "1.2.156.10197.6.1.4.2.1"})

_SM3 = encoding.sequence(encoding.oid("1.2.156.10197.1.401"))
_SHA256 = encoding.sequence(encoding.oid("2.16.840.1.101.3.4.2.1"), encoding.null())
_RSA = encoding.sequence(encoding.oid("1.2.840.113549.1.1.1"), encoding.null())

_ALGORITHMS: Mapping[tuple[str, str], tuple[str, bytes, bytes]] = MappingProxyType(
    {
        (RFC5652, "rsa"): ("sha256", _SHA256, _RSA),
        (RFC5652, "sm2"): ("sm3", _SM3, encoding.sequence(encoding.oid("1.2.156.10197.1.501"))),
        # GM/T 0010 names how SM2 signs by 1.2.156.10197.1.301.1, with the digest beside it.
        (GM, "sm2"): ("sm3", _SM3, encoding.sequence(encoding.oid("1.2.156.10197.1.301.1"))),
    }
)
"""By dialect and kind of key: the digest's name, its AlgorithmIdentifier and that of the signature."""


class DialectRefused(Exception):
    """A lock that does not sign in a dialect; `str()` says in one line why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """One signature: all that stands before it, itself, and the timestamps (whole tokens, DER) put on it since."""

    before: bytes
    digest_algorithm: bytes
    signature: bytes
    timestamps: tuple[bytes, ...] = ()

    @property
    def der(self) -> bytes:
        """The SignerInfo."""
        stamps = encoding.tlv(0xA1, _attribute(_TIMESTAMP, *self.timestamps)) if self.timestamps else b""
        return encoding.sequence(self.before, encoding.octet_string(self.signature), stamps)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """A document with its signers. `content` is None where it is detached."""

    dialect: str
    content: bytes | None
    certificates: tuple[Certificate, ...]
    signers: tuple[SignerInfo, ...]

    @property
    def der(self) -> bytes:
        """The message."""
        inside = b"" if self.content is None else encoding.explicit(0, encoding.octet_string(self.content))
        certificates = _sorted(certificate.der for certificate in self.certificates)
        signed = encoding.sequence(
            encoding.integer(1),
            _set(signer.digest_algorithm for signer in self.signers),
            encoding.sequence(encoding.oid(_DATA[self.dialect]), inside),
            encoding.tlv(0xA0, certificates) if certificates else b"",
            _set(signer.der for signer in self.signers),
        )
        return encoding.sequence(encoding.oid(_SIGNED[self.dialect]), encoding.explicit(0, signed))

    @property
    def pem(self) -> bytes:
        """The message as a PEM block (RFC 7468 §9)."""
        return encoding.pem(self.der, "CMS")

    def stamped(self, signer: int, *tokens: bytes) -> "SignedDocument":
        """The document with timestamps put on the signature of one of the signers; what they signed does not change."""
        signers = list(self.signers)
        signers[signer] = replace(signers[signer], timestamps=(*signers[signer].timestamps, *tokens))
        return replace(self, signers=tuple(signers))


def sign(
    content: bytes,
    locks: Sequence[SoftLock],
    *,
    dialect: str = RFC5652,
    detached: bool = False,
    attributes: bool = True,
    at: datetime | None = None,
    certificates: bool = True,
) -> SignedDocument:
    """Has every lock sign the content, with the time `at` among the attributes where it is given.

    `certificates` puts those of the locks inside, with their authorities'. Raises `DialectRefused`.
    """
    signers = tuple(_signer(content, lock, dialect, attributes, at) for lock in locks)
    shown = [entry for lock in locks for entry in (lock.certificates["signing"], *lock.chain)] if certificates else []
    return SignedDocument(
        dialect=dialect,
        content=None if detached else content,
        certificates=tuple(dict.fromkeys(shown)),
        signers=signers,
    )


def _signer(content: bytes, lock: SoftLock, dialect: str, attributes: bool, at: datetime | None) -> SignerInfo:
    certificate, key = lock.certificates["signing"], lock.keys["signing"]
    if (dialect, key.family) not in _ALGORITHMS:
        raise DialectRefused("国密格式只用于 SM2 锁 / the Chinese dialect is for locks of SM2 only")
    digest, digest_algorithm, signature_algorithm = _ALGORITHMS[dialect, key.family]
    signed, shown = content, b""
    if attributes:
        members = _attributes(certificate, dialect, Octets(content).digest(digest), at)
        # RFC 5652 §5.4: signed under the tag of SET, shown under [0].
        signed, shown = encoding.tlv(der.SET, members), encoding.tlv(0xA0, members)
    identifier = encoding.sequence(certificate.issuer, encoding.integer(certificate.serial))
    return SignerInfo(
        before=encoding.integer(1) + identifier + digest_algorithm + shown + signature_algorithm,
        digest_algorithm=digest_algorithm,
        signature=lock.sign(signed),
    )


def _attributes(certificate: Certificate, dialect: str, digest: bytes, at: datetime | None) -> bytes:
    """The signed attributes, with the hash of the signer's certificate (RFC 5035 §3, SHA-256 by default)."""
    own = encoding.sequence(encoding.octet_string(Octets(certificate.der).digest("sha256")))
    said = [
        _attribute(_CONTENT_TYPE, encoding.oid(_DATA[dialect])),
        _attribute(_MESSAGE_DIGEST, encoding.octet_string(digest)),
        _attribute(_SIGNING_CERTIFICATE, encoding.sequence(encoding.sequence(own))),
    ]
    if at is not None:
        said.append(_attribute(_SIGNING_TIME, encoding.time(at)))
    return _sorted(said)


def _attribute(kind: str, *values: bytes) -> bytes:
    return encoding.sequence(encoding.oid(kind), _set(values))


def _set(members: Iterable[bytes]) -> bytes:
    return encoding.tlv(der.SET, _sorted(members))


def _sorted(members: Iterable[bytes]) -> bytes:
    """The members of a SET OF in the order of DER, each once (X.690 §11.6)."""
    return b"".join(sorted(dict.fromkeys(members)))
