"""A node whose signing key is on a PKCS #11 token (SoftHSM2): from making the key to losing the token while serving."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import clock
from app.demonstration.commands import examples, link_parameters
from app.signing_keys import LOOK_SECONDS
from keys.custody.token import Token
from tests.end_to_end.shell import PATIENCE, Server, accord, assert_refused, serving
from tests.end_to_end.test_shell import RECOGNIZED
from tests.support import softhsm
from tests.support.softhsm import PIN, SoftHsm

PARAMETERS = dict(text.split("=", 1) for text in link_parameters(examples()[0]["query"]))


@pytest.fixture
def hsm(tmp_path: Path) -> SoftHsm:
    softhsm.module()
    made = SoftHsm(tmp_path / "hsm")
    made.prepare()
    return made


@pytest.fixture
def token(hsm: SoftHsm) -> Token:
    return hsm.add("accord")


@pytest.fixture
def settings(hsm: SoftHsm, token: Token) -> dict[str, str]:
    return hsm.settings(token)


def listed(home: Path) -> list[dict[str, Any]]:
    """Without any setting of the token: to list keys opens nothing."""
    entries: list[dict[str, Any]] = json.loads(accord(home, "keys", "list", "--json").out)
    return entries


def asked(server: Server) -> httpx.Response:
    return httpx.get(f"{server.base}/v1/recognitions", params=PARAMETERS, timeout=PATIENCE)


def test_a_key_is_rotated_onto_a_token_and_receipts_verify_without_it(
    home: Path, settings: dict[str, str], tmp_path: Path
) -> None:
    before = json.loads(accord(home, "recognize", *RECOGNIZED, "--json").out)["receipt"]
    outcome = accord(home, "keys", "rotate", "--pkcs11", "--json", **settings)
    assert (outcome.code, outcome.errors) == (0, "")
    made = json.loads(outcome.out)
    first, second = listed(home)
    assert (first["state"], second["state"]) == ("ready", "active")
    assert second["private"].startswith("pkcs11:token=accord;object=accord;id=%")
    answered = accord(home, "recognize", *RECOGNIZED, "--json", **settings)
    assert (answered.code, answered.errors) == (0, "")
    receipt = json.loads(answered.out)["receipt"]
    # By the node's own ring, by the JWKS elsewhere, and not when changed; nothing of the token is needed.
    (tmp_path / "k.json").write_bytes((home / "keys" / "jwks.json").read_bytes())
    for given, genuine in ((before, True), (receipt, True), (receipt[:-2] + "AA", False)):
        elsewhere = accord(
            tmp_path / "nothing", "verify-receipt", "-", "--jwks", "k.json", "--json", given=given, cwd=tmp_path
        )
        assert (elsewhere.code, json.loads(elsewhere.out)["genuine"]) == (0 if genuine else 1, genuine)
    assert json.loads(accord(home, "verify-receipt", "-", "--json", given=receipt).out)["kid"] == made["kid"]
    # Rotation stays on the token and keeps the algorithm, and the key from the file may now be retired.
    again = accord(home, "keys", "rotate", "--alg=Ed25519", **settings)
    assert again.code == 0
    retired = accord(home, "keys", "retire", made["kid"], "--lang=en")
    assert (retired.code, retired.errors) == (0, "")
    assert second["private"] in retired.out
    assert "still on the token" in retired.out
    assert accord(home, "keys", "retire", first["kid"]).code == 0
    entries = listed(home)
    assert [entry["state"] for entry in entries] == ["retired", "retired", "active"]
    assert entries[2]["alg"] == "Ed25519"
    assert entries[2]["private"].startswith("pkcs11:")
    assert accord(home, "verify-receipt", "-", given=receipt).code == 0
    assert accord(home, "recognize", *RECOGNIZED, **settings).code == 0
    back = accord(home, "keys", "rotate", "--file", "--json", **settings)
    assert (back.code, json.loads(back.out)["alg"]) == (0, "Ed25519")
    assert listed(home)[3]["private"].endswith(".pem")


def test_a_node_may_have_no_key_file_at_all(tmp_path: Path, settings: dict[str, str], hsm: SoftHsm) -> None:
    home = tmp_path / "home"
    assert accord(home, "migrate", "--mode", "test").code == 0
    (tmp_path / "pin").write_text(f"{PIN}\n")
    (tmp_path / "pin").chmod(0o600)
    settings = {name: value for name, value in settings.items() if name != "ACCORD_PKCS11_PIN"}
    settings |= {"ACCORD_PKCS11_PIN_FILE": str(tmp_path / "pin"), "ACCORD_PKCS11_KEY_LABEL": "川渝"}
    outcome = accord(home, "keys", "generate", "--pkcs11", "--json", **settings)
    assert (outcome.code, outcome.errors) == (0, "")
    assert list((home / "keys").rglob("*.pem")) == []
    assert len(list((home / "keys").rglob("test-*.token"))) == 2  # one for receipts, one for the log
    assert accord(home, "log", "checkpoint", **settings).out.startswith("urn:accord:test")
    assert all(PIN not in file.read_text() for file in (home / "keys").rglob("*") if file.is_file())
    with serving(home, tmp_path / "log", "serve", **settings) as server:
        assert httpx.get(f"{server.base}/v1/log/checkpoint").status_code == 200
        assert len(httpx.get(f"{server.base}/.well-known/jwks.json").json()["keys"]) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ACCORD_PKCS11_PIN": "99999"}, "ACCORD_PKCS11_PIN_FILE"),
        ({"ACCORD_PKCS11_PIN": ""}, "ACCORD_PKCS11_PIN_FILE"),
        ({"ACCORD_PKCS11_TOKEN": "other"}, "ACCORD_PKCS11_TOKEN"),
        ({"ACCORD_PKCS11_TOKEN": ""}, "ACCORD_PKCS11_TOKEN"),
        ({"ACCORD_PKCS11_MODULE": "/none.so"}, "ACCORD_PKCS11_MODULE"),
        ({"SOFTHSM2_CONF": "/none"}, "/libsofthsm2.so"),
    ],
)
def test_a_token_that_cannot_be_used_is_told_in_one_line(
    home: Path, settings: dict[str, str], change: dict[str, str], told: str
) -> None:
    assert accord(home, "keys", "rotate", "--pkcs11", **settings).code == 0
    before = listed(home)
    for command in (("recognize", *RECOGNIZED), ("serve",), ("keys", "rotate")):
        outcome = accord(home, *command, **(settings | change))
        assert_refused(outcome, told)
        assert PIN not in outcome.errors
        assert "99999" not in outcome.errors
    assert listed(home) == before


def test_nothing_is_guessed_where_nothing_is_set(home: Path, hsm: SoftHsm) -> None:
    assert_refused(accord(home, "keys", "generate", "--pkcs11"), "ACCORD_PKCS11_MODULE")
    outcome = accord(home, "keys", "generate", "--pkcs11", "--alg=SM2", **hsm.settings(hsm.add("accord")))
    assert_refused(outcome, "SM2", "ES256 or Ed25519")
    assert len(listed(home)) == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_that_loses_its_token_refuses_until_it_is_back(
    home: Path, hsm: SoftHsm, settings: dict[str, str], tmp_path: Path, workers: str
) -> None:
    assert accord(home, "keys", "rotate", "--pkcs11", **settings).code == 0
    with serving(home, tmp_path / "log", "serve", "--workers", workers, **settings) as server:
        jwks = httpx.get(f"{server.base}/.well-known/jwks.json", timeout=PATIENCE).content
        good = [asked(server) for _ in range(8)]
        hsm.take_out()
        lost = [asked(server) for _ in range(8)]
        ready = httpx.get(f"{server.base}/readyz", timeout=PATIENCE)
        alive = httpx.get(f"{server.base}/healthz", timeout=PATIENCE)
        hsm.put_back()
        good += [asked(server) for _ in range(8)]
    for answer in lost:
        assert (answer.status_code, answer.json()["code"]) == (503, "keys.unavailable")
        assert "receipt" not in answer.json()
    assert (ready.status_code, alive.status_code) == (503, 200)
    assert "token_missing" in ready.text
    (tmp_path / "k.json").write_bytes(jwks)
    assert {answer.status_code for answer in good} == {200}
    for answer in (good[0], good[-1]):
        receipt = answer.json()["receipt"]
        arguments = ("verify-receipt", "-", "--jwks", "k.json")
        assert accord(tmp_path / "nothing", *arguments, given=receipt, cwd=tmp_path).code == 0
    log = (tmp_path / "log").read_text()
    assert "there is no such token" in log
    assert PIN not in log


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_running_service_turns_to_a_key_on_its_token_and_drops_the_stolen_one(
    home: Path, hsm: SoftHsm, settings: dict[str, str], tmp_path: Path, workers: str
) -> None:
    with serving(home, tmp_path / "log", "serve", "--workers", workers, **settings) as server:
        before = [asked(server).json()["receipt"] for _ in range(4)]
        made = json.loads(accord(home, "keys", "rotate", "--pkcs11", "--json", **settings).out)
        assert accord(home, "keys", "compromised", made["former"]).code == 0
        clock.wait(LOOK_SECONDS)
        after = [asked(server).json()["receipt"] for _ in range(8)]
        keys = httpx.get(f"{server.base}/.well-known/jwks.json", timeout=PATIENCE).json()["keys"]
        reports = [
            httpx.post(f"{server.base}/v1/receipts/verifications", json={"receipt": receipt}, timeout=PATIENCE).json()
            for receipt in (*before, *after)
        ]
        hsm.take_out()
        assert [asked(server).status_code for _ in range(4)] == [503] * 4
    assert [key["kid"] for key in keys if "revoked" not in key] == [made["kid"]]
    assert [report["code"] for report in reports] == ["key.compromised"] * len(before) + [None] * len(after)
    assert {report["kid"] for report in reports} == {None, made["kid"]}
