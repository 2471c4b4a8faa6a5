"""SM2 in Python: its arithmetic against that of the tests, its tables, and what it does when SM3 is missing."""

import hashlib

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms.sm2 import comb, curve, pure
from keys.algorithms.sm2.comb import KeptTables, add_affine, double, to_affine
from keys.algorithms.sm2.pure import PureBackend
from keys.errors import AlgorithmError
from tests.support import unsafe_sm2
from tests.support.unsafe_sm2 import G, N, unsafe_generate

SCALARS = st.integers(1, N - 1) | st.integers(1, 300) | st.integers(N - 300, N - 1)

# GB/T 32905-2016 Annex A.1 and A.2.
SM3_SAMPLES = [
    (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
]


def affine(point: comb.Jacobian) -> tuple[int, int] | None:
    return to_affine([point])[0] if point[2] else None


@given(SCALARS, SCALARS)
def test_windows_multiply(scalar: int, other: int) -> None:
    point = unsafe_sm2.multiply(other)
    assert point is not None
    assert affine(pure._times(scalar, point)) == unsafe_sm2.multiply(scalar * other % N)


@given(SCALARS, SCALARS)
def test_combs_multiply_and_add(scalar: int, other: int) -> None:
    comb = pure._comb_of_g()
    assert affine(pure._times_combs((scalar, comb))) == unsafe_sm2.multiply(scalar)
    total = affine(pure._times_combs((scalar, comb), (other, comb)))
    assert total == unsafe_sm2.multiply((scalar + other) % N)


def test_a_comb_holds_the_sums_of_its_teeth() -> None:
    comb = pure._comb_of_g()
    assert len(comb) == 256
    for index in (1, 2, 3, 128, 255):
        teeth = sum(1 << 32 * tooth for tooth in range(8) if index >> tooth & 1)
        assert comb[index] == unsafe_sm2.multiply(teeth)


@given(st.integers(0, (1 << 256) - 1))
def test_windows_write_the_scalar(scalar: int) -> None:
    digits = pure._signed_windows(scalar)
    assert sum(digit << position for position, digit in enumerate(reversed(digits))) == scalar
    assert all(digit == 0 or (digit % 2 and abs(digit) < 16) for digit in digits)


def test_adding_points_that_are_equal_opposite_or_infinite() -> None:
    one = (*G, 1)
    opposite = (G[0], curve.P - G[1])
    assert affine(add_affine(one, G)) == unsafe_sm2.multiply(2)
    assert affine(add_affine(one, opposite)) is None
    assert affine(add_affine((1, 1, 0), G)) == G
    assert affine(pure._add(one, (1, 1, 0))) == G
    assert affine(pure._add(one, double(one))) == unsafe_sm2.multiply(3)
    assert affine(double((1, 1, 0))) is None


def test_columns_are_the_bits_a_tooth_apart() -> None:
    for scalar in (0, 1, 1 << 255, N - 1, int("123456789abcdef0" * 4, 16)):
        indices = comb.columns(scalar)
        assert len(indices) == 32
        for column, index in enumerate(reversed(indices)):
            assert index == sum((scalar >> 32 * tooth + column & 1) << tooth for tooth in range(8))


def test_tables_are_bounded_and_earned() -> None:
    made: list[tuple[int, int]] = []

    def make(point: tuple[int, int]) -> tuple[int, int]:
        made.append(point)
        return point

    tables = KeptTables(make, uses=4, kept=2)
    keys = [pure.Key(unsafe_generate(f"comb {number}").point) for number in range(3)]
    for turn in range(24):
        for key in keys:
            assert tables.of(key) in (None, key.affine)
        assert len(tables) <= 2
        assert turn > 2 or not made
    # Each of the 72 uses finds a table or counts; a table is made for four that counted, at the most.
    assert 3 <= len(made) <= 72 // 4


@pytest.mark.parametrize("message", [b"message", b""])
def test_a_comb_verifies_as_windows_do(message: bytes) -> None:
    backend = PureBackend()
    signer = unsafe_generate("often")
    signature = signer.sign(message)
    for turn in range(10):
        key = backend.public_key(signer.point)
        for _ in range(5):
            assert backend.verify(key, signature, message, unsafe_sm2.DEFAULT_USER_ID)
        assert not backend.verify(key, signature, b"another", unsafe_sm2.DEFAULT_USER_ID)
        assert len(backend._combs) == 1, turn


@pytest.mark.parametrize("sm3", [curve.sm3, curve._sm3_of_hashlib, curve._sm3_of_cryptography])
@pytest.mark.parametrize(("message", "digest"), SM3_SAMPLES)
def test_the_samples_of_sm3(sm3, message: bytes, digest: str) -> None:  # type: ignore[no-untyped-def]
    assert sm3(message).hex() == digest


def without_hashlib(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, data: bytes = b"") -> None:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", refuse)


def test_sm3_comes_from_cryptography_where_hashlib_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    without_hashlib(monkeypatch)
    assert curve._sm3.__wrapped__() is curve._sm3_of_cryptography


def test_without_sm3_the_refusal_is_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(algorithm: object) -> None:
        raise UnsupportedAlgorithm("SM3")

    without_hashlib(monkeypatch)
    monkeypatch.setattr(hashes, "Hash", refuse)
    with pytest.raises(AlgorithmError) as caught:
        curve._sm3.__wrapped__()
    assert caught.value.code == "sm3.unavailable"
