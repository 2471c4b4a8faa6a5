"""Verify a log that is only read: by its checkpoint, tiles and entries, from wherever they come."""

from collections.abc import Callable

from msgspec import Struct

from keys.errors import KeysError, MalformedError
from keys.note import NoteKey, open_note
from registry.log.checkpoint import Checkpoint, read_checkpoint
from registry.log.merkle import consistency_proof, leaf_hash, verify_consistency
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


def verify_served(read: Read, key: NoteKey) -> LogReport:
    """Recomputes a served log from its entries, and names the first difference."""
    edge = Edge()
    try:
        checkpoint = open_checkpoint(read("checkpoint"), key)
        while edge.size < checkpoint.head.size:
            edge = _next(read, edge, min(WIDTH, checkpoint.head.size - edge.size))
    except KeysError as error:
        return LogReport(size=edge.size, root=edge.root, checkpoints=0, difference=error.detail)
    except FileNotFoundError as error:
        missing = f"{error} is not served"
        return LogReport(size=edge.size, root=edge.root, checkpoints=0, difference=missing)
    difference = None
    if edge.root != checkpoint.head.root:
        difference = f"the root over the {edge.size} entries is another than the checkpoint says"
    return LogReport(size=edge.size, root=edge.root, checkpoints=1, difference=difference)


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
        raise MalformedError("log.rolled_back", f"the log had {seen.head.size} entries, now it has {size}")
    node = node_reader(tile)
    proof = () if seen.head.size == size else consistency_proof(seen.head.size, size, node)
    try:
        verify_consistency(seen.head.size, size, seen.head.root, checkpoint.head.root, proof)
    except MalformedError as error:
        forked = f"the log does not begin with the {seen.head.size} entries it had: forked, or a tile is damaged"
        raise MalformedError("log.forked", forked) from error
    return note, checkpoint


def _next(read: Read, edge: Edge, width: int) -> Edge:
    """Reads one more bundle, and holds the tiles that it fills against those served."""
    name = tile_path(None, edge.size // WIDTH, width)
    entries = read_bundle(read(name))
    if len(entries) != width:
        raise MalformedError("log.bundle_malformed", f"{name} has {len(entries)} entries, not {width}")
    after, tiles = grow(edge, [leaf_hash(entry) for entry in entries])
    for (level, number), tile in sorted(tiles.items()):
        # A tile above grows with each one below: it is looked at when it is full, and by the root.
        if (level == 0 or len(tile) == WIDTH * 32) and read(tile_path(level, number, len(tile) // 32)) != tile:
            raise MalformedError(
                "log.tile_wrong", f"the entries of {name} have other hashes than tile {level}/{number}"
            )
    return after
