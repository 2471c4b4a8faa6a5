"""What is signed: the decision core, the claims of a receipt, and what is wrong with claims by themselves."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from registry.canonical import canonical_json, digest, unguarded_canonical_json
from registry.decision import OUTCOMES, Decision
from registry.document import LocalText
from registry.dossier import RegisterState
from registry.finding import CHECKS
from registry.receipt import (
    RECEIPT_TYPE,
    Origin,
    claims,
    claims_problem,
    core,
    details,
    digests,
    evidence,
    unread_claims,
)
from registry.scope import Surroundings
from tests.unit.registry.specimens import (
    DAY,
    IN_FORCE,
    NOW,
    Content,
    agreement,
    ask,
    condition,
    credential,
    event,
    hold,
    judge,
    policy,
)

ORIGIN = Origin(issuer="urn:accord:test", software="1.2.3", livemode=False)
SIGNED = condition("step", "signed", fact="signed")
WORLD = policy(agreement("pact", conditions=[IN_FORCE, SIGNED]))
AT = datetime(2026, 6, 1, 0, 0, 1, 500_000, tzinfo=UTC)


def question(**members: Any) -> Content:
    facts = {"remark": "备注", "items": ["面包"], "signed": True}
    return {"facts": facts, "relying_party": "平台", "expected_subject": {"name": "测试公司"}, **members}


def positive() -> Decision:
    return judge(WORLD, ask(WORLD, **question()), credential(WORLD))


def negative() -> Decision:
    revoked = event("revoked", "2026-01-01", kind="penalty", legal_basis=[{"instrument": "决定书", "article": "3"}])
    asked = ask(WORLD, **question(expected_subject={"name": "别的公司"}))
    return judge(WORLD, asked, credential(WORLD, events=[revoked]))


def not_found() -> Decision:
    registers = (RegisterState(issuer="aa-office", as_of=NOW), RegisterState(issuer="bb-office", as_of=NOW - DAY))
    return judge(WORLD, ask(WORLD, expected_subject={"uscc": "11430000006122244L"}), registers=registers)


def not_required() -> Decision:
    facts = {"instrument": "望远镜"}
    return judge(WORLD, ask(WORLD, credential={"type": "device"}, purpose="placement", facts=facts))


def indeterminate() -> Decision:
    return judge(WORLD, ask(WORLD), credential(WORLD, valid_until=None), registers=())


def conditional() -> Decision:
    return judge(WORLD, ask(WORLD), credential(WORLD))


DECISIONS = {
    "recognized": positive,
    "conditional": conditional,
    "not_recognized": negative,
    "not_required": not_required,
    "indeterminate": indeterminate,
    "not_found": not_found,
}


def made(decision: Decision) -> Content:
    return claims(decision, ORIGIN, evaluated_at=AT, jti="rcpt_1")


def test_every_outcome_is_tried_here() -> None:
    assert {name: decide().outcome for name, decide in DECISIONS.items()} == {name: name for name in OUTCOMES}


@pytest.mark.parametrize("outcome", DECISIONS)
def test_what_is_signed_is_in_canonical_form_without_a_guard(outcome: str) -> None:
    decision = DECISIONS[outcome]()
    for value in (core(decision), made(decision)):
        assert unguarded_canonical_json(value) == canonical_json(value)


@pytest.mark.parametrize("outcome", DECISIONS)
def test_our_own_claims_have_nothing_wrong_with_them(outcome: str) -> None:
    assert claims_problem(json.loads(canonical_json(made(DECISIONS[outcome]())))) is None


@pytest.mark.parametrize("outcome", DECISIONS)
def test_the_core_is_the_same_each_time(outcome: str) -> None:
    assert canonical_json(core(DECISIONS[outcome]())) == canonical_json(core(DECISIONS[outcome]()))


def test_the_core_of_a_yes() -> None:
    decision = positive()
    held = hold(credential(WORLD))
    pact = WORLD.agreements["pact"]
    assert core(decision) == {
        "query": decision.query.statement(),
        "decision": "recognized",
        "reasons": [
            {
                "code": "agreement.in_force",
                "details": {"agreement_id": "pact"},
                "legal_basis": [{"instrument": "pact 协议", "number": "1", "article": "2"}],
                "contact": None,
            }
        ],
        "checks": [
            {"name": entry.check, "result": entry.result, "code": entry.code, "evidence": rested}
            for entry, rested in zip(decision.checks, evidence(decision), strict=True)
        ],
        "conditions": [
            {"id": "in_force", "kind": "checks", "state": "met"},
            {"id": "signed", "kind": "step", "state": "met"},
        ],
        "agreement": {"id": "pact", "version": 1, "digest": pact.digest, "basis_strength": "agreement"},
        "credential": {
            "id": held.id,
            "type": "licence",
            "number": "LC110015",
            "issuer": "aa-office",
            "digest": held.digest,
            "known_from": datetime(2024, 1, 2, tzinfo=UTC),
            "status": "valid",
            "valid_from": datetime(2024, 1, 1, tzinfo=UTC),
            "valid_until": datetime(2029, 1, 1, tzinfo=UTC),
        },
        "searched": [],
        "digests": digests(decision),
        "fresh_until": NOW + 2 * DAY,
    }


def test_the_core_of_a_no_names_law_and_office() -> None:
    decision = negative()
    assert core(decision)["reasons"] == [
        {
            "code": "status.revoked",
            "details": {"effective_at": datetime(2026, 1, 1, tzinfo=UTC)},
            "legal_basis": [{"instrument": "决定书", "number": None, "article": "3"}],
            "contact": "aa-office",
        },
        {
            "code": "subject.mismatch",
            "details": {},
            "legal_basis": [{"instrument": "许可办法", "number": None, "article": None}],
            "contact": "aa-office",
        },
    ]
    assert core(decision)["credential"]["status"] == "revoked"
    refused = judge(policy(), ask(WORLD), credential(WORLD))
    (reason,) = core(refused)["reasons"]
    assert (reason["code"], reason["contact"]) == ("agreement.none", "bb-office")
    assert (core(decision)["agreement"], core(decision)["conditions"]) == (None, [])


def test_the_core_of_what_was_not_found_names_the_registers() -> None:
    told = core(not_found())
    assert told["searched"] == [
        {"issuer": "aa-office", "as_of": NOW},
        {"issuer": "bb-office", "as_of": NOW - DAY},
    ]
    assert (told["credential"], told["agreement"]) == (None, None)
    assert told["query"]["expected_subject"] == {"uscc": "11430000006122244L", "name": None}


def test_the_core_has_no_words_of_any_language() -> None:
    params = {"a": "x", "b": 2, "c": NOW, "d": LocalText(zh="甲", en="A")}
    assert details(params) == {"a": "x", "b": 2, "c": NOW}


def by_check(decision: Decision) -> dict[str, tuple[str, ...]]:
    return {entry.check: rested for entry, rested in zip(decision.checks, evidence(decision), strict=True)}


def test_evidence_is_what_a_check_rested_on() -> None:
    decision = positive()
    assert decision.held is not None
    assert decision.agreement is not None
    found = by_check(decision)
    assert found["agreement"] == (decision.agreement.digest,)
    assert found["signature"] == found["path"] == ()
    for name in ("format", "issuer", "status", "validity", "scope", "subject", "freshness"):
        assert found[name] == (decision.held.digest,)


def test_evidence_of_a_negative_and_of_nothing() -> None:
    without = negative()
    assert by_check(without)["agreement"] == ()
    assert set(evidence(not_found())) == {()}
    found = by_check(not_required())
    assert found["scope"] == (WORLD.catalogues["instruments"].digest,)
    assert {found[name] for name in CHECKS if name != "scope"} == {()}


def test_evidence_of_a_catalogue_needs_one() -> None:
    free = not_required()
    without = {name: Surroundings(gazetteer=WORLD.gazetteer, catalogue=None) for name in WORLD.profiles}
    free = replace(free, policy=dataclasses.replace(WORLD, surroundings=without))
    assert by_check(free)["scope"] == ()


def test_digests_name_every_version_that_the_answer_rests_on() -> None:
    told = digests(positive())
    assert told == {
        "credential": hold(credential(WORLD)).digest,
        "agreement": WORLD.agreements["pact"].digest,
        "profile": WORLD.profiles["licence"].digest,
        "catalogue": None,
        "authorisation": WORLD.laboratories["aa-office"].digest,
        "issuing_jurisdiction": WORLD.jurisdictions["AA"].digest,
        "jurisdiction": WORLD.jurisdictions["BB"].digest,
    }
    bare = digests(not_required())
    assert bare["catalogue"] == WORLD.catalogues["instruments"].digest
    assert {bare[name] for name in ("credential", "agreement", "authorisation", "issuing_jurisdiction")} == {None}


def test_the_claims_of_a_receipt() -> None:
    decision = positive()
    told = made(decision)
    query = decision.query.statement()
    assert told["query_hash"] == digest(canonical_json(query))
    assert {name: told[name] for name in ("iss", "iat", "jti", "livemode", "software", "time_source")} == {
        "iss": "urn:accord:test",
        "iat": 1_780_272_001,
        "jti": "rcpt_1",
        "livemode": False,
        "software": "1.2.3",
        "time_source": "asserted",
    }
    assert told["query"] == query
    assert told["decision"] == "recognized"
    assert told["reasons"] == ["agreement.in_force"]
    assert list(told["checks"]) == list(CHECKS)
    assert told["conditions"] == {"in_force": "met", "signed": "met"}
    assert (told["valid_at"], told["known_at"], told["evaluated_at"]) == (NOW, NOW, AT)
    assert told["fresh_until"] == NOW + 2 * DAY
    repeated = ("agreement", "credential", "digests")
    assert {name: told[name] for name in repeated} == {name: core(decision)[name] for name in repeated}
    assert "exp" not in told
    assert RECEIPT_TYPE == "recognition-receipt+jwt"


def test_the_hash_is_that_of_the_question_and_of_nothing_else() -> None:
    later = claims(negative(), ORIGIN, evaluated_at=AT + timedelta(days=1), jti="rcpt_2")
    same = ask(WORLD, **question(expected_subject={"name": "别的公司"}))
    assert later["query_hash"] == digest(canonical_json(same.statement()))
    assert later["query_hash"] != made(positive())["query_hash"]


SOUND: Content = json.loads(canonical_json(made(positive())))
GONE: Any = object()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        *(
            (name, value, f"claim {name!r} is missing or not a text")
            for name in ("iss", "jti", "query_hash", "valid_at", "known_at", "evaluated_at")
            for value in (GONE, None, 5, ["a"])
        ),
        *(
            ("livemode", value, "claim 'livemode' is missing or of the wrong kind")
            for value in (GONE, 0, "false", None)
        ),
        *(
            ("decision", value, "claim 'decision' is not one of the six decisions")
            for value in (GONE, "yes", None, ["recognized"], {})
        ),
        *(("query", value, "claim 'query' is missing or not an object") for value in (GONE, None, "{}", [])),
        ("query", {}, "claim 'query_hash' is not the hash of claim 'query'"),
        ("query", {**SOUND["query"], "jurisdiction": "AA"}, "claim 'query_hash' is not the hash of claim 'query'"),
        ("query_hash", "sha256:00", "claim 'query_hash' is not the hash of claim 'query'"),
        ("query_hash", SOUND["query_hash"].upper(), "claim 'query_hash' is not the hash of claim 'query'"),
    ],
)
def test_a_claim_that_is_missing_or_wrong_is_named(name: str, value: Any, problem: str) -> None:
    content = {key: held for key, held in {**SOUND, name: value}.items() if held is not GONE}
    assert claims_problem(content) == problem


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("software", (GONE, None, 5, ["a"])),
        ("time_source", (GONE, None, 5, [], "guessed")),
        ("iat", (GONE, "1", 1.5, True, None)),
        (
            "checks",
            (
                GONE,
                None,
                [],
                list(CHECKS),
                {},
                dict.fromkeys(CHECKS[:-1], "passed"),
                dict.fromkeys((*CHECKS, "mood"), "passed"),
            ),
        ),
        ("reasons", (GONE, None, [], "agreement.in_force", [5], [{"code": "a"}], {"a": 1})),
        ("conditions", (GONE, None, [], "open")),
        ("agreement", ("a", [], 5)),
        ("credential", ("a", [], 5)),
        ("digests", (GONE, None, [])),
        ("fresh_until", (5, [])),
        ("lock", (None, [], "a")),
        ("log", (None, [], "a")),
        ("mood", (None, "good")),
    ],
)
def test_a_claim_that_does_not_bear_on_the_decision_is_told_as_unread(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        content = {key: held for key, held in {**SOUND, name: value}.items() if held is not GONE}
        assert claims_problem(content) is None
        assert unread_claims(content) == (name,)


SIGNER = {"role": "unit", "decision": "recognized", "certificate": None, "proven_time": None}
TIME = {"instant": "2026-01-01T00:00:00Z", "kind": "timestamp", "by": "测试"}
SIGNED = {"content": {"sha256": "00"}, "signers": [SIGNER, SIGNER | {"certificate": "00", "proven_time": TIME}]}


@pytest.mark.parametrize(
    "signature",
    [
        None,
        [],
        "a",
        {},
        SIGNED | {"content": []},
        SIGNED | {"content": {"sha256": None}},
        SIGNED | {"signers": {}},
        SIGNED | {"signers": ["a"]},
        *(SIGNED | {"signers": [SIGNER, SIGNER | {name: 5}]} for name in SIGNER),
        SIGNED | {"signers": [SIGNER | {"role": "notary"}]},
        SIGNED | {"signers": [SIGNER | {"proven_time": TIME | {"by": None}}]},
    ],
)
def test_signatures_of_another_form_are_told_as_unread(signature: Any) -> None:
    assert unread_claims({**SOUND, "signature": SIGNED}) == ()
    assert unread_claims({**SOUND, "signature": signature}) == ("signature",)


@pytest.mark.parametrize("outcome", DECISIONS)
def test_nothing_of_our_own_claims_is_unread(outcome: str) -> None:
    assert unread_claims(json.loads(canonical_json(made(DECISIONS[outcome]())))) == ()


@pytest.mark.parametrize("content", [None, [], "claims", 5, [SOUND]])
def test_claims_are_an_object(content: Any) -> None:
    assert claims_problem(content) == "the claims are not an object"


def test_every_question_has_its_own_hash() -> None:
    changed: list[Content] = [
        {},
        {"jurisdiction": "AA"},
        {"purpose": "rate", "facts": {}},
        {"facts": {}},
        {"facts": {"signed": False}},
        {"facts": {"items": ["面包"]}},
        {"facts": {"items": ["面 包"]}},
        {"valid_at": (NOW - DAY).isoformat()},
        {"known_at": (NOW - DAY).isoformat()},
        {"valid_at": (NOW - DAY).isoformat(), "known_at": (NOW - DAY).isoformat()},
        {"relying_party": "b"},
        {"expected_subject": {"name": "a"}},
        {"expected_subject": {"uscc": "11430000006122244L"}},
        {"credential": {"type": "licence", "number": "LC110015", "issuer": "aa-office"}},
        {"credential": {"type": "licence", "number": "lc110015"}},
        {"credential": {"type": "licence", "id": "LC110015"}},
    ]
    hashes = [digest(canonical_json(ask(WORLD, **question(**members)).statement())) for members in changed]
    assert len(set(hashes)) == len(changed)
