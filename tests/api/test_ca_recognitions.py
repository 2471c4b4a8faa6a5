"""A certificate instead of a number in the main question: all is judged but possession, and replayed byte for byte."""

import asyncio
import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from registry.canonical import unguarded_canonical_json
from registry.receipt import core
from tests.api.lock_place import Place, check, open_place, serving
from tests.api.service import CHECKS, LANGUAGES, assert_problem, is_instant
from tests.support import der_writer as der
from tests.support.lock_world import (
    DAY,
    HOUR,
    REVOKED,
    SEAL,
    STRICT,
    build_lock_world,
    claims_of,
    codes,
    text_of,
    written,
)
from tests.support.pki import Issued, person, unit, uscc

UNPROVEN = ("indeterminate", "signature.missing")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("locks")) as opened:
        yield opened


def question(shown: Issued, **members: Any) -> dict[str, Any]:
    """Whether this certificate counts for signing a bid in Sichuan, asked by nobody in particular."""
    reference = {"type": "ca-certificate", "certificate": text_of(shown)}
    return {"credential": reference, "jurisdiction": "CN-SC", "purpose": "bidding.sign"} | members


def naming(shown: Issued, **members: Any) -> dict[str, Any]:
    """The same with other members in the credential."""
    asked = question(shown)
    return asked | {"credential": asked["credential"] | members}


# Judged


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_bare_certificate_shows_no_possession_and_all_else_is_judged(place: Place, language: str) -> None:
    shown = place.world.lock(number=7).signing
    response = place.service.recognize(question(shown), language)
    answer = response.json()
    assert codes(response) == UNPROVEN
    assert {entry["name"]: entry["result"] for entry in answer["checks"]} == {
        **dict.fromkeys(CHECKS, "passed"),
        "signature": "indeterminate",
        "subject": "skipped",
    }
    assert answer["certificate"]["uscc"] == uscc(7)
    assert [step["trust_anchor"] for step in answer["path"]] == ["test-sichuan", "test-root"]
    assert answer["agreement"]["id"] == "test-list-sc"
    assert answer["reasons"][0]["remedy"]
    assert is_instant(answer["fresh_until"])
    assert response.headers["content-language"] == language


def test_its_receipt_is_genuine_and_says_that_nothing_was_signed(place: Place) -> None:
    shown = place.world.lock().signing
    receipt = place.service.recognize(question(shown)).json()["receipt"]
    assert place.service.post("/v1/receipts/verifications", {"receipt": receipt}).json()["genuine"] is True
    claims = claims_of(receipt)
    assert claims["lock"]["signed"] is None
    assert claims["lock"]["path"][0] == claims["query"]["credential"]["certificate"]
    assert claims["reasons"] == ["signature.missing"]
    assert text_of(shown)[:64] not in repr(claims)


def test_what_would_be_answered_today_cannot_be_said_without_the_certificate(place: Place) -> None:
    """The receipt holds a fingerprint: nobody gave a certificate that cannot be read."""
    receipt = place.service.recognize(question(place.world.lock().signing)).json()["receipt"]
    report = place.service.post("/v1/receipts/verifications", {"receipt": receipt}).json()
    assert report["genuine"] is True
    assert "query.certificate_malformed" not in [fault["code"] for fault in report["problem"] or []]


@pytest.mark.parametrize(
    ("number", "changes", "members", "code"),
    [
        (REVOKED, {}, {}, "status.revoked"),
        (1, {"days": -10}, {}, "validity.expired"),
        (1, {"authority": "foreign"}, {}, "path.no_anchor"),
        (1, {"authority": "left"}, {}, "issuer.not_accepted"),
        (1, {}, {"jurisdiction": "CN-CQ"}, "issuer.not_accepted"),
        (1, {}, {"relying_party": STRICT}, "issuer.not_accepted"),
        (1, {}, {"purpose": "bidding.decrypt"}, "key_usage.wrong"),
        (1, {}, {"expected_subject": {"uscc": uscc(2)}}, "subject.mismatch"),
    ],
)
def test_what_is_against_it_is_said_although_possession_is_open(
    place: Place, number: int, changes: dict[str, Any], members: dict[str, Any], code: str
) -> None:
    world = place.world
    dates = {"not_after": world.now + changes["days"] * DAY} if "days" in changes else {}
    shown = world.lock(changes.get("authority", "sichuan"), number, **dates).signing
    response = place.service.recognize(question(shown, **members))
    decision, first, *_ = codes(response)
    assert (decision, first) == ("not_recognized", code)
    assert check(response.json(), "signature")["code"] == "signature.missing"


