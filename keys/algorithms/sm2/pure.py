"""Verification of SM2 signatures in Python, where libcrypto has no SM2.

It takes time that depends on its input, which is public. It never signs: that would tell the private key.
"""

from functools import cache

from keys.algorithms import signature_value
from keys.algorithms.sm2.comb import (
    INFINITY,
    Affine,
    Comb,
    Jacobian,
    KeptTables,
    add_affine,
    affine_of,
    columns,
    double,
    make_comb,
    to_affine,
)
from keys.algorithms.sm2.curve import ORDER, G, P, message_digest

_WIDTH = 5  # bits of a window over a key without a comb

_COMBS = 128  # keys whose combs are kept, about 50 kB each
_USES = 4  # verifications by a key that pay for making its comb


class Key:
    """A public key: a point that `curve.read_point` has checked. `uses` counts up to the making of its comb."""

    __slots__ = ("affine", "point", "uses")

    def __init__(self, point: bytes) -> None:
        self.point = point
        self.affine = affine_of(point)
        self.uses = 0


class PureBackend:
    """SM2 in Python (GB/T 32918.2 §7)."""

    name = "python"

    def __init__(self) -> None:
        self._combs = KeptTables(make_comb, uses=_USES, kept=_COMBS)

    def public_key(self, point: bytes) -> Key:
        """Takes a point that `curve.read_point` has checked."""
        return Key(point)

    def verify(self, public: Key, signature: bytes, message: bytes, user_id: bytes) -> bool:
        """Whether the key signed the message. Raises SignatureError "signature.wrong" for what is no signature."""
        return self.verify_digest(public, signature, message_digest(public.point, message, user_id))

    def verify_digest(self, public: Key, signature: bytes, digest: bytes) -> bool:
        """The same for e = SM3(Z‖M)."""
        r, s = signature_value.read(signature, ORDER)
        t = (r + s) % ORDER
        if t == 0:
            return False
        comb = self._combs.of(public)
        if comb is None:
            x, _, z = _add(_times_combs((s, _comb_of_g())), _times(t, public.affine))
        else:
            x, _, z = _times_combs((s, _comb_of_g()), (t, comb))
        if z == 0:
            return False
        # e + x = r modulo n, where x < p: so x is one of at most two numbers, and X = x·Z² spares an inversion.
        wanted = (r - int.from_bytes(digest, "big")) % ORDER
        square = z * z
        return (wanted * square - x) % P == 0 or (wanted + ORDER < P and ((wanted + ORDER) * square - x) % P == 0)


def _add(one: Jacobian, other: Jacobian) -> Jacobian:
    if not other[2]:
        return one
    return add_affine(one, to_affine([other])[0])


@cache
def _comb_of_g() -> Comb:
    return make_comb(G)


def _times_combs(*terms: tuple[int, Comb]) -> Jacobian:
    """Gives the sum of scalar·point over terms of a scalar below 2^256 and a point's comb."""
    combs = [comb for _, comb in terms]
    total = INFINITY
    for indices in zip(*(columns(scalar) for scalar, _ in terms), strict=True):
        total = double(total)
        for index, comb in zip(indices, combs, strict=True):
            if index:
                total = add_affine(total, comb[index])
    return total


def _times(scalar: int, point: Affine) -> Jacobian:
    """Gives scalar·point for a point without a comb, by signed windows. The scalar is from 1 to n - 1."""
    twice = to_affine([double((*point, 1))])[0]
    odd: list[Jacobian] = [(*point, 1)]
    for _ in range((1 << _WIDTH - 2) - 1):
        odd.append(add_affine(odd[-1], twice))
    table = to_affine(odd)  # 1, 3, 5 … times the point
    total = INFINITY
    for digit in _signed_windows(scalar):
        total = double(total)
        if digit > 0:
            total = add_affine(total, table[digit >> 1])
        elif digit:
            x, y = table[-digit >> 1]
            total = add_affine(total, (x, P - y))
    return total


def _signed_windows(scalar: int) -> list[int]:
    """Writes a number in digits that are 0 or odd and below 2^(width-1) either way, the highest first."""
    digits: list[int] = []
    while scalar:
        digit = 0
        if scalar & 1:
            digit = scalar & (1 << _WIDTH) - 1
            if digit >> _WIDTH - 1:
                digit -= 1 << _WIDTH
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    digits.reverse()
    return digits
