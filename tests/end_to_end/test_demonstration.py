"""`accord demo` from nothing: what it prints works as printed, and a second start loads nothing twice."""

import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.cli.outcome import EXIT
from app.demonstration.commands import examples, link_parameters, shell_arguments
from tests.end_to_end.shell import ACCORD, PATIENCE, READY, ROOT, Server, accord, assert_refused, environment, serving
from tests.support.requirements import require

DECISIONS = [entry["decision"] for entry in examples()]
PRINTED = ".venv/bin/accord"


def runnable(line: str) -> str:
    """A printed command, with the interpreter in place of an environment that this checkout does not have."""
    installed = ROOT / PRINTED
    name = str(installed) if installed.exists() else " ".join(f"'{part}'" for part in ACCORD)
    return line.replace(PRINTED, name)


def run_printed(server: Server, line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Pastes a line into a shell."""
    if line.startswith("curl"):
        require(shutil.which("curl"), "curl")
    return subprocess.run(
        ["sh", "-c", runnable(line)],
        cwd=folder,
        env=environment(server.home),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def commands(server: Server) -> dict[str, list[str]]:
    """The printed commands by the decision, or the sentence, that they stand under."""
    found: dict[str, list[str]] = {}
    under = ""
    for line in server.lines:
        if line.startswith("# "):
            under = line.removeprefix("# ").partition(":")[0]
            found[under] = []
        elif line and found:
            found[under].append(line)
    return found


def counts(store: Path) -> dict[str, Any]:
    """What must be the same after a second start."""
    with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return {
            table: connection.execute(f"SELECT count(*), max(rowid) FROM {table}").fetchone()
            for table in ("credential", "credential_version", "policy_document", "issuer", "credential_type")
        }


def test_it_says_where_it_is_and_that_it_is_a_test(server: Server) -> None:
    text = "\n".join(server.lines)
    assert f"{server.base}/docs" in text
    assert str(server.home / "accord.db") in text
    assert "无任何效力" in text
    assert "without any force" in text
    assert "\x1b" not in text


def test_it_prints_a_command_of_both_kinds_for_every_decision(server: Server) -> None:
    printed = commands(server)
    assert set(DECISIONS) < set(printed)
    assert len(DECISIONS) == 6
    for decision in DECISIONS:
        assert [line.split()[0] for line in printed[decision]] == ["curl", PRINTED]


@pytest.mark.parametrize("decision", DECISIONS)
def test_the_printed_curl_command(server: Server, tmp_path: Path, decision: str) -> None:
    done = run_printed(server, commands(server)[decision][0], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["decision"] == decision


@pytest.mark.parametrize("decision", DECISIONS)
def test_the_printed_shell_command(server: Server, tmp_path: Path, decision: str) -> None:
    done = run_printed(server, commands(server)[decision][1], tmp_path)
    assert (done.returncode, done.stderr) == (EXIT[decision], "")
    assert f"（{decision}）" in done.stdout.splitlines()[0]
    in_english = run_printed(server, f"ACCORD_LANG=en {commands(server)[decision][1]} --json", tmp_path)
    assert in_english.returncode == EXIT[decision]
    assert json.loads(in_english.stdout)["decision"] == decision


def test_every_other_printed_command(server: Server, tmp_path: Path) -> None:
    """Receipt and status list saved and checked offline, and the credentials page by page."""
    others = [lines for name, lines in commands(server).items() if name not in DECISIONS]
    assert sum(len(lines) for lines in others) == 6
    outputs = []
    for lines in others:
        for line in lines:
            done = run_printed(server, line, tmp_path)
            assert (done.returncode, done.stderr) == (0, ""), line
            outputs.append(done.stdout)
    assert (tmp_path / "r.jws").read_text().count(".") == 2
    assert "keys" in json.loads((tmp_path / "k.json").read_text())
    assert "真" in outputs[2]
    assert outputs[4].startswith("有效\n")
    assert len(json.loads(outputs[5])["data"]) == 50


def test_a_second_start_loads_nothing_twice(tmp_path: Path) -> None:
    home = tmp_path / "home"
    seen = []
    for start in ("first", "second"):
        with serving(home, tmp_path / start) as running:
            keys = httpx.get(f"{running.base}/.well-known/jwks.json").json()
            total = 0
            cursor = ""
            while cursor is not None:
                page = httpx.get(f"{running.base}/v1/credentials", params={"limit": 100, "cursor": cursor}).json()
                total += len(page["data"])
                cursor = page["next_cursor"]
            about = httpx.get(f"{running.base}/v1/about").json()
        seen.append((counts(home / "accord.db"), keys, total, about["policy_generation"], about["policy"]))
    assert seen[0] == seen[1]
    assert len(seen[0][1]["keys"]) == 1
    assert seen[0][2] >= 120


def test_a_first_start_that_was_cut_short_is_mended_by_the_next(tmp_path: Path) -> None:
    """The store is there but empty, and no key: the next start sets up the rest."""
    home = tmp_path / "home"
    assert accord(home, "migrate", "--mode", "test").code == 0
    first = accord(home, "demo", "--no-serve")
    assert (first.code, first.errors) == (0, "")
    assert READY in first.out
    answer = accord(home, *shell_words(0))
    assert answer.code == 0


def shell_words(place: int) -> list[str]:
    return ["recognize", *shell_arguments(examples()[place]["query"])]


def test_a_live_store_gets_no_demonstration(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert accord(home, "migrate", "--mode", "live").code == 0
    before = (home / "accord.db").read_bytes()
    for arguments in (["demo"], ["demo", "--no-serve"]):
        assert_refused(accord(home, *arguments), str(home / "accord.db"), "live")
        assert (home / "accord.db").read_bytes() == before
        assert not (home / "keys").exists()


def test_an_address_that_is_taken(server: Server, home: Path) -> None:
    refused = accord(home, "serve", "--port", str(server.port))
    assert_refused(refused, str(server.port))
    assert httpx.get(f"{server.base}/healthz").json() == {"status": "ok"}


def test_what_is_served_says_nothing_of_the_server_and_logs_nothing_of_the_question(server: Server) -> None:
    secret = "7E57FEDCBA987654"
    query = {"type": "ca-certificate", "number": secret, "jurisdiction": "CN-SC", "purpose": "bidding.sign"}
    response = httpx.get(f"{server.base}/v1/recognitions", params=query)
    assert response.status_code == 200
    assert "server" not in response.headers
    httpx.get(f"{server.base}/v1/recognitions", params=query | {"fact.colour": secret})
    httpx.get(f"{server.base}/v1/credentials", params={"number": secret})
    httpx.get(f"{server.base}/{secret}")
    httpx.post(f"{server.base}/v1/recognitions", json={secret: secret})
    log = server.log.read_text(encoding="utf-8")
    assert response.headers["x-request-id"] in log
    assert secret not in log
    for line in log.splitlines():
        assert set(json.loads(line)) >= {"event", "level", "timestamp"}


def test_bytes_that_are_no_http_are_survived(server: Server) -> None:
    import socket

    for sent in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"/" * 200_000, b"POST / HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as calling:
            calling.sendall(sent)
    for address in (b"/v1/credentials/\xff\xfe", b"/v1/recognitions?number=\xff", b"/%"):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as calling:
            calling.sendall(b"GET " + address + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            status = re.match(rb"HTTP/1.1 (\d+)", calling.recv(4096))
            assert status is not None
            assert 400 <= int(status[1]) < 500
    assert httpx.get(f"{server.base}/readyz").status_code == 200


def test_head_and_not_modified_over_a_real_connection(server: Server) -> None:
    """One connection, so that a body where none may be would spoil the next answer."""
    query = dict(text.split("=", 1) for text in link_parameters(examples()[0]["query"]))
    with httpx.Client(base_url=server.base) as client:
        got = client.get("/v1/recognitions", params=query)
        head = client.head("/v1/recognitions", params=query)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == got.headers["etag"]
        saved = client.get("/v1/recognitions", params=query, headers={"If-None-Match": got.headers["etag"]})
        assert (saved.status_code, saved.content) == (304, b"")
        assert client.get("/healthz").json() == {"status": "ok"}
