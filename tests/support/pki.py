"""A certification authority for tests, which can do what a real one does and lie in what it says.

Every field of what it writes can be overridden, and everything comes from seeds: the same call gives the same bytes.
`LIES` and `ODDITIES` name the ways to be wrong; `case` builds a whole hierarchy around one of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from registry.identifiers import organisation_code_check, uscc_check
from tests.support import der_writer as der
from tests.support.der_writer import Extension, IssuingDistributionPoint, Revoked, Subject
from tests.support.unsafe_sm2 import DEFAULT_USER_ID, Key

# What is written

NOT_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2027, 1, 1, tzinfo=UTC)
AT = datetime(2026, 1, 1, tzinfo=UTC)
"""An instant at which everything that is made without other dates is in force."""

SIGNING_USAGE = ("digitalSignature", "nonRepudiation")
ENCRYPTION_USAGE = ("keyEncipherment", "dataEncipherment")
CA_USAGE = ("keyCertSign", "cRLSign")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How a certificate or a CRL is signed and extended. None is for what is right; the rest is done as it says."""

    issuer: bytes | None = None
    """The Name to be written for the issuer."""
    signed_by: Key | None = None
    scheme: str | None = None
    user_id: bytes | None = None
    inner_algorithm: bytes | None = None
    outer_algorithm: bytes | None = None
    signature: bytes | None = None
    trailing: bytes = b""
    key_ids: bool = True
    more: tuple[Extension, ...] = ()
    extensions: tuple[Extension, ...] | None = None
    """All extensions, in the place of everything else that becomes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSpec(Signing):
    """What a certificate is to say."""

    subject: Subject
    key: Key
    not_before: datetime | bytes = NOT_BEFORE
    not_after: datetime | bytes = NOT_AFTER
    serial: int | bytes | None = None
    version: int | None = 2
    ca: bool | None = None
    """None leaves basicConstraints out."""
    path_length: int | None = None
    key_usage: tuple[str, ...] | None = SIGNING_USAGE
    extended_key_usage: tuple[str, ...] | None = None
    points: tuple[bytes, ...] = ()
    """DistributionPoints, see `der_writer.distribution_point`."""
    spki: bytes | None = None

    def written_extensions(self, signer: Key) -> tuple[Extension, ...]:
        if self.extensions is not None:
            return self.extensions
        said = [der.basic_constraints(self.ca, self.path_length)] if self.ca is not None else []
        if self.key_usage is not None:
            said.append(der.key_usage(self.key_usage))
        if self.extended_key_usage is not None:
            said.append(der.extended_key_usage(self.extended_key_usage))
        if self.key_ids:
            said += [der.subject_key_id(key_id(self.key)), der.authority_key_id(key_id(signer))]
        if self.points:
            said.append(der.distribution_points(*self.points))
        return (*said, *self.more)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlSpec(Signing):
    """What a CRL is to say."""

    this_update: datetime | bytes = AT - timedelta(hours=6)
    next_update: datetime | bytes | None = AT + timedelta(days=7)
    number: int | None = None
    """With None the minutes of `this_update`, so that later CRLs have higher numbers; -1 leaves it out."""
    base: int | None = None
    """The number of the full CRL that this delta stands on."""
    part: IssuingDistributionPoint | None = None
    version: int | None = 1
    drop_expired: bool = False
    """Leaves out the entries whose certificates have ended before `this_update`."""

    def written_extensions(self, signer: Key) -> tuple[Extension, ...]:
        if self.extensions is not None:
            return self.extensions
        said = [der.authority_key_id(key_id(signer))] if self.key_ids else []
        number = self.number
        if number is None and isinstance(self.this_update, datetime):
            number = int(self.this_update.timestamp()) // 60
        if number is not None and number >= 0:
            said.append(Extension("2.5.29.20", der.integer(number)))
        if self.base is not None:
            said.append(Extension("2.5.29.27", der.integer(self.base), True))
        if self.part is not None:
            said.append(self.part.extension)
        return (*said, *self.more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate that was made, with the key of its subject and what it was to say."""

    der: bytes
    key: Key
    serial: int
    spec: CertificateSpec

    @property
    def pem(self) -> str:
        return der.pem(self.der)

    def revoked(self, at: datetime = AT - timedelta(days=30), **more: Any) -> Revoked:
        """Its entry in a CRL."""
        end = self.spec.not_after
        return Revoked(serial=self.serial, at=at, not_after=end if isinstance(end, datetime) else None, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The two certificates of one subject."""

    signing: Issued
    encryption: Issued


def key_id(key: Key) -> bytes:
    return sha256(key.spki).digest()[:20]


# Authorities


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certification authority. `replace(authority, scheme=…, user_id=…)` changes how it signs from then on."""

    subject: Subject
    key: Key
    certificate: Issued
    above: "Authority | None" = None
    scheme: str | None = None
    user_id: bytes = DEFAULT_USER_ID

    @staticmethod
    def root(kind: str = "sm2", name: str = "测试根CA", seed: str = "", **changes: Any) -> "Authority":
        """A self-signed authority; the changes are fields of its `CertificateSpec`."""
        spec = _authority_spec(kind, name, seed, datetime(2012, 1, 1, tzinfo=UTC), datetime(2042, 1, 1, tzinfo=UTC))
        spec = replace(spec, **changes)
        return Authority(
            subject=spec.subject, key=spec.key, certificate=_issue(spec, spec.subject, spec.key, None, DEFAULT_USER_ID)
        )

    def subordinate(
        self, name: str = "重庆测试CA", kind: str | None = None, seed: str = "", **changes: Any
    ) -> "Authority":
        """An operating authority under this one; the changes are fields of its `CertificateSpec`."""
        start, end = datetime(2018, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
        spec = replace(_authority_spec(kind or self.key.kind, name, seed, start, end), **changes)
        return Authority(subject=spec.subject, key=spec.key, certificate=self.issue(spec), above=self)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates from this authority's own to the root's, which is last."""
        return (self.certificate.der, *(self.above.chain if self.above else ()))

    def issue(self, spec: CertificateSpec, **changes: Any) -> Issued:
        return _issue(replace(spec, **changes), self.subject, self.key, self.scheme, self.user_id)

    def pair(self, spec: CertificateSpec, **changes: Any) -> Lock:
        """A signing and an encryption certificate of the same subject, each with a key of its own."""
        signing = self.issue(spec, **changes)
        key = Key(signing.key.kind, signing.key.seed + "/encryption")
        return Lock(signing=signing, encryption=self.issue(signing.spec, key=key, key_usage=ENCRYPTION_USAGE))

    def crl(self, entries: Iterable[Revoked | bytes] = (), spec: CrlSpec | None = None, **changes: Any) -> bytes:
        """A CRL, full unless its spec says otherwise. Entries that are bytes go in as they are."""
        spec = replace(spec or CrlSpec(), **changes)
        listed = b"".join(entry if isinstance(entry, bytes) else entry.der for entry in _kept(entries, spec))
        extensions = spec.written_extensions(self.key)
        after = (
            spec.issuer or self.subject.der,
            der.time(spec.this_update),
            b"" if spec.next_update is None else der.time(spec.next_update),
            der.tlv(0x30, listed) if listed else b"",
            der.explicit(0, der.sequence(*(extension.der for extension in extensions))) if extensions else b"",
        )
        version = b"" if spec.version is None else der.integer(spec.version)
        return _signed(spec, self.key, self.scheme, self.user_id, version, b"".join(after))


def _kept(entries: Iterable[Revoked | bytes], spec: CrlSpec) -> Iterable[Revoked | bytes]:
    for entry in entries:
        end = None if isinstance(entry, bytes) else entry.not_after
        ended = end is not None and isinstance(spec.this_update, datetime) and end <= spec.this_update
        if not (spec.drop_expired and ended):
            yield entry


def _authority_spec(kind: str, name: str, seed: str, start: datetime, end: datetime) -> CertificateSpec:
    return CertificateSpec(
        subject=Subject(organisation=f"{name}有限公司", common_name=name),
        key=Key(kind, f"{seed}/{name}"),
        not_before=start,
        not_after=end,
        ca=True,
        key_usage=CA_USAGE,
    )


def _issue(spec: CertificateSpec, issuer: Subject, key: Key, scheme: str | None, user_id: bytes) -> Issued:
    extensions = spec.written_extensions(key)
    after = (
        spec.issuer or issuer.der,
        der.sequence(der.time(spec.not_before), der.time(spec.not_after)),
        spec.subject.der,
        spec.spki or spec.key.spki,
        der.explicit(3, der.sequence(*(extension.der for extension in extensions))) if extensions else b"",
    )
    serial = spec.serial
    if serial is None:
        serial = int.from_bytes(sha256(b"".join(after)).digest()[:16], "big") >> 1 | 1 << 126
    version = b"" if spec.version is None else der.explicit(0, der.integer(spec.version))
    written = _signed(spec, key, scheme, user_id, version + der.integer(serial), b"".join(after))
    number = int.from_bytes(serial, "big", signed=True) if isinstance(serial, bytes) else serial
    return Issued(der=written, key=spec.key, serial=number, spec=spec)


def _signed(spec: Signing, key: Key, scheme: str | None, user_id: bytes, before: bytes, after: bytes) -> bytes:
    signer = spec.signed_by or key
    scheme = spec.scheme or (scheme if scheme and signer.kind == key.kind else signer.scheme)
    right = der.ALGORITHM_IDENTIFIERS[scheme]
    tbs = der.sequence(before, spec.inner_algorithm or right, after)
    signature = spec.signature
    if signature is None:
        signature = signer.sign(tbs, scheme, user_id if spec.user_id is None else spec.user_id)
    return der.sequence(tbs, spec.outer_algorithm or right, der.bit_string(signature)) + spec.trailing


# Holders: nobody real. The area 509999 does not exist.


def uscc(number: int = 1, area: str = "509999") -> str:
    """A unified social credit code with right check characters, another for each number up to 999999."""
    organisation = f"MA{number:06d}"
    first = f"91{area}{organisation}{organisation_code_check(organisation)}"
    return first + uscc_check(first)


def id_card_number(number: int = 1) -> str:
    """A citizen number with a right check character (GB 11643) of an area that does not exist."""
    first = f"50999919000101{number:03d}"
    return first + "10X98765432"[sum(int(digit) << (17 - place) for place, digit in enumerate(first)) % 11]


def placed(spec: CertificateSpec, number: str, where: str = "subject", encoding: str = "printable") -> CertificateSpec:
    """The spec with a holder's number: in the subject's serialNumber, its common name, or a `NUMBER_EXTENSIONS`."""
    if where == "subject":
        return replace(spec, subject=replace(spec.subject, serial_number=number))
    if where == "common-name":
        assert isinstance(spec.subject.common_name, str), "a number is put beside text only"
        text = f"{number}@{spec.subject.common_name}@01@003"
        return replace(spec, subject=replace(spec.subject, common_name=text))
    extension = Extension(der.NUMBER_EXTENSIONS[where], der.NUMBER_ENCODINGS[encoding](number))
    return replace(spec, more=(*spec.more, extension))


def unit(kind: str = "sm2", number: int = 1, where: str = "subject", **changes: Any) -> CertificateSpec:
    """The spec for an organisation's lock; its USCC is `uscc(number)`."""
    name = f"测试建设{number}有限公司"
    subject = Subject(province="重庆", organisation=name, common_name=name)
    spec = placed(CertificateSpec(subject=subject, key=Key(kind, f"unit/{number}")), uscc(number), where)
    return replace(spec, **changes)


def representative(
    kind: str = "sm2", number: int = 1, where: str = "organisation-code", **changes: Any
) -> CertificateSpec:
    """The spec for a legal representative's lock: the person's ID-card number and the organisation's USCC."""
    subject = Subject(organisation=f"测试建设{number}有限公司", unit="法定代表人", common_name=f"测试代表{number}")
    spec = CertificateSpec(subject=subject, key=Key(kind, f"representative/{number}"))
    spec = placed(placed(spec, uscc(number), where), id_card_number(number), "identity", "tagged")
    return replace(spec, **changes)


def person(kind: str = "sm2", number: int = 1, where: str = "subject", **changes: Any) -> CertificateSpec:
    """The spec for a personal certificate: an ID-card number and no organisation."""
    spec = CertificateSpec(subject=Subject(common_name=f"测试人员{number}"), key=Key(kind, f"person/{number}"))
    return replace(placed(spec, id_card_number(number), where), **changes)


def renewed(spec: CertificateSpec, years: int = 2, same_key: bool = False) -> CertificateSpec:
    """The spec of the lock that follows: the same subject from the old one's last day on, as a rule with a new key."""
    assert isinstance(spec.not_after, datetime), "a lock with dates in bytes is not renewed"
    key = spec.key if same_key else Key(spec.key.kind, spec.key.seed + "/renewed")
    start = spec.not_after - timedelta(days=1)
    return replace(spec, key=key, not_before=start, not_after=start.replace(year=start.year + years))


# Lies


@dataclass(frozen=True, slots=True)
class Lie:
    """One way to be wrong: whose spec it changes, what it breaks, and the change from the spec and its signer's key."""

    about: str
    """`leaf`, `ca` (the authority above the leaf) or `crl` (that authority's)."""
    breaks: str
    """`signature`, `path`, `key`, `form`, `revocation`, or `nothing` for an oddity."""
    tell: Callable[[Any, Key], dict[str, Any]]


_OTHER = Subject(organisation="别家测试CA有限公司", common_name="别家测试CA").der
_UNKNOWN = Extension("1.2.156.999999.1", der.null(), True)


def _other_algorithm(signer: Key) -> bytes:
    said = "rsa-pkcs1-sha512" if signer.kind.startswith("rsa") else "ecdsa-sha384"
    return der.ALGORITHM_IDENTIFIERS["ecdsa-sha256" if signer.kind in {"sm2", "p-384"} else said]


def off_curve() -> bytes:
    point = bytearray(Key("sm2", "off the curve").point)
    point[-1] ^= 1
    return der.elliptic_public_key(bytes(point))


def _signing_lies(about: str, prefix: str) -> dict[str, Lie]:
    """The lies that a certificate and a CRL have in common."""
    tells: dict[str, tuple[str, Callable[[Any, Key], dict[str, Any]]]] = {
        "wrong-signer": ("signature", lambda spec, by: {"signed_by": Key(by.kind, "intruder")}),
        "swapped-algorithm": (
            "signature",
            lambda spec, by: dict.fromkeys(("inner_algorithm", "outer_algorithm"), _other_algorithm(by)),
        ),
        "algorithms-differ": ("form", lambda spec, by: {"inner_algorithm": _other_algorithm(by)}),
        "empty-signature": ("signature", lambda spec, by: {"signature": b""}),
        "forged-issuer-name": ("path", lambda spec, by: {"issuer": _OTHER}),
        "unknown-critical-extension": ("path", lambda spec, by: {"more": (*spec.more, _UNKNOWN)}),
    }
    return {f"{prefix}{name}": Lie(about, *told) for name, told in tells.items()}


def _just(about: str, breaks: str, **changes: Any) -> Lie:
    return Lie(about, breaks, lambda spec, by: dict(changes))


_SERIALS = {"negative": -5, "zero": 0, "long": 1 << 200, "padded": b"\0\0\1", "empty": b""}
_BEFORE = AT - timedelta(days=90)

LIES: dict[str, Lie] = {
    **_signing_lies("leaf", ""),
    **_signing_lies("ca", "ca-"),
    **_signing_lies("crl", "crl-"),
    "off-curve-key": Lie("leaf", "key", lambda spec, by: {"spki": off_curve()}),
    "ca-off-curve-key": Lie("ca", "key", lambda spec, by: {"spki": off_curve()}),
    "duplicate-extension": Lie("leaf", "form", lambda spec, by: {"more": (*spec.more, der.key_usage(SIGNING_USAGE))}),
    "expired": _just("leaf", "path", not_after=AT - timedelta(days=1)),
    "not-yet-valid": _just("leaf", "path", not_before=AT + timedelta(days=1)),
    "ca-expired": _just("ca", "path", not_after=AT - timedelta(days=1)),
    "no-key-cert-sign": _just("ca", "path", key_usage=("cRLSign",)),
    "no-ca-bit": _just("ca", "path", ca=False),
    "no-basic-constraints": _just("ca", "path", ca=None),
    "version-1-ca": _just("ca", "path", version=None, extensions=()),
    "path-length": _just("ca", "path", path_length=0),
    "name-constraints": _just("ca", "path", more=(der.name_constraints([der.directory_name(_OTHER)]),)),
    "no-crl-sign": _just("ca", "revocation", key_usage=("keyCertSign",)),
    "crl-stale": _just("crl", "revocation", this_update=AT - timedelta(days=40), next_update=AT - timedelta(days=33)),
    "crl-from-the-future": _just("crl", "revocation", this_update=AT + timedelta(days=1)),
    "crl-other-part": _just("crl", "revocation", part=IssuingDistributionPoint(only_ca=True)),
    # Those that come after an honest CRL with the leaf in it, and no longer name it.
    "crl-entry-removed": _just("crl", "revocation", entries=()),
    "crl-lower-number": _just("crl", "revocation", entries=(), number=1),
    "crl-dropped-after-expiry": _just("crl", "revocation", drop_expired=True),
}
"""What must not be believed, by name."""

ODDITIES: dict[str, Lie] = {
    **{f"{name}-serial": _just("leaf", "nothing", serial=serial) for name, serial in _SERIALS.items()},
    "gb18030-name": Lie("leaf", "nothing", lambda spec, by: {"subject": _in_gb18030(spec.subject, 0x0C)}),
    "gb18030-in-t61": Lie("leaf", "nothing", lambda spec, by: {"subject": _in_gb18030(spec.subject, 0x14)}),
    "curve-as-algorithm": Lie("leaf", "nothing", lambda spec, by: {"spki": der.curve_as_algorithm(spec.key.point)}),
    "no-seconds": _just("leaf", "nothing", not_before=der.utc_time(NOT_BEFORE, "%y%m%d%H%MZ")),
    "local-offset": _just(
        "leaf", "nothing", not_before=der.utc_time(NOT_BEFORE + timedelta(hours=8), "%y%m%d%H%M%S+0800")
    ),
    "generalized-early": _just("leaf", "nothing", not_before=der.generalized_time(NOT_BEFORE)),
    "generalized-fraction": _just("leaf", "nothing", not_before=der.generalized_time(NOT_BEFORE, "%Y%m%d%H%M%S.0Z")),
    "trailing-bytes": _just("leaf", "nothing", trailing=b"\0\0"),
    "null-parameters": _just(
        "leaf", "nothing", inner_algorithm=der.SM2_SM3_WITH_NULL, outer_algorithm=der.SM2_SM3_WITH_NULL
    ),
}
"""What real authorities have been seen to write; the signature is right. The two of SM2 want SM2 keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A hierarchy and what is shown of it. The CRLs are of the leaf's issuer, the oldest first."""

    root: Authority
    authority: Authority
    leaf: Issued
    crls: tuple[bytes, ...]
    root_crl: bytes
    at: datetime = AT

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates between the leaf and the root, without either, the leaf's issuer first."""
        return self.authority.chain[:-1]


def case(name: str = "", kinds: tuple[str, str, str] = ("sm2", "sm2", "sm2"), seed: str = "") -> Case:
    """Root, operating authority and a unit's lock, honest but for one of `LIES` or `ODDITIES` (none with "").

    Under a lie about the CRL the leaf has been revoked (on AT - 60 days), which an honest CRL would say.
    """
    lie = {**LIES, **ODDITIES}.get(name) if name else Lie("", "nothing", lambda spec, by: {})
    assert lie is not None, f"no such lie: {name}"

    def told(about: str, spec: Any, signer: Key) -> dict[str, Any]:
        return lie.tell(spec, signer) if lie.about == about else {}

    root = Authority.root(kinds[0], seed=seed)
    honest = root.subordinate("重庆测试CA", kinds[1], seed)
    authority = root.subordinate("重庆测试CA", kinds[1], seed, **told("ca", honest.certificate.spec, root.key))
    if name == "path-length":
        authority = authority.subordinate("重庆测试二级CA", kinds[1], seed)
    spec = unit(kinds[2])
    leaf = authority.issue(spec, **told("leaf", spec, authority.key))
    changes = told("crl", CrlSpec(), authority.key)
    if changes.get("drop_expired"):
        leaf = authority.issue(spec, not_after=AT - timedelta(days=30))
    entries = (leaf.revoked(AT - timedelta(days=60)),) if lie.about == "crl" else (Revoked(serial=7, at=_BEFORE),)
    crls = []
    if "entries" in changes or "drop_expired" in changes:
        crls.append(authority.crl(entries, this_update=AT - timedelta(days=50), next_update=AT - timedelta(days=43)))
    crls.append(authority.crl(changes.pop("entries", entries), **changes))
    return Case(root=root, authority=authority, leaf=leaf, crls=tuple(crls), root_crl=root.crl())


def _in_gb18030(subject: Subject, tag: int) -> Subject:
    return replace(subject, common_name=der.gb18030(str(subject.common_name), tag))
