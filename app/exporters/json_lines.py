"""JSON lines: one credential a line, everything as it is held."""

import orjson

from app.exporters.rows import Claims, bounded
from app.importers.json_lines import MAX_LINE
from registry.profile import CredentialProfile

_WHERE_SAID = ("status_since", "successor")


class JsonLines:
    """Implements `app.exporters.RowWriter`."""

    def __init__(self, profile: CredentialProfile, issuer: str) -> None:
        self._same = {"type": profile.id, "issuer": issuer}

    def head(self) -> bytes:
        """Nothing stands before the first line."""
        return b""

    def row(self, claims: Claims) -> bytes:
        """One object. Raises `RowUntold`."""
        said = {name: value for name, value in claims.items() if value is not None or name not in _WHERE_SAID}
        return bounded(orjson.dumps(self._same | said) + b"\n", MAX_LINE)
