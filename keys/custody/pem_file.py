"""Private keys in PEM files: PKCS#8, encrypted under a passphrase, for the owner's eyes only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from keys import algorithms
from keys.algorithms import sm2
from keys.algorithms.ecdsa import ES256
from keys.custody import files
from keys.custody.passphrase import usable
from keys.errors import AlgorithmError, CustodyError, KeysError
from keys.public_key import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PemSigner:
    """A `keys.custody.Signer` whose private key was read into memory."""

    public: PublicKey
    _sign: Callable[[bytes], bytes] = field(repr=False, compare=False)

    @property
    def alg(self) -> str:
        """The JOSE name of the algorithm."""
        return self.public.alg

    @property
    def kid(self) -> str:
        """The name of the key: its thumbprint."""
        return self.public.kid

    @property
    def remote(self) -> bool:
        """False: the key is in memory."""
        return False

    def sign(self, message: bytes) -> bytes:
        """Signs as JWS does (RFC 7518 §3)."""
        return self._sign(message)


def generate(path: Path, passphrase: bytes, alg: str = ES256.name) -> PemSigner:
    """Makes a key of an algorithm in a new file, mode 0600, on disk when this returns.

    The file's own cost of guessing may be low (PBKDF2, 2048 rounds: all that `cryptography` offers), so let the
    passphrase be a random one. Raises CustodyError "key.passphrase_missing", "key.passphrase_unusable", "key.kind"
    where keys for the algorithm cannot be made here, AlgorithmError "signature.algorithm_unknown", and what
    `files.create` raises.
    """
    usable(passphrase)
    algorithm = algorithms.named(alg)
    try:
        private = algorithm.generate()
    except AlgorithmError as error:
        mend = "use a Python whose OpenSSL has it, or another algorithm"
        raise CustodyError("key.kind", f"keys for {alg} cannot be made here: {error.detail}; {mend}") from error
    files.create(path, _pem(private, passphrase))
    return _signer(private)


def load(path: Path, passphrase: bytes) -> PemSigner:
    """Opens an encrypted key of any algorithm in the table.

    Raises CustodyError "key.passphrase_missing", "key.passphrase_unusable", "key.damaged", "key.not_encrypted",
    "key.passphrase_wrong", "key.kind", and what `files.read_secret` raises.
    """
    usable(passphrase)
    pem = files.read_secret(path)
    _check_encrypted(path, pem)
    try:
        return _signer(_opened(pem, passphrase))
    except ValueError as error:
        # The encryption does not authenticate: a wrong passphrase and damaged ciphertext look the same.
        detail = f"{path}: the passphrase does not open it; set the one it was made with, or restore the file"
        raise CustodyError("key.passphrase_wrong", detail) from error
    except KeysError as error:
        detail = f"{path}: not a private key of {_kinds()} that opens here ({error.detail}); give the file of one"
        raise CustodyError("key.kind", detail) from error


def _pem(private: Any, passphrase: bytes) -> bytes:
    if isinstance(private, sm2.PrivateKey):
        return private.pem(passphrase)
    encryption = serialization.BestAvailableEncryption(passphrase)
    pem: bytes = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return pem


def _opened(pem: bytes, passphrase: bytes) -> object:
    """Raises ValueError unless the passphrase opens it, KeysError for a key of a kind that nothing here reads."""
    try:
        return serialization.load_pem_private_key(pem, passphrase)
    except UnsupportedAlgorithm:
        # The package opens the file before it sees that it does not know the curve, so this is no second guess.
        return sm2.PrivateKey.from_pem(pem, passphrase)


def _signer(private: object) -> PemSigner:
    """Raises AlgorithmError "key.kind" for a key of no algorithm in the table."""
    for algorithm in algorithms.ALGORITHMS.values():
        try:
            public = algorithm.public(private)
        except AlgorithmError:
            continue
        return PemSigner(public=PublicKey.of(public, algorithm.name), _sign=algorithm.signing(private))
    raise AlgorithmError("key.kind", f"not a private key of {_kinds()}")


def _kinds() -> str:
    return " or ".join(algorithms.ALGORITHMS)


def _check_encrypted(path: Path, pem: bytes) -> None:
    """Tells a damaged or unencrypted file from a wrong passphrase: only a sound encrypted key asks for one."""
    try:
        serialization.load_pem_private_key(pem, None)
    except TypeError:
        return
    except (ValueError, UnsupportedAlgorithm) as error:
        # A key on a curve that the package does not know still shows by its label that it is open (RFC 7468 §10).
        if isinstance(error, ValueError) or b"ENCRYPTED" in pem:
            raise CustodyError("key.damaged", f"{path}: not a readable PEM private key; restore it") from error
    mend = "encrypt it with openssl pkcs8 -topk8 -v2 aes-256-cbc, or make a new key"
    raise CustodyError("key.not_encrypted", f"{path}: the private key is not encrypted; {mend}")
