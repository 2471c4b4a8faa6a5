"""A receipt saved from the running service is checked without it: by us, by PyJWT, by joserfc, and by openssl alone."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from joserfc import jws
from joserfc.jwk import ECKey

from app.demonstration.commands import examples, link_parameters
from keys.jws import sign_compact
from tests.end_to_end.shell import PATIENCE, Outcome, Server, accord
from tests.support.requirements import require

TYPE = "recognition-receipt+jwt"


def ask(server: Server, **change: str) -> dict[str, Any]:
    """The first example, asked of the running service by link."""
    parameters = dict(text.split("=", 1) for text in link_parameters(examples()[0]["query"])) | change
    response = httpx.get(f"{server.base}/v1/recognitions", params=parameters)
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


@pytest.fixture
def saved(server: Server, tmp_path: Path) -> Path:
    """A folder with a receipt and the published keys."""
    (tmp_path / "r.jws").write_text(ask(server)["receipt"] + "\n")
    (tmp_path / "k.json").write_bytes(httpx.get(f"{server.base}/.well-known/jwks.json").content)
    return tmp_path


def verify_receipt(folder: Path, *more: str, **options: Any) -> Outcome:
    """Checks the saved receipt with no store, no keys of our own, and every address refusing."""
    options.setdefault("HTTPS_PROXY", "http://127.0.0.1:9")
    options.setdefault("HTTP_PROXY", "http://127.0.0.1:9")
    return accord(folder / "nothing", "verify-receipt", *more, cwd=folder, **options)


def key_of(folder: Path) -> dict[str, str]:
    keys: list[dict[str, str]] = json.loads((folder / "k.json").read_text())["keys"]
    (key,) = keys
    return key


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_saved_receipt_is_genuine(saved: Path) -> None:
    outcome = verify_receipt(saved, "r.jws", "--jwks", "k.json")
    assert (outcome.code, outcome.errors) == (0, "")
    assert key_of(saved)["kid"] in outcome.out
    assert "222220349001" in outcome.out
    assert not (saved / "nothing").exists()
    in_english = verify_receipt(saved, "r.jws", "--jwks", "k.json", "--lang=en")
    assert in_english.out.startswith("Genuine")
    assert "from a test store" in in_english.out


def test_a_receipt_from_standard_input_and_as_json(saved: Path) -> None:
    receipt = (saved / "r.jws").read_text()
    outcome = verify_receipt(saved, "-", "--jwks", "k.json", "--json", given=receipt)
    assert outcome.code == 0
    report = json.loads(outcome.out)
    assert set(report) == {"genuine", "kid", "code", "why", "claims", "unread", "notes"}
    assert (report["genuine"], report["unread"]) == (True, [])
    assert report["claims"] == json.loads(decoded(receipt.split(".")[1]))


def test_a_receipt_with_one_character_changed_is_not_genuine(saved: Path) -> None:
    """By the command at some places; the same function is held against every place in the tests of `keys`."""
    receipt = (saved / "r.jws").read_text().strip()
    places = [0, receipt.index(".") + 40, len(receipt) // 2, len(receipt) - 87, len(receipt) - 86, len(receipt) - 1]
    for place in places:
        changed = "A" if receipt[place] != "A" else "B"
        (saved / "changed.jws").write_text(receipt[:place] + changed + receipt[place + 1 :])
        outcome = verify_receipt(saved, "changed.jws", "--jwks", "k.json")
        assert (outcome.code, outcome.errors) == (1, ""), place
        assert len(outcome.out.splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff\xfe", b"x", b"a.b.c", b"." * 500_000, b"x" * 2_000_000])
def test_a_file_that_is_no_receipt(saved: Path, content: bytes) -> None:
    (saved / "other").write_bytes(content)
    outcome = verify_receipt(saved, "other", "--jwks", "k.json")
    assert (outcome.code, outcome.errors) == (1, "")
    assert "[jws.malformed]" in outcome.out


def test_a_receipt_by_another_key(saved: Path, prepared: Path) -> None:
    """Another demonstration's keys: genuine there, unknown here."""
    outcome = verify_receipt(saved, "r.jws", "--jwks", str(prepared / "keys" / "jwks.json"))
    assert outcome.code == 1
    assert "[key.unknown]" in outcome.out


def test_the_keys_of_the_node_serve_without_a_file(server: Server, saved: Path) -> None:
    outcome = accord(server.home, "verify-receipt", str(saved / "r.jws"))
    assert (outcome.code, outcome.errors) == (0, "")


