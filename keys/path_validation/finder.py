"""Finds the paths of holders' certificates, keeping those of their CAs: a CA's path is judged once, not per lock."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from threading import Lock

from msgspec import Struct

from keys.certificate import Certificate
from keys.path_validation import signatures
from keys.path_validation.errors import PathError
from keys.path_validation.full import valid_paths
from keys.path_validation.leaf import leaf_step
from keys.path_validation.path import Path
from keys.revocation.names import folded

MAX_KEPT = 512  # questions about a CA whose paths are kept
MAX_GIVEN = 16  # questions whose digest is kept, by the fingerprints of what they gave
MAX_ISSUERS = 32  # certificates that are tried as the issuer of one


class PathFinder:
    """Remembers which CAs lead to which anchors. Safe to share between threads; it holds nothing of any holder."""

    def __init__(self, kept: int = MAX_KEPT) -> None:
        self._kept, self._most = OrderedDict[_Name, tuple[Path, ...]](), kept
        self._given = OrderedDict[tuple[str, ...], _Given]()
        self._lock = Lock()

    def find(
        self, leaf: Certificate, hints: Sequence[Certificate], anchors: Sequence[Certificate], instant: datetime
    ) -> Path:
        """Gives the first of `find_all`. Raises PathError."""
        return self.find_all(leaf, hints, anchors, instant)[0]

    def find_all(
        self, leaf: Certificate, hints: Sequence[Certificate], anchors: Sequence[Certificate], instant: datetime
    ) -> tuple[Path, ...]:
        """Gives every path from a certificate to one of the anchors, never none.

        Their authorities are valid at the instant. The certificate's own validity is not judged: a lock that has
        expired still has a path, and the caller says that it has expired. `hints` may be anybody's. Revocation is not
        judged: what speaks against one path may speak against another, so there are all of them, or PathError
        "too_complex": nobody hides one behind the hints that he sends. Raises PathError.
        """
        within = min(max(instant, leaf.not_before), leaf.not_after)
        refusal: PathError | None = None
        found: list[Path] = []
        for issuer in _issuers(leaf, (*anchors, *hints)):
            try:
                authorities = self._paths_of(issuer, leaf, hints, anchors, instant)
            except PathError as error:
                if error.step == "too_complex":
                    raise
                refusal = _better(refusal, error)
                continue
            for authority in authorities:
                try:
                    found.append(leaf_step(leaf, _held(authority, instant, within), within))
                except PathError as error:
                    refusal = _better(refusal, _unsigned(issuer, leaf) or error)
        if found:
            return tuple(found)
        raise refusal or PathError("no_anchor", "no certificate given issued this one, up to an anchor")

    def _paths_of(
        self,
        issuer: Certificate,
        leaf: Certificate,
        hints: Sequence[Certificate],
        anchors: Sequence[Certificate],
        instant: datetime,
    ) -> tuple[Path, ...]:
        with self._lock:
            key = self._name_of(issuer, hints, anchors, instant)
            paths = self._kept.get(key)
            if paths is not None:
                self._kept.move_to_end(key)
                return paths
        # Who did not sign the leaf is not worth the building of paths, which hostile hints can make dear.
        unsigned = _unsigned(issuer, leaf)
        if unsigned is not None:
            raise unsigned
        paths = tuple(valid_paths(issuer, hints, anchors, instant))
        with self._lock:
            self._kept[key] = paths
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return paths

    def _name_of(
        self, issuer: Certificate, hints: Sequence[Certificate], anchors: Sequence[Certificate], instant: datetime
    ) -> "_Name":
        """Names a question about a CA's path: what is given, in its order, and which of it is in its validity.

        So kept paths are those that would be found anew, whatever was asked in between; and a name is small, whatever
        hints were sent. The digests of the last few questions are kept: most ask by the same certificates.
        """
        certificates = (issuer, *anchors, *hints)
        asked = (str(len(anchors)), *[one.fingerprint for one in certificates])
        given = self._given.get(asked)
        if given is None:
            given = self._given[asked] = _Given(
                sha256(" ".join(asked).encode()).digest(),
                tuple(sorted({end for one in certificates for end in (one.not_before, one.not_after)})),
            )
            while len(self._given) > MAX_GIVEN:
                self._given.popitem(last=False)
        # Both ends of a validity belong to it: an instant that is one of them is in a place of its own.
        return given.digest, bisect_left(given.ends, instant), bisect_right(given.ends, instant)


_Name = tuple[bytes, int, int]


class _Given(Struct, frozen=True):
    """What a question about a CA's path gives: a digest of it in its order, and the ends of every validity in it."""

    digest: bytes
    ends: tuple[datetime, ...]


def _issuers(leaf: Certificate, offered: Sequence[Certificate]) -> list[Certificate]:
    """Those that may have issued it, by name and key identifier, each once; those whose identifier says so first."""
    named = [one for one in offered if one.subject == leaf.issuer]
    if not named:
        # The same name in another encoding (RFC 5280 §7.1); judged with the rest at the last step.
        name = folded(leaf.issuer)
        named = [one for one in offered if folded(one.subject) == name]
    found = [one for one in named if one.is_ca and not _other_key(leaf, one)]
    if len(found) < 2:
        return found
    found = list(dict.fromkeys(found))
    found.sort(key=lambda one: one.subject_key_id is None or one.subject_key_id != leaf.authority_key_id)
    return found[:MAX_ISSUERS]


def _other_key(leaf: Certificate, issuer: Certificate) -> bool:
    wanted, there = leaf.authority_key_id, issuer.subject_key_id
    return wanted is not None and there is not None and wanted != there


def _unsigned(issuer: Certificate, leaf: Certificate) -> PathError | None:
    """Why the issuer's key did not sign the leaf: said before anything else, whether its path was kept or not."""
    try:
        signatures.verify(issuer.spki, leaf.signature_algorithm, leaf.signature, leaf.tbs, None)
    except PathError as error:
        return error
    return None


def _held(path: Path, instant: datetime, within: datetime) -> Path:
    """The authority's path, for the last step at an instant within the leaf's validity."""
    if path.not_before <= within <= path.not_after:
        return path
    raise PathError("validity", f"the path of the CA does not hold at {within.isoformat()}, nor the leaf at {instant}")


def _better(one: PathError | None, other: PathError) -> PathError:
    """The refusal that says more: that there is no anchor says least."""
    return other if one is None or one.step == "no_anchor" else one
