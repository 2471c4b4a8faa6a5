"""SM2 as receipts have it, by both backends. What all algorithms share is in `test_algorithms`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from keys import base64url
from keys.algorithms import sm2
from keys.algorithms.ecdsa import ES256
from keys.algorithms.sm2.jose import SM2
from keys.custody import pem_file
from keys.errors import AlgorithmError, MalformedError, SignatureError
from keys.jws import sign_compact, verify_compact
from keys.key_ring import KeyRing
from keys.public_key import PublicKey
from tests.support.requirements import require_keys_for
from tests.support.unsafe_sm2 import A, B, N, P, decode_point, on_curve, signature_raw, unsafe_generate

# GB/T 32918.5-2017 Annex A, whose user id is the default one.
X = bytes.fromhex("09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020")
Y = bytes.fromhex("ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13")
JWK = {"kty": "EC", "crv": "SM2", "x": base64url.encode(X), "y": base64url.encode(Y)}
MESSAGE = b"message digest"
SIGNATURE = bytes.fromhex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)
KEY = unsafe_generate("receipts")
ONLY = frozenset({"SM2"})


@pytest.fixture(params=sm2.BACKENDS, autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> sm2.Backend:
    """Every test here runs by both backends."""
    if request.param == "openssl":
        require_keys_for("SM2")
    chosen = sm2.backend(request.param)
    monkeypatch.setattr(sm2, "backend", lambda: chosen)
    return chosen


def both(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_gb_t_32918_5_annex_a(backend: sm2.Backend) -> None:
    public = SM2.public_from_jwk(JWK)
    assert type(public._backend) is type(backend)
    SM2.verify(public, SIGNATURE, MESSAGE)
    assert SM2.public_jwk(public) == JWK
    with pytest.raises(SignatureError):
        SM2.verify(public, SIGNATURE, MESSAGE + b"A")


def test_what_independent_software_signs_is_verified() -> None:
    public = SM2.public_from_jwk(SM2.public_jwk(sm2.public_key(KEY.point)))
    SM2.verify(public, signature_raw(KEY.sign(b"message")), b"message")
    for user_id in (b"", b"1234567812345679"):
        with pytest.raises(SignatureError):
            SM2.verify(public, signature_raw(KEY.sign(b"message", user_id)), b"message")


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(63),
        bytes(65),
        SIGNATURE + b"\0",
        SIGNATURE[:-1],
        SIGNATURE[32:] + SIGNATURE[:32],
        KEY.sign(MESSAGE),
        both(0, 0),
        both(0, 1),
        both(1, 0),
        both(N, 1),
        both(1, N),
        both(1, N - 1),
        both(2**256 - 1, 1),
        both(1, 1),
    ],
    ids=range(15),
)
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(SignatureError) as caught:
        SM2.verify(SM2.public_from_jwk(JWK), signature, MESSAGE)
    assert caught.value.code == "signature.wrong"


def coordinate(number: int) -> str:
    return base64url.encode(number.to_bytes(32, "big"))


def small_point() -> tuple[int, int]:
    """Finds a point whose x is so small that x + p still fits 32 bytes."""
    for x in range(1000):
        y = pow(x**3 + A * x + B, (P + 1) // 4, P)
        if on_curve((x, y)):
            return x, y
    raise AssertionError


@pytest.mark.parametrize(
    "change",
    [
        {"x": None},
        {"x": 1},
        {"x": ""},
        {"x": JWK["x"] + "="},
        {"x": JWK["x"][:-1]},
        {"x": JWK["x"][:-1] + "B"},
        {"x": "AA" + JWK["x"]},
        {"x": JWK["x"].replace("-", "+").replace("_", "/") + " "},
        {"y": base64url.encode(bytes(31))},
        {"y": base64url.encode(bytes(33))},
        {"y": base64url.encode(bytes(32))},
        {"x": base64url.encode(bytes(32)), "y": base64url.encode(bytes(32))},
        {"x": JWK["y"], "y": JWK["x"]},
        {"y": base64url.encode(P.to_bytes(32, "big"))},
    ],
)
def test_coordinates_that_are_no_point_are_refused(change: Mapping[str, object]) -> None:
    with pytest.raises(MalformedError) as caught:
        SM2.public_from_jwk({**JWK, **change})
    assert caught.value.code == "jwk.malformed"


def test_a_coordinate_has_one_form() -> None:
    x, y = small_point()
    SM2.public_from_jwk({"x": coordinate(x), "y": coordinate(y)})
    with pytest.raises(MalformedError):
        SM2.public_from_jwk({"x": coordinate(x + P), "y": coordinate(y)})


def test_a_coordinate_that_is_missing_is_refused() -> None:
    for name in ("x", "y"):
        with pytest.raises(MalformedError) as caught:
            PublicKey.from_jwk({member: value for member, value in JWK.items() if member != name})
        assert caught.value.code == "jwk.malformed"


def test_a_point_of_p_256_is_none_of_sm2() -> None:
    other = ES256.public_jwk(ES256.public(ES256.generate()))
    with pytest.raises(MalformedError) as caught:
        SM2.public_from_jwk({**other, "crv": "SM2"})
    assert caught.value.code == "jwk.malformed"


def test_a_token_verifies_and_no_character_of_it_can_change(tmp_path: Path) -> None:
    require_keys_for("SM2")
    signer = pem_file.generate(tmp_path / "key.pem", b"only for tests", "SM2")
    ring = KeyRing.from_jwks(KeyRing(keys=(pem_file.load(tmp_path / "key.pem", b"only for tests").public,)).jwks())
    token = sign_compact(b'{"decision":"recognized"}', signer, "test+jws")
    verified = verify_compact(token, ring, "test+jws", ONLY)
    assert (verified.alg, verified.kid, verified.payload) == ("SM2", signer.kid, b'{"decision":"recognized"}')
    for place, character in enumerate(token):
        for other in "A", "B", "-", ".":
            if other != character:
                with pytest.raises((AlgorithmError, MalformedError, SignatureError)):
                    verify_compact(token[:place] + other + token[place + 1 :], ring, "test+jws", ONLY)
    with pytest.raises(AlgorithmError) as caught:
        verify_compact(token, ring, "test+jws", frozenset({"ES256", "Ed25519"}))
    assert caught.value.code == "signature.algorithm_not_allowed"


def test_the_openssl_command_signs_what_we_verify_and_opens_our_key(tmp_path: Path) -> None:
    require_keys_for("SM2")
    signer = pem_file.generate(tmp_path / "key.pem", b"only for tests", "SM2")
    command = ["openssl", "pkey", "-in", "key.pem", "-passin", "pass:only for tests", "-pubout", "-outform", "DER"]
    spki = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    public = sm2.public_key(spki[-65:])
    assert PublicKey.of(public, "SM2") == signer.public
    assert on_curve(decode_point(public.point))
    (tmp_path / "message").write_bytes(b"message")
    sign = ["openssl", "pkeyutl", "-sign", "-inkey", "key.pem", "-passin", "pass:only for tests", "-rawin"]
    sign += ["-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-in", "message"]
    der = subprocess.run(sign, cwd=tmp_path, capture_output=True, check=True).stdout
    signer.public.verify(sm2.signature_to_raw(der), b"message")


def test_the_environment_chooses_who_verifies(tmp_path: Path, backend: sm2.Backend) -> None:
    program = (
        "from keys.public_key import PublicKey; import json, sys; key = PublicKey.from_jwk(json.loads(sys.argv[1]));"
        "key.verify(bytes.fromhex(sys.argv[2]), b'message digest'); print(key.key._backend.name)"
    )
    command = [sys.executable, "-c", program, json.dumps(JWK), SIGNATURE.hex()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "ACCORD_SM2_BACKEND": backend.name}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{backend.name}\n"
