"""An OCSP responder for tests, which can do what a real one does and lie in what it says (RFC 6960).

Every part of what it writes can be overridden; `LIES` name the ways to be wrong about a certificate that is asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import new as new_hash
from hashlib import sha1
from typing import Any

from tests.support import der_writer as der
from tests.support.der_writer import Extension, Subject
from tests.support.pki import AT, Authority, CertificateSpec, Issued
from tests.support.unsafe_sm2 import DEFAULT_USER_ID, Key, sm3

DIGEST_OIDS = {
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sm3": "1.2.156.10197.1.401",
    "md5": "1.2.840.113549.2.5",
}
BASIC, NONCE, CUTOFF = "1.3.6.1.5.5.7.48.1.1", "1.3.6.1.5.5.7.48.1.2", "1.3.6.1.5.5.7.48.1.6"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
NO_CHECK = Extension("1.3.6.1.5.5.7.48.1.5", der.null())
UNKNOWN_CRITICAL = Extension("1.2.156.999999.1", der.null(), True)


def digest(name: str, content: bytes) -> bytes:
    return sm3(content) if name == "sm3" else new_hash(name, content).digest()


def key_bits(spki: bytes) -> bytes:
    return der.contents_of(der.members_of(spki)[1])[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a response says of one certificate: of `serial`, by the authority of this name and key."""

    serial: int
    issuer_name: bytes
    issuer_spki: bytes
    digest: str = "sha1"
    status: str = "good"
    revoked_at: datetime = AT - timedelta(days=30)
    reason: str | None = None
    this_update: datetime | bytes = AT - timedelta(hours=1)
    next_update: datetime | bytes | None = AT + timedelta(days=1)
    cutoff: datetime | None = None
    more: tuple[Extension, ...] = ()
    id_digest: str | None = None
    """The digest that the CertID names, where it is another than that of the hashes."""

    @property
    def certificate_id(self) -> bytes:
        return der.sequence(
            der.sequence(der.oid(DIGEST_OIDS[self.id_digest or self.digest]), der.null()),
            der.octet_string(digest(self.digest, self.issuer_name)),
            der.octet_string(digest(self.digest, key_bits(self.issuer_spki))),
            der.integer(self.serial),
        )

    @property
    def der(self) -> bytes:
        if self.status == "revoked":
            why = b"" if self.reason is None else der.explicit(0, der.enumerated(der.REASONS[self.reason]))
            status = der.tlv(0xA1, der.generalized_time(self.revoked_at) + why)
        else:
            status = der.tlv({"good": 0x80, "unknown": 0x82}[self.status], b"")
        cutoff = () if self.cutoff is None else (Extension(CUTOFF, der.generalized_time(self.cutoff)),)
        more = (*cutoff, *self.more)
        return der.sequence(
            self.certificate_id,
            status,
            time(self.this_update),
            b"" if self.next_update is None else der.explicit(0, time(self.next_update)),
            der.explicit(1, der.sequence(*(extension.der for extension in more))) if more else b"",
        )


