"""The commands by themselves: exit codes, receipts to a file, keys, and making a store."""

import errno
import json
import stat
from pathlib import Path

import pytest
import typer

from app.cli.given_file import refuse_file
from app.demonstration.commands import examples, shell_arguments
from tests.end_to_end.shell import accord, assert_refused

QUERIES = {entry["decision"]: shell_arguments(entry["query"]) for entry in examples()}
RECOGNIZED = QUERIES["recognized"]
CODES = {
    "recognized": 0,
    "not_recognized": 1,
    "indeterminate": 3,
    "not_found": 3,
    "conditional": 4,
    "not_required": 5,
}


@pytest.mark.parametrize("decision", CODES)
def test_the_exit_code_tells_the_decision(prepared: Path, decision: str) -> None:
    outcome = accord(prepared, "recognize", *QUERIES[decision], "--lang=en")
    assert (outcome.code, outcome.errors) == (CODES[decision], "")
    first, *rest = outcome.out.splitlines()
    assert first.endswith(f"({decision})")
    assert sum(line.startswith("  - ") for line in rest) >= 11


def test_json_is_the_answer_of_the_api(prepared: Path) -> None:
    answer = json.loads(accord(prepared, "recognize", *RECOGNIZED, "--json").out)
    assert answer["decision"] == "recognized"
    assert len(answer["checks"]) == 10
    assert answer["receipt"].count(".") == 2
    assert answer["credential"]["number"] == "222220349001"


