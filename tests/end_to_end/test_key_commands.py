"""Keys from the shell: made for each algorithm, changed, retired, listed; and what they signed verifies elsewhere."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.demonstration.commands import examples, link_parameters
from tests.end_to_end.shell import Outcome, accord, assert_refused, serving
from tests.end_to_end.test_shell import RECOGNIZED
from tests.support.requirements import require_keys_for

ALGORITHMS = ("ES256", "Ed25519", "SM2")


def receipt_of(home: Path) -> str:
    outcome = accord(home, "recognize", *RECOGNIZED, "--json")
    assert (outcome.code, outcome.errors) == (0, "")
    receipt: str = json.loads(outcome.out)["receipt"]
    return receipt


def listed(home: Path) -> list[dict[str, Any]]:
    outcome = accord(home, "keys", "list", "--json")
    assert (outcome.code, outcome.errors) == (0, "")
    entries: list[dict[str, Any]] = json.loads(outcome.out)
    return entries


def verified_elsewhere(receipt: str, jwks: bytes, folder: Path, **settings: str) -> Outcome:
    """Checked where there is neither store nor key."""
    folder.mkdir(exist_ok=True)
    (folder / "k.json").write_bytes(jwks)
    command = ("verify-receipt", "-", "--jwks", "k.json", "--json")
    return accord(folder / "nothing", *command, given=receipt, cwd=folder, **settings)


def assert_no_character_can_change(receipt: str, jwks: bytes, folder: Path) -> None:
    """By the command at places in header, claims and signature; every place is tried in the tests of `keys`."""
    for place in (1, receipt.index(".") + 40, len(receipt) - 80, len(receipt) - 2, len(receipt) - 1):
        changed = "A" if receipt[place] != "A" else "B"
        outcome = verified_elsewhere(receipt[:place] + changed + receipt[place + 1 :], jwks, folder)
        assert (outcome.code, json.loads(outcome.out)["genuine"]) == (1, False), place


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_receipts_are_signed_by_whatever_the_active_key_is_for(home: Path, tmp_path: Path, alg: str) -> None:
    require_keys_for(alg)
    before = receipt_of(home)
    (former,) = listed(home)
    rotated = accord(home, "keys", "rotate", "--alg", alg, "--json")
    assert (rotated.code, rotated.errors) == (0, "")
    told = json.loads(rotated.out)
    assert told == {"kid": told["kid"], "alg": alg, "mode": "test", "former": former["kid"]}
    after = receipt_of(home)
    jwks = (home / "keys" / "jwks.json").read_bytes()
    for receipt, kid in ((before, former["kid"]), (after, told["kid"])):
        assert accord(home, "verify-receipt", "-", given=receipt).code == 0
        outcome = verified_elsewhere(receipt, jwks, tmp_path / "elsewhere")
        assert (outcome.code, json.loads(outcome.out)["kid"]) == (0, kid)
    assert_no_character_can_change(after, jwks, tmp_path / "elsewhere")


def test_a_service_publishes_keys_of_every_algorithm(home: Path, tmp_path: Path) -> None:
    """Receipts by all three, asked of services that were started one after the other, and the last one's JWKS."""
    receipts = [receipt_of(home)]
    for alg in ("Ed25519", "SM2"):
        require_keys_for(alg)
        assert accord(home, "keys", "rotate", "--alg", alg).code == 0
        receipts.append(receipt_of(home))
    with serving(home, tmp_path / "log", "serve") as server:
        parameters = dict(text.split("=", 1) for text in link_parameters(examples()[0]["query"]))
        receipts.append(httpx.get(f"{server.base}/v1/recognitions", params=parameters).json()["receipt"])
        jwks = httpx.get(f"{server.base}/.well-known/jwks.json").content
        for receipt in receipts:
            answer = httpx.post(f"{server.base}/v1/receipts/verifications", json={"receipt": receipt})
            assert (answer.status_code, answer.json()["genuine"]) == (200, True)
    assert [key["alg"] for key in json.loads(jwks)["keys"]] == ["ES256", "Ed25519", "SM2"]
    assert all("d" not in key for key in json.loads(jwks)["keys"])
    for receipt in receipts:
        assert verified_elsewhere(receipt, jwks, tmp_path / "elsewhere").code == 0
    assert_no_character_can_change(receipts[-1], jwks, tmp_path / "elsewhere")


