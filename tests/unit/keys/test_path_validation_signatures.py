"""The signatures of a path: which algorithms are verified, and what is said of the others."""

from datetime import UTC, datetime
from pathlib import Path as File

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keys.path_validation import Path, PathError, validate_path
from keys.path_validation.signatures import verify
from tests.support import der_writer as der
from tests.support.unsafe_sm2 import Key

PKITS = File(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
PKITS_TIME = datetime(2011, 4, 15, tzinfo=UTC)
MESSAGE = b"what was signed"

DSA_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.3.2"))
DSA_SHA1 = der.sequence(der.oid("1.2.840.10040.4.3"))


@pytest.fixture(scope="module")
def key() -> dsa.DSAPrivateKey:
    return dsa.generate_private_key(1024)


def spki(key: dsa.DSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def refusal(spki_der: bytes, algorithm: bytes, signature: bytes = b"", message: bytes = MESSAGE) -> PathError:
    with pytest.raises(PathError) as caught:
        verify(spki_der, algorithm, signature, message, None)
    return caught.value


@pytest.mark.parametrize(("algorithm", "digest"), [(DSA_SHA256, hashes.SHA256()), (DSA_SHA1, hashes.SHA1())])
def test_dsa_is_verified(key: dsa.DSAPrivateKey, algorithm: bytes, digest: hashes.HashAlgorithm) -> None:
    signature = key.sign(MESSAGE, digest)
    verify(spki(key), algorithm, signature, MESSAGE, None)
    assert refusal(spki(key), algorithm, signature, b"something else").step == "signature"
    assert refusal(spki(key), algorithm, b"no signature").step == "signature"


def test_dsa_with_another_key_is_refused(key: dsa.DSAPrivateKey) -> None:
    assert refusal(Key("p-256", "").spki, DSA_SHA256).step == "algorithm"
    assert refusal(spki(key), der.ALGORITHM_IDENTIFIERS["ecdsa-sha256"]).step == "algorithm"
    assert refusal(b"no key", DSA_SHA256).step == "malformed"


def test_dsa_is_asked_for_like_the_others(key: dsa.DSAPrivateKey) -> None:
    signature = key.sign(MESSAGE, hashes.SHA256())
    with pytest.raises(PathError) as caught:
        verify(spki(key), DSA_SHA256, signature, MESSAGE, lambda scheme, key: f"{scheme.name} of {key.bits} bits")
    assert (caught.value.step, caught.value.detail) == ("algorithm", "dsa-sha256 of 1024 bits")


def test_algorithms_that_nobody_knows_are_refused() -> None:
    refused = refusal(Key("p-256", "").spki, der.sequence(der.oid("1.2.156.999999.1")))
    assert refused.step == "algorithm"
    assert "1.2.156.999999.1" in refused.detail


@pytest.mark.parametrize("algorithm", [b"", b"no DER", der.integer(1), der.sequence(), der.sequence(der.integer(1))])
def test_algorithms_that_cannot_be_read_are_refused(algorithm: bytes) -> None:
    assert refusal(Key("p-256", "").spki, algorithm).step == "malformed"


def pkits(*names: str, crls: tuple[str, ...]) -> Path:
    anchor, *chain, leaf = [
        (PKITS / "certs" / f"{name}.crt").read_bytes() for name in ("TrustAnchorRootCertificate", *names)
    ]
    given = [(PKITS / "crls" / f"{name}.crl").read_bytes() for name in ("TrustAnchorRootCRL", *crls)]
    return validate_path(leaf, chain, [anchor], PKITS_TIME, crls=given)


def test_a_dsa_path_holds() -> None:
    """NIST PKITS 4.1.4."""
    assert pkits("DSACACert", "ValidDSASignaturesTest4EE", crls=("DSACACRL",)).certificates


def test_dsa_parameters_are_inherited_by_certificates_and_crls() -> None:
    """NIST PKITS 4.1.5, of which certvalidator by itself refuses the CRL."""
    names = ("DSACACert", "DSAParametersInheritedCACert", "ValidDSAParameterInheritanceTest5EE")
    assert pkits(*names, crls=("DSACACRL", "DSAParametersInheritedCACRL")).certificates
    with pytest.raises(PathError) as caught:
        pkits(*names, crls=("DSACACRL",))
    assert caught.value.step == "revocation"
