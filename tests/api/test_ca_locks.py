"""CA locks over HTTP: who signed the challenge, whether that counts here, and what the receipt keeps of it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from app import clock
from registry.canonical import canonical_json, digest
from tests.api.lock_place import GOOD, Place, check, open_place
from tests.api.service import CHECKS, JSON, LANGUAGES, assert_problem, is_instant
from tests.support.lock_world import (
    COMPROMISED,
    COMPROMISED_SINCE,
    DAY,
    HELD,
    PLATFORM,
    PURPOSE,
    REVOKED,
    STRICT,
    VERIFICATIONS,
    LockWorld,
    claims_of,
    codes,
    text_of,
)
from tests.support.pki import ENCRYPTION_USAGE, Issued, unit, uscc
from tests.support.unsafe_sm2 import Key, signature_raw


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("locks")) as opened:
        yield opened


# Challenges


def test_a_challenge_says_for_whom_for_what_and_until_when(place: Place) -> None:
    before = clock.now()
    given = place.client.challenge()
    expires_at = datetime.fromisoformat(given.expires_at)
    assert timedelta(minutes=5) <= expires_at - before <= timedelta(minutes=6)
    head, _, statement = given.to_be_signed.partition(b"\n")
    assert head == b"accord-challenge-v1"
    nonce = re.search(rb'"nonce":"([A-Za-z0-9_-]{20,})"', statement)
    assert nonce is not None
    expected = {
        "challenge_id": given.id,
        "nonce": nonce[1].decode(),
        "relying_party": PLATFORM,
        "purpose": PURPOSE,
        "issuer": "urn:accord:test",
        "expires_at": given.expires_at,
    }
    assert statement == canonical_json(expected)


def test_no_two_challenges_are_alike(place: Place) -> None:
    given = [place.client.challenge() for _ in range(50)]
    assert len({entry.id for entry in given}) == len({entry.to_be_signed for entry in given}) == 50


def test_answers_are_kept_by_nobody_on_the_way(place: Place) -> None:
    asked = {"purpose": PURPOSE, "relying_party": PLATFORM}
    for response in (
        place.service.post("/v1/ca/challenges", asked),
        place.client.try_lock(place.world.lock().signing),
    ):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["content-type"] == "application/json"
        assert "Accept-Language" in response.headers["vary"]


def test_neither_address_is_read(place: Place) -> None:
    for address in ("/v1/ca/challenges", VERIFICATIONS):
        for method in ("GET", "PUT", "DELETE"):
            response = place.service.request(method, address, headers=JSON)
            assert_problem(response, 405, "route.method_not_allowed")
            assert response.headers["allow"] == "POST"


# Recognised


def test_a_lock_that_counts_is_recognized_with_everything_it_rests_on(place: Place) -> None:
    world, client = place.world, place.client
    shown, authority = world.lock(number=7).signing, world.authorities["sichuan"]
    response = client.try_lock(shown)
    answer = response.json()
    assert codes(response) == GOOD
    assert [entry["name"] for entry in answer["checks"]] == CHECKS
    assert {entry["name"]: entry["result"] for entry in answer["checks"]} == {
        **dict.fromkeys(CHECKS, "passed"),
        "subject": "skipped",
    }
    assert answer["certificate"] == {
        "subject": "C=CN, ST=重庆, O=测试建设7有限公司, CN=测试建设7有限公司, serialNumber=" + uscc(7),
        "uscc": uscc(7),
        "serial": f"{shown.serial:X}",
        "issuer": "C=CN, O=四川测试CA有限公司, CN=四川测试CA",
        "fingerprint": digest(shown.der),
        "algorithm": "sm2",
        "key_usage": ["digitalSignature", "nonRepudiation"],
        "use": "signing",
        "not_before": instant(world.now - 365 * DAY),
        "not_after": instant(world.now + 365 * DAY),
        "pair": None,
    }
    assert [(step["fingerprint"], step["trust_anchor"]) for step in answer["path"]] == [
        (digest(authority.chain[0]), "test-sichuan"),
        (digest(authority.chain[1]), "test-root"),
    ]
    assert answer["agreement"]["id"] == "test-list-sc"
    assert answer["livemode"] is False
    assert is_instant(answer["evaluated_at"])
    assert answer["request_id"] == response.headers["x-request-id"]


def instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_the_receipt_verifies_and_holds_what_the_lock_was_judged_by(place: Place) -> None:
    world, client = place.world, place.client
    shown, given = world.lock().signing, client.challenge()
    answer = client.verify(client.answered(given, shown)).json()
    report = place.service.post("/v1/receipts/verifications", {"receipt": answer["receipt"]}).json()
    assert (report["genuine"], report["code"]) == (True, None)
    claims = report["claims"]
    lists = world.crl("sichuan", world.listed()), world.crl("root", next_update=world.now + 2 * DAY)
    assert claims["lock"]["certificate"] == digest(shown.der)
    assert claims["lock"]["path"] == [digest(entry) for entry in (shown.der, *world.authorities["sichuan"].chain)]
    assert claims["lock"]["revocation_lists"] == sorted(digest(entry) for entry in lists)
    assert claims["lock"]["signed"] == digest(given.to_be_signed)
    assert claims["query"]["credential"]["certificate"] == digest(shown.der)
    assert (claims["query"]["relying_party"], claims["query"]["purpose"]) == (PLATFORM, PURPOSE)
    assert (claims["decision"], claims["livemode"]) == ("recognized", False)
    assert claims["time_source"] == "asserted"
    assert claims["digests"]["trust_anchor"].startswith("sha256:")
    assert claims["digests"]["algorithm_policy"].startswith("sha256:")
    rested = {entry["name"]: entry["evidence"] for entry in answer["checks"]}
    assert rested["path"] == claims["lock"]["path"]
    assert rested["status"] == rested["freshness"] == claims["lock"]["revocation_lists"]
    assert rested["issuer"] == rested["agreement"] == [claims["agreement"]["digest"]]
    assert rested["format"] == rested["signature"] == rested["scope"] == [digest(shown.der)]
    assert rested["subject"] == []


def test_an_answer_is_fresh_until_the_first_of_its_lists_ends(place: Place) -> None:
    """The root's list ends in two days, the authority's in seven."""
    answer = place.client.try_lock(place.world.lock().signing).json()
    assert answer["fresh_until"] == instant(place.world.now + 2 * DAY)


def test_every_kind_of_key_serves(place: Place) -> None:
    locks = [
        *(place.world.lock("rsa", kind=kind) for kind in ("rsa-2048", "rsa-3072", "p-256", "sm2")),
        *(place.world.lock("sichuan", kind=kind) for kind in ("sm2", "rsa-2048", "p-384", "ed25519")),
    ]
    for lock in locks:
        answer = place.client.try_lock(lock.signing)
        assert codes(answer) == GOOD, lock.signing.key.kind
        assert answer.json()["certificate"]["algorithm"] == lock.signing.key.kind.partition("-")[0].replace("p", "ec")


@pytest.mark.parametrize("kind", ["sm2", "p-256", "p-384"])
def test_der_and_bare_numbers_are_the_same_signature(place: Place, kind: str) -> None:
    client, shown = place.client, place.world.lock(kind=kind).signing
    size = 48 if kind == "p-384" else 32
    for shape in ("der", "raw"):
        given = client.challenge()
        signature = shown.key.sign(given.to_be_signed)
        if shape == "raw":
            signature = signature_raw(signature) if size == 32 else wide(signature)
            assert len(signature) == 2 * size
        assert codes(client.verify(client.answered(given, shown, signature=text_of(signature)))) == GOOD


def wide(signature: bytes) -> bytes:
    """r‖s of P-384."""
    r, s = decode_dss_signature(signature)
    return r.to_bytes(48, "big") + s.to_bytes(48, "big")


def test_a_chain_that_came_along_serves_as_a_step_and_is_trusted_for_nothing(place: Place) -> None:
    world, client = place.world, place.client
    unknown = world.authorities["sichuan"].subordinate("四川测试二级CA")
    shown = unknown.issue(world.spec(unit()))
    assert codes(client.try_lock(shown)) == ("not_recognized", "path.no_anchor")
    answer = client.try_lock(shown, chain=[text_of(unknown.certificate)])
    assert "path.no_anchor" not in codes(answer)
    assert [step["fingerprint"] for step in answer.json()["path"]] == [digest(entry) for entry in unknown.chain]
    foreign = world.authorities["foreign"]
    chain = [text_of(entry) for entry in foreign.chain]
    assert codes(client.try_lock(world.lock("foreign").signing, chain=chain)) == ("not_recognized", "path.no_anchor")


# Each reason


def flipped(data: bytes, place: int = -1, bit: int = 0) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)


def ended(world: LockWorld) -> Issued:
    return world.lock(not_after=world.now - 10 * DAY).signing


def rsa(world: LockWorld, **changes: Any) -> Issued:
    return world.lock("rsa", kind="rsa-2048", **changes).signing


REASONS: dict[str, tuple[Callable[[LockWorld], Issued], dict[str, Any], str, str, str]] = {
    "expired": (ended, {}, "validity", "failed", "validity.expired"),
    "not yet": (lambda w: w.lock(not_before=w.now + DAY).signing, {}, "validity", "failed", "validity.not_yet"),
    "revoked": (lambda w: w.lock(number=REVOKED).signing, {}, "status", "failed", "status.revoked"),
    "on hold": (lambda w: w.lock(number=HELD).signing, {}, "status", "failed", "status.suspended"),
    "compromised": (lambda w: w.lock(number=COMPROMISED).signing, {}, "status", "failed", "status.revoked"),
    "RSA of 1024 bits": (
        lambda w: w.lock("rsa", kind="rsa-1024").signing,
        {},
        "format",
        "failed",
        "signature.algorithm_not_allowed",
    ),
    "SHA-1 in the certificate": (
        lambda w: w.lock("weak", kind="rsa-2048").signing,
        {},
        "format",
        "failed",
        "signature.algorithm_not_allowed",
    ),
    "encryption certificate": (lambda w: w.lock().encryption, {}, "scope", "failed", "key_usage.wrong"),
    "foreign authority": (lambda w: w.lock("foreign").signing, {}, "path", "failed", "path.no_anchor"),
    "forged certificate": (
        lambda w: w.lock(signed_by=Key("sm2", "intruder")).signing,
        {},
        "path",
        "failed",
        "path.invalid",
    ),
    "not on the list there": (
        lambda w: w.lock().signing,
        {"jurisdiction": "CN-CQ"},
        "issuer",
        "failed",
        "issuer.not_accepted",
    ),
    "left the list": (lambda w: w.lock("left").signing, {}, "issuer", "failed", "issuer.not_accepted"),
    "not yet on the list": (lambda w: w.lock("coming").signing, {}, "issuer", "failed", "issuer.not_accepted"),
    "no revocation list": (lambda w: w.lock("silent").signing, {}, "freshness", "indeterminate", "revocation.missing"),
    "old revocation list": (lambda w: w.lock("stale").signing, {}, "freshness", "indeterminate", "revocation.stale"),
    "another holder": (
        lambda w: w.lock().signing,
        {"expected_subject": {"uscc": uscc(2)}},
        "subject",
        "failed",
        "subject.mismatch",
    ),
    "another name": (
        lambda w: w.lock().signing,
        {"expected_subject": {"uscc": uscc(1), "name": "别家公司"}},
        "subject",
        "failed",
        "subject.mismatch",
    ),
    "unknown challenge": (
        lambda w: w.lock().signing,
        {"challenge_id": "chal_7E57"},
        "signature",
        "failed",
        "challenge.unknown",
    ),
    "another platform": (
        lambda w: w.lock().signing,
        {"relying_party": "other"},
        "signature",
        "failed",
        "challenge.mismatch",
    ),
    "another purpose": (
        lambda w: w.lock().signing,
        {"purpose": "bidding.sign"},
        "signature",
        "failed",
        "challenge.mismatch",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_speaks_against_a_lock_has_its_own_reason(place: Place, name: str) -> None:
    make, members, failing, result, code = REASONS[name]
    shown = make(place.world)
    answers = {language: place.client.try_lock(shown, language, **members) for language in LANGUAGES}
    for language, response in answers.items():
        decision, *reasons = codes(response)
        answer = response.json()
        assert decision == ("not_recognized" if result == "failed" else "indeterminate")
        assert (check(answer, failing)["result"], check(answer, failing)["code"]) == (result, code)
        assert reasons[0] == code
        assert answer["reasons"][0]["remedy"]
        assert response.headers["content-language"] == language
        if result == "failed":
            assert [entry["name"] for entry in answer["checks"] if entry["result"] == "failed"] == [failing]
    messages = {check(response.json(), failing)["message"] for response in answers.values()}
    assert len(messages) == 2
    claims = claims_of(answers["en"].json()["receipt"])
    assert (claims["decision"], claims["reasons"][0]) == (codes(answers["en"])[0], code)


def test_the_holder_who_is_expected(place: Place) -> None:
    shown = place.world.lock(number=5).signing
    expected = {"uscc": uscc(5), "name": "测试建设5有限公司"}
    answer = place.client.try_lock(shown, expected_subject=expected)
    assert codes(answer) == GOOD
    assert check(answer.json(), "subject")["result"] == "passed"


def test_an_encryption_certificate_fits_what_it_is_for(place: Place) -> None:
    """Both certificates of a lock fit one kind of purpose each; the key that may encrypt answers for decryption."""
    client = replace(place.client, purpose="bidding.decrypt")
    assert codes(client.try_lock(place.world.lock().encryption)) == GOOD
    assert codes(client.try_lock(place.world.lock().signing)) == ("not_recognized", "key_usage.wrong")
    both = (*ENCRYPTION_USAGE, "digitalSignature")
    assert codes(client.try_lock(place.world.lock(key_usage=both).signing)) == GOOD
    assert codes(place.client.try_lock(place.world.lock(key_usage=both).signing)) == GOOD


def test_a_platform_with_a_list_of_its_own_goes_by_that(place: Place) -> None:
    client = replace(place.client, relying_party=STRICT)
    assert codes(client.try_lock(rsa(place.world))) == GOOD
    assert codes(client.try_lock(place.world.lock().signing)) == ("not_recognized", "issuer.not_accepted")
    there = replace(client, jurisdiction="CN-CQ")
    assert codes(there.try_lock(place.world.lock("chongqing").signing)) == GOOD


def test_an_anchor_for_bidding_serves_no_government_seal(place: Place) -> None:
    client = replace(place.client, purpose="government.seal")
    decision, *reasons = codes(client.try_lock(place.world.lock().signing))
    assert (decision, reasons[0]) == ("not_recognized", "path.no_anchor")


@pytest.mark.parametrize(
    ("number", "days", "expected"),
    [
        (REVOKED, 20, ("not_recognized", "status.revoked")),
        (REVOKED, 40, GOOD),
        (HELD, 20, ("not_recognized", "status.suspended")),
        (HELD, 40, GOOD),
        # Nothing proves that a signature came before the key was out.
        (COMPROMISED, 40, ("indeterminate", "revocation.stale")),
        (COMPROMISED_SINCE, 40, ("not_recognized", "status.revoked")),
        (COMPROMISED_SINCE, 60, ("indeterminate", "revocation.stale")),
    ],
)
def test_status_is_judged_at_the_instant_asked_about(
    place: Place, number: int, days: int, expected: tuple[str, ...]
) -> None:
    at = place.world.now - days * DAY
    shown = place.world.lock(number=number).signing
    assert codes(place.client.try_lock(shown, valid_at=at.isoformat())) == expected


def test_a_lock_that_expired_was_good_before(place: Place) -> None:
    past = (place.world.now - 12 * DAY).isoformat()
    assert codes(place.client.try_lock(ended(place.world), valid_at=past)) == GOOD


def test_an_authority_that_left_the_list_was_accepted_before(place: Place) -> None:
    shown = place.world.lock("left").signing
    before, after = (place.world.now - days * DAY for days in (31, 29))
    assert codes(place.client.try_lock(shown, valid_at=before.isoformat())) == GOOD
    assert codes(place.client.try_lock(shown, valid_at=after.isoformat())) == ("not_recognized", "issuer.not_accepted")


def test_a_past_instant_makes_no_algorithm_better(place: Place) -> None:
    """SHA-1 was still relied on in 2016; whoever signs now signs now."""
    shown = place.world.lock("weak", kind="rsa-2048", not_before=datetime.fromisoformat("2015-01-01T00:00Z")).signing
    _, *reasons = codes(place.client.try_lock(shown, valid_at="2019-06-01T00:00:00Z"))
    assert "signature.algorithm_not_allowed" in reasons


def test_the_gravest_reason_comes_first(place: Place) -> None:
    revoked = place.world.lock(number=REVOKED).signing
    wrong = text_of(bytes(64))
    answer = place.client.try_lock(revoked, signature=wrong, expected_subject={"uscc": uscc(2)}, jurisdiction="CN-CQ")
    decision, *reasons = codes(answer)
    assert decision == "not_recognized"
    assert reasons == ["status.revoked", "signature.wrong", "issuer.not_accepted", "subject.mismatch"]


# Bits


@settings(max_examples=60, deadline=None)
@given(place_in=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_signature(place: Place, place_in: int, bit: int) -> None:
    client, shown = place.client, place.world.lock().signing
    asked = client.challenge()
    signature = shown.key.sign(asked.to_be_signed)
    request = client.answered(asked, shown, signature=text_of(flipped(signature, place_in % len(signature), bit)))
    assert codes(client.verify(request)) == ("not_recognized", "signature.wrong")
    assert codes(client.verify(client.answered(asked, shown))) == GOOD


@settings(max_examples=150, deadline=None)
@given(place_in=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_certificate(place: Place, place_in: int, bit: int) -> None:
    client, shown = place.client, place.world.lock().signing
    changed = flipped(shown.der, place_in % len(shown.der), bit)
    response = client.try_lock(shown, certificate=text_of(changed))
    if response.status_code == 422:
        assert {fault["pointer"] for fault in response.json()["errors"]} == {"/certificate"}
        assert response.json()["code"] in {"query.certificate_malformed", "query.certificate_several"}
        return
    decision, *reasons = codes(response)
    assert decision == "not_recognized"
    assert {"path.invalid", "path.no_anchor", "signature.algorithm_not_allowed"} & set(reasons), reasons
    assert response.json()["certificate"]["fingerprint"] == digest(changed)


def test_a_changed_character_of_the_challenge_id(place: Place) -> None:
    client, shown, asked = place.client, place.world.lock().signing, place.client.challenge()
    right = client.answered(asked, shown)
    for where in range(len(asked.id)):
        other = "A" if asked.id[where] != "A" else "B"
        changed = asked.id[:where] + other + asked.id[where + 1 :]
        assert codes(client.verify(right | {"challenge_id": changed})) == ("not_recognized", "challenge.unknown"), where
    for changed in (asked.id + "=", asked.id + "\n", asked.id[:-1], asked.id.upper(), "chal_" + asked.id, asked.id[5:]):
        assert codes(client.verify(right | {"challenge_id": changed})) == ("not_recognized", "challenge.unknown")
    assert codes(client.verify(right)) == GOOD
