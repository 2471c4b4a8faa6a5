"""Whose certificates are trusted, and which certification authorities are accepted where: data, versioned like law.

A trust anchor says that a key is known to be that authority's; an accepted list says that its certificates serve a
platform or a jurisdiction from one day until another. Neither follows from the other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from keys.certificate import Certificate, read_certificate
from keys.errors import KeysError
from registry.canonical import digest
from registry.document import LegalBasis, LocalText, PolicyDocument, Table
from registry.errors import PolicyError
from registry.jurisdiction import CONFIDENCE
from registry.period import Period

ROLES = ("anchor", "intermediate")
QUALIFIERS = ("bidding", "government-seal", "timestamp")
"""What an anchor's certificates may serve: trading; government seals (商用密码管理条例 30); timestamps (RFC 3161)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnchor:
    """A certification authority's certificate as one version of its file.

    An `intermediate` is only a step on the way to an anchor. `jurisdictions` empty: it serves everywhere.
    """

    id: str
    version: int
    digest: str
    name: LocalText
    role: str
    certificate: Certificate
    key_digest: str
    """Names the key: a renewed certificate of the same key is the same authority."""
    authority: str | None
    qualifiers: frozenset[str]
    jurisdictions: frozenset[str]
    effective: Period
    revocation_urls: tuple[str, ...]
    revocation_hosts: tuple[str, ...]
    confidence: str
    sources: tuple[str, ...]

    def serves(self, qualifier: str, jurisdiction: str, instant: datetime) -> bool:
        """Whether paths may end here, for such a purpose, there and then."""
        return (
            self.role == "anchor"
            and qualifier in self.qualifiers
            and (not self.jurisdictions or jurisdiction in self.jurisdictions)
            and instant in self.effective
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedCa:
    """One line of an accepted list: an authority, by the id of its trust anchor file, and from when until when."""

    ca: str
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedList:
    """The authorities that a jurisdiction, or one relying party in it, accepts for some purposes."""

    id: str
    version: int
    digest: str
    name: LocalText
    jurisdiction: str
    relying_party: str | None
    purposes: tuple[str, ...]
    entries: tuple[AcceptedCa, ...]
    legal_basis: tuple[LegalBasis, ...]
    confidence: str

    strength = "agreement"
    """In a decision an entry counts as the agreement (api.md, checks)."""

    def entries_for(self, cas: Iterable[str]) -> tuple[AcceptedCa, ...]:
        """The lines that speak of one of these authorities."""
        wanted = set(cas)
        return tuple(entry for entry in self.entries if entry.ca in wanted)


@lru_cache(maxsize=1024)
def key_digest(certificate: Certificate) -> str:
    """Names an authority's public key: `sha256:` over the SubjectPublicKeyInfo. Kept: authorities are few."""
    return digest(certificate.spki)


def _read_certificate(table: Table) -> Certificate:
    text = table.text("certificate")
    try:
        return read_certificate(text)
    except KeysError as error:
        raise table.refuse("certificate", f"is not a certificate: {error.detail}") from None


def read_trust_anchor(document: PolicyDocument) -> TrustAnchor:
    """One trust anchor file. Raises `PolicyError`."""
    table = Table(document.source, document.content)
    table.text("id"), table.integer("version")
    certificate = _read_certificate(table)
    qualifiers = table.texts("qualifiers", default=(), allow_empty=True)
    for qualifier in qualifiers:
        if qualifier not in QUALIFIERS:
            raise table.refuse("qualifiers", f"{qualifier!r} is not allowed; allowed: {', '.join(QUALIFIERS)}")
    role = table.choice("role", ROLES, default="anchor")
    if (role == "anchor") != bool(qualifiers):
        raise table.refuse("qualifiers", "belong to role 'anchor', which needs them")
    if not certificate.is_ca:
        raise table.refuse("certificate", "is not that of a certification authority (basicConstraints)")
    anchor = TrustAnchor(
        id=document.id,
        version=document.version,
        digest=document.digest,
        name=table.local_text("name"),
        role=role,
        certificate=certificate,
        key_digest=key_digest(certificate),
        authority=table.optional_text("authority"),
        qualifiers=frozenset(qualifiers),
        jurisdictions=frozenset(table.texts("jurisdictions", default=(), allow_empty=True)),
        effective=table.period(),
        revocation_urls=table.texts("revocation_urls", default=(), allow_empty=True),
        revocation_hosts=table.texts("revocation_hosts", default=(), allow_empty=True),
        confidence=table.choice("confidence", CONFIDENCE, default="S"),
        sources=table.texts("sources", default=(), allow_empty=True),
    )
    table.done()
    return anchor


def _read_accepted(table: Table) -> AcceptedCa:
    entry = AcceptedCa(ca=table.text("ca"), period=table.period())
    table.done()
    return entry


def read_accepted_list(document: PolicyDocument) -> AcceptedList:
    """One accepted list. Raises `PolicyError`."""
    table = Table(document.source, document.content)
    table.text("id"), table.integer("version")
    made = AcceptedList(
        id=document.id,
        version=document.version,
        digest=document.digest,
        name=table.local_text("name"),
        jurisdiction=table.text("jurisdiction"),
        relying_party=table.optional_text("relying_party"),
        purposes=table.texts("purposes"),
        entries=tuple(_read_accepted(entry) for entry in table.tables("entries")),
        legal_basis=table.legal_basis(),
        confidence=table.choice("confidence", CONFIDENCE, default="S"),
    )
    table.done()
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """All anchors and lists of a policy, with the look-ups that judging a lock needs."""

    anchors: Mapping[str, TrustAnchor]
    lists: Mapping[str, AcceptedList]
    certificates: tuple[Certificate, ...]
    """All that the anchor files hold: what paths may lead through."""
    by_key: Mapping[str, tuple[TrustAnchor, ...]]
    by_qualifier: Mapping[str, tuple[TrustAnchor, ...]]
    by_party: Mapping[tuple[str, str | None, str], AcceptedList]
    """Who decides, by jurisdiction, relying party (None: the jurisdiction itself) and purpose."""

    def serving(self, qualifier: str, jurisdiction: str, instant: datetime) -> tuple[TrustAnchor, ...]:
        """The anchors that a path may end at."""
        able = self.by_qualifier.get(qualifier, ())
        return tuple([anchor for anchor in able if anchor.serves(qualifier, jurisdiction, instant)])

    def of_key(self, certificate: Certificate) -> tuple[TrustAnchor, ...]:
        """The files that name this certificate's key."""
        return self.by_key.get(key_digest(certificate), ())

    def list_for(self, jurisdiction: str, relying_party: str | None, purpose: str) -> AcceptedList | None:
        """The list that decides: the relying party's own where it has one, else the jurisdiction's."""
        own = self.by_party.get((jurisdiction, relying_party, purpose))
        return own or self.by_party.get((jurisdiction, None, purpose))

    def platform_lists(self, jurisdiction: str, purpose: str) -> bool:
        """Whether some platform there has a list of its own for the purpose."""
        return any(
            entry.jurisdiction == jurisdiction and purpose in entry.purposes and entry.relying_party is not None
            for entry in self.lists.values()
        )


def build_trust(
    anchors: Mapping[str, TrustAnchor], lists: Mapping[str, AcceptedList], sources: Mapping[str, str]
) -> Trust:
    """Joins files. Raises `PolicyError` for a list that names an unknown authority, or decides what another decides."""
    by_key: dict[str, tuple[TrustAnchor, ...]] = {}
    for _, anchor in sorted(anchors.items()):
        by_key[anchor.key_digest] = (*by_key.get(anchor.key_digest, ()), anchor)
    by_party: dict[tuple[str, str | None, str], AcceptedList] = {}
    for _, accepted in sorted(lists.items()):
        for entry in accepted.entries:
            if entry.ca not in anchors:
                known = ", ".join(sorted(anchors)) or "none"
                raise PolicyError(
                    sources[accepted.id], "entries.ca", f"{entry.ca!r} is no trust anchor; known: {known}"
                )
        for purpose in accepted.purposes:
            key = (accepted.jurisdiction, accepted.relying_party, purpose)
            other = by_party.setdefault(key, accepted)
            if other is not accepted:
                raise PolicyError(
                    sources[accepted.id], "purposes", f"{purpose!r} is already decided by the list {other.id!r}"
                )
    ordered = dict(sorted(anchors.items()))
    return Trust(
        anchors=ordered,
        lists=dict(sorted(lists.items())),
        certificates=tuple(anchor.certificate for anchor in ordered.values()),
        by_key=by_key,
        by_qualifier={
            name: tuple(anchor for anchor in ordered.values() if name in anchor.qualifiers) for name in QUALIFIERS
        },
        by_party=by_party,
    )
