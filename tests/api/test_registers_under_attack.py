"""Registers under attack and in doubt: stolen keys, versions that nobody stated, and what an issuer may not state."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace as structs_replace

from app import clock
from app.settings import Settings
from app.store import schema
from app.store.writer import SqliteWriter
from app.usecases.version_row import version_row
from keys import base64url
from keys.custody import key_directory
from registry.canonical import digest
from registry.credential import Event, read_version
from registry.period import format_instant
from registry.status_list import INVALID, SUSPENDED, VALID, read, read_member
from tests.api.desk import AREA, CREDENTIALS, FOREIGN, OWN, QUESTION, Desk, enter, taken
from tests.api.service import Service, assert_problem, settings_at
from tests.support.issuing import LICENCE, TYPE, Issuing


@pytest.fixture
def desk(with_issuers: Settings, opened: Callable[..., Service]) -> Desk:
    return Desk(with_issuers, opened(with_issuers))


def live_settings(home: Path) -> Settings:
    """The settings of a live node whose store holds nothing yet."""
    settings = settings_at(home, issuer="https://accord.test", key_passphrase="only for tests")
    schema.migrate(settings.store_path, "live", clock.now())
    key_directory.create(settings.keys_path, "live", b"only for tests")
    return settings


def report(desk: Desk, as_of: str, issuing: Issuing = OWN, kind: str = TYPE) -> httpx.Response:
    claims = issuing.claims(clock.now(), register={"as_of": as_of}) | {"profile": {"type": kind, "version": 1}}
    return desk.send(issuing.sign(claims), "/v1/register-reports")


def test_a_live_register_counts_when_its_issuer_says_how_far_it_is_complete(
    tmp_path: Path, opened: Callable[..., Service]
) -> None:
    settings = live_settings(tmp_path / "live")
    service = opened(settings)
    enter(settings, OWN.document(), FOREIGN.document())
    desk = Desk(settings, service)
    taken(desk.register())
    assert desk.service.recognize(QUESTION).json()["reasons"][0]["code"] == "register.stale"
    now = clock.now()
    response = report(desk, format_instant(now))
    assert response.status_code == 201, response.text
    assert response.json()["as_of"] == format_instant(now)
    answer = desk.service.recognize(QUESTION).json()
    assert (answer["decision"], answer["livemode"]) == ("recognized", True)
    evidence = desk.service.get(f"/v1/statements/{response.json()['statement']}")
    assert digest(evidence.content) == response.json()["statement"]
    assert desk.difference() is None
    with closing(sqlite3.connect(settings.store_path)) as connection:
        connection.execute("UPDATE register_report SET as_of = as_of + 1")
        connection.commit()
    assert desk.difference() is not None


@pytest.mark.parametrize(
    ("as_of", "kind", "code", "pointer"),
    [
        ("2999-01-01T00:00:00Z", TYPE, "statement.as_of_ahead", "/statement/register/as_of"),
        ("yesterday", TYPE, "statement.claim_wrong", "/statement/register/as_of"),
        ("2026-01-01", TYPE, "statement.claim_wrong", "/statement/register/as_of"),
        ("2026-01-01T00:00:00Z", "metrology-type-approval", "statement.not_competent", "/statement/profile/type"),
    ],
)
def test_a_report_that_is_wrong_is_refused(desk: Desk, as_of: str, kind: str, code: str, pointer: str) -> None:
    status = 403 if code == "statement.not_competent" else 422
    assert_problem(report(desk, as_of, OWN, kind), status, code, pointer)


def test_an_amendment_stays_within_the_issuers_powers(desk: Desk) -> None:
    made = taken(desk.register())
    for area in ("500106", "510104", "999999"):
        refused = desk.step(made["id"], made["version"], "amended", changes={"attributes": {"premises_area": area}})
        assert_problem(refused, 403, "statement.not_competent", "/statement/event/changes/attributes")


def test_nothing_counts_before_it_was_issued(desk: Desk) -> None:
    ahead = format_instant(clock.now() + timedelta(days=1))
    assert_problem(desk.register(issued_at=ahead), 422, "statement.issued_ahead", "/statement/credential/issued_at")
    taken(desk.register(valid_from=None))
    before = QUESTION | {"valid_at": "2020-06-01T00:00:00Z"}
    assert desk.service.recognize(before).json()["reasons"][0]["code"] == "validity.not_yet"


def test_a_number_is_one_issuers(desk: Desk) -> None:
    taken(desk.register())
    claims = FOREIGN.claims(clock.now(), credential=LICENCE | {"attributes": LICENCE["attributes"] | AREA})
    refused = desk.send(FOREIGN.sign(claims), key=desk.foreign)
    assert_problem(refused, 409, "credential.number_taken", "/statement/credential/number")


def test_an_amended_holder_is_found(desk: Desk) -> None:
    made = taken(desk.register())
    holder = {"kind": "organisation", "name": "重庆测试接手食品有限公司", "uscc": "91500105TT0000816G"}
    at = clock.now() - timedelta(seconds=2)
    taken(desk.step(made["id"], made["version"], "amended", effective_at=at, changes={"subject": holder}))
    found = desk.service.get(CREDENTIALS, {"subject": "91500105TT0000816G"}).json()["data"]
    assert made["id"] in {entry["id"] for entry in found}
    former = desk.service.get(CREDENTIALS, {"subject": LICENCE["subject"]["uscc"]}).json()["data"]
    assert made["id"] not in {entry["id"] for entry in former}
    assert desk.difference() is None


THIEF = Issuing(mark="stolen")


def stolen(desk: Desk, since: datetime) -> None:
    """The issuer finds out that its second key was stolen."""
    unsafe = Issuing(mark="stolen", key={"compromised_from": format_instant(since)})
    desk.enter(OWN.document(unsafe, version=3))


def status(desk: Desk, named: str) -> int:
    place = desk.service.get(f"{CREDENTIALS}/{named}").json()["status_list"]
    payload = desk.service.get("/v1/status-lists/" + place["uri"].rpartition("/")[2]).text.split(".")[1]
    bits, compressed = read_member(json.loads(base64url.decode(payload))["status_list"])
    return read(compressed, bits, place["index"], limit=1 << 20)


@pytest.mark.parametrize(("event", "more"), [("reinstated", {}), ("revoked", {"kind": "penalty"})])
def test_what_a_thief_stated_is_undone_by_the_issuers_next_word(desk: Desk, event: str, more: dict[str, Any]) -> None:
    desk.enter(OWN.document(THIEF, version=2))
    early = clock.now() - timedelta(seconds=30)
    made = taken(desk.register())
    if event == "reinstated":
        made = taken(desk.step(made["id"], made["version"], "suspended", effective_at=early))
    since = clock.now()
    claims = THIEF.event(since, made["id"], event, since - timedelta(seconds=9), **more)
    version = f'"{made["version"]}"'
    wrong = taken(desk.send(THIEF.sign(claims), f"{CREDENTIALS}/{made['id']}/events", If_Match=version))
    assert status(desk, made["id"]) == (VALID if event == "reinstated" else INVALID)
    stolen(desk, since)
    answer = desk.service.recognize(QUESTION).json()
    codes = {entry["code"] for entry in answer["checks"] if entry["result"] in ("failed", "indeterminate")}
    assert "issuer.key_retired" in codes
    assert answer["decision"] == ("not_recognized" if event == "reinstated" else "indeterminate")
    assert status(desk, made["id"]) == SUSPENDED
    assert desk.difference() is None
    # The issuer says how it stands, and knows what was there.
    changes = {"attributes": {"premises_address": "重庆市渝中区测试路9号"}}
    taken(desk.step(made["id"], wrong["version"], "amended", effective_at=early, changes=changes))
    answer = desk.service.recognize(QUESTION).json()
    if event == "reinstated":
        assert answer["reasons"][0]["code"] == "status.suspended"
        assert status(desk, made["id"]) == SUSPENDED
    else:
        assert answer["decision"] == "recognized"
        assert status(desk, made["id"]) == VALID
    assert desk.difference() is None


def test_what_a_thief_registered_never_counts(desk: Desk) -> None:
    desk.enter(OWN.document(THIEF, version=2))
    since = clock.now()
    made = taken(desk.send(THIEF.sign(THIEF.claims(since))))
    assert status(desk, made["id"]) == VALID
    stolen(desk, since)
    answer = desk.service.recognize(QUESTION).json()
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("not_recognized", "issuer.key_retired")
    assert status(desk, made["id"]) == SUSPENDED


def test_a_version_that_nobody_stated_is_named_and_does_not_count(desk: Desk) -> None:
    """Somebody who holds the store and no issuer's key adds a version to a credential that is signed."""
    made = taken(desk.register())
    held = read_version(contents(desk, made["id"]))
    amended = Event(
        event="amended",
        effective_at=held.issued_at,
        recorded_at=clock.now(),
        changes={"valid_until": "2199-01-01T00:00:00Z"},
    )
    row = version_row(made["id"], made["number"], structs_replace(held, events=(amended,)))
    writer = SqliteWriter(desk.settings.store_path)
    writer.append([row], ())
    writer.close()
    answer = desk.service.recognize(QUESTION | {"valid_at": "2190-01-01T00:00:00Z"}).json()
    assert answer["decision"] == "not_recognized"
    assert "was stated by nobody" in (desk.difference() or "")


