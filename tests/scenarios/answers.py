"""What every answer must be like, and whether it is the one that a scenario expects. Problems come as texts."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.scenarios.scenario import CHECKS, Expectation

View = Mapping[str, Any]

NEGATIVE = ("not_recognized", "not_found", "indeterminate")
INFORMING = ("assumes.no_change", "facts.not_needed", "number.province_mismatch")
WARNING_WHEN_HELD = ("number.check_digit_wrong", "number.malformed")
FORBIDDEN_IN_INSPECTIONS = "互认"
INSPECTION = "inspection.authenticity"


def codes(view: View) -> list[str]:
    """The codes of all reasons, in their order."""
    return [reason["code"] for reason in view["reasons"]]


def differences(expect: Expectation, view: View) -> list[str]:
    """Where an answer is not the one that is expected."""
    return [
        f"{name}: expected {wanted!r}, answered {given!r}"
        for name, wanted, given in _compared(expect, view)
        if wanted != given
    ]


def _compared(expect: Expectation, view: View) -> Iterator[tuple[str, Any, Any]]:
    given = codes(view)
    yield "decision", expect.decision, view["decision"]
    yield f"reason (of {given})", expect.reason, given[0]
    yield f"also (of {given})", sorted(expect.also), sorted(code for code in set(expect.also) if code in given[1:])
    if expect.agreement is not None:
        yield "agreement", expect.agreement, (view["agreement"] or {}).get("id")
    if expect.conditions is not None:
        yield "conditions", expect.conditions, {entry["id"]: entry["state"] for entry in view["conditions"]}
    results = {entry["name"]: entry["result"] for entry in view["checks"]}
    for name, wanted in expect.checks.items():
        yield f"check {name}", wanted, results.get(name)


def shortcomings(chinese: View, english: View) -> list[str]:
    """What is missing from an answer that every answer must have. The same answer in both languages."""
    return [
        *_shape(chinese),
        *_shape(english),
        *_languages(chinese, english),
        *_mendable(chinese),
        *_mendable(english),
        *_wording(chinese),
    ]


def _shape(view: View) -> Iterator[str]:
    names = tuple(entry["name"] for entry in view["checks"])
    if names != CHECKS:
        yield f"checks are {names}"
    if not view["reasons"]:
        yield "no reason"
    for entry in (*view["reasons"], *view["checks"], *view["conditions"]):
        if not str(entry["message"]).strip() or "{" in entry["message"]:
            yield f"no message: {entry}"
    for reason in view["reasons"]:
        if not reason["legal_basis"] or not all(basis["instrument"] for basis in reason["legal_basis"]):
            yield f"{reason['code']} has no legal basis"
    if not view["label"].strip():
        yield "no label"
    if view["decision"] == "conditional" and "open" not in [entry["state"] for entry in view["conditions"]]:
        yield "conditional without an open condition"
    if view["decision"] == "recognized" and any(entry["state"] != "met" for entry in view["conditions"]):
        yield "recognised with a condition that is not met"


def _languages(chinese: View, english: View) -> Iterator[str]:
    """Both languages say the same; the messages are not the same text."""
    if chinese["label"] == english["label"]:
        yield "one label for both languages"
    for one, other in zip(chinese["reasons"], english["reasons"], strict=True):
        if one["code"] != other["code"] or one["details"] != other["details"]:
            yield f"reasons differ by language: {one['code']}, {other['code']}"
        if one["message"] == other["message"]:
            yield f"{one['code']} has one message for both languages"
        if (one["remedy"] is None) != (other["remedy"] is None):
            yield f"{one['code']} has its remedy in one language only"


def _mendable(view: View) -> Iterator[str]:
    """Whoever is told no, or not yet, is told what to do and whom to ask."""
    if view["decision"] not in NEGATIVE:
        return
    exempt = INFORMING + (WARNING_WHEN_HELD if view["credential"] is not None else ())
    for reason in view["reasons"]:
        if reason["code"] in exempt:
            continue
        if not (reason["remedy"] or "").strip():
            yield f"{reason['code']} has no remedy"
        contact = reason["contact"] or {}
        if not (contact.get("phone") or contact.get("url")):
            yield f"{reason['code']} has no contact with a phone or url"


def texts(value: Any) -> Iterator[str]:
    """Every text inside a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts(member)


def _wording(view: View) -> Iterator[str]:
    """An inspection asks whether a paper is genuine; its answer must not read like a recognition."""
    if view["purpose"] == INSPECTION:
        for text in texts({name: value for name, value in view.items() if name != "receipt"}):
            if FORBIDDEN_IN_INSPECTIONS in text:
                yield f"says {FORBIDDEN_IN_INSPECTIONS}: {text}"
