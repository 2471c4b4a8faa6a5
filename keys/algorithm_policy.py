"""Which signature schemes and keys may be relied on, from when until when: rows of data, each with its source."""

import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from keys.algorithms.schemes import SCHEMES, SignatureScheme, VerifyingKey
from keys.errors import MalformedError

DEFAULT_PATH = Path(__file__).with_suffix(".toml")

CONFIDENCE = ("V", "S", "G")
FAMILIES = tuple(sorted({scheme.family for scheme in SCHEMES.values()}))
DIGESTS = tuple(sorted({scheme.digest for scheme in SCHEMES.values() if scheme.digest is not None}))
CURVES = ("ed25519", "p-256", "p-384", "p-521", "sm2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row: from `start` until before `end` (either may be open) one may rely on what it is about.

    A row about digests has `digests` only; one about keys has `family`, `minimum_bits` and `curves`, where an empty set
    of curves asks nothing.
    """

    id: str
    source: str
    confidence: str
    start: datetime | None
    end: datetime | None
    digests: frozenset[str] = frozenset()
    family: str | None = None
    curves: frozenset[str] = frozenset()
    minimum_bits: int = 0

    def holds_at(self, instant: datetime) -> bool:
        """Whether an instant lies in the period."""
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)

    def is_about(self, key: VerifyingKey) -> bool:
        """Whether the row speaks of keys of this kind and size."""
        fits = self.family == key.family and key.bits >= self.minimum_bits
        return fits and (not self.curves or key.curve in self.curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmPolicy:
    """A version of the policy."""

    id: str
    version: int
    digests: tuple[Rule, ...]
    keys: tuple[Rule, ...]


def allowed(policy: AlgorithmPolicy, scheme: SignatureScheme, key: VerifyingKey, instant: datetime) -> str | None:
    """Gives None where a signature by scheme and key may be relied on at an instant, else the reason why not.

    The instant is the earliest proven existence of the signature, without proof `known_at`. Ed25519 has a digest of
    its own, so only its key is judged. Raises ValueError for an instant without a time zone.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant has a time zone")
    why = None if scheme.digest is None else digest_allowed(policy, scheme.digest, instant)
    if why is not None:
        return why
    about = [rule for rule in policy.keys if rule.is_about(key)]
    if any(rule.holds_at(instant) for rule in about):
        return None
    size = key.curve if key.curve is not None else f"{key.bits} bits"
    return _refusal(policy, f"key {key.family} ({size})", about, instant)


def digest_allowed(policy: AlgorithmPolicy, digest: str, instant: datetime) -> str | None:
    """The same for a digest that stands for content by itself, as a timestamp's does."""
    about = [rule for rule in policy.digests if digest in rule.digests]
    if any(rule.holds_at(instant) for rule in about):
        return None
    return _refusal(policy, f"digest {digest}", about, instant)


def _refusal(policy: AlgorithmPolicy, what: str, about: Iterable[Rule], instant: datetime) -> str:
    periods: list[str] = []
    for rule in about:
        start = f" from {_shown(rule.start)}" if rule.start else ""
        end = f" until {_shown(rule.end)}" if rule.end else ""
        periods.append(f"only{start}{end} ({rule.id})")
    rows = "; ".join(periods) or "in no row"
    return f"{what} is not allowed at {_shown(instant)} by algorithm policy {policy.id}/{policy.version}: {rows}"


def _shown(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_policy(data: bytes, name: str) -> AlgorithmPolicy:
    """Reads a policy file. `name` is what messages call it.

    Raises MalformedError "algorithm_policy.malformed" that names the file, the key and what is allowed.
    """
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise _malformed(name, f"not TOML: {error}") from error
    except RecursionError as error:
        raise _malformed(name, "nested too deeply") from error
    table = _Table(where=name, values=document)
    policy = AlgorithmPolicy(
        id=table.text("id"),
        version=table.number("version"),
        digests=tuple(_digest_rule(row) for row in table.rows("digests")),
        keys=tuple(_key_rule(row) for row in table.rows("keys")),
    )
    table.close()
    ids = [rule.id for rule in (*policy.digests, *policy.keys)]
    for id in ids:
        if ids.count(id) > 1:
            raise _malformed(name, f"two rows have the id {id!r}; an id is allowed once")
    return policy


def load_default() -> AlgorithmPolicy:
    """Reads the policy that comes with the software."""
    return read_policy(DEFAULT_PATH.read_bytes(), DEFAULT_PATH.name)


def _digest_rule(row: "_Table") -> Rule:
    digests = row.choices("digests", DIGESTS)
    start, end = row.period()
    rule = Rule(
        id=row.text("id"),
        source=row.text("source"),
        confidence=row.choice("confidence", CONFIDENCE),
        start=start,
        end=end,
        digests=digests,
    )
    row.close()
    return rule


def _key_rule(row: "_Table") -> Rule:
    start, end = row.period()
    rule = Rule(
        id=row.text("id"),
        source=row.text("source"),
        confidence=row.choice("confidence", CONFIDENCE),
        start=start,
        end=end,
        family=row.choice("family", FAMILIES),
        curves=row.choices("curves", CURVES) if "curves" in row.values else frozenset(),
        minimum_bits=row.number("minimum_bits"),
    )
    row.close()
    return rule


class _Table:
    """A TOML table that is read key by key; what is left over at `close` is unknown."""

    def __init__(self, *, where: str, values: dict[str, object]) -> None:
        self.where = where
        self.values = values
        self._read: list[str] = []

    def close(self) -> None:
        """Refuses keys that nothing asked for."""
        for key in self.values:
            if key not in self._read:
                raise self.fault(key, f"unknown; allowed: {', '.join(sorted(self._read))}")

    def fault(self, key: str, what: str) -> MalformedError:
        return _malformed(f"{self.where}: {key}", what)

    def take(self, key: str) -> object:
        self._read.append(key)
        if key not in self.values:
            raise self.fault(key, "missing")
        return self.values[key]

    def text(self, key: str) -> str:
        value = self.take(key)
        if not isinstance(value, str) or not value.strip():
            raise self.fault(key, "must be a string that is not empty")
        return value

    def number(self, key: str) -> int:
        value = self.take(key)
        if type(value) is not int or value < 1:
            raise self.fault(key, "must be a whole number from 1")
        return value

    def choice(self, key: str, among: Collection[str]) -> str:
        value = self.take(key)
        if not isinstance(value, str) or value not in among:
            raise self.fault(key, f"must be one of {', '.join(among)}")
        return value

    def choices(self, key: str, among: Collection[str]) -> frozenset[str]:
        value = self.take(key)
        strings = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
        if not isinstance(value, list) or not value or len(strings) != len(value) or not set(strings) <= set(among):
            raise self.fault(key, f"must be an array, not empty, of {', '.join(among)}")
        if len(set(strings)) != len(strings):
            raise self.fault(key, "names something twice")
        return frozenset(strings)

    def instant(self, key: str) -> datetime | None:
        self._read.append(key)
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.fault(key, "must be a date and time with an offset, such as 2018-01-01T00:00:00+08:00")
        try:
            return value.astimezone(UTC)
        except OverflowError as error:
            raise self.fault(key, "must be in the years 1 to 9999 in UTC; leave it out where there is none") from error

    def period(self) -> tuple[datetime | None, datetime | None]:
        start, end = self.instant("from"), self.instant("until")
        if start is not None and end is not None and start >= end:
            raise self.fault("until", 'must be later than "from"')
        return start, end

    def rows(self, key: str) -> tuple["_Table", ...]:
        value = self.take(key)
        if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
            raise self.fault(key, "must be an array of tables with at least one row")
        return tuple(_Table(where=f"{self.where}: {key}[{index}]", values=row) for index, row in enumerate(value))


def _malformed(where: str, what: str) -> MalformedError:
    return MalformedError("algorithm_policy.malformed", f"{where}: {what}")
