"""A certificate as people hand it in: PEM, base64 of any line length and alphabet, or DER."""

import binascii
import re

from keys import der
from keys.certificate import names
from keys.certificate.structure import MAX_LENGTH, Certificate, parse_certificate
from keys.errors import MalformedError, quoted

_MAX_INPUT = 4 * MAX_LENGTH  # PEM takes less than 1.5; some tools write the certificate out before it

_BEGIN = re.compile(r"-----BEGIN ([^\r\n-]{0,64})-----")
_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})  # RFC 7468 §5.1
_PRIVATE = re.compile(r"BEGIN[^\r\n]{0,64}PRIVATE[\s_-]{0,3}KEY", re.IGNORECASE)
_WHITE_SPACE = b" \t\r\n\v\f"
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")

_EXPOSED = "this looks like a private key: treat it as exposed, and never send it anywhere"


def read_certificate(text: str | bytes) -> Certificate:
    """Reads the one certificate that is given.

    Raises MalformedError "certificate.malformed", "certificate.too_large", "certificate.several", or
    "certificate.private_key" for what looks like a private key, which must then be treated as exposed.
    """
    if len(text) > _MAX_INPUT:
        unit = "characters" if isinstance(text, str) else "bytes"
        raise MalformedError("certificate.too_large", f"{len(text)} {unit}, of at most {_MAX_INPUT}")
    if isinstance(text, bytes):
        if text[:1] == b"\x30":
            return _from_der(text)
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _malformed("neither DER nor text in UTF-8") from error
    return _from_der(_decoded(text.removeprefix("\ufeff")))


def _decoded(text: str) -> bytes:
    if text.startswith("M"):  # as a SEQUENCE does in base64
        try:
            # What programs send: nothing but base64 in one line, so nothing of what is looked for below.
            return binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            pass
    return _searched(text)


def _searched(text: str) -> bytes:
    # The regular expression reads slowly, and hardly ever has to.
    if "KEY" in text.upper() and _PRIVATE.search(text):
        raise MalformedError("certificate.private_key", _EXPOSED)
    begins = list(_BEGIN.finditer(text))
    if not begins:
        return _base64(text)
    for begin in begins:
        if begin[1] not in _LABELS:
            raise _malformed(f"PEM of {quoted(names.shown(begin[1]))}, not of a CERTIFICATE")
    if len(begins) > 1:
        raise MalformedError("certificate.several", f"{len(begins)} certificates in PEM where one belongs")
    body, end, _ = text[begins[0].end() :].partition(f"-----END {begins[0][1]}-----")
    if not end:
        raise _malformed("PEM that does not end as it began")
    return _base64(body)


def _base64(text: str) -> bytes:
    """Decodes either alphabet, with or without padding and line breaks."""
    try:
        characters = text.strip().encode("ascii").translate(_TO_STANDARD, _WHITE_SPACE)
    except UnicodeEncodeError as error:
        raise _malformed("neither PEM nor base64") from error
    body = characters.rstrip(b"=")
    if not body:
        raise _malformed("nothing was given")
    try:
        return binascii.a2b_base64(body + b"=" * (-len(body) % 4), strict_mode=True)
    except binascii.Error as error:
        cut_off = len(body) % 4 == 1 and _BASE64.fullmatch(body)
        raise _malformed("base64 that is cut off" if cut_off else "neither PEM nor base64") from error


def _from_der(data: bytes) -> Certificate:
    if len(data) > MAX_LENGTH:
        raise MalformedError("certificate.too_large", f"{len(data)} bytes of DER, of at most {MAX_LENGTH}")
    try:
        return parse_certificate(data)
    except MalformedError:
        _refuse_relatives(data)
        raise


def _refuse_relatives(data: bytes) -> None:
    """Names what is not a certificate, but often given for one."""
    try:
        _, _, end = der.header(data, 0, len(data))
        parts = der.sequence(der.parse(data[:end]))
    except MalformedError:
        return
    tags = [part.tag for part in parts]
    if data[end : end + 1] == b"\x30" and tags == [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING]:
        raise MalformedError("certificate.several", "more DER follows the end of the first certificate")
    # PKCS#8, PKCS#1, SEC 1 and PKCS#12 begin with a version; EncryptedPrivateKeyInfo is an algorithm and octets.
    versioned = tags[:1] == [der.INTEGER] and parts[0].end - parts[0].content == 1
    if versioned or tags == [der.SEQUENCE, der.OCTET_STRING]:
        raise MalformedError("certificate.private_key", _EXPOSED)


def _malformed(what: str) -> MalformedError:
    return MalformedError("certificate.malformed", what)
