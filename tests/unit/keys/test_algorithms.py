import hashlib
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from keys import algorithms, base64url
from keys.algorithms import Algorithm
from keys.algorithms.ecdsa import ES256
from keys.algorithms.ed25519 import ED25519
from keys.algorithms.sm2.jose import SM2
from keys.errors import AlgorithmError, MalformedError, SignatureError
from keys.public_key import PublicKey
from tests.support.requirements import require_keys_for

every = pytest.mark.parametrize(
    "algorithm", algorithms.ALGORITHMS.values(), ids=list(algorithms.ALGORITHMS), indirect=True
)

ORDER = ec.SECP256R1().group_order
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
COEFFICIENT_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

# RFC 7515 A.3
RFC_JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
RFC_INPUT = (
    b"eyJhbGciOiJFUzI1NiJ9"
    b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC_SIGNATURE = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

# RFC 8037 A.1 (which is RFC 8032 7.1, test 1), A.2, A.3 and A.4
OKP_SECRET = base64url.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
OKP_JWK = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
OKP_KID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
OKP_INPUT = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
OKP_SIGNATURE = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
OKP_ORDER = 2**252 + 27742317777372353535851937790883648493  # L, RFC 8032 5.1


@pytest.fixture
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    found: Algorithm = request.param
    require_keys_for(found.name)
    return found


@pytest.fixture(scope="module")
def private() -> ec.EllipticCurvePrivateKey:
    return ES256.generate()


def both(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_the_table_is_by_name_and_read_only() -> None:
    assert dict(algorithms.ALGORITHMS) == {"ES256": ES256, "Ed25519": ED25519, "SM2": SM2}
    assert all(algorithm.name == name for name, algorithm in algorithms.ALGORITHMS.items())
    assert algorithms.named("ES256") is ES256
    assert algorithms.named("Ed25519") is ED25519
    assert algorithms.named("SM2") is SM2
    with pytest.raises(TypeError):
        algorithms.ALGORITHMS["none"] = ES256  # type: ignore[index]


@pytest.mark.parametrize("name", ["none", "HS256", "es256", "ES256 ", "EdDSA", "ed25519", "sm2", "sm2-sm3", ""])
def test_an_algorithm_out_of_the_table_is_refused(name: str) -> None:
    with pytest.raises(AlgorithmError) as caught:
        algorithms.named(name)
    assert caught.value.code == "signature.algorithm_unknown"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"kty": "RSA"}, "key.kind"),
        ({"kty": "EC", "crv": "P-384"}, "key.kind"),
        ({"kty": "EC", "crv": ["P-256"]}, "key.kind"),
        ({"kty": "OKP", "crv": "Ed448"}, "key.kind"),
        ({"kty": "OKP", "crv": "X25519"}, "key.kind"),
        ({"kty": "EC", "crv": "Ed25519"}, "key.kind"),
        ({"kty": "oct"}, "key.kind"),
        ({}, "key.kind"),
        ({"kty": "EC", "crv": "P-256", "alg": "ES384"}, "jwk.algorithm_wrong"),
        ({"kty": "EC", "crv": "P-256", "alg": "ECDH-ES"}, "jwk.algorithm_wrong"),
        ({"kty": "EC", "crv": "P-256", "alg": None}, "jwk.algorithm_wrong"),
        ({"kty": "EC", "crv": "P-256", "alg": "Ed25519"}, "jwk.algorithm_wrong"),
        ({"kty": "OKP", "crv": "Ed25519", "alg": "ES256"}, "jwk.algorithm_wrong"),
        ({"kty": "EC", "crv": "SM2", "alg": "ES256"}, "jwk.algorithm_wrong"),
        ({"kty": "EC", "crv": "sm2"}, "key.kind"),
        ({"kty": "OKP", "crv": "SM2"}, "key.kind"),
        ({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA"}, "jwk.algorithm_wrong"),
    ],
)
def test_a_jwk_for_no_algorithm_of_ours_is_refused(members: Mapping[str, object], code: str) -> None:
    with pytest.raises(AlgorithmError) as caught:
        algorithms.for_jwk(members)
    assert caught.value.code == code


def test_rfc_7515_appendix_a_3() -> None:
    public = ES256.public_from_jwk(RFC_JWK)
    ES256.verify(public, base64url.decode(RFC_SIGNATURE), RFC_INPUT)
    assert ES256.public_jwk(public) == RFC_JWK
    with pytest.raises(SignatureError):
        ES256.verify(public, base64url.decode(RFC_SIGNATURE), RFC_INPUT + b"A")


