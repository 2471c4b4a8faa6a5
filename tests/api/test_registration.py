"""Issuers state things over HTTP: who may, what comes of it, what is refused, and that nothing is done twice."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace as structs_replace

from app import clock
from app.bootstrap import seed_policy
from app.settings import Settings
from app.store import schema
from app.store.audit import audit
from app.store.writer import SqliteWriter
from app.usecases.version_row import version_row
from keys import base64url
from keys.custody import key_directory
from registry.canonical import canonical_json, digest
from registry.credential import Event, read_version
from registry.period import format_instant, parse_instant
from registry.status_list import INVALID, SUSPENDED, VALID, read, read_member
from tests.api.service import Service, assert_problem, settings_at
from tests.api.test_log import BASE, assert_included
from tests.support.issuing import LICENCE, TYPE, Issuing

OWN, FOREIGN = Issuing(), Issuing(issuer="cd-jinjiang-amr", alg="Ed25519")
CREDENTIALS = "/v1/credentials"
AREA = {"premises_area": "510104"}
QUESTION: dict[str, Any] = {
    "credential": {"type": TYPE, "number": LICENCE["number"]},
    "jurisdiction": "CN-SC",
    "purpose": "inspection.authenticity",
    "facts": {"premises_area": "500103"},
}


class Desk:
    """A service whose policy has keys of two issuers, and the keys to call it with."""

    def __init__(self, settings: Settings, service: Service) -> None:
        self.settings, self.service = settings, service
        self.enter(OWN.document(), FOREIGN.document())
        self.own, self.foreign = self.key("issuer", OWN.issuer), self.key("issuer", FOREIGN.issuer)

    def enter(self, *documents: Any) -> None:
        writer = SqliteWriter(self.settings.store_path)
        writer.enter_policies(documents)
        writer.close()

    def key(self, role: str, issuer: str | None = None, expires_at: datetime | None = None) -> str:
        now = clock.now() - timedelta(days=2)
        return self.service.node.api_keys.make("测试", role, issuer, now, expires_at)[1]

    def send(self, token: str, address: str = CREDENTIALS, key: str | None = None, **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {key or self.own}"} | headers
        return self.service.post(address, {"statement": token}, language="en", **given)

    def register(self, **changed: Any) -> httpx.Response:
        return self.send(OWN.sign(OWN.claims(clock.now(), credential=LICENCE | changed)))

    def step(self, named: str, version: str, event: str, **more: Any) -> httpx.Response:
        claims = OWN.event(clock.now(), named, event, more.pop("effective_at", clock.now()), **more)
        return self.send(OWN.sign(claims), f"{CREDENTIALS}/{named}/events", If_Match=f'"{version}"')

    def difference(self) -> str | None:
        return audit(self.settings.store_path, None).difference


@pytest.fixture
def desk(copied: Settings, opened: Callable[..., Service]) -> Desk:
    return Desk(copied, opened(copied))


def taken(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 201, response.text
    content: dict[str, Any] = response.json()
    assert response.headers["ETag"] == f'"{content["version"]}"'
    assert response.headers["Location"] == f"{CREDENTIALS}/{content['id']}"
    return content


def test_a_licence_is_registered_suspended_reinstated_and_revoked(desk: Desk) -> None:
    made = taken(desk.register())
    answer = desk.service.recognize(QUESTION).json()
    assert answer["decision"] == "recognized"
    signature = next(entry for entry in answer["checks"] if entry["name"] == "signature")
    assert (signature["result"], signature["code"]) == ("passed", "signature.verified")
    assert signature["evidence"] == [made["version"]]
    seen = []
    for event, more in (("suspended", {}), ("reinstated", {}), ("revoked", {"kind": "penalty"})):
        made = taken(desk.step(made["id"], made["version"], event, **more))
        seen.append(desk.service.recognize(QUESTION).json()["reasons"][0]["code"])
    assert seen == ["status.suspended", "inspection.genuine", "status.revoked"]
    refused = desk.step(made["id"], made["version"], "reinstated")
    assert_problem(refused, 409, "event.out_of_order", "/statement/event")
    history = desk.service.get(f"{CREDENTIALS}/{made['id']}/history").json()["data"]
    assert [step["event"] for step in history] == ["registered", "suspended", "reinstated", "revoked"]
    for step in history:
        proof = desk.service.get(f"{BASE}/proofs/inclusion", {"index": str(step["log_index"])}).json()
        assert assert_included(proof)["statement"] == step["statement"]
        evidence = desk.service.get(f"/v1/statements/{step['statement']}")
        assert evidence.headers["Content-Type"] == "application/jose"
        assert digest(evidence.content) == step["statement"]
    assert desk.difference() is None


def test_a_step_turns_the_status_list(desk: Desk) -> None:
    made = taken(desk.register())
    place = desk.service.get(f"{CREDENTIALS}/{made['id']}").json()["status_list"]
    address = "/v1/status-lists/" + place["uri"].rpartition("/")[2]

    def status() -> int:
        payload = desk.service.get(address).text.split(".")[1]
        bits, compressed = read_member(json.loads(base64url.decode(payload))["status_list"])
        return read(compressed, bits, place["index"], limit=1 << 20)

    seen = [status()]
    for event, ago in (("suspended", 60), ("reinstated", 30), ("revoked", 5)):
        # Lists are of whole seconds.
        more: dict[str, Any] = {"effective_at": clock.now() - timedelta(seconds=ago)}
        more |= {"kind": "penalty"} if event == "revoked" else {}
        made = taken(desk.step(made["id"], made["version"], event, **more))
        seen.append(status())
    assert seen == [VALID, SUSPENDED, VALID, INVALID]


def test_an_amendment_does_not_rewrite_what_was_known(desk: Desk) -> None:
    made = taken(desk.register())
    then = desk.service.recognize(QUESTION).json()
    changes = {"valid_until": format_instant(clock.now() - timedelta(hours=1))}
    taken(desk.step(made["id"], made["version"], "amended", changes=changes))
    assert desk.service.recognize(QUESTION).json()["reasons"][0]["code"] == "validity.expired"
    again = desk.service.recognize(QUESTION | {"known_at": then["known_at"], "valid_at": then["valid_at"]}).json()
    assert (again["decision"], again["checks"]) == (then["decision"], then["checks"])


def test_a_step_rests_on_the_version_that_it_names(desk: Desk) -> None:
    made = taken(desk.register())
    shown = desk.service.get(f"{CREDENTIALS}/{made['id']}")
    assert shown.headers["ETag"] == f'"{made["version"]}"'
    newer = taken(desk.step(made["id"], made["version"], "suspended"))
    refused = desk.step(made["id"], made["version"], "reinstated")
    content = assert_problem(refused, 412, "credential.changed", "")
    assert newer["version"] in content["detail"]
    token = OWN.sign(OWN.event(clock.now(), made["id"], "reinstated", clock.now()))
    address = f"{CREDENTIALS}/{made['id']}/events"
    for given in ({}, {"If_Match": "*"}, {"If_Match": newer["version"]}, {"If_Match": '"abc"'}):
        assert_problem(desk.send(token, address, **given), 428, "precondition.missing", "")
    taken(desk.send(token, address, If_Match=f'"{made["version"]}", "{newer["version"]}"'))


def test_a_retry_gets_its_answer_again_and_nothing_is_done_twice(desk: Desk) -> None:
    token = OWN.sign(OWN.claims(clock.now()))
    first = desk.send(token, Idempotency_Key="a-key-of-mine")
    content = taken(first)
    again = desk.send(token, Idempotency_Key="a-key-of-mine")
    assert (again.status_code, again.content) == (201, first.content)
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
    assert again.headers["ETag"] == first.headers["ETag"]
    other = OWN.sign(OWN.claims(clock.now(), credential=LICENCE | {"number": "JY15001039920027"}))
    assert_problem(desk.send(other, Idempotency_Key="a-key-of-mine"), 422, "idempotency.other_request", "")
    # The key is one's own: another caller's request of the same name is another request.
    assert_problem(desk.send(token, key=desk.foreign, Idempotency_Key="a-key-of-mine"), 403, "auth.forbidden", "")
    assert_problem(desk.send(token), 409, "statement.replayed", "/statement/jti")
    assert_problem(desk.send(token, Idempotency_Key="another-key"), 409, "statement.replayed", "/statement/jti")
    assert_problem(desk.register(), 409, "credential.exists", "/statement/credential/number")
    history = desk.service.get(f"{CREDENTIALS}/{content['id']}/history").json()["data"]
    assert len(history) == 1
    for wrong in ("short", "x" * 129, "with space"):
        assert_problem(desk.send(other, Idempotency_Key=wrong), 422, "idempotency.key_malformed", "")


def test_a_key_that_was_stolen_counts_until_then(desk: Desk) -> None:
    before = clock.now()
    taken(desk.register())
    held = desk.service.recognize(QUESTION).json()
    since = format_instant(before)
    unsafe = Issuing(key={"compromised_from": since})
    assert unsafe.public == OWN.public
    desk.enter(unsafe.document(Issuing(mark="fresh"), version=2))
    answer = desk.service.recognize(QUESTION).json()
    assert answer["decision"] == "not_recognized"
    assert answer["reasons"][0]["code"] == "issuer.key_retired"
    token = OWN.sign(OWN.claims(clock.now(), credential=LICENCE | {"number": "JY15001039920027"}))
    assert_problem(desk.send(token), 422, "statement.key_compromised", "/statement")
    # What was known then is what was answered then.
    asked = QUESTION | {"known_at": held["known_at"], "valid_at": held["valid_at"]}
    assert desk.service.recognize(asked).json()["decision"] == held["decision"] == "recognized"
    fresh = Issuing(mark="fresh")
    claims = fresh.claims(clock.now(), credential=LICENCE | {"number": "JY15001039920027"})
    taken(desk.send(fresh.sign(claims)))
    assert desk.difference() is None


def test_a_key_that_its_issuer_no_longer_has_leaves_doubt(desk: Desk) -> None:
    taken(desk.register())
    desk.enter(Issuing(mark="fresh").document(version=2))
    answer = desk.service.recognize(QUESTION).json()
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("indeterminate", "issuer.key_retired")
    assert desk.difference() is None


def test_a_key_that_ended_in_order_stays_good_for_what_it_signed(desk: Desk) -> None:
    taken(desk.register())
    desk.enter(Issuing(key={"until": format_instant(clock.now())}).document(version=2))
    assert desk.service.recognize(QUESTION).json()["decision"] == "recognized"
    token = OWN.sign(OWN.claims(clock.now(), credential=LICENCE | {"number": "JY15001039920027"}))
    assert_problem(desk.send(token), 422, "statement.key_retired", "/statement")


def test_a_statement_goes_to_the_address_that_it_is_for(desk: Desk) -> None:
    made = taken(desk.register())
    events, version = f"{CREDENTIALS}/{made['id']}/events", f'"{made["version"]}"'
    registration = OWN.sign(OWN.claims(clock.now()))
    assert_problem(desk.send(registration, events, If_Match=version), 422, "statement.kind_wrong", "/statement")
    step = OWN.sign(OWN.event(clock.now(), made["id"], "suspended", clock.now()))
    assert_problem(desk.send(step), 422, "statement.kind_wrong", "/statement")
    other = OWN.sign(OWN.event(clock.now(), "cred_another", "suspended", clock.now()))
    pointer = "/statement/credential_id"
    assert_problem(desk.send(other, events, If_Match=version), 422, "statement.credential_id_wrong", pointer)
    nobody = f"{CREDENTIALS}/cred_another/events"
    assert_problem(desk.send(other, nobody, If_Match=version), 404, "credential.not_found", pointer)


@pytest.mark.parametrize(
    ("content", "code", "pointer"),
    [
        ([], "query.wrong_kind", ""),
        ({}, "query.member_missing", "/statement"),
        ({"statement": 1}, "query.wrong_kind", "/statement"),
        ({"statement": "声明"}, "query.wrong_kind", "/statement"),
        ({"statement": "a.b.c", "more": 1}, "query.unknown_member", "/more"),
        ({"statement": ""}, "statement.malformed", "/statement"),
        ({"statement": "a" * 300_000}, "statement.malformed", "/statement"),
    ],
)
def test_a_body_that_is_wrong_is_refused(desk: Desk, content: Any, code: str, pointer: str) -> None:
    response = desk.service.post(CREDENTIALS, content, Authorization=f"Bearer {desk.own}")
    if len(str(content)) > 262_144 + 1024:
        assert_problem(response, 413, "request.too_large", "")
        return
    assert_problem(response, 422, code, pointer)


def test_a_persons_statement_is_shown_to_nobody(desk: Desk) -> None:
    made = taken(desk.register(subject={"kind": "person", "name": "测试甲", "uscc": None}))
    assert_problem(desk.service.get(f"/v1/statements/{made['statement']}"), 404, "statement.not_found", "")
    shown = desk.service.get(f"{CREDENTIALS}/{made['id']}").text
    history = desk.service.get(f"{CREDENTIALS}/{made['id']}/history").text
    assert "测试甲" not in shown + history
    assert_problem(desk.service.get("/v1/statements/sha256:" + "0" * 64), 404, "statement.not_found", "")
    assert_problem(desk.service.get("/v1/statements/none"), 404, "statement.not_found", "")


def test_a_statement_with_what_is_not_shown_is_shown_to_nobody(desk: Desk) -> None:
    (document,) = [entry for entry in seed_policy() if entry.id == TYPE]
    attributes = {name: dict(field) for name, field in document.content["attributes"].items()}
    attributes["premises_address"]["public"] = False
    content = {**document.content, "version": 2, "attributes": attributes}
    named = digest(canonical_json(content))
    made = taken(desk.register())
    assert desk.service.get(f"/v1/statements/{made['statement']}").status_code == 200
    desk.enter(replace(document, version=2, digest=named, content=content))
    claims = OWN.claims(clock.now(), credential=LICENCE | {"number": "JY15001039920027"})
    later = taken(desk.send(OWN.sign(claims | {"profile": {"type": TYPE, "version": 2}})))
    assert_problem(desk.service.get(f"/v1/statements/{later['statement']}"), 404, "statement.not_found", "")
    assert desk.difference() is None


def callers(desk: Desk) -> dict[str, tuple[dict[str, str], int, str]]:
    """Who calls with what: the headers, and what a registration by the issuer's own statement answers."""
    now = clock.now()
    stopped = desk.key("issuer", OWN.issuer)
    key_id = desk.service.node.api_keys.all()[-1].key_id
    assert desk.service.node.api_keys.stop(key_id, now)
    assert not desk.service.node.api_keys.stop(key_id, now)
    keys = {
        "own issuer": (desk.own, 201, ""),
        "foreign issuer": (desk.foreign, 403, "auth.forbidden"),
        "relying party": (desk.key("relying_party"), 403, "auth.forbidden"),
        "operator": (desk.key("operator"), 403, "auth.forbidden"),
        "auditor": (desk.key("auditor"), 403, "auth.forbidden"),
        "stopped": (stopped, 401, "auth.unknown"),
        "expired": (desk.key("issuer", OWN.issuer, now - timedelta(seconds=1)), 401, "auth.unknown"),
        "unknown": ("ak_test_" + "A" * 43, 401, "auth.unknown"),
        "of a live store": (desk.own.replace("test", "live"), 401, "auth.unknown"),
        "of no kind": ("x" * 300, 401, "auth.unknown"),
        "without end": ("x" * 5000, 401, "auth.missing"),
    }
    found = {name: ({"Authorization": f"Bearer {key}"}, status, code) for name, (key, status, code) in keys.items()}
    return found | {
        "nobody": ({}, 401, "auth.missing"),
        "by another scheme": ({"Authorization": f"Basic {desk.own}"}, 401, "auth.missing"),
        "by nothing": ({"Authorization": "Bearer "}, 401, "auth.missing"),
    }