def time(instant: datetime | bytes) -> bytes:
    return instant if isinstance(instant, bytes) else der.generalized_time(instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a response is put together. None is for what is right; the rest is done as it says."""

    produced_at: datetime | bytes = AT - timedelta(minutes=30)
    by_name: bool = False
    """Whether the responder is named by its Name, else by its key."""
    responder: bytes | None = None
    nonce: bytes | None = None
    more: tuple[Extension, ...] = ()
    certificates: tuple[bytes, ...] | None = None
    signed_by: Key | None = None
    scheme: str | None = None
    user_id: bytes = DEFAULT_USER_ID
    algorithm: bytes | None = None
    signature: bytes | None = None
    status: int = 0
    kind: str = BASIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """Who answers about an authority's certificates: the authority itself, or whom it gave a certificate for that."""

    authority: Authority
    certificate: Issued | None = None

    @staticmethod
    def direct(authority: Authority) -> "Responder":
        return Responder(authority=authority)

    @staticmethod
    def delegated(
        authority: Authority,
        *,
        no_check: bool = True,
        kind: str | None = None,
        by: Authority | None = None,
        **changes: Any,
    ) -> "Responder":
        """One with a certificate of its own; the changes are fields of its `CertificateSpec`, `by` its issuer."""
        spec = CertificateSpec(
            subject=Subject(organisation="测试应答有限公司", common_name="测试OCSP"),
            key=Key(kind or authority.key.kind, f"ocsp/{authority.key.seed}"),
            key_usage=("digitalSignature",),
            extended_key_usage=(OCSP_SIGNING,),
            more=(NO_CHECK,) if no_check else (),
        )
        return Responder(authority=authority, certificate=(by or authority).issue(replace(spec, **changes)))

    @property
    def key(self) -> Key:
        return self.authority.key if self.certificate is None else self.certificate.key

    @property
    def name(self) -> bytes:
        return (self.authority if self.certificate is None else self.certificate.spec).subject.der

    def about(self, issued: Issued, **changes: Any) -> Answer:
        """The answer about a certificate of the authority."""
        right = Answer(
            serial=issued.serial, issuer_name=self.authority.subject.der, issuer_spki=self.authority.key.spki
        )
        return replace(right, **changes)

    def respond(self, answers: Iterable[Answer | bytes], said: Said | None = None, **changes: Any) -> bytes:
        """A whole OCSPResponse. Answers that are bytes go in as they are."""
        said = replace(said or Said(), **changes)
        if said.status:
            return der.sequence(der.enumerated(said.status))
        more = () if said.nonce is None else (Extension(NONCE, der.octet_string(said.nonce)),)
        more = (*more, *said.more)
        named = der.explicit(1, self.name) if said.by_name else der.explicit(2, der.octet_string(self.key_hash))
        tbs = der.sequence(
            said.responder or named,
            time(said.produced_at),
            der.sequence(*(answer if isinstance(answer, bytes) else answer.der for answer in answers)),
            der.explicit(1, der.sequence(*(extension.der for extension in more))) if more else b"",
        )
        signer = said.signed_by or self.key
        scheme = said.scheme or signer.scheme
        signature = signer.sign(tbs, scheme, said.user_id) if said.signature is None else said.signature
        certificates = said.certificates
        if certificates is None:
            certificates = () if self.certificate is None else (self.certificate.der,)
        basic = der.sequence(
            tbs,
            said.algorithm or der.ALGORITHM_IDENTIFIERS[scheme],
            der.bit_string(signature),
            der.explicit(0, der.sequence(*certificates)) if certificates else b"",
        )
        content = der.sequence(der.oid(said.kind), der.octet_string(basic))
        return der.sequence(der.enumerated(0), der.explicit(0, content))

    @property
    def key_hash(self) -> bytes:
        return sha1(key_bits(self.key.spki)).digest()

    def reply(self, issued: Issued, said: Said | None = None, **changes: Any) -> bytes:
        """The response about one certificate; the changes are fields of its `Answer`."""
        return self.respond([self.about(issued, **changes)], said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request of one CertID asks for."""

    digest: str
    serial: int
    nonce: bytes | None


def asked(request: bytes) -> Asked:
    """Reads a request that is right."""
    requests, *extensions = der.members_of(der.members_of(request)[0])
    algorithm, _, _, serial = der.members_of(der.members_of(der.members_of(requests)[0])[0])
    names = {der.oid(dotted): name for name, dotted in DIGEST_OIDS.items()}
    nonce = None
    if extensions:
        (extension,) = der.members_of(der.members_of(extensions[0])[0])
        nonce = der.contents_of(der.contents_of(der.members_of(extension)[1]))
    return Asked(
        digest=names[der.members_of(algorithm)[0]],
        serial=int.from_bytes(der.contents_of(serial), "big", signed=True),
        nonce=nonce,
    )


def other_ca(authority: Authority) -> Authority:
    """Another authority of the same kind of key."""
    return Authority.root(authority.key.kind, "别家测试CA", seed="ocsp")


def lie(name: str, authority: Authority, issued: Issued, *, digest: str = "sha1") -> bytes:
    """A response about a certificate that is wrong in one of the ways of `LIES`, and otherwise says "good"."""
    direct, delegated = Responder.direct(authority), Responder.delegated(authority)
    intruder = Key(authority.key.kind, "intruder")
    other = other_ca(authority)
    about = direct.about(issued, digest=digest)
    ways = {
        "wrong-signer": lambda: direct.respond([about], signed_by=intruder),
        "wrong-responder": lambda: direct.respond([about], responder=der.explicit(1, other.subject.der)),
        "wrong-issuer-name": lambda: direct.respond([replace(about, issuer_name=other.subject.der)]),
        "wrong-issuer-key": lambda: direct.respond([replace(about, issuer_spki=other.key.spki)]),
        "wrong-serial": lambda: direct.respond([replace(about, serial=issued.serial + 1)]),
        "expired-responder": lambda: Responder.delegated(authority, not_after=AT - timedelta(days=1)).respond([about]),
        "responder-to-come": lambda: Responder.delegated(authority, not_before=AT).respond([about]),
        "other-cas-responder": lambda: Responder.delegated(authority, by=other).respond([about]),
        "self-made-responder": lambda: Responder.delegated(authority, signed_by=intruder).respond([about]),
        "no-ocsp-signing": lambda: Responder.delegated(authority, extended_key_usage=None).respond([about]),
        "any-purpose": lambda: Responder.delegated(authority, extended_key_usage=("2.5.29.37.0",)).respond([about]),
        "no-signatures": lambda: Responder.delegated(authority, key_usage=("keyEncipherment",)).respond([about]),
        "authority-as-responder": lambda: Responder.delegated(authority, ca=True).respond([about]),
        "odd-responder": lambda: Responder.delegated(authority, more=(NO_CHECK, UNKNOWN_CRITICAL)).respond([about]),
        "responder-left-out": lambda: delegated.respond([about], certificates=()),
        "holder-as-responder": lambda: Responder(authority=authority, certificate=issued).respond([about]),
        "unknown-critical-extension": lambda: direct.respond([about], more=(UNKNOWN_CRITICAL,)),
        "unknown-critical-in-answer": lambda: direct.respond([replace(about, more=(UNKNOWN_CRITICAL,))]),
        "stale": lambda: direct.respond(
            [replace(about, this_update=AT - timedelta(days=9), next_update=AT - timedelta(days=8))],
            produced_at=AT - timedelta(days=9),
        ),
        "future": lambda: direct.respond(
            [replace(about, this_update=AT + timedelta(hours=1))], produced_at=AT + timedelta(hours=1)
        ),
    }
    return ways[name]()


LIES = {
    "wrong-signer": "signature.wrong",
    "wrong-responder": "ocsp.responder_unknown",
    "wrong-issuer-name": "no answer",
    "wrong-issuer-key": "no answer",
    "wrong-serial": "no answer",
    "expired-responder": "ocsp.responder_not_authorised",
    "responder-to-come": "ocsp.responder_not_authorised",
    "other-cas-responder": "ocsp.responder_not_authorised",
    "self-made-responder": "ocsp.responder_not_authorised",
    "no-ocsp-signing": "ocsp.responder_not_authorised",
    "any-purpose": "ocsp.responder_not_authorised",
    "no-signatures": "ocsp.responder_not_authorised",
    "authority-as-responder": "ocsp.responder_not_authorised",
    "odd-responder": "ocsp.responder_not_authorised",
    "responder-left-out": "ocsp.responder_unknown",
    "holder-as-responder": "ocsp.responder_not_authorised",
    "unknown-critical-extension": "unhandled",
    "unknown-critical-in-answer": "unhandled",
    "stale": "stale",
    "future": "ocsp.future",
}
"""What must not be believed, and what comes of it: a code of `verify_ocsp`, or what the answer is then."""
