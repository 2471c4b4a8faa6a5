"""Issuers state things over HTTP: who may, what comes of it, what is refused, and that nothing is done twice."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app import clock
from app.bootstrap import seed_policy
from app.settings import Settings
from keys import base64url
from registry.canonical import canonical_json, digest
from registry.period import format_instant, parse_instant
from registry.status_list import INVALID, SUSPENDED, VALID, read, read_member
from tests.api.desk import CREDENTIALS, OWN, QUESTION, Desk, callers, taken
from tests.api.service import Service, assert_problem
from tests.api.test_log import BASE, assert_included
from tests.support.issuing import LICENCE, TYPE, Issuing


@pytest.fixture
def desk(with_issuers: Settings, opened: Callable[..., Service]) -> Desk:
    return Desk(with_issuers, opened(with_issuers))


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


WITH_KEY = {
    ("POST", "/v1/credentials"),
    ("POST", "/v1/credentials/{id}/events"),
    ("POST", "/v1/register-reports"),
    ("POST", "/v1/imports"),
    ("GET", "/v1/imports/{id}"),
    ("GET", "/v1/imports/{id}/errors"),
    ("GET", "/v1/objections"),
    ("POST", "/v1/objections/{id}/answer"),
    ("POST", "/oauth/token"),
}
"""The routes that need a key (test_imports, test_objections, test_access_tokens). Every other one is public to all."""


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
