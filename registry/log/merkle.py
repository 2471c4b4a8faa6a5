"""Merkle tree hashes and proofs (RFC 6962 §2.1, RFC 9162 §2.1). Hashes are 32 bytes, SHA-256.

A tree is read through a `NodeReader`: the hash of a complete subtree, by its height and its place from the left.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from keys.errors import MalformedError

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]
"""Gives the hash over the 2^height leaves from place · 2^height on."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def hash_of(parts: Sequence[bytes]) -> bytes:
    """The hash over neighbouring subtrees of one height, of which the last alone may be incomplete. Never none."""
    row = list(parts)
    while len(row) > 1:
        pairs = [node_hash(row[place], row[place + 1]) for place in range(0, len(row) - 1, 2)]
        # What is left over goes up as it is, so that complete subtrees stand to the left.
        row = pairs + row[len(pairs) * 2 :]
    return row[0]


def root(size: int, node: NodeReader) -> bytes:
    """The root of the first `size` leaves."""
    return _range(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: NodeReader) -> tuple[bytes, ...]:
    """The audit path of a leaf in the tree of the first `size` leaves. Raises ValueError unless 0 ≤ index < size."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    start, end, path = 0, size, list[bytes]()
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range(middle, end, node))
            end = middle
        else:
            path.append(_range(start, middle, node))
            start = middle
    return tuple(reversed(path))


def consistency_proof(first: int, second: int, node: NodeReader) -> tuple[bytes, ...]:
    """The proof that the tree of `first` leaves begins that of `second`, ValueError unless 0 < first ≤ second."""
    if not 0 < first <= second:
        raise ValueError(f"there is no proof between trees of {first} and {second} leaves")
    start, end, path = 0, second, list[bytes]()
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_range(middle, end, node))
            end = middle
        else:
            path.append(_range(start, middle, node))
            start = middle
    # A first tree that is a subtree of the second is known to the verifier already.
    return tuple(reversed([*path, _range(start, end, node)] if start else path))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], tree_root: bytes) -> None:
    """Raises MalformedError "log.proof_wrong" unless the leaf is in the tree at that place (RFC 9162 §2.1.3.2)."""
    _check(0 <= index < size, (leaf, tree_root, *proof))
    place, last, found = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            raise _wrong("the proof is too long")
        if place & 1 or place == last:
            found = node_hash(beside, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        place, last = place >> 1, last >> 1
    if last or found != tree_root:
        raise _wrong("it does not lead to the root")


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises MalformedError "log.proof_wrong" unless the second tree begins with the first (RFC 9162 §2.1.4.2)."""
    if 0 < first == second:
        if proof or first_root != second_root:
            raise _wrong("trees of one size are the same, without any proof")
        return
    _check(0 < first < second, (first_root, second_root, *proof))
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        raise _wrong("the proof is empty")
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for beside in path[1:]:
        if last == 0:
            raise _wrong("the proof is too long")
        if place & 1 or place == last:
            before, after = node_hash(beside, before), node_hash(beside, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, beside)
        place, last = place >> 1, last >> 1
    if last or before != first_root or after != second_root:
        raise _wrong("it does not lead to both roots")


def _split(size: int) -> int:
    """The largest power of two below a size of two or more."""
    return 1 << (size - 1).bit_length() - 1


def _range(start: int, end: int, node: NodeReader) -> bytes:
    """The hash over some leaves, where `start` is a multiple of the largest complete subtree in them."""
    parts = list[bytes]()
    while start < end:
        height = (end - start).bit_length() - 1
        parts.append(node(height, start >> height))
        start += 1 << height
    found = parts.pop()
    while parts:
        found = node_hash(parts.pop(), found)
    return found


def _check(sound: bool, hashes: Sequence[bytes]) -> None:
    if not sound:
        raise _wrong("sizes that no proof is about")
    if any(len(one) != HASH_SIZE for one in hashes):
        raise _wrong(f"a hash in it is not {HASH_SIZE} bytes")


def _wrong(why: str) -> MalformedError:
    return MalformedError("log.proof_wrong", f"the proof is wrong: {why}")
