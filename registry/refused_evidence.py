"""Evidence that was brought along and proves nothing."""

from typing import Literal

from msgspec import Struct


class RefusedEvidence(Struct, frozen=True, kw_only=True):
    """Evidence that proves nothing, and why: a stable code and an English detail."""

    kind: Literal["timestamp", "receipt", "ocsp"]
    digest: str
    code: str
    detail: str
