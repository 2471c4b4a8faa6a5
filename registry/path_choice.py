"""Which of several certification paths counts, by what revocation evidence says of the certificates on them.

Any path that nothing speaks against suffices (RFC 5280 §6). But a key that is no longer safe by any certificate of it
is so in every other: the thief has the key, not the certificate.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import pairwise
from typing import Protocol

from msgspec import Struct

from keys.certificate import Certificate
from keys.path_validation.finder import Found
from keys.path_validation.ground import Step
from keys.path_validation.path import Path
from keys.revocation.judgement import RevocationVerdict
from registry.finding import Result

_GRAVITY = {"good": 0, "missing": 1, "stale": 2, "undetermined": 3, "status.suspended": 4, "status.revoked": 5}
_LEVELS: dict[Result, int] = {"passed": 0, "skipped": 0, "indeterminate": 1, "failed": 2}

_STOLEN = frozenset({"status.revoked", "revocation.compromised_later"})


class Judge(Protocol):
    """What is said of a certificate by its issuer, for what its key signed: `below`, or (None) what is in question."""

    def __call__(
        self, certificate: Certificate, issuer: Certificate, below: Certificate | None, *, theft: bool = False
    ) -> RevocationVerdict:
        """With `theft` only what is said of the key's compromise, which nothing else that is said hides."""
        ...


class JudgedPath(Struct, frozen=True, kw_only=True):
    """A path and what is said of each certificate on it, the holder's first.

    Of the anchor, which nobody revokes, something is said only where another certificate of its key speaks against it.
    """

    path: Path
    verdicts: tuple[RevocationVerdict, ...]


def grave(verdict: RevocationVerdict) -> int:
    """How much a verdict speaks against a certificate: 0 for nothing."""
    return _GRAVITY[verdict.reason if verdict.state == "revoked" else verdict.state]


def choose(found: Found, judge: Judge, others: Callable[[Path], Iterable[Result]]) -> JudgedPath:
    """The path that counts: the one that comes nearest to holding.

    `others` are the results of what else is asked of a path: what fails in anything is worse than what is unclear.
    Nobody chooses by the order of what he sends: of equals, one that shows itself what speaks against it, then the
    shortest, then the first by fingerprint.
    """
    if len(found.paths) == 1 and not found.steps:
        path = found.paths[0]
        # What an anchor's own list says of its key counts, whoever sent what.
        *_, below, anchor = path.certificates
        return JudgedPath(path=path, verdicts=(*_own(path, judge), *_thefts(((anchor, anchor),), below, judge)))
    once: Judge = cache(judge)

    def rank(judged: JudgedPath) -> tuple[int, int, bool, int, list[str]]:
        worst, certificates = max(map(grave, judged.verdicts)), judged.path.certificates
        borrowed = worst > max(map(grave, _own(judged.path, once)))
        level = max(_LEVELS[result] for result in (_result(worst), *others(judged.path)))
        return level, worst, borrowed, len(certificates), [one.fingerprint for one in certificates]

    return min((_judged(path, found.steps, once) for path in found.paths), key=rank)


def _result(gravity: int) -> Result:
    if gravity == 0:
        return "passed"
    return "failed" if gravity >= _GRAVITY["status.suspended"] else "indeterminate"


def _own(path: Path, judge: Judge) -> tuple[RevocationVerdict, ...]:
    below = (None, *path.certificates)
    steps = zip(pairwise(path.certificates), below, strict=False)
    return tuple([judge(*step, lower) for step, lower in steps])


def _judged(path: Path, steps: Mapping[bytes, Iterable[Step]], judge: Judge) -> JudgedPath:
    own = _own(path, judge)
    verdicts = [own[0]]
    for place, (below, authority) in enumerate(pairwise(path.certificates), 1):
        said = [*own[place : place + 1], *_thefts(steps.get(authority.spki, ()), below, judge)]
        verdicts += [max(said, key=grave)] if said else []
    return JudgedPath(path=path, verdicts=tuple(verdicts))


def _thefts(steps: Iterable[Step], below: Certificate, judge: Judge) -> list[RevocationVerdict]:
    """What any certificate of an authority's key says of its compromise, for what it signed on this path."""
    said = [judge(one, issuer, below, theft=True) for one, issuer in sorted(steps, key=_fingerprints)]
    return [verdict for verdict in said if verdict.reason in _STOLEN]


def _fingerprints(step: Step) -> list[str]:
    return [certificate.fingerprint for certificate in step]
