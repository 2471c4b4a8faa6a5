"""Private keys in software that sign as certificates and locks do: SM2 with SM3, or RSA by PKCS #1 v1.5 with SHA-256.

For demonstration authorities and test locks. A key that others rely on belongs in a certified device.
"""

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from keys.algorithms import sm2
from keys.algorithms.schemes import SCHEMES, SignatureScheme
from keys.custody.passphrase import usable
from keys.errors import AlgorithmError, CustodyError, MalformedError

FAMILIES = ("sm2", "rsa")

_RSA_BITS = 2048
_RSA_EXPONENT = 65537


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareKey:
    """A private key in memory. `spki` is its public half: SubjectPublicKeyInfo, DER."""

    spki: bytes
    _private: sm2.PrivateKey | rsa.RSAPrivateKey = field(repr=False, compare=False)

    @property
    def family(self) -> str:
        """One of FAMILIES."""
        return "rsa" if isinstance(self._private, rsa.RSAPrivateKey) else "sm2"

    @property
    def scheme(self) -> SignatureScheme:
        """How it signs."""
        return SCHEMES["rsa-pkcs1-sha256" if self.family == "rsa" else "sm2-sm3"]

    def sign(self, message: bytes) -> bytes:
        """Signs: DER for SM2, with the default user id; as many bytes as the modulus for RSA."""
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return sm2.sign(self._private, message)

    def pem(self, passphrase: bytes) -> bytes:
        """Gives PKCS #8 under a passphrase, which should be a random one: the cost of guessing differs by family.

        Raises CustodyError "key.passphrase_missing", "key.passphrase_unusable".
        """
        usable(passphrase)
        if isinstance(self._private, rsa.RSAPrivateKey):
            encryption = serialization.BestAvailableEncryption(passphrase)
            return self._private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
            )
        return self._private.pem(passphrase)


def available(family: str) -> bool:
    """Whether keys of the family can be made here: SM2 takes a libcrypto that has it."""
    if family == "rsa":
        return True
    try:
        sm2.generate()
    except AlgorithmError:
        return False
    return family == "sm2"


def generate(family: str) -> SoftwareKey:
    """Makes a key. Raises CustodyError "key.kind" for a family that is not of FAMILIES or cannot be had here."""
    if family not in FAMILIES:
        raise CustodyError("key.kind", f"keys of the kind {family!r} are not made; one of {', '.join(FAMILIES)}")
    if family == "rsa":
        return _of_rsa(rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS))
    try:
        return _of_sm2(sm2.generate())
    except AlgorithmError as error:
        raise CustodyError("key.kind", f"{error.detail}; use a Python whose OpenSSL has SM2, or RSA") from error


def load(pem: bytes, passphrase: bytes, family: str) -> SoftwareKey:
    """Opens what `SoftwareKey.pem` made, or `openssl pkcs8 -topk8` did. An unencrypted key is refused.

    Raises CustodyError "key.passphrase_missing", "key.passphrase_unusable", "key.passphrase_wrong", "key.damaged",
    "key.not_encrypted", "key.kind". The details name no file: the caller knows it.
    """
    usable(passphrase)
    if family == "rsa":
        return _load_rsa(pem, passphrase)
    try:
        return _of_sm2(sm2.PrivateKey.from_pem(pem, passphrase))
    except MalformedError as error:
        raise CustodyError("key.damaged", f"not a readable encrypted private key: {error.detail}") from error
    except AlgorithmError as error:
        raise CustodyError("key.kind", f"not a private key of SM2: {error.detail}") from error


def _load_rsa(pem: bytes, passphrase: bytes) -> SoftwareKey:
    try:
        private = serialization.load_pem_private_key(pem, passphrase)
    except TypeError as error:
        raise CustodyError("key.not_encrypted", "the private key is not encrypted; make a new one") from error
    except ValueError as error:
        # The encryption does not authenticate: a wrong passphrase and damaged ciphertext look the same.
        detail = "the passphrase does not open it; give the one it was made with, or restore the file"
        raise CustodyError("key.passphrase_wrong", detail) from error
    except UnsupportedAlgorithm as error:
        raise CustodyError("key.kind", "not a private key of RSA") from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise CustodyError("key.kind", "not a private key of RSA")
    return _of_rsa(private)


def _of_rsa(private: rsa.RSAPrivateKey) -> SoftwareKey:
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return SoftwareKey(spki=spki, _private=private)


def _of_sm2(private: sm2.PrivateKey) -> SoftwareKey:
    return SoftwareKey(spki=sm2.spki(private.point), _private=private)