def test_the_receipt_goes_to_a_file(prepared: Path, tmp_path: Path) -> None:
    outcome = accord(prepared, "recognize", *RECOGNIZED, "--receipt", "r.jws", cwd=tmp_path)
    assert outcome.code == 0
    assert accord(prepared, "verify-receipt", "r.jws", cwd=tmp_path).code == 0
    refused = accord(prepared, "recognize", *RECOGNIZED, "--receipt", "no/such/folder/r.jws", cwd=tmp_path)
    assert_refused(refused, "no/such/folder/r.jws")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--jurisdiction: "),
        (["--jurisdiction=CN-BJ", "--purpose=report.acceptance"], "--jurisdiction: "),
        ([*RECOGNIZED, "--valid-at=2026-10-01"], "--valid-at: "),
        ([*RECOGNIZED, "--known-at=2999-01-01T00:00:00Z"], "--known-at: "),
        ([*RECOGNIZED, "--fact=colour=red"], "--fact colour: "),
        ([*RECOGNIZED, "--fact=colour"], "--fact"),
        ([*RECOGNIZED, "--fact=parameter=a"], "--fact"),
        ([*RECOGNIZED, "--id=cred_x"], "--id: "),
        ([*RECOGNIZED, "--number=" + "7" * 65], "--number: "),
        ([*RECOGNIZED, "--number=a\x1b[31mb"], "--number: "),
        ([*RECOGNIZED, "--expected-uscc=1"], "--expected-uscc: "),
    ],
)
def test_a_mistake_in_the_question_is_told_in_one_line(prepared: Path, arguments: list[str], named: str) -> None:
    outcomes = [accord(prepared, "recognize", *arguments, f"--lang={language}") for language in ("zh-CN", "en")]
    for outcome in outcomes:
        assert_refused(outcome, named, code=2)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["recognize", "--colour=red"], ("--colour: 没有这个选项", "accord recognize --help")),
        (["recognize", "--numbr=1"], ("--numbr: ", "did you mean --number")),
        (["recognize", "--number"], ("--number: ", "a value must follow")),
        (["recognize", "--json=x"], ("--json: ", "takes no value")),
        (["recognize", "--\x1b[31m\n"], ("no such option",)),
        (["recognize", "--lang=fr"], ("--lang 'fr': ", "zh-CN, en")),
        (["nothing"], ("没有这个命令", "'nothing'", "accord --help")),
        (["lock", "show", "a", "b"], ("多余的参数", "b")),
        (["demo", "--port=0"], ("--port '0': 应为 1 至 65535 的整数", "from 1 to 65535")),
        (["demo", "--port=a"], ("--port 'a': ", "from 1 to 65535")),
        (["status", "check", "--index=-1"], ("--index '-1': ", "at least 0")),
        (["migrate"], ("--mode: 缺少此项", "live or test")),
        (["verify-receipt"], ("file: 缺少此项", "receipt file")),
        (["verify-receipt", "nowhere"], ("file nowhere: 没有这个文件",)),
        (["verify-receipt", "."], ("file .: 是文件夹",)),
        (["verify-signature", "nowhere", "--jurisdiction=CN-SC"], ("file nowhere: ", "no such file")),
        (["verify-signature", __file__, "--jurisdiction=CN-SC"], (f"file {__file__}: ", "CMS")),
        (["verify-signature", __file__, "--jurisdiction=CN-SC", "--deadline=x"], ("--deadline: ", "2026-10-01T00")),
        (["verify-signature", __file__, "--jurisdiction=CN-SC", "--earlier=nowhere"], ("--earlier nowhere: ",)),
        (["verify-signature", __file__, "--jurisdiction=CN-SC", "--ocsp=nowhere"], ("--ocsp nowhere: ",)),
        (["lock", "show", "nowhere"], ("directory nowhere: ", "accord lock new")),
        (["lock", "new", "--ca=x", "--uscc=1", "--name=x", "-o=x"], ("--ca 'x': ", "CN-CQ, CN-SC, foreign")),
        (["lock", "new", "--ca=CN-CQ", "--uscc=1", "--name=测试", "-o=x"], ("--uscc: ", "18")),
        (["lock", "sign", "--lock=nowhere", "--challenge=nowhere"], ("--challenge nowhere: ",)),
        (["lock", "cms", __file__, "--lock=nowhere", "-o=x"], ("--lock nowhere: ", "accord lock new")),
        (["statement", "sign", __file__, "--keys=x", "--issuer=x", "--type=x"], ("应为一个 JSON 对象",)),
        (["issuer-keys", "import", __file__, "--issuer=x"], (f"file {__file__}: ", "JWK")),
        (["issuer-keys", "retire", "x", "--at=monday"], ("--at 'monday': ", "2026-10-01T00:00:00+08:00")),
        (["trust-anchors", "import", __file__, "--id=x", "--name-zh=x", "--name-en=x"], (f"file {__file__}: ", "证书")),
        (["log", "verify", "--checkpoint=nowhere"], ("--checkpoint nowhere: ",)),
        (["export", "--type=x", "--issuer=x", "--out=nowhere/x.csv"], ("--type: ", "food-operation-licence")),
        (["jobs", "fetch-ocsp", "nowhere"], ("CERTIFICATE nowhere: ",)),
    ],
)
def test_a_mistake_in_the_command_names_the_option_and_how_to_mend_it(
    prepared: Path, arguments: list[str], named: tuple[str, ...]
) -> None:
    assert_refused(accord(prepared, *arguments), *named, code=2)


def test_a_file_that_may_not_be_read_names_its_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left:
        refuse_file("--ocsp", tmp_path / "a", PermissionError(errno.EACCES, "no"))
    assert left.value.exit_code == 2
    assert capsys.readouterr().err == f"accord: --ocsp {tmp_path / 'a'}: 没有读取权限 / no permission to read it\n"


@pytest.mark.parametrize("command", ["demo", "serve", "migrate", "recognize", "verify-receipt", "keys"])
def test_every_command_explains_itself(prepared: Path, command: str) -> None:
    outcome = accord(prepared, command, "--help")
    assert (outcome.code, outcome.errors) == (0, "")
    assert f"accord {command}" in outcome.out or f"{command} " in outcome.out


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "utf-8"])
def test_chinese_is_printed_whatever_the_terminal_says(prepared: Path, encoding: str) -> None:
    outcome = accord(prepared, "recognize", *RECOGNIZED, PYTHONIOENCODING=encoding, LC_ALL="C", LANG="C")
    assert (outcome.code, outcome.errors) == (0, "")
    assert "互认有效" in outcome.out


