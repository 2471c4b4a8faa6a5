"""Commit to the log, and prove what is in it to whoever does not read tiles."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from app.ports import StoreError
from keys.custody import Signer
from keys.errors import MalformedError
from keys.note import sign_note
from registry.errors import Fault, QueryRefused
from registry.log.checkpoint import Checkpoint, TreeHead
from registry.log.merkle import consistency_proof, inclusion_proof, leaf_hash, root
from registry.log.tiles import node_reader


class Log(Protocol):
    """Reads of the log. Each raises `StoreError`."""

    def head(self) -> TreeHead:
        """Size and root as of now."""
        ...

    def tile(self, level: int, number: int) -> bytes:
        """A tile as full as it is."""
        ...

    def entries(self, start: int, end: int) -> tuple[bytes, ...]:
        """The entries from one place until before another."""
        ...

    def latest_of(self, credential: str, size: int) -> int | None:
        """The place of the newest entry about a credential in the log of a size."""
        ...

    def keep_checkpoint(self, size: int, note: bytes) -> None:
        """Keeps a note."""
        ...


def log_name(issuer: str) -> str:
    """The name of a node's log, which its notes are signed by: that of its receipts' issuer."""
    return f"{issuer}/log"


def current_checkpoint(log: Log, name: str, signer: Signer) -> bytes:
    """The log's head as a signed note: by Ed25519 the same bytes for a size, whoever of several processes signs it."""
    head = log.head()
    note = sign_note(Checkpoint(name, head).text(), name, signer)
    log.keep_checkpoint(head.size, note)
    return note


def prove_inclusion(log: Log, index: int | None, credential: str | None, size: int | None) -> dict[str, Any] | None:
    """The entry at a place, or the newest about a credential, with its proof in the log of a size (None: as it is).

    None when there is no entry about the credential. Raises `QueryRefused` for a size or place beyond the log.
    """
    head = _head_at(log, size, "size")
    if credential is not None:
        index = log.latest_of(credential, head.size)
        if index is None:
            return None
    if index is None or index >= head.size:
        raise _beyond("index", 0, head.size - 1)
    entries = log.entries(index, index + 1)
    if not entries:
        raise StoreError(f"the log has lost entry {index}; see: accord log verify")
    with _whole():
        proof = inclusion_proof(index, head.size, node_reader(_once(log)))
    return {
        "index": index,
        "size": head.size,
        "root": _text(head.root),
        "entry": _text(entries[0]),
        "leaf_hash": _text(leaf_hash(entries[0])),
        "proof": [_text(one) for one in proof],
    }


def prove_consistency(log: Log, first: int, second: int | None) -> dict[str, Any]:
    """The proof that the log of one size begins that of a later one (None: as it is). Raises `QueryRefused`."""
    later = _head_at(log, second, "second")
    if not 0 < first <= later.size:
        raise _beyond("first", 1, later.size)
    node = node_reader(_once(log))
    with _whole():
        first_root, proof = root(first, node), consistency_proof(first, later.size, node)
    return {
        "first": first,
        "first_root": _text(first_root),
        "second": later.size,
        "second_root": _text(later.root),
        "proof": [_text(one) for one in proof],
    }


def _head_at(log: Log, size: int | None, name: str) -> TreeHead:
    head = log.head()
    if size is None or size == head.size:
        return head
    if not 0 < size < head.size:
        raise _beyond(name, 1, head.size)
    with _whole():
        return TreeHead(size, root(size, node_reader(_once(log))))


@contextmanager
def _whole() -> Iterator[None]:
    try:
        yield
    except MalformedError as error:
        raise StoreError(f"the log is damaged: {error.detail}; see: accord log verify") from error


def _once(log: Log) -> Callable[[int, int], bytes]:
    """Reads each tile once for a proof."""
    read: dict[tuple[int, int], bytes] = {}

    def tile(level: int, number: int) -> bytes:
        if (level, number) not in read:
            read[level, number] = log.tile(level, number)
        return read[level, number]

    return tile


def _beyond(name: str, least: int, most: int) -> QueryRefused:
    params = {"name": name, "minimum": str(least), "maximum": str(most)}
    return QueryRefused(Fault(pointer=f"/{name}", code="query.out_of_range", params=params))


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
