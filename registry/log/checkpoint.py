"""What a log commits to: its name, its size and its root, as the text of a signed note (C2SP tlog-checkpoint)."""

import base64
import binascii
import re

from msgspec import Struct

from keys.errors import MalformedError
from registry.log.merkle import HASH_SIZE

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class TreeHead(Struct, frozen=True):
    """The log up to a size: the root over all entries before it."""

    size: int
    root: bytes


class Checkpoint(Struct, frozen=True):
    """A tree head and the name of the log that it is of."""

    origin: str
    head: TreeHead

    def text(self) -> str:
        """The text to be signed."""
        return f"{self.origin}\n{self.head.size}\n{base64.b64encode(self.head.root).decode()}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """Reads the text of an opened note; lines that others may add below are passed over.

    Raises MalformedError "log.checkpoint_malformed".
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines) or not _SIZE.fullmatch(lines[1]):
        raise _malformed("three lines belong in it, name, size and root, and none that is empty")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("the root is not base64") from error
    if len(root) != HASH_SIZE or base64.b64encode(root).decode() != lines[2]:
        raise _malformed(f"the root is not {HASH_SIZE} bytes")
    return Checkpoint(lines[0], TreeHead(int(lines[1]), root))


def _malformed(what: str) -> MalformedError:
    return MalformedError("log.checkpoint_malformed", f"not a checkpoint: {what}")
