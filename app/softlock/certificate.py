"""Certificates and revocation lists as a demonstration authority issues them (RFC 5280; GM/T 0015 for SM2)."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.softlock import encoding
from keys import der
from keys.custody.software_key import SoftwareKey

SIGNING_USAGE = ("digitalSignature", "nonRepudiation")
ENCRYPTION_USAGE = ("keyEncipherment", "dataEncipherment", "keyAgreement")
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"

REASONS = {
    "unspecified": 0,
    "keyCompromise": 1,
    "cACompromise": 2,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
    "certificateHold": 6,
    "privilegeWithdrawn": 9,
    "aACompromise": 10,
}
"""Why a certificate is on a list, with the numbers of RFC 5280 5.3.1."""

_PARAMETERS = {"rsa": encoding.null(), "sm2": b""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who signs: the Name of its certificate (DER), its key, and where its CRLs are said to be."""

    name: bytes
    key: SoftwareKey
    crl_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a certificate is for: Name and SubjectPublicKeyInfo (DER), and from when until when, both included."""

    name: bytes
    spki: bytes
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """One line of a revocation list."""

    serial: int
    at: datetime
    reason: str


def new_serial() -> int:
    """A positive serial number of 16 bytes, 126 bits of them random."""
    return secrets.randbits(126) | 1 << 126


def root_certificate(subject: Subject, key: SoftwareKey) -> bytes:
    """A self-signed certificate, DER. Roots are known by themselves: no list is said to speak of them."""
    said = (
        encoding.extension(encoding.BASIC_CONSTRAINTS, encoding.sequence(encoding.boolean(True)), critical=True),
        encoding.key_usage(("keyCertSign", "cRLSign")),
    )
    return _certificate(subject, subject.name, key, said)


def authority_certificate(subject: Subject, issuer: Issuer) -> bytes:
    """An authority's certificate, DER. It issues to holders only: no authority may stand below it."""
    constraints = encoding.sequence(encoding.boolean(True), encoding.integer(0))
    said = (
        encoding.extension(encoding.BASIC_CONSTRAINTS, constraints, critical=True),
        encoding.key_usage(("keyCertSign", "cRLSign")),
        encoding.distribution_point(issuer.crl_uri),
    )
    return _certificate(subject, issuer.name, issuer.key, said)


def holder_certificate(subject: Subject, issuer: Issuer, usages: Iterable[str], more: Iterable[bytes] = ()) -> bytes:
    """A holder's certificate, DER, with further extensions where the holder needs any."""
    said = (encoding.key_usage(usages), encoding.distribution_point(issuer.crl_uri), *more)
    return _certificate(subject, issuer.name, issuer.key, said)


def timestamp_certificate(subject: Subject, issuer: Issuer) -> bytes:
    """The certificate of an authority that tells the time, DER: for nothing else, and critically so (RFC 3161 2.3)."""
    purpose = encoding.sequence(encoding.oid(TIME_STAMPING))
    said = encoding.extension(encoding.EXTENDED_KEY_USAGE, purpose, critical=True)
    return holder_certificate(subject, issuer, SIGNING_USAGE, [said])


def revocation_list(
    issuer: Issuer, entries: Iterable[Revoked], *, number: int, this_update: datetime, next_update: datetime
) -> bytes:
    """A full revocation list, DER."""
    lines = b"".join(_line(entry) for entry in entries)
    said = (_authority_key_id(issuer.key), encoding.extension(encoding.CRL_NUMBER, encoding.integer(number)))
    content = encoding.sequence(
        encoding.integer(1),
        _algorithm(issuer.key),
        issuer.name,
        encoding.time(this_update),
        encoding.time(next_update),
        # RFC 5280 5.1.2.6: left out where nothing is revoked.
        encoding.tlv(0x30, lines) if lines else b"",
        encoding.explicit(0, encoding.sequence(*said)),
    )
    return _signed(content, issuer.key)


def _line(entry: Revoked) -> bytes:
    said = b""
    if entry.reason != "unspecified":  # RFC 5280 5.3.1: then the reason is left out
        code = encoding.enumerated(REASONS[entry.reason])
        said = encoding.sequence(encoding.extension(encoding.REASON_CODE, code))
    return encoding.sequence(encoding.integer(entry.serial), encoding.time(entry.at), said)


def _certificate(subject: Subject, issuer_name: bytes, key: SoftwareKey, said: Iterable[bytes]) -> bytes:
    extensions = (
        encoding.extension(encoding.SUBJECT_KEY_ID, encoding.octet_string(_key_id(subject.spki))),
        _authority_key_id(key),
        *said,
    )
    content = encoding.sequence(
        encoding.explicit(0, encoding.integer(2)),
        encoding.integer(new_serial()),
        _algorithm(key),
        issuer_name,
        encoding.sequence(encoding.time(subject.not_before), encoding.time(subject.not_after)),
        subject.name,
        subject.spki,
        encoding.explicit(3, encoding.sequence(*extensions)),
    )
    return _signed(content, key)


def _signed(content: bytes, key: SoftwareKey) -> bytes:
    return encoding.sequence(content, _algorithm(key), encoding.bit_string(key.sign(content)))


def _algorithm(key: SoftwareKey) -> bytes:
    return encoding.sequence(encoding.oid(key.scheme.oid), _PARAMETERS[key.family])


def _authority_key_id(key: SoftwareKey) -> bytes:
    identifier = encoding.tlv(0x80, _key_id(key.spki))
    return encoding.extension(encoding.AUTHORITY_KEY_ID, encoding.sequence(identifier))


def _key_id(spki: bytes) -> bytes:
    """The leftmost 160 bits of SHA-256 over the key's bits (RFC 7093 2, method 1)."""
    return hashlib.sha256(der.bit_string(der.sequence(der.parse(spki))[1])).digest()[:20]
