"""Builds candidate paths from a certificate up to an anchor, within bounds that a hostile chain cannot move.

Built by names and key identifiers alone; whether a candidate holds is judged afterwards (RFC 4158 §2).
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import pairwise

from keys.certificate import Certificate
from keys.path_validation.errors import PathError
from keys.path_validation.precheck import check_link

MAX_OFFERED = 1024  # certificates to build from
MAX_BYTES = 256 * 1024  # of them together: their names must be compared by RFC 5280 §7.1, which is slow
MAX_CONSIDERED = 32  # of these, the ones that have the name of an issuer somewhere above the leaf
MAX_STEPS = 512  # certificates tried at some place of a path
MAX_CANDIDATES = 32  # complete paths

Candidate = tuple[Certificate, ...]
Index = dict[Hashable, list[Certificate]]


class Builder:
    """Gives the candidate paths of one certificate, leaf first and anchor last, the likelier ones first."""

    def __init__(
        self,
        intermediates: Sequence[Certificate],
        anchors: Sequence[Certificate],
        name_key: Callable[[bytes], Hashable],
    ) -> None:
        """Takes what to build from; `name_key` gives the same value for Names that are the same."""
        self._key = name_key
        self._intermediates = self._by_subject(intermediates)
        self._anchors = self._by_subject(anchors)
        self._steps = 0

    def candidates(self, leaf: Certificate) -> Iterator[Candidate]:
        """Gives the candidates. Raises PathError "too_complex" when a bound is reached before they are all given."""
        if leaf in self._anchors.get(self._key(leaf.subject), ()):
            yield (leaf,)
            return
        self._check_number(leaf)
        for found, candidate in enumerate(self._extend((leaf,))):
            if found == MAX_CANDIDATES:
                raise PathError("too_complex", f"more than {MAX_CANDIDATES} possible paths")
            yield candidate

    def _by_subject(self, certificates: Sequence[Certificate]) -> Index:
        index: Index = defaultdict(list)
        for certificate in dict.fromkeys(certificates):
            index[self._key(certificate.subject)].append(certificate)
        return dict(index)

    def _check_number(self, leaf: Certificate) -> None:
        """Counts what can come into any path by its name."""
        pending, seen, count = [self._key(leaf.issuer)], set[Hashable](), 0
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                issuers = self._intermediates.get(name, ())
                pending += [self._key(one.issuer) for one in issuers]
                count += len(issuers)
        if count > MAX_CONSIDERED:
            raise PathError("too_complex", f"{count} certificates come into question, of at most {MAX_CONSIDERED}")

    def _extend(self, path: Candidate) -> Iterator[Candidate]:
        for anchor in self._issuers(path[-1], self._anchors):
            if not self._is_way_round(path, anchor):
                yield (*path, anchor)
        for issuer in self._issuers(path[-1], self._intermediates):
            # The same name and key twice is a detour: the path without it is a candidate too.
            if not any(self._same(issuer, one) for one in path):
                yield from self._extend((*path, issuer))

    def _same(self, one: Certificate, other: Certificate) -> bool:
        return one.spki == other.spki and self._key(one.subject) == self._key(other.subject)

    def _is_way_round(self, path: Candidate, anchor: Certificate) -> bool:
        """Whether the anchor could have issued already what a certificate of its name and key on the path issued."""
        return any(self._same(anchor, one) and check_link(anchor, below) for below, one in pairwise(path))

    def _issuers(self, subject: Certificate, index: Index) -> Iterator[Certificate]:
        """Gives who may have issued the subject: those whose key identifier says so before those without one."""
        linked = [one for one in index.get(self._key(subject.issuer), ()) if check_link(one, subject)]
        linked.sort(key=lambda one: one.subject_key_id is None or one.subject_key_id != subject.authority_key_id)
        for one in linked:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise PathError("too_complex", f"more than {MAX_STEPS} steps to build a path")
            yield one
