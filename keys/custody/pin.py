"""The PIN that opens a PKCS #11 token, from the one place where it is set; never from a command line."""

from pathlib import Path

from keys.custody import files
from keys.errors import CustodyError

_SETTINGS = "ACCORD_PKCS11_PIN_FILE (a file with mode 0600) or ACCORD_PKCS11_PIN"


def from_sources(file: Path | None, value: str | None) -> str:
    """Takes the PIN from a file, less one newline at its end, or from a value; an empty value is none.

    Raises CustodyError "key.pin_missing", "key.pin_twice", "key.pin_unusable", and what `files.read_secret` raises.
    """
    if file is not None and value:
        raise CustodyError("key.pin_twice", f"two PINs are set; set only one of {_SETTINGS}")
    try:
        octets = (value or "").encode() if file is None else files.read_secret(file)
        pin = octets.decode()
    except UnicodeError:
        # Not chained: the cause would carry the PIN.
        raise CustodyError(
            "key.pin_unusable", f"the PIN of the token is not UTF-8; set another in {_SETTINGS}"
        ) from None
    if file is not None:
        pin = pin.removesuffix("\n").removesuffix("\r")
    if not pin:
        raise CustodyError("key.pin_missing", f"the PIN of the token is missing or empty; set {_SETTINGS}")
    return pin