def test_the_instant_asked_about_decides(place: Place) -> None:
    world = place.world
    revoked = world.lock(number=REVOKED).signing
    before = (world.now - 40 * DAY).isoformat()
    assert codes(place.service.recognize(question(revoked, valid_at=before))) == UNPROVEN
    refused = place.service.recognize(question(revoked, valid_at=(clock.now() + DAY).isoformat()))
    assert_problem(refused, 422, "query.valid_at_in_future", "/valid_at")
    early = place.service.recognize(question(revoked, valid_at="0001-01-01T00:00:00Z"))
    assert codes(early)[0] == "not_recognized"


def test_where_only_platforms_have_lists_the_platform_has_to_be_named(place: Place) -> None:
    rsa = place.world.lock("rsa", kind="rsa-2048").signing
    for nobody in ({}, {"relying_party": "any other"}):
        response = place.service.recognize(question(rsa, purpose=SEAL, **nobody))
        assert codes(response) == ("indeterminate", "signature.missing", "facts.missing")
        assert check(response.json(), "issuer")["code"] == "facts.missing"
    assert codes(place.service.recognize(question(rsa, purpose=SEAL, relying_party=STRICT))) == UNPROVEN
    nowhere = place.service.recognize(question(rsa, purpose=SEAL, jurisdiction="CN-CQ"))
    assert codes(nowhere) == ("indeterminate", "signature.missing", "agreement.none")


def test_a_chain_comes_along(place: Place) -> None:
    below = place.world.authorities["sichuan"].subordinate("四川测试二级CA")
    shown = below.issue(place.world.spec(unit()))
    chain = [text_of(entry) for entry in below.chain]
    assert codes(place.service.recognize(naming(shown)))[:2] == ("not_recognized", "path.no_anchor")
    answer = place.service.recognize(naming(shown, chain=chain)).json()
    assert len(answer["path"]) == 3
    assert check(answer, "path")["result"] == "passed"


def test_a_person_is_not_named(place: Place) -> None:
    shown = place.world.issue(person(number=77))
    response = place.service.recognize(question(shown))
    assert codes(response) == UNPROVEN
    assert response.json()["credential"]["subject"] == {"kind": "person", "name": None, "uscc": None}
    assert "测试人员77" not in response.text


# Refused


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"number": "1A2B"}, "query.credential_named_twice", "/credential/certificate"),
        ({"number": "1A2B", "issuer": "cq-samr"}, "query.credential_named_twice", "/credential/certificate"),
        ({"id": "cred_x"}, "query.credential_named_twice", "/credential/certificate"),
        ({"issuer": "cq-samr"}, "query.member_missing", "/credential/number"),
        ({"type": None}, "query.member_missing", "/credential/type"),
        ({"type": "food-operation-licence"}, "query.purpose_unknown_for_type", "/purpose"),
        ({"type": "passport"}, "query.unknown_type", "/credential/type"),
        ({"certificate": "MIIB"}, "query.certificate_malformed", "/credential/certificate"),
        ({"certificate": 7}, "query.wrong_kind", "/credential/certificate"),
        ({"certificate": ["x"]}, "query.wrong_kind", "/credential/certificate"),
        ({"certificate": ""}, "query.certificate_malformed", "/credential/certificate"),
        ({"certificate": "\ud800"}, "query.certificate_malformed", "/credential/certificate"),
        ({"chain": "MIIB"}, "query.wrong_kind", "/credential/chain"),
        ({"chain": ["MIIB"]}, "query.certificate_malformed", "/credential/chain/0"),
        ({"chain": [None]}, "query.wrong_kind", "/credential/chain/0"),
        ({"chain": ["MIIB"] * 9}, "query.too_long", "/credential/chain"),
        ({"signature": "AAAA"}, "query.unknown_member", "/credential/signature"),
    ],
)  # fmt: skip
def test_a_certificate_that_cannot_be_asked_about(
    place: Place, members: dict[str, Any], code: str, pointer: str
) -> None:
    asked = written(naming(place.world.lock().signing, **members))
    chinese, english = (
        assert_problem(place.service.recognize(asked, language), 422, code, pointer) for language in LANGUAGES
    )
    assert chinese["detail"] != english["detail"]


def test_other_types_are_not_shown_as_certificates(place: Place) -> None:
    asked = naming(place.world.lock().signing, type="inspection-body-qualification")
    refused = place.service.recognize(asked | {"purpose": "report.acceptance"})
    assert_problem(refused, 422, "query.certificate_not_of_type", "/credential/certificate")


def test_a_chain_without_a_certificate_is_refused(place: Place) -> None:
    chain = [text_of(place.world.lock().signing)]
    asked = question(place.world.lock().signing) | {
        "credential": {"type": "ca-certificate", "number": "1A2B", "chain": chain}
    }
    assert_problem(place.service.recognize(asked), 422, "query.member_missing", "/credential/certificate")


def test_two_certificates_are_refused(place: Place) -> None:
    shown = place.world.lock().signing
    refused = place.service.recognize(naming(shown, certificate=shown.pem + shown.pem))
    assert_problem(refused, 422, "query.certificate_several", "/credential/certificate")


