"""OCSP answers from the shell: fetched ahead of need from a responder of their own, renewed, and found by a node."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.store.revocations import RevocationShelf
from keys.certificate import parse_certificate
from tests.end_to_end.shell import accord, assert_refused
from tests.support import der_writer as der
from tests.support.der_writer import Extension
from tests.support.lying_server import LyingServer, answering, lying_server
from tests.support.ocsp import Responder, Said
from tests.support.pki import Authority, Issued, unit

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CA = Authority.root("sm2")
PRIVATE = {"ACCORD_FETCH_PRIVATE": "true"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert accord(tmp_path / "home", "migrate", "--mode=live").code == 0
    return tmp_path / "home"


def trusted(home: Path, *hosts: str) -> None:
    (home.parent / "ca").write_bytes(CA.certificate.der)
    names = ("--id=ca", "--name-zh=测试根CA", "--name-en=Test root", "--qualifier=bidding")
    allowed = (f"--revocation-host={host}" for host in hosts)
    assert accord(home, "trust-anchors", "import", str(home.parent / "ca"), *names, *allowed).code == 0


def lock(home: Path, server: LyingServer) -> Issued:
    described = der.sequence(der.sequence(der.oid("1.3.6.1.5.5.7.48.1"), der.uri_name(f"{server.base}/ocsp")))
    issued = CA.issue(unit(not_after=NOW + 99 * DAY, more=(Extension("1.3.6.1.5.5.7.1.1", described),)))
    (home.parent / "lock.pem").write_text(issued.pem)
    return issued


def said(issued: Issued, hours: float, **changes: Any) -> bytes:
    """An answer of so many hours ago, half of whose time is over."""
    at = NOW - timedelta(hours=hours)
    dated = {"this_update": at, "next_update": NOW + timedelta(hours=hours / 2)}
    return Responder.direct(CA).reply(issued, Said(produced_at=at), digest="sm3", **dated | changes)


def asked(home: Path, *arguments: str, **settings: str) -> tuple[int, list[tuple[str, str | None, str | None]]]:
    outcome = accord(home, "jobs", *arguments, "--json", **settings)
    assert outcome.errors == ""
    found = json.loads(outcome.out)["answers"]
    return outcome.code, [(entry["result"], entry["code"], entry["status"]) for entry in found]


def test_an_answer_is_fetched_ahead_and_renewed(home: Path) -> None:
    file = str(home.parent / "lock.pem")
    with lying_server({}) as server:
        issued = lock(home, server)
        first, second = said(issued, 3), said(issued, 1, status="revoked", reason="certificateHold")
        server.behaviours = {"/ocsp": answering(first)}
        trusted(home, server.place)
        assert asked(home, "fetch-ocsp", file, **PRIVATE) == (0, [("stored", None, "good")])
        server.behaviours = {"/ocsp": answering(second)}
        renewed = accord(home, "jobs", "refresh-revocation", "--lang=en", **PRIVATE)
        assert (renewed.code, renewed.errors) == (0, "")
        assert renewed.out.startswith(f"Kept: {server.base}/ocsp (ca, answered ")
        assert renewed.out.endswith(": revoked).\n")
        assert accord(home, "jobs", "fetch-ocsp", file, "--lang=zh", **PRIVATE).out.startswith("已有：")
    shelf = RevocationShelf(home / "accord.db")
    issuer, holder = parse_certificate(CA.certificate.der), parse_certificate(issued.der)
    held = shelf.answers_of(issuer, datetime.now(UTC), holder)
    shelf.close()
    assert [known.answer.status for known in held] == ["good", "revoked"]


def test_mistakes_are_told_in_one_line(home: Path) -> None:
    trusted(home)
    with lying_server({}) as server:
        lock(home, server)
        stranger = Authority.root("sm2", "乙CA").issue(unit())
        (home.parent / "stranger").write_bytes(stranger.der)
        (home.parent / "nothing").write_bytes(b"nothing")
        files = [str(home.parent / name) for name in ("stranger", "lock.pem")]
        assert asked(home, "fetch-ocsp", *files, **PRIVATE) == (
            1,
            [("refused", "ocsp.authority_unknown", None), ("not_fetched", "fetch.host", None)],
        )
        assert_refused(accord(home, "jobs", "fetch-ocsp", str(home.parent / "nothing")), "nothing", code=2)
        assert server.requests == []
