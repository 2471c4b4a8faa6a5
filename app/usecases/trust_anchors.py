"""Import and retire trust anchors: each makes the next version of a file, and nothing is ever taken back."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any

from app.fetchers import FetchError
from app.fetchers.destination import destination
from app.usecases.policy_version import name_member, period_members, policy_version, said, source_of
from keys.algorithms.schemes import load_key
from keys.certificate import FATAL_ODDITIES, Certificate, read_certificate
from keys.errors import KeysError
from registry.document import LocalText, PolicyDocument
from registry.errors import PolicyError
from registry.period import Period, format_instant
from registry.trust import Trust, TrustAnchor, read_trust_anchor

KIND = "trust-anchor"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorStatement:
    """What an operator says of a certification authority. `certificate` is the file: PEM, base64 or DER."""

    id: str
    certificate: bytes
    name: LocalText
    role: str
    qualifiers: tuple[str, ...]
    authority: str | None
    jurisdictions: tuple[str, ...]
    effective: Period
    revocation_urls: tuple[str, ...]
    revocation_hosts: tuple[str, ...]
    sources: tuple[str, ...]


def import_trust_anchor(trust: Trust, statement: AnchorStatement) -> PolicyDocument | None:
    """The next version of the file, or None where it says all this already. Raises `PolicyError`.

    An id stays with its certificate: answers about the past need the old one beside the new.
    """
    source = source_of(KIND, statement.id)
    certificate = _certificate(source, statement.certificate)
    held = trust.anchors.get(statement.id)
    if held is not None and held.certificate != certificate:
        raise PolicyError(
            source,
            "certificate",
            f"is not that of version {held.version} ({held.certificate.fingerprint});"
            " import it under another id and let the old one stand or retire it",
        )
    for url in statement.revocation_urls:
        try:
            destination(url)
        except FetchError as error:
            raise PolicyError(source, "revocation_urls", error.detail) from None
    body = {
        "role": statement.role,
        "name": name_member(statement.name),
        "certificate": _pem(certificate),
        "authority": statement.authority,
        "qualifiers": sorted(statement.qualifiers),
        "jurisdictions": sorted(statement.jurisdictions),
        **period_members(statement.effective),
        "revocation_urls": list(statement.revocation_urls),
        "revocation_hosts": list(statement.revocation_hosts),
        "confidence": "S" if held is None else held.confidence,
        "sources": list(statement.sources),
    }
    return _next(held, statement.id, body)


def retire_trust_anchor(trust: Trust, identity: str, at: datetime) -> PolicyDocument | None:
    """The version in which the file ends at an instant, or None where it does already. Raises `PolicyError`."""
    source = source_of(KIND, identity)
    held = trust.anchors.get(identity)
    if held is None:
        known = ", ".join(trust.anchors) or "none"
        raise PolicyError(source, "id", f"is no trust anchor; known: {known}")
    end = held.effective.end
    if end is not None and end < at:
        raise PolicyError(source, "until", f"it ended before, at {format_instant(end)}")
    if held.effective.start is not None and at <= held.effective.start:
        raise PolicyError(source, "until", f"it begins only at {format_instant(held.effective.start)}")
    return _next(held, identity, {**_body(held), "until": format_instant(at)})


def _next(held: TrustAnchor | None, identity: str, body: Mapping[str, Any]) -> PolicyDocument | None:
    if held is not None and said(body) == said(_body(held)):
        return None
    document = policy_version(KIND, identity, 1 if held is None else held.version + 1, said(body))
    read_trust_anchor(document)
    return document


def _body(anchor: TrustAnchor) -> dict[str, Any]:
    """What a file says, but for its id and version."""
    return {
        "role": anchor.role,
        "name": name_member(anchor.name),
        "certificate": _pem(anchor.certificate),
        "authority": anchor.authority,
        "qualifiers": sorted(anchor.qualifiers),
        "jurisdictions": sorted(anchor.jurisdictions),
        **period_members(anchor.effective),
        "revocation_urls": list(anchor.revocation_urls),
        "revocation_hosts": list(anchor.revocation_hosts),
        "confidence": anchor.confidence,
        "sources": list(anchor.sources),
    }


def _certificate(source: str, content: bytes) -> Certificate:
    """The certificate of a file, if a path can be built with it. That it is a CA's is judged with the document."""
    try:
        certificate = read_certificate(content)
        load_key(certificate.spki)
    except KeysError as error:
        raise PolicyError(source, "certificate", error.detail) from None
    fatal = sorted(FATAL_ODDITIES.intersection(certificate.oddities))
    if fatal:
        raise PolicyError(source, "certificate", f"must not stand on a path: {', '.join(fatal)}")
    if certificate.key_usage is not None and "keyCertSign" not in certificate.key_usage:
        raise PolicyError(source, "certificate", "may not sign certificates (keyUsage without keyCertSign)")
    return certificate


def _pem(certificate: Certificate) -> str:
    lines = wrap(base64.b64encode(certificate.der).decode(), 64)
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))