@pytest.mark.parametrize("backend", ["openssl", "python"])
def test_a_receipt_by_sm2_verifies_by_either_backend(home: Path, tmp_path: Path, backend: str) -> None:
    require_keys_for("SM2")
    assert accord(home, "keys", "rotate", "--alg", "SM2").code == 0
    receipt, jwks = receipt_of(home), (home / "keys" / "jwks.json").read_bytes()
    changed = receipt[:-5] + ("A" if receipt[-5] != "A" else "B") + receipt[-4:]
    for given, code in ((receipt, 0), (changed, 1)):
        assert verified_elsewhere(given, jwks, tmp_path / "elsewhere", ACCORD_SM2_BACKEND=backend).code == code


def test_a_key_is_generated_for_an_algorithm(home: Path) -> None:
    made = accord(home, "keys", "generate", "--alg", "Ed25519", "--json")
    assert (made.code, json.loads(made.out)["alg"]) == (0, "Ed25519")
    first, second = listed(home)
    assert (first["state"], second["state"], second["alg"]) == ("active", "ready", "Ed25519")
    file = Path(second["private"])
    assert file.name == f"test-{second['kid']}.pem"
    assert "ENCRYPTED" in file.read_text()


def test_an_algorithm_that_is_none_is_a_usage_error(home: Path) -> None:
    before = listed(home)
    for command in ("generate", "rotate"):
        for alg in ("EdDSA", "es256", "none", ""):
            assert_refused(accord(home, "keys", command, "--alg", alg), "ES256, Ed25519, SM2", code=2)
    assert listed(home) == before


def test_rotation_keeps_the_algorithm_unless_told(home: Path) -> None:
    assert accord(home, "keys", "rotate", "--alg", "Ed25519").code == 0
    outcome = accord(home, "keys", "rotate", "--lang=en")
    assert outcome.code == 0
    entries = listed(home)
    assert [entry["alg"] for entry in entries] == ["ES256", "Ed25519", "Ed25519"]
    assert [entry["state"] for entry in entries] == ["ready", "ready", "active"]
    assert outcome.out.startswith(f"Key {entries[2]['kid']} (Ed25519) signs from now on")
    assert entries[1]["kid"] in outcome.out
    assert "signs from now on" not in accord(home, "keys", "rotate").out


def test_a_store_without_a_key_has_nothing_to_rotate(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert accord(home, "migrate", "--mode", "test").code == 0
    assert_refused(accord(home, "keys", "rotate", ACCORD_KEY_PASSPHRASE="of the tests"), "create one")
    assert not (home / "keys").exists()


def test_a_key_is_retired(home: Path, tmp_path: Path) -> None:
    receipt = receipt_of(home)
    (first,) = listed(home)
    assert_refused(accord(home, "keys", "retire", first["kid"]), first["kid"], "accord keys rotate")
    assert listed(home) == [first]
    assert accord(home, "keys", "rotate").code == 0
    outcome = accord(home, "keys", "retire", first["kid"], "--lang=en")
    assert (outcome.code, outcome.errors) == (0, "")
    entry = listed(home)[0]
    assert (entry["kid"], entry["state"], entry["active"]) == (first["kid"], "retired", False)
    assert entry["private"] == f"{first['private']}.retired"
    assert entry["private"] in outcome.out
    assert Path(entry["private"]).is_file()
    assert not Path(first["private"]).exists()
    assert json.loads(accord(home, "keys", "retire", first["kid"], "--json").out) == entry
    assert accord(home, "verify-receipt", "-", given=receipt).code == 0
    jwks = (home / "keys" / "jwks.json").read_bytes()
    assert verified_elsewhere(receipt, jwks, tmp_path / "elsewhere").code == 0
    assert_refused(accord(home, "keys", "activate", first["kid"]), "retired")
    assert_refused(accord(home, "keys", "retire", "A" * 43), "A" * 43, "accord keys list")
    assert receipt_of(home).split(".")[0] != receipt.split(".")[0]


def test_keys_are_listed_in_both_languages(home: Path) -> None:
    assert accord(home, "keys", "rotate").code == 0
    first, second = listed(home)
    Path(first["private"]).unlink()
    chinese, english = (accord(home, "keys", "list", f"--lang={lang}").out.splitlines() for lang in ("zh-CN", "en"))
    assert chinese[0] == f"  {first['kid']} ES256 - 仅公钥 私钥不在此处"
    assert english[0] == f"  {first['kid']} ES256 - public only private half not here"
    assert chinese[1] == f"* {second['kid']} ES256 test 启用 {second['private']}"
    assert english[1] == f"* {second['kid']} ES256 test active {second['private']}"


def test_the_help_says_what_retiring_does_in_both_languages(tmp_path: Path) -> None:
    told = " ".join(accord(tmp_path / "home", "keys", "retire", "--help", COLUMNS="400").out.split())
    for part in ("*.retired", "不再用它签名", "JWKS", "never signs", "stays in the JWKS", "rotate first"):
        assert part in told