def contents(desk: Desk, named: str) -> bytes:
    with closing(sqlite3.connect(desk.settings.store_path)) as connection:
        found: bytes = connection.execute(
            "SELECT v.content FROM credential_version v JOIN credential c ON c.no = v.credential_no"
            " WHERE c.credential_id = ?",
            (named,),
        ).fetchone()[0]
    return found


def test_a_key_is_judged_when_its_statement_is_recorded(desk: Desk) -> None:
    """Its period ends while the statement waits for the store."""
    end = clock.now() + timedelta(seconds=0.2)
    desk.enter(Issuing(key={"until": end.isoformat()}).document(version=2))
    assert_problem(desk.register(), 422, "statement.key_retired", "/statement")


@pytest.mark.parametrize("body", [b'{"\\ud800":1}', b'{"statement":"a","\\udfff":1}', b'{"a/b~c":1}'])
def test_a_member_of_any_name_is_refused(desk: Desk, body: bytes) -> None:
    response = desk.service.post(CREDENTIALS, body, Authorization=f"Bearer {desk.own}")
    assert response.status_code == 422, response.text
    assert response.json()["code"] == "query.unknown_member"


def test_a_weak_tag_names_no_version(desk: Desk) -> None:
    made = taken(desk.register())
    token = OWN.sign(OWN.event(clock.now(), made["id"], "suspended", clock.now()))
    for given in (f'W/"{made["version"]}"', f'x"{made["version"]}"', f'"{made["version"]}" x'):
        response = desk.send(token, f"{CREDENTIALS}/{made['id']}/events", If_Match=given)
        assert_problem(response, 428, "precondition.missing", "")


def test_a_writer_elsewhere_holds_up_nobody_who_shows_a_key(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.settings.store_path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        response = desk.service.get("/v1/objections", {"purpose": "测试"}, Authorization=f"Bearer {desk.own}x")
        assert response.status_code == 401
        assert desk.service.node.api_keys.find(desk.own, clock.now()) is not None
        connection.execute("ROLLBACK")


def test_words_and_steps_are_bounded(desk: Desk) -> None:
    made = taken(desk.register())
    refused = desk.step(made["id"], made["version"], "suspended", reason_code="x" * 201)
    assert_problem(refused, 422, "statement.credential_malformed", "/statement/event/reason_code")
    refused = desk.step(made["id"], made["version"], "suspended", legal_basis=[{"instrument": "x"}] * 101)
    assert_problem(refused, 422, "statement.credential_malformed", "/statement/event/legal_basis")
