"""Verification of SM2 signatures in Python, where libcrypto has no SM2.

It takes time that depends on its input, which is public. It never signs: that would tell the private key.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from threading import Lock

from keys.algorithms import signature_value
from keys.algorithms.sm2.curve import ORDER, SIZE, G, P, message_digest

_Affine = tuple[int, int]
_Jacobian = tuple[int, int, int]  # (X, Y, Z) is the point (X/Z², Y/Z³), and infinity when Z is 0
_Comb = Sequence[_Affine]

_INFINITY: _Jacobian = (1, 1, 0)

_TEETH = 8
_SPACING = 256 // _TEETH  # bits from tooth to tooth

_WIDTH = 5  # bits of a window over a key without a comb

_COMBS = 128  # keys whose combs are kept, about 50 kB each
_USES = 4  # verifications by a key that pay for making its comb


class Key:
    """A public key: a point that `curve.read_point` has checked. `uses` counts up to the making of its comb."""

    __slots__ = ("affine", "point", "uses")

    def __init__(self, point: bytes) -> None:
        self.point = point
        self.affine = int.from_bytes(point[1 : 1 + SIZE], "big"), int.from_bytes(point[1 + SIZE :], "big")
        self.uses = 0


class PureBackend:
    """SM2 in Python (GB/T 32918.2 §7)."""

    name = "python"

    def __init__(self) -> None:
        self._combs: OrderedDict[_Affine, tuple[Key, _Comb]] = OrderedDict()
        self._lock = Lock()

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
        comb = self._comb_of(public)
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

    def _comb_of(self, public: Key) -> _Comb | None:
        """Gives the comb of a key that is used often enough to have one."""
        with self._lock:
            kept = self._combs.get(public.affine)
            if kept is not None:
                self._combs.move_to_end(public.affine)
                return kept[1]
            public.uses += 1
            if public.uses < _USES:
                return None
        comb = _comb(public.affine)
        with self._lock:
            self._combs[public.affine] = public, comb
            if len(self._combs) > _COMBS:
                # Counting starts anew, so that more busy keys than combs do not make a comb for every signature.
                self._combs.popitem(last=False)[1][0].uses = 0
        return comb


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    square = z * z % P
    slope = 3 * (x - square) * (x + square) % P  # as a = -3
    y2 = y * y % P
    s = 4 * x * y2 % P
    x3 = (slope * slope - 2 * s) % P
    return x3, (slope * (s - x3) - 8 * y2 * y2) % P, 2 * y * z % P


def _add_affine(point: _Jacobian, other: _Affine) -> _Jacobian:
    x1, y1, z1 = point
    if not z1:
        return other[0], other[1], 1
    square = z1 * z1 % P
    h = (other[0] * square - x1) % P
    slope = (other[1] * square % P * z1 - y1) % P
    if not h:
        return _INFINITY if slope else _double(point)
    h2 = h * h % P
    h3 = h * h2 % P
    v = x1 * h2 % P
    x3 = (slope * slope - h3 - 2 * v) % P
    return x3, (slope * (v - x3) - y1 * h3) % P, z1 * h % P


def _add(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    if not other[2]:
        return one
    return _add_affine(one, _affine([other])[0])


def _affine(points: Sequence[_Jacobian]) -> list[_Affine]:
    """Gives points other than infinity in affine form, with one inversion for all of them."""
    products = [1]
    for _, _, z in points:
        products.append(products[-1] * z % P)
    inverse = pow(products[-1], -1, P)
    found: list[_Affine] = []
    for (x, y, z), before in zip(reversed(points), reversed(products[:-1]), strict=True):
        own = inverse * before % P
        inverse = inverse * z % P
        square = own * own % P
        found.append((x * square % P, y * square % P * own % P))
    found.reverse()
    return found


def _comb(point: _Affine) -> _Comb:
    """Makes the table for `_times_combs`: at index i the sum of 2^(spacing·j)·point over the bits j of i.

    The order of the group is a prime above 2^255, so no sum but the first is infinity and no two summands are equal.
    """
    table: list[_Jacobian] = [_INFINITY]
    tooth: _Jacobian = (*point, 1)
    for _ in range(_TEETH):
        plain = _affine([tooth])[0]
        table += [_add_affine(entry, plain) for entry in table]
        for _ in range(_SPACING):
            tooth = _double(tooth)
    return [(0, 0), *_affine(table[1:])]


@cache
def _comb_of_g() -> _Comb:
    return _comb(G)


def _columns(scalar: int) -> list[int]:
    """Cuts a scalar into the indices of a comb, the highest first."""
    digits = f"{scalar:0256b}"
    rows = [digits[start : start + _SPACING] for start in range(0, 256, _SPACING)]
    return [int("".join(column), 2) for column in zip(*rows, strict=True)]


def _times_combs(*terms: tuple[int, _Comb]) -> _Jacobian:
    """Gives the sum of scalar·point over terms of a scalar below 2^256 and a point's comb."""
    combs = [comb for _, comb in terms]
    total = _INFINITY
    for indices in zip(*(_columns(scalar) for scalar, _ in terms), strict=True):
        total = _double(total)
        for index, comb in zip(indices, combs, strict=True):
            if index:
                total = _add_affine(total, comb[index])
    return total


def _times(scalar: int, point: _Affine) -> _Jacobian:
    """Gives scalar·point for a point without a comb, by signed windows. The scalar is from 1 to n - 1."""
    twice = _affine([_double((*point, 1))])[0]
    odd: list[_Jacobian] = [(*point, 1)]
    for _ in range((1 << _WIDTH - 2) - 1):
        odd.append(_add_affine(odd[-1], twice))
    table = _affine(odd)  # 1, 3, 5 … times the point
    total = _INFINITY
    for digit in _signed_windows(scalar):
        total = _double(total)
        if digit > 0:
            total = _add_affine(total, table[digit >> 1])
        elif digit:
            x, y = table[-digit >> 1]
            total = _add_affine(total, (x, P - y))
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
