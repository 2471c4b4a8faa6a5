"""Evidence that an asker brings: timestamps, OCSP responses, and receipts of this node over the same signature."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from app.usecases.octets import octets_of
from app.usecases.verify_receipt import verify_receipt
from keys.certificate import Certificate
from keys.key_ring import KeyRing
from registry.errors import Fault, QueryRefused
from registry.evidence import ProvenTime
from registry.period import InstantError, parse_instant
from registry.query import Members
from registry.refused_evidence import RefusedEvidence

KINDS = ("timestamp", "ocsp", "receipt")
MAX_EVIDENCE = 16


class Evidence(Struct, frozen=True, kw_only=True):
    """One piece of evidence: of a receipt the text, of the others their DER."""

    kind: str
    octets: bytes


def read_evidence(members: Members) -> tuple[Evidence, ...]:
    """The member `evidence`; notes what is wrong with it. What a piece is worth is judged later."""
    given = members.content.get("evidence")
    if given is None:
        return ()
    if not isinstance(given, list):
        members.fault("evidence", "query.wrong_kind", name="evidence", wanted="list")
        return ()
    if len(given) > MAX_EVIDENCE:
        members.fault("evidence", "query.too_long", name="evidence", limit=str(MAX_EVIDENCE))
        return ()
    found = [_read_piece(members, place, entry) for place, entry in enumerate(given)]
    return tuple(piece for piece in found if piece is not None)


def _read_piece(members: Members, place: int, entry: Any) -> Evidence | None:
    pointer = f"/evidence/{place}"
    if not isinstance(entry, dict):
        params = {"name": "evidence", "wanted": "object"}
        members.faults.append(Fault(pointer=pointer, code="query.wrong_kind", params=params))
        return None
    piece = Members(entry, pointer, members.faults)
    piece.only(("kind", "value"))
    kind, value = piece.text("kind", required=True), entry.get("value")
    if kind is not None and kind not in KINDS:
        piece.fault("kind", "query.value_not_allowed", name="kind", allowed=", ".join(KINDS))
        return None
    if not isinstance(value, str) or not value.strip():
        piece.fault("value", "query.member_missing", name="value")
        return None
    if kind is None:
        return None
    if kind == "receipt":
        return Evidence(kind=kind, octets=value.strip().encode(errors="replace"))
    try:
        return Evidence(kind=kind, octets=octets_of(value, f"{pointer}/value", "value"))
    except QueryRefused as refusal:
        members.faults.extend(refusal.faults)
        return None


class SignatureReceipt(Struct, frozen=True, kw_only=True):
    """A receipt of this node: which signatures, by whose certificates, it shows to have existed when it was issued."""

    proven: ProvenTime
    signatures: Mapping[tuple[str, str], frozenset[str]]
    """By digest of a signature value and fingerprint of its certificate: the fingerprints of the path then."""
    message: str
    """Digest of what was handed in as signature, whole."""
    tokens: frozenset[str]
    """The digests of the timestamps that proved a time then."""

    def is_about(self, name: str, certificate: Certificate) -> bool:
        """Whether it names the signature by that certificate."""
        return (name, certificate.fingerprint) in self.signatures

    def proves(self, name: str, certificate: Certificate, message: str, inside: Iterable[bytes]) -> ProvenTime:
        """The time, with the certificates and timestamps that were there too.

        Of the timestamps inside, only if it was this very message.
        """
        there = inside if message == self.message else ()
        path = self.signatures[name, certificate.fingerprint]
        return replace(
            self.proven,
            certificates=path.union((certificate.fingerprint,)),
            tokens=self.tokens.union(map(_digest, there)),
        )


def read_receipts(
    evidence: Iterable[Evidence], ring: KeyRing, *, livemode: bool
) -> tuple[tuple[SignatureReceipt, ...], tuple[RefusedEvidence, ...]]:
    """The receipts among the evidence that this node's own keys signed, and why the others prove nothing."""
    good, refused = list[SignatureReceipt](), list[RefusedEvidence]()
    for piece in evidence:
        if piece.kind != "receipt":
            continue
        digest = _digest(piece.octets)
        verdict = verify_receipt(piece.octets.decode("utf-8", "replace"), ring)
        if verdict.claims is None:
            code, detail = verdict.code or "receipt.claims", verdict.why or ""
            refused.append(RefusedEvidence(kind="receipt", digest=digest, code=code, detail=detail))
            continue
        signers = _signers(verdict.claims)
        found = _signatures(signers)
        instant = _instant(verdict.claims)
        if not found or instant is None or verdict.claims["livemode"] is not livemode:
            detail = "a receipt over something else than signatures, or of a store of another mode"
            refused.append(RefusedEvidence(kind="receipt", digest=digest, code="receipt.other", detail=detail))
            continue
        proven = ProvenTime(
            instant=instant, kind="receipt", digest=digest, name=str(verdict.claims["iss"]), kid=verdict.kid
        )
        message = str(verdict.claims["signature"].get("digest"))
        good.append(SignatureReceipt(proven=proven, signatures=found, message=message, tokens=_tokens(signers)))
    return tuple(good), tuple(refused)


def _signers(claims: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    signature = claims.get("signature")
    signers = signature.get("signers") if isinstance(signature, dict) else None
    return [signer for signer in signers if isinstance(signer, dict)] if isinstance(signers, list) else []


def _signatures(signers: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], frozenset[str]]:
    return {
        (signer["signature"], signer["certificate"]): _path(signer)
        for signer in signers
        if isinstance(signer.get("signature"), str) and isinstance(signer.get("certificate"), str)
    }


def _path(signer: Mapping[str, Any]) -> frozenset[str]:
    path = signer.get("path")
    return frozenset(map(str, path if isinstance(path, list) else ()))


def _tokens(signers: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    times = [signer.get("proven_time") for signer in signers]
    return frozenset(
        str(time.get("digest")) for time in times if isinstance(time, dict) and time.get("kind") == "timestamp"
    )


def _instant(claims: Mapping[str, Any]) -> datetime | None:
    try:
        return parse_instant(str(claims["evaluated_at"]))
    except InstantError:
        return None


def _digest(octets: bytes) -> str:
    return f"sha256:{hashlib.sha256(octets).hexdigest()}"
