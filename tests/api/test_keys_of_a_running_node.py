"""A node that goes on running while its keys are rotated, declared compromised, damaged and mended."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.settings import Settings
from app.signing_keys import LOOK_SECONDS
from app.usecases.access_token import issue_token, read_token
from keys.custody import key_directory
from keys.key_ring import KeyRing
from tests.api.service import RECOGNIZED, Service, assert_problem, stable
from tests.api.signing_desk import DAY, DOCUMENT, message
from tests.api.test_compromised_keys import (
    JWKS,
    OBJECTIONS,
    VERIFICATIONS,
    dated,
    declare,
    desk_of,
    kid_of,
    rotate,
    signer,
)
from tests.support.cms_writer import Signed
from tests.support.lock_world import build_lock_world

Passing = Callable[[], None]


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Passing:
    """Lets the time pass after which a node looks at its keys again; no more of it passes by itself."""
    now = [clock.monotonic()]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])

    def look_again() -> None:
        now[0] += LOOK_SECONDS

    return look_again


@pytest.fixture
def running(copied: Settings, opened: Callable[..., Service], passing: Passing) -> Service:
    """A service over a copy of the demonstration, at a time that stands still."""
    return opened(copied)


def report(service: Service, receipt: str) -> dict[str, Any]:
    response = service.post(VERIFICATIONS, {"receipt": receipt})
    assert response.status_code == 200, response.text
    return dict(response.json())


def assert_without_keys(service: Service, code: str) -> None:
    """No answer without a receipt, and the operator is told why."""
    assert_problem(service.recognize(RECOGNIZED), 503, "keys.unavailable")
    ready = service.get("/readyz")
    parts = {part["name"]: part for part in ready.json()["parts"]}
    assert (ready.status_code, parts["keys"]["detail"]) == (503, code)


def test_a_rotation_is_taken_up(copied: Settings, running: Service, passing: Passing) -> None:
    before = running.recognize(RECOGNIZED).json()
    former = rotate(copied)
    assert kid_of(running.recognize(RECOGNIZED).json()["receipt"]) == former.kid
    passing()
    after = running.recognize(RECOGNIZED | {"known_at": before["known_at"]}).json()
    first, second = running.get(JWKS).json()["keys"]
    assert (kid_of(before["receipt"]), kid_of(after["receipt"])) == (first["kid"], second["kid"])
    assert stable(after) == stable(before)
    assert [report(running, answer["receipt"])["genuine"] for answer in (before, after)] == [True, True]
    assert f"signing with {second['kid']}" in running.get("/readyz").text


def test_a_declaration_counts_at_once(copied: Settings, running: Service, passing: Passing) -> None:
    receipt = running.recognize(RECOGNIZED).json()["receipt"]
    node, now = running.node, clock.now()
    key_id, _ = node.api_keys.make("测试", "auditor", None, now, None)
    principal = node.api_keys.named(key_id, now)
    assert principal is not None
    token = issue_token(principal, ("objections.read",), node.origin, node.signer, now)
    listed = running.get("/v1/credentials", {"status": "revoked", "limit": "1"}).json()["data"][0]
    address = running.get(f"/v1/credentials/{listed['id']}").json()["status_list"]["uri"]
    kept = running.get(address)
    stolen = rotate(copied)
    at = declare(copied, stolen)
    passing()
    assert (report(running, receipt)["genuine"], report(running, receipt)["code"]) == (False, "key.compromised")
    published = {key["kid"]: key.get("revoked") for key in running.get(JWKS).json()["keys"]}
    assert published == {
        stolen.kid: {"revoked_at": at, "reason": "compromised"},
        running.node.signer.kid: None,
    }
    assert kid_of(running.recognize(RECOGNIZED).json()["receipt"]) == running.node.signer.kid != stolen.kid
    assert read_token(token, node.api_keys, node.origin, node.ring, now) is None
    assert running.get(OBJECTIONS, {"purpose": "测试"}, Authorization=f"Bearer {token}").status_code == 401
    objection = {"receipt": receipt, "message": "测试", "contact": "测试"}
    assert_problem(running.post(OBJECTIONS, objection), 422, "receipt.key_compromised", "/receipt")
    # Of a list that was built before, too: the token in memory is by the stolen key.
    fresh = running.get(address, if_none_match=kept.headers["etag"])
    assert (fresh.status_code, kid_of(kept.text), kid_of(fresh.text)) == (200, stolen.kid, running.node.signer.kid)


def test_nothing_by_the_stolen_key_is_given_out_again(tmp_path: Path, passing: Passing) -> None:
    """Neither for the identical answer to a challenge, nor as what a cache still has."""
    world = build_lock_world(tmp_path / "home")
    with desk_of(world) as desk:
        client, lock = desk.place.client, world.lock(number=5).signing
        request = client.answered(client.challenge(), lock)
        first, again = client.verify(request).json(), client.verify(request).json()
        assert first == again
        stolen = rotate(world.settings)
        passing()
        assert client.verify(request).json() == first, "a rotation takes nothing away"
        declare(world.settings, stolen)
        passing()
        anew = client.verify(request).json()
        assert (kid_of(first["receipt"]), kid_of(anew["receipt"])) == (stolen.kid, desk.place.service.node.signer.kid)
        assert (anew["decision"], anew["reasons"]) == (first["decision"], first["reasons"])
        assert report(desk.place.service, anew["receipt"])["genuine"] is True


def test_a_link_has_another_tag_once_another_key_signs(copied: Settings, running: Service, passing: Passing) -> None:
    asked = {
        "type": RECOGNIZED["credential"]["type"],
        "number": RECOGNIZED["credential"]["number"],
        **{name: value for name, value in RECOGNIZED.items() if isinstance(value, str)},
        "known_at": running.recognize(RECOGNIZED).json()["known_at"],
    }
    tag = running.get("/v1/recognitions", asked).headers["etag"]
    assert running.get("/v1/recognitions", asked, if_none_match=tag).status_code == 304
    rotate(copied)
    passing()
    fresh = running.get("/v1/recognitions", asked, if_none_match=tag)
    assert (fresh.status_code, kid_of(fresh.json()["receipt"])) == (200, running.node.signer.kid)


def test_a_receipt_as_evidence_is_refused_from_then_on(tmp_path: Path, passing: Passing) -> None:
    world = build_lock_world(tmp_path / "home")
    deadline = world.now - DAY
    octets = message(DOCUMENT, Signed(by=world.lock(number=5).signing))
    with desk_of(world) as desk:
        stolen = rotate(world.settings)
        forged = dated(desk.answer(octets)["receipt"], deadline - DAY, stolen)
        evidence = [{"kind": "receipt", "value": forged}]
        passing()
        believed = desk.answer(octets, deadline=deadline.isoformat(), evidence=evidence)
        assert (believed["decision"], kid_of(believed["receipt"]) == stolen.kid) == ("recognized", False)
        declare(world.settings, stolen)
        passing()
        refused = desk.answer(octets, deadline=deadline.isoformat(), evidence=evidence)
        assert (refused["decision"], refused["reasons"][0]["code"]) == ("indeterminate", "signature.time_unproven")
        (told,) = signer(refused)["evidence"]
        assert told["code"] == "key.compromised"
        assert [problem["code"] for problem in report(desk.place.service, believed["receipt"])["problem"]] == [
            "receipt.rests_on_compromised",
            "document.needed",
        ]


def test_the_active_key_signs_nothing_once_it_is_declared(copied: Settings, running: Service, passing: Passing) -> None:
    """The commands do not let it come to that; whoever writes the set by hand means it."""
    receipt = running.recognize(RECOGNIZED).json()["receipt"]
    folder = copied.keys_path
    declared = KeyRing(keys=tuple(key.compromised(1) for key in key_directory.load_ring(folder).keys))
    (folder / "jwks.json").write_text(json.dumps(declared.jwks()))
    passing()
    assert_without_keys(running, "key.compromised")
    assert_problem(running.get("/v1/recognitions", {"id": "x"}), 422, "query.member_missing", "/jurisdiction")
    (only,) = running.get(JWKS).json()["keys"]
    assert only["revoked"] == {"revoked_at": 1, "reason": "compromised"}
    assert report(running, receipt)["code"] == "key.compromised"
    rotate_from_nothing(copied)
    passing()
    assert kid_of(running.recognize(RECOGNIZED).json()["receipt"]) not in (only["kid"], None)
    assert running.get("/readyz").status_code == 200


def rotate_from_nothing(settings: Settings, passphrase: bytes | None = None) -> None:
    given = passphrase or (settings.keys_path / "passphrase").read_bytes().strip()
    key_directory.create(settings.keys_path, "test", given, activate=True)


def spoilt(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def removed(path: Path) -> None:
    path.unlink()


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("destroy", "code"),
    [(spoilt, "key.jwks_damaged"), (removed, "key.not_published"), (made_a_folder, "key.file_kind")],
)
def test_a_set_that_cannot_be_read_verifies_nothing(
    copied: Settings, running: Service, passing: Passing, destroy: Callable[[Path], None], code: str
) -> None:
    """It may say that a key is stolen: who does not know must not go by what he knew."""
    receipt = running.recognize(RECOGNIZED).json()["receipt"]
    path = copied.keys_path / "jwks.json"
    kept = path.read_bytes()
    destroy(path)
    passing()
    for _ in range(2):
        for response in (running.get(JWKS), running.post(VERIFICATIONS, {"receipt": receipt})):
            assert_problem(response, 503, "keys.unavailable")
        assert running.recognize(RECOGNIZED).status_code == 503
        passing()
    detail = {part["name"]: part["detail"] for part in running.get("/readyz").json()["parts"]}["keys"]
    assert detail in (code, "key.none_published")
    if path.is_dir():
        path.rmdir()
    path.write_bytes(kept)
    # The key stays open meanwhile: what opened it at the start may be gone.
    (copied.keys_path / "passphrase").unlink()
    passing()
    assert report(running, receipt)["genuine"] is True
    assert kid_of(running.recognize(RECOGNIZED).json()["receipt"]) == kid_of(receipt)


def test_a_set_from_before_a_declaration_is_not_taken(copied: Settings, running: Service, passing: Passing) -> None:
    receipt = running.recognize(RECOGNIZED).json()["receipt"]
    stolen = rotate(copied)
    path = copied.keys_path / "jwks.json"
    older = path.read_bytes()
    declare(copied, stolen)
    passing()
    assert report(running, receipt)["code"] == "key.compromised"
    path.write_bytes(older)
    passing()
    assert_without_keys(running, "key.declaration_lost")
    assert_problem(running.post(VERIFICATIONS, {"receipt": receipt}), 503, "keys.unavailable")
    declare(copied, stolen)
    passing()
    assert report(running, receipt)["code"] == "key.compromised"
    assert running.recognize(RECOGNIZED).status_code == 200


def test_a_new_key_that_does_not_open_is_no_reason_to_go_on_with_the_former(
    copied: Settings, running: Service, passing: Passing
) -> None:
    receipt = running.recognize(RECOGNIZED).json()["receipt"]
    rotate_from_nothing(copied, b"another passphrase than the node's")
    passing()
    assert_without_keys(running, "key.passphrase_wrong")
    # What was signed before can be verified all the same.
    assert report(running, receipt)["genuine"] is True
    key_directory.make_active(copied.keys_path, "test", kid_of(receipt))
    passing()
    assert kid_of(running.recognize(RECOGNIZED).json()["receipt"]) == kid_of(receipt)
