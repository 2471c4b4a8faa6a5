import hashlib
import hmac
import json
import string
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given
from hypothesis import strategies as st

from keys import base64url, jws
from keys.algorithms.ecdsa import ES256
from keys.custody.pem_file import PemSigner
from keys.errors import AlgorithmError, KeysError, MalformedError, SignatureError
from keys.jws import sign_compact, verify_compact
from keys.key_ring import KeyRing
from keys.public_key import PublicKey

TYP = "test+jws"
ES256_ONLY = frozenset({"ES256"})


def made(signer: PemSigner, header: object, payload: bytes = b"payload") -> str:
    """Signs whatever header is given: bytes as they are, else as JSON."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    signing_input = f"{base64url.encode(raw)}.{base64url.encode(payload)}"
    return f"{signing_input}.{base64url.encode(signer.sign(signing_input.encode()))}"


def refusal(token: str, ring: KeyRing, typ: str = TYP, algorithms: frozenset[str] = ES256_ONLY) -> KeysError:
    with pytest.raises(KeysError) as caught:
        verify_compact(token, ring, typ, algorithms)
    return caught.value


@pytest.fixture
def good(signer: PemSigner) -> dict[str, object]:
    return {"alg": "ES256", "kid": signer.kid, "typ": TYP}


def test_the_header_is_canonical_and_nothing_else(signer: PemSigner, good: dict[str, object]) -> None:
    token = sign_compact(b"payload", signer, TYP)
    header = base64url.decode(token.split(".")[0])
    assert header == json.dumps(good, separators=(",", ":"), sort_keys=True).encode()


def test_what_was_signed_is_what_is_verified(signer: PemSigner, ring: KeyRing, good: dict[str, object]) -> None:
    verified = verify_compact(sign_compact(b"payload", signer, TYP), ring, TYP, ES256_ONLY)
    assert verified.payload == b"payload"
    assert (verified.kid, verified.alg, verified.key) == (signer.kid, "ES256", signer.public)
    assert verify_compact(made(signer, good), ring, TYP, ES256_ONLY) == verified


def test_signing_and_verifying_round_trips_any_payload(signer: PemSigner, ring: KeyRing) -> None:
    @given(st.binary(max_size=2000), st.text(st.characters(codec="utf-8"), max_size=20))
    @example(b"", "")
    @example(bytes(100_000), "a")
    def law(payload: bytes, typ: str) -> None:
        assert verify_compact(sign_compact(payload, signer, typ), ring, typ, ES256_ONLY).payload == payload

    law()


def test_any_text_is_refused_in_our_own_words(ring: KeyRing) -> None:
    parts = st.text(string.ascii_letters + string.digits + "-_") | st.text()

    @given(st.text() | st.lists(parts, min_size=3, max_size=3).map(".".join))
    def law(token: str) -> None:
        assert refusal(token, ring).code == "jws.malformed"

    law()


def changes(token: str) -> Iterator[str]:
    """Gives every token that differs in one character."""
    characters = string.ascii_letters + string.digits + "-_" + ".=+/ \n\0é"
    for position, kept in enumerate(token):
        for character in characters:
            if character != kept:
                yield token[:position] + character + token[position + 1 :]


def test_no_single_character_of_a_token_can_change(signer: PemSigner, ring: KeyRing) -> None:
    # Of 19 bytes, whose encoding has 4 unused bits.
    token = sign_compact(b'{"test":"payload"}\n', signer, "t")
    assert verify_compact(token, ring, "t", ES256_ONLY)
    for changed in changes(token):
        with pytest.raises(KeysError):
            verify_compact(changed, ring, "t", ES256_ONLY)


def test_no_single_character_of_a_token_can_go_or_come(signer: PemSigner, ring: KeyRing) -> None:
    token = sign_compact(b'{"test":"payload"}', signer, TYP)
    for position in range(len(token) + 1):
        for changed in (
            token[:position] + "A" + token[position:],
            token[:position] + "\n" + token[position:],
            token[:position] + "=" + token[position:],
            token[:position] + token[position + 1 :],
        ):
            if changed != token:
                refusal(changed, ring)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "e30.e30",
        "e30.e30.e30.e30",
        "e30..",
        "bnVsbA.e30.e30",
        "W10.e30.e30",
        "e30.e30=.e30",
        "e30.e30.e3",
        "\ud800.e30.e30",
        "e30.e30.\ud800",
        "é.e30.e30",
    ],
)
def test_other_texts_are_malformed_or_lack_a_type(ring: KeyRing, token: str) -> None:
    expected = "jws.type_wrong" if token == "e30.." else "jws.malformed"
    assert refusal(token, ring).code == expected


def test_the_part_that_is_malformed_is_named(signer: PemSigner, ring: KeyRing) -> None:
    parts = sign_compact(b"payload", signer, TYP).split(".")
    for index, name in enumerate(["header", "payload", "signature"]):
        wrong = [*parts[:index], parts[index] + "=", *parts[index + 1 :]]
        assert refusal(".".join(wrong), ring).detail.startswith(name)


def test_a_token_has_a_greatest_length(signer: PemSigner, ring: KeyRing) -> None:
    header_and_signature = len(sign_compact(b"", signer, TYP))
    room = (jws.MAX_LENGTH - header_and_signature) * 3 // 4
    verify_compact(sign_compact(bytes(room), signer, TYP), ring, TYP, ES256_ONLY)
    with pytest.raises(MalformedError) as caught:
        sign_compact(bytes(room + 2), signer, TYP)
    assert caught.value.code == "jws.malformed"
    assert refusal("A" * (jws.MAX_LENGTH + 1), ring).detail.startswith("262145 characters")


def test_deep_nesting_is_malformed(ring: KeyRing) -> None:
    deep = base64url.encode(b'{"kid":' + b"[" * 90_000)
    assert refusal(f"{deep}.e30.e30", ring).code == "jws.malformed"


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t", "crit", "b64", "zip", "cty", "nonce", "Alg", ""])
def test_other_header_members_are_refused_by_name(
    signer: PemSigner, ring: KeyRing, good: dict[str, object], name: str
) -> None:
    error = refusal(made(signer, {**good, name: "value"}), ring)
    assert error.code == "jws.header_not_allowed"
    assert repr(name) in error.detail


def test_an_injected_key_is_not_looked_at(ring: KeyRing, good: dict[str, object]) -> None:
    intruder = ec.generate_private_key(ec.SECP256R1())
    jwk = PublicKey.of(intruder.public_key(), "ES256").jwk()
    token = made(PemSigner(public=PublicKey.from_jwk(jwk), _sign=ES256.signing(intruder)), {**good, "jwk": jwk})
    assert refusal(token, ring).code == "jws.header_not_allowed"


@pytest.mark.parametrize("member", ["alg", "kid", "typ"])
def test_a_member_twice_is_refused(signer: PemSigner, ring: KeyRing, good: dict[str, object], member: str) -> None:
    raw = json.dumps(good)[:-1] + f', "{member}": {json.dumps(good[member])}}}'
    error = refusal(made(signer, raw.encode()), ring)
    assert error.code == "jws.malformed"
    assert "twice" in error.detail


@pytest.mark.parametrize("typ", [None, "other", "", "TEST+JWS", "application/test+jws", ["test+jws"], 1])
def test_another_type_is_refused(signer: PemSigner, ring: KeyRing, good: dict[str, object], typ: object) -> None:
    assert refusal(made(signer, {**good, "typ": typ}), ring).code == "jws.type_wrong"
    assert refusal(made(signer, good), ring, typ="other").code == "jws.type_wrong"


def test_a_missing_member_is_refused(signer: PemSigner, ring: KeyRing, good: dict[str, object]) -> None:
    codes = {"alg": "signature.algorithm_not_allowed", "kid": "key.unknown", "typ": "jws.type_wrong"}
    for name, code in codes.items():
        header = {member: value for member, value in good.items() if member != name}
        assert refusal(made(signer, header), ring).code == code


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "ES384", "RS256", "es256", "", None, 1, [], {"a": []}])
def test_another_algorithm_is_refused(signer: PemSigner, ring: KeyRing, good: dict[str, object], alg: object) -> None:
    error = refusal(made(signer, {**good, "alg": alg}), ring)
    assert isinstance(error, AlgorithmError)
    assert error.code == "signature.algorithm_not_allowed"


def test_an_algorithm_must_be_allowed_and_be_that_of_the_key(signer: PemSigner, ring: KeyRing) -> None:
    token = sign_compact(b"payload", signer, TYP)
    assert refusal(token, ring, algorithms=frozenset()).code == "signature.algorithm_not_allowed"
    assert refusal(token, ring, algorithms=frozenset({"Ed25519"})).code == "signature.algorithm_not_allowed"
    other = KeyRing(keys=(PublicKey(kid=signer.kid, alg="Ed25519", key=signer.public.key),))
    error = refusal(token, other, algorithms=frozenset({"ES256", "Ed25519"}))
    assert isinstance(error, AlgorithmError)
    assert error.code == "signature.algorithm_not_allowed"


def test_no_signature_is_no_signature(ring: KeyRing, good: dict[str, object]) -> None:
    for alg, code in (("none", "signature.algorithm_not_allowed"), ("ES256", "signature.wrong")):
        header = base64url.encode(json.dumps({**good, "alg": alg}).encode())
        assert refusal(f"{header}.e30.", ring, algorithms=frozenset({"ES256"})).code == code


def test_the_public_key_is_no_shared_secret(signer: PemSigner, ring: KeyRing, good: dict[str, object]) -> None:
    public = signer.public.key
    assert isinstance(public, ec.EllipticCurvePublicKey)
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, json.dumps(signer.public.jwk()).encode()):
        signing_input = f"{base64url.encode(json.dumps({**good, 'alg': 'HS256'}).encode())}.e30"
        mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        token = f"{signing_input}.{base64url.encode(mac)}"
        assert refusal(token, ring).code == "signature.algorithm_not_allowed"
        # Even where somebody allows it, the key is for another algorithm.
        wide = frozenset({"ES256", "HS256"})
        assert refusal(token, ring, algorithms=wide).code == "signature.algorithm_not_allowed"


@pytest.mark.parametrize("kid", ["other", "", None, 1, [], {"a": 1}])
def test_another_key_is_unknown(signer: PemSigner, ring: KeyRing, good: dict[str, object], kid: object) -> None:
    error = refusal(made(signer, {**good, "kid": kid}), ring)
    assert isinstance(error, SignatureError)
    assert error.code == "key.unknown"


def test_a_signature_by_another_key_of_the_ring_is_wrong(
    other_signer: PemSigner, ring: KeyRing, good: dict[str, object]
) -> None:
    assert refusal(made(other_signer, good), ring).code == "signature.wrong"


def test_parts_of_two_tokens_do_not_make_a_third(signer: PemSigner, ring: KeyRing) -> None:
    first = sign_compact(b"first", signer, TYP).split(".")
    second = sign_compact(b"second", signer, TYP).split(".")
    assert refusal(".".join([first[0], second[1], first[2]]), ring).code == "signature.wrong"


def test_the_first_fault_in_order_is_told(signer: PemSigner, ring: KeyRing) -> None:
    header: dict[str, object] = {"alg": "none", "kid": "other", "typ": "other", "jwk": {}}
    told = [refusal(made(signer, header) + "=", ring).code, refusal(made(signer, header), ring).code]
    del header["jwk"]
    for name, value in (("typ", TYP), ("alg", "ES256"), ("kid", signer.kid)):
        told.append(refusal(made(signer, header), ring).code)
        header[name] = value
    token = made(signer, header)
    told.append(refusal(token[: token.rindex(".")] + ".e30", ring).code)
    assert told == [
        "jws.malformed",
        "jws.header_not_allowed",
        "jws.type_wrong",
        "signature.algorithm_not_allowed",
        "key.unknown",
        "signature.wrong",
    ]


def test_a_longer_token_is_taken_where_its_type_may_be_longer(signer: PemSigner, ring: KeyRing) -> None:
    payload = bytes(jws.MAX_LENGTH)
    with pytest.raises(MalformedError, match="of at most 262144"):
        sign_compact(payload, signer, TYP)
    token = sign_compact(payload, signer, TYP, 2 * jws.MAX_LENGTH)
    assert refusal(token, ring).code == "jws.malformed"
    assert verify_compact(token, ring, TYP, ES256_ONLY, len(token)).payload == payload
    with pytest.raises(MalformedError, match=f"of at most {len(token) - 1}"):
        verify_compact(token, ring, TYP, ES256_ONLY, len(token) - 1)
