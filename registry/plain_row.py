"""The quick way to a first version: claims that are plainly in order become its canonical content without a detour.

A million rows are mostly the same few days, areas and items; what was judged once is remembered. Whatever is not
plain is left to `registry.intake.register`, which says what is wrong with it; what both give is the same, octet for
octet.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from registry.canonical import unguarded_canonical_json
from registry.credential import credential_id
from registry.field import MAX_ITEMS, MAX_TEXT, Field, ValueProblem, read_fact
from registry.identifiers import compact, uscc_well_formed
from registry.jurisdiction import competent
from registry.period import InstantError, format_instant, parse_instant
from registry.policy import Policy
from registry.statement import SKEW, Statement

_MEMBERS = frozenset({"number", "subject", "issued_at", "valid_from", "valid_until", "attributes", "predecessor"})
_SUBJECT = frozenset({"kind", "name", "uscc"})
_KEPT = 8192

Plain = Callable[[Any], bool]


class PlainVersion(Struct, frozen=True):
    """A first version: the credential's id, its normalised number, its canonical content, and how it is found."""

    id: str
    number: str
    content: bytes
    uscc: str | None
    name: str


class PlainRows:
    """Judges the rows of one statement by one policy; `begin` says when they are recorded."""

    def __init__(self, statement: Statement, policy: Policy) -> None:
        self._profile = policy.profiles[statement.type]
        self._policy, self._authority = policy, policy.authorities[statement.issuer]
        self._issuer = statement.issuer
        self._normalise, self._pattern = self._profile.number.normalise, self._profile.number.pattern
        self._lax = not self._profile.number.authoritative
        self._required = {name for name, field in self._profile.attributes.items() if field.required}
        self._plain = {name: _plain_value(field) for name, field in self._profile.attributes.items()}
        self._instants: dict[str, datetime] = {}
        self._competent: dict[tuple[str | None, str], bool] = {}
        made = statement.attestation
        self._fixed: dict[str, Any] = {
            "type": statement.type,
            "issuer": statement.issuer,
            "events": (),
            "statement": {"digest": made.digest, "kid": made.kid, "made_at": format_instant(made.made_at)},
        }

    def begin(self, recorded_at: datetime) -> None:
        """What comes now is recorded at this instant."""
        self._latest = recorded_at + SKEW
        self._fixed["recorded_at"] = format_instant(recorded_at)

    def version(self, claims: Mapping[str, Any]) -> PlainVersion | None:
        """The version that the claims make; None where they are not plainly in order."""
        try:
            # Standings, and members that nobody knows, are not plain.
            if claims.keys() != _MEMBERS:
                return None
            return self._version(claims)
        except (AttributeError, KeyError, TypeError, InstantError):
            return None

    def _version(self, claims: Mapping[str, Any]) -> PlainVersion | None:
        subject, attributes, predecessor = claims["subject"], claims["attributes"], claims["predecessor"]
        stated = claims["number"]
        number = self._normalise(stated)
        well_formed = self._lax or bool(number if self._pattern is None else self._pattern.fullmatch(number))
        if not (well_formed and _text(stated) and (predecessor is None or _text(predecessor))):
            return None
        name, uscc = subject["name"], subject["uscc"]
        # A person's version holds a salt.
        if subject.keys() != _SUBJECT or subject["kind"] != "organisation" or not _text(name):
            return None
        if uscc is not None and not (compact(uscc) == uscc and uscc_well_formed(uscc)):
            return None
        plain = self._plain
        if not attributes.keys() >= self._required or not all(plain[key](attributes[key]) for key in attributes):
            return None
        times = self._times(claims, attributes)
        if times is None:
            return None
        content = {
            "number": stated,
            "subject": subject,
            "attributes": attributes,
            "predecessor": predecessor,
            **times,
            **self._fixed,
        }
        identity = credential_id(self._profile.id, number, self._issuer)
        return PlainVersion(identity, number, unguarded_canonical_json(content), uscc, name)

    def _times(self, claims: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, datetime | None] | None:
        issued_at = self._instant(claims["issued_at"])
        start, end = claims["valid_from"], claims["valid_until"]
        valid_from = None if start is None else self._instant(start)
        valid_until = None if end is None else self._instant(end)
        if valid_from is not None and valid_until is not None and valid_until <= valid_from:
            return None
        area = attributes.get(self._profile.area_attribute or "")
        if issued_at > self._latest or not self._may_issue(area, claims["issued_at"], issued_at):
            return None
        return {"issued_at": issued_at, "valid_from": valid_from, "valid_until": valid_until}

    def _instant(self, text: str) -> datetime:
        try:
            return self._instants[text]
        except KeyError:
            instant = parse_instant(text)
        if len(self._instants) < _KEPT:
            self._instants[text] = instant
        return instant

    def _may_issue(self, area: str | None, written: str, issued_at: datetime) -> bool:
        try:
            return self._competent[area, written]
        except KeyError:
            verdict = competent(self._authority, self._profile.id, issued_at, area, self._policy.gazetteer)
        if len(self._competent) < _KEPT:
            self._competent[area, written] = verdict is not False
        return verdict is not False


def _text(value: str) -> bool:
    return type(value) is str and value.isprintable() and 0 < len(value) <= MAX_TEXT and value.strip() == value != ""


def _plain_value(field: Field) -> Plain:
    match field.kind:
        case "text":
            return _text
        case "boolean":
            return lambda value: type(value) is bool
        case "texts":
            return _remembered(_texts, list, tuple)
        case "instant":
            return _remembered(lambda value: format_instant(parse_instant(value)) == value, str, str)
        case "table":
            return lambda value: _table(field, value)
    return _remembered(lambda value: read_fact(field, value, written=False) == value, str, str)


def _texts(values: tuple[str, ...]) -> bool:
    return 0 < len(values) <= MAX_ITEMS and all(map(_text, values))


def _table(field: Field, rows: Any) -> bool:
    columns = set(field.columns)
    if type(rows) is not list or not 0 < len(rows) <= MAX_ITEMS:
        return False
    return all(row.keys() == columns and all(map(_text, row.values())) for row in rows)


def _remembered(judge: Plain, kind: type, key: Callable[[Any], Any]) -> Plain:
    """The same judgement by a dictionary, of values of a kind; `key` makes of one what a dictionary can hold."""
    known = dict[Any, bool]()

    def plain(value: Any) -> bool:
        if type(value) is not kind:
            return False
        kept = key(value)
        try:
            return known[kept]
        except KeyError:
            pass
        try:
            verdict = judge(kept)
        except ValueProblem:
            verdict = False
        if len(known) < _KEPT:
            known[kept] = verdict
        return verdict

    return plain
