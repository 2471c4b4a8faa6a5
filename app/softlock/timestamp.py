"""Timestamps as a demonstration authority writes them (RFC 3161; RFC 5816): tokens, and answers to requests."""

from dataclasses import dataclass
from datetime import UTC, datetime

from app.softlock import certificate as writing
from app.softlock import encoding
from app.softlock.authority import PLANS, AuthorityFolder, timestamp_authority_id
from keys.certificate import Certificate
from keys.content import Octets
from keys.custody.software_key import SoftwareKey
from keys.timestamp.info import DIGEST_OIDS

DIALECTS = ("rfc5652", "gm")
"""How CMS is written: RFC 5652, or GB/T 35275, which has SM2 only."""

POLICY = "2.999.3161"
"""Under the arc for examples (X.660): a policy that promises nothing."""

ACCURACY = 1  # second

_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.47"
_SIGNED_DATA = {"rfc5652": "1.2.840.113549.1.7.2", "gm": "1.2.156.10197.6.1.4.2.2"}
_VERSIONS = {"rfc5652": 3, "gm": 1}  # RFC 5652 5.1; GB/T 35275 8.1
_GM_SM2 = "1.2.156.10197.1.301.1"  # GB/T 35275 names the signing by SM2 alone, as PKCS #7 names that by RSA
_DIGESTS = {"sm2": "sm3", "rsa": "sha256"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampAuthority:
    """One that tells the time: its key, its certificate and those above it, its issuer's first."""

    key: SoftwareKey
    certificate: Certificate
    above: tuple[Certificate, ...]

    @property
    def digest_name(self) -> str:
        """The digest that goes with its key."""
        return _DIGESTS[self.key.family]


def open_authority(folder: AuthorityFolder, ca: str, family: str) -> TimestampAuthority:
    """The authority below one of CAS, made where it is missing. Raises `CustodyError`."""
    identity = timestamp_authority_id(ca, family)
    folder.make([identity])
    certificate, *above = folder.chain(identity)
    return TimestampAuthority(key=folder.issuer(identity).key, certificate=certificate, above=tuple(above))


def name_of(ca: str, family: str) -> str:
    """What the authority is called, in Chinese."""
    return PLANS[timestamp_authority_id(ca, family)].name.zh


def token(
    authority: TimestampAuthority,
    digest_name: str,
    digest: bytes,
    at: datetime,
    *,
    nonce: int | None = None,
    dialect: str = "rfc5652",
    certificates: bool = True,
) -> bytes:
    """A token (CMS ContentInfo, DER) that the digest, by one of `keys.content.DIGESTS`, was there at the instant.

    Raises ValueError for a dialect that has no such key.
    """
    if dialect == "gm" and authority.key.family != "sm2":
        raise ValueError("GB/T 35275 has SM2 only")
    info = _info(digest_name, digest, at, nonce)
    shown = (authority.certificate, *authority.above[:-1]) if certificates else ()
    content = encoding.sequence(
        encoding.integer(_VERSIONS[dialect]),
        _set_of(_algorithm(authority.digest_name)),
        encoding.sequence(encoding.oid(_TST_INFO), encoding.explicit(0, encoding.octet_string(info))),
        encoding.explicit(0, b"".join(sorted(entry.der for entry in shown))) if shown else b"",
        _set_of(_signer(authority, info, dialect)),
    )
    return encoding.sequence(encoding.oid(_SIGNED_DATA[dialect]), encoding.explicit(0, content))


def granted(token: bytes) -> bytes:
    """TimeStampResp with a token."""
    return encoding.sequence(encoding.sequence(encoding.integer(0)), token)


def _info(digest_name: str, digest: bytes, at: datetime, nonce: int | None) -> bytes:
    return encoding.sequence(
        encoding.integer(1),
        encoding.oid(POLICY),
        encoding.sequence(_algorithm(digest_name), encoding.octet_string(digest)),
        encoding.integer(writing.new_serial()),
        _time(at),
        encoding.sequence(encoding.integer(ACCURACY)),
        b"" if nonce is None else encoding.integer(nonce),
    )


def _time(at: datetime) -> bytes:
    """GeneralizedTime, the fraction without zeros at its end (RFC 3161 2.4.2)."""
    instant = at.astimezone(UTC)
    fraction = f".{instant.microsecond:06d}".rstrip("0") if instant.microsecond else ""
    return encoding.tlv(0x18, f"{instant:%Y%m%d%H%M%S}{fraction}Z".encode("ascii"))


def _signer(authority: TimestampAuthority, info: bytes, dialect: str) -> bytes:
    attributes = _attributes(authority, info)
    key, certificate = authority.key, authority.certificate
    scheme = encoding.oid(_GM_SM2 if dialect == "gm" else key.scheme.oid)
    return encoding.sequence(
        encoding.integer(1),
        encoding.sequence(certificate.issuer, encoding.integer(certificate.serial)),
        _algorithm(authority.digest_name),
        encoding.explicit(0, attributes),
        encoding.sequence(scheme, encoding.null() if key.family == "rsa" else b""),
        # RFC 5652 5.4: what is signed is the SET OF, not the [0] that stands in its place.
        encoding.octet_string(key.sign(encoding.tlv(0x31, attributes))),
    )


def _attributes(authority: TimestampAuthority, info: bytes) -> bytes:
    """The signed attributes in the order of DER, without their tag."""
    name = authority.digest_name
    own = Octets(authority.certificate.der).digest(name)
    # RFC 5035 4: SHA-256 is the default, which DER leaves out.
    identified = encoding.sequence(b"" if name == "sha256" else _algorithm(name), encoding.octet_string(own))
    said = (
        _attribute(_CONTENT_TYPE, encoding.oid(_TST_INFO)),
        _attribute(_MESSAGE_DIGEST, encoding.octet_string(Octets(info).digest(name))),
        _attribute(_SIGNING_CERTIFICATE, encoding.sequence(encoding.sequence(identified))),
    )
    return b"".join(sorted(said))


def _attribute(kind: str, value: bytes) -> bytes:
    return encoding.sequence(encoding.oid(kind), _set_of(value))


def _algorithm(digest_name: str) -> bytes:
    return encoding.sequence(encoding.oid(DIGEST_OIDS[digest_name]))


def _set_of(*members: bytes) -> bytes:
    return encoding.tlv(0x31, b"".join(sorted(members)))
