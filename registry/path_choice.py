"""Which of several certification paths counts, by what revocation evidence says of the certificates on them.

Any path that nothing speaks against suffices (RFC 5280 §6). But a key that is no longer safe by one certificate on any
of the paths is so in every other certificate of it: the thief has the key, not the certificate.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise

from msgspec import Struct

from keys.certificate import Certificate
from keys.path_validation.path import Path
from keys.revocation.judgement import COMPROMISES, RevocationVerdict
from registry.finding import Result

_GRAVITY = {"good": 0, "missing": 1, "stale": 2, "undetermined": 3, "status.suspended": 4, "status.revoked": 5}
_LEVELS: dict[Result, int] = {"passed": 0, "skipped": 0, "indeterminate": 1, "failed": 2}

Judge = Callable[[Certificate, Certificate, Certificate | None], RevocationVerdict]
"""What is said of a certificate by its issuer (second). By its key was signed the third, None: what is in question."""


class JudgedPath(Struct, frozen=True, kw_only=True):
    """A path and what is said of each certificate on it, the holder's first.

    Of the anchor, which nobody revokes, something is said only where another certificate of its key speaks against it.
    """

    path: Path
    verdicts: tuple[RevocationVerdict, ...]


def grave(verdict: RevocationVerdict) -> int:
    """How much a verdict speaks against a certificate: 0 for nothing."""
    return _GRAVITY[verdict.reason if verdict.state == "revoked" else verdict.state]


def choose(paths: Sequence[Path], judge: Judge, others: Callable[[Path], Iterable[Result]]) -> JudgedPath:
    """The path that counts: the one that comes nearest to holding.

    `others` are the results of what else is asked of a path: what fails in anything is worse than what is unclear.
    Nobody chooses by the order of what he sends: of equals, one that shows itself what speaks against it, then the
    first by fingerprint.
    """
    if len(paths) == 1:
        return JudgedPath(path=paths[0], verdicts=_own(paths[0], judge))
    once = cache(judge)

    def rank(judged: JudgedPath) -> tuple[int, int, bool, list[str]]:
        worst = max(map(grave, judged.verdicts))
        borrowed = worst > max(map(grave, _own(judged.path, once)))
        level = max(_LEVELS[result] for result in (_result(worst), *others(judged.path)))
        return level, worst, borrowed, [certificate.fingerprint for certificate in judged.path.certificates]

    return min((_judged(path, paths, once) for path in paths), key=rank)


def _result(gravity: int) -> Result:
    if gravity == 0:
        return "passed"
    return "failed" if gravity >= _GRAVITY["status.suspended"] else "indeterminate"


def _own(path: Path, judge: Judge) -> tuple[RevocationVerdict, ...]:
    below = (None, *path.certificates)
    steps = zip(pairwise(path.certificates), below, strict=False)
    return tuple([judge(*step, lower) for step, lower in steps])


def _judged(path: Path, paths: Sequence[Path], judge: Judge) -> JudgedPath:
    own = _own(path, judge)
    verdicts = [own[0]]
    for place in range(1, len(path.certificates)):
        said = [*own[place : place + 1], *_of_same_key(path, place, paths, judge)]
        verdicts += [max(said, key=grave)] if said else []
    return JudgedPath(path=path, verdicts=tuple(verdicts))


def _of_same_key(path: Path, place: int, paths: Sequence[Path], judge: Judge) -> list[RevocationVerdict]:
    """What other certificates of an authority's key say of that key, for what it signed on this path."""
    key, below = path.certificates[place].spki, path.certificates[place - 1]
    steps = {step for other in paths for step in pairwise(other.certificates[1:]) if step[0].spki == key}
    said = [judge(certificate, issuer, below) for certificate, issuer in sorted(steps, key=_fingerprints)]
    return [one for one in said if grave(one) and one.entry is not None and one.entry.reason in COMPROMISES]


def _fingerprints(step: tuple[Certificate, ...]) -> list[str]:
    return [certificate.fingerprint for certificate in step]
