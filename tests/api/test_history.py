"""A credential's history: every event that was known, with what proves that it is in the log."""

from collections.abc import Callable
from typing import Any

import pytest

from app.settings import Settings
from tests.api.registrations import append_document, revocation_of
from tests.api.service import RECOGNIZED, Service, assert_problem, is_instant
from tests.api.test_log import BASE, assert_included

NUMBER = RECOGNIZED["credential"]["number"]


def history(service: Service, named: str, **parameters: str) -> list[dict[str, Any]]:
    response = service.get(f"/v1/credentials/{named}/history", parameters)
    assert response.status_code == 200, response.text
    content = response.json()
    assert content.keys() == {"id", "known_at", "data", "livemode"}
    assert (content["id"], content["livemode"], is_instant(content["known_at"])) == (named, False, True)
    steps: list[dict[str, Any]] = content["data"]
    return steps


def test_every_step_is_told_and_is_in_the_log(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    answer = service.recognize(RECOGNIZED).json()
    named = answer["credential"]["id"]
    before = history(service, named)
    assert before[0]["event"] == "registered"
    assert append_document(copied, revocation_of(NUMBER)) == 1
    after = history(service, named)
    assert after[: len(before)] == before
    (revoked,) = after[len(before) :]
    assert (revoked["event"], revoked["log_index"]) == ("revoked", service.node.log.head().size - 1)
    for step in after:
        proof = service.get(f"{BASE}/proofs/inclusion", {"index": str(step["log_index"])}).json()
        entry = assert_included(proof)
        assert (entry["credential"], entry["digest"]) == (named, step["digest"])
        assert entry["known_from"] == step["known_from"]
    assert history(service, named, known_at=answer["known_at"]) == before


def test_the_events_are_those_that_the_credential_shows(service: Service) -> None:
    seen = set()
    page = service.get("/v1/credentials", {"limit": "100"}).json()["data"]
    for view in page:
        record = service.get(f"/v1/credentials/{view['id']}").json()
        steps = history(service, view["id"])
        seen |= {step["event"] for step in steps}
        added = ("known_from", "digest", "statement", "log_index")
        told = [{k: v for k, v in step.items() if k not in added} for step in steps if step["effective_at"]]
        assert told[0]["event"] == "registered"
        assert sorted(told[1:], key=str) == sorted(record["events"], key=str)
        assert steps[-1]["digest"] == record["digest"]
        known = [step["known_from"] for step in steps]
        assert known == sorted(known)
    assert {"registered", "suspended", "revoked"} <= seen


def test_what_was_corrected_without_an_event_is_told_too(copied: Settings, opened: Callable[..., Service]) -> None:
    document = revocation_of(NUMBER)
    document["events"] = document["events"][:-1]
    document["subject"] = document["subject"] | {"name": "重庆测试更正名称有限公司"}
    service = opened(copied)
    named = service.recognize(RECOGNIZED).json()["credential"]["id"]
    before = history(service, named)
    assert append_document(copied, document) == 1
    step = history(service, named)[-1]
    assert (step["event"], step["effective_at"]) == ("amended", None)
    assert step["recorded_at"] == step["known_from"] > before[-1]["known_from"]


@pytest.mark.parametrize("named", ["cred_nobody", "x" * 65, "%00", "%ED%A0%80"])
def test_nobody_has_no_history(service: Service, named: str) -> None:
    assert_problem(service.get(f"/v1/credentials/{named}/history"), 404, "credential.not_found")


def test_before_it_was_known_there_is_none(service: Service) -> None:
    named = service.recognize(RECOGNIZED).json()["credential"]["id"]
    early = {"known_at": "2001-01-01T00:00:00Z"}
    assert_problem(service.get(f"/v1/credentials/{named}/history", early), 404, "credential.not_found")
    later = {"known_at": "2999-01-01T00:00:00Z"}
    assert_problem(service.get(f"/v1/credentials/{named}/history", later), 422, "query.known_at_in_future")
    other = {"valid_at": "2026-01-01T00:00:00Z"}
    assert_problem(service.get(f"/v1/credentials/{named}/history", other), 422, "query.unknown_parameter")