def test_rfc_8037_appendix_a() -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(OKP_SECRET)
    public = ED25519.public_from_jwk(OKP_JWK)
    assert ED25519.public_jwk(public) == ED25519.public_jwk(ED25519.public(private)) == OKP_JWK
    assert PublicKey.from_jwk(OKP_JWK).kid == PublicKey.of(public, "Ed25519").kid == OKP_KID
    assert base64url.encode(ED25519.signing(private)(OKP_INPUT)) == OKP_SIGNATURE
    ED25519.verify(public, base64url.decode(OKP_SIGNATURE), OKP_INPUT)
    with pytest.raises(SignatureError):
        ED25519.verify(public, base64url.decode(OKP_SIGNATURE), OKP_INPUT + b"A")


@every
def test_a_public_key_is_read_back_from_its_jwk(algorithm: Algorithm) -> None:
    jwk = algorithm.public_jwk(algorithm.public(algorithm.generate()))
    assert algorithm.kind.items() <= jwk.items()
    assert algorithms.for_jwk(jwk) is algorithms.for_jwk({**jwk, "alg": algorithm.name}) is algorithm
    assert algorithm.public_jwk(algorithm.public_from_jwk(jwk)) == jwk


@every
def test_what_one_key_signed_no_other_key_did(algorithm: Algorithm) -> None:
    private = algorithm.generate()
    signature = algorithm.signing(private)(b"message")
    assert len(signature) == 64
    algorithm.verify(algorithm.public(private), signature, b"message")
    for public, message in ((algorithm.generate(), b"message"), (private, b"massage")):
        with pytest.raises(SignatureError) as caught:
            algorithm.verify(algorithm.public(public), signature, message)
        assert caught.value.code == "signature.wrong"


def test_short_r_and_s_keep_their_leading_zeros(private: ec.EllipticCurvePrivateKey) -> None:
    # One signature in 128 has such an r or s.
    public = ES256.public(private)
    short = 0
    for number in range(2000):
        message = number.to_bytes(2, "big")
        signature = ES256.signing(private)(message)
        assert len(signature) == 64
        if 0 in (signature[0], signature[32]):
            ES256.verify(public, signature, message)
            short += 1
    assert short > 0


@every
def test_no_bit_of_a_signature_can_change(algorithm: Algorithm) -> None:
    private = algorithm.generate()
    for bit in range(512):
        signature = bytearray(algorithm.signing(private)(b"message"))
        signature[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureError) as caught:
            algorithm.verify(algorithm.public(private), bytes(signature), b"message")
        assert caught.value.code == "signature.wrong"


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(63),
        bytes(65),
        bytes(96),
        both(0, 0),
        both(0, 1),
        both(1, 0),
        both(ORDER, 1),
        both(1, ORDER),
        both(2**256 - 1, 1),
        both(1, 1),
        both(ORDER - 1, ORDER - 1),
    ],
    ids=range(12),
)
def test_numbers_that_are_no_signature_are_refused(private: ec.EllipticCurvePrivateKey, signature: bytes) -> None:
    with pytest.raises(SignatureError) as caught:
        ES256.verify(ES256.public(private), signature, b"message")
    assert caught.value.code == "signature.wrong"


def test_s_a_whole_order_too_large_is_refused() -> None:
    # s + n is s modulo n, and fits 32 bytes where s is small; so a key is sought whose signature has a small s.
    nonce = ES256.generate().private_numbers()
    r, s = nonce.public_numbers.x % ORDER, 5
    digest = int.from_bytes(hashlib.sha256(b"message").digest(), "big")
    found = ec.derive_private_key((s * nonce.private_value - digest) * pow(r, -1, ORDER) % ORDER, ec.SECP256R1())
    ES256.verify(found.public_key(), both(r, s), b"message")
    with pytest.raises(SignatureError):
        ES256.verify(found.public_key(), both(r, s + ORDER), b"message")


def test_a_signature_has_a_mirror_image(private: ec.EllipticCurvePrivateKey) -> None:
    signature = ES256.signing(private)(b"message")
    mirrored = signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    ES256.verify(ES256.public(private), mirrored, b"message")


def test_der_is_not_a_jws_signature(private: ec.EllipticCurvePrivateKey) -> None:
    signature = ES256.signing(private)(b"message")
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    assert both(*decode_dss_signature(der)) == signature
    with pytest.raises(SignatureError):
        ES256.verify(ES256.public(private), der, b"message")


