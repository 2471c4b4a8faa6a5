"""The certificates of CAs that a question may build on: the node's own, and what is genuine among those brought along.

Whoever sends certificates can write any name and key identifier into them. What no key of a genuine CA signed is left
out before a path is built, so that it neither makes the building dear nor counts against a bound.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import pairwise

from keys.algorithms.schemes import secret_name
from keys.certificate import Certificate
from keys.path_validation import signatures
from keys.path_validation.building import MAX_BYTES, MAX_OFFERED
from keys.path_validation.errors import PathError
from keys.path_validation.full import valid_paths
from keys.path_validation.path import Path
from keys.revocation.names import folded

MAX_CHECKED = 512  # signatures that turn out not to be genuine

Step = tuple[Certificate, Certificate]
"""A certificate and the one whose key signed it."""


class Ground:
    """Genuine certificates of CAs by name and by key, and the paths of those that were asked about, at an instant."""

    def __init__(
        self,
        own: Iterable[Certificate],
        brought: Sequence[Certificate],
        anchors: Sequence[Certificate],
        instant: datetime,
    ) -> None:
        """`own` are believed as they are; those brought along (other CAs, each once) only if a genuine CA signed them.

        Raises PathError "too_complex".
        """
        self._anchors, self._instant = tuple(anchors), instant
        self._named = defaultdict[bytes, list[Certificate]](list)
        self._keyed = defaultdict[tuple[str, bytes], list[Certificate]](list)
        self._refused: dict[bytes, PathError] = {}
        self._paths: dict[Certificate, tuple[Path, ...]] = {}
        self._steps: dict[tuple[str, bytes], frozenset[Step]] = {}
        for certificate in dict.fromkeys((*anchors, *own)):
            self._take(certificate)
        self._believe(list(brought))

    def _take(self, certificate: Certificate) -> None:
        if certificate.is_ca:
            self._named[folded(certificate.subject)].append(certificate)
            self._keyed[secret_name(certificate.spki)].append(certificate)

    def _believe(self, brought: list[Certificate]) -> None:
        size = sum(len(one.der) for one in brought)
        if len(brought) > MAX_OFFERED or size > MAX_BYTES:
            raise PathError("too_complex", f"{len(brought)} certificates of {size} bytes brought along")
        pending, believed = brought, True
        tried: dict[tuple[Certificate, bytes], PathError] = {}
        while pending and believed:
            left = [one for one in pending if not self._is_signed(one, tried)]
            believed = len(left) < len(pending)
            for one in pending:
                if one not in left:
                    self._take(one)
            pending = left
        for (one, _), why in tried.items():
            if one in pending:
                # Another of its words: what was raised holds on to everything that it went through.
                self._refused.setdefault(_named(one.subject), PathError(why.step, why.detail))

    def _is_signed(self, certificate: Certificate, tried: dict[tuple[Certificate, bytes], PathError]) -> bool:
        """Whether a genuine CA of its issuer's name signed it. `tried` are the keys that did not."""
        for issuer in self.of_name(certificate.issuer):
            if (certificate, issuer.spki) not in tried:
                if len(tried) == MAX_CHECKED:
                    raise PathError("too_complex", f"more than {MAX_CHECKED} signatures to verify")
                why = unsigned(issuer, certificate)
                if why is None:
                    return True
                tried[certificate, issuer.spki] = why
        return False

    def refused(self, name: bytes) -> PathError | None:
        """Why a CA of this name that was brought along, as if by a genuine one, is not genuine."""
        return self._refused.get(_named(name))

    def of_name(self, name: bytes) -> Sequence[Certificate]:
        """The CAs of a name, however it is written: the anchors, the node's own, those brought along in their order."""
        return self._named.get(folded(name), ())

    def paths_of(self, ca: Certificate) -> tuple[Path, ...]:
        """Every path of a CA, valid at the instant. Raises PathError, "too_complex" where there may be others."""
        paths = self._paths.get(ca)
        if paths is None:
            paths = self._paths[ca] = tuple(valid_paths(ca, self._above(ca), self._anchors, self._instant))
        return paths

    def _above(self, ca: Certificate) -> list[Certificate]:
        """Those that may stand above it by their names and are in their validity: no other counts against a bound."""
        found, names = list[Certificate](), [folded(ca.issuer)]
        for name in names:
            current = [one for one in self._named.get(name, ()) if one.not_before <= self._instant <= one.not_after]
            found += current
            names += dict.fromkeys(above for one in current if (above := folded(one.issuer)) not in names)
        return found

    def steps_of(self, paths: Sequence[Path]) -> Mapping[bytes, frozenset[Step]]:
        """For the keys (SubjectPublicKeyInfo) of the authorities on the paths, every certificate with its issuers.

        Whatever its name, its key identifier and its validity are. None where there is nothing beyond the one path and
        its anchor.
        """
        found = {one.spki: self._steps_to(one) for path in paths for one in path.certificates[1:]}
        if len(paths) == 1:
            anchor = paths[0].certificates[-1]
            known = {*pairwise(paths[0].certificates[1:]), (anchor, anchor)}
            if all(steps <= known for steps in found.values()):
                return {}
        return found

    def _steps_to(self, authority: Certificate) -> frozenset[Step]:
        key = secret_name(authority.spki)
        steps = self._steps.get(key)
        if steps is None:
            steps = self._steps[key] = frozenset(
                (one, issuer)
                for one in self._keyed.get(key, ())
                for issuer in self.of_name(one.issuer)
                if unsigned(issuer, one) is None
            )
        return steps


def _named(name: bytes) -> bytes:
    # A digest, as a stranger's name may be long.
    return sha256(folded(name)).digest()


def unsigned(issuer: Certificate, subject: Certificate) -> PathError | None:
    """Why the issuer's key did not sign the certificate; None where it did."""
    try:
        signatures.verify(issuer.spki, subject.signature_algorithm, subject.signature, subject.tbs, None)
    except PathError as error:
        return error
    return None
