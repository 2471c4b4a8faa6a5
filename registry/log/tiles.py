"""The tree in tiles of 256 hashes, and their names (C2SP tlog-tiles): what is stored, served and recomputed.

A tile of level L holds the hashes of complete subtrees of height 8·L, the leaves' own at level 0. It only ever grows,
until it is full. Entry bundles hold the entries of a tile of level 0, each behind its length in two bytes.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

from keys.errors import MalformedError
from registry.log.merkle import EMPTY_ROOT, HASH_SIZE, NodeReader, hash_of, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_ENTRY = 0xFFFF  # bytes
_MAX_LEVEL = 63

_FULL = WIDTH * HASH_SIZE
_BLOCK = 16 * HASH_SIZE
_NUMBER = re.compile(r"(?:x[0-9]{3}/){0,6}[0-9]{3}")
_WIDTH = re.compile(r"[1-9][0-9]{0,2}")
_LEVEL = re.compile(r"0|[1-9][0-9]?")

TileReader = Callable[[int, int], bytes]
"""Gives a tile by level and number, as full as it is."""


class Edge(Struct, frozen=True):
    """The right edge of a tree: its size, and of each level the tile that is not full, perhaps empty."""

    size: int = 0
    partial: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        found: list[bytes] = []
        for tile in self.partial:
            whole = len(tile) - len(tile) % _BLOCK
            blocks = [_block(tile[start : start + _BLOCK]) for start in range(0, whole, _BLOCK)]
            rest = [*_hashes(tile[whole:]), *found]
            parts = [*blocks, hash_of(rest)] if rest else blocks
            found = [hash_of(parts)] if parts else []
        return found[0] if found else EMPTY_ROOT


@lru_cache(maxsize=4096)
def _block(hashes: bytes) -> bytes:
    """The hash over sixteen neighbours. Kept, as the edge of a log is much the same from one write to the next."""
    return hash_of(_hashes(hashes))


def grow(edge: Edge, leaves: Sequence[bytes]) -> tuple[Edge, dict[tuple[int, int], bytes]]:
    """Appends leaf hashes: the new edge, and every tile that changed, by level and number."""
    changed: dict[tuple[int, int], bytes] = {}
    partial, fresh, level = list(edge.partial), b"".join(leaves), 0
    while fresh:
        if level == len(partial):
            partial.append(b"")
        first = edge.size >> HEIGHT * (level + 1)
        content, above = partial[level] + fresh, list[bytes]()
        for number, start in enumerate(range(0, len(content), _FULL), first):
            tile = content[start : start + _FULL]
            changed[level, number] = tile
            if len(tile) == _FULL:
                above.append(hash_of(_hashes(tile)))
        partial[level] = content[len(content) - len(content) % _FULL :]
        fresh, level = b"".join(above), level + 1
    return Edge(edge.size + len(leaves), tuple(partial)), changed


def edge_of(size: int, tile: TileReader) -> Edge:
    """The right edge of a tree of a size, read from its tiles."""
    partial: list[bytes] = []
    for level in range(_MAX_LEVEL + 1):
        count = size >> HEIGHT * level
        if not count:
            break
        width = count % WIDTH * HASH_SIZE
        partial.append(tile(level, count >> HEIGHT)[:width] if width else b"")
    return Edge(size, tuple(partial))


def node_reader(tile: TileReader) -> NodeReader:
    """Reads nodes of the tree from its tiles, or raises MalformedError "log.tile_short"."""

    def node(height: int, place: int) -> bytes:
        level, within = divmod(height, HEIGHT)
        start = place << within
        number, offset = divmod(start, WIDTH)
        end = (offset + (1 << within)) * HASH_SIZE
        content = tile(level, number)
        if len(content) < end:
            raise MalformedError("log.tile_short", f"tile {level}/{number} has {len(content)} bytes, {end} are needed")
        if len(content) == _FULL:
            return _heights(content)[within][offset >> within]
        return hash_of(_hashes(content[offset * HASH_SIZE : end]))

    return node


@lru_cache(maxsize=256)
def _heights(tile: bytes) -> tuple[tuple[bytes, ...], ...]:
    """The nodes over a full tile by their height in it. Kept, as most proofs lead through the same tiles."""
    rows = [tuple(_hashes(tile))]
    while len(rows[-1]) > 1:
        below = rows[-1]
        rows.append(tuple([node_hash(below[place], below[place + 1]) for place in range(0, len(below), 2)]))
    return tuple(rows)


def tile_path(level: int | None, number: int, width: int = WIDTH) -> str:
    """The name of a tile, such as "tile/0/x001/234"; with level None of an entry bundle: "tile/entries/000.p/17"."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{'entries' if level is None else level}/{'/'.join(groups)}{partial}"


def read_tile_path(level: str, name: str) -> tuple[int | None, int, int]:
    """Level (None: entries), number and width that a name means, as `tile_path` writes it; anything else is refused.

    Raises MalformedError "log.tile_name".
    """
    number, partial, width = name.partition(".p/")
    known = level == "entries" or (_LEVEL.fullmatch(level) is not None and int(level) <= _MAX_LEVEL)
    if not known or not _NUMBER.fullmatch(number) or (partial and not _WIDTH.fullmatch(width)):
        raise MalformedError("log.tile_name", "a tile is named tile/<level or entries>/<number>[.p/<width>]")
    found = (
        None if level == "entries" else int(level),
        int(number.replace("x", "").replace("/", "")),
        int(width) if partial else WIDTH,
    )
    if tile_path(*found) != f"tile/{level}/{name}" or (partial and found[2] >= WIDTH):
        raise MalformedError(
            "log.tile_name", "a number takes as many groups of three digits as it needs, a width 1-255"
        )
    return found


def bundle(entries: Iterable[bytes]) -> bytes:
    """The entry bundle of some entries, each at most 65,535 bytes."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def read_bundle(content: bytes) -> tuple[bytes, ...]:
    """The entries in a bundle. Raises MalformedError "log.bundle_malformed"."""
    entries: list[bytes] = []
    start = 0
    while start < len(content):
        end = start + 2 + int.from_bytes(content[start : start + 2], "big")
        if end > len(content):
            raise MalformedError("log.bundle_malformed", f"the bundle ends inside entry {len(entries)}")
        entries.append(content[start + 2 : end])
        start = end
    return tuple(entries)


def _hashes(tile: bytes) -> list[bytes]:
    return [tile[start : start + HASH_SIZE] for start in range(0, len(tile), HASH_SIZE)]
