"""Timestamp tokens for tests, from an authority that can lie in every member of them; and the requests it is sent.

Written apart from the simulator of the product, so that each is a check on the other's reader.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes

from tests.support import der_writer as der
from tests.support.der_writer import Extension, Subject
from tests.support.pki import AT, Authority, CertificateSpec, Issued
from tests.support.unsafe_sm2 import Key

TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
POLICY = "2.999.1"
SIGNED_DATA = {"rfc5652": "1.2.840.113549.1.7.2", "gm": "1.2.156.10197.6.1.4.2.2"}
GM_SM2 = der.sequence(der.oid("1.2.156.10197.1.301.1"))
LAST = datetime(2060, 1, 1, tzinfo=UTC)
"""When the authorities end: far off, as openssl timestamps by the clock of the machine only."""
CONTENT = b"an offer of 1,000,000"

DIGESTS: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "sha1": ("1.3.14.3.2.26", hashes.SHA1()),
    "sha224": ("2.16.840.1.101.3.4.2.4", hashes.SHA224()),
    "sha256": ("2.16.840.1.101.3.4.2.1", hashes.SHA256()),
    "sha384": ("2.16.840.1.101.3.4.2.2", hashes.SHA384()),
    "sha512": ("2.16.840.1.101.3.4.2.3", hashes.SHA512()),
    "sm3": ("1.2.156.10197.1.401", hashes.SM3()),
}


def hashed(name: str, content: bytes) -> bytes:
    digest = hashes.Hash(DIGESTS[name][1])
    digest.update(content)
    return digest.finalize()


def algorithm(name: str, parameters: bytes = b"") -> bytes:
    return der.sequence(der.oid(DIGESTS[name][0]), parameters)


def imprint(name: str, value: bytes) -> bytes:
    return der.sequence(algorithm(name), der.octet_string(value))


def time(instant: datetime) -> bytes:
    return der.generalized_time(instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoSpec:
    """What TSTInfo is to say: each member in DER, left out where it is empty."""

    version: bytes = der.integer(1)
    policy: bytes = der.oid(POLICY)
    imprint: bytes = imprint("sha256", hashed("sha256", CONTENT))
    serial: bytes = der.integer(4711)
    gen_time: bytes = time(AT)
    accuracy: bytes = b""
    ordering: bytes = b""
    nonce: bytes = b""
    tsa: bytes = b""
    extensions: bytes = b""
    trailing: bytes = b""

    @property
    def der(self) -> bytes:
        head = (self.version, self.policy, self.imprint, self.serial, self.gen_time)
        tail = (self.accuracy, self.ordering, self.nonce, self.tsa, self.extensions, self.trailing)
        return der.sequence(*head, *tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSpec:
    """How a token is to be written. None is for what is right; the rest is done as it says."""

    info: InfoSpec | bytes = InfoSpec()
    dialect: str = "rfc5652"
    signed_by: Key | None = None
    digest: str | None = None
    content_type: str = TST_INFO
    attributes: tuple[bytes, ...] | None = None
    """All signed attributes, in the place of those that belong there."""
    identified: bytes | None = None
    """The certificate whose hash is signed."""
    identifier: str | None = "v2"
    """In which form: "v1" (SHA-1), "v2", or not at all."""
    certificates: tuple[bytes, ...] | None = None
    signers: int = 1
    attached: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A timestamp authority: its certificate and those above it."""

    certificate: Issued
    issuer: Authority

    def token(self, spec: TokenSpec | None = None, **changes: Any) -> bytes:
        """A token, true unless it is told otherwise; changes may be of the spec or of its `InfoSpec`."""
        spec = spec or TokenSpec()
        of_info = {name: value for name, value in changes.items() if name in InfoSpec.__dataclass_fields__}
        if of_info:
            assert isinstance(spec.info, InfoSpec), "an info that is not written out"
            spec = replace(spec, info=replace(spec.info, **of_info))
        spec = replace(spec, **{name: value for name, value in changes.items() if name not in of_info})
        return _token(self, spec)

    def of(self, content: bytes, at: datetime = AT, digest: str = "sha256", **changes: Any) -> bytes:
        """A token of content at an instant."""
        value = imprint(digest, hashed(digest, content))
        return self.token(imprint=value, gen_time=time(at), **changes)