def test_a_store_is_made_in_a_mode_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for mode, other in (("live", "test"), ("test", "live")):
        place = home / mode
        first = accord(place, "migrate", "--mode", mode, cwd=tmp_path)
        assert (first.code, first.errors) == (0, "")
        assert first.out == f"{place / 'accord.db'}: {mode}, 0008\n"
        before = (place / "accord.db").read_bytes()
        again = accord(place, "migrate", "--mode", mode, "--json", cwd=tmp_path)
        assert json.loads(again.out) == {"store": str(place / "accord.db"), "mode": mode, "revision": "0008"}
        refused = accord(place, "migrate", "--mode", other, cwd=tmp_path)
        assert_refused(refused, str(place / "accord.db"), mode, other)
        assert (place / "accord.db").read_bytes() == before
    refused = accord(home / "x", "migrate", "--mode", "demo", cwd=tmp_path)
    assert_refused(refused, "--mode", "demo", "test, live", code=2)
    assert not (home / "x").exists()


def test_keys_are_made_and_listed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert accord(home, "migrate", "--mode", "live").code == 0
    secret = {"ACCORD_KEY_PASSPHRASE": "a passphrase of the tests"}
    assert accord(home, "keys", "list").out == ""
    made = [accord(home, "keys", "generate", **secret).out.strip() for _ in range(2)]
    third = accord(home, "keys", "generate", "--activate", "--json", **secret)
    made.append(json.loads(third.out)["kid"])
    assert len(set(made)) == 3
    assert json.loads(third.out) == {"kid": made[2], "alg": "ES256", "mode": "live"}
    listed = json.loads(accord(home, "keys", "list", "--json").out)
    assert [entry["kid"] for entry in listed] == made
    assert [entry["active"] for entry in listed] == [False, False, True]
    assert {(entry["alg"], entry["mode"]) for entry in listed} == {("ES256", "live")}
    plain = accord(home, "keys", "list").out.splitlines()
    assert [line[0] for line in plain] == [" ", " ", "*"]
    for file in (home / "keys").rglob("*.pem"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "ENCRYPTED" in file.read_text()
    assert "passphrase of the tests" not in "".join(file.read_text() for file in (home / "keys").rglob("*.*"))
    # The log's key is made once and stays.
    assert len(list((home / "keys" / "log").glob("live-*.pem"))) == 1


def test_a_retired_key_still_verifies(home: Path, tmp_path: Path) -> None:
    before = json.loads(accord(home, "recognize", *RECOGNIZED, "--json").out)["receipt"]
    assert accord(home, "keys", "generate", "--activate").code == 0
    after = json.loads(accord(home, "recognize", *RECOGNIZED, "--json").out)["receipt"]
    assert before.split(".")[0] != after.split(".")[0]
    for receipt in (before, after):
        assert accord(home, "verify-receipt", "-", given=receipt).code == 0


def test_a_live_store_answers_only_under_its_own_name(tmp_path: Path) -> None:
    home = tmp_path / "home"
    secret = {"ACCORD_KEY_PASSPHRASE": "a passphrase of the tests"}
    accord(home, "migrate", "--mode", "live")
    accord(home, "keys", "generate", **secret)
    for name in ({}, {"ACCORD_ISSUER": ""}, {"ACCORD_ISSUER": "urn:accord:test:mine"}):
        assert_refused(accord(home, "recognize", *RECOGNIZED, **secret, **name), "ACCORD_ISSUER")
    outcome = accord(home, "recognize", *RECOGNIZED, "--json", **secret, ACCORD_ISSUER="https://accord.example")
    assert outcome.code == 3
    answer = json.loads(outcome.out)
    assert answer["livemode"] is True
    assert answer["decision"] == "indeterminate"
    verified = json.loads(accord(home, "verify-receipt", "-", "--json", given=answer["receipt"]).out)
    assert verified["claims"]["iss"] == "https://accord.example"
    assert not any("test" in note for note in verified["notes"])
