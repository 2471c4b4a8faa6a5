"""What is brought and held to judge a CA lock by: signatures made with it, times that are proven, and two ports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct, field

from keys.certificate import Certificate
from keys.cms import Signer
from keys.content import Content, Octets
from keys.path_validation.finder import Found
from keys.revocation.judgement import KnownCrl, KnownOcsp
from registry.refused_evidence import RefusedEvidence
from registry.stapled import Stapled


class Possession(Struct, frozen=True, kw_only=True):
    """A signature that is to show that the holder has the key, and over what.

    `problem` is the code of what is wrong with the challenge itself: unknown, expired, used, or for somebody else.
    `signer` is the one of a CMS message; None: the signature is bare.
    """

    message: bytes
    signature: bytes
    problem: str | None = None
    expires_at: datetime | None = None
    signer: Signer | None = None


class ProvenTime(Struct, frozen=True, kw_only=True):
    """An instant from which on something is shown to have been there, and what shows it."""

    instant: datetime
    """The latest that the proof allows: of a timestamp, its time and the accuracy that it states."""
    kind: Literal["timestamp", "receipt"]
    digest: str
    """Of the proof: "sha256:" and 64 hexadecimal digits."""
    name: str
    """Who vouches for it, for people."""
    path: tuple[Certificate, ...] = ()
    """From the authority's certificate to the trust anchor."""
    lists: tuple[str, ...] = ()
    """The digests of the revocation lists that it rests on."""
    kid: str | None = None
    """Of a receipt, the key that signed it."""
    certificates: frozenset[str] = frozenset()
    """The fingerprints of the certificates that are shown to have been there too."""
    tokens: frozenset[str] = frozenset()
    """The digests of the timestamps that a receipt shows to have been there too."""


class DocumentSignature(Struct, frozen=True, kw_only=True):
    """One signature over a document: by a signer of a CMS message, or bare (`signer` None).

    `value` are its octets, `name` is the digest of them; `message` is what was handed in, whole. `timestamps` are
    RFC 3161 tokens over the value or the message; `receipts` are times that receipts of this node prove, `refused` is
    other evidence that proves nothing. `deadline`: by when the signature must be proven to have existed.
    """

    signer: Signer | None
    value: bytes
    name: str
    message: Octets
    content: Content
    timestamps: tuple[bytes, ...] = ()
    receipts: tuple[ProvenTime, ...] = ()
    refused: tuple[RefusedEvidence, ...] = ()
    deadline: datetime | None = None
    inside: frozenset[str] = frozenset()
    """The fingerprints of the certificates in the message."""


class Brought(Struct, frozen=True, kw_only=True):
    """What the asker brought with a certificate: a signature by it, and the OCSP responses of the whole request."""

    shown: Possession | DocumentSignature | None = None
    stapled: Stapled = field(default_factory=Stapled)


class PathFinder(Protocol):
    """Finds certification paths. Raises `PathError` where there is none, or where not all could be looked at."""

    def find_all(
        self,
        leaf: Certificate,
        hints: Sequence[Certificate],
        anchors: Sequence[Certificate],
        instant: datetime,
        own: Sequence[Certificate],
    ) -> Found:
        """Every path from the leaf to the anchors that is valid at the instant. `own` are what the node holds."""
        ...


class RevocationEvidence(Protocol):
    """The revocation lists and OCSP answers that a node holds."""

    def lists_of(self, issuer: Certificate, known_at: datetime, about: Certificate) -> Sequence[KnownCrl]:
        """The lists by an authority that were known then and could tell of one of its certificates.

        The newest, the newest issued before the certificate's end, and whichever listed it and was followed by one
        that does not. Each signature was verified when the list was taken in.
        """
        ...

    def answers_of(self, issuer: Certificate, known_at: datetime, about: Certificate) -> Sequence[KnownOcsp]:
        """The OCSP answers for an authority about one of its certificates that were known then, chosen likewise.

        Each is verified; a responder who could have been revoked is still to be judged.
        """
        ...


class Established(Struct, frozen=True, kw_only=True):
    """What evidence establishes about when a signature was made: every time that is proven, the earliest first.

    `named` is the instant for which the asker wants to know, None where he leaves that to what is proven.
    """

    proofs: tuple[ProvenTime, ...]
    refused: tuple[RefusedEvidence, ...]
    named: datetime | None = None

    @property
    def proven(self) -> ProvenTime | None:
        """The earliest instant by which the signature is proven to have existed."""
        return self.proofs[0] if self.proofs else None


class LockEvidence(Struct, frozen=True, kw_only=True):
    """What came with the question, and what the node holds to judge it by."""

    shown: Possession | DocumentSignature | None
    paths: PathFinder
    revocation: RevocationEvidence
    stapled: Stapled = field(default_factory=Stapled)
    established: Established | None = None