def clock_spec(kind: str = "p-256", name: str = "测试时间戳", **changes: Any) -> CertificateSpec:
    """What the certificate of a timestamp authority says."""
    spec = CertificateSpec(
        subject=Subject(organisation=f"{name}有限公司", common_name=name),
        key=Key(kind, f"clock/{name}"),
        more=(usage(TIME_STAMPING),),
    )
    return replace(spec, **changes)


def usage(*purposes: str, critical: bool = True) -> Extension:
    return der.extended_key_usage(purposes, critical)


@cache
def clock(kind: str = "p-256", **changes: Any) -> Clock:
    """A timestamp authority below an authority of its own; the changes are fields of its `CertificateSpec`."""
    issuer = Authority.root(kind, not_after=LAST).subordinate("测试时间戳CA", not_after=LAST)
    return Clock(certificate=issuer.issue(clock_spec(kind, **changes)), issuer=issuer)


def _token(clock: Clock, spec: TokenSpec) -> bytes:
    info = spec.info if isinstance(spec.info, bytes) else spec.info.der
    key = spec.signed_by or clock.certificate.key
    digest = spec.digest or ("sm3" if key.kind == "sm2" else "sha256")
    own = (clock.certificate.der, clock.issuer.certificate.der)
    shown = own if spec.certificates is None else spec.certificates
    content = der.sequence(
        der.integer(3 if spec.dialect == "rfc5652" else 1),
        der.set_of(algorithm(digest)),
        der.sequence(der.oid(spec.content_type), der.explicit(0, der.octet_string(info)) if spec.attached else b""),
        der.explicit(0, b"".join(shown)) if shown else b"",
        der.set_of(*[_signer(clock, spec, info, key, digest)] * spec.signers),
    )
    return der.sequence(der.oid(SIGNED_DATA[spec.dialect]), der.explicit(0, content))


def _signer(clock: Clock, spec: TokenSpec, info: bytes, key: Key, digest: str) -> bytes:
    said = spec.attributes
    if said is None:
        said = (
            attribute("1.2.840.113549.1.9.3", der.oid(spec.content_type)),
            attribute("1.2.840.113549.1.9.4", der.octet_string(hashed(digest, info))),
            *_identifiers(spec, clock.certificate.der),
        )
    attributes = b"".join(sorted(said))
    return der.sequence(
        der.integer(1),
        der.sequence(clock.issuer.subject.der, der.integer(clock.certificate.serial)),
        algorithm(digest),
        der.explicit(0, attributes),
        GM_SM2 if spec.dialect == "gm" else der.ALGORITHM_IDENTIFIERS[key.scheme],
        der.octet_string(key.sign(der.tlv(0x31, attributes))),
    )


def _identifiers(spec: TokenSpec, own: bytes) -> list[bytes]:
    certificate = own if spec.identified is None else spec.identified
    writers: dict[str, Callable[[bytes], bytes]] = {"v1": identifier_v1, "v2": identifier_v2}
    return [] if spec.identifier is None else [writers[spec.identifier](certificate)]


def identifier_v1(certificate: bytes) -> bytes:
    """SigningCertificate (RFC 2634 5.4)."""
    value = der.sequence(der.octet_string(hashed("sha1", certificate)))
    return attribute("1.2.840.113549.1.9.16.2.12", der.sequence(der.sequence(value)))


def identifier_v2(certificate: bytes) -> bytes:
    """SigningCertificateV2 (RFC 5035 3), by the default digest."""
    value = der.sequence(der.octet_string(hashed("sha256", certificate)))
    return attribute("1.2.840.113549.1.9.16.2.47", der.sequence(der.sequence(value)))


def attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.set_of(value))


def response(token: bytes = b"", status: bytes = der.integer(0), *more: bytes) -> bytes:
    """TimeStampResp; what more the status says goes into it as it is."""
    return der.sequence(der.sequence(status, *more), token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request says: the MessageImprint and the nonce, each in DER, and whether certificates are wanted."""

    imprint: bytes
    nonce: bytes
    certificates: bool


def read_request(request: bytes) -> Asked:
    """Reads what `write_request` writes, and nothing else."""
    version, wanted, nonce, *asked = der.members_of(request)
    assert version == der.integer(1)
    assert asked in ([], [der.boolean(True)])
    return Asked(imprint=wanted, nonce=nonce, certificates=bool(asked))


SECOND = timedelta(seconds=1)
