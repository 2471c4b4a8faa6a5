"""Certificates in DER, written part by part and signed by nobody: for tests of reading, where anything may be wrong."""

from collections.abc import Mapping

from tests.support import der_writer as der
from tests.support.der_writer import Extension

ALGORITHM = der.ALGORITHM_IDENTIFIERS["sm2-sm3"]
NAME = der.name([("2.5.4.6", "CN"), ("2.5.4.10", "测试CA"), ("2.5.4.3", "测试CA")])
SUBJECT = der.name([("2.5.4.6", "CN"), ("2.5.4.10", "测试公司"), ("2.5.4.3", "测试公司")])
VALIDITY = der.sequence(der.tlv(0x17, b"260101000000Z"), der.tlv(0x17, b"280101000000Z"))
SPKI = der.elliptic_public_key(b"\x04" + bytes(64))

_ORDER = ("version", "serial", "algorithm", "issuer", "validity", "subject", "spki", "unique", "extensions")
_SOUND: Mapping[str, bytes] = {
    "version": der.explicit(0, der.integer(2)),
    "serial": der.integer(4711),
    "algorithm": ALGORITHM,
    "issuer": NAME,
    "validity": VALIDITY,
    "subject": SUBJECT,
    "spki": SPKI,
    "unique": b"",
    "extensions": b"",
}


def extended(*extensions: Extension | bytes) -> bytes:
    """The [3] of tbsCertificate; bytes are an Extension in DER as they are."""
    written = (extension.der if isinstance(extension, Extension) else extension for extension in extensions)
    return der.explicit(3, der.sequence(*written))


def written(
    *extensions: Extension | bytes, outer: bytes = ALGORITHM, signature: bytes | None = None, **parts: bytes
) -> bytes:
    """A certificate that is sound but for the parts that are given, each the DER to stand in its place."""
    said = {**_SOUND, **({"extensions": extended(*extensions)} if extensions else {}), **parts}
    tbs = der.sequence(*(said[part] for part in _ORDER))
    return der.sequence(tbs, outer, der.bit_string(bytes(70)) if signature is None else signature)


def named(*attributes: tuple[str, der.Text]) -> bytes:
    """A certificate with a subject of these attributes."""
    return written(subject=der.name(attributes))
