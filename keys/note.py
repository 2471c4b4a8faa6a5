"""Signed notes (C2SP signed-note): a text, and under it one line for each who signed it, by Ed25519.

What a note says is for its reader; here is only who signed these bytes.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from keys.algorithms.ed25519 import ED25519
from keys.custody import Signer
from keys.errors import AlgorithmError, MalformedError, SignatureError, quoted
from keys.public_key import PublicKey

MAX_NOTE = 256 * 1024  # bytes
MAX_SIGNATURES = 64
_ED25519 = b"\x01"
_COSIGNATURE = b"\x04"  # C2SP tlog-cosignature
_SIZE = 32
_DASH = "\u2014 "
_NAME = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")


class NoteKey(Struct, frozen=True, eq=False):
    """A public key under the name it signs notes by. In a note it is found by its name and four bytes of a digest."""

    name: str
    octets: bytes

    @classmethod
    def of(cls, name: str, key: PublicKey) -> Self:
        """Names a key. Raises AlgorithmError "key.kind", MalformedError "note.name"."""
        jwk = ED25519.public_jwk(key.key)
        return cls(_name(name), base64.urlsafe_b64decode(jwk["x"] + "="))

    @classmethod
    def read(cls, text: str) -> Self:
        """Reads a verifier key, `name+hash+key`. Raises MalformedError "note.key_malformed", "note.name"."""
        name, *rest = text.strip().split("+", 2)
        try:
            shown, content = rest
            octets = base64.b64decode(content, validate=True)
        except ValueError as error:
            raise MalformedError("note.key_malformed", "a verifier key is name+hash+key") from error
        key = cls(_name(name), octets[1:])
        if octets[:1] != _ED25519 or len(octets) != 1 + _SIZE or key.digest.hex() != shown:
            raise MalformedError("note.key_malformed", "not an Ed25519 verifier key, or damaged")
        return key

    @property
    def digest(self) -> bytes:
        """The four bytes that stand before a signature by this key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.octets).digest()[:4]

    @property
    def cosigning_digest(self) -> bytes:
        """The four bytes that stand before a cosignature by this key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _COSIGNATURE + self.octets).digest()[:4]

    def text(self) -> str:
        """The verifier key, as it is handed out."""
        return f"{self.name}+{self.digest.hex()}+{base64.b64encode(_ED25519 + self.octets).decode()}"

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raises SignatureError "signature.wrong" unless the key signed the message."""
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(self.octets).decode().rstrip("=")}
        ED25519.verify(ED25519.public_from_jwk(jwk), signature, message)


def sign_note(text: str, name: str, signer: Signer) -> bytes:
    """Signs a text, lines that each end in a newline. Raises AlgorithmError "key.kind", MalformedError "note.name"."""
    if signer.alg != ED25519.name:
        raise AlgorithmError("key.kind", f"notes are signed by Ed25519, not {signer.alg}")
    key = NoteKey.of(name, signer.public)
    signature = base64.b64encode(key.digest + signer.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{name} {signature}\n".encode()


def cosign(note: bytes, name: str, signer: Signer, seconds: int) -> bytes:
    """Adds a witness's line to a note, dated in seconds since 1970 (C2SP tlog-cosignature).

    The caller has verified the log's own signature, and that the log only grew since it was last seen. Raises
    MalformedError "note.malformed", "note.name", AlgorithmError "key.kind".
    """
    text, _ = _parts(note)
    key = NoteKey.of(name, signer.public)
    signature = signer.sign(_dated(text, seconds))
    value = base64.b64encode(key.cosigning_digest + seconds.to_bytes(8, "big") + signature).decode()
    return note + f"{_DASH}{name} {value}\n".encode()


def cosigned_at(note: bytes, key: NoteKey) -> int:
    """When a witness cosigned a note, in seconds since 1970; of several times the latest.

    Raises MalformedError "note.malformed", SignatureError "signature.wrong" or "note.unsigned".
    """
    text, signatures = _parts(note)
    found: list[int] = []
    for name, value in signatures:
        if (name, value[:4]) == (key.name, key.cosigning_digest):
            seconds = int.from_bytes(value[4:12], "big")
            key.verify(value[12:], _dated(text, seconds))
            found.append(seconds)
    if not found:
        raise SignatureError("note.unsigned", f"{quoted(key.name)} did not cosign it")
    return max(found)


def _dated(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def open_note(note: bytes, keys: Iterable[NoteKey]) -> str:
    """The text of a note that at least one of these keys signed, and none of them wrongly.

    Signatures by others are passed over, as the format asks. Raises MalformedError "note.malformed", SignatureError
    "signature.wrong" or "note.unsigned".
    """
    text, signatures = _parts(note)
    known = {(key.name, key.digest): key for key in keys}
    signed = False
    for name, value in signatures:
        key = known.get((name, value[:4]))
        if key is not None:
            key.verify(value[4:], text.encode())
            signed = True
    if not signed:
        names = ", ".join(sorted(quoted(name) for name, _ in signatures))
        raise SignatureError("note.unsigned", f"none of the keys given signed it; who did: {names}")
    return text


def _parts(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > MAX_NOTE:
        raise _malformed(f"{len(note)} bytes, of at most {MAX_NOTE}")
    try:
        content = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed("not UTF-8") from error
    text, gap, block = content.rpartition("\n\n")
    if not gap or not block.endswith("\n") or any(character < " " and character != "\n" for character in content):
        raise _malformed("a text, an empty line and lines of signatures belong in it, and no control characters")
    lines = block.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _malformed(f"{len(lines)} signatures, of at most {MAX_SIGNATURES}")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    name, gap, value = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not gap or not _NAME.fullmatch(name):
        raise _malformed("a line of signatures is a dash, a name and base64")
    try:
        octets = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("a signature is not base64") from error
    if len(octets) < 5:
        raise _malformed("a signature is too short")
    return name, octets


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise MalformedError(
            "note.name", f"{quoted(name)} is no name for a key: no spaces, no plus, no control characters"
        )
    return name


def _malformed(what: str) -> MalformedError:
    return MalformedError("note.malformed", f"not a signed note: {what}")
