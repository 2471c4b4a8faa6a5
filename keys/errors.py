"""The refusals of `keys`: a stable code for programs and an English detail for people."""


class KeysError(Exception):
    """A refusal by `keys`. The detail never carries a secret, and shows foreign values only through `quoted`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class MalformedError(KeysError):
    """Bytes that do not have the form they must have, whoever made them."""


class SignatureError(KeysError):
    """Well-formed bytes that no key of ours is shown to have signed."""


class AlgorithmError(KeysError):
    """An algorithm or a kind of key that is not supported, or not allowed here."""


class CustodyError(KeysError):
    """A private key, passphrase or key directory that cannot be used as it stands. The detail names the mend."""


def quoted(value: object) -> str:
    """Shows a foreign value in a message: one short printable line, whatever was sent."""
    return repr(value[:48]) if isinstance(value, str) else f"a value of type {type(value).__name__}"
