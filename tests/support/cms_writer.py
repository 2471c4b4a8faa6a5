"""Signed documents (CMS, RFC 5652, and the Chinese dialect) by somebody who may lie in every field.

What is not overridden is right: the same call gives the same bytes, and what they say is true.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import new as new_hash
from typing import Any

from cryptography.hazmat.primitives import hashes

from tests.support import der_writer as der
from tests.support.pki import Issued, key_id
from tests.support.unsafe_sm2 import Key

SIGNED = {"rfc5652": "1.2.840.113549.1.7.2", "gm": "1.2.156.10197.6.1.4.2.2"}
DATA = {"rfc5652": "1.2.840.113549.1.7.1", "gm": "1.2.156.10197.6.1.4.2.1"}
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
COUNTERSIGNATURE, PROTECTION = "1.2.840.113549.1.9.6", "1.2.840.113549.1.9.52"
CERTIFICATE_V1, CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
TIMESTAMP = "1.2.840.113549.1.9.16.2.14"

DIGEST_OIDS = {
    "md5": "1.2.840.113549.2.5",
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sm3": "1.2.156.10197.1.401",
}


def digest_of(name: str, content: bytes) -> bytes:
    if name != "sm3":
        return new_hash(name, content).digest()
    taken = hashes.Hash(hashes.SM3())
    taken.update(content)
    return taken.finalize()


def algorithm(oid: str, parameters: bytes = b"") -> bytes:
    return der.sequence(der.oid(oid), parameters)


def digest_algorithm(name: str) -> bytes:
    return algorithm(DIGEST_OIDS[name])


def natural_digest(scheme: str) -> str:
    """The digest that goes with a scheme."""
    return {"sm2-sm3": "sm3", "ed25519": "sha512"}.get(scheme, scheme.rpartition("-")[2])


def attribute(kind: str, *values: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.set_of(*values))


def content_type(oid: str = DATA["rfc5652"]) -> bytes:
    return attribute(CONTENT_TYPE, der.oid(oid))


def message_digest(value: bytes) -> bytes:
    return attribute(MESSAGE_DIGEST, der.octet_string(value))


def signing_time(at: datetime | bytes) -> bytes:
    return attribute(SIGNING_TIME, der.time(at))


def signing_certificate(*certificates: bytes, digest: str = "sha256") -> bytes:
    """ESS signingCertificate by SHA-1, else its version 2; SHA-256 is the default there and so not written."""
    named = [der.octet_string(digest_of(digest, certificate)) for certificate in certificates]
    said = b"" if digest in {"sha1", "sha256"} else digest_algorithm(digest)
    identifiers = der.sequence(*(der.sequence(said, value) for value in named))
    return attribute(CERTIFICATE_V1 if digest == "sha1" else CERTIFICATE_V2, der.sequence(identifiers))


def protection(digest: bytes, signature: bytes) -> bytes:
    """CMSAlgorithmProtection (RFC 6211)."""
    return attribute(PROTECTION, der.sequence(digest, der.implicit(1, signature)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """One who signs. None is for what is right; the rest is done as it says."""

    by: Issued
    scheme: str | None = None
    digest: str | None = None
    attributes: bool = True
    at: datetime | bytes | None = None
    more: tuple[bytes, ...] = ()
    """Signed attributes besides contentType, messageDigest and the time."""
    only: tuple[bytes, ...] | None = None
    """All signed attributes, in the place of everything else that becomes one."""
    ordered: bool = True
    unsigned: tuple[bytes, ...] = ()
    by_key_id: bool = False
    identifier: bytes | None = None
    version: int | None = None
    digest_algorithm: bytes | None = None
    signature_algorithm: bytes | None = None
    signed_by: Key | None = None
    over: bytes | None = None
    """What the signature is over."""
    signature: bytes | None = None
    alter: Callable[[bytes], bytes] | None = None
    """Changes the signature."""
    trailing: bytes = b""

    @property
    def way(self) -> str:
        return self.scheme or (self.signed_by or self.by.key).scheme

    @property
    def named_digest(self) -> bytes:
        return self.digest_algorithm or digest_algorithm(self.digest or natural_digest(self.way))

    def signed_attributes(self, content: bytes, kind: str | None) -> list[bytes]:
        """The attributes in their order; without a kind those of a countersignature."""
        if self.only is not None:
            found = list(self.only)
        else:
            found = [content_type(kind)] if kind is not None else []
            found.append(message_digest(digest_of(self.digest or natural_digest(self.way), content)))
            if self.at is not None:
                found.append(signing_time(self.at))
            found += self.more
        return sorted(found) if self.ordered else found

    def info(self, content: bytes, kind: str | None = DATA["rfc5652"]) -> bytes:
        """The SignerInfo."""
        issuer = der.members_of(der.members_of(self.by.der)[0])[3]
        named = der.sequence(issuer, der.integer(self.by.serial))
        if self.by_key_id:
            named = der.tlv(0x80, key_id(self.by.key))
        members = b"".join(self.signed_attributes(content, kind)) if self.attributes else b""
        over = self.over if self.over is not None else der.tlv(0x31, members) if self.attributes else content
        signature = self.signature
        if signature is None:
            signature = (self.signed_by or self.by.key).sign(over, self.way)
        return der.sequence(
            der.integer(self.version if self.version is not None else 3 if self.by_key_id else 1),
            self.identifier or named,
            self.named_digest,
            der.tlv(0xA0, members) if self.attributes else b"",
            self.signature_algorithm or der.ALGORITHM_IDENTIFIERS[self.way],
            der.octet_string(self.alter(signature) if self.alter else signature),
            der.tlv(0xA1, b"".join(self.unsigned)) if self.unsigned else b"",
            self.trailing,
        )


def signature_of(info: bytes) -> bytes:
    """The octets of the signature of a SignerInfo that this module wrote."""
    return next(der.contents_of(part) for part in der.members_of(info) if part[0] == 0x04)


def message(content: bytes | None, *signers: Signed | bytes, over: bytes | None = None, **said: Any) -> bytes:
    """The whole message: ContentInfo. With `content` None it is detached, and signed is `over`.

    Signers that are bytes go in as they are. See `_Message` for what else can be said.
    """
    return _Message(content=content, over=content or b"" if over is None else over, signers=signers, **said).der


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    content: bytes | None
    over: bytes
    signers: tuple[Signed | bytes, ...]
    dialect: str = "rfc5652"
    kind: str | None = None
    """The type of the content."""
    outer: str | None = None
    version: int = 1
    certificates: Iterable[bytes] | None = None
    """None: those of the signers."""
    lists: tuple[bytes, ...] = ()
    digests: Iterable[bytes] | None = None
    encapsulated: bytes | None = None
    trailing: bytes = b""

    @property
    def der(self) -> bytes:
        kind = self.kind or DATA[self.dialect]
        inside = b"" if self.content is None else der.explicit(0, der.octet_string(self.content))
        certificates = self.certificates
        if certificates is None:
            certificates = {signer.by.der: None for signer in self.signers if isinstance(signer, Signed)}
        shown = b"".join(certificates)
        infos = [signer if isinstance(signer, bytes) else signer.info(self.over, kind) for signer in self.signers]
        digests = self.digests
        if digests is None:
            digests = {part for info in infos for part in der.members_of(info)[2:3]}
        signed = der.sequence(
            der.integer(self.version),
            der.set_of(*digests),
            self.encapsulated or der.sequence(der.oid(kind), inside),
            der.tlv(0xA0, shown) if shown else b"",
            der.tlv(0xA1, b"".join(self.lists)) if self.lists else b"",
            der.set_of(*infos),
        )
        return der.sequence(der.oid(self.outer or SIGNED[self.dialect]), der.explicit(0, signed)) + self.trailing


Choice = Callable[[], int]
"""Gives the next number from 0 to 3, by which a writer of BER chooses."""


def in_ber(element: bytes, choose: Choice) -> bytes:
    """One element of DER in BER: of indefinite or over-long length, an OCTET STRING in pieces, as is chosen."""
    tag, contents = element[0], der.contents_of(element)
    if tag == 0x04 and choose() == 3:
        half = len(contents) // 2
        pieces = [der.octet_string(contents[:half]), der.octet_string(contents[half:])]
        return (
            _wrapped(0x24, b"".join(in_ber(piece, choose) for piece in pieces if half), choose()) if half else element
        )
    if tag & 0x20:
        return _wrapped(tag, b"".join(in_ber(member, choose) for member in der.members_of(element)), choose())
    return der.tlv(tag, contents, length_octets=5 if choose() == 2 else 0)


def _wrapped(tag: int, contents: bytes, way: int) -> bytes:
    if way in (0, 3):
        return bytes((tag, 0x80)) + contents + b"\0\0"
    return der.tlv(tag, contents, length_octets=6 if way == 2 else 0)
