"""What a document's signature is over: the content itself, a stream of it, or a digest that somebody else took.

SM2 does not sign a digest of the content alone but e = SM3(Z‖M), where Z depends on the signer's key (GB/T 32918.2 §6):
so of a plain SM3 digest nobody can tell whether a raw signature of SM2 is right.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from cryptography.hazmat.primitives import hashes
from msgspec import Struct

from keys.algorithms.sm2 import DEFAULT_USER_ID
from keys.algorithms.sm2.curve import identity_digest
from keys.errors import MalformedError, quoted

_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sm3": hashes.SM3,
}

DIGESTS = tuple(_HASHES)
SM2_E = "sm2-e"
KINDS = (*DIGESTS, SM2_E)
"""The kinds of digest that may stand for the content; the last is e = SM3(Z‖M)."""

_CHUNK = 1 << 20  # bytes of a stream that are in memory at a time


class Content(Protocol):
    """The content in any of its forms. Each raises MalformedError "digest.insufficient" for what its form cannot give.

    A stream also raises what its source raises.
    """

    def digest(self, name: str) -> bytes:
        """Its digest by one of DIGESTS."""

    def sm2_digest(self, point: bytes) -> bytes:
        """The e = SM3(Z‖M) for the key of a point, uncompressed, under the default user id."""

    def octets(self) -> bytes:
        """The content itself, which Ed25519 signs."""


@dataclass(frozen=True, slots=True)
class Octets:
    """The content, whole and in memory. Each digest is taken once, however many signatures and timestamps ask."""

    content: bytes
    _taken: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def digest(self, name: str) -> bytes:
        """See `Content`."""
        found = self._taken.get(name)
        if found is None:
            found = self._taken[name] = _digest(name, (self.content,))
        return found

    def sm2_digest(self, point: bytes) -> bytes:
        """See `Content`."""
        return _digest("sm3", (identity_digest(point, DEFAULT_USER_ID), self.content))

    def octets(self) -> bytes:
        """See `Content`."""
        return self.content


@dataclass(frozen=True, slots=True)
class Stream:
    """Content of any length, opened anew and read in pieces for each digest: memory does not grow with it.

    Each digest is taken once, as of `Octets`.
    """

    open: Callable[[], BinaryIO]
    _taken: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def digest(self, name: str) -> bytes:
        """See `Content`."""
        found = self._taken.get(name)
        if found is None:
            found = self._taken[name] = self._passed(name, b"")
        return found

    def sm2_digest(self, point: bytes) -> bytes:
        """See `Content`."""
        return self._passed("sm3", identity_digest(point, DEFAULT_USER_ID))

    def octets(self) -> bytes:
        """Refused: Ed25519 reads the content twice, whole."""
        raise _insufficient("a signature of Ed25519 needs the content itself, in memory")

    def _passed(self, name: str, before: bytes) -> bytes:
        digest = hashes.Hash(_HASHES[name]())
        digest.update(before)
        with self.open() as source:
            while piece := source.read(_CHUNK):
                digest.update(piece)
        return digest.finalize()


class Digested(Struct, frozen=True):
    """A digest that somebody took of the content, of one of KINDS. Use `digested`, which looks at its length."""

    kind: str
    value: bytes

    def digest(self, name: str) -> bytes:
        """See `Content`."""
        if name != self.kind:
            raise _insufficient(f"the signature needs the content or its {name} digest; a digest {self.kind} was given")
        return self.value

    def sm2_digest(self, point: bytes) -> bytes:
        """See `Content`."""
        if self.kind != SM2_E:
            wanted = "a raw signature of SM2 needs the content or e = SM3(Z‖M)"
            raise _insufficient(f"{wanted}; a digest {self.kind} of the content was given")
        return self.value

    def octets(self) -> bytes:
        """See `Content`."""
        raise _insufficient("a signature of Ed25519 needs the content itself, not a digest")


def digested(kind: str, value: bytes) -> Digested:
    """A digest of one of KINDS. Raises MalformedError "digest.malformed" for another kind or length."""
    if kind not in KINDS:
        raise MalformedError("digest.malformed", f"digest kind {quoted(kind)} is not one of {', '.join(KINDS)}")
    size = hashes.SM3.digest_size if kind == SM2_E else _HASHES[kind]().digest_size
    if len(value) != size:
        raise MalformedError("digest.malformed", f"a digest {kind} has {size} bytes, not {len(value)}")
    return Digested(kind, value)


def _digest(name: str, parts: tuple[bytes, ...]) -> bytes:
    digest = hashes.Hash(_HASHES[name]())
    for part in parts:
        digest.update(part)
    return digest.finalize()


def _insufficient(detail: str) -> MalformedError:
    return MalformedError("digest.insufficient", detail)
