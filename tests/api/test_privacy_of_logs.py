"""What is logged: a line for every request, and nothing of what was asked."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.settings import Settings
from app.usecases.recognize import Recognizer
from tests.api.service import RECOGNIZED, Service, link

SECRETS = ["7E57SECRETNUMBER", "机密公司名称", "91500105TT0000816G", "机密参数", "机密平台", "cred_secret"]
QUESTION: dict[str, Any] = {
    "credential": {"type": "inspection-body-qualification", "number": SECRETS[0]},
    "jurisdiction": "CN-SC",
    "purpose": "report.acceptance",
    "relying_party": SECRETS[4],
    "expected_subject": {"name": SECRETS[1], "uscc": SECRETS[2]},
    "facts": {"parameter": SECRETS[3], "method": SECRETS[3], "site": SECRETS[3]},
}
LINK = link({name: value for name, value in QUESTION.items() if name != "expected_subject"})


@pytest.fixture
def logging(copied: Settings, opened: Callable[..., Service]) -> Service:
    return opened(copied, access_log=True)


@pytest.fixture(scope="module")
def receipt(service: Service) -> str:
    signed: str = service.recognize(QUESTION).json()["receipt"]
    return signed


def ask_everything(service: Service, receipt: str) -> None:
    """Good questions, refused ones and unreadable ones, each with every secret in it."""
    service.recognize(QUESTION)
    service.get("/v1/recognitions", LINK)
    service.recognize(QUESTION | {"purpose": SECRETS[3], "jurisdiction": SECRETS[4]})
    service.recognize(QUESTION | {"facts": {SECRETS[3]: SECRETS[3]}, SECRETS[1]: SECRETS[2]})
    service.post("/v1/recognitions", f'{{"{SECRETS[0]}": "{SECRETS[1]}'.encode())
    service.post("/v1/recognitions", f'{{"{SECRETS[0]}": 1, "{SECRETS[0]}": 1}}'.encode())
    service.get("/v1/recognitions", LINK | {SECRETS[1]: SECRETS[2]})
    service.get("/v1/credentials", {"number": SECRETS[0], "name": SECRETS[1]})
    service.get("/v1/credentials", {"subject": SECRETS[2]})
    service.get("/v1/credentials", {"cursor": SECRETS[0]})
    service.get(f"/v1/credentials/{SECRETS[5]}")
    service.get(f"/{SECRETS[1]}/{SECRETS[5]}")
    service.request("DELETE", f"/v1/credentials/{SECRETS[5]}")
    service.post("/v1/receipts/verifications", {"receipt": receipt})
    service.post("/v1/receipts/verifications", {"receipt": SECRETS[1]})
    service.get("/v1/about", X_Secret=SECRETS[0], Authorization=SECRETS[5])


def assert_silent(logged: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    printed = capsys.readouterr()
    everything = repr(logged) + printed.out + printed.err
    assert [secret for secret in (*SECRETS, "secret") if secret in everything] == []


def test_a_request_is_logged_without_what_was_asked(
    logging: Service, receipt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as logged:
        ask_everything(logging, receipt)
    assert len(logged) == 16
    for entry in logged:
        assert entry["event"] == "request"
        assert set(entry) == {"event", "log_level", "method", "route", "status", "milliseconds", "request_id"}
    assert {entry["route"] for entry in logged} == {
        None,
        "/v1/recognitions",
        "/v1/credentials",
        "/v1/credentials/{id}",
        "/v1/receipts/verifications",
        "/v1/about",
    }
    assert_silent(logged, capsys)


def test_a_failure_is_logged_without_what_was_asked(
    logging: Service, copied: Settings, receipt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(copied.store_path) as connection:
        connection.execute("DROP TABLE credential_version")
    connection.close()
    with capture_logs() as logged:
        assert logging.recognize(QUESTION).status_code == 503
        ask_everything(logging, receipt)
    failures = [entry for entry in logged if entry["event"] == "failure"]
    assert {entry["kind"] for entry in failures} == {"StoreError"}
    assert_silent(logged, capsys)


def test_a_bug_is_logged_without_what_was_asked(
    logging: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever fails: the client gets a problem document, the log the kind of error and the place."""

    async def broken(recognizer: Recognizer, content: Any, now: Any, *, written: bool = False) -> Any:
        raise RuntimeError(f"broken by {content}")

    monkeypatch.setattr(Recognizer, "recognize", broken)
    with capture_logs() as logged:
        response = logging.recognize(QUESTION)
    assert response.status_code == 500
    assert response.json()["code"] == "internal.error"
    assert response.headers["x-request-id"] == response.json()["request_id"]
    failures = [entry for entry in logged if entry["event"] == "failure"]
    assert [entry["kind"] for entry in failures] == ["RuntimeError"]
    assert failures[0]["request_id"] == response.headers["x-request-id"]
    assert "broken by" not in repr(logged)
    assert "RuntimeError" not in response.text
    assert_silent(logged, capsys)


def test_the_log_can_be_switched_off(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied, access_log=False)
    with capture_logs() as logged:
        service.recognize(RECOGNIZED)
    assert logged == []
