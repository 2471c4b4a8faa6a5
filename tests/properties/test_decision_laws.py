"""Laws of the decision: total, deterministic, monotone in every finding, blind to the order of agreements."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from app.messages import LANGUAGES, messages
from app.presentation import answer_view
from registry.canonical import canonical_json, unguarded_canonical_json
from registry.credential import Event
from registry.decision import Decision, decide
from registry.dossier import Dossier, HeldCredential, RegisterState
from registry.finding import CHECKS, Finding
from registry.period import format_instant
from registry.policy import Policy
from registry.query import bind, read_question
from registry.receipt import Origin, claims, claims_problem, core
from registry.verification import Findings, verify

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ORIGIN = Origin(issuer="urn:accord:test", software="0", livemode=False)
REPORT = {"parameter": "铅", "method": "GB 5009.12-2023", "site": "重庆市渝北区"}
RANK = {"not_recognized": 0, "indeterminate": 1, "conditional": 2, "recognized": 3}
RESULTS = ("failed", "indeterminate", "passed")
LAW = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])

FACTS: dict[str, st.SearchStrategy[Any]] = {
    "premises_area": st.sampled_from(["500103", "510104", "510100", "510703", "500157", "999999", "510000"]),
    "items": st.sampled_from([["预包装食品销售"], ["热食类食品制售"], ["保健食品销售", "预包装食品销售"]]),
    "confirmation_letter": st.booleans(),
    "directly_operated": st.booleans(),
    "written_commitment": st.booleans(),
    "local_licence_issued": st.booleans(),
    "parameter": st.sampled_from(["铅", "总砷", "氨氮"]),
    "method": st.sampled_from(["GB 5009.12-2023", "HJ 535-2009"]),
    "site": st.sampled_from(["重庆市渝北区", "成都高新区"]),
    "instrument": st.sampled_from(["水表", "电子台秤", "非自动衡器", "燃气表", "电动汽车充电桩", "望远镜"]),
    "size": st.sampled_from(["DN20", "DN80", "很大"]),
    "model": st.sampled_from(["TCS-30", "TCS-60", "LXSZ-20"]),
    "range_min": st.sampled_from(["0.2", "200", "-1"]),
    "range_max": st.sampled_from(["60", "60000"]),
    "range_unit": st.sampled_from(["kg", "g"]),
    "accuracy_class": st.sampled_from(["Ⅲ级", "2级"]),
}


@st.composite
def cases(draw: st.DrawFn, policy: Policy, held: list[HeldCredential]) -> Dossier:
    """A dossier about a demonstration credential, for any of its purposes, with any facts at any time."""
    entry = draw(st.sampled_from(held))
    profile = policy.profiles[entry.credential.type]
    known_at = NOW - timedelta(days=draw(st.integers(0, 900)))
    latest = 900 if profile.evidence == "register" else 0
    content: dict[str, Any] = {
        "credential": {"type": profile.id, "number": entry.credential.number},
        "jurisdiction": draw(st.sampled_from(policy.recognizing)),
        "purpose": draw(st.sampled_from(sorted(profile.purposes))),
        "known_at": format_instant(known_at),
        "valid_at": format_instant(known_at + timedelta(days=draw(st.integers(-2500, latest)))),
        "facts": {name: draw(FACTS[name]) for name in profile.facts if draw(st.booleans())},
    }
    if draw(st.booleans()):
        name = draw(st.sampled_from([entry.credential.subject.name, "测试他人有限公司"]))
        content["expected_subject"] = {"name": name}
    as_of = draw(st.one_of(st.none(), st.integers(0, 60).map(lambda days: known_at - timedelta(days=days))))
    matches = draw(st.sampled_from([1, 1, 1, 1, 0, 2]))
    return Dossier(
        query=bind(read_question(content, NOW), profile),
        profile=profile,
        policy=policy,
        held=(entry, replace(entry, id="cred_other"))[:matches],
        registers=(RegisterState(issuer=entry.credential.issuer, as_of=as_of),),
    )


def decided(dossier: Dossier, findings: Findings) -> Decision:
    query = dossier.query
    return decide(query, findings, dossier.policy.agreements_for(query.jurisdiction, query.purpose, query.type))


@LAW
@given(data=st.data())
def test_total_deterministic_and_explained(policy: Policy, held: list[HeldCredential], data: st.DataObject) -> None:
    dossier = data.draw(cases(policy, held))
    one = decided(dossier, verify(dossier))
    other = decided(dossier, verify(dossier))
    assert unguarded_canonical_json(core(one)) == unguarded_canonical_json(core(other))
    assert [finding.check for finding in one.checks] == list(CHECKS)
    assert one.reasons
    for language in LANGUAGES:
        for reason in answer_view(one, messages(language), ORIGIN)["reasons"]:
            assert reason["legal_basis"]
            assert "{" not in reason["message"]
    if one.outcome in ("not_recognized", "not_found", "indeterminate"):
        assert one.reasons[0].contact is not None
    if one.outcome in ("recognized", "conditional"):
        assert {finding.result for finding in one.checks} <= {"passed", "skipped"}


@LAW
@given(data=st.data())
def test_raising_a_finding_never_lowers_the_outcome(
    policy: Policy, held: list[HeldCredential], data: st.DataObject
) -> None:
    dossier = data.draw(cases(policy, held))
    found = verify(dossier)
    assume(found.held is not None and (found.listing is None or found.listing.state != "off"))
    check = data.draw(st.sampled_from(sorted(found.checks)))
    ranks = []
    for result in RESULTS:
        finding = Finding(check=check, result=result, code="law.test", legal_basis=found.profile.bases[check])
        decision = decided(dossier, replace(found, checks={**found.checks, check: finding}))
        ranks.append(RANK[decision.outcome])
    assert ranks == sorted(ranks)
    assert ranks[0] == RANK["not_recognized"]
    assert ranks[1] <= RANK["indeterminate"]


@LAW
@given(data=st.data())
def test_blind_to_the_order_of_agreements(policy: Policy, held: list[HeldCredential], data: st.DataObject) -> None:
    dossier = data.draw(cases(policy, held))
    query, found = dossier.query, verify(dossier)
    agreements = dossier.policy.agreements_for(query.jurisdiction, query.purpose, query.type)
    shuffled = data.draw(st.permutations(agreements))
    assert unguarded_canonical_json(core(decide(query, found, agreements))) == unguarded_canonical_json(
        core(decide(query, found, shuffled))
    )


def about(policy: Policy, held: list[HeldCredential], number: str, purpose: str, facts: dict[str, Any]) -> Dossier:
    """A dossier about one demonstration credential, asked in Sichuan on 1 October 2026."""
    entry = next(item for item in held if item.credential.number == number)
    profile = policy.profiles[entry.credential.type]
    content = {
        "credential": {"type": profile.id, "number": number},
        "jurisdiction": "CN-SC",
        "purpose": purpose,
        "valid_at": "2026-10-01T00:00:00Z",
        "facts": facts,
    }
    return Dossier(
        query=bind(read_question(content, NOW), profile),
        profile=profile,
        policy=policy,
        held=(entry,),
        registers=(RegisterState(issuer=entry.credential.issuer, as_of=NOW),),
    )


def test_a_condition_that_becomes_true_never_lowers_the_outcome(policy: Policy, held: list[HeldCredential]) -> None:
    names = ["confirmation_letter", "directly_operated", "written_commitment", "local_licence_issued"]
    outcomes = set()
    for taken in range(2 ** len(names)):
        facts = {"premises_area": "510104", "items": ["预包装食品销售"]}
        facts |= {name: True for place, name in enumerate(names) if taken >> place & 1}
        dossier = about(policy, held, "JY15001039900010", "premises.open-store", facts)
        before = decided(dossier, verify(dossier)).outcome
        outcomes.add(before)
        for name in names:
            more = about(policy, held, "JY15001039900010", "premises.open-store", facts | {name: True})
            assert RANK[decided(more, verify(more)).outcome] >= RANK[before]
    assert outcomes == {"conditional", "recognized"}


@LAW
@given(data=st.data())
def test_what_is_signed_is_canonical(policy: Policy, held: list[HeldCredential], data: st.DataObject) -> None:
    dossier = data.draw(cases(policy, held))
    decision = decided(dossier, verify(dossier))
    statement = claims(decision, ORIGIN, evaluated_at=NOW, jti="rcpt_0")
    for value in (statement, core(decision)):
        written = unguarded_canonical_json(value)
        assert written == canonical_json(value)
        assert written == rfc8785.dumps(json.loads(written))
    assert claims_problem(json.loads(unguarded_canonical_json(statement))) is None


def test_a_held_end_before_the_start_is_an_end(policy: Policy, held: list[HeldCredential]) -> None:
    """Intake refuses such an amendment; were one held all the same, no question about it may crash."""
    dossier = about(policy, held, "222220349001", "report.acceptance", REPORT)
    entry = dossier.held[0]
    amended = Event(
        event="amended",
        effective_at=entry.credential.issued_at,
        recorded_at=entry.credential.recorded_at,
        changes={"valid_until": "2001-01-01T00:00:00Z"},
    )
    credential = replace(entry.credential, events=(*entry.credential.events, amended))
    dossier = replace(dossier, held=(replace(entry, credential=credential),))
    decision = decided(dossier, verify(dossier))
    assert (decision.outcome, decision.reasons[0].code) == ("not_recognized", "validity.expired")


def test_a_finding_without_a_code_cannot_fail_open(policy: Policy, held: list[HeldCredential]) -> None:
    """A check that fails but does not say why is our mistake, never a yes."""
    dossier = about(policy, held, "222220349001", "report.acceptance", REPORT)
    found = verify(dossier)
    assert decided(dossier, found).outcome == "recognized"
    silent = replace(found, checks={**found.checks, "status": Finding(check="status", result="failed")})
    with pytest.raises(ValueError, match="status has no code"):
        decided(dossier, silent)
