"""Bare signatures: which scheme a key signs by, and r‖s in the place of DER."""

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms.raw import as_der, default_scheme
from keys.algorithms.schemes import VerifyingKey, load_key, verify
from keys.errors import AlgorithmError, KeysError, SignatureError
from tests.support.unsafe_sm2 import Key

SCHEMES = {
    "sm2": "sm2-sm3",
    "p-256": "ecdsa-sha256",
    "p-384": "ecdsa-sha384",
    "p-521": "ecdsa-sha512",
    "rsa-2048": "rsa-pkcs1-sha256",
    "ed25519": "ed25519",
}
SIZES = {"sm2": 32, "p-256": 32, "p-384": 48}
MESSAGE = b"accord-challenge-v1\n{}"


def key_of(kind: str) -> VerifyingKey:
    return load_key(Key(kind, "raw").spki)


def signed(kind: str) -> bytes:
    return Key(kind, "raw").sign(MESSAGE)


def raw_of(kind: str) -> bytes:
    """The signature as r‖s, by the words of another library."""
    r, s = decode_dss_signature(signed(kind))
    return r.to_bytes(SIZES[kind], "big") + s.to_bytes(SIZES[kind], "big")


def holds(kind: str, signature: bytes) -> bool:
    key = key_of(kind)
    try:
        verify(key, default_scheme(key), as_der(key, signature), MESSAGE)
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("kind", [kind for kind in SCHEMES if kind != "p-521"])
def test_every_key_has_a_scheme_by_which_its_locks_sign(kind: str) -> None:
    assert default_scheme(key_of(kind)).name == SCHEMES[kind]
    assert holds(kind, signed(kind))


@pytest.mark.parametrize(
    ("family", "curve", "name"),
    [("ec", "p-521", "ecdsa-sha512"), ("rsa", None, "rsa-pkcs1-sha256")],
)
def test_the_scheme_goes_by_family_and_curve(family: str, curve: str | None, name: str) -> None:
    key = VerifyingKey(family=family, curve=curve, bits=521, spki=b"", handle=None)
    assert default_scheme(key).name == name


@pytest.mark.parametrize(("family", "curve"), [("ec", "p-192"), ("sm2", None), ("dsa", None), ("rsa", "p-256")])
def test_a_key_of_no_known_kind_has_no_scheme(family: str, curve: str | None) -> None:
    key = VerifyingKey(family=family, curve=curve, bits=256, spki=b"", handle=None)
    with pytest.raises(AlgorithmError) as caught:
        default_scheme(key)
    assert caught.value.code == "key.kind"
    assert family in caught.value.detail


@pytest.mark.parametrize("kind", SIZES)
def test_r_and_s_side_by_side_are_the_same_signature(kind: str) -> None:
    assert as_der(key_of(kind), raw_of(kind)) == signed(kind)
    assert holds(kind, raw_of(kind))


@pytest.mark.parametrize("kind", SIZES)
def test_der_stays_as_it_is(kind: str) -> None:
    assert as_der(key_of(kind), signed(kind)) == signed(kind)


@pytest.mark.parametrize("kind", ["rsa-2048", "ed25519"])
def test_signatures_of_other_families_stay_as_they_are(kind: str) -> None:
    for signature in (signed(kind), b"\0" * 64, b"\1" * 64, b""):
        assert as_der(key_of(kind), signature) == signature


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize(("zero_r", "zero_s"), [(True, False), (False, True), (True, True)])
def test_zero_is_neither_r_nor_s(kind: str, zero_r: bool, zero_s: bool) -> None:
    size, raw = SIZES[kind], raw_of(kind)
    made = (bytes(size) if zero_r else raw[:size]) + (bytes(size) if zero_s else raw[size:])
    with pytest.raises(SignatureError) as caught:
        as_der(key_of(kind), made)
    assert caught.value.code == "signature.wrong"
    assert not holds(kind, made)


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("change", [-1, 1, -2, 2])
def test_another_length_is_taken_for_der_and_refused(kind: str, change: int) -> None:
    made = raw_of(kind)[:change] if change < 0 else raw_of(kind) + bytes(change)
    assert as_der(key_of(kind), made) == made
    assert not holds(kind, made)


@pytest.mark.parametrize("kind", SIZES)
def test_the_halves_are_not_to_be_swapped_nor_padded(kind: str) -> None:
    size, raw = SIZES[kind], raw_of(kind)
    assert not holds(kind, raw[size:] + raw[:size])
    assert not holds(kind, bytes(1) + raw[:size] + bytes(1) + raw[size:])


@pytest.mark.parametrize("kind", SIZES)
def test_a_number_as_large_as_the_order_is_refused(kind: str) -> None:
    size, raw = SIZES[kind], raw_of(kind)
    assert not holds(kind, b"\xff" * size + raw[size:])
    assert not holds(kind, raw[:size] + b"\xff" * size)


@given(st.sampled_from(sorted(SIZES)), st.data())
def test_r_and_s_become_the_der_of_another_library(kind: str, data: st.DataObject) -> None:
    size = SIZES[kind]
    r, s = (data.draw(st.integers(1, 256**size - 1)) for _ in range(2))
    made = as_der(key_of(kind), r.to_bytes(size, "big") + s.to_bytes(size, "big"))
    assert made == encode_dss_signature(r, s)


@given(st.sampled_from(sorted(SIZES)), st.integers(0, 10_000))
def test_any_flipped_bit_is_refused(kind: str, place: int) -> None:
    raw = bytearray(raw_of(kind))
    raw[place // 8 % len(raw)] ^= 1 << place % 8
    assert not holds(kind, bytes(raw))


@given(st.sampled_from(["sm2", "p-256", "p-384", "ed25519", "rsa-2048"]), st.binary(max_size=200))
def test_only_keys_errors_come_out_for_any_bytes(kind: str, signature: bytes) -> None:
    key = key_of(kind)
    with pytest.raises(KeysError):
        verify(key, default_scheme(key), as_der(key, signature), MESSAGE)
