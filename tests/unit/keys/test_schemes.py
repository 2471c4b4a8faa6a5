"""Public keys as X.509 has them, verification by every scheme, and what is refused on the way."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms import schemes, signature_value, sm2
from keys.algorithms.ecdsa import CURVES
from keys.algorithms.schemes import SCHEMES, load_key, secret_name, verify
from keys.errors import KeysError, SignatureError
from tests.support import der_writer as der
from tests.support import unsafe_sm2

MESSAGE = b"what is signed"
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
PSS, RSA, EC, ED25519 = (
    "1.2.840.113549.1.1.10",
    "1.2.840.113549.1.1.1",
    "1.2.840.10045.2.1",
    "1.3.101.112",
)
SM2_CURVE = "1.2.156.10197.1.301"
NIST = {"p-256": ec.SECP256R1(), "p-384": ec.SECP384R1(), "p-521": ec.SECP521R1()}

SM2_KEY = unsafe_sm2.unsafe_generate("schemes")


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | dsa.DSAPublicKey


def spki_of(public: PublicKey) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def identifier(oid: str, *parameters: bytes) -> bytes:
    return der.sequence(der.oid(oid), *parameters)


def spki(oid: str, octets: bytes, *parameters: bytes) -> bytes:
    return der.sequence(identifier(oid, *parameters), der.bit_string(octets))


def rsa_spki(modulus: int, exponent: int, *parameters: bytes) -> bytes:
    octets = der.sequence(der.integer(modulus), der.integer(exponent))
    return spki(RSA, octets, *(parameters or (der.null(),)))


def refusal(attempt: Callable[[], object]) -> KeysError:
    with pytest.raises(KeysError) as caught:
        attempt()
    return caught.value


def flipped(octets: bytes, bit: int) -> bytes:
    changed = bytearray(octets)
    changed[bit // 8 % len(octets)] ^= 1 << bit % 8
    return bytes(changed)


def check_both_ways(key: schemes.VerifyingKey, scheme: schemes.SignatureScheme, signature: bytes) -> None:
    verify(key, scheme, signature, MESSAGE)
    for wrong, message in (
        (signature, MESSAGE + b"."),
        (flipped(signature, 8 * len(signature) - 1), MESSAGE),
        (signature[:-1], MESSAGE),
        (signature + b"\0", MESSAGE),
        (b"", MESSAGE),
        (bytes(len(signature)), MESSAGE),
    ):
        with pytest.raises(SignatureError) as caught:
            verify(key, scheme, wrong, message)
        assert caught.value.code == "signature.wrong"


@pytest.mark.parametrize("digest", HASHES)
def test_rsa_verifies_by_both_paddings(rsa_key: rsa.RSAPrivateKey, digest: str) -> None:
    key, algorithm = load_key(spki_of(rsa_key.public_key())), HASHES[digest]
    assert (key.family, key.curve, key.bits) == ("rsa", None, 2048)
    check_both_ways(key, SCHEMES[f"rsa-pkcs1-{digest}"], rsa_key.sign(MESSAGE, padding.PKCS1v15(), algorithm))
    by_pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    check_both_ways(key, SCHEMES[f"rsa-pss-{digest}"], rsa_key.sign(MESSAGE, by_pss, algorithm))
    with pytest.raises(SignatureError):
        verify(key, SCHEMES[f"rsa-pss-{digest}"], rsa_key.sign(MESSAGE, padding.PKCS1v15(), algorithm), MESSAGE)


@pytest.mark.parametrize("curve", NIST)
@pytest.mark.parametrize("digest", HASHES)
def test_ecdsa_verifies_on_every_curve_with_every_digest(curve: str, digest: str) -> None:
    private = ec.generate_private_key(NIST[curve])
    key = load_key(spki_of(private.public_key()))
    assert (key.family, key.curve, key.bits) == ("ec", curve, NIST[curve].key_size)
    check_both_ways(key, SCHEMES[f"ecdsa-{digest}"], private.sign(MESSAGE, ec.ECDSA(HASHES[digest])))


@pytest.mark.parametrize("curve", NIST)
def test_a_signature_of_ecdsa_is_strict_der_within_range(curve: str) -> None:
    private = ec.generate_private_key(NIST[curve])
    key, scheme, order = load_key(spki_of(private.public_key())), SCHEMES["ecdsa-sha256"], NIST[curve].group_order
    signature = private.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    r, s = (int.from_bytes(der.contents_of(part), "big") for part in der.members_of(signature))
    assert signature_value.write(r, s) == signature
    assert signature_value.read(signature, order) == (r, s)
    verify(key, scheme, unsafe_sm2.signature_der(r, order - s), MESSAGE)
    for wrong in (
        unsafe_sm2.signature_der(r, s + order),
        unsafe_sm2.signature_der(r + order, s),
        unsafe_sm2.signature_der(0, s),
        unsafe_sm2.signature_der(r, 0),
        unsafe_sm2.signature_der(r, order),
        unsafe_sm2.signature_der(r, -s),
        der.sequence(der.integer(b"\0\0" + r.to_bytes(66, "big")), der.integer(s)),
        der.tlv(0x30, der.contents_of(signature), length_octets=2),
        signature + b"\0",
    ):
        with pytest.raises(SignatureError):
            verify(key, scheme, wrong, MESSAGE)


def test_ed25519_verifies() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key = load_key(spki_of(private.public_key()))
    assert (key.family, key.curve, key.bits) == ("ed25519", "ed25519", 256)
    check_both_ways(key, SCHEMES["ed25519"], private.sign(MESSAGE))


def test_sm2_verifies_with_the_usual_user_id_or_another() -> None:
    key, scheme = load_key(sm2.spki(SM2_KEY.point)), SCHEMES["sm2-sm3"]
    assert (key.family, key.curve, key.bits) == ("sm2", "sm2", 256)
    check_both_ways(key, scheme, SM2_KEY.sign(MESSAGE))
    other = SM2_KEY.sign(MESSAGE, b"noza")
    verify(key, scheme, other, MESSAGE, user_id=b"noza")
    with pytest.raises(SignatureError):
        verify(key, scheme, other, MESSAGE)
    assert refusal(lambda: verify(key, scheme, other, MESSAGE, user_id=bytes(8192))).code == "sm2.user_id"


def test_scheme_and_key_must_go_together(rsa_key: rsa.RSAPrivateKey) -> None:
    keys = {
        "rsa": load_key(spki_of(rsa_key.public_key())),
        "ec": load_key(spki_of(ec.generate_private_key(ec.SECP256R1()).public_key())),
        "ed25519": load_key(spki_of(ed25519.Ed25519PrivateKey.generate().public_key())),
        "sm2": load_key(sm2.spki(SM2_KEY.point)),
    }
    for family, key in keys.items():
        for scheme in SCHEMES.values():
            code = "signature.wrong" if scheme.family == family else "key.kind"
            assert refusal(lambda key=key, scheme=scheme: verify(key, scheme, b"", MESSAGE)).code == code


POINT = SM2_KEY.point
SM2_PARAMETER = der.oid(SM2_CURVE)


@pytest.mark.parametrize(
    "form",
    [
        spki(EC, POINT, SM2_PARAMETER),
        spki(SM2_CURVE, POINT),
        spki(SM2_CURVE, POINT, der.null()),
        spki(SM2_CURVE, POINT, SM2_PARAMETER),
        spki(EC, bytes((2 + (POINT[64] & 1),)) + POINT[1:33], SM2_PARAMETER),
    ],
    ids=["usual", "curve alone", "curve and NULL", "curve twice", "compressed"],
)
def test_a_key_of_sm2_is_written_in_several_ways(form: bytes) -> None:
    key = load_key(form)
    assert (key.family, key.curve, key.spki) == ("sm2", "sm2", form)
    verify(key, SCHEMES["sm2-sm3"], SM2_KEY.sign(MESSAGE), MESSAGE)


def test_the_usual_form_of_a_key_of_sm2_is_what_we_write() -> None:
    assert sm2.spki(POINT) == spki(EC, POINT, SM2_PARAMETER)


def p256_octets(form: PublicFormat = PublicFormat.UncompressedPoint) -> bytes:
    return ec.derive_private_key(5, ec.SECP256R1()).public_key().public_bytes(Encoding.X962, form)


P256 = p256_octets()
P256_PARAMETER = der.oid("1.2.840.10045.3.1.7")


def test_a_key_on_a_nist_curve_may_be_compressed() -> None:
    compressed = spki(EC, p256_octets(PublicFormat.CompressedPoint), P256_PARAMETER)
    assert load_key(compressed).handle.curve is CURVES["1.2.840.10045.3.1.7"]  # type: ignore[attr-defined]
    signature = ec.derive_private_key(5, ec.SECP256R1()).sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    verify(load_key(compressed), SCHEMES["ecdsa-sha256"], signature, MESSAGE)


def test_public_keys_of_one_private_key_have_a_name_in_common(rsa_key: rsa.RSAPrivateKey) -> None:
    """A point, its opposite, and any way to write them; a modulus, with whatever parameters and exponent."""
    flipped = bytes((2 + ((POINT[64] & 1) ^ 1),)) + POINT[1:33]
    hybrid = bytes((6 + (POINT[64] & 1),)) + POINT[1:]
    written = [spki(EC, POINT, SM2_PARAMETER), spki(SM2_CURVE, POINT), spki(EC, flipped, SM2_PARAMETER)]
    written += [spki(EC, hybrid, SM2_PARAMETER), spki("1.3.132.1.12", POINT, SM2_PARAMETER)]
    assert len({secret_name(form) for form in written}) == 1
    compressed = spki(EC, p256_octets(PublicFormat.CompressedPoint), P256_PARAMETER)
    assert secret_name(compressed) == secret_name(spki(EC, P256, P256_PARAMETER))
    numbers = rsa_key.public_key().public_numbers()
    octets = [der.sequence(der.integer(numbers.n), der.integer(exponent)) for exponent in (numbers.e, 3)]
    plain = [spki(RSA, each, *more) for each in octets for more in ((), (der.null(),))]
    plain += [spki("1.2.840.113549.1.1.10", octets[0]), spki("1.2.840.113549.1.1.7", octets[0])]
    assert len({secret_name(form) for form in plain}) == 1
    others = [
        b"",
        b"0",
        sm2.spki(unsafe_sm2.Key("sm2", "another").point),
        spki(RSA, der.sequence(der.integer(15), der.integer(3))),
    ]
    assert len({secret_name(form) for form in (*others, written[0], compressed, plain[0])}) == 7


MODULUS = (1 << 2047) + 1
NOT_KEYS: list[tuple[bytes, str]] = [
    (b"", "key.malformed"),
    (b"\x30\x00", "key.malformed"),
    (bytes(9000), "key.malformed"),
    (sm2.spki(POINT) + b"\0", "key.malformed"),
    (sm2.spki(POINT)[:-1], "key.malformed"),
    (der.sequence(identifier(EC, SM2_PARAMETER)), "key.malformed"),
    (der.sequence(identifier(EC, SM2_PARAMETER), der.octet_string(POINT)), "key.malformed"),
    (der.sequence(identifier(EC, SM2_PARAMETER), der.bit_string(POINT[:-1] + b"\0", 1)), "key.malformed"),
    (der.sequence(identifier(EC, SM2_PARAMETER), der.bit_string(POINT), der.null()), "key.malformed"),
    (spki(EC, POINT), "key.malformed"),
    (spki(EC, POINT, der.null()), "key.malformed"),
    (spki(EC, POINT, SM2_PARAMETER, der.null()), "key.malformed"),
    (spki(EC, POINT, der.sequence(der.integer(1))), "key.kind"),
    (spki(EC, POINT, der.oid("1.3.132.0.10")), "key.kind"),  # secp256k1
    (spki(EC, POINT, P256_PARAMETER), "key.malformed"),
    (spki(EC, P256, SM2_PARAMETER), "key.malformed"),
    (spki(EC, flipped(POINT, 512), SM2_PARAMETER), "key.malformed"),
    (spki(EC, flipped(P256, 512), P256_PARAMETER), "key.malformed"),
    (spki(EC, b"\0", SM2_PARAMETER), "key.malformed"),
    (spki(EC, b"\0", P256_PARAMETER), "key.malformed"),
    (spki(EC, b"", P256_PARAMETER), "key.malformed"),
    (spki(EC, bytes((6 + (P256[64] & 1),)) + P256[1:], P256_PARAMETER), "key.malformed"),
    (spki(EC, P256 + b"\0", P256_PARAMETER), "key.malformed"),
    (spki(SM2_CURVE, POINT, P256_PARAMETER), "key.malformed"),
    (spki(SM2_CURVE, flipped(POINT, 512)), "key.malformed"),
    (spki(ED25519, bytes(32), der.null()), "key.malformed"),
    (spki(ED25519, bytes(31)), "key.malformed"),
    (spki(ED25519, bytes(33)), "key.malformed"),
    (spki("1.3.101.113", bytes(57)), "key.kind"),  # Ed448
    (spki("1.3.101.110", bytes(32)), "key.kind"),  # X25519
    (spki("1.2.840.10040.4.1", der.integer(5), der.sequence()), "key.kind"),  # DSA
    (spki(PSS, der.sequence(der.integer(MODULUS), der.integer(3))), "key.kind"),
    (spki(RSA, der.sequence(der.integer(MODULUS), der.integer(3))), "key.malformed"),
    (rsa_spki(MODULUS, 3, der.sequence()), "key.malformed"),
    (spki(RSA, der.sequence(der.integer(MODULUS)), der.null()), "key.malformed"),
    (spki(RSA, der.sequence(der.integer(MODULUS), der.integer(3), der.integer(3)), der.null()), "key.malformed"),
    (spki(RSA, der.sequence(der.integer(MODULUS), der.integer(3)) + b"\0", der.null()), "key.malformed"),
    (spki(RSA, b"", der.null()), "key.malformed"),
    (rsa_spki(-MODULUS, 3), "key.malformed"),
    (rsa_spki(0, 3), "key.malformed"),
    (rsa_spki(MODULUS - 1, 3), "key.malformed"),
    (rsa_spki(MODULUS, 1), "key.malformed"),
    (rsa_spki(MODULUS, -3), "key.malformed"),
    (rsa_spki(MODULUS, 4), "key.malformed"),
    (rsa_spki(MODULUS, MODULUS), "key.malformed"),
    (rsa_spki(MODULUS, (1 << 256) + 1), "key.kind"),
    (rsa_spki((1 << 510) + 1, 3), "key.kind"),
    (rsa_spki((1 << 16384) + 1, 3), "key.kind"),
]


@pytest.mark.parametrize(("wrong", "code"), NOT_KEYS, ids=range(len(NOT_KEYS)))
def test_what_is_no_key_of_ours_is_refused(wrong: bytes, code: str) -> None:
    assert refusal(lambda: load_key(wrong)).code == code


@pytest.mark.parametrize("bits", [512, 1024, 16384])
def test_rsa_of_any_size_is_read_for_the_policy_to_judge(bits: int) -> None:
    key = load_key(rsa_spki((1 << bits - 1) + 1, (1 << 256) - 1))
    assert (key.family, key.bits) == ("rsa", bits)
    for name in ("rsa-pkcs1-sha256", "rsa-pss-sha512"):
        with pytest.raises(SignatureError):
            verify(key, SCHEMES[name], bytes(bits // 8), MESSAGE)


def test_a_dsa_key_as_cryptography_writes_it_is_refused() -> None:
    numbers = dsa.DSAParameterNumbers(p=(1 << 1023) + 1155, q=(1 << 159) + 91, g=4)
    public = dsa.DSAPublicNumbers(y=16, parameter_numbers=numbers).public_key()
    assert refusal(lambda: load_key(spki_of(public))).code == "key.kind"


def test_keys_are_kept_within_bounds() -> None:
    first = load_key(sm2.spki(POINT))
    assert load_key(sm2.spki(POINT)) is first
    assert schemes._key.cache_info().maxsize == 2048
    assert schemes._scheme.cache_info().maxsize == 256


def test_a_key_shows_and_compares_by_what_it_was_read_from() -> None:
    key = load_key(sm2.spki(POINT))
    assert "handle" not in repr(key)
    assert key == schemes._key.__wrapped__(sm2.spki(POINT))


SPKIS = st.sampled_from(
    [sm2.spki(POINT), spki(EC, P256, P256_PARAMETER), rsa_spki(MODULUS, 65537), spki(ED25519, bytes(range(32)))]
)


def outcome(attempt: Callable[[], object]) -> str:
    """Whatever else than KeysError is raised fails the test."""
    try:
        attempt()
    except KeysError as error:
        return error.code
    return "done"


@given(st.binary(max_size=100) | st.tuples(SPKIS, st.integers(0, 3000)))
def test_any_key_is_read_or_refused_in_our_own_words(wrong: bytes | tuple[bytes, int]) -> None:
    octets = wrong if isinstance(wrong, bytes) else flipped(*wrong)
    assert outcome(lambda: load_key(octets)) in {"done", "key.malformed", "key.kind"}


@given(SPKIS, st.sampled_from(sorted(SCHEMES)), st.binary(max_size=300), st.binary(max_size=20))
def test_any_signature_is_refused_in_our_own_words(octets: bytes, name: str, signature: bytes, message: bytes) -> None:
    key = load_key(octets)
    expected = "signature.wrong" if key.family == SCHEMES[name].family else "key.kind"
    assert outcome(lambda: verify(key, SCHEMES[name], signature, message)) == expected


def test_a_key_that_was_forgotten_is_read_anew() -> None:
    octets = ed25519.Ed25519PrivateKey.generate().public_key()
    spki = octets.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = load_key(spki)
    assert load_key(spki) is key
    schemes.forget_keys()
    assert load_key(spki) is not key
    assert load_key(spki) == key
