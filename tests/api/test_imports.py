"""Issuers upload files: who may, what comes of each, and that nothing is lost, doubled or left lying about."""

import csv
import io
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import clock
from app.bootstrap import seed_policy
from app.importers import FileFacts, measure, open_rows
from app.loading import load_file
from app.ports import StoreError
from app.settings import Settings
from app.uploads import worker
from app.uploads.worker import work_off
from app.usecases.file_import import KEPT, MOST_TRIES, MOST_UNFINISHED, FileImport
from registry.period import format_instant
from registry.policy import build_policy
from tests.api.desk import OWN, QUESTION, TYPE, Desk, callers
from tests.api.service import Service, assert_problem
from tests.support.issuing import LICENCE
from tests.support.loading import licence, write_lines

IMPORTS = "/v1/imports"
TRIAL = {"dry_run": "true", "type": TYPE}
PROFILE = build_policy(seed_policy()).profiles[TYPE]


class Uploads(Desk):
    """A desk at which files are handed in. Nothing is loaded before `work` is called."""

    def __init__(self, settings: Settings, service: Service) -> None:
        super().__init__(settings, service)
        self.desk, self.woken = service.node.uploads, 0
        self.start = self.desk.wake
        self.desk.wake = self.note  # type: ignore[method-assign]

    def note(self) -> None:
        self.woken += 1

    def work(self) -> list[FileImport]:
        return list(work_off(self.settings.store_path))

    def upload(
        self, content: bytes, token: str | None = None, params: Mapping[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        given = {"Authorization": f"Bearer {self.own}", "Accept-Language": "en"}
        given |= {} if token is None else {"Accord-Statement": token}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value.encode() for name, value in given.items()}
        return self.service.request("POST", IMPORTS, content=content, headers=sent, params=params)

    def ask(self, named: str, more: str = "", key: str | None = None, **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {key or self.own}"} | headers
        return self.service.get(f"{IMPORTS}/{named}{more}", language="en", **given)

    def state(self, named: str) -> dict[str, Any]:
        response = self.ask(named)
        assert response.status_code == 200, response.text
        content: dict[str, Any] = response.json()
        return content

    def shelf(self) -> list[str]:
        """The names that are on the shelf, but for the lock's."""
        folder = self.settings.store_path.with_name("accord.imports")
        return sorted(path.name for path in folder.iterdir() if path.name != "lock") if folder.exists() else []

    def versions(self) -> int:
        with closing(sqlite3.connect(self.settings.store_path)) as connection:
            found: int = connection.execute("SELECT count(*) FROM credential_version").fetchone()[0]
        return found


@pytest.fixture
def uploads(with_issuers: Settings, opened: Callable[..., Service]) -> Uploads:
    return Uploads(with_issuers, opened(with_issuers))


def facts_of(path: Path) -> FileFacts:
    return measure(path, open_rows(path, PROFILE, issuer=OWN.issuer))


def manifest(path: Path, issuing: Any = OWN, made: timedelta = timedelta(0), **stated: Any) -> str:
    """The issuer's statement about a file."""
    facts, now = facts_of(path), clock.now() + made
    about = {"file": facts.digest, "rows": facts.rows, "as_of": format_instant(now)} | stated
    token: str = issuing.sign(issuing.claims(now, bulk=about))
    return token


@pytest.fixture
def register(tmp_path: Path) -> Path:
    """Three licences."""
    return write_lines(tmp_path / "register.jsonl", map(licence, range(3)))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Five rows, of which the first is in order."""
    spoilt = [licence(place, issued_at=f"=1+{place}") for place in range(1, 5)]
    return write_lines(tmp_path / "broken.jsonl", [licence(0), *spoilt])


def test_a_file_is_loaded_beside_the_service(uploads: Uploads, register: Path) -> None:
    # A process of its own, as in operation.
    uploads.desk.wake = uploads.start  # type: ignore[method-assign]
    before, token = uploads.versions(), manifest(register)
    made = uploads.upload(register.read_bytes(), token)
    assert made.status_code == 202, made.text
    entry = made.json()
    assert made.headers["Location"] == f"{IMPORTS}/{entry['id']}"
    assert (entry["state"], entry["issuer"], entry["dry_run"]) == ("waiting", OWN.issuer, False)
    deadline = time.monotonic() + 60
    while (shown := uploads.state(entry["id"]))["state"] in ("waiting", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (shown["state"], shown["problem"]) == ("done", None)
    assert shown["result"] == {"rows": 3, "new": 3, "changed": 0, "unchanged": 0, "refused": 0, "missing": 0} | {
        "missing": shown["result"]["missing"]
    }
    assert shown["progress"] == {"rows": 3, "done": 3, "tries": 1}
    assert uploads.versions() == before + 3
    question = QUESTION | {"credential": QUESTION["credential"] | {"number": licence(1)["number"]}}
    assert uploads.service.recognize(question).json()["decision"] == "recognized"
    assert uploads.difference() is None
    # Its own file is gone; what is missing stays to be read.
    assert [name.partition(".")[2] for name in uploads.shelf()] == ["faults"]
    again = uploads.upload(register.read_bytes(), token)
    assert again.status_code == 202
    uploads.work()
    assert uploads.state(again.json()["id"])["result"]["unchanged"] == 3
    assert uploads.versions() == before + 3


def test_a_trial_writes_nothing_and_tells_of_every_row(uploads: Uploads, broken: Path) -> None:
    before = uploads.versions()
    entry = uploads.upload(broken.read_bytes(), params=TRIAL).json()
    (done,) = uploads.work()
    assert (done.id, done.state, uploads.versions()) == (entry["id"], "done", before)
    shown = uploads.state(entry["id"])
    assert {name: shown["result"][name] for name in ("rows", "new", "refused")} == {"rows": 5, "new": 1, "refused": 4}
    pages, cursor = [], ""
    while True:
        page = uploads.ask(entry["id"], f"/errors?limit=2&cursor={cursor}").json()
        pages.append([(row["row"], row["column"], row["code"], row["value"]) for row in page["data"]])
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        cursor = page["next_cursor"]
    rows = [row for page in pages for row in page]
    assert [row[0] for row in rows[:4]] == [2, 3, 4, 5]
    assert rows[0][1:] == ("issued_at", "statement.credential_malformed", "=1+1")
    assert max(map(len, pages)) == 2
    told = uploads.ask(entry["id"], "/errors?limit=1").json()["data"][0]
    assert "issued_at" in told["message"]
    listed = uploads.ask(entry["id"], "/errors", Accept="text/csv")
    assert listed.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert listed.text.startswith("\ufeff")
    lines = list(csv.reader(io.StringIO(listed.text[1:])))
    assert lines[0] == ["row", "column", "code", "problem", "value"]
    assert lines[1][0] == "2"
    # Nothing that a spreadsheet would compute.
    assert lines[1][-1] == "'=1+1"
    assert len(lines) == len(rows) + 1
    with closing(sqlite3.connect(uploads.settings.store_path)) as connection:
        reads = connection.execute("SELECT what, purpose FROM read_audit").fetchall()
    assert set(reads) == {(f"import {entry['id']} errors", "import")}
    assert len(reads) == len(pages) + 2


def test_errors_are_told_in_the_language_that_is_asked_for(uploads: Uploads, broken: Path) -> None:
    entry = uploads.upload(broken.read_bytes(), params=TRIAL).json()
    uploads.work()
    headers = {"Authorization": f"Bearer {uploads.own}", "Accept-Language": "zh-CN"}
    page = uploads.service.get(f"{IMPORTS}/{entry['id']}/errors", **headers).json()
    assert "不正确" in page["data"][0]["message"]
    assert uploads.ask(entry["id"], "/errors?cursor=7").json()["code"] == "query.cursor_invalid"
    assert uploads.ask(entry["id"], "/errors?cursor=x").json()["code"] == "query.out_of_range"
    assert uploads.ask(entry["id"], "/errors?cursor=999999").json()["code"] == "query.cursor_invalid"


def test_who_may_upload_and_see(uploads: Uploads, register: Path) -> None:
    content, token = register.read_bytes(), manifest(register)
    mine = uploads.upload(content, token).json()["id"]
    watching = {"operator", "auditor"}
    for name, (headers, status, code) in callers(uploads).items():
        sent = uploads.upload(content, token, **{"Authorization": "", **headers})
        seen = uploads.service.get(f"{IMPORTS}/{mine}", **headers)
        errors = uploads.service.get(f"{IMPORTS}/{mine}/errors", **headers)
        if name == "own issuer":
            assert [sent.status_code, seen.status_code, errors.status_code] == [200, 200, 200]
            continue
        if headers:
            assert_problem(sent, status, code, "")
        if status == 401:
            assert [seen.status_code, errors.status_code] == [401, 401], name
        elif name in watching:
            assert seen.status_code == 200, name
            assert_problem(errors, 403, "auth.forbidden", "")
        else:
            assert seen.status_code == 404, name
            assert errors.status_code == (404 if name == "foreign issuer" else 403), name
    assert_problem(uploads.ask("imp_none"), 404, "import.not_found", "")
    assert_problem(uploads.ask("x" * 65), 404, "import.not_found", "")


def test_what_is_refused_before_anything_is_kept(uploads: Uploads, register: Path) -> None:
    content, token = register.read_bytes(), manifest(register)
    head, body, _ = token.split(".")
    foreign = OWN.claims(clock.now(), bulk={"file": "sha256:" + "0" * 64, "rows": 3, "as_of": "2026-01-01T00:00:00Z"})
    cases: list[tuple[int, str, dict[str, Any]]] = [
        (422, "import.statement_missing", {}),
        (422, "query.member_missing", {"params": {"dry_run": "true"}}),
        (422, "query.unknown_type", {"params": TRIAL | {"type": "ca-certificate"}}),
        (422, "query.unknown_type", {"params": TRIAL | {"type": "x" * 99}}),
        (403, "statement.not_competent", {"params": TRIAL | {"type": "metrology-type-approval"}}),
        (422, "query.not_allowed", {"token": token, "params": {"dry_run": "1"}}),
        (422, "query.unknown_parameter", {"token": token, "params": {"issuer": "x"}}),
        (422, "statement.bulk_other", {"token": token, "params": {"type": "other"}}),
        (422, "statement.signature_wrong", {"token": f"{head}.{body}.{'A' * 86}"}),
        (422, "statement.malformed", {"token": "x"}),
        (422, "query.wrong_kind", {"token": "é"}),
        (422, "statement.kind_wrong", {"token": OWN.sign(OWN.claims(clock.now(), credential=LICENCE))}),
        (422, "statement.clock_off", {"token": manifest(register, made=timedelta(days=-8))}),
        (422, "statement.file_other", {"token": OWN.sign(foreign)}),
        (422, "statement.claim_wrong", {"token": manifest(register, rows=1_000_001)}),
        (415, "import.media_type", {"token": token, "Content_Type": "multipart/form-data; boundary=x"}),
        (415, "import.media_type", {"token": token, "Content_Type": "application/json"}),
        (415, "import.media_type", {"token": token, "Content_Encoding": "gzip"}),
        (422, "idempotency.key_malformed", {"token": token, "Idempotency_Key": "short"}),
    ]
    for status, code, given in cases:
        response = uploads.upload(content, **given)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert "{" not in response.json()["detail"].replace('{"', "")
    assert_problem(uploads.upload(b"", token), 422, "file.empty", "")
    assert (uploads.shelf(), uploads.woken, uploads.work()) == ([], 0, [])


def test_a_file_that_is_too_long_is_refused(uploads: Uploads, register: Path) -> None:
    content, token = register.read_bytes(), manifest(register)
    uploads.desk.limit = len(content) - 1
    assert_problem(uploads.upload(content, token), 413, "request.too_large", "")

    # One that does not say how long it is.
    async def pieces() -> Any:
        for place in range(0, len(content), 100):
            yield content[place : place + 100]

    headers = {"Authorization": f"Bearer {uploads.own}", "Accord-Statement": token}
    told = uploads.service.request("POST", IMPORTS, content=pieces(), headers=headers)
    assert_problem(told, 413, "request.too_large", "")
    assert uploads.shelf() == []
    uploads.desk.limit = len(content)
    assert uploads.upload(content, token).status_code == 202


def test_a_retry_gets_the_same_import(uploads: Uploads, register: Path, broken: Path) -> None:
    content, token = register.read_bytes(), manifest(register)
    first = uploads.upload(content, token)
    # The answer was lost: the same statement, while its import is under way.
    again = uploads.upload(content, token)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json()["id"] == again.json()["id"]
    assert len(uploads.shelf()) == 1
    # A trial of it is something else.
    assert uploads.upload(content, token, {"dry_run": "true"}).json()["id"] != first.json()["id"]
    named = {"Idempotency_Key": "load-2026-11"}
    trial = uploads.upload(content, None, TRIAL, **named).json()["id"]
    uploads.work()
    repeated = uploads.upload(content, None, TRIAL, **named)
    assert (repeated.status_code, repeated.json()["id"], repeated.json()["state"]) == (200, trial, "done")
    other = uploads.upload(broken.read_bytes(), None, TRIAL, **named)
    assert_problem(other, 422, "idempotency.other_request", "")
    # Of what was refused or there before nothing is kept.
    assert [name for name in uploads.shelf() if not name.endswith(".faults")] == []


def test_an_issuer_has_few_imports_at_a_time(uploads: Uploads, register: Path) -> None:
    content = register.read_bytes()
    for _ in range(MOST_UNFINISHED):
        assert uploads.upload(content, params=TRIAL).status_code == 202
    assert_problem(uploads.upload(content, params=TRIAL), 429, "import.too_many", "")
    assert len(uploads.shelf()) == MOST_UNFINISHED
    # Another's are another's.
    foreign = uploads.upload(content, params=TRIAL, Authorization=f"Bearer {uploads.foreign}")
    assert foreign.status_code == 202
    assert [entry.state for entry in uploads.work()] == ["done"] * (MOST_UNFINISHED + 1)
    assert uploads.upload(content, params=TRIAL).status_code == 202


def test_a_file_that_cannot_be_loaded_says_why(uploads: Uploads, register: Path) -> None:
    spoilt = b"\xff\xfe" + register.read_bytes()
    named = uploads.upload(spoilt, params=TRIAL).json()["id"]
    counted = uploads.upload(register.read_bytes(), manifest(register, rows=4)).json()["id"]
    uploads.work()
    shown = uploads.state(named)
    assert (shown["state"], shown["result"]) == ("refused", None)
    assert shown["problem"]["code"].startswith("file.")
    assert uploads.state(counted)["problem"]["code"] == "statement.rows_other"
    assert [name for name in uploads.shelf() if not name.endswith(".faults")] == []


def test_a_load_that_was_killed_goes_on(uploads: Uploads, register: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = uploads.upload(register.read_bytes(), manifest(register)).json()["id"]
    monkeypatch.setattr(worker, "BATCH", 1)

    def killed(*given: Any, **more: Any) -> Any:
        told = given[4]

        def progress(done: int) -> None:
            told.progress(done)
            raise KeyboardInterrupt

        return load_file(*given[:4], worker.Told(refuse=told.refuse, progress=progress), **more)

    with monkeypatch.context() as patched:
        patched.setattr(worker, "load_file", killed)
        with pytest.raises(KeyboardInterrupt):
            uploads.work()
    shown = uploads.state(named)
    assert (shown["state"], shown["progress"]) == ("running", {"rows": 3, "done": 1, "tries": 1})
    # Whoever asks brings it going again, as nobody is at it.
    assert uploads.woken == 2
    (done,) = uploads.work()
    assert (done.state, done.tries) == ("done", 2)
    assert uploads.state(named)["result"] | {"missing": 0} == {
        "rows": 3,
        "new": 2,
        "changed": 0,
        "unchanged": 1,
        "refused": 0,
        "missing": 0,
    }
    assert uploads.difference() is None


def test_a_load_that_never_ends_is_not_begun_for_ever(
    uploads: Uploads, register: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = uploads.upload(register.read_bytes(), manifest(register)).json()["id"]

    def fails(*given: Any, **more: Any) -> Any:
        raise StoreError("disk full")

    monkeypatch.setattr(worker, "load_file", fails)
    for _ in range(MOST_TRIES):
        with pytest.raises(StoreError):
            uploads.work()
    (ended,) = uploads.work()
    assert ended.state == "failed"
    problem = uploads.state(named)["problem"]
    assert problem["code"] == "import.interrupted"
    assert "3 times" in problem["detail"]
    assert [name for name in uploads.shelf() if not name.endswith(".faults")] == []


def test_a_bug_is_told_and_the_next_file_is_loaded(
    uploads: Uploads, register: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = uploads.upload(register.read_bytes(), manifest(register)).json()["id"]
    second = uploads.upload(register.read_bytes(), params=TRIAL).json()["id"]
    turns = iter([True])

    def fails(*given: Any, **more: Any) -> Any:
        if next(turns, False):
            raise AssertionError("a bug")
        return load_file(*given, **more)

    monkeypatch.setattr(worker, "load_file", fails)
    assert [entry.state for entry in uploads.work()] == ["failed", "done"]
    assert uploads.state(first)["problem"]["code"] == "internal.error"
    assert uploads.state(second)["state"] == "done"


def test_one_process_loads_at_a_time(uploads: Uploads, register: Path) -> None:
    uploads.upload(register.read_bytes(), params=TRIAL)
    with uploads.desk.shelf.alone() as alone:
        assert alone
        assert uploads.work() == []
    assert [entry.state for entry in uploads.work()] == ["done"]


def test_an_upload_that_breaks_off_leaves_nothing(uploads: Uploads, register: Path) -> None:
    import asyncio

    sent: list[dict[str, Any]] = []
    coming: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, Any]:
        return next(coming)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": IMPORTS,
        "raw_path": IMPORTS.encode(),
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {uploads.own}".encode()),
            (b"accord-statement", manifest(register).encode()),
        ],
    }
    asyncio.run(uploads.service.application(scope, receive, send))
    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["code"] == "import.broken_off"
    assert uploads.shelf() == []


def test_a_shelf_that_cannot_be_written_is_the_stores_fault(uploads: Uploads, register: Path) -> None:
    uploads.settings.store_path.with_name("accord.imports").write_text("in the way")
    response = uploads.upload(register.read_bytes(), manifest(register))
    assert_problem(response, 503, "store.unavailable", "")


def test_what_was_wrong_is_forgotten_in_time(uploads: Uploads, broken: Path) -> None:
    named = uploads.upload(broken.read_bytes(), params=TRIAL).json()["id"]
    uploads.work()
    (faults,) = uploads.shelf()
    path = uploads.settings.store_path.with_name("accord.imports") / faults
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    old = (clock.now() - KEPT).timestamp() - 1
    os.utime(path, (old, old))
    uploads.upload(broken.read_bytes(), params=TRIAL)
    uploads.work()
    assert faults not in uploads.shelf()
    assert uploads.ask(named, "/errors").json() == {"data": [], "next_cursor": None, "has_more": False}


def test_a_node_goes_on_where_it_was_stopped(uploads: Uploads, register: Path) -> None:
    uploads.desk.resume()
    assert uploads.woken == 0
    uploads.upload(register.read_bytes(), params=TRIAL)
    uploads.desk.resume()
    assert uploads.woken == 2
