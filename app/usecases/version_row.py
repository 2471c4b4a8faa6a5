"""Turn a version of a credential into the row that is kept of it."""

import hmac
from datetime import datetime

from app.ports import VersionRow
from registry.canonical import canonical_json, digest
from registry.credential import Credential
from registry.credential import known_from as known_at


def person_salt(secret: bytes, credential_id: str) -> str:
    """The salt beside a natural person's name, from the store's own secret."""
    return hmac.digest(secret, credential_id.encode(), "sha256").hex()


def version_row(identity: str, number: str, version: Credential, known_from: datetime | None = None) -> VersionRow:
    """The row of a version, found by its holder as it stands when it becomes known; natural persons are not found."""
    content = canonical_json(version.content())
    subject = version.state_at(known_at(version)).subject
    public = subject.kind == "organisation"
    return VersionRow(
        credential_id=identity,
        type=version.type,
        number=number,
        issuer=version.issuer,
        known_from=known_from,
        digest=digest(content),
        content=content,
        subject_uscc=subject.uscc if public else None,
        subject_name=subject.name if public else None,
    )
