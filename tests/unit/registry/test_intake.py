"""What an issuer may enter: its own types in its own areas, numbers that can be, step after step as the table says."""

from dataclasses import replace as with_fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.bootstrap import seed_policy
from registry.credential import Credential
from registry.document import PolicyDocument
from registry.errors import PolicyError, StatementRefused
from registry.intake import add_event, register
from registry.policy import Policy, build_policy
from registry.statement import open_statement
from tests.support.issuing import LICENCE, TYPE, Issuing

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
DAY = timedelta(days=1)
OWN, FOREIGN = Issuing(), Issuing(issuer="cd-jinjiang-amr")
ISSUED = datetime(2026, 1, 9, 16, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_policy((*seed_policy(), OWN.document(), FOREIGN.document()))


def registered(policy: Policy, issuing: Issuing = OWN, profile: Any = None, **changed: Any) -> Credential:
    claims = issuing.claims(NOW, credential=LICENCE | changed)
    if profile is not None:
        claims["profile"] = profile
    statement = open_statement(issuing.sign(claims), policy.keys)
    return register(statement, policy, NOW, lambda identity: f"salt of {identity}").credential


def refusal(policy: Policy, issuing: Issuing = OWN, profile: Any = None, **changed: Any) -> tuple[str, str]:
    with pytest.raises(StatementRefused) as caught:
        registered(policy, issuing, profile, **changed)
    (fault,) = caught.value.faults
    return fault.code, fault.pointer.removeprefix("/statement")


def after(
    policy: Policy, held: Credential, event: str, effective_at: datetime, recorded_at: datetime, **more: Any
) -> Credential:
    claims = OWN.event(NOW, "cred_x", event, effective_at, **more)
    return add_event(open_statement(OWN.sign(claims), policy.keys), held, policy, recorded_at, "salt")


def step_refusal(policy: Policy, held: Credential, event: str, effective_at: datetime, **more: Any) -> tuple[str, str]:
    with pytest.raises(StatementRefused) as caught:
        after(policy, held, event, effective_at, NOW + DAY, **more)
    (fault,) = caught.value.faults
    return fault.code, fault.pointer.removeprefix("/statement")


def test_a_registration_is_what_was_stated(policy: Policy) -> None:
    credential = registered(policy)
    assert (credential.type, credential.issuer, credential.recorded_at) == (TYPE, OWN.issuer, NOW)
    assert credential.issued_at == ISSUED
    assert credential.statement is not None
    assert credential.attested() == ((NOW, credential.statement),)
    assert credential.newest_statement() == credential.statement.digest
    assert credential.subject.salt is None


def test_a_natural_person_gets_a_salt(policy: Policy) -> None:
    credential = registered(policy, subject={"kind": "person", "name": "测试", "uscc": None})
    assert (credential.subject.salt or "").startswith("salt of cred_")


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "another's area": (
        {"attributes": LICENCE["attributes"] | {"premises_area": "510104"}},
        "not_competent",
        "/credential",
    ),
    "before its powers": ({"issued_at": "1990-01-01T00:00:00Z"}, "not_competent", "/credential"),
    "a number that cannot be": ({"number": "JY99"}, "number_malformed", "/credential/number"),
    "an unknown claim": ({"events": []}, "claim_unknown", "/credential/events"),
    "its own time of recording": ({"recorded_at": "2020-01-01T00:00:00Z"}, "claim_unknown", "/credential/recorded_at"),
    "an end before the start": (
        {"valid_until": "2020-01-01T00:00:00Z"},
        "credential_malformed",
        "/credential/valid_until",
    ),
    "no holder": ({"subject": {"kind": "organisation"}}, "credential_malformed", "/credential/subject/name"),
    "an unknown attribute": (
        {"attributes": LICENCE["attributes"] | {"colour": "red"}},
        "credential_malformed",
        "/credential/attributes/colour",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_registered_is_refused_where_it_is(policy: Policy, name: str) -> None:
    changed, code, pointer = REFUSED[name]
    if name == "before its powers":
        document = bounded(policy)
        assert refusal(build_policy(document), **changed) == (f"statement.{code}", pointer)
        return
    assert refusal(policy, **changed) == (f"statement.{code}", pointer)


def bounded(policy: Policy) -> list[PolicyDocument]:
    """The seed policy in which this issuer became competent on a day that is sure."""
    documents = [entry for entry in seed_policy() if entry.id != "CN-CQ"]
    (found,) = [entry for entry in seed_policy() if entry.id == "CN-CQ"]
    authorities = [
        body
        if body["id"] != OWN.issuer
        else body
        | {
            "competences": [
                {**entry, "from": "2000-01-01T00:00:00Z", "from_confidence": "V"} for entry in body["competences"]
            ]
        }
        for body in found.content["authorities"]
    ]
    content = {**found.content, "authorities": authorities}
    return [*documents, with_fields(found, content=content), OWN.document(), FOREIGN.document()]


def test_another_type_or_version_is_refused(policy: Policy) -> None:
    assert refusal(policy, profile={"type": "ca-certificate", "version": 1})[0] == "statement.type_not_registered"
    assert refusal(policy, profile={"type": "passport", "version": 1}) == (
        "statement.type_not_registered",
        "/profile/type",
    )
    assert refusal(policy, profile={"type": TYPE, "version": 2}) == ("statement.profile_version", "/profile/version")
    number = {"profile": {"type": "inspection-body-qualification", "version": 1}}
    assert refusal(policy, **number)[0] in {"statement.credential_malformed", "statement.not_competent"}


def test_an_issuer_of_the_other_province_enters_nothing_here(policy: Policy) -> None:
    assert refusal(policy, FOREIGN) == ("statement.not_competent", "/credential")
    held = registered(policy)
    claims = FOREIGN.event(NOW, "cred_x", "suspended", NOW)
    with pytest.raises(StatementRefused) as caught:
        add_event(open_statement(FOREIGN.sign(claims), policy.keys), held, policy, NOW + DAY, "salt")
    assert caught.value.faults[0].code == "statement.issuer_other"


def test_steps_follow_as_the_table_says(policy: Policy) -> None:
    """Every step in every standing, against a table written down once more here."""
    allowed = {
        "valid": {"amended", "suspended", "revoked", "cancelled", "superseded"},
        "suspended": {"amended", "reinstated", "revoked", "cancelled", "superseded"},
        "revoked": set(),
        "cancelled": {"revoked"},
        "superseded": {"revoked"},
    }
    details: dict[str, dict[str, Any]] = {
        "amended": {"changes": {"valid_until": "2030-01-01T00:00:00Z"}},
        "suspended": {},
        "reinstated": {},
        "revoked": {"kind": "annulled"},
        "cancelled": {},
        "superseded": {"successor": {"number": "JY15001039920027", "issuer": OWN.issuer}},
    }
    for standing, follows in allowed.items():
        held = registered(policy)
        if standing != "valid":
            held = after(policy, held, standing, NOW, NOW + timedelta(hours=1), **details.get(standing, {}))
        for event, more in details.items():
            if event in follows:
                assert after(policy, held, event, NOW, NOW + DAY, **more).newest_statement() is not None
            else:
                assert step_refusal(policy, held, event, NOW, **more) == ("event.out_of_order", "/event")


def test_a_step_takes_its_place_among_those_that_were_stated_before_it(policy: Policy) -> None:
    held = after(policy, registered(policy), "suspended", NOW, NOW + timedelta(hours=1))
    assert step_refusal(policy, held, "suspended", NOW - DAY) == ("event.out_of_order", "/event")
    assert step_refusal(policy, held, "reinstated", NOW - DAY) == ("event.out_of_order", "/event")
    both = after(policy, held, "reinstated", NOW + DAY, NOW + DAY)
    assert both.state_at(NOW).status == "suspended"
    assert both.state_at(NOW + DAY).status == "valid"
    # Annulled from the day of issue: what came later has no effect any more, and nothing of it is forgotten.
    annulled = after(policy, both, "revoked", ISSUED, NOW + 2 * DAY, kind="annulled")
    assert annulled.state_at(ISSUED).status == "revoked"
    assert annulled.state_at(NOW + DAY).status == "revoked"
    assert len(annulled.events) == 3


def test_effects_may_lie_in_the_future(policy: Policy) -> None:
    held = after(policy, registered(policy), "revoked", NOW + 30 * DAY, NOW + DAY, kind="withdrawn")
    assert held.state_at(NOW + 29 * DAY).status == "valid"
    assert held.state_at(NOW + 30 * DAY).status == "revoked"
    assert after(policy, held, "suspended", NOW + 2 * DAY, NOW + 2 * DAY).state_at(NOW + 3 * DAY).status == "suspended"


STEPS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no reason": ({"reason_code": None}, "statement.claim_missing", "/event/reason_code"),
    "no law": ({"legal_basis": []}, "statement.claim_missing", "/event/legal_basis"),
    "an unknown claim": ({"note": "x"}, "statement.claim_unknown", "/event/note"),
    "its own time of recording": (
        {"recorded_at": "2020-01-01T00:00:00Z"},
        "statement.claim_unknown",
        "/event/recorded_at",
    ),
    "changes that are none": ({"event": "amended", "changes": {}}, "statement.credential_malformed", "/event/changes"),
    "an end before the start": (
        {"event": "amended", "changes": {"valid_until": "2020-01-01T00:00:00Z"}},
        "event.period_empty",
        "/event/changes/valid_until",
    ),
    "an unknown step": ({"event": "forgotten"}, "statement.credential_malformed", "/event/event"),
    "before the issue": ({"effective_at": "2025-01-01T00:00:00Z"}, "event.before_issue", "/event/effective_at"),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_is_wrong_is_refused_where_it_is(policy: Policy, name: str) -> None:
    changed, code, pointer = STEPS[name]
    claims = OWN.event(NOW, "cred_x", "suspended", NOW)
    claims["event"] |= changed
    with pytest.raises(StatementRefused) as caught:
        add_event(open_statement(OWN.sign(claims), policy.keys), registered(policy), policy, NOW + DAY, "salt")
    fault = caught.value.faults[0]
    assert (fault.code, fault.pointer) == (code, f"/statement{pointer}")


def test_a_step_of_another_type_is_refused(policy: Policy) -> None:
    claims = OWN.event(NOW, "cred_x", "suspended", NOW) | {"profile": {"type": "ca-certificate", "version": 1}}
    with pytest.raises(StatementRefused) as caught:
        add_event(open_statement(OWN.sign(claims), policy.keys), registered(policy), policy, NOW + DAY, "salt")
    assert caught.value.faults[0].pointer == "/statement/profile/type"


def test_nothing_is_recorded_before_what_is_known(policy: Policy) -> None:
    with pytest.raises(ValueError, match="recorded after"):
        after(policy, registered(policy), "suspended", NOW, NOW)


def test_amending_a_holder_to_a_person_salts_the_version(policy: Policy) -> None:
    person = {"subject": {"kind": "person", "name": "测试", "uscc": None}}
    amended = after(policy, registered(policy), "amended", NOW, NOW + DAY, changes=person)
    assert amended.subject.salt == "salt"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"issuer": "nobody"}, "is no authority"),
        ({"keys": []}, "needs at least 1"),
        ({"keys": [{"jwk": {"kty": "EC"}}]}, "jwk"),
        ({"keys": [{"jwk": FOREIGN.public.jwk()}]}, "also for"),
    ],
)
def test_a_key_set_that_is_wrong_is_refused(changed: dict[str, Any], problem: str) -> None:
    document = OWN.document()
    wrong = with_fields(document, content={**document.content, **changed})
    with pytest.raises(PolicyError, match=problem):
        build_policy((*seed_policy(), wrong, FOREIGN.document()))


def test_an_issuer_has_one_file() -> None:
    twice = with_fields(Issuing(mark="second").document(), id="second", source="second")
    with pytest.raises(PolicyError, match="already has keys"):
        build_policy((*seed_policy(), OWN.document(), twice))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"valid": ["revoked"], "revoked": ["reinstated"]}, "final"),
        ({"valid": []}, "must name"),
        ({"suspended": ["reinstated"]}, "must name"),
        ({"valid": ["forgotten"]}, "no event"),
        ({"valid": ["revoked"], "expired": ["revoked"]}, "unknown key"),
    ],
)
def test_a_table_that_is_wrong_is_refused(table: dict[str, Any], problem: str) -> None:
    documents = [
        entry if entry.id != TYPE else with_fields(entry, content={**entry.content, "lifecycle": table})
        for entry in seed_policy()
    ]
    with pytest.raises(PolicyError, match=problem):
        build_policy(documents)


def test_steps_are_bounded(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.intake.MAX_STEPS", 1)
    held = after(policy, registered(policy), "suspended", NOW, NOW + timedelta(hours=1))
    assert step_refusal(policy, held, "reinstated", NOW) == ("event.too_many", "/event")
