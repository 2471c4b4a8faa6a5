"""Put together what a node holds to judge CA locks by."""

from typing import Protocol

from registry.lock import LockEvidence, PathFinder, Possession, RevocationEvidence


class RefreshingRevocation(RevocationEvidence, Protocol):
    """Revocation evidence that comes to know of more."""

    def refresh(self) -> None:
        """Takes note of what came in since."""
        ...


class HeldLockMaterial:
    """Implements `app.ports.LockMaterial`."""

    def __init__(self, revocation: RefreshingRevocation, paths: PathFinder) -> None:
        self._revocation, self._paths = revocation, paths

    def evidence(self, possession: Possession | None, stapled: tuple[bytes, ...] = ()) -> LockEvidence:
        """The evidence for one question, with all that has come in so far. Raises `StoreError`.

        `stapled` are the OCSP responses that came with it.
        """
        self._revocation.refresh()
        return LockEvidence(possession=possession, paths=self._paths, revocation=self._revocation, stapled=stapled)