WITH_KEY = {
    ("POST", "/v1/credentials"),
    ("POST", "/v1/credentials/{id}/events"),
    ("POST", "/v1/register-reports"),
    ("GET", "/v1/objections"),
    ("POST", "/v1/objections/{id}/answer"),
    ("POST", "/oauth/token"),
}
"""The routes that need a key (test_objections, test_access_tokens). Every other one is public to all."""


def test_who_may_write(desk: Desk) -> None:
    made = taken(desk.register())
    numbers = iter(f"JY1500103992{place:04d}" for place in range(100))
    for name, (headers, status, code) in callers(desk).items():
        token = OWN.sign(OWN.claims(clock.now(), credential=LICENCE | {"number": next(numbers)}))
        response = desk.service.post(CREDENTIALS, {"statement": token}, **headers)
        step = OWN.sign(OWN.event(clock.now(), made["id"], "amended", clock.now(), changes={"attributes": {}}))
        events = {"If-Match": f'"{made["version"]}"', **headers}
        stepped = desk.service.post(f"{CREDENTIALS}/{made['id']}/events", {"statement": step}, **events)
        if status == 201:
            taken(response)
            made = taken(stepped)
            continue
        for refused in (response, stepped):
            assert_problem(refused, status, code, "")
            assert refused.headers.get("WWW-Authenticate") == ('Bearer realm="accord"' if status == 401 else None), name


