"""Keys from the shell: made for each algorithm, changed, retired, listed; and what they signed verifies elsewhere.

One that is declared compromised verifies nothing anywhere.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.demonstration.commands import examples, link_parameters
from tests.api.service import open_service, settings_at
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


def test_rotation_takes_the_passphrase_that_the_former_key_has(home: Path) -> None:
    """What runs with that one could not open a key with another, and would stand still."""
    before = listed(home)
    assert_refused(accord(home, "keys", "rotate", ACCORD_KEY_PASSPHRASE="another"), "the passphrase does not open it")
    assert listed(home) == before


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


def test_a_key_is_declared_compromised(home: Path, tmp_path: Path) -> None:
    receipt = receipt_of(home)
    (first,) = listed(home)
    assert_refused(accord(home, "keys", "compromised", first["kid"]), first["kid"], "accord keys rotate")
    assert_refused(accord(home, "keys", "compromised", "A" * 43), "A" * 43, "accord keys list")
    assert listed(home) == [first]
    assert accord(home, "keys", "rotate").code == 0
    outcome = accord(home, "keys", "compromised", first["kid"], "--lang=en")
    assert (outcome.code, outcome.errors) == (0, "")
    assert first["kid"] in outcome.out
    assert "nothing that it signed counts" in outcome.out
    entry = listed(home)[0]
    assert (entry["kid"], entry["state"], entry["active"]) == (first["kid"], "compromised", False)
    assert entry["private"] == f"{first['private']}.retired"
    jwks = (home / "keys" / "jwks.json").read_bytes()
    declared, good = json.loads(jwks)["keys"]
    assert datetime.fromtimestamp(declared["revoked"]["revoked_at"], UTC) == datetime.fromisoformat(
        entry["compromised_at"]
    )
    assert (declared["kid"], declared["revoked"]["reason"], "revoked" in good) == (first["kid"], "compromised", False)
    # A second time, nothing changes; nor is it taken back.
    assert json.loads(accord(home, "keys", "compromised", first["kid"], "--json").out) == entry
    assert_refused(accord(home, "keys", "activate", first["kid"]), "compromised")
    assert (home / "keys" / "jwks.json").read_bytes() == jwks
    here = accord(home, "verify-receipt", "-", "--json", given=receipt)
    assert (here.code, json.loads(here.out)["code"]) == (1, "key.compromised")
    elsewhere = verified_elsewhere(receipt, jwks, tmp_path / "elsewhere")
    told = json.loads(elsewhere.out)
    assert (elsewhere.code, told["genuine"], told["code"], told["claims"]) == (1, False, "key.compromised", None)
    assert "known_at" in told["notes"][0]
    after = receipt_of(home)
    assert verified_elsewhere(after, jwks, tmp_path / "elsewhere").code == 0


def test_what_a_compromised_key_means_is_said_in_both_languages(home: Path) -> None:
    receipt, (first,) = receipt_of(home), listed(home)
    assert accord(home, "keys", "rotate").code == 0
    assert "不再采信" in accord(home, "keys", "compromised", first["kid"]).out
    lines = {lang: accord(home, "keys", "list", f"--lang={lang}").out.splitlines()[0] for lang in ("zh-CN", "en")}
    where = f"{first['private']}.retired"
    since = listed(home)[0]["compromised_at"]
    assert lines["zh-CN"] == f"  {first['kid']} ES256 test 已泄露 {since} {where}"
    assert lines["en"] == f"  {first['kid']} ES256 test compromised {since} {where}"
    for lang, begins, names in (
        ("zh-CN", "无法判定凭证是否真实：", ("[key.compromised]", "窃取者", "known_at", "RFC 3161")),
        ("en", "Cannot tell whether it is genuine: ", ("[key.compromised]", "a thief", "known_at", "RFC 3161")),
    ):
        outcome = accord(home, "verify-receipt", "-", f"--lang={lang}", given=receipt)
        assert (outcome.code, outcome.errors) == (1, "")
        assert outcome.out.startswith(begins)
        assert all(name in outcome.out for name in names)
    help_text = "".join(accord(home, "keys", "compromised", "--help").out.split())
    for part in (
        "不能撤回",
        "不论自称何时签发",
        "JWKS",
        "cannot be taken back",
        "whatever time it names",
        "rotated first",
    ):
        assert "".join(part.split()) in help_text


def test_a_list_and_a_log_receipt_by_a_compromised_key_are_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "r.jws").write_text(receipt_of(home))
    service = open_service(settings_at(home))
    view = service.get("/v1/credentials", {"limit": "1"}).json()["data"][0]
    place = service.get(f"/v1/credentials/{view['id']}").json()["status_list"]
    listing = service.get(place["uri"]).text
    service.node.reader.close()
    check = ("status", "check", "--index", str(place["index"]))
    assert accord(home, *check, given=listing).code in (0, 1)
    (first,) = listed(home)
    assert accord(home, "keys", "rotate").code == 0
    assert accord(home, "keys", "compromised", first["kid"]).code == 0
    outcome = accord(home, *check, given=listing)
    assert (outcome.code, "key.compromised" in outcome.out) == (3, True)
    assert_refused(accord(home, "log", "verify", "--receipt", str(tmp_path / "r.jws")), "declared compromised", code=2)
    (home / "keys" / "active").write_text(f"{first['kid']}\n")
    for command in (("serve",), ("serve", "--workers=2"), ("recognize", *RECOGNIZED), ("keys", "rotate")):
        assert_refused(accord(home, *command), first["kid"], "accord keys generate --activate")
    assert accord(home, "keys", "generate", "--activate").code == 0
    assert accord(home, "verify-receipt", "-", given=receipt_of(home)).code == 0


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
    told = "".join(accord(tmp_path / "home", "keys", "retire", "--help").out.split())
    for part in ("*.retired", "不再用它签名", "JWKS", "never signs", "stays in the JWKS", "rotate first"):
        assert "".join(part.split()) in told
