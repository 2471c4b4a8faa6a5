"""Sums of multiples of points on the curve of SM2, by combs and libcrypto's addition of points.

For keys that verify often: a table costs some milliseconds once, and then a third of the time that libcrypto takes,
which begins anew with every signature. What is added here is public: it takes time that depends on it.
"""

from ctypes import create_string_buffer
from itertools import chain

from keys.algorithms.sm2.comb import SPACING, Affine, columns, double, make_comb, to_affine
from keys.algorithms.sm2.curve import SIZE, G
from keys.algorithms.sm2.libcrypto import Libcrypto, Owned

_COMBS = 4  # of a table, each for the columns of its own quarter: so many doublings fewer
_STEPS = SPACING // _COMBS
_UNCOMPRESSED = 4


class Table:
    """The combs of one point, as points of libcrypto: pointers, 0 in the place of infinity. Frees them."""

    def __init__(self, library: Libcrypto) -> None:
        self.combs: list[list[int]] = []
        self._c = library

    def __del__(self) -> None:
        for pointer in chain.from_iterable(self.combs):
            if pointer:
                self._c.EC_POINT_free(pointer)
        self.combs = []


class Group:
    """The group of the curve in a libcrypto. What libcrypto cannot do raises AlgorithmError "sm2.libcrypto"."""

    def __init__(self, library: Libcrypto) -> None:
        self._c = library
        self._group = library.owned(
            library.EC_GROUP_new_by_curve_name(library.OBJ_sn2nid(b"SM2")), library.EC_GROUP_free
        )
        self._of_g = self.table(G)

    def table(self, point: Affine) -> Table:
        """Makes the table of a point, 300 kB: the combs of 1, 2^8, 2^16 and 2^24 times the point."""
        table = Table(self._c)
        tooth = (*point, 1)
        with self._c.owned(self._c.BN_CTX_new(), self._c.BN_CTX_free) as scratch:
            for _ in range(_COMBS):
                comb = make_comb(to_affine([tooth])[0])
                table.combs.append([0])
                for entry in comb[1:]:
                    table.combs[-1].append(self._point(entry, scratch))
                for _ in range(_STEPS):
                    tooth = double(tooth)
        return table

    def _point(self, point: Affine, scratch: Owned) -> int:
        made = self._c.owned(self._c.EC_POINT_new(self._group.pointer), self._c.EC_POINT_free)
        octets = b"\x04" + b"".join(number.to_bytes(SIZE, "big") for number in point)
        group, context = self._group.pointer, scratch.pointer
        self._c.check(self._c.EC_POINT_oct2point(group, made.pointer, octets, len(octets), context))
        return made.given_up()

    def x_of_sum(self, s: int, t: int, table: Table) -> int | None:
        """The first coordinate of s·G + t·point, None for infinity. Both scalars are from 0 to 2^256 - 1."""
        c, group = self._c, self._group.pointer
        add, twice, combs = c.EC_POINT_add, c.EC_POINT_dbl, self._of_g.combs + table.combs
        with (
            c.owned(c.BN_CTX_new(), c.BN_CTX_free) as scratch,
            c.owned(c.EC_POINT_new(group), c.EC_POINT_free) as total,
        ):
            context, sum_ = scratch.pointer, total.pointer
            done = c.EC_POINT_set_to_infinity(group, sum_)
            for step in zip(*_by_step(s), *_by_step(t), strict=True):
                done &= twice(group, sum_, sum_, context)
                for index, comb in zip(step, combs, strict=True):
                    if index:
                        done &= add(group, sum_, sum_, comb[index], context)
            octets = create_string_buffer(1 + 2 * SIZE)
            size = c.EC_POINT_point2oct(group, sum_, _UNCOMPRESSED, octets, len(octets), context)
        c.check(done & (size > 0))
        return int.from_bytes(octets.raw[1 : 1 + SIZE], "big") if size == len(octets) else None


def _by_step(scalar: int) -> list[bytes]:
    """The indices into each comb of a table, step by step from the highest."""
    indices = columns(scalar)
    return [indices[start : start + _STEPS] for start in range(SPACING - _STEPS, -1, -_STEPS)]
