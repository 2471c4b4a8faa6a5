"""Put together what a node holds to judge CA locks by."""

from typing import Protocol

from registry.evidence import Brought, LockEvidence, PathFinder, RevocationEvidence


class RefreshingRevocation(RevocationEvidence, Protocol):
    """Revocation lists that come to know of new ones."""

    def refresh(self) -> None:
        """Takes note of lists that came in since."""
        ...


class HeldLockMaterial:
    """Implements `app.ports.LockMaterial`."""

    def __init__(self, revocation: RefreshingRevocation, paths: PathFinder) -> None:
        self._revocation, self._paths = revocation, paths

    def evidence(self, brought: Brought) -> LockEvidence:
        """The evidence for one question, with every list that has come in so far. Raises `StoreError`."""
        self._revocation.refresh()
        return LockEvidence(
            shown=brought.shown, stapled=brought.stapled, paths=self._paths, revocation=self._revocation
        )
