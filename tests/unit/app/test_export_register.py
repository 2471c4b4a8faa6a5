"""What of a register is exported: as amended, as it stands, by steps that count, and nothing that is in doubt."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from app.bootstrap import seed_policy
from app.exporters import RowUntold, row_writer
from app.usecases.export_register import Tally, claims_at, export_register, exported_profile, policy_known
from registry.canonical import digest
from registry.credential import Attestation, Credential, Event, read_credential
from registry.errors import QueryRefused
from registry.issuer import KeyRegister
from registry.policy import KnownDocument, Policy, PolicyHistory, build_policy
from tests.store.rows import seed
from tests.support.issuing import LICENCE, TYPE, Issuing

ISSUED = datetime(2026, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = ISSUED + 300 * DAY
OWN, STOLEN = Issuing(), Issuing(mark="stolen", key={"compromised_from": "2026-02-01T00:00:00Z"})
NOBODY = KeyRegister(by_issuer={}, by_kid={}, ring=None)


def credential(*events: Event, by: Issuing | None = None, **changes: Any) -> Credential:
    document = LICENCE | {"type": TYPE, "issuer": OWN.issuer, "recorded_at": "2026-01-10T00:00:00Z"} | changes
    held = read_credential(document, seed().profiles[TYPE])
    ordered = tuple(sorted(events, key=lambda event: event.effective_at))
    return replace(held, events=ordered, statement=by and attested(by, held.recorded_at))


def attested(by: Issuing, at: datetime) -> Attestation:
    return Attestation(digest=digest(b"statement"), kid=by.public.kid, made_at=at)


def step(event: str, day: int, by: Issuing | None = None, **more: Any) -> Event:
    at = ISSUED + day * DAY
    return Event(event=event, effective_at=at, recorded_at=at, statement=by and attested(by, at), **more)


def keys() -> KeyRegister:
    policy: Policy = build_policy((*seed_policy(), OWN.document(STOLEN)))
    return policy.keys


def standing(held: Credential, at: datetime = LATER, known: KeyRegister = NOBODY) -> tuple[Any, ...]:
    said = claims_at(held, known, at)
    return said["status"], said["status_since"], said["successor"]


def refusal(held: Credential, known: KeyRegister = NOBODY) -> tuple[str, str]:
    with pytest.raises(RowUntold) as caught:
        claims_at(held, known, LATER)
    return caught.value.code, caught.value.variant


def test_the_claims_are_those_as_amended() -> None:
    subject = {"kind": "person", "name": "测试人员乙", "uscc": None}
    changes = {"subject": subject, "valid_until": "2030-01-09T16:00:00Z", "attributes": {"items": ["散装食品销售"]}}
    held = credential(step("amended", 30, changes=changes))
    before, after = claims_at(held, NOBODY, ISSUED + 29 * DAY), claims_at(held, NOBODY, LATER)
    assert before["subject"]["name"] == LICENCE["subject"]["name"]
    assert before["valid_until"] == "2031-01-09T16:00:00Z"
    assert (after["subject"], after["valid_until"]) == (subject, "2030-01-09T16:00:00Z")
    assert after["attributes"] == LICENCE["attributes"] | {"items": ["散装食品销售"]}
    assert (after["status"], after["status_since"]) == ("valid", None)


def test_a_salt_stays_where_it_is() -> None:
    held = credential(subject={"kind": "person", "name": "测试人员甲", "uscc": None})
    salted = replace(held, subject=replace(held.subject, salt="secret"))
    assert claims_at(salted, NOBODY, LATER) == claims_at(held, NOBODY, LATER)
    assert b"salt" not in row_writer("jsonl", seed().profiles[TYPE], OWN.issuer, "en").row(
        claims_at(salted, NOBODY, LATER)
    )


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], ("valid", None, None)),
        ([step("suspended", 5)], ("suspended", "2026-01-15T00:00:00Z", None)),
        ([step("suspended", 5), step("reinstated", 9)], ("valid", None, None)),
        ([step("revoked", 5, kind="annulled")], ("annulled", "2026-01-15T00:00:00Z", None)),
        ([step("revoked", 5, kind="penalty")], ("penalty", "2026-01-15T00:00:00Z", None)),
        ([step("revoked", 5, kind="withdrawn")], ("withdrawn", "2026-01-15T00:00:00Z", None)),
        ([step("cancelled", 5), step("revoked", 8, kind="penalty")], ("penalty", "2026-01-18T00:00:00Z", None)),
        ([step("suspended", 2), step("cancelled", 5)], ("cancelled", "2026-01-15T00:00:00Z", None)),
        ([step("suspended", 400)], ("valid", None, None)),
        (
            [step("superseded", 5, successor={"number": "JY2", "issuer": OWN.issuer})],
            ("superseded", "2026-01-15T00:00:00Z", "JY2"),
        ),
    ],
)
def test_how_a_credential_stands(events: Iterable[Event], told: tuple[Any, ...]) -> None:
    assert standing(credential(*events)) == told


def test_a_successor_of_another_issuer_cannot_be_told() -> None:
    other = step("superseded", 5, successor={"number": "JY2", "issuer": "sc-samr"})
    assert refusal(credential(other)) == ("export.successor_elsewhere", "")
    assert standing(credential(other), ISSUED) == ("valid", None, None)


def test_what_is_in_doubt_is_not_told() -> None:
    known = keys()
    good = credential(by=OWN)
    assert standing(good, known=known) == ("valid", None, None)
    assert refusal(replace(good, statement=attested(Issuing(mark="nobody's"), ISSUED)), known) == (
        "issuer.key_retired",
        "unknown",
    )
    # Before its theft the key was good; a step by the thief does not count, and the issuer has not answered it.
    assert standing(credential(by=STOLEN), known=known) == ("valid", None, None)
    stolen = step("reinstated", 60, STOLEN)
    suspended = step("suspended", 10, OWN)
    assert refusal(credential(suspended, stolen, by=OWN), known) == ("issuer.key_retired", "step")
    answered = credential(suspended, stolen, step("amended", 70, OWN, changes={"valid_until": None}), by=OWN)
    assert standing(answered, known=known)[0] == "suspended"
    late = credential(by=STOLEN, recorded_at="2026-03-01T00:00:00Z")
    assert refusal(late, known) == ("issuer.key_retired", "")
    assert refusal(credential(step("suspended", 10), by=OWN), known) == ("signature.missing", "step")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_cannot_be_told_is_named_and_the_rest_is_written(form: str) -> None:
    elsewhere = step("superseded", 5, successor={"number": "JY2", "issuer": "sc-samr"})
    register = [credential(), credential(elsewhere, number="JY15001039920027"), credential(number="JY15001039920035")]
    content, told = bytearray(), []
    tally = export_register(
        iter(register),
        NOBODY,
        LATER,
        row_writer(form, seed().profiles[TYPE], OWN.issuer, "zh-CN"),
        content.extend,
        lambda number, why: told.append((number, why.code)),
    )
    assert tally == Tally(written=2, untold=1)
    assert told == [("JY15001039920027", "export.successor_elsewhere")]
    lines = content.splitlines()
    assert len(lines) == (3 if form == "csv" else 2)
    assert b"JY15001039920027" not in content
    if form == "jsonl":
        assert [orjson.loads(line)["number"] for line in lines] == [register[0].number, register[2].number]


def test_nothing_to_export_is_a_header() -> None:
    content = bytearray()
    writer = row_writer("csv", seed().profiles[TYPE], OWN.issuer, "zh-CN")
    ignored = export_register([], NOBODY, LATER, writer, content.extend, lambda number, why: None)
    assert (ignored, bytes(content)) == (Tally(written=0, untold=0), writer.head())


def refused(ask: Any) -> tuple[str, Any]:
    with pytest.raises(QueryRefused) as caught:
        ask()
    (fault,) = caught.value.faults
    return fault.code, fault.params


def test_types_and_issuers_that_there_are() -> None:
    policy = seed()
    assert exported_profile(policy, TYPE, OWN.issuer, ()).id == TYPE
    code, params = refused(lambda: exported_profile(policy, "ca-certificate", OWN.issuer, ()))
    assert code == "query.unknown_type"
    assert TYPE in params["allowed"]
    assert "ca-certificate" not in params["allowed"]
    code, params = refused(lambda: exported_profile(policy, TYPE, "cq-nobody", ("cq-former",)))
    assert code == "query.not_allowed"
    assert {OWN.issuer, "cq-former"} <= set(params["allowed"].split(", "))
    # Who issues no longer still has a register.
    assert exported_profile(policy, TYPE, "cq-former", ("cq-former",)).id == TYPE


def test_the_policy_is_that_which_was_known() -> None:
    known = [KnownDocument(document=document, known_from=ISSUED) for document in seed_policy()]
    known.append(KnownDocument(document=OWN.document(), known_from=ISSUED + 5 * DAY))
    policies = PolicyHistory(known, 1)
    assert policy_known(policies, ISSUED, LATER).keys.ring is None
    assert policy_known(policies, LATER, LATER).keys.ring is not None
    assert refused(lambda: policy_known(policies, LATER + DAY, LATER))[0] == "query.known_at_in_future"
    assert refused(lambda: policy_known(policies, ISSUED - DAY, LATER))[0] == "query.known_at_before_history"
