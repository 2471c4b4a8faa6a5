"""Custody of private keys: whatever can sign is a `Signer`, wherever its key is held."""

from typing import Protocol

from keys.public_key import PublicKey


class Signer(Protocol):
    """Something that signs with one private key and never shows it."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    @property
    def alg(self) -> str:
        """The JOSE name of the algorithm."""

    @property
    def kid(self) -> str:
        """The name of the key: its thumbprint."""

    @property
    def remote(self) -> bool:
        """Whether signing waits for something outside this process, which may be slow or fail."""

    def sign(self, message: bytes) -> bytes:
        """Signs as JWS does (RFC 7518 §3). Raises CustodyError where a remote key cannot be reached."""
