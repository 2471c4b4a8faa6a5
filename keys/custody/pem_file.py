"""Private keys in PEM files: PKCS#8, encrypted under a passphrase, for the owner's eyes only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from keys import algorithms
from keys.algorithms.ecdsa import ES256
from keys.custody import files
from keys.custody.passphrase import usable
from keys.errors import AlgorithmError, CustodyError
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

    def sign(self, message: bytes) -> bytes:
        """Signs as JWS does (RFC 7518 §3)."""
        return self._sign(message)


def generate(path: Path, passphrase: bytes, alg: str = ES256.name) -> PemSigner:
    """Makes a key of an algorithm in a new file, mode 0600, on disk when this returns.

    The file's own cost of guessing is low (PBKDF2, 2048 rounds: all the library offers), so let the passphrase be a
    random one. Raises CustodyError "key.passphrase_missing", "key.passphrase_unusable", AlgorithmError
    "signature.algorithm_unknown", and what `files.create` raises.
    """
    encryption = serialization.BestAvailableEncryption(usable(passphrase))
    private: Any = algorithms.named(alg).generate()
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    files.create(path, pem)
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
        return _signer(serialization.load_pem_private_key(pem, passphrase))
    except ValueError as error:
        # The encryption does not authenticate: a wrong passphrase and damaged ciphertext look the same.
        detail = f"{path}: the passphrase does not open it; set the one it was made with, or restore the file"
        raise CustodyError("key.passphrase_wrong", detail) from error
    except (UnsupportedAlgorithm, AlgorithmError) as error:
        raise CustodyError("key.kind", f"{path}: not a private key of {_kinds()}; give the file of one") from error


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
        raise CustodyError("key.damaged", f"{path}: not a readable PEM private key; restore it") from error
    mend = "encrypt it with openssl pkcs8 -topk8 -v2 aes-256-cbc, or make a new key"
    raise CustodyError("key.not_encrypted", f"{path}: the private key is not encrypted; {mend}")
