"""Others verify what we sign, and we verify what others sign."""

import json
import shutil
import subprocess
from pathlib import Path

import joserfc.jws
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from joserfc.jwk import ECKey

from keys import base64url
from keys.algorithms.ecdsa import ES256
from keys.custody import pem_file
from keys.custody.pem_file import PemSigner
from keys.errors import SignatureError
from keys.jws import sign_compact, verify_compact
from keys.key_ring import KeyRing
from keys.public_key import PublicKey

TYP = "test+jws"
ES256_ONLY = frozenset({"ES256"})
# GB/T 32918.5-2017 Annex A
SM2_X = "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
SM2_Y = "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
CLAIMS = {"name": "川渝互认", "number": 1}

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command")


@pytest.fixture(scope="module")
def foreign() -> ec.EllipticCurvePrivateKey:
    return ES256.generate()


@pytest.fixture(scope="module")
def foreign_public(foreign: ec.EllipticCurvePrivateKey) -> PublicKey:
    return PublicKey.of(foreign.public_key(), "ES256")


def public_pem(public: object) -> bytes:
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_pyjwt_verifies_ours(signer: PemSigner) -> None:
    token = sign_compact(json.dumps(CLAIMS).encode(), signer, TYP)
    assert jwt.decode(token, jwt.PyJWK(signer.public.jwk()), algorithms=["ES256"]) == CLAIMS
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": signer.kid, "typ": TYP}


def test_pyjwt_passes_over_a_key_that_only_we_know(signer: PemSigner) -> None:
    """So a JWKS with SM2 keys in it still serves for receipts by others."""
    x, y = (base64url.encode(bytes.fromhex(number)) for number in (SM2_X, SM2_Y))
    jwk = {"kty": "EC", "crv": "SM2", "x": x, "y": y}
    ring = KeyRing(keys=(PublicKey.from_jwk(jwk), signer.public))
    token = sign_compact(json.dumps(CLAIMS).encode(), signer, TYP)
    (known,) = jwt.PyJWKSet.from_dict(ring.jwks()).keys
    assert known.key_id == signer.kid
    assert jwt.decode(token, known, algorithms=["ES256"]) == CLAIMS


def test_other_software_must_drop_what_is_revoked_itself(signer: PemSigner) -> None:
    """It does not know the member, which is why the README says so."""
    ring = KeyRing(keys=(signer.public.compromised(1),))
    token = sign_compact(json.dumps(CLAIMS).encode(), signer, TYP)
    with pytest.raises(SignatureError) as caught:
        verify_compact(token, ring, TYP, ES256_ONLY)
    assert caught.value.code == "key.compromised"
    published = ring.jwks()
    assert jwt.decode(token, jwt.PyJWKSet.from_dict(published).keys[0], algorithms=["ES256"]) == CLAIMS
    (jwk,) = published["keys"]
    assert joserfc.jws.deserialize_compact(token, ECKey.import_key(jwk), algorithms=["ES256"])
    assert [key for key in published["keys"] if "revoked" not in key] == []


def test_we_verify_pyjwt(foreign: ec.EllipticCurvePrivateKey, foreign_public: PublicKey) -> None:
    token = jwt.encode(CLAIMS, foreign, algorithm="ES256", headers={"kid": foreign_public.kid, "typ": TYP})
    verified = verify_compact(token, KeyRing(keys=(foreign_public,)), TYP, ES256_ONLY)
    assert json.loads(verified.payload) == CLAIMS


def test_joserfc_verifies_ours(signer: PemSigner) -> None:
    token = sign_compact(b"payload", signer, TYP)
    found = joserfc.jws.deserialize_compact(token, ECKey.import_key(dict(signer.public.jwk())), algorithms=["ES256"])
    assert found.payload == b"payload"


def test_we_verify_joserfc(foreign: ec.EllipticCurvePrivateKey, foreign_public: PublicKey) -> None:
    pem = foreign.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    header = {"alg": "ES256", "kid": foreign_public.kid, "typ": TYP}
    token = joserfc.jws.serialize_compact(header, b"payload", ECKey.import_key(pem))
    assert verify_compact(token, KeyRing(keys=(foreign_public,)), TYP, ES256_ONLY).payload == b"payload"


@needs_openssl
def test_openssl_verifies_ours(signer: PemSigner, tmp_path: Path) -> None:
    signing_input, _, signature = sign_compact(b"payload", signer, TYP).rpartition(".")
    raw = base64url.decode(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    (tmp_path / "public.pem").write_bytes(public_pem(signer.public.key))
    (tmp_path / "signature").write_bytes(der)
    command = ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature"]
    done = subprocess.run(command, input=signing_input.encode(), cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"Verified OK\n")
    done = subprocess.run(command, input=signing_input.encode() + b"A", cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0


@needs_openssl
def test_openssl_opens_our_key_and_we_open_and_verify_its(tmp_path: Path, passphrase: bytes) -> None:
    (tmp_path / "passphrase").write_bytes(passphrase + b"\n")
    ours = pem_file.generate(tmp_path / "ours.pem", passphrase)
    make = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc -pass file:passphrase -out theirs.pem"
    subprocess.run(["openssl", *make.split()], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "theirs.pem").chmod(0o600)
    theirs = pem_file.load(tmp_path / "theirs.pem", passphrase)
    for name, signer in (("ours.pem", ours), ("theirs.pem", theirs)):
        sign = ["openssl", "dgst", "-sha256", "-sign", name, "-passin", "file:passphrase"]
        der = subprocess.run(sign, input=b"message", cwd=tmp_path, capture_output=True, check=True).stdout
        r, s = decode_dss_signature(der)
        signer.public.verify(r.to_bytes(32, "big") + s.to_bytes(32, "big"), b"message")
