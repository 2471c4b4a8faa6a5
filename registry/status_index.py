"""Places in status lists: an index does not tell when a credential was registered, nor a list how many it holds.

Every list has the same number of places. They are given out one after another in an order that the store's secret
shuffles; some always stay decoys, given to nobody (draft-ietf-oauth-status-list §12.5). What was given out as the n-th
place can be computed again, so that a moved index is noticed.

A place that nobody has reads as VALID (§13.3): whatever else it held would turn in public when it is given out, and the
list would tell how many it holds. So a status is a statement about a credential only by the index that the credential
itself names.
"""

import hashlib
import hmac
from base64 import b32encode
from functools import lru_cache

PLACES = 1 << 20
"""Places of a list: in 2 bits each, 256 KiB before compression, whoever holds how many of them."""
CAPACITY = 1_000_000
"""Places that are given out before a further list begins; the others are decoys for ever."""

_HALF = 10  # bits: a place has twice as many
_MASK = (1 << _HALF) - 1
_ROUNDS = 10  # as many as NIST SP 800-38G has for small domains
_ROUND_BYTES = 2 << _HALF


def list_id(secret: bytes, type_id: str, issuer: str, ordinal: int) -> str:
    """The opaque id of an issuer's list of a type; `ordinal` counts its lists from 0. `secret` is the store's."""
    seed = "\x1f".join(("accord-status-list-v1", type_id, issuer, str(ordinal))).encode()
    return "sl_" + b32encode(hmac.digest(secret, seed, "sha256")[:15]).decode().lower()


def index_of(secret: bytes, listed: str, nth: int) -> int:
    """The place in a list, by its id, that is given out as its n-th, from 0. No two have the same.

    Raises ValueError beyond `CAPACITY`.
    """
    if not 0 <= nth < CAPACITY:
        raise ValueError(f"a list gives out {CAPACITY} places, and none as its {nth}th")
    tables = _tables(secret, listed)
    # A Feistel network over the two halves, its round functions drawn at random: a permutation of all places.
    left, right = nth >> _HALF, nth & _MASK
    for start in range(0, _ROUNDS * _ROUND_BYTES, _ROUND_BYTES):
        entry = start + 2 * right
        left, right = right, left ^ int.from_bytes(tables[entry : entry + 2], "big") & _MASK
    return left << _HALF | right


@lru_cache(maxsize=256)
def _tables(secret: bytes, listed: str) -> bytes:
    seed = b"accord-status-index-v1\x1f" + secret + b"\x1f" + listed.encode()
    return hashlib.shake_256(seed).digest(_ROUNDS * _ROUND_BYTES)
