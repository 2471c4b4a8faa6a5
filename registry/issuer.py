"""The keys by which issuers sign what they state, as versioned policy: whose, from when until when, and how safe.

A key that ended in order signs nothing new, and what it signed stays good. Of a compromised key nothing counts that
came in from that instant on: what a statement says of its own time, its thief says too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from keys.errors import KeysError
from keys.key_ring import KeyRing
from keys.public_key import PublicKey
from registry.document import PolicyDocument, Table
from registry.errors import PolicyError
from registry.period import Period

ALGORITHMS = frozenset({"ES256", "Ed25519", "SM2"})
"""JOSE names of the algorithms by which statements may be signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """A public key of an issuer and the period in which it may sign.

    `compromised_from`: nothing is trusted that came in from then on; None while the key is safe.
    """

    issuer: str
    public: PublicKey
    period: Period
    compromised_from: datetime | None

    def signs_at(self, instant: datetime) -> bool:
        """Whether a statement that comes in then may be by this key."""
        return instant in self.period and self.trusted_for(instant)

    def trusted_for(self, recorded_at: datetime) -> bool:
        """Whether what was taken in then, while the key's period ran, still counts."""
        return self.compromised_from is None or recorded_at < self.compromised_from


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKeys:
    """All keys of one issuer, as one version of its file."""

    id: str
    version: int
    digest: str
    issuer: str
    keys: tuple[IssuerKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRegister:
    """The keys of all issuers, by their names. `ring` is None where no issuer has a key yet."""

    by_issuer: Mapping[str, IssuerKeys]
    by_kid: Mapping[str, IssuerKey]
    ring: KeyRing | None

    def counts(self, issuer: str, kid: str, recorded_at: datetime) -> bool | None:
        """Whether what came in then by a key of an issuer counts; None where the issuer has no such key."""
        key = self.by_kid.get(kid)
        return None if key is None or key.issuer != issuer else key.trusted_for(recorded_at)


def read_issuer_keys(document: PolicyDocument) -> IssuerKeys:
    """One issuer's file. Raises `PolicyError`."""
    table = Table(document.source, document.content)
    table.text("id"), table.integer("version")
    issuer = table.text("issuer")
    keys = tuple(_read_key(entry, issuer) for entry in table.tables("keys", at_least=1))
    table.done()
    return IssuerKeys(id=document.id, version=document.version, digest=document.digest, issuer=issuer, keys=keys)


def _read_key(table: Table, issuer: str) -> IssuerKey:
    try:
        public = PublicKey.from_jwk(table.mapping("jwk"))
    except KeysError as error:
        raise table.refuse("jwk", error.detail) from None
    key = IssuerKey(
        issuer=issuer,
        public=public,
        period=table.period(),
        compromised_from=table.optional_instant("compromised_from"),
    )
    table.done()
    return key


def build_key_register(files: Iterable[IssuerKeys], sources: Mapping[str, str]) -> KeyRegister:
    """All files together; `sources` names each. A key is one issuer's. Raises `PolicyError`."""
    by_issuer: dict[str, IssuerKeys] = {}
    by_kid: dict[str, IssuerKey] = {}
    for file in sorted(files, key=lambda entry: entry.id):
        other = by_issuer.setdefault(file.issuer, file)
        if other is not file:
            raise PolicyError(sources[file.id], "issuer", f"{file.issuer!r} already has keys in {sources[other.id]}")
        for key in file.keys:
            if key.public.kid in by_kid:
                owner = by_kid[key.public.kid].issuer
                raise PolicyError(sources[file.id], "keys", f"key {key.public.kid} is given twice, also for {owner}")
            by_kid[key.public.kid] = key
    ring = KeyRing(keys=tuple(key.public for key in by_kid.values())) if by_kid else None
    return KeyRegister(by_issuer=by_issuer, by_kid=by_kid, ring=ring)
