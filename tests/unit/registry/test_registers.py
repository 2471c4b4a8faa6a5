"""What verification finds of the registers: how fresh they are, and what can be said of what they do not hold."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.document import LocalText
from registry.dossier import RegisterState
from registry.finding import Finding
from registry.policy import build_policy
from registry.search import place_of
from tests.unit.registry.specimens import (
    DAY,
    NOW,
    Content,
    agreement,
    ask,
    authority,
    catalogue,
    credential,
    documents,
    edited,
    find,
    jurisdiction_aa,
    policy,
    replaced,
)

WORLD = policy(agreement())
Found = tuple[str, str | None, str]


def told(finding: Finding) -> Found:
    return finding.result, finding.code, finding.variant


def label(text: str) -> LocalText:
    return LocalText(zh=text, en=f"{text} (en)")


def register(as_of: datetime | None, issuer: str = "aa-office") -> RegisterState:
    return RegisterState(issuer=issuer, as_of=as_of)


def freshness(as_of: datetime | None, **question: Any) -> Finding:
    found = find(WORLD, ask(WORLD, **question), credential(WORLD), registers=(register(as_of),))
    assert (found.stale != ()) == (found.checks["freshness"].result == "indeterminate")
    return found.checks["freshness"]


@pytest.mark.parametrize(
    ("as_of", "question", "expected"),
    [
        (NOW, {}, ("passed", "register.fresh", "")),
        (NOW - 2 * DAY, {}, ("passed", "register.fresh", "")),
        (NOW - 2 * DAY - timedelta(microseconds=1), {}, ("indeterminate", "register.stale", "")),
        (None, {}, ("indeterminate", "register.stale", "never")),
        # A register that reached the instant asked about is fresh for ever.
        (NOW - 90 * DAY, {"valid_at": (NOW - 90 * DAY).isoformat()}, ("passed", "register.fresh", "")),
        (NOW - 90 * DAY, {"valid_at": (NOW - 89 * DAY).isoformat()}, ("indeterminate", "register.stale", "")),
        # Its age is that of what was known, not of today.
        (
            NOW - 91 * DAY,
            {"valid_at": (NOW - 90 * DAY).isoformat(), "known_at": (NOW - 90 * DAY).isoformat()},
            ("passed", "register.fresh", ""),
        ),
        (NOW, {"valid_at": (NOW + 400 * DAY).isoformat()}, ("passed", "assumes.no_change", "")),
        (NOW - 3 * DAY, {"valid_at": (NOW + DAY).isoformat()}, ("indeterminate", "register.stale", "")),
    ],
)
def test_a_register_is_fresh_when_it_reached_the_instant_or_is_young(
    as_of: datetime | None, question: Content, expected: Found
) -> None:
    assert told(freshness(as_of, **question)) == expected


def test_what_is_said_of_a_register() -> None:
    name = LocalText(zh="aa-office", en="aa-office (en)")
    assert freshness(NOW - 3 * DAY).params == {"register": name, "as_of": NOW - 3 * DAY}
    assert freshness(None).params == {"register": name}
    later = NOW + DAY
    assert freshness(NOW, valid_at=later.isoformat()).params == {"valid_at": later}
    unknown = find(WORLD, ask(WORLD), credential(WORLD, issuer="zz"), registers=()).checks["freshness"]
    assert told(unknown) == ("indeterminate", "register.stale", "never")
    assert unknown.params == {"register": "zz"}


@pytest.mark.parametrize(
    ("as_of", "until"),
    [
        ((NOW,), NOW + 2 * DAY),
        ((NOW, NOW - DAY), NOW + DAY),
        ((NOW, None), None),
        ((), None),
        ((datetime(9999, 12, 31, tzinfo=UTC),), None),
    ],
)
def test_knowledge_is_fresh_until_the_first_register_is_too_old(as_of: tuple[Any, ...], until: Any) -> None:
    found = find(WORLD, ask(WORLD), registers=tuple(register(instant) for instant in as_of))
    assert found.fresh_until == until


def search(registers: tuple[RegisterState, ...] | None = None, *held: Any, **question: Any) -> dict[str, Finding]:
    found = find(WORLD, ask(WORLD, **question), *held, registers=registers)
    assert (found.held, found.state, found.issuer) == (None, None, None)
    assert found.matches == len(held)
    return dict(found.checks)


def named(number: str, type_id: str = "licence", **more: Any) -> Content:
    return {"type": type_id, "number": number, **more}


@pytest.mark.parametrize(
    ("credential_named", "purpose", "expected"),
    [
        (named("LC110015"), "trade", ("passed", "number.well_formed", "")),
        (named("LC110014"), "trade", ("passed", "number.check_digit_wrong", "")),
        (named("XX110015"), "trade", ("failed", "number.malformed", "")),
        # Only general knowledge [G]: it warns.
        (named("99-FF66", "device"), "survey", ("passed", "number.malformed", "")),
    ],
)
def test_a_number_that_is_not_held_tells_what_it_can(credential_named: Content, purpose: str, expected: Found) -> None:
    checks = search(credential=credential_named, purpose=purpose)
    assert told(checks["format"]) == expected
    assert checks["format"].params["number"] == credential_named["number"]
    assert told(checks["freshness"]) == ("passed", "register.fresh", "searched")
    assert {name for name, finding in checks.items() if finding.result != "skipped"} == {"format", "freshness"}


def test_a_malformed_number_is_told_how_one_looks() -> None:
    assert search(credential=named("XX"))["format"].params == {"number": "XX", "example": "LC110015"}


def test_several_matches_are_ambiguous() -> None:
    query = {"credential": named("A1B2", "lock"), "purpose": "sign"}
    one, other = (
        credential(WORLD, type="lock", number="A1B2", issuer=issuer, attributes={}) for issuer in ("zz", "aa-office")
    )
    checks = search(None, one, other, **query)
    assert told(checks["format"]) == ("indeterminate", "number.ambiguous", "")
    assert checks["format"].params == {"number": "A1B2", "issuers": "aa-office, zz", "names": "aa-office、zz"}
    assert {name for name, finding in checks.items() if finding.result != "skipped"} == {"format"}


@pytest.mark.parametrize(
    ("registers", "expected", "params"),
    [
        ((register(NOW), register(NOW - DAY, "bb-office")), ("passed", "register.fresh", "searched"), {"count": 2}),
        (
            (register(NOW), register(NOW - 3 * DAY, "bb-office")),
            ("indeterminate", "register.stale", ""),
            {"register": LocalText(zh="bb-office", en="bb-office (en)"), "as_of": NOW - 3 * DAY},
        ),
        (
            (register(None, "bb-city"),),
            ("indeterminate", "register.stale", "never"),
            {"register": LocalText(zh="bb-city", en="bb-city (en)")},
        ),
        ((register(None, "zz"),), ("indeterminate", "register.stale", "never"), {"register": "zz"}),
        ((), ("indeterminate", "register.stale", "never"), {"register": "licence"}),
    ],
)
def test_not_held_is_certain_only_when_every_register_was_fresh(
    registers: tuple[RegisterState, ...], expected: Found, params: Content
) -> None:
    finding = search(registers)["freshness"]
    assert told(finding) == expected
    assert finding.params == params


def test_not_held_in_future_is_an_assumption() -> None:
    checks = search((register(NOW),), valid_at=(NOW + DAY).isoformat())
    assert told(checks["freshness"]) == ("passed", "assumes.no_change", "")


def test_an_issuer_that_nobody_lists_is_said_to_be_unknown() -> None:
    checks = search((), credential=named("LC110015", issuer="zz"))
    assert told(checks["issuer"]) == ("indeterminate", "issuer.unknown", "")
    assert checks["freshness"].params == {"register": "zz"}
    known = search((register(NOW),), credential=named("LC110015", issuer="aa-office"))
    assert told(known["issuer"]) == ("skipped", None, "")


def test_an_id_that_is_not_held_leaves_nothing_to_check() -> None:
    checks = search(credential={"type": "licence", "id": "cred_a"})
    assert {finding.result for finding in checks.values()} == {"skipped"}


def test_without_a_credential_the_facts_are_asked_for_first() -> None:
    bare = {"credential": {"type": "device"}, "purpose": "placement"}
    missing = search(**bare)["scope"]
    assert told(missing) == ("indeterminate", "facts.missing", "")
    assert missing.params["facts"] == "instrument"
    complete = search(**bare, facts={"instrument": "水表"})["scope"]
    assert told(complete) == ("indeterminate", "facts.missing", "credential")
    assert complete.params == {"type": label("型式批准"), "given": "水表"}
    unsure = search(**bare, facts={"instrument": "超声波水表", "size": "DN80"})["scope"]
    assert told(unsure) == ("indeterminate", "facts.missing", "credential_unsure")


@pytest.mark.parametrize(
    ("purpose", "facts", "state"),
    [
        ("placement", {"instrument": "水表"}, "listed"),
        ("placement", {"instrument": "水表", "size": "DN80"}, "off"),
        ("placement", {"instrument": "望远镜"}, "off"),
        ("placement", {}, None),
        ("survey", {"instrument": "望远镜"}, None),
    ],
)
def test_the_catalogue_is_asked_where_the_purpose_says_so(purpose: str, facts: Content, state: str | None) -> None:
    query = ask(WORLD, credential=named("99-F166", "device"), purpose=purpose, facts=facts)
    listing = find(WORLD, query).listing
    assert (None if listing is None else listing.state) == state


def test_a_catalogue_says_nothing_of_the_time_before_it() -> None:
    content = {**catalogue(), "from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
    world = build_policy(replaced(documents(), "catalogue", content))
    states = {}
    for valid_at in ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"):
        facts = {"instrument": "望远镜"}
        query = ask(world, credential={"type": "device"}, purpose="placement", facts=facts, valid_at=valid_at)
        listing = find(world, query).listing
        assert listing is not None
        states[valid_at[:4]] = listing.state
    assert states == {"2025": "unclear", "2026": "off", "2027": "unclear"}


def test_a_place_is_a_fact_of_the_purpose() -> None:
    profile = WORLD.profiles["licence"]
    placed = ask(WORLD, facts={"place": "120101"})
    assert place_of(placed, profile.purposes["trade"]) == "120101"
    assert place_of(ask(WORLD), profile.purposes["trade"]) is None
    assert place_of(placed, profile.purposes["inspect"]) is None


def test_an_office_of_the_type_answers_for_what_is_not_held() -> None:
    content = jurisdiction_aa()
    content["authorities"].append(authority("aa-locks", {"lock": ["110000"]}, ["lock"]))
    content = edited(content, "authorities/0/answers_for", ["licence", "device"])
    world = build_policy(replaced(documents(), "jurisdiction", content))
    query = ask(world, credential=named("A1B2", "lock"), purpose="sign", jurisdiction="AA")
    contact = find(world, query).checks["format"].contact
    assert contact is world.authorities["aa-locks"]
