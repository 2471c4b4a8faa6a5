"""`POST /v1/ca/signatures` asked by somebody who wants a wrong yes, a name that is none of his business, or a crash."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.algorithms import sm2
from keys.algorithms.sm2.curve import message_digest, sm3
from tests.api.lock_place import check, open_place
from tests.api.service import assert_problem
from tests.api.signing_desk import DAY, DOCUMENT, SigningDesk, message, stamp, stamped, text
from tests.support import der_writer as der
from tests.support.cms_writer import DATA, Signed, signature_of
from tests.support.timestamps import Clock, clock_spec

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningDesk]:
    with open_place(tmp_path_factory.mktemp("attacks")) as place:
        yield SigningDesk(place)


def signer(answer: dict[str, Any], at: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = answer["signers"][at]
    return found


def told(answer: dict[str, Any], at: int = 0) -> list[str]:
    return [entry["code"] for entry in signer(answer, at)["evidence"]]


# What must not end in a failure of ours


@pytest.mark.parametrize("kind", ["sm3", "sm2-e"])
def test_a_scheme_that_is_not_of_the_certificates_key_is_a_wrong_signature(desk: SigningDesk, kind: str) -> None:
    rsa, other = desk.world.lock("rsa", kind="rsa-2048").signing, desk.world.lock().signing
    octets = message(None, Signed(by=rsa, attributes=False, signed_by=other.key), over=DOCUMENT)
    answer = desk.answer(octets, digest=text(bytes(32)), digest_kind=kind)
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("not_recognized", "signature.wrong")


def test_a_receipt_that_is_no_text_is_no_receipt(desk: SigningDesk) -> None:
    octets = message(DOCUMENT, Signed(by=desk.world.lock().signing))
    answer = desk.answer(octets, evidence=[{"kind": "receipt", "value": "\ud800.é.\U0001f512"}])
    assert told(answer) == ["jws.malformed"]


_TEXTS = st.one_of(
    st.text(st.characters(), max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "\ud800",
            "sm2-e",
            "sm3",
            "raw",
            "cms",
            "receipt",
            "timestamp",
            "ocsp",
            "AAAA",
            "0001-01-01T00:00:00Z",
        ]
    ),
    st.sampled_from(["9999-12-31T23:59:59.9999999Z", "2026-01-01T00:00:00-24:00", "-----BEGIN A-----", "e30.e30.e30"]),
)
_NAMES = ["kind", "value", "unit", "legal_representative", "same_subject", "deadline_ms", "uscc", "name"]
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), _TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(_NAMES), _TEXTS), inner, max_size=3)
    ),
    max_leaves=6,
)
_MEMBERS = [
    *("content", "digest", "digest_kind", "signature", "signature_format", "certificate", "chain", "evidence"),
    *("requirement", "deadline", "fetch", "jurisdiction", "purpose", "relying_party", "valid_at", "known_at"),
    *("expected_subject", "facts"),
]


@settings(max_examples=150)
@given(st.dictionaries(st.one_of(st.sampled_from(_MEMBERS), _TEXTS), _VALUES, max_size=4))
def test_whatever_is_asked_is_answered_or_refused(desk: SigningDesk, members: dict[str, Any]) -> None:
    octets = message(DOCUMENT, Signed(by=desk.world.lock().signing))
    response = desk.ask(octets, **members)
    assert response.status_code in (200, 422), (members, response.text)


@settings(max_examples=150)
@given(st.data())
def test_whatever_is_changed_in_a_message_is_never_recognized_otherwise(desk: SigningDesk, data: st.DataObject) -> None:
    """One byte of a message is another: the answer is no failure, and no yes to another document."""
    who = stamped(desk.world.lock().signing, stamp(desk.clock(), desk.world.now - DAY))
    octets = bytearray(message(DOCUMENT, who))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    response = desk.ask(bytes(octets))
    assert response.status_code in (200, 422), response.text
    if response.status_code == 200 and response.json()["decision"] == "recognized":
        assert response.json()["signature"]["content"] == {"sm3": sm3(DOCUMENT).hex()}


# Which document it is


def test_the_e_of_another_document_is_not_that_of_the_one_inside(desk: SigningDesk) -> None:
    lock, rsa = desk.world.lock().signing, desk.world.lock("rsa", kind="rsa-2048").signing
    octets = message(DOCUMENT, Signed(by=rsa), Signed(by=lock))
    mine = message_digest(lock.key.point, DOCUMENT, sm2.DEFAULT_USER_ID)
    other = message_digest(lock.key.point, DOCUMENT + b" ", sm2.DEFAULT_USER_ID)
    assert desk.answer(octets, digest=text(mine), digest_kind="sm2-e")["decision"] == "recognized"
    refused = desk.ask(octets, digest=text(other), digest_kind="sm2-e")
    assert_problem(refused, 422, "document.content_other", "/content")
    by_rsa = message(DOCUMENT, Signed(by=rsa))
    assert_problem(desk.ask(by_rsa, digest=text(mine), digest_kind="sm2-e"), 422, "document.content_other", "/content")


def test_a_signature_over_attributes_is_none_over_a_document(desk: SigningDesk) -> None:
    """Taken out of a message and shown bare, it would be over something that the signer has never seen."""
    lock = desk.world.lock().signing
    who = Signed(by=lock)
    attributes = der.set_of(*who.signed_attributes(DOCUMENT, DATA["rfc5652"]))
    taken = {"content": text(attributes), "signature_format": "raw", "certificate": lock.pem}
    answer = desk.answer(signature_of(who.info(DOCUMENT)), **taken)
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("not_recognized", "signature.wrong")


# Since when


def test_a_receipt_vouches_only_for_the_timestamps_that_it_has_seen(desk: SigningDesk) -> None:
    """Who holds the stolen key of an authority dates back: a receipt makes the signature old, not his token."""
    now, lock, made = desk.world.now, desk.world.lock().signing, desk.clock("left")
    bare, earlier = message(DOCUMENT, Signed(by=lock)), now - 40 * DAY
    inside = message(DOCUMENT, stamped(lock, stamp(made, earlier)))
    brought = [{"kind": "timestamp", "value": text(made.of(bare, earlier, digest="sm3"))}]
    seen = [
        {"kind": "receipt", "value": desk.answer(octets, evidence=given)["receipt"]}
        for octets, given in ((bare, None), (bare, brought), (inside, None))
    ]
    # After all of these answers the key was stolen.
    entry = made.certificate.revoked(now + 10 * MINUTE, reason="keyCompromise")
    desk.world.publish("left", desk.world.crl("left", (entry,), this_update=now + MINUTE))
    for octets, tokens, receipts, kind in (
        (bare, brought, [], None),
        (bare, brought, [seen[0]], "receipt"),
        (bare, brought, [seen[1]], "timestamp"),
        (inside, [], [], None),
        (inside, [], [seen[2]], "timestamp"),
    ):
        answer = desk.answer(octets, evidence=[*tokens, *receipts])
        proven = signer(answer)["proven_time"]
        assert (proven and proven["kind"]) == kind
        assert ("revocation.compromised_later" in told(answer)) == (kind != "timestamp")


def test_a_message_that_only_names_a_certificate_does_not_show_that_it_was_there(desk: SigningDesk) -> None:
    """The key of an authority of old is broken one day, and signs a certificate for a name that was kept ready."""
    root, when = desk.world.roots["root"], datetime(2016, 6, 1, tzinfo=UTC)
    made = Clock(certificate=root.issue(desk.world.spec(clock_spec("sm2")), not_before=when - DAY), issuer=root)
    lock = desk.world.lock("weak", kind="rsa-2048", not_before=when - DAY).signing
    asked = {"certificate": lock.pem, "valid_at": desk.world.now.isoformat()}
    for certificates, decision in (([], "not_recognized"), ([lock.der], "recognized")):
        octets = message(DOCUMENT, Signed(by=lock), certificates=certificates)
        token = made.of(octets, when, digest="sm3")
        answer = desk.answer(octets, evidence=[{"kind": "timestamp", "value": text(token)}], **asked)
        assert told(answer) == ([] if certificates else ["timestamp.key_open"])
        assert (signer(answer)["proven_time"] is not None) is bool(certificates)
        assert answer["decision"] == decision, answer["reasons"]


def test_a_time_that_may_be_far_ahead_is_no_proof(desk: SigningDesk) -> None:
    lock, now = desk.world.lock().signing, desk.world.now
    octets = message(DOCUMENT, Signed(by=lock))
    loose = desk.clock().of(octets, now - DAY, digest="sm3", accuracy=der.sequence(der.integer(2**31)))
    answer = desk.answer(octets, evidence=[{"kind": "timestamp", "value": text(loose)}])
    assert (signer(answer)["proven_time"], told(answer)) == (None, ["timestamp.future"])


def test_what_is_learnt_later_changes_no_answer_of_before(desk: SigningDesk) -> None:
    world, made, lock = desk.world, desk.clock("coming"), desk.world.lock(number=31).signing
    earlier, known_at = world.now - 40 * DAY, world.now.isoformat()
    octets = [message(DOCUMENT, stamped(lock, stamp(made, earlier))), message(DOCUMENT, Signed(by=lock))]
    asked: list[dict[str, Any]] = [{}, {"deadline": world.now.isoformat()}, {"requirement": {"unit": 1}}]

    def answers(**more: Any) -> list[dict[str, Any]]:
        found = [desk.answer(each, **members, **more) for each in octets for members in asked]
        return [
            {name: value for name, value in each.items() if name not in ("receipt", "evaluated_at", "request_id")}
            for each in found
        ]

    first = answers(known_at=known_at)
    assert {answer["decision"] for answer in first} == {"recognized", "indeterminate"}
    for name, listed in (
        ("sichuan", (*world.listed(), lock.revoked(earlier))),
        ("coming", (made.certificate.revoked(earlier),)),
    ):
        crl = world.crl(name, listed, this_update=world.now - MINUTE)
        world.publish(name, crl, world.now + timedelta(microseconds=1))
    assert answers(known_at=known_at) == first
    assert {answer["decision"] for answer in answers()} == {"not_recognized"}


# Who may sign


def test_a_certificate_for_encryption_signs_no_document(desk: SigningDesk) -> None:
    """Its key is kept by the authority too (GM/T 0034), so a signature by it binds nobody."""
    lock = desk.world.lock()
    octets = message(DOCUMENT, Signed(by=lock.encryption))
    for purpose in ("bidding.sign", "bidding.encrypt", "bidding.decrypt"):
        answer = desk.answer(octets, purpose=purpose)
        assert (answer["decision"], answer["reasons"][0]["code"]) == ("not_recognized", "key_usage.wrong")
        assert check(answer, "signature")["result"] == "passed"


def test_an_impostor_in_the_message_does_not_hide_the_certificate_that_the_asker_holds(desk: SigningDesk) -> None:
    """What is beside a signature is not signed: on its way anybody can put in a certificate of the same number."""
    lock = desk.world.lock().signing
    other = desk.world.lock(number=2).signing
    named = desk.world.authorities["sichuan"].subject.der
    impostor = desk.world.issue(lock.spec, "foreign", serial=lock.serial, key=other.key, issuer=named)
    octets = message(DOCUMENT, Signed(by=lock), certificates=[impostor.der, lock.der])
    assert desk.answer(octets)["reasons"][0]["code"] == "signature.wrong"
    for asked in ({"certificate": lock.pem}, {"chain": [lock.pem]}):
        assert desk.answer(octets, **asked)["decision"] == "recognized"
    client = desk.place.client
    given_out = client.challenge()
    octets = message(None, Signed(by=lock), over=given_out.to_be_signed, certificates=[impostor.der])
    request = client.answered(given_out, lock, signature=text(octets), signature_format="cms")
    assert client.verify(request).json()["decision"] == "recognized"


def test_the_answer_shows_one_of_those_who_meet_what_is_asked(desk: SigningDesk) -> None:
    unit, ours = desk.world.lock(number=1).signing, desk.representative(1)
    strangers = [desk.world.lock(number=number).signing for number in range(2, 7)]
    octets = message(DOCUMENT, *[Signed(by=lock) for lock in (*strangers, unit, ours)])
    named = [f"sha256:{hashlib.sha256(lock.der).hexdigest()}" for lock in (ours, unit)]
    for asked, shown in (
        ({"unit": 1, "legal_representative": 1, "same_subject": True}, named),
        ({"legal_representative": 1}, named[:1]),
    ):
        answer = desk.answer(octets, requirement=asked)
        assert (answer["decision"], answer["requirement"]["met"]) == ("recognized", True)
        assert answer["certificate"]["fingerprint"] in shown
