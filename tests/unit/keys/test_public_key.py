import dataclasses
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from keys import base64url
from keys.custody.pem_file import PemSigner
from keys.errors import AlgorithmError, KeysError, MalformedError
from keys.public_key import PublicKey, thumbprint

# RFC 7638 §3.1
RSA_JWK = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n"
    "3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHz"
    "u6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8aw"
    "apJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def test_rfc_7638_section_3_1() -> None:
    assert thumbprint(RSA_JWK) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_rfc_8037_appendix_a_3() -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_thumbprints_of_ec_keys_agree_with_joserfc(signer: PemSigner) -> None:
    assert signer.kid == ECKey.import_key(dict(signer.public.jwk())).thumbprint()


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "AAAA"},
        {"kty": ["EC"]},
        {"kty": "EC", "crv": "P-256", "x": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": 1},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "\ud800"},
        {"kty": "RSA", "n": "AA"},
    ],
)
def test_a_thumbprint_needs_the_required_members(jwk: Mapping[str, object]) -> None:
    with pytest.raises(MalformedError) as caught:
        thumbprint(jwk)
    assert caught.value.code == "jwk.malformed"


def test_a_key_is_read_back_from_its_jwk(signer: PemSigner) -> None:
    jwk = signer.public.jwk()
    assert list(jwk) == ["kty", "crv", "x", "y", "use", "alg", "kid"]
    again = PublicKey.from_jwk(jwk)
    assert again == signer.public
    assert hash(again) == hash(signer.public)
    assert again.jwk() == jwk
    again.verify(signer.sign(b"message"), b"message")


def test_optional_members_may_be_absent_and_foreign_ones_are_passed_over(signer: PemSigner) -> None:
    jwk = {name: value for name, value in signer.public.jwk().items() if name in {"kty", "crv", "x", "y"}}
    assert PublicKey.from_jwk(jwk).kid == signer.kid
    assert PublicKey.from_jwk({**jwk, "key_ops": ["verify"], "x5t": "AA", "exp": 1}).jwk() == signer.public.jwk()


@pytest.mark.parametrize(
    ("change", "kind", "code"),
    [
        ({"d": base64url.encode(bytes(32))}, MalformedError, "jwk.private_member"),
        ({"d": None}, MalformedError, "jwk.private_member"),
        ({"k": "AAAA"}, MalformedError, "jwk.private_member"),
        ({"kid": "2011-04-29"}, MalformedError, "jwk.kid_wrong"),
        ({"kid": None}, MalformedError, "jwk.kid_wrong"),
        ({"use": "enc"}, MalformedError, "jwk.use_wrong"),
        ({"use": ["sig"]}, MalformedError, "jwk.use_wrong"),
        ({"key_ops": ["sign"]}, MalformedError, "jwk.use_wrong"),
        ({"key_ops": []}, MalformedError, "jwk.use_wrong"),
        ({"key_ops": "verify"}, MalformedError, "jwk.use_wrong"),
        ({"alg": "ES384"}, AlgorithmError, "jwk.algorithm_wrong"),
        ({"alg": "none"}, AlgorithmError, "jwk.algorithm_wrong"),
        ({"kty": "RSA"}, AlgorithmError, "key.kind"),
        ({"crv": "P-384"}, AlgorithmError, "key.kind"),
        ({"crv": "secp256k1"}, AlgorithmError, "key.kind"),
        ({"x": "AAAA"}, MalformedError, "jwk.malformed"),
    ],
)
def test_other_jwks_are_refused(
    signer: PemSigner, change: Mapping[str, object], kind: type[KeysError], code: str
) -> None:
    with pytest.raises(kind) as caught:
        PublicKey.from_jwk({**signer.public.jwk(), **change})
    assert caught.value.code == code


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "d", "kid", "use", "alg", "key_ops", "other"]),
        st.sampled_from(["EC", "P-256", "sig", "ES256", base64url.encode(bytes(32))]) | json_values,
    )
)
def test_any_members_are_refused_in_our_own_words(jwk: dict[str, object]) -> None:
    with pytest.raises(KeysError):
        PublicKey.from_jwk(jwk)


def test_a_key_is_named_only_under_its_own_algorithm(signer: PemSigner) -> None:
    with pytest.raises(AlgorithmError) as caught:
        PublicKey.of(ec.generate_private_key(ec.SECP384R1()).public_key(), "ES256")
    assert caught.value.code == "key.kind"
    with pytest.raises(AlgorithmError) as caught:
        PublicKey.of(signer.public.key, "ES384")
    assert caught.value.code == "signature.algorithm_unknown"


def test_a_key_does_not_change(signer: PemSigner) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        signer.public.kid = "other"  # type: ignore[misc]
