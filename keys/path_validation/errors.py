"""The refusal of a certification path, with the step that refused it."""

from keys.errors import KeysError


class PathError(KeysError):
    """No certification path leads from an anchor to the certificate, or none that holds at the instant.

    The code is "path.no_anchor" (no certificate that we were given issued it, up to an anchor) or "path.invalid". The
    `step` is a stable word for programs: "no_anchor", "malformed", "profile", "unknown_critical_extension",
    "basic_constraints", "key_usage", "key_identifier", "purpose", "algorithm", "signature", "validity", "issuer_name",
    "name_constraints", "policy", "path_length", "revoked", "revocation", "too_complex", "other".
    """

    def __init__(self, step: str, detail: str) -> None:
        super().__init__("path.no_anchor" if step == "no_anchor" else "path.invalid", detail)
        self.step = step
