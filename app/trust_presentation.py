"""Trust anchors and accepted lists as people and programs read them, in one language."""

import base64
from typing import Any

from app.messages import Messages
from registry.issuer import IssuerKey, IssuerKeys
from registry.period import Period, format_instant
from registry.trust import AcceptedList, TrustAnchor


def span(period: Period) -> str:
    """A period in one word, as lists in the shell show it."""
    start = "…" if period.start is None else format_instant(period.start)
    end = "…" if period.end is None else format_instant(period.end)
    return f"[{start}, {end})"


def trust_anchor_view(anchor: TrustAnchor, messages: Messages) -> dict[str, Any]:
    """A trust anchor file with what its certificate says."""
    certificate = anchor.certificate
    return {
        "id": anchor.id,
        "version": anchor.version,
        "digest": anchor.digest,
        "name": messages.local(anchor.name),
        "role": anchor.role,
        "qualifiers": sorted(anchor.qualifiers),
        "jurisdictions": sorted(anchor.jurisdictions),
        "authority": anchor.authority,
        "from": anchor.effective.start,
        "until": anchor.effective.end,
        "certificate": {
            "subject": certificate.subject_text,
            "issuer": certificate.issuer_text,
            "serial": f"{certificate.serial:X}",
            "fingerprint": certificate.fingerprint,
            "key": anchor.key_digest,
            "der": base64.b64encode(certificate.der).decode(),
            "not_before": certificate.not_before,
            "not_after": certificate.not_after,
        },
        "revocation_urls": list(anchor.revocation_urls),
        "revocation_hosts": list(anchor.revocation_hosts),
        "confidence": anchor.confidence,
        "sources": list(anchor.sources),
    }


def accepted_list_view(accepted: AcceptedList, messages: Messages) -> dict[str, Any]:
    """An accepted list with all its lines, past ones too."""
    return {
        "id": accepted.id,
        "version": accepted.version,
        "digest": accepted.digest,
        "name": messages.local(accepted.name),
        "jurisdiction": accepted.jurisdiction,
        "relying_party": accepted.relying_party,
        "purposes": list(accepted.purposes),
        "entries": [
            {"ca": entry.ca, "from": entry.period.start, "until": entry.period.end} for entry in accepted.entries
        ],
        "legal_basis": [basis.statement() for basis in accepted.legal_basis],
        "confidence": accepted.confidence,
    }


def issuer_keys_view(file: IssuerKeys) -> dict[str, Any]:
    """All keys of one issuer, as one version of its file."""
    return {
        "id": file.id,
        "version": file.version,
        "digest": file.digest,
        "issuer": file.issuer,
        "keys": [issuer_key_view(key) for key in file.keys],
    }


def issuer_key_view(key: IssuerKey) -> dict[str, Any]:
    """An issuer's public key: whose, from when until when, and since when it is not safe."""
    return {
        "kid": key.public.kid,
        "issuer": key.issuer,
        "alg": key.public.alg,
        "from": key.period.start,
        "until": key.period.end,
        "compromised_from": key.compromised_from,
        "jwk": key.public.jwk(),
    }
