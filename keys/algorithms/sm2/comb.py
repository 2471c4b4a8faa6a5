"""Points on the curve of SM2 as numbers, and combs: tables by which a point is multiplied quickly, again and again.

It takes time that depends on its input, which is public: nothing here may touch a private key.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, Protocol, TypeVar

from keys.algorithms.sm2.curve import SIZE, P

Affine = tuple[int, int]
Jacobian = tuple[int, int, int]  # (X, Y, Z) is the point (X/Z², Y/Z³), and infinity when Z is 0
Comb = Sequence[Affine]

INFINITY: Jacobian = (1, 1, 0)

TEETH = 8
SPACING = 256 // TEETH  # bits from tooth to tooth

# A byte with its bits in eight bytes, the lowest in the lowest.
_SPREAD = [sum((octet >> bit & 1) << 8 * bit for bit in range(8)) for octet in range(256)]


def affine_of(point: bytes) -> Affine:
    """Reads 04‖x‖y."""
    return int.from_bytes(point[1 : 1 + SIZE], "big"), int.from_bytes(point[1 + SIZE :], "big")


def double(point: Jacobian) -> Jacobian:
    """Gives twice a point."""
    x, y, z = point
    square = z * z % P
    slope = 3 * (x - square) * (x + square) % P  # as a = -3
    y2 = y * y % P
    s = 4 * x * y2 % P
    x3 = (slope * slope - 2 * s) % P
    return x3, (slope * (s - x3) - 8 * y2 * y2) % P, 2 * y * z % P


def add_affine(point: Jacobian, other: Affine) -> Jacobian:
    """Gives the sum of any two points but infinity for the second."""
    x1, y1, z1 = point
    if not z1:
        return other[0], other[1], 1
    square = z1 * z1 % P
    h = (other[0] * square - x1) % P
    slope = (other[1] * square % P * z1 - y1) % P
    if not h:
        return INFINITY if slope else double(point)
    h2 = h * h % P
    h3 = h * h2 % P
    v = x1 * h2 % P
    x3 = (slope * slope - h3 - 2 * v) % P
    return x3, (slope * (v - x3) - y1 * h3) % P, z1 * h % P


def to_affine(points: Sequence[Jacobian]) -> list[Affine]:
    """Gives points other than infinity in affine form, with one inversion for all of them."""
    products = [1]
    for _, _, z in points:
        products.append(products[-1] * z % P)
    inverse = pow(products[-1], -1, P)
    found: list[Affine] = []
    for (x, y, z), before in zip(reversed(points), reversed(products[:-1]), strict=True):
        own = inverse * before % P
        inverse = inverse * z % P
        square = own * own % P
        found.append((x * square % P, y * square % P * own % P))
    found.reverse()
    return found


def make_comb(point: Affine) -> Comb:
    """Makes the table for multiplying a point: at index i the sum of 2^(spacing·j)·point over the bits j of i.

    The order of the group is a prime above 2^255, so no sum but the first is infinity and no two summands are equal.
    """
    table: list[Jacobian] = [INFINITY]
    tooth: Jacobian = (*point, 1)
    for _ in range(TEETH):
        plain = to_affine([tooth])[0]
        table += [add_affine(entry, plain) for entry in table]
        for _ in range(SPACING):
            tooth = double(tooth)
    return [(0, 0), *to_affine(table[1:])]


def columns(scalar: int) -> bytes:
    """Cuts a scalar below 2^256 into the 32 indices of a comb, the highest first."""
    octets = scalar.to_bytes(SIZE, "big")
    found = []
    for start in range(SPACING // 8):
        spread = 0
        for octet in octets[start :: SPACING // 8]:
            spread = spread << 1 | _SPREAD[octet]
        found.append(spread.to_bytes(8, "big"))
    return b"".join(found)


class Key(Protocol):
    """A public key by its point. `uses` counts up to the making of its table."""

    point: bytes
    uses: int


_Table = TypeVar("_Table")


class KeptTables(Generic[_Table]):
    """The tables of keys that verify often. Safe to share between threads.

    A key has earned its table after so many `uses`; of tables so many are `kept`, the last used ones.
    """

    def __init__(self, make: Callable[[Affine], _Table], *, uses: int, kept: int) -> None:
        self._make, self._uses, self._most = make, uses, kept
        self._tables: OrderedDict[bytes, tuple[Key, _Table]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._tables)

    def of(self, key: Key) -> _Table | None:
        """The table of a key that is used often enough to have one. Counts this use."""
        with self._lock:
            found = self._tables.get(key.point)
            if found is not None:
                self._tables.move_to_end(key.point)
                return found[1]
            key.uses += 1
            if key.uses < self._uses:
                return None
        table = self._make(affine_of(key.point))
        with self._lock:
            self._tables[key.point] = key, table
            if len(self._tables) > self._most:
                # Counting starts anew, so that more busy keys than tables do not make a table for every signature.
                self._tables.popitem(last=False)[1][0].uses = 0
        return table
