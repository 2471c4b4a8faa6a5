"""Objections: anybody may object, the issuer alone sees and answers, reads are kept, and nothing changes by itself."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest

from app import clock
from app.settings import Settings
from app.store.audit import audit
from app.usecases.objections import Submitted, objection
from tests.api.service import RECOGNIZED, Service, assert_problem

ADDRESS = "/v1/objections"
CONTACT = "测试甲 13900000000"
OBJECTION = {"message": "证件上的经营场所与登记不符。\n请核实。", "contact": CONTACT}


class Desk:
    def __init__(self, settings: Settings, service: Service) -> None:
        self.settings, self.service = settings, service
        answer = service.recognize(RECOGNIZED).json()
        self.credential, self.receipt = answer["credential"], answer["receipt"]
        self.issuer = self.credential["issuer"]["id"]

    def key(self, role: str, issuer: str | None = None) -> dict[str, str]:
        secret = self.service.node.api_keys.make("测试", role, issuer, clock.now(), None)[1]
        return {"Authorization": f"Bearer {secret}"}

    def object(self, **about: Any) -> httpx.Response:
        return self.service.post(ADDRESS, OBJECTION | (about or {"credential_id": self.credential["id"]}))

    def listed(self, key: dict[str, str], **parameters: str) -> httpx.Response:
        return self.service.get(ADDRESS, {"purpose": "处理异议"} | parameters, **key)

    def reads(self) -> list[tuple[str, str, str]]:
        with closing(sqlite3.connect(self.settings.store_path)) as connection:
            return connection.execute("SELECT key_id, what, purpose FROM read_audit ORDER BY no").fetchall()


@pytest.fixture
def desk(copied: Settings, opened: Callable[..., Service]) -> Desk:
    return Desk(copied, opened(copied))


def test_an_objection_reaches_its_issuer_is_answered_and_counted(desk: Desk) -> None:
    before = desk.service.get(f"/v1/credentials/{desk.credential['id']}").json()
    assert before["objections"] == {"open": 0, "answered": 0}
    made = desk.object()
    assert made.status_code == 201, made.text
    entry = made.json()
    assert (entry["status"], entry["issuer"], entry["credential_id"]) == ("open", desk.issuer, desk.credential["id"])
    assert CONTACT not in made.text + desk.service.get(f"{ADDRESS}/{entry['id']}").text
    own = desk.key("issuer", desk.issuer)
    (seen,) = desk.listed(own).json()["data"]
    assert (seen["id"], seen["message"], seen["contact"]) == (entry["id"], OBJECTION["message"], CONTACT)
    (read,) = desk.reads()
    assert read[1:] == ("objections after 0", "处理异议")
    answered = desk.service.post(f"{ADDRESS}/{entry['id']}/answer", {"answer": "已核实，登记无误。"}, **own)
    assert (answered.status_code, answered.json()["status"]) == (200, "answered")
    again = desk.service.post(f"{ADDRESS}/{entry['id']}/answer", {"answer": "又一次"}, **own)
    assert_problem(again, 409, "objection.answered", "")
    assert desk.service.get(f"{ADDRESS}/{entry['id']}").json()["answer"] == "已核实，登记无误。"
    assert desk.listed(own, status="open").json()["data"] == []
    after = desk.service.get(f"/v1/credentials/{desk.credential['id']}").json()
    assert after["objections"] == {"open": 0, "answered": 1}
    # It changes nothing by itself.
    kept = ("digest", "status", "events", "valid_until")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert desk.service.recognize(RECOGNIZED).json()["decision"] == "recognized"
    assert audit(desk.settings.store_path, None).difference is None


def test_an_objection_to_a_receipt_goes_where_the_receipt_says(desk: Desk) -> None:
    entry = desk.object(receipt=desk.receipt).json()
    assert (entry["issuer"], entry["credential_id"]) == (desk.issuer, desk.credential["id"])
    assert entry["receipt"].startswith("rcpt_")
    changed = desk.receipt[:-4] + "AAAA"
    assert_problem(desk.object(receipt=changed), 422, "objection.receipt_not_ours", "/receipt")
    unknown = desk.service.recognize(RECOGNIZED | {"credential": RECOGNIZED["credential"] | {"number": "222220349999"}})
    about_none = desk.object(receipt=unknown.json()["receipt"]).json()
    assert (about_none["issuer"], about_none["credential_id"]) == (None, None)
    operator = desk.key("operator")
    assert {seen["id"] for seen in desk.listed(operator).json()["data"]} == {entry["id"], about_none["id"]}
    assert [seen["id"] for seen in desk.listed(desk.key("issuer", desk.issuer)).json()["data"]] == [entry["id"]]


def test_who_may_see_and_answer(desk: Desk) -> None:
    named = desk.object().json()["id"]
    foreign = desk.key("issuer", "cd-jinjiang-amr")
    cases: dict[str, tuple[dict[str, str], int, int]] = {
        "own issuer": (desk.key("issuer", desk.issuer), 1, 409),
        "foreign issuer": (foreign, 0, 404),
        "operator": (desk.key("operator"), 1, 200),
        "auditor": (desk.key("auditor"), 1, 403),
        "relying party": (desk.key("relying_party"), 403, 403),
        "nobody": ({}, 401, 401),
    }
    for name in ("nobody", "relying party", "foreign issuer", "auditor", "operator", "own issuer"):
        key, seen, answered = cases[name]
        listed = desk.listed(key)
        told = len(listed.json()["data"]) if listed.status_code == 200 else listed.status_code
        assert told == seen, name
        response = desk.service.post(f"{ADDRESS}/{named}/answer", {"answer": "核实"}, **key)
        assert response.status_code == answered, name
    # Whoever was refused read nothing, so nothing is kept of it.
    assert len(desk.reads()) == 4


@pytest.mark.parametrize(
    ("content", "code", "pointer"),
    [
        ([], "query.wrong_kind", ""),
        (OBJECTION, "objection.about_what", ""),
        (OBJECTION | {"credential_id": "cred_x", "receipt": "x"}, "objection.about_what", ""),
        (OBJECTION | {"credential_id": "cred_x", "more": 1}, "query.unknown_member", ""),
        (OBJECTION | {"credential_id": "cred_x"}, "objection.credential_unknown", "/credential_id"),
        (OBJECTION | {"credential_id": 1}, "query.wrong_kind", "/credential_id"),
        (OBJECTION | {"credential_id": "c" * 65}, "query.too_long", "/credential_id"),
        (OBJECTION | {"credential_id": " "}, "query.empty", "/credential_id"),
        (OBJECTION | {"receipt": "a.b.c"}, "objection.receipt_not_ours", "/receipt"),
    ],
)
def test_what_cannot_be_taken_is_refused(desk: Desk, content: Any, code: str, pointer: str) -> None:
    assert_problem(desk.service.post(ADDRESS, content), 422, code, pointer)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"message": None}, "query.member_missing"),
        ({"message": "x" * 2001}, "query.too_long"),
        ({"message": "a\x00b"}, "query.text_not_allowed"),
        ({"contact": ""}, "query.empty"),
        ({"contact": ["x"]}, "query.wrong_kind"),
    ],
)
def test_words_that_cannot_be_taken_are_refused(desk: Desk, changed: dict[str, Any], code: str) -> None:
    response = desk.object(credential_id=desk.credential["id"], **changed)
    assert_problem(response, 422, code, f"/{next(iter(changed))}")


def test_too_many_open_objections_are_refused(desk: Desk) -> None:
    entries = [desk.object() for _ in range(20)]
    assert {entry.status_code for entry in entries} == {201}
    assert_problem(desk.object(), 429, "objection.too_many", "")
    own = desk.key("issuer", desk.issuer)
    desk.service.post(f"{ADDRESS}/{entries[0].json()['id']}/answer", {"answer": "核实"}, **own)
    assert desk.object().status_code == 201


def test_lists_are_paged_and_asked_for_with_a_purpose(desk: Desk) -> None:
    own = desk.key("issuer", desk.issuer)
    store = desk.service.node.objections
    for number in range(120):
        about = Submitted(credential_id=f"cred_{number}", receipt=None, issuer=desk.issuer, message="x", contact="y")
        assert store.add(objection(about, desk.issuer, clock.now()))
    first = desk.listed(own).json()
    assert (len(first["data"]), first["next"]) == (100, 100)
    rest = desk.listed(own, after="100").json()
    assert (len(rest["data"]), rest["next"]) == (20, None)
    assert_problem(desk.service.get(ADDRESS, **own), 422, "query.member_missing", "/purpose")
    assert_problem(desk.listed(own, purpose="x" * 201), 422, "query.too_long", "/purpose")
    assert_problem(desk.listed(own, status="shut"), 422, "query.not_allowed", "/status")
    assert_problem(desk.listed(own, after="-1"), 422, "query.out_of_range", "/after")
    for wrong in ([], {"answer": "x", "more": 1}):
        response = desk.service.post(f"{ADDRESS}/obj_x/answer", wrong, **own)
        assert_problem(response, 422, "query.wrong_kind", "")
    assert_problem(desk.service.get(f"{ADDRESS}/obj_x"), 404, "objection.not_found", "")
    missing = desk.service.post(f"{ADDRESS}/obj_x/answer", {"answer": "x"}, **own)
    assert_problem(missing, 404, "objection.not_found", "")
