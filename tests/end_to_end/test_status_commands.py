"""`accord status check`: a saved list decides offline, and whatever it does not show is never "valid"."""

import json
import time
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.shell import Outcome, Server, accord, assert_refused, serving


def shown(server: Server, status: str) -> tuple[str, int]:
    """The list and index of some credential with a status."""
    listed = httpx.get(f"{server.base}/v1/credentials", params={"status": status, "limit": "1"}).json()["data"][0]
    place = httpx.get(f"{server.base}/v1/credentials/{listed['id']}").json()["status_list"]
    return place["uri"], place["index"]


def check(server: Server, list_text: str, index: int, *more: str) -> Outcome:
    return accord(server.home, "status", "check", "--index", str(index), *more, given=list_text)


@pytest.mark.parametrize(
    ("status", "code", "chinese", "english"),
    [("valid", 0, "有效", "Valid"), ("revoked", 1, "无效", "Invalid"), ("suspended", 1, "暂停", "Suspended")],
)
def test_a_list_is_fetched_and_asked(server: Server, status: str, code: int, chinese: str, english: str) -> None:
    uri, index = shown(server, status)
    assert uri.startswith(f"{server.base}/v1/status-lists/")
    listing = httpx.get(uri).text
    for more, word in ((("--uri", uri), chinese), (("--lang", "en"), english)):
        outcome = check(server, listing, index, *more)
        assert (outcome.code, outcome.errors) == (code, "")
        assert outcome.out.splitlines()[0].startswith(word)
        assert str(index) in outcome.out
    told = json.loads(check(server, listing, index, "--json").out)
    wanted = {"valid": "valid", "revoked": "invalid"}.get(status, status)
    assert (told["status"], told["index"], told["uri"], told["livemode"]) == (wanted, index, uri, False)
    one_bit = httpx.get(uri.replace("2bit", "1bit")).text
    assert check(server, one_bit, index).code == code
    assert json.loads(check(server, one_bit, index, "--json").out)["status"] == ("valid" if code == 0 else "invalid")


def test_a_file_and_keys_from_elsewhere(server: Server, prepared: Path, tmp_path: Path) -> None:
    uri, index = shown(server, "revoked")
    saved, keys = tmp_path / "list", tmp_path / "keys.json"
    saved.write_text(httpx.get(uri).text + "\n", encoding="ascii")
    keys.write_text(httpx.get(f"{server.base}/.well-known/jwks.json").text, encoding="ascii")
    nowhere = tmp_path / "nowhere"
    arguments = ("status", "check", str(saved), "--index", str(index))
    assert accord(nowhere, *arguments, "--jwks", str(keys)).code == 1
    # Keys of another node: genuine there, unknown here.
    outcome = accord(prepared, *arguments)
    assert (outcome.code, outcome.out.startswith("无法判定：")) == (3, True)
    assert "key.unknown" in outcome.out
    assert_refused(accord(nowhere, *arguments), str(nowhere))
    assert_refused(accord(nowhere, *arguments, "--jwks", str(tmp_path / "absent")), "absent", code=2)
    assert_refused(accord(server.home, "status", "check", str(tmp_path / "absent"), "--index", "1"), "absent", code=2)


def test_what_is_not_shown_is_never_valid(server: Server) -> None:
    uri, index = shown(server, "valid")
    listing, now = httpx.get(uri).text, int(time.time())
    past = httpx.get(uri, params={"time": "1600000000"}).text
    receipt = httpx.get(
        f"{server.base}/v1/recognitions",
        params={"type": "food-operation-licence", "number": "x", "jurisdiction": "CN-SC", "purpose": "premises.trade"},
    ).json()["receipt"]
    for text, more, code in (
        (listing, ("--index", str(1 << 20)), "status_list.index"),
        (listing, ("--time", str(now + 3 * 86_400)), "status_list.expired"),
        (listing, ("--time", "5"), "status_list.not_yet"),
        (listing, ("--uri", f"{uri}x"), "status_list.other"),
        (past, (), "status_list.expired"),
        (receipt, (), "jws.type_wrong"),
        (listing[:-40] + ("A" if listing[-40] != "A" else "B") + listing[-39:], (), "signature.wrong"),
        (listing[: len(listing) // 2], (), "jws.malformed"),
        ("", (), "jws.malformed"),
        ("有效", (), "jws.malformed"),
        ("x" * (2 << 20), (), "jws.malformed"),
    ):
        outcome = check(server, text, index, *more)
        assert (outcome.code, outcome.errors) == (3, ""), (code, outcome)
        assert f"[{code}]" in outcome.out
        told = json.loads(check(server, text, index, *more, "--json").out)
        assert (told["status"], told["code"]) == (None, code)
    assert check(server, past, index, "--time", "1600000000").code == 0


@pytest.mark.parametrize("arguments", [(), ("--index", "-1"), ("--index", "x"), ("--index", "1", "--time", "-1")])
def test_a_mistake_in_the_command_is_one(home: Path, arguments: tuple[str, ...]) -> None:
    outcome = accord(home, "status", "check", *arguments, given="")
    assert (outcome.code, outcome.out) == (2, "")


def test_worker_processes_serve_the_same_lists(home: Path, tmp_path: Path) -> None:
    """Whichever of them answers, and after a restart: the same claims under the same tag, and the same index."""

    def asked(folder: Path, log: Path) -> tuple[set[str], set[str], int]:
        with serving(folder, log, "serve", "--workers", "2", ACCORD_PUBLIC_URL="https://accord.test") as running:
            listed = httpx.get(f"{running.base}/v1/credentials", params={"status": "revoked"}).json()["data"][0]
            place = httpx.get(f"{running.base}/v1/credentials/{listed['id']}").json()["status_list"]
            address = place["uri"].replace("https://accord.test", running.base)
            answers = [httpx.get(address, headers={"Connection": "close"}) for _ in range(12)]
            tags = {answer.headers["etag"] for answer in answers}
            verdicts = {
                accord(folder, "status", "check", "--index", str(place["index"]), "--uri", place["uri"], given=text).out
                for text in {answer.text for answer in answers}
            }
            return tags, verdicts, place["index"]

    first = asked(home, tmp_path / "first")
    again = asked(home, tmp_path / "again")
    assert first == again
    assert (len(first[0]), len(first[1])) == (1, 1)
