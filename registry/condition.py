"""Conditions of an agreement: a closed union of kinds. What cannot be said here needs a new kind, not code in data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from registry.authorisation import Authorisation
from registry.catalogue import Catalogue
from registry.document import LocalText, Table
from registry.finding import CHECKS, Result
from registry.identifiers import comparable
from registry.scope import Facts, as_texts, same_instrument, shown, span_of

State = Literal["met", "open", "unmet"]


class ConditionCase(Struct, frozen=True, kw_only=True):
    """What conditions are judged on."""

    attributes: Mapping[str, Any]
    facts: Facts
    results: Mapping[str, Result]
    authorisations: tuple[Authorisation, ...] | None
    """The issuing laboratory's rows; None where none are held."""
    catalogue: Catalogue | None
    """Whose names for instruments count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition: its kind with the operands that the kind uses, and its text for people.

    | kind | met when | open when | unmet when |
    |---|---|---|---|
    | `checks` | the named checks passed | one is indeterminate, or skipped | one failed |
    | `attribute_is` | the credential's attribute has the value | the register does not say | it has another |
    | `fact_is` | the case's fact has the value | not given | it has another |
    | `fact_matches_attribute` | fact and attribute agree | not given | they differ |
    | `facts_within` | every item of the fact is in the attribute's list | not given | one is not |
    | `laboratory_authorised` | a row covers instrument, range, class, date | no rows held, facts missing | none |
    | `step` | the fact says that the step was taken | until then | never |
    | `authority_confirms` | never | always | never |
    """

    id: str
    kind: str
    text: LocalText
    fact: str | None = None
    attribute: str | None = None
    value: str | bool | None = None
    checks: tuple[str, ...] = ()
    where_given: bool = False
    """Of kind `checks`: a check that had nothing to look at counts as met."""
    at: str | None = None
    instrument: str | None = None
    range: tuple[str, str, str] | None = None
    classes: str | None = None

    def judge(self, case: ConditionCase) -> State:
        """Total over every case."""
        return _JUDGES[self.kind](self, case)


def _checks(condition: Condition, case: ConditionCase) -> State:
    results = [case.results.get(check, "indeterminate") for check in condition.checks]
    if "failed" in results:
        return "unmet"
    if "indeterminate" in results or ("skipped" in results and not condition.where_given):
        return "open"
    return "met"


def _alike(items: Iterable[Any]) -> set[str]:
    return {comparable(shown(item)) for item in items}


def _compare(given: Any, wanted: Any) -> State:
    if given is None:
        return "open"
    if isinstance(given, str) and isinstance(wanted, str):
        return "met" if comparable(given) == comparable(wanted) else "unmet"
    if isinstance(given, list | tuple) and isinstance(wanted, list | tuple):
        return "met" if _alike(given) == _alike(wanted) else "unmet"
    return "met" if given == wanted else "unmet"


def _attribute_is(condition: Condition, case: ConditionCase) -> State:
    return _compare(case.attributes.get(condition.attribute or ""), condition.value)


def _fact_is(condition: Condition, case: ConditionCase) -> State:
    return _compare(case.facts.get(condition.fact or ""), condition.value)


def _fact_matches(condition: Condition, case: ConditionCase) -> State:
    held = case.attributes.get(condition.attribute or "")
    return "open" if held is None else _compare(case.facts.get(condition.fact or ""), held)


def _facts_within(condition: Condition, case: ConditionCase) -> State:
    asked, held = case.facts.get(condition.fact or ""), case.attributes.get(condition.attribute or "")
    if asked is None or held is None:
        return "open"
    return "met" if _alike(as_texts(asked)) <= _alike(as_texts(held)) else "unmet"


def _laboratory_authorised(condition: Condition, case: ConditionCase) -> State:
    instrument = case.facts.get(condition.instrument or "")
    classes = case.facts.get(condition.classes or "")
    span = span_of(case.facts, condition.range or ("", "", ""))
    tested = case.attributes.get(condition.at or "")
    if case.authorisations is None or instrument is None or classes is None or span is None or tested is None:
        return "open"
    names = classes if isinstance(classes, tuple) else (str(classes),)
    instant = datetime.fromisoformat(tested)
    verdicts = [
        row.covers(span, names, instant)
        for row in case.authorisations
        if same_instrument(row.instrument, str(instrument), case.catalogue)
    ]
    if True in verdicts:
        return "met"
    return "open" if None in verdicts else "unmet"


def _step(condition: Condition, case: ConditionCase) -> State:
    return "met" if case.facts.get(condition.fact or "") is True else "open"


def _authority_confirms(condition: Condition, case: ConditionCase) -> State:
    return "open"


_JUDGES = {
    "checks": _checks,
    "attribute_is": _attribute_is,
    "fact_is": _fact_is,
    "fact_matches_attribute": _fact_matches,
    "facts_within": _facts_within,
    "laboratory_authorised": _laboratory_authorised,
    "step": _step,
    "authority_confirms": _authority_confirms,
}
CONDITION_KINDS = tuple(_JUDGES)


def read_condition(table: Table) -> Condition:
    """One condition of an agreement; operands that its kind does not use are refused. Raises `PolicyError`."""
    kind = table.choice("kind", CONDITION_KINDS)
    operands: dict[str, Any] = {}
    if kind == "checks":
        operands["checks"] = table.texts("checks")
        operands["where_given"] = table.flag("where_given")
        for check in operands["checks"]:
            if check not in CHECKS:
                raise table.refuse("checks", f"{check!r} is not a check; checks: {', '.join(CHECKS)}")
    if kind in ("attribute_is", "fact_matches_attribute", "facts_within"):
        operands["attribute"] = table.text("attribute")
    if kind in ("fact_is", "fact_matches_attribute", "facts_within", "step"):
        operands["fact"] = table.text("fact")
    if kind in ("attribute_is", "fact_is"):
        operands["value"] = table.value("value")
    if kind == "laboratory_authorised":
        names = table.texts("range")
        if len(names) != 3:
            raise table.refuse("range", "names three facts: minimum, maximum, unit")
        operands |= {
            "at": table.text("at"),
            "instrument": table.text("instrument"),
            "classes": table.text("classes"),
            "range": (names[0], names[1], names[2]),
        }
    condition = Condition(id=table.text("id"), kind=kind, text=table.local_text("text"), **operands)
    table.done()
    return condition
