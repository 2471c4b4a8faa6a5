"""Documents that locks of the little world sign, and the decisions on them."""

import hashlib
from dataclasses import replace as changed
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from keys.cms import parse_cms
from keys.content import Octets
from keys.path_validation.finder import PathFinder
from registry.decision import Decision, decide
from registry.dossier import Dossier
from registry.establish import established
from registry.evidence import DocumentSignature, Established, LockEvidence, ProvenTime
from registry.policy import Policy
from registry.verification import verify
from tests.support.cms_writer import Signed, message
from tests.support.pki import AT, Authority, Issued
from tests.support.timestamps import Clock, clock_spec
from tests.unit.registry.locks import KIND, Shelf, anchor, ask, ca, certificate_of, honest_lock, root, shelf, world

DOCUMENT = b"a bid of 1,000,000"


def trusting() -> Policy:
    """The standing policy, whose root serves timestamps too."""
    qualified = anchor("t-root", root().certificate.der, qualifiers=["bidding", "timestamp"])
    return world(("trust-anchor", qualified))


TRUSTING = trusting()


def clock(**changes: Any) -> Clock:
    """A timestamp authority below the CA of the little world."""
    return Clock(certificate=ca().issue(changed(clock_spec(KIND), **changes)), issuer=ca())


def name_of(octets: bytes) -> str:
    return f"sha256:{hashlib.sha256(octets).hexdigest()}"


def bare(lock: Issued, document: bytes = DOCUMENT, **more: Any) -> DocumentSignature:
    """A signature without CMS, over the document."""
    value = more.pop("value", None) or lock.key.sign(document)
    given = {"content": Octets(document), "message": Octets(value)} | more
    return DocumentSignature(signer=None, value=value, name=name_of(value), **given)


def of_message(octets: bytes, place: int = 0, **more: Any) -> DocumentSignature:
    """The signature of one signer of a message, with the timestamps that it holds."""
    read = parse_cms(octets)
    signer = read.signers[place]
    inside = frozenset(certificate.fingerprint for certificate in read.certificates)
    given = {"content": Octets(read.content or DOCUMENT), "timestamps": signer.timestamps, "inside": inside} | more
    return DocumentSignature(
        signer=signer, value=signer.signature, name=name_of(signer.signature), message=Octets(octets), **given
    )


def in_cms(lock: Issued, **said: Any) -> DocumentSignature:
    """The signature of a lock over the document, in a message of its own."""
    return of_message(message(DOCUMENT, Signed(by=lock, **said)))


def receipt(at: datetime, *covering: Issued | Authority, name: str = "urn:accord:test") -> ProvenTime:
    """A time that a receipt proves, of these certificates too; without any, of the honest lock's and its CA's."""
    there = frozenset(certificate_of(entry).fingerprint for entry in covering or (honest_lock(), ca()))
    return ProvenTime(
        instant=at, kind="receipt", digest=name_of(at.isoformat().encode()), name=name, certificates=there
    )


def judge_document(
    lock: Issued,
    document: DocumentSignature,
    lists: Shelf | None = None,
    policy: Policy = TRUSTING,
    now: datetime = AT,
    **members: Any,
) -> Decision:
    """The decision on a lock that signed a document."""
    query = ask(lock, policy, now, **members)
    profile = policy.profiles["lock"]
    evidence = LockEvidence(shown=document, paths=PathFinder(), revocation=shelf() if lists is None else lists)
    query, evidence = established(query, profile, policy, evidence, dated="valid_at" in members)
    dossier = Dossier(query=query, profile=profile, policy=policy, held=(), registers=(), lock=evidence)
    return decide(query, verify(dossier), policy.agreements_for(query.jurisdiction, query.purpose, query.type))


def judged_as(document: DocumentSignature, found: Established, lists: Shelf, lock: Issued | None = None) -> Decision:
    """The decision on a document of whose time that much is established."""
    query = ask(lock or honest_lock(), TRUSTING)
    assert found.proven is not None
    query = replace(query, valid_at=found.proven.instant)
    evidence = LockEvidence(shown=document, paths=PathFinder(), revocation=lists, established=found)
    profile = TRUSTING.profiles["lock"]
    dossier = Dossier(query=query, profile=profile, policy=TRUSTING, held=(), registers=(), lock=evidence)
    return decide(query, verify(dossier), TRUSTING.agreements_for(query.jurisdiction, query.purpose, query.type))


__all__ = [
    "DOCUMENT",
    "TRUSTING",
    "bare",
    "clock",
    "in_cms",
    "judge_document",
    "judged_as",
    "name_of",
    "of_message",
    "receipt",
]
