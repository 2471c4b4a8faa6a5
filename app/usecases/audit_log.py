"""Verify a log that is only read: by its checkpoint, tiles and entries, from wherever they come."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from keys.errors import KeysError, MalformedError
from keys.note import NoteKey, open_note
from registry.log.checkpoint import Checkpoint, read_checkpoint
from registry.log.merkle import HASH_SIZE, consistency_proof, leaf_hash, verify_consistency
from registry.log.tiles import HEIGHT, WIDTH, Edge, grow, node_reader, read_bundle, tile_path

Read = Callable[[str], bytes]
"""Gives what a log serves under a name such as "checkpoint" or "tile/0/000". Raises `FileNotFoundError`."""


class LogReport(Struct, frozen=True, kw_only=True):
    """What recomputing a log came to; `difference` is the first thing that is not as it says, None if nothing."""

    size: int
    root: bytes
    checkpoints: int
    difference: str | None


def open_checkpoint(note: bytes, key: NoteKey) -> Checkpoint:
    """The checkpoint that a log's key signed. Raises `keys.errors.KeysError`."""
    checkpoint = read_checkpoint(open_note(note, [key]))
    if checkpoint.origin != key.name:
        raise MalformedError("log.checkpoint_malformed", "the checkpoint is of another log than its key is named for")
    return checkpoint


def rolled_back(signed: int, there: int) -> str:
    """Says that a log is shorter than it was."""
    return f"the log was rolled back: a checkpoint of {signed} entries was signed, {there} are there"


def forked(signed: int) -> str:
    """Says that a log is another than it was."""
    return f"the log was forked: a checkpoint of {signed} entries was signed with another root"


def verify_served(read: Read, key: NoteKey, known: Sequence[Checkpoint] = ()) -> LogReport:
    """Recomputes a served log from its entries, and names the first difference. `known` are checkpoints once kept."""
    edge, difference, checkpoints = Edge(), None, 0
    try:
        checkpoint = open_checkpoint(read("checkpoint"), key)
        size = checkpoint.head.size
        for one in known:
            if one.head.size > size:
                raise MalformedError("log.rolled_back", rolled_back(one.head.size, size))
        while edge.size < size:
            edge = _next(read, edge, min(WIDTH, size - edge.size), known)
        _compare_edge(read, edge)
        if edge.root != checkpoint.head.root:
            difference = f"the root over the {size} entries is another than the checkpoint says"
        checkpoints = 1 + len(known)
    except KeysError as error:
        difference = error.detail
    except FileNotFoundError as error:
        difference = f"{error} is not served"
    return LogReport(size=edge.size, root=edge.root, checkpoints=checkpoints, difference=difference)


def verify_growth(read: Read, key: NoteKey, seen: Checkpoint | None) -> tuple[bytes, Checkpoint]:
    """The served checkpoint as a note and as read, once it is shown that the log only grew since `seen`.

    Reads the few tiles that the proof needs. Raises `keys.errors.KeysError` for a log that was rolled back, forked or
    is damaged, and `FileNotFoundError` for what is not served.
    """
    note = read("checkpoint")
    checkpoint = open_checkpoint(note, key)
    size = checkpoint.head.size

    def tile(level: int, number: int) -> bytes:
        width = min(WIDTH, (size >> HEIGHT * level) - number * WIDTH)
        return read(tile_path(level, number, width))

    if seen is None or seen.head.size == 0:
        return note, checkpoint
    if seen.head.size > size:
        raise MalformedError("log.rolled_back", rolled_back(seen.head.size, size))
    node = node_reader(tile)
    proof = () if seen.head.size == size else consistency_proof(seen.head.size, size, node)
    try:
        verify_consistency(seen.head.size, size, seen.head.root, checkpoint.head.root, proof)
    except MalformedError as error:
        detail = f"the log does not begin with the {seen.head.size} entries it had: forked, or a tile is damaged"
        raise MalformedError("log.forked", detail) from error
    return note, checkpoint


def _next(read: Read, edge: Edge, width: int, known: Sequence[Checkpoint]) -> Edge:
    """Reads one more bundle, and holds the tiles that it fills, and checkpoints that end in it, against its entries."""
    name = tile_path(None, edge.size // WIDTH, width)
    entries = read_bundle(read(name))
    if len(entries) != width:
        raise MalformedError("log.bundle_malformed", f"{name} has {len(entries)} entries, not {width}")
    leaves = [leaf_hash(entry) for entry in entries]
    for one in known:
        within = one.head.size - edge.size
        if 0 < within <= width and grow(edge, leaves[:within])[0].root != one.head.root:
            raise MalformedError("log.forked", forked(one.head.size))
    after, tiles = grow(edge, leaves)
    for (level, number), tile in sorted(tiles.items()):
        # A tile above grows with each one below: it is looked at when it is full, and at the end.
        if level == 0 or len(tile) == WIDTH * HASH_SIZE:
            _compare(read, level, number, tile)
    return after


def _compare_edge(read: Read, edge: Edge) -> None:
    """Holds the tiles that are not full against the entries."""
    for level, tile in enumerate(edge.partial[1:], 1):
        if tile:
            _compare(read, level, edge.size >> HEIGHT * (level + 1), tile)


def _compare(read: Read, level: int, number: int, tile: bytes) -> None:
    if read(tile_path(level, number, len(tile) // HASH_SIZE)) != tile:
        raise MalformedError("log.tile_wrong", f"the entries have other hashes than tile {level}/{number}")
