"""Base64url without padding (RFC 4648 §5, RFC 7515 §2), with exactly one text for every byte string."""

import binascii

from keys.errors import MalformedError

# To the standard alphabet, and the standard's own characters to one that is in neither.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")


def encode(data: bytes) -> str:
    """Encodes without padding."""
    # Two replacements are quicker than one translation.
    return binascii.b2a_base64(data, newline=False).replace(b"+", b"-").replace(b"/", b"_").decode("ascii").rstrip("=")


def decode(text: str) -> bytes:
    """Decodes exactly what `encode` produces.

    Raises MalformedError "base64url.alphabet", "base64url.length", or "base64url.not_canonical" when the bits left
    over in the last character are not zero (RFC 4648 §3.5), so that no change of any character goes unnoticed.
    """
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) % 4 == 1:
        raise MalformedError("base64url.length", f"no bytes encode to {len(raw)} characters of base64url")
    try:
        data = binascii.a2b_base64(raw.translate(_TO_STANDARD) + b"=" * (-len(raw) % 4), strict_mode=True)
    except binascii.Error as error:
        detail = "base64url holds only A-Z a-z 0-9 - _, without padding or white space"
        raise MalformedError("base64url.alphabet", detail) from error
    if encode(data) != text:
        raise MalformedError("base64url.not_canonical", "the unused bits of the last character are not zero")
    return data
