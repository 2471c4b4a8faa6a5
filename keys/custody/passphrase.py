"""The passphrase that opens private keys, from the one place where it is set."""

import os
import re
import secrets
from pathlib import Path

from keys.custody import files
from keys.errors import CustodyError

_SETTINGS = "ACCORD_KEY_PASSPHRASE_FILE (a file with mode 0600) or ACCORD_KEY_PASSPHRASE"
_MAX = 1023  # bytes; the longest that PKCS#8 encryption takes


def from_sources(file: Path | None, value: str | None) -> bytes:
    """Takes the passphrase from a file, less one newline at its end, or from a value; an empty value is none.

    Raises CustodyError "key.passphrase_missing", "key.passphrase_twice", "key.passphrase_unusable", and what
    `files.read_secret` raises.
    """
    if file is not None and value:
        raise CustodyError("key.passphrase_twice", f"two passphrases are set; set only one of {_SETTINGS}")
    if file is not None:
        passphrase = re.sub(rb"\r?\n\Z", b"", files.read_secret(file), count=1)
    else:
        passphrase = _bytes_of(value or "")
    return usable(passphrase)


def make(file: Path) -> bytes:
    """Writes a random passphrase to a new file, mode 0600, and gives it. Raises OSError, also where there is a file."""
    text = secrets.token_urlsafe(32)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text + "\n")
    return text.encode()


def usable(passphrase: bytes) -> bytes:
    """Gives the passphrase back. Raises CustodyError "key.passphrase_missing", "key.passphrase_unusable"."""
    if not passphrase:
        raise CustodyError("key.passphrase_missing", f"the key passphrase is missing or empty; set {_SETTINGS}")
    if len(passphrase) > _MAX:
        raise CustodyError("key.passphrase_unusable", f"the key passphrase has more than {_MAX} bytes; shorten it")
    return passphrase


def _bytes_of(value: str) -> bytes:
    try:
        # Bytes of the environment that are not UTF-8 reach us as surrogates, and go back to what they were.
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Not chained: the cause would carry the passphrase.
        raise CustodyError("key.passphrase_unusable", "the key passphrase is not text; set another") from None
