"""An issuer from the shell: its key, the operator's word for it, a key to call with, statements that are taken in."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import policy_entry
from app.cli.application import application
from app.settings import Settings
from registry.document import PolicyDocument
from tests.api.service import Service, open_service, settings_at
from tests.end_to_end.shell import Outcome, assert_refused
from tests.end_to_end.shell import accord as process
from tests.support.issuing import BASIS, LICENCE, TYPE

ISSUER = "cq-yuzhong-amr"
SECRET = {"ACCORD_KEY_PASSPHRASE": "only for tests"}


def accord(home: Path, *arguments: str, **settings: str) -> Outcome:
    """Runs a command in this process, as it has many; `test_what_is_signed` begins one as a process of its own."""
    blank = dict.fromkeys(("ACCORD_STORE", "ACCORD_KEYS", "ACCORD_POLICY", "ACCORD_KEY_PASSPHRASE", "ACCORD_LANG"))
    done = CliRunner().invoke(application, list(arguments), env={**blank, "ACCORD_HOME": str(home), **settings})
    return Outcome(done.exit_code, done.stdout, done.stderr)


def made_key(home: Path, alg: str = "ES256", folder: str = "issuer") -> Path:
    made = accord(home, "statement", "key", f"--keys={home.parent / folder}", f"--alg={alg}", **SECRET)
    assert (made.code, made.errors) == (0, "")
    file = home.parent / f"{folder}.json"
    file.write_text(made.out)
    return file


def signed(home: Path, content: object, *more: str) -> str:
    file = home.parent / "claims.json"
    file.write_text(json.dumps(content))
    arguments = (f"--keys={home.parent / 'issuer'}", f"--issuer={ISSUER}", f"--type={TYPE}", *more)
    outcome = accord(home, "statement", "sign", str(file), *arguments, **SECRET)
    assert (outcome.code, outcome.errors) == (0, "")
    return outcome.out.strip()


def opened(home: Path) -> Service:
    settings: Settings = settings_at(home)
    return open_service(settings)


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "SM2"])
def test_what_is_signed_in_the_shell_is_taken_in(home: Path, alg: str) -> None:
    jwk = made_key(home, alg)
    entered = process(home, "issuer-keys", "import", str(jwk), f"--issuer={ISSUER}", "--lang=en")
    assert (entered.code, entered.errors) == (0, "")
    kid = json.loads(jwk.read_text())["kid"]
    assert kid in entered.out
    again = accord(home, "issuer-keys", "import", str(jwk), f"--issuer={ISSUER}", "--lang=en")
    assert again.out == f"Unchanged: {entered.out}"
    made = accord(home, "apikeys", "create", "--role=issuer", f"--issuer={ISSUER}", "--name=测试", "--json")
    key = json.loads(made.out)
    service = opened(home)
    headers = {"Authorization": f"Bearer {key['key']}"}
    taken = service.post("/v1/credentials", {"statement": signed(home, LICENCE)}, **headers)
    assert taken.status_code == 201, taken.text
    named, version = taken.json()["id"], taken.json()["version"]
    step = {
        "event": "suspended",
        "effective_at": "2026-11-20T00:00:00Z",
        "reason_code": "test",
        "legal_basis": BASIS,
    }
    token = signed(home, step, f"--credential-id={named}")
    stepped = service.post(f"/v1/credentials/{named}/events", {"statement": token}, If_Match=f'"{version}"', **headers)
    assert stepped.status_code == 201, stepped.text
    (shown,) = service.get("/v1/issuer-keys").json()["data"]
    assert (shown["issuer"], shown["keys"][0]["kid"]) == (ISSUER, kid)
    assert accord(home, "log", "verify").code == 0
    (listed,) = json.loads(accord(home, "apikeys", "list", "--json").out)
    assert (listed["key_id"], listed["role"], listed["issuer"]) == (key["id"], "issuer", ISSUER)
    assert listed["used_at"] is not None
    assert key["key"] not in accord(home, "apikeys", "list").out
    assert accord(home, "apikeys", "stop", key["id"]).code == 0
    assert_refused(accord(home, "apikeys", "stop", key["id"]), key["id"], code=2)
    other = {"statement": signed(home, LICENCE | {"number": "JY15001039920027"})}
    assert service.post("/v1/credentials", other, **headers).status_code == 401
    service.node.reader.close()


def test_a_key_is_ended_and_distrusted(home: Path) -> None:
    jwk = made_key(home)
    kid = json.loads(jwk.read_text())["kid"]
    entered = accord(
        home, "issuer-keys", "import", str(jwk), f"--issuer={ISSUER}", "--from=2026-01-01T00:00:00Z", "--json"
    )
    assert json.loads(entered.out)["changed"] is True
    ended = accord(home, "issuer-keys", "retire", kid, "--at=2026-12-01T00:00:00Z", "--lang=en")
    assert (ended.code, "2026-12-01" in ended.out) == (0, True)
    unsafe = accord(home, "issuer-keys", "distrust", kid, "--since=2026-11-01T00:00:00Z", "--lang=en")
    assert (unsafe.code, "not safe from 2026-11-01" in unsafe.out) == (0, True)
    again = accord(home, "issuer-keys", "distrust", kid, "--since=2026-11-01T00:00:00Z", "--json")
    assert json.loads(again.out)["changed"] is False
    (listed,) = json.loads(accord(home, "issuer-keys", "list", "--json").out)
    assert (listed["from"], listed["until"]) == ("2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert listed["compromised_from"] == "2026-11-01T00:00:00Z"
    assert "compromised 2026-11-01" in accord(home, "issuer-keys", "list").out
    stolen = home.parent / "stolen.json"
    stolen.write_text(json.dumps(json.loads(jwk.read_text()) | {"revoked": {"revoked_at": 1, "reason": "compromised"}}))
    refused = {
        ("retire", kid, "--at=2025-01-01T00:00:00Z"): "begins only",
        ("retire", kid, "--at=2027-01-01T00:00:00Z"): "ended before",
        ("retire", "nobody", "--at=2026-12-01T00:00:00Z"): "is no issuer's key",
        # One key id in 64 begins with a hyphen.
        ("retire", "-sVYyX", "--at=2026-12-01T00:00:00Z"): "'-sVYyX' is no issuer's key",
        ("distrust", "--x-", "--since=2026-12-01T00:00:00Z"): "'--x-' is no issuer's key",
        ("distrust", kid, "--since=2026-11-02T00:00:00Z"): "unsafe before",
        ("import", str(jwk), "--issuer=nobody"): "is no authority",
        ("import", str(jwk), "--issuer=cd-jinjiang-amr"): f"is one of {ISSUER}",
        ("import", str(jwk), f"--issuer={ISSUER}"): "another period",
        ("import", str(stolen), f"--issuer={ISSUER}"): "says of itself that it is revoked",
        ("import", str(home), f"--issuer={ISSUER}"): f"file {home}: 是文件夹，不是文件 / is a folder",
    }
    for arguments, told in refused.items():
        assert_refused(accord(home, "issuer-keys", *arguments), told, code=2)


def test_mistakes_are_told(home: Path) -> None:
    wrong = home.parent / "wrong.json"
    wrong.write_text('{"kty":"EC"}')
    assert_refused(accord(home, "issuer-keys", "import", str(wrong), f"--issuer={ISSUER}"), "wrong.json", code=2)
    private = home.parent / "private.json"
    private.write_text('{"kty":"EC","d":"x"}')
    assert_refused(accord(home, "issuer-keys", "import", str(private), f"--issuer={ISSUER}"), "private key", code=2)
    create = ("apikeys", "create", "--name=测试")
    assert_refused(accord(home, *create, "--role=king"), "--role", code=2)
    assert_refused(accord(home, *create, "--role=issuer"), "--issuer", code=2)
    assert_refused(accord(home, *create, "--role=auditor", f"--issuer={ISSUER}"), "--issuer", code=2)
    assert_refused(accord(home, *create, "--role=issuer", "--issuer=nobody"), "no such authority", code=2)
    assert_refused(accord(home, *create, "--role=auditor", "--expires=2020-01-01T00:00:00Z"), "--expires", code=2)
    assert_refused(accord(home, "apikeys", "create", "--name= ", "--role=auditor"), "--name", code=2)
    assert accord(home, *create, "--role=auditor", "--expires=2099-01-01T00:00:00Z").out.startswith("ak_test_")
    assert_refused(
        accord(home, "statement", "key", f"--keys={home.parent / 'issuer'}", "--alg=RS256", **SECRET), "--alg", code=2
    )
    assert_refused(accord(home, "statement", "key", f"--keys={home.parent / 'issuer'}"), "passphrase")
    made_key(home)
    sign = (f"--keys={home.parent / 'issuer'}", f"--issuer={ISSUER}", f"--type={TYPE}")
    assert_refused(accord(home, "statement", "sign", "nowhere", *sign, **SECRET), "nowhere", code=2)
    wrong.write_text("[]")
    assert_refused(accord(home, "statement", "sign", str(wrong), *sign, **SECRET), "wrong.json", code=2)
    wrong.write_text('{"a":1.5}')
    assert_refused(accord(home, "statement", "sign", str(wrong), *sign, **SECRET), "wrong.json", code=2)
    wrong.write_text("{}")
    assert_refused(
        accord(home, "statement", "sign", str(wrong), f"--keys={home.parent / 'none'}", *sign[1:], **SECRET), "none"
    )
    beside = home.parent / "issuer" / "passphrase"
    beside.write_text("only for tests\n")
    beside.chmod(0o600)
    assert accord(home, "statement", "sign", str(wrong), *sign).code == 0


def test_two_operators_at_once_lose_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a key is distrusted somebody else enters another key: the distrust is made anew on top of it."""
    first, second = made_key(home), made_key(home, folder="second")
    accord(home, "issuer-keys", "import", str(first), f"--issuer={ISSUER}")
    kid = json.loads(first.read_text())["kid"]
    entered, enter = [], policy_entry.enter

    def beaten(settings: Settings, document: PolicyDocument) -> None:
        if not entered:
            entered.append(document)
            accord(home, "issuer-keys", "import", str(second), f"--issuer={ISSUER}")
        enter(settings, document)

    monkeypatch.setattr(policy_entry, "enter", beaten)
    outcome = accord(home, "issuer-keys", "distrust", kid, "--since=2026-11-01T00:00:00Z")
    assert outcome.code == 0, outcome.errors
    listed = json.loads(accord(home, "issuer-keys", "list", "--json").out)
    assert len(listed) == 2
    assert [key["compromised_from"] for key in listed if key["kid"] == kid] == ["2026-11-01T00:00:00Z"]


def test_a_log_key_that_does_not_sign_is_told(home: Path) -> None:
    (home / "keys" / "log" / "active").unlink()
    assert_refused(accord(home, "log", "key"), "accord keys generate")
