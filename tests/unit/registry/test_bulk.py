"""Rows against what is held: they register, make the steps that differ, or change nothing; no word is taken back."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from app.bootstrap import seed_policy
from registry.bulk import MAX_ROWS, REASON, BulkRow, Manifest, first_version, follows, next_version, read_manifest
from registry.credential import Credential, Subject
from registry.errors import StatementRefused
from registry.period import format_instant
from registry.policy import Policy, build_policy
from registry.statement import Statement, open_statement
from tests.support.issuing import LICENCE, Issuing

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
LATER, DAY = NOW + timedelta(hours=1), timedelta(days=1)
OWN, FOREIGN = Issuing(), Issuing(issuer="cd-jinjiang-amr")
FILE = f"sha256:{0:064}"
SINCE = "2026-10-01T00:00:00Z"
SUSPENDED: dict[str, Any] = {"status": "suspended", "status_since": SINCE}
STANDING = frozenset({"status", "status_since", "successor"})
TOLD = frozenset(LICENCE) | {"valid_until", "predecessor"}
TOLD |= {f"subject.{name}" for name in LICENCE["subject"]} | {f"attributes.{name}" for name in LICENCE["attributes"]}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_policy((*seed_policy(), OWN.document(), FOREIGN.document()))


def stated(policy: Policy, made_at: datetime = NOW, issuing: Issuing = OWN, **about: Any) -> Statement:
    """A statement about a file; `about` replaces what it says of it, None takes it away."""
    said = {"file": FILE, "rows": 3, "as_of": format_instant(made_at)} | about
    bulk = {name: value for name, value in said.items() if value is not None}
    return open_statement(issuing.sign(issuing.claims(made_at, bulk=bulk)), policy.keys)


def row(told: frozenset[str] = frozenset(), *, without: frozenset[str] = frozenset(), **changed: Any) -> BulkRow:
    claims: dict[str, Any] = {"predecessor": None} | LICENCE | changed
    return BulkRow(claims=claims, told=(TOLD | told | (STANDING & changed.keys())) - without)


def first(policy: Policy, statement: Statement | None = None, **changed: Any) -> Credential:
    """A credential that a row of a file registers."""
    said = statement or stated(policy)
    manifest = read_manifest(said, policy, NOW)
    return first_version(row(**changed), said, manifest, policy, NOW, lambda identity: "salt").credential


def then(
    policy: Policy, held: Credential, told: BulkRow, recorded_at: datetime = LATER, **about: Any
) -> Credential | None:
    """What a row of a later file makes of it."""
    statement = stated(policy, recorded_at, **about)
    return next_version(
        told, held, statement, read_manifest(statement, policy, recorded_at), policy, recorded_at, "salt"
    )


def again(policy: Policy, held: Credential, told: BulkRow) -> Credential:
    """The same, where something differs; told once more, nothing does."""
    made = then(policy, held, told)
    assert made is not None
    assert then(policy, made, told, LATER + timedelta(hours=1)) is None
    return made


def refusal(policy: Policy, held: Credential, told: BulkRow, **about: Any) -> tuple[str, str]:
    with pytest.raises(StatementRefused) as caught:
        then(policy, held, told, **about)
    (fault,) = caught.value.faults
    return fault.code, fault.pointer.removeprefix("/statement/credential/")


@pytest.mark.parametrize(
    ("about", "code", "pointer"),
    [
        ({"file": None}, "statement.claim_wrong", "/bulk/file"),
        ({"file": "sha256:00"}, "statement.claim_wrong", "/bulk/file"),
        ({"file": f"{FILE}\n"}, "statement.claim_wrong", "/bulk/file"),
        ({"file": 1}, "statement.claim_wrong", "/bulk/file"),
        ({"rows": None}, "statement.claim_wrong", "/bulk/rows"),
        ({"rows": True}, "statement.claim_wrong", "/bulk/rows"),
        ({"rows": "3"}, "statement.claim_wrong", "/bulk/rows"),
        ({"rows": -1}, "statement.claim_wrong", "/bulk/rows"),
        ({"rows": MAX_ROWS + 1}, "statement.claim_wrong", "/bulk/rows"),
        ({"as_of": None}, "statement.claim_wrong", "/bulk/as_of"),
        ({"as_of": "today"}, "statement.claim_wrong", "/bulk/as_of"),
        ({"as_of": format_instant(NOW + DAY)}, "statement.as_of_ahead", "/bulk/as_of"),
        ({"mood": "good"}, "statement.claim_unknown", "/bulk/mood"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(policy: Policy, about: Mapping[str, Any], code: str, pointer: str) -> None:
    with pytest.raises(StatementRefused) as caught:
        read_manifest(stated(policy, **about), policy, NOW)
    (fault,) = caught.value.faults
    assert (fault.code, fault.pointer) == (code, f"/statement{pointer}")


def test_a_manifest_is_what_was_stated(policy: Policy) -> None:
    assert read_manifest(stated(policy), policy, NOW) == Manifest(file=FILE, rows=3, as_of=NOW)
    assert read_manifest(stated(policy, rows=MAX_ROWS), policy, NOW).rows == MAX_ROWS
    single = open_statement(OWN.sign(OWN.claims(NOW)), policy.keys)
    with pytest.raises(StatementRefused, match="kind_wrong"):
        read_manifest(single, policy, NOW)


def test_a_change_is_amended_as_of_the_file(policy: Policy) -> None:
    held = first(policy)
    assert then(policy, held, row()) is None
    address = {"premises_address": "重庆市渝中区测试路10号"}
    subject = LICENCE["subject"] | {"name": "重庆测试老店食品有限公司"}
    told = row(attributes=LICENCE["attributes"] | address, subject=subject, valid_until="2032-01-01T00:00:00Z")
    (event,) = again(policy, held, told).events
    assert (event.event, event.effective_at, event.recorded_at) == ("amended", LATER, LATER)
    assert (event.reason_code, event.legal_basis) == (REASON, ())
    assert event.changes == {"attributes": address, "subject": subject, "valid_until": "2032-01-01T00:00:00Z"}


RENEWED: dict[str, Any] = {
    "issued_at": "2026-06-01T00:00:00Z",
    "valid_from": "2030-06-01T00:00:00Z",
    "valid_until": "2035-06-01T00:00:00Z",
}


def test_a_paper_issued_anew_amends_from_its_date(policy: Policy) -> None:
    held = first(policy)
    (event,) = again(policy, held, row(**RENEWED)).events
    assert format_instant(event.effective_at) == RENEWED["issued_at"]
    assert event.changes == {"valid_until": RENEWED["valid_until"]}
    # A date alone changes nothing that a question rests on.
    assert then(policy, held, row(issued_at=RENEWED["issued_at"])) is None


def test_a_paper_issued_after_the_file_is_refused(policy: Policy) -> None:
    """Otherwise each load of the file would state it once more."""
    told = row(issued_at="2026-11-19T00:00:00Z", valid_until="2035-06-01T00:00:00Z")
    about = {"as_of": "2026-11-18T23:59:59Z"}
    assert refusal(policy, first(policy), told, **about) == ("statement.issued_ahead", "issued_at")
    assert then(policy, first(policy), told, as_of="2026-11-19T00:00:00Z") is not None


@pytest.mark.parametrize(
    ("changed", "member"),
    [
        ({"issued_at": "2026-01-09T00:00:00Z"}, "issued_at"),
        ({"valid_from": "2026-01-11T00:00:00Z"}, "valid_from"),
        ({"valid_from": None}, "valid_from"),
        (RENEWED | {"valid_from": "2031-06-01T00:00:00Z"}, "valid_from"),
        (RENEWED | {"valid_from": "2025-06-01T00:00:00Z"}, "valid_from"),
        ({"predecessor": "JY15001039920027"}, "predecessor"),
        (
            {"attributes": {name: LICENCE["attributes"][name] for name in ("business_form", "items", "premises_area")}},
            "attributes/premises_address",
        ),
    ],
)
def test_what_no_step_says_is_refused(policy: Policy, changed: Mapping[str, Any], member: str) -> None:
    assert refusal(policy, first(policy), row(**changed)) == ("row.not_amendable", member)


def test_what_the_file_does_not_tell_is_not_changed(policy: Policy) -> None:
    held = first(policy)
    little = {name: LICENCE["attributes"][name] for name in ("business_form", "items", "premises_area")}
    blank: dict[str, Any] = {"valid_from": None, "valid_until": None, "attributes": little}
    blank["subject"] = LICENCE["subject"] | {"uscc": None}
    untold = frozenset({"valid_from", "valid_until", "predecessor", "subject.uscc", "attributes.premises_address"})
    assert then(policy, held, row(without=untold, **blank)) is None
    suspended = again(policy, held, row(**SUSPENDED))
    assert then(policy, suspended, row(), LATER + DAY) is None


@pytest.mark.parametrize(
    ("status", "event", "kind"),
    [
        ("suspended", "suspended", None),
        ("annulled", "revoked", "annulled"),
        ("penalty", "revoked", "penalty"),
        ("withdrawn", "revoked", "withdrawn"),
        ("cancelled", "cancelled", None),
        ("superseded", "superseded", None),
    ],
)
def test_a_status_is_a_step(policy: Policy, status: str, event: str, kind: str | None) -> None:
    successor = "JY15001039920027" if status == "superseded" else None
    told: dict[str, Any] = {"status": status, "status_since": SINCE, "successor": successor}
    stepped, at_once = again(policy, first(policy), row(**told)), first(policy, **told)
    for (step,) in (stepped.events, at_once.events):
        assert (step.event, step.kind, format_instant(step.effective_at)) == (event, kind, SINCE)
        assert step.reason_code == REASON
        assert step.successor == (None if successor is None else {"number": successor, "issuer": OWN.issuer})
    if status != "suspended":
        assert refusal(policy, at_once, row(status="valid")) == ("row.status_final", "status")


def test_a_suspension_ends(policy: Policy) -> None:
    held = first(policy, **SUSPENDED)
    (_, step) = again(policy, held, row(status="valid")).events
    assert (step.event, step.effective_at) == ("reinstated", LATER)
    (_, step) = again(policy, held, row(status="valid", status_since="2026-11-01T00:00:00Z")).events
    assert format_instant(step.effective_at) == "2026-11-01T00:00:00Z"
    assert first(policy, status="valid").events == ()


def test_a_change_and_a_status_are_two_steps(policy: Policy) -> None:
    made = again(policy, first(policy), row(valid_until="2032-01-01T00:00:00Z", **SUSPENDED))
    assert [event.event for event in made.events] == ["suspended", "amended"]


@pytest.mark.parametrize(
    ("told", "code", "member"),
    [
        ({"status": "suspended", "status_since": None}, "row.status_since_missing", "status_since"),
        ({"status": "suspended", "status_since": "lately"}, "row.status_since_missing", "status_since"),
        (
            {"status": "suspended", "status_since": format_instant(LATER + DAY)},
            "row.status_since_ahead",
            "status_since",
        ),
        ({"status": "superseded", "status_since": SINCE, "successor": None}, "row.missing", "successor"),
        ({"status": "lost", "status_since": SINCE}, "row.value_wrong", "status"),
    ],
)
def test_a_status_that_is_no_step_is_refused(policy: Policy, told: Mapping[str, Any], code: str, member: str) -> None:
    assert refusal(policy, first(policy), row(**told)) == (code, member)
    with pytest.raises(StatementRefused, match=code.replace(".", r"\.")):
        first(policy, **told)


def test_a_step_that_may_not_follow_is_refused(policy: Policy) -> None:
    held = first(policy, status="cancelled", status_since=SINCE)
    assert refusal(policy, held, row(**SUSPENDED))[0] == "event.out_of_order"
    assert then(policy, held, row(status="annulled", status_since=SINCE)) is not None
    early = row(status="suspended", status_since="2025-01-01T00:00:00Z")
    assert refusal(policy, first(policy), early)[0] == "event.before_issue"


def test_a_newer_word_counts(policy: Policy) -> None:
    held = again(policy, first(policy), row(**SUSPENDED))
    older = stated(policy, NOW - DAY)
    told = row(valid_until="2032-01-01T00:00:00Z")
    with pytest.raises(StatementRefused, match=r"row\.newer_known"):
        next_version(told, held, older, read_manifest(older, policy, NOW), policy, LATER + DAY, "salt")
    # What changes nothing contradicts nobody.
    assert next_version(row(), held, older, read_manifest(older, policy, NOW), policy, LATER + DAY, "salt") is None


def test_one_file_says_one_thing_of_a_number(policy: Policy) -> None:
    statement = stated(policy)
    held, manifest = first(policy, statement), read_manifest(statement, policy, NOW)
    with pytest.raises(StatementRefused, match=r"row\.number_twice"):
        next_version(row(**SUSPENDED), held, statement, manifest, policy, LATER, "salt")


def test_what_the_engine_makes_follows_and_nothing_else(policy: Policy) -> None:
    statement, later = stated(policy), stated(policy, LATER)
    held, suspended = first(policy, statement), first(policy, statement, **SUSPENDED)
    told = row(valid_until="2032-01-01T00:00:00Z", **SUSPENDED)
    made = next_version(told, held, later, read_manifest(later, policy, LATER), policy, LATER, "salt")
    assert made is not None
    assert follows(held, None, statement, policy, NOW)
    assert follows(suspended, None, statement, policy, NOW)
    assert follows(made, held, later, policy, LATER)

    assert not follows(made, held, later, policy, LATER + DAY)
    assert not follows(made, held, statement, policy, LATER)
    assert not follows(made, None, later, policy, LATER)
    assert not follows(held, held, later, policy, LATER)
    assert not follows(suspended, held, statement, policy, LATER)
    assert not follows(held, None, stated(policy, issuing=FOREIGN), policy, NOW)
    abroad = replace(held, attributes={**held.attributes, "premises_area": "510104"})
    assert not follows(abroad, None, statement, policy, NOW)
    first_step, second_step = made.events
    for other in ({"reason_code": "test"}, {"statement": statement.attestation}, {"recorded_at": NOW}):
        changed = replace(made, events=(replace(first_step, **other), second_step))
        assert not follows(changed, held, later, policy, LATER)
    named = replace(made, subject=Subject(kind="organisation", name="重庆测试老店食品有限公司", uscc=None))
    assert not follows(named, held, later, policy, LATER)


def test_an_event_of_before_is_not_altered(policy: Policy) -> None:
    before = first(policy, **SUSPENDED)
    later = stated(policy, LATER)
    manifest = read_manifest(later, policy, LATER)
    made = next_version(row(status="valid"), before, later, manifest, policy, LATER, "salt")
    assert made is not None
    assert follows(made, before, later, policy, LATER)
    altered = replace(made, events=(replace(made.events[0], effective_at=NOW - DAY), made.events[1]))
    assert not follows(altered, before, later, policy, LATER)