def test_every_other_route_is_public(desk: Desk) -> None:
    paths = desk.service.get("/openapi.json").json()["paths"]
    declared = {(method.upper(), path) for path, entry in paths.items() for method in entry}
    assert declared >= WITH_KEY
    named = desk.service.get(CREDENTIALS, {"limit": "1"}).json()["data"][0]["id"]
    for method, path in sorted(declared - WITH_KEY):
        address = path.replace("{id}", named).replace("{level}", "0").replace("{name}", "000.p/1")
        address = address.replace("{digest}", "sha256:" + "0" * 64)
        answers = set()
        for headers, *_ in callers(desk).values():
            response = desk.service.request(method, address, headers=headers | {"Content-Type": "application/json"})
            answers.add(response.status_code)
        assert len(answers) == 1, (method, path, answers)
        assert answers.isdisjoint({401, 403}), (method, path)


def test_64_writers_make_a_serial_history(desk: Desk) -> None:
    made = taken(desk.register())
    named, address = made["id"], f"{CREDENTIALS}/{made['id']}/events"

    async def send(version: str) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=desk.service.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://accord.test") as client:
            now = clock.now()

            def post(number: int) -> Any:
                event = OWN.event(now, named, "amended", now, changes={"attributes": {"items": [f"测试{number}"]}})
                headers = {"Authorization": f"Bearer {desk.own}", "If-Match": f'"{version}"'}
                return client.post(address, json={"statement": OWN.sign(event)}, headers=headers)

            return list(await asyncio.gather(*(post(number) for number in range(64))))

    answers = asyncio.run(send(made["version"]))
    won = [answer for answer in answers if answer.status_code == 201]
    assert len(won) == 1
    assert {answer.status_code for answer in answers} == {201, 412}
    history = desk.service.get(f"{CREDENTIALS}/{named}/history").json()["data"]
    assert [step["digest"] for step in history] == [made["version"], won[0].json()["version"]]
    assert desk.difference() is None


