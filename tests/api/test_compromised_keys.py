"""A signing key of the node that was stolen: what its thief dates back is believed until it is declared, then never."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.bootstrap import key_passphrase, open_node
from app.settings import Settings
from app.usecases.access_token import issue_token, read_token
from keys.custody import Signer, key_directory
from keys.errors import CustodyError
from keys.jws import sign_compact
from keys.key_ring import KeyRing
from registry.canonical import canonical_json
from registry.period import format_instant
from registry.receipt import RECEIPT_TYPE
from tests.api.lock_place import serving
from tests.api.service import LANGUAGES, RECOGNIZED, Service, assert_problem, stable
from tests.api.signing_desk import DAY, DOCUMENT, SigningDesk, message
from tests.api.test_openapi import assert_conforms
from tests.support.cms_writer import Signed
from tests.support.lock_world import LockWorld, build_lock_world, claims_of

JWKS, VERIFICATIONS, OBJECTIONS = "/.well-known/jwks.json", "/v1/receipts/verifications", "/v1/objections"


def rotate(settings: Settings) -> Signer:
    """Has a new key sign, and gives the former one: what its thief holds."""
    former = key_directory.load_active(settings.keys_path, "test", key_passphrase(settings))
    key_directory.create(settings.keys_path, "test", key_passphrase(settings), activate=True)
    return former


def declare(settings: Settings, key: Signer) -> int:
    at = int(clock.now().timestamp())
    key_directory.declare_compromised(settings.keys_path, key.kid, at)
    return at


@contextmanager
def desk_of(world: LockWorld) -> Iterator[SigningDesk]:
    """A node that is started anew."""
    with serving(world) as place:
        yield SigningDesk(place)


def dated(receipt: str, at: datetime, key: Signer) -> str:
    """What a thief makes of a receipt: the same answer as if it had been given then."""
    claims = claims_of(receipt) | {name: format_instant(at) for name in ("evaluated_at", "known_at", "valid_at")}
    return sign_compact(canonical_json(claims), key, RECEIPT_TYPE)


def signer(answer: dict[str, Any]) -> dict[str, Any]:
    (found,) = answer["signers"]
    return dict(found)


def test_a_receipt_dated_before_the_deadline_by_a_stolen_key_proves_until_it_is_declared(tmp_path: Path) -> None:
    world = build_lock_world(tmp_path / "home")
    stolen = rotate(world.settings)
    deadline = world.now - DAY
    octets = message(DOCUMENT, Signed(by=world.lock(number=5).signing))
    with desk_of(world) as desk:
        mine = desk.answer(octets)["receipt"]
        forged = dated(mine, deadline - DAY, stolen)
        evidence = [{"kind": "receipt", "value": forged}]
        believed = desk.answer(octets, deadline=deadline.isoformat(), evidence=evidence)
        assert (believed["decision"], signer(believed)["proven_time"]["kind"]) == ("recognized", "receipt")
    declare(world.settings, stolen)
    with desk_of(world) as desk:
        refused = desk.answer(octets, deadline=deadline.isoformat(), evidence=evidence)
        assert (refused["decision"], refused["reasons"][0]["code"]) == ("indeterminate", "signature.time_unproven")
        assert signer(refused)["proven_time"] is None
        (told,) = signer(refused)["evidence"]
        assert (told["kind"], told["code"]) == ("receipt", "key.compromised")
        assert stolen.kid in told["detail"]
        # An answer that rested on it is ours, and its time is not to be relied on.
        report = desk.place.service.post(VERIFICATIONS, {"receipt": believed["receipt"]}).json()
        assert report["genuine"] is True
        assert [problem["code"] for problem in report["problem"]] == [
            "receipt.rests_on_compromised",
            "document.needed",
        ]
        # A receipt by a good key goes on to prove, also beside the other.
        later = (clock.now() + DAY).isoformat()
        for given in ([mine], [forged, mine]):
            pieces = [{"kind": "receipt", "value": value} for value in given]
            proven = desk.answer(octets, deadline=later, evidence=pieces)
            assert (proven["decision"], signer(proven)["proven_time"]["kind"]) == ("recognized", "receipt")
            assert signer(proven)["proven_time"]["instant"] == claims_of(mine)["evaluated_at"]


def test_the_key_set_says_which_key_is_compromised(copied: Settings, opened: Callable[..., Service]) -> None:
    before = opened(copied).get(JWKS)
    (first,) = before.json()["keys"]
    stolen = rotate(copied)
    at = declare(copied, stolen)
    service = opened(copied)
    declared, good = service.get(JWKS).json()["keys"]
    assert declared == first | {"revoked": {"revoked_at": at, "reason": "compromised"}}
    assert "revoked" not in good
    assert_conforms(service.get("/openapi.json").json(), "Jwks", service.get(JWKS).json())
    assert service.get(JWKS).json() == json.loads((copied.keys_path / "jwks.json").read_bytes())
    # A node without such a key publishes what it always did.
    assert before.content == json.dumps({"keys": [first]}, separators=(",", ":")).encode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_receipt_by_it_is_not_shown_to_be_genuine(
    copied: Settings, opened: Callable[..., Service], language: str
) -> None:
    service = opened(copied)
    answer = service.recognize(RECOGNIZED, "zh-CN").json()
    declare(copied, rotate(copied))
    again = opened(copied)
    report = again.post(VERIFICATIONS, {"receipt": answer["receipt"]}, language).json()
    assert (report["genuine"], report["code"]) == (False, "key.compromised")
    assert_conforms(again.get("/openapi.json").json(), "ReceiptReport", report)
    for name in ("claims", "kid", "changed", "today"):
        assert report[name] is None
    (problem,) = report["problem"]
    assert (problem["pointer"], problem["code"]) == ("/receipt", "receipt.key_compromised")
    assert "known_at" in problem["detail"]
    # What it advises: the same question with the same instants has the same answer, by a good key.
    asked = RECOGNIZED | {"known_at": answer["known_at"]}
    replayed = again.recognize(asked, "zh-CN").json()
    assert stable(replayed) == stable(answer)
    assert again.post(VERIFICATIONS, {"receipt": replayed["receipt"]}).json()["genuine"] is True


def test_nothing_else_by_it_is_taken(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    receipt = service.recognize(RECOGNIZED).json()["receipt"]
    node, now = service.node, clock.now()
    key_id, _ = node.api_keys.make("测试", "auditor", None, now, None)
    principal = node.api_keys.named(key_id, now)
    assert principal is not None
    token = issue_token(principal, ("objections.read",), node.origin, node.signer, now)
    stolen = rotate(copied)
    assert read_token(token, node.api_keys, node.origin, opened(copied).node.ring, now) is not None
    declare(copied, stolen)
    later = opened(copied)
    assert read_token(token, node.api_keys, node.origin, later.node.ring, now) is None
    listed = later.get(OBJECTIONS, {"purpose": "测试"}, Authorization=f"Bearer {token}")
    assert listed.status_code == 401
    objection = {"receipt": receipt, "message": "测试", "contact": "测试"}
    assert_problem(later.post(OBJECTIONS, objection), 422, "receipt.key_compromised", "/receipt")


def test_a_poll_for_a_status_list_gets_one_by_the_new_key(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    view = service.get("/v1/credentials", {"status": "revoked", "limit": "1"}).json()["data"][0]
    address = service.get(f"/v1/credentials/{view['id']}").json()["status_list"]["uri"]
    before = service.get(address)
    declare(copied, rotate(copied))
    later = opened(copied)
    after = later.get(address, if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert kid_of(after.text) == later.node.signer.kid != kid_of(before.text)
    assert later.get(address, if_none_match=after.headers["etag"]).status_code == 304


def kid_of(token: str) -> str:
    header = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def test_a_node_does_not_start_with_a_compromised_key(copied: Settings) -> None:
    folder = copied.keys_path
    ring = key_directory.load_ring(folder)
    declared = KeyRing(keys=tuple(key.compromised(1) for key in ring.keys))
    (folder / "jwks.json").write_text(json.dumps(declared.jwks()))
    with pytest.raises(CustodyError, match="accord keys generate --activate") as caught:
        open_node(copied)
    assert caught.value.code == "key.compromised"
