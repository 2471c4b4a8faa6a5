"""Trust anchors, accepted lists and revocation lists from the shell, on a store and from a server of their own."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.store.reader import SqliteReader
from app.store.revocations import RevocationShelf
from keys.certificate import parse_certificate
from tests.end_to_end.shell import Outcome, accord, assert_refused
from tests.support.lying_server import answering, lying_server, redirecting
from tests.support.pki import Authority, unit

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
ROOT = Authority.root()
CA = ROOT.subordinate()


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """The home of a store that holds no policy yet."""
    assert accord(tmp_path / "home", "migrate", "--mode=live").code == 0
    return tmp_path / "home"


def anchored(home: Path, authority: Authority = ROOT, *more: str, id: str = "root") -> Outcome:
    file = home.parent / "certificate"
    file.write_bytes(authority.certificate.der)
    names = ("--name-zh=测试根CA", "--name-en=Test root", "--lang=en")
    return accord(home, "trust-anchors", "import", str(file), f"--id={id}", *names, *more)


def listed(home: Path, command: str) -> Any:
    outcome = accord(home, command, "list", "--json")
    assert outcome.code == 0, outcome.errors
    return json.loads(outcome.out)


def refreshed(home: Path, *arguments: str, **settings: str) -> tuple[int, list[tuple[str, str, str | None]]]:
    outcome = accord(home, "jobs", "refresh-revocation", "--json", *arguments, **settings)
    assert outcome.errors == ""
    found = json.loads(outcome.out)
    assert found["failed"] == sum(entry["result"] in {"refused", "not_fetched"} for entry in found["lists"])
    return outcome.code, [(Path(entry["source"]).name, entry["result"], entry["code"]) for entry in found["lists"]]


def test_an_anchor_is_imported_listed_and_retired(empty: Path) -> None:
    outcome = anchored(empty, ROOT, "--qualifier=bidding", "--jurisdiction=CN-CQ", "--source=published")
    assert (outcome.code, outcome.errors) == (0, "")
    assert parse_certificate(ROOT.certificate.der).fingerprint in outcome.out
    again = anchored(empty, ROOT, "--qualifier=bidding", "--jurisdiction=CN-CQ", "--source=published")
    assert (again.code, again.out) == (0, f"Unchanged: {outcome.out}")
    before = datetime.now(UTC)
    retired = accord(empty, "trust-anchors", "retire", "root", "--at=2026-06-01T00:00:00+08:00", "--json")
    assert json.loads(retired.out)["changed"] is True
    (shown,) = listed(empty, "trust-anchors")
    assert (shown["id"], shown["version"], shown["until"]) == ("root", 2, "2026-05-31T16:00:00Z")
    assert shown["qualifiers"] == ["bidding"]
    lines = accord(empty, "trust-anchors", "list").out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("root v2 anchor bidding CN-CQ […, 2026-05-31T16:00:00Z) 测试根CA")
    reader = SqliteReader(empty / "accord.db")
    policy = reader.load_policies().at(before)
    reader.close()
    assert policy is not None
    assert policy.trust.anchors["root"].effective.end is None


def test_an_authority_is_accepted_and_leaves(empty: Path) -> None:
    assert anchored(empty, ROOT, "--qualifier=bidding").code == 0
    new = ("--jurisdiction=CN-SC", "--purpose=bidding.login", "--purpose=bidding.sign", "--relying-party=sc-ggzy")
    names = ("--name-zh=四川名单", "--name-en=Sichuan list", "--basis-instrument=办法", "--basis-number=1号")
    entry = ("--list=sc", "--ca=root", "--from=2024-01-01T00:00:00+08:00")
    added = accord(empty, "accepted-cas", "add", *entry, *new, *names, "--lang=en")
    assert (added.code, added.errors) == (0, "")
    assert added.out == "Accepted list sc, version 1: root is on it [2023-12-31T16:00:00Z, …).\n"
    assert json.loads(accord(empty, "accepted-cas", "add", *entry, "--json").out)["changed"] is False
    removed = accord(empty, "accepted-cas", "remove", "--list=sc", "--ca=root", "--at=2026-01-01T00:00:00Z")
    assert removed.code == 0
    (shown,) = listed(empty, "accepted-cas")
    assert shown["version"] == 2
    assert shown["entries"] == [{"ca": "root", "from": "2023-12-31T16:00:00Z", "until": "2026-01-01T00:00:00Z"}]
    assert (shown["relying_party"], shown["purposes"]) == ("sc-ggzy", ["bidding.login", "bidding.sign"])
    lines = accord(empty, "accepted-cas", "list").out.splitlines()
    assert lines == [
        "sc v2 CN-SC sc-ggzy bidding.login,bidding.sign 四川名单",
        "  - root [2023-12-31T16:00:00Z, 2026-01-01T00:00:00Z)",
    ]


def test_mistakes_are_told_in_one_line_and_change_nothing(empty: Path) -> None:
    (empty.parent / "leaf").write_bytes(ROOT.issue(unit()).der)
    certificate = empty.parent / "certificate"
    certificate.write_bytes(ROOT.certificate.der)
    names = ("--id=x", "--name-zh=测试", "--name-en=Test", "--qualifier=bidding")
    entry = ("--list=x", "--jurisdiction=CN-SC", "--purpose=bidding.login", "--ca=root")
    mistakes = {
        ("trust-anchors", "import", "no/such/file", *names): "no/such/file",
        ("trust-anchors", "import", str(empty.parent / "leaf"), *names): "certificate",
        ("trust-anchors", "import", str(certificate), *names, "--jurisdiction=CN-BJ"): "CN-BJ",
        ("trust-anchors", "import", str(certificate), *names, "--from=2026-01-01"): "--from",
        (
            "trust-anchors",
            "import",
            str(certificate),
            *names,
            "--from=2026-01-01T00:00:00Z",
            "--until=2026-01-01T00:00:00Z",
        ): ("--until"),
        ("trust-anchors", "retire", "x", "--at=2026-01-01T00:00:00Z"): "x",
        ("accepted-cas", "add", *entry): "legal_basis",
        ("accepted-cas", "add", *entry, "--name-zh=名单"): "--name-en",
        ("accepted-cas", "add", *entry, "--basis-number=1号"): "--basis-instrument",
        ("accepted-cas", "remove", "--list=x", "--ca=root", "--at=tomorrow"): "--at",
        ("jobs", "refresh-revocation", "--drop=no/such/folder"): "no/such/folder",
        ("jobs", "refresh-revocation", "--lang=fr"): "--lang",
    }
    for arguments, named in mistakes.items():
        assert_refused(accord(empty, *arguments), named, code=2)
    assert listed(empty, "trust-anchors") == listed(empty, "accepted-cas") == []


def test_without_a_store_nothing_is_done(tmp_path: Path) -> None:
    for arguments in (("trust-anchors", "list"), ("accepted-cas", "list"), ("jobs", "refresh-revocation")):
        assert_refused(accord(tmp_path / "home", *arguments), "accord migrate")
    assert not (tmp_path / "home").exists()


def test_lists_are_fetched_and_dropped_and_the_old_ones_stay(empty: Path) -> None:
    drop = empty.parent / "drop"
    drop.mkdir()
    first, second = (CA.crl((), this_update=NOW - hours * HOUR, next_update=NOW + 24 * HOUR) for hours in (2, 1))
    root_list = ROOT.crl((), this_update=NOW - 48 * HOUR, next_update=NOW - 24 * HOUR)
    with lying_server(
        {"/ca.crl": redirecting("/moved.crl"), "/moved.crl": answering(second), "/404": answering(b"", status="404 No")}
    ) as server:
        urls = (f"--revocation-url={server.base}/ca.crl", f"--revocation-url={server.base}/404")
        assert anchored(empty, ROOT, "--qualifier=bidding").code == 0
        assert refreshed(empty) == (0, [])
        assert anchored(empty, CA, "--role=intermediate", *urls, id="ca").code == 0
        code, refused = refreshed(empty)
        assert (code, {entry[1:] for entry in refused}) == (1, {("not_fetched", "fetch.address")})
        (drop / "1.crl").write_bytes(first)
        assert refreshed(empty, f"--drop={drop}", ACCORD_FETCH_PRIVATE="true") == (
            1,
            [("ca.crl", "stored", None), ("404", "not_fetched", "fetch.status"), ("1.crl", "stored", None)],
        )
    (drop / "2.pem").write_bytes(root_list)
    (drop / "3.der").write_bytes(first[:-1])
    (drop / "4.crl").write_bytes(CA.crl((), this_update=NOW - 3 * HOUR))
    outcome = accord(empty, "jobs", "refresh-revocation", f"--drop={drop}", "--lang=en")
    assert outcome.code == 1
    lines = [line.partition(":")[0] for line in outcome.out.splitlines()]
    assert lines == ["Not fetched", "Not fetched", "Held already", "Kept", "Refused", "Passed over"]
    assert "Its time for an update passed" in outcome.out.splitlines()[3]
    shelf = RevocationShelf(empty / "accord.db")
    held = shelf.lists_of(parse_certificate(CA.certificate.der), datetime.now(UTC))
    shelf.close()
    assert [known.crl.der for known in held] == [first, second]


def test_nothing_to_do_is_said(empty: Path) -> None:
    outcome = accord(empty, "jobs", "refresh-revocation", "--lang=en")
    assert (outcome.code, outcome.errors) == (0, "")
    assert "--revocation-url" in outcome.out


@pytest.mark.parametrize("command", ["trust-anchors", "accepted-cas", "jobs"])
def test_each_command_explains_itself(tmp_path: Path, command: str) -> None:
    outcome = accord(tmp_path, command, "--help")
    assert (outcome.code, outcome.errors) == (0, "")