def test_requests_of_one_name_at_once_enter_one_thing(desk: Desk) -> None:
    token = OWN.sign(OWN.claims(clock.now()))

    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=desk.service.application)
        headers = {"Authorization": f"Bearer {desk.own}", "Idempotency-Key": "all-at-once"}
        async with httpx.AsyncClient(transport=transport, base_url="http://accord.test") as client:
            sent = (client.post(CREDENTIALS, json={"statement": token}, headers=headers) for _ in range(8))
            return list(await asyncio.gather(*sent))

    answers = asyncio.run(send())
    assert sorted({answer.status_code for answer in answers}) == [201, 409]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert {answer.json()["code"] for answer in waiting} == {"idempotency.in_flight"}
    assert all(answer.headers["Retry-After"] == "1" for answer in waiting)
    again = desk.send(token, Idempotency_Key="all-at-once")
    assert {answer.content for answer in answers if answer.status_code == 201} == {again.content}


def test_several_nodes_of_one_store_agree(desk: Desk, opened: Callable[..., Service]) -> None:
    """Two nodes take the same steps at once: each credential has one history."""
    other = opened(desk.settings)
    made = taken(desk.register())
    tokens = [OWN.sign(OWN.event(clock.now(), made["id"], "suspended", clock.now())) for _ in range(2)]
    headers = {"Authorization": f"Bearer {desk.own}", "If_Match": f'"{made["version"]}"'}

    def send(place: int) -> int:
        service = (desk.service, other)[place]
        address = f"{CREDENTIALS}/{made['id']}/events"
        return service.post(address, {"statement": tokens[place]}, **headers).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(send, range(2))) == [201, 412]
    assert desk.difference() is None


def test_the_last_use_of_a_key_is_kept(desk: Desk) -> None:
    assert {key.used_at for key in desk.service.node.api_keys.all()} == {None}
    content = taken(desk.register())
    used = [key.used_at for key in desk.service.node.api_keys.all() if key.issuer == OWN.issuer]
    assert used[0] is not None
    assert abs(used[0] - parse_instant(content["recorded_at"])) < timedelta(seconds=60)
    assert desk.own not in json.dumps([str(key) for key in desk.service.node.api_keys.all()])


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
    desk = Desk(settings, opened(settings))
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