def test_an_ed25519_signature_has_one_s() -> None:
    # RFC 8032 5.1.7: S + L is S modulo L, and must be refused.
    signature = base64url.decode(OKP_SIGNATURE)
    larger = (int.from_bytes(signature[32:], "little") + OKP_ORDER).to_bytes(32, "little")
    for wrong in (signature[:32] + larger, signature[:63], signature + b"\0", bytes(64), b""):
        with pytest.raises(SignatureError) as caught:
            ED25519.verify(ED25519.public_from_jwk(OKP_JWK), wrong, OKP_INPUT)
        assert caught.value.code == "signature.wrong"


@every
def test_keys_of_another_kind_are_refused(algorithm: Algorithm) -> None:
    private_keys = (
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
        ed448.Ed448PrivateKey.generate(),
        x25519.X25519PrivateKey.generate(),
    )
    foreign: list[tuple[object, object]] = [(private, private.public_key()) for private in private_keys]
    for other in algorithms.ALGORITHMS.values():
        if other is not algorithm:
            made = other.generate()
            foreign.append((made, other.public(made)))
    for private, public in foreign:
        for attempt in (
            lambda private=private: algorithm.signing(private)(b""),
            lambda private=private: algorithm.public(private),
            lambda public=public: algorithm.verify(public, bytes(64), b""),
            lambda public=public: algorithm.public_jwk(public),
            lambda public=public: PublicKey.of(public, algorithm.name),
        ):
            with pytest.raises(AlgorithmError) as caught:
                attempt()
            assert caught.value.code == "key.kind"


@every
def test_the_halves_of_a_key_are_not_taken_for_each_other(algorithm: Algorithm) -> None:
    private = algorithm.generate()
    public = algorithm.public(private)
    for attempt in (
        lambda: algorithm.signing(public),
        lambda: algorithm.public(public),
        lambda: algorithm.verify(private, bytes(64), b""),
        lambda: algorithm.public_jwk(private),
    ):
        with pytest.raises(AlgorithmError) as caught:
            attempt()
        assert caught.value.code == "key.kind"


def small_point() -> tuple[int, int]:
    """Finds a point whose x is so small that x + p still fits 32 bytes."""
    for x in range(1000):
        square = (x**3 - 3 * x + COEFFICIENT_B) % PRIME
        y = pow(square, (PRIME + 1) // 4, PRIME)
        if y * y % PRIME == square:
            return x, y
    raise AssertionError


def coordinate(number: int) -> str:
    return base64url.encode(number.to_bytes(32, "big"))


def test_a_coordinate_has_one_form() -> None:
    x, y = small_point()
    ES256.public_from_jwk({"x": coordinate(x), "y": coordinate(y)})
    with pytest.raises(MalformedError):
        ES256.public_from_jwk({"x": coordinate(x + PRIME), "y": coordinate(y)})


@pytest.mark.parametrize(
    "change",
    [
        {"x": None},
        {"x": 1},
        {"x": ""},
        {"x": RFC_JWK["x"] + "="},
        {"x": RFC_JWK["x"][:-1]},
        {"x": "AA" + RFC_JWK["x"]},
        {"y": base64url.encode(bytes(31))},
        {"y": base64url.encode(bytes(33))},
        {"y": base64url.encode(bytes(32))},
        {"x": base64url.encode(bytes(32)), "y": base64url.encode(bytes(32))},
        {"y": RFC_JWK["x"]},
        {"x": RFC_JWK["y"], "y": RFC_JWK["x"]},
    ],
)
def test_coordinates_that_are_no_point_are_refused(change: Mapping[str, object]) -> None:
    with pytest.raises(MalformedError) as caught:
        ES256.public_from_jwk({**RFC_JWK, **change})
    assert caught.value.code == "jwk.malformed"


@pytest.mark.parametrize(
    "x",
    [
        None,
        1,
        "",
        OKP_JWK["x"] + "=",
        OKP_JWK["x"][:-1],
        OKP_JWK["x"][:-1] + "p",
        OKP_JWK["x"].replace("_", "/"),
        base64url.encode(bytes(31)),
        base64url.encode(bytes(33)),
    ],
)
def test_what_is_no_ed25519_key_is_refused(x: object) -> None:
    for jwk in ({**OKP_JWK, "x": x}, {"kty": "OKP", "crv": "Ed25519"}):
        with pytest.raises(MalformedError) as caught:
            ED25519.public_from_jwk(jwk)
        assert caught.value.code == "jwk.malformed"
