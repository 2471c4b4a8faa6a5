"""/docs in a real browser: every operation and the six examples are there, and nothing comes from another host."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect, sync_playwright

from app.demonstration.commands import examples
from tests.end_to_end.shell import Server
from tests.support.requirements import require

pytestmark = pytest.mark.needs_chromium

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
]
OPERATIONS = [
    ("POST", "/v1/recognitions"),
    ("GET", "/v1/recognitions"),
    ("GET", "/v1/credentials"),
    ("POST", "/v1/credentials"),
    ("GET", "/v1/credentials/{id}"),
    ("POST", "/v1/credentials/{id}/events"),
    ("GET", "/v1/statements/{digest}"),
    ("POST", "/v1/register-reports"),
    ("POST", "/v1/imports"),
    ("GET", "/v1/imports/{id}"),
    ("GET", "/v1/imports/{id}/errors"),
    ("GET", "/v1/objections"),
    ("POST", "/v1/objections"),
    ("GET", "/v1/objections/{id}"),
    ("POST", "/v1/objections/{id}/answer"),
    ("GET", "/v1/credentials/{id}/history"),
    ("GET", "/v1/jurisdictions"),
    ("GET", "/v1/authorities"),
    ("GET", "/v1/credential-types"),
    ("GET", "/v1/agreements"),
    ("GET", "/v1/trust-anchors"),
    ("GET", "/v1/accepted-cas"),
    ("GET", "/v1/issuer-keys"),
    ("POST", "/v1/ca/challenges"),
    ("POST", "/v1/ca/verifications"),
    ("POST", "/v1/ca/signatures"),
    ("GET", "/.well-known/jwks.json"),
    ("POST", "/v1/receipts/verifications"),
    ("GET", "/v1/log/checkpoint"),
    ("GET", "/v1/log/tile/{level}/{name}"),
    ("GET", "/v1/log/proofs/inclusion"),
    ("GET", "/v1/log/proofs/consistency"),
    ("GET", "/v1/status-lists/{id}"),
    ("POST", "/oauth/token"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/about"),
]


@pytest.fixture(scope="module")
def browsed() -> Iterator[Page]:
    """An empty page of the Chromium of the system."""
    chromium = shutil.which("chromium")
    require(chromium, "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser.new_context(locale="zh-CN").new_page()
        browser.close()


@pytest.fixture
def visit(browsed: Page, server: Server) -> Iterator[tuple[Page, list[str], list[str]]]:
    """The page of the documentation, the addresses it asked for, and what went wrong."""
    asked: list[str] = []
    wrong: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    browsed.on("request", note)
    browsed.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    browsed.on("pageerror", lambda error: wrong.append(str(error)))
    browsed.on("requestfailed", lambda request: wrong.append(request.url))
    browsed.goto(f"{server.base}/docs")
    expect(browsed.locator(".opblock").first).to_be_visible()
    yield browsed, asked, wrong
    browsed.remove_listener("request", note)
    browsed.goto("about:blank")


def test_every_operation_is_listed(visit: tuple[Page, list[str], list[str]]) -> None:
    page = visit[0]
    expect(page.locator(".opblock")).to_have_count(len(OPERATIONS))
    shown = {
        (block.locator(".opblock-summary-method").inner_text(), block.locator(".opblock-summary-path").inner_text())
        for block in page.locator(".opblock").all()
    }
    assert {(method, path.replace("\u200b", "")) for method, path in shown} == set(OPERATIONS)


def test_the_six_examples_are_shown(visit: tuple[Page, list[str], list[str]]) -> None:
    page = visit[0]
    page.locator("#operations-recognition-recognize .opblock-summary").click()
    operation = page.locator("#operations-recognition-recognize")
    asked = operation.locator(".opblock-section-request-body select.examples-select-element, select").first
    expect(asked).to_be_visible()
    decisions = {entry["decision"] for entry in examples()}
    values = {
        option.get_attribute("value")
        for select in operation.locator("select").all()
        for option in select.locator("option").all()
    }
    assert decisions <= values
    expect(operation.locator(".opblock-section-request-body")).to_contain_text("222220349001")
    expect(operation.locator(".responses-inner")).to_contain_text("statute.nationwide")


def test_it_asks_no_other_host_and_nothing_goes_wrong(visit: tuple[Page, list[str], list[str]]) -> None:
    page, asked, wrong = visit
    page.wait_for_load_state("networkidle")
    assert {urlsplit(address).hostname for address in asked if not address.startswith("data:")} == {"127.0.0.1"}
    assert any(address.endswith("/openapi.json") for address in asked)
    assert wrong == []


def test_a_question_can_be_tried_from_the_page(visit: tuple[Page, list[str], list[str]]) -> None:
    page, asked, wrong = visit
    page.locator("#operations-recognition-recognize .opblock-summary").click()
    operation = page.locator("#operations-recognition-recognize")
    operation.locator(".try-out__btn").click()
    operation.locator("button.execute").click()
    answer = operation.locator(".live-responses-table .response .highlight-code").first
    expect(answer).to_contain_text('"decision": "recognized"')
    assert {urlsplit(address).hostname for address in asked if not address.startswith("data:")} == {"127.0.0.1"}
    assert wrong == []
