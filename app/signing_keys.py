"""The keys of a running node, as its key directory has them now (docs/adr/0013)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from app import clock
from keys.custody import Signer, key_directory
from keys.errors import CustodyError, KeysError, SignatureError
from keys.key_ring import KeyRing

LOOK_SECONDS = 1.0
"""So long a process goes by what it saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a look found; `part` None: nothing that will do, so that the next look reads again."""

    part: key_directory.PublicPart | None
    signer: Signer | CustodyError
    ring: KeyRing | CustodyError


class SigningKeys:
    """What a node signs and verifies by. Whoever uses a key looks at the directory first, unless that was just done.

    So there is nothing beside the service that could stop unnoticed: what was declared or rotated counts within
    `LOOK_SECONDS`. Where the directory cannot be read, or takes back that a key is compromised, nothing is signed and
    nothing verified: what the node does not know may be that its key was stolen.
    """

    def __init__(self, directory: Path, label: str, load: Callable[[], Signer]) -> None:
        """Reads the keys. `load` opens the active one without trying it. Raises `keys.errors.CustodyError`."""
        self._directory, self._label, self._load = directory, label, load
        self._lock, self._look_again = Lock(), 0.0
        self._opened: Signer | None = None
        self._declared: frozenset[str] = frozenset()
        self._seen = self._read(None)
        _ = self.signer, self.ring

    @property
    def signer(self) -> Signer:
        """What signs now. Raises `keys.errors.CustodyError` where nothing may."""
        found = self._now().signer
        if isinstance(found, CustodyError):
            raise CustodyError(found.code, found.detail)  # its own: one that is raised again keeps every trace
        return found

    @property
    def ring(self) -> KeyRing:
        """What is verified by now, and published. Raises `keys.errors.CustodyError` where that is not known."""
        found = self._now().ring
        if isinstance(found, CustodyError):
            raise CustodyError(found.code, found.detail)
        return found

    def _now(self) -> _Seen:
        if clock.monotonic() >= self._look_again:
            with self._lock:
                began = clock.monotonic()
                if began >= self._look_again:
                    self._seen = self._read(self._seen)
                    self._look_again = began + LOOK_SECONDS
        return self._seen

    def _read(self, before: _Seen | None) -> _Seen:
        try:
            # Before anything else: what changes while it is read is seen at the next look.
            part = key_directory.public_part(self._directory)
            if before is not None and part == before.part:
                return before
            signer = self._active()
            # After the active key: what was published before that became active is in it.
            ring = key_directory.load_ring(self._directory)
            self._remember(ring)
        except CustodyError as error:
            return _Seen(part=None, signer=error, ring=error)
        if isinstance(signer, CustodyError):
            return _Seen(part=None, signer=signer, ring=ring)
        try:
            ring.find(signer.kid)
        except SignatureError as error:
            return _Seen(part=None, signer=CustodyError(error.code, error.detail), ring=ring)
        return _Seen(part=part, signer=signer, ring=ring)

    def _active(self) -> Signer | CustodyError:
        """The active key: as it was opened before, where it is the same; a passphrase may be gone since the start."""
        try:
            entry = key_directory.find_active(self._directory, self._label)
            if self._opened is None or self._opened.kid != entry.kid:
                self._opened = self._load()
        except KeysError as error:
            return CustodyError(error.code, error.detail)
        return self._opened

    def _remember(self, ring: KeyRing) -> None:
        """Refuses a set that was put back from before a declaration: a thief's receipts would be good again."""
        declared = frozenset(key.kid for key in ring.keys if key.revoked_at is not None)
        lost = sorted(self._declared - declared)
        if lost:
            mend = "restore it, or declare the key again: accord keys compromised"
            detail = f"{self._directory}: jwks.json says no more that key {lost[0]} is compromised; {mend}"
            raise CustodyError("key.declaration_lost", detail)
        self._declared = declared
