"""`accord import`: tried, loaded, loaded again; signed by the issuer; what is wrong is named, and what is asked too."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import seed_policy
from app.store.audit import audit
from app.store.writer import SqliteWriter
from tests.end_to_end.shell import Outcome, assert_refused
from tests.end_to_end.shell import accord as process
from tests.end_to_end.test_issuer_commands import SECRET, accord, made_key
from tests.store.rows import rows_of
from tests.support.issuing import TYPE
from tests.unit.app.importers.registers import cells, csv_text

ISSUER = "cq-yuzhong-amr"
AS_OF = "--as-of=2026-11-20T00:00:00+08:00"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an empty test store with the policy of the software. Nothing writes to it."""
    return _opened(tmp_path_factory.mktemp("empty") / "home", "test")


@pytest.fixture
def fresh(empty: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return shutil.copytree(empty, tmp_path / "home")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three licences."""
    table = tmp_path / "register.csv"
    table.write_text(csv_text(*(cells(许可证编号=f"JY1500103000000{place}") for place in range(3))), encoding="utf-8")
    return table


def _opened(home: Path, mode: str) -> Path:
    assert accord(home, "migrate", f"--mode={mode}").code == 0
    writer = SqliteWriter(home / "accord.db")
    try:
        writer.enter_policies(seed_policy())
    finally:
        writer.close()
    return home


def load(home: Path, file: Path, *more: str, type: str = TYPE, issuer: str = ISSUER, **settings: str) -> Outcome:
    return accord(home, "import", str(file), f"--type={type}", f"--issuer={issuer}", *more, **settings)


def told(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code in (0, 3), outcome
    said: dict[str, Any] = json.loads(outcome.out)
    return said


def held(home: Path) -> int:
    return len(rows_of(home / "accord.db", "SELECT no FROM credential"))


def test_a_file_is_tried_loaded_and_loaded_again(fresh: Path, file: Path) -> None:
    tried = load(fresh, file, "--dry-run")
    assert (tried.code, tried.errors, held(fresh)) == (0, "", 0)
    assert "试导入" in tried.out
    done = process(fresh, "import", str(file), f"--type={TYPE}", f"--issuer={ISSUER}", "--lang=en")
    assert (done.code, held(fresh)) == (0, 3)
    assert "3 rows: 3 registered, 0 changed, 0 as they were, 0 refused." in done.out
    assert "signed by a test key" in done.errors
    assert "0 项变更" in load(fresh, file).out
    assert "0 changes" in load(fresh, file, "--lang=en").out
    assert audit(fresh / "accord.db", None).difference is None
    assert not file.with_name(f"{file.name}.report.csv").exists()


def test_a_program_is_told_the_same(fresh: Path, file: Path) -> None:
    said = told(load(fresh, file, "--json"))
    counted = {name: said[name] for name in ("rows", "new", "changed", "unchanged", "refused", "missing", "errors")}
    assert counted == dict.fromkeys(counted, 0) | {"rows": 3, "new": 3, "errors": None}
    assert (said["dry_run"], said["reported"] is not None) == (False, True)
    assert (len(said["log_root"]), said["log_size"]) == (
        64,
        len(rows_of(fresh / "accord.db", "SELECT no FROM log_entry")),
    )
    assert told(load(fresh, file, "--json", "--dry-run"))["unchanged"] == 3


def test_refused_rows_are_written_down(fresh: Path, file: Path, tmp_path: Path) -> None:
    rows = [cells(), cells(许可证编号="XX1"), cells(许可证编号="JY15001039920027", 区划代码="510104")]
    file.write_text(csv_text(*rows), encoding="utf-8")
    outcome = load(fresh, file, "--lang=en")
    assert (outcome.code, held(fresh)) == (3, 1)
    beside = file.with_name(f"{file.name}.report.csv")
    assert str(beside) in outcome.out
    lines = sorted(beside.read_text(encoding="utf-8-sig").splitlines()[1:])
    assert [line.split(",")[:3] for line in lines] == [
        ["3", "许可证编号", "statement.number_malformed"],
        ["4", "", "statement.not_competent"],
    ]
    elsewhere = tmp_path / "errors.csv"
    assert told(load(fresh, file, f"--errors={elsewhere}", "--json"))["errors"] == str(elsewhere)
    assert elsewhere.exists()


def test_a_test_key_opens_by_its_own_passphrase_whatever_is_set(fresh: Path, file: Path) -> None:
    outcome = accord(fresh, "import", str(file), f"--type={TYPE}", f"--issuer={ISSUER}", **SECRET)
    assert (outcome.code, held(fresh)) == (0, 3), outcome.errors


def test_an_issuer_signs_for_its_file(fresh: Path, file: Path) -> None:
    jwk = made_key(fresh)
    assert accord(fresh, "issuer-keys", "import", str(jwk), f"--issuer={ISSUER}").code == 0
    keys = f"--keys={fresh.parent / 'issuer'}"
    named = (f"--issuer={ISSUER}", f"--type={TYPE}")
    signed = accord(fresh, "statement", "manifest", str(file), keys, *named, AS_OF, **SECRET)
    assert (signed.code, signed.errors) == (0, "")
    manifest = fresh.parent / "register.jws"
    manifest.write_text(signed.out)
    assert told(load(fresh, file, f"--manifest={manifest}", "--dry-run", "--json"))["new"] == 3
    assert told(load(fresh, file, f"--manifest={manifest}", "--json"))["new"] == 3
    assert told(load(fresh, file, f"--manifest={manifest}", "--json"))["unchanged"] == 3
    assert told(load(fresh, file, keys, AS_OF, "--json", **SECRET))["unchanged"] == 3
    assert_refused(load(fresh, file, keys, **SECRET), "--as-of", code=2)
    assert_refused(load(fresh, file, f"--manifest={manifest}", AS_OF), "--manifest", code=2)
    other = load(fresh, file, f"--manifest={manifest}", issuer="cq-yubei-amr")
    assert_refused(other, "statement.bulk_other", code=2)
    file.write_text(csv_text(cells()), encoding="utf-8")
    assert_refused(load(fresh, file, f"--manifest={manifest}"), "statement.file_other", code=2)
    assert_refused(accord(fresh, "statement", "manifest", str(file), keys, *named, "--as-of=now"), "--as-of", code=2)
    assert held(fresh) == 3


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"type": "driving-licence"}, ("driving-licence", TYPE)),
        ({"type": "ca-certificate"}, ("ca-certificate", TYPE)),
        ({"issuer": "cq-nobody"}, ("cq-nobody", ISSUER)),
    ],
)
def test_a_mistake_in_the_command_is_one(fresh: Path, file: Path, more: Any, named: tuple[str, ...]) -> None:
    assert_refused(load(fresh, file, **more), *named, code=2)
    assert held(fresh) == 0


def test_a_file_that_is_none_is_refused(fresh: Path, file: Path) -> None:
    assert_refused(load(fresh, file.with_name("nowhere.csv")), "nowhere.csv", "file.not_a_file", code=2)
    file.write_text("")
    assert_refused(load(fresh, file), "file.empty", code=2)


def test_a_live_store_wants_the_issuers_own_word(tmp_path: Path, file: Path) -> None:
    home = _opened(tmp_path / "home", "live")
    assert_refused(load(home, file), "--manifest", code=2)
    assert (held(home), load(home, file, "--dry-run").code) == (0, 0)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_exported_is_imported_elsewhere(fresh: Path, prepared: Path, tmp_path: Path, form: str) -> None:
    asked = (f"--type={TYPE}", f"--issuer={ISSUER}")
    file, again = tmp_path / f"register.{form}", tmp_path / f"again.{form}"
    assert accord(prepared, "export", *asked, f"--out={file}").code == 0
    said, beside = told(load(fresh, file, "--json")), file.with_name(f"{file.name}.report.csv")
    assert (said["rows"], said["missing"]) == (said["new"] + said["refused"], 0)
    # The demonstration has credentials that nobody may state.
    refused = sorted(int(line.split(",")[0]) for line in beside.read_text(encoding="utf-8-sig").splitlines()[1:])
    assert 0 < len(refused) == said["refused"] < said["new"]
    assert accord(fresh, "export", *asked, f"--out={again}").code == 0
    lines = file.read_bytes().splitlines()
    assert again.read_bytes().splitlines() == [line for row, line in enumerate(lines, 1) if row not in refused]