def test_without_any_keys_it_is_not_said_to_be_false(saved: Path) -> None:
    outcome = verify_receipt(saved, "r.jws")
    assert (outcome.code, outcome.out) == (70, "")
    (line,) = outcome.errors.splitlines()
    assert str(saved / "nothing" / "keys") in line


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"{}",
        b"[]",
        b"null",
        b'"keys"',
        b'{"keys": []}',
        b'{"keys": [7]}',
        b'{"keys": {}}',
        b'{"keys": [{"kty": "EC"}]}',
        b'{"keys": [{"kty": "oct", "k": "AAAA"}]}',
    ],
)
def test_a_file_that_holds_no_keys(saved: Path, content: bytes) -> None:
    """Neither genuine nor false: a mistake in the command, told in one line that names the file."""
    (saved / "k.json").write_bytes(content)
    outcome = verify_receipt(saved, "r.jws", "--jwks", "k.json")
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.errors.splitlines()
    assert "k.json" in line


def test_a_file_that_is_not_there(saved: Path) -> None:
    for arguments in (("nowhere", "--jwks", "k.json"), ("r.jws", "--jwks", "nowhere"), (".", "--jwks", "k.json")):
        outcome = verify_receipt(saved, *arguments)
        assert (outcome.code, outcome.out) == (2, "")
        assert len(outcome.errors.splitlines()) == 1


def test_a_receipt_past_its_freshness_is_still_genuine(server: Server, saved: Path) -> None:
    """It says what was true then, for ever; a note says that the registers have moved on."""
    answer = ask(server, valid_at="2024-06-01T00:00:00+08:00", known_at="2024-06-01T00:00:00+08:00")
    assert answer["fresh_until"] < "2025"
    (saved / "old.jws").write_text(answer["receipt"])
    outcome = verify_receipt(saved, "old.jws", "--jwks", "k.json", "--lang=en")
    assert outcome.code == 0
    assert any(line.startswith("Note: what it says rested on registers") for line in outcome.out.splitlines())
    fresh = verify_receipt(saved, "r.jws", "--jwks", "k.json", "--lang=en")
    assert "rested on registers" not in fresh.out
    notes = json.loads(verify_receipt(saved, "old.jws", "--jwks", "k.json", "--json").out)["notes"]
    assert len(notes) == 2


def test_pyjwt_agrees(saved: Path) -> None:
    receipt = (saved / "r.jws").read_text().strip()
    header = jwt.get_unverified_header(receipt)
    assert header == {"alg": "ES256", "kid": key_of(saved)["kid"], "typ": TYPE}
    claims = jwt.decode(receipt, jwt.PyJWK(key_of(saved)), algorithms=["ES256"])
    assert claims["decision"] == "recognized"
    assert claims["iss"] == "urn:accord:test"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(receipt[:-4] + "AAAA", jwt.PyJWK(key_of(saved)), algorithms=["ES256"])


def test_joserfc_agrees(saved: Path) -> None:
    receipt = (saved / "r.jws").read_text().strip()
    found = jws.deserialize_compact(receipt, ECKey.import_key(key_of(saved)), algorithms=["ES256"])
    assert json.loads(found.payload)["decision"] == "recognized"


def test_openssl_agrees(saved: Path) -> None:
    """Nothing of ours takes part: a public key in PEM, the signed bytes, and the signature in DER."""
    openssl = shutil.which("openssl")
    require(openssl, "openssl")
    key, receipt = key_of(saved), (saved / "r.jws").read_text().strip()
    x, y = (int.from_bytes(decoded(key[name])) for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    spki = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (saved / "public").write_bytes(public.public_bytes(*spki))
    signed, _, signature = receipt.rpartition(".")
    r, s = (int.from_bytes(decoded(signature)[place : place + 32]) for place in (0, 32))
    (saved / "signature").write_bytes(utils.encode_dss_signature(r, s))

    def openssl_says(content: str) -> tuple[int, str]:
        (saved / "signed").write_text(content)
        command = [str(openssl), "dgst", "-sha256", "-verify", "public", "-signature", "signature", "signed"]
        done = subprocess.run(command, cwd=saved, capture_output=True, text=True, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout.strip()

    assert openssl_says(signed) == (0, "Verified OK")
    assert openssl_says(signed[:-1])[0] == 1


def test_a_token_of_another_kind_by_our_own_key_is_no_receipt(server: Server, saved: Path) -> None:
    from keys.custody import key_directory
    from keys.custody.passphrase import from_sources

    signer = key_directory.load_active(
        server.home / "keys", "test", from_sources(server.home / "keys" / "passphrase", None)
    )
    payload = decoded((saved / "r.jws").read_text().split(".")[1])
    (saved / "other.jws").write_text(sign_compact(payload, signer, "JWT"))
    outcome = verify_receipt(saved, "other.jws", "--jwks", "k.json")
    assert outcome.code == 1
    assert "[jws.type_wrong]" in outcome.out
    (saved / "claims.jws").write_text(sign_compact(b"{}", signer, TYPE))
    outcome = verify_receipt(saved, "claims.jws", "--jwks", "k.json")
    assert outcome.code == 1
    assert "[receipt.claims]" in outcome.out
    assert "不真实" not in outcome.out
