"""Finds the paths of holders' certificates, keeping those of their CAs: a CA's path is judged once, not per lock."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from threading import Lock

from msgspec import Struct

from keys.certificate import Certificate
from keys.path_validation.errors import PathError
from keys.path_validation.ground import Ground, Step, unsigned
from keys.path_validation.leaf import leaf_step
from keys.path_validation.path import Path

MAX_KEPT = 64  # questions whose CAs are kept, each of at most MAX_BYTES that were brought along
MAX_GIVEN = 16  # questions whose digest is kept, by the fingerprints of what they gave
MAX_ISSUERS = 32  # certificates of CAs that may have issued one


_NO_ANCHOR = PathError("no_anchor", "no certificate given issued this one, up to an anchor")


class Found(Struct, frozen=True, kw_only=True):
    """Every path of a certificate, never none, and what else there is of the keys on them.

    `steps`, by the key (SubjectPublicKeyInfo) of an authority on a path: every certificate of that key with its
    issuers, on a path or not. Empty where there is nothing beyond the one path.
    """

    paths: tuple[Path, ...]
    steps: Mapping[bytes, frozenset[Step]]


class PathFinder:
    """Remembers which CAs lead to which anchors. Safe to share between threads; it holds nothing of any holder."""

    def __init__(self, kept: int = MAX_KEPT) -> None:
        self._kept, self._most = OrderedDict[_Name, Ground](), kept
        self._given = OrderedDict[tuple[str, ...], _Given]()
        self._lock = Lock()

    def find(
        self, leaf: Certificate, hints: Sequence[Certificate], anchors: Sequence[Certificate], instant: datetime
    ) -> Path:
        """Gives the first path of `find_all`. Raises PathError."""
        return self.find_all(leaf, hints, anchors, instant).paths[0]

    def find_all(
        self,
        leaf: Certificate,
        hints: Sequence[Certificate],
        anchors: Sequence[Certificate],
        instant: datetime,
        own: Sequence[Certificate] = (),
    ) -> Found:
        """Finds every path from a certificate to one of the anchors.

        Their authorities are valid at the instant. The certificate's own validity is not judged: a lock that has
        expired still has a path, and the caller says that it has expired. `own` are what the node holds; `hints` may be
        anybody's. Revocation is not judged: what speaks against one path may speak against another, so there are all of
        them, or PathError "too_complex": nobody hides one behind the hints that he sends. Raises PathError.
        """
        within = min(max(instant, leaf.not_before), leaf.not_after)
        refusal: PathError | None = None
        found: list[Path] = []
        ground = self._ground(own, _other_cas(hints, own, anchors), anchors, instant)
        for issuer in _issuers(leaf, ground):
            why = unsigned(issuer, leaf)
            if why is not None:
                refusal = _better(refusal, why)
                continue
            try:
                authorities = ground.paths_of(issuer)
            except PathError as error:
                refusal = _better(refusal, error)
                continue
            for authority in authorities:
                try:
                    found.append(leaf_step(leaf, _held(authority, instant, within), within, signed=True))
                except PathError as error:
                    refusal = _better(refusal, error)
        if not found and (refusal is None or refusal.step == "no_anchor"):
            refusal = ground.refused(leaf.issuer) or _NO_ANCHOR
        if refusal is not None and (refusal.step == "too_complex" or not found):
            raise PathError(refusal.step, refusal.detail)  # its own: one that is kept keeps every trace
        return Found(paths=tuple(found), steps=ground.steps_of(found))

    def _ground(
        self,
        own: Sequence[Certificate],
        hints: Sequence[Certificate],
        anchors: Sequence[Certificate],
        instant: datetime,
    ) -> Ground:
        with self._lock:
            key = self._name_of(own, hints, anchors, instant)
            ground = self._kept.get(key)
            if ground is not None:
                self._kept.move_to_end(key)
                return ground
        ground = Ground(own, hints, anchors, instant)
        with self._lock:
            self._kept[key] = ground
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return ground

    def _name_of(
        self,
        own: Sequence[Certificate],
        hints: Sequence[Certificate],
        anchors: Sequence[Certificate],
        instant: datetime,
    ) -> "_Name":
        """Names what a question gives: certificates in their order, and which of them are in their validity.

        So kept paths are those that would be found anew, whatever was asked in between; and a name is small, whatever
        hints were sent. The digests of the last few questions are kept: most ask by the same certificates.
        """
        certificates = (*anchors, *own, *hints)
        asked = (f"{len(anchors)} {len(own)}", *[one.fingerprint for one in certificates])
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


def _other_cas(
    hints: Sequence[Certificate], own: Sequence[Certificate], anchors: Sequence[Certificate]
) -> list[Certificate]:
    """Those brought along that could stand on a path and are not known here, each once."""
    found = [one for one in dict.fromkeys(hints) if one.is_ca]
    if not found:
        return found
    known = {*own, *anchors}
    return [one for one in found if one not in known]


def _issuers(leaf: Certificate, ground: Ground) -> list[Certificate]:
    """Those that may have issued it, by name and key identifier; those whose identifier says so first."""
    found = [one for one in ground.of_name(leaf.issuer) if not _other_key(leaf, one)]
    if len(found) > MAX_ISSUERS:
        raise PathError("too_complex", f"{len(found)} certificates of the issuer's name, of at most {MAX_ISSUERS}")
    if len(found) > 1:
        found.sort(key=lambda one: one.subject_key_id is None or one.subject_key_id != leaf.authority_key_id)
    return found


def _other_key(leaf: Certificate, issuer: Certificate) -> bool:
    wanted, there = leaf.authority_key_id, issuer.subject_key_id
    return wanted is not None and there is not None and wanted != there


def _held(path: Path, instant: datetime, within: datetime) -> Path:
    """The authority's path, for the last step at an instant within the leaf's validity."""
    if path.not_before <= within <= path.not_after:
        return path
    raise PathError("validity", f"the path of the CA does not hold at {within.isoformat()}, nor the leaf at {instant}")


def _better(one: PathError | None, other: PathError) -> PathError:
    """The refusal that says more: that something was not looked at most, that there is no anchor least."""
    if one is None or one.step == "no_anchor" or other.step == "too_complex":
        return other
    return one