def test_a_link_never_takes_a_certificate(place: Place) -> None:
    shown = place.world.lock().signing
    link = {"type": "ca-certificate", "jurisdiction": "CN-SC", "purpose": "bidding.sign"}
    for name in ("certificate", "chain"):
        for value in (text_of(shown), base64.urlsafe_b64encode(shown.der).decode(), ""):
            refused = place.service.get("/v1/recognitions", link | {name: value})
            assert_problem(refused, 422, "query.unknown_parameter", f"/{name}")
            assert text_of(shown)[:64] not in refused.text


def test_a_lock_by_its_number_alone_is_not_shown(place: Place) -> None:
    """Nothing was read from a certificate then: the answer has neither its members nor a path."""
    shown = place.world.lock().signing
    asked = question(shown) | {"credential": {"type": "ca-certificate", "number": f"{shown.serial:X}"}}
    answer = place.service.recognize(asked).json()
    assert answer["decision"] in ("not_found", "indeterminate")
    assert "certificate" not in answer
    assert "path" not in answer


# Replay


def recorded(place: Place, asked: dict[str, Any], now: datetime) -> tuple[bytes, datetime]:
    """The core of the answer, byte for byte, and the instant up to which knowledge counted."""
    _, decision = asyncio.run(place.service.node.recognizer.recognize(asked, now))
    return unguarded_canonical_json(core(decision)), decision.query.known_at


def test_the_same_question_gives_the_same_core_after_new_lists_came_in(tmp_path: Path) -> None:
    """Revoked since, put on hold since, a newer list of the root: none was known when it was first asked."""
    world = build_lock_world(tmp_path / "home")
    locks = [world.lock(number=number).signing for number in (1, 2, 3, REVOKED)]
    instants = [world.now, world.now - 2 * HOUR, world.now - 12 * DAY, world.now - 40 * DAY]
    asked = [question(shown, valid_at=at.isoformat()) for shown in locks for at in instants]
    with serving(world) as before:
        first = [recorded(before, entry, clock.now()) for entry in asked]
        entries = (
            *world.listed(),
            locks[0].revoked(world.now - 20 * DAY),
            locks[1].revoked(world.now - 20 * DAY, reason="certificateHold"),
            locks[2].revoked(world.now - 20 * DAY, reason="keyCompromise", invalidity=world.now - 60 * DAY),
        )
        for minute in range(6):
            issued = world.now + timedelta(minutes=minute - 6)
            world.publish("sichuan", world.crl("sichuan", entries, this_update=issued))
        world.publish("root", world.crl("root", this_update=world.now, next_update=world.now + 9 * DAY))
        replayed = [
            recorded(before, entry | {"known_at": known_at.isoformat()}, clock.now())[0]
            for entry, (_, known_at) in zip(asked, first, strict=True)
        ]
        assert replayed == [answer for answer, _ in first]
        changed = [recorded(before, entry, clock.now())[0] for entry in asked]
    assert sum(b'"status.revoked"' in answer for answer in changed) > sum(b'"status.revoked"' in a for a, _ in first)
    with serving(world) as restarted:
        again = [
            recorded(restarted, entry | {"known_at": known_at.isoformat()}, clock.now())[0]
            for entry, (_, known_at) in zip(asked, first, strict=True)
        ]
    assert again == replayed


def test_a_running_node_takes_note_of_a_new_list(tmp_path: Path) -> None:
    world = build_lock_world(tmp_path / "home")
    shown = world.lock(number=5).signing
    with serving(world) as place:
        assert codes(place.service.recognize(question(shown))) == UNPROVEN
        world.publish("sichuan", world.crl("sichuan", (shown.revoked(world.now - DAY),), this_update=world.now))
        assert codes(place.service.recognize(question(shown)))[:2] == ("not_recognized", "status.revoked")


def test_what_was_not_yet_known_does_not_count(place: Place) -> None:
    """Two days ago the list of today was not there; the one before was out of force."""
    revoked = place.world.lock(number=REVOKED).signing
    known_at = (place.world.now - 2 * DAY).isoformat()
    answer = place.service.recognize(question(revoked, valid_at=known_at, known_at=known_at)).json()
    assert answer["decision"] == "indeterminate"
    assert check(answer, "freshness")["code"] == "revocation.stale"


def test_both_ways_to_write_it_are_one_question(place: Place) -> None:
    shown = place.world.lock().signing
    at = {"valid_at": place.world.now.isoformat(), "known_at": place.world.now.isoformat()}
    ways = (text_of(shown), shown.pem, base64.urlsafe_b64encode(shown.der).decode(), der.pem(shown.der))
    cores = {recorded(place, naming(shown, certificate=way) | at, clock.now())[0] for way in ways}
    assert len(cores) == 1
