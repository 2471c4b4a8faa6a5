import dataclasses

import pytest

from keys.custody.pem_file import PemSigner
from keys.errors import KeysError, MalformedError, SignatureError
from keys.key_ring import KeyRing


def test_a_ring_is_read_back_in_the_order_given(ring: KeyRing) -> None:
    assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == [key.kid for key in ring.keys]
    assert KeyRing.from_jwks(ring.jwks()) == ring
    backwards = KeyRing(keys=ring.keys[::-1])
    assert backwards != ring
    assert KeyRing.from_jwks(backwards.jwks()) == backwards


def test_keys_are_found_by_kid(ring: KeyRing, signer: PemSigner) -> None:
    assert ring.find(signer.kid) is signer.public


@pytest.mark.parametrize("kid", ["", "other", "\n" * 1000])
def test_a_key_out_of_the_ring_is_refused(ring: KeyRing, kid: str) -> None:
    with pytest.raises(SignatureError) as caught:
        ring.find(kid)
    assert caught.value.code == "key.unknown"
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize(
    ("jwks", "code"),
    [
        ({}, "jwks.malformed"),
        ({"keys": {}}, "jwks.malformed"),
        ({"keys": ["key"]}, "jwks.malformed"),
        ({"keys": []}, "jwks.empty"),
        ({"keys": [{"kty": "EC", "d": "AA"}]}, "jwk.private_member"),
        ({"keys": [{"kty": "RSA"}]}, "key.kind"),
    ],
)
def test_other_sets_are_refused(jwks: dict[str, object], code: str) -> None:
    with pytest.raises(KeysError) as caught:
        KeyRing.from_jwks(jwks)
    assert caught.value.code == code


def test_a_refused_key_is_named_by_its_place(ring: KeyRing) -> None:
    jwks: list[object] = [*ring.jwks()["keys"], {"kty": "EC", "crv": "P-256"}]
    with pytest.raises(MalformedError, match=r"keys\[2\]") as caught:
        KeyRing.from_jwks({"keys": jwks})
    assert caught.value.code == "jwk.malformed"


def test_a_key_twice_is_refused(signer: PemSigner) -> None:
    with pytest.raises(MalformedError) as caught:
        KeyRing.from_jwks({"keys": [signer.public.jwk(), signer.public.jwk()]})
    assert caught.value.code == "jwks.duplicate_kid"


def test_a_ring_does_not_change(ring: KeyRing) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ring.keys = ()  # type: ignore[misc]
