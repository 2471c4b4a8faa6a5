"""`POST /v1/ca/signatures`: who signed a document, with a lock that counted then, and since when that is proven."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from keys.algorithms import sm2
from keys.algorithms.sm2.curve import message_digest, sm3
from tests.api.lock_place import check, open_place
from tests.api.service import assert_problem
from tests.api.signing_desk import DAY, DOCUMENT, SIGNATURES, SigningDesk, message, stamp, stamped, text
from tests.support.cms_writer import Signed, content_type, signing_certificate
from tests.support.lock_world import COMPROMISED, PLATFORM, REVOKED, claims_of, codes
from tests.support.pki import uscc
from tests.support.timestamps import TIME_STAMPING, usage

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningDesk]:
    with open_place(tmp_path_factory.mktemp("signatures")) as place:
        yield SigningDesk(place)


def signer(answer: dict[str, Any], at: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = answer["signers"][at]
    return found


# One signer


@pytest.mark.parametrize("dialect", ["rfc5652", "gm"])
@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("detached", [True, False])
def test_a_signed_document_is_judged(desk: SigningDesk, dialect: str, attributes: bool, detached: bool) -> None:
    lock = desk.world.lock(number=3).signing
    who = Signed(by=lock, attributes=attributes, at=desk.world.now - DAY if attributes else None)
    octets = message(None if detached else DOCUMENT, who, over=DOCUMENT, dialect=dialect)
    answer = desk.answer(octets, content=text(DOCUMENT) if detached else None, relying_party=PLATFORM)
    assert (answer["decision"], [reason["code"] for reason in answer["reasons"]]) == (
        "recognized",
        ["agreement.in_force"],
    )
    assert answer["signature"] == {
        "digest": f"sha256:{hashlib.sha256(octets).hexdigest()}",
        "format": dialect,
        "content": {"sm3": sm3(DOCUMENT).hex()},
        "content_seen": True,
    }
    assert answer["time_source"] == "asserted"
    assert (signer(answer)["role"], signer(answer)["certificate"]["uscc"]) == ("unit", uscc(3))
    assert (signer(answer)["proven_time"], signer(answer)["claimed_time"] is not None) == (None, attributes)
    assert check(answer, "signature")["code"] == "signature.verified"
    claims = claims_of(answer["receipt"])
    assert claims["signature"]["signers"][0]["certificate"] == answer["certificate"]["fingerprint"]
    assert (claims["decision"], claims["time_source"]) == ("recognized", "asserted")
    assert claims["signature"]["digest"] == answer["signature"]["digest"]


def test_a_document_that_was_changed_is_not_what_was_signed(desk: SigningDesk) -> None:
    octets = message(None, Signed(by=desk.world.lock().signing), over=DOCUMENT)
    answer = desk.answer(octets, content=text(DOCUMENT.replace(b"\n", b"") + b" "))
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("not_recognized", "signature.wrong")
    assert check(answer, "path")["result"] == "passed"
    other = message(DOCUMENT, Signed(by=desk.world.lock().signing, signed_by=desk.world.lock(number=2).signing.key))
    assert desk.answer(other)["reasons"][0]["code"] == "signature.wrong"


def test_bare_signatures_need_what_they_are_over(desk: SigningDesk) -> None:
    lock = desk.world.lock().signing
    bare: dict[str, Any] = {"signature_format": None, "certificate": lock.pem}
    signature = lock.key.sign(DOCUMENT)
    raw = sm2.signature_to_raw(signature)
    e = message_digest(lock.key.point, DOCUMENT, sm2.DEFAULT_USER_ID)
    for value in (signature, raw):
        assert desk.answer(value, content=text(DOCUMENT), **bare)["decision"] == "recognized"
        given = desk.answer(value, digest=text(e), digest_kind="sm2-e", **bare)
        assert (given["decision"], given["signature"]["content"]) == ("recognized", {"sm2-e": e.hex()})
        # The answer is about a digest, and says so: for one that he may choose, anybody makes a signature that fits.
        assert given["signature"]["content_seen"] is False
        assert claims_of(given["receipt"])["signature"]["content_seen"] is False
        assert "the content was not seen here" in check(given, "signature")["message"]
    refused = desk.ask(signature, digest=text(sm3(DOCUMENT)), digest_kind="sm3", **bare)
    assert_problem(refused, 422, "digest.insufficient", "/digest_kind")
    assert "(sm3)" in refused.json()["detail"]
    assert "it needs sm2-e" in refused.json()["detail"]
    own = desk.place.service.post("/v1/receipts/verifications", {"receipt": given["receipt"]}).json()
    assert (own["genuine"], own["problem"][0]["code"]) == (True, "document.needed")
    assert_problem(desk.ask(signature, **bare), 422, "document.content_missing", "/content")


def test_rsa_signs_a_digest_of_the_content(desk: SigningDesk) -> None:
    lock = desk.world.lock("rsa", kind="rsa-2048").signing
    bare: dict[str, Any] = {"signature_format": "raw", "certificate": lock.pem}
    for kind in ("sha256", "sha512"):
        signature = lock.key.sign(DOCUMENT, f"rsa-pkcs1-{kind}")
        given = {"digest": text(hashlib.new(kind, DOCUMENT).digest()), "digest_kind": kind}
        answer = desk.answer(signature, **given, **bare)
        assert (answer["decision"], signer(answer)["scheme"]) == ("recognized", f"rsa-pkcs1-{kind}")
    assert desk.answer(signature, content=text(DOCUMENT), **bare)["reasons"][0]["code"] == "signature.wrong"


def test_a_plain_digest_serves_for_what_has_signed_attributes(desk: SigningDesk) -> None:
    lock = desk.world.lock().signing
    given = {"digest": text(sm3(DOCUMENT)), "digest_kind": "sm3"}
    octets = message(None, Signed(by=lock), over=DOCUMENT, dialect="gm")
    assert desk.answer(octets, **given)["decision"] == "recognized"
    plain = message(None, Signed(by=lock, attributes=False), over=DOCUMENT, dialect="gm")
    assert_problem(desk.ask(plain, **given), 422, "digest.insufficient", "/digest_kind")
    wrong = given | {"digest": text(sm3(b""))}
    assert desk.answer(octets, **wrong)["reasons"][0]["code"] == "signature.wrong"


def test_the_message_itself_may_be_the_body(desk: SigningDesk) -> None:
    octets = message(DOCUMENT, Signed(by=desk.world.lock().signing))
    address = f"{SIGNATURES}?jurisdiction=CN-SC&purpose=bidding.sign&relying_party={PLATFORM}"
    pem = b"-----BEGIN CMS-----\n" + text(octets).encode() + b"\n-----END CMS-----\n"
    for body in (octets, pem):
        headers = {"Content-Type": "application/cms"}
        response = desk.place.service.request("POST", address, content=body, headers=headers)
        assert codes(response) == ("recognized", "agreement.in_force")
    refused = desk.place.service.request("POST", address, content=octets, headers={"Content-Type": "text/plain"})
    assert "application/cms" in assert_problem(refused, 415, "document.media_type")["detail"]
    assert_problem(desk.place.service.get(SIGNATURES), 405, "route.method_not_allowed")


# Time


def test_a_timestamp_proves_that_a_lock_signed_before_it_was_revoked(desk: SigningDesk) -> None:
    now = desk.world.now
    revoked = desk.world.lock(number=REVOKED).signing  # a month ago
    plain = message(DOCUMENT, Signed(by=revoked, at=now - 40 * DAY))
    assert desk.answer(plain)["reasons"][0]["code"] == "status.revoked"
    before = message(DOCUMENT, stamped(revoked, stamp(desk.clock(), now - 40 * DAY)))
    answer = desk.answer(before)
    assert answer["decision"] == "recognized"
    assert answer["time_source"] == "proven"
    assert (signer(answer)["proven_time"]["kind"], signer(answer)["proven_time"]["instant"]) == (
        "timestamp",
        answer["valid_at"],
    )
    assert "测试时间戳" in signer(answer)["proven_time"]["by"]
    assert claims_of(answer["receipt"])["time_source"] == "proven"
    after = message(DOCUMENT, stamped(revoked, stamp(desk.clock(), now - 20 * DAY)))
    assert desk.answer(after)["reasons"][0]["code"] == "status.revoked"
    # That it was there before is then the asker's word alone.
    asserted = desk.answer(after, valid_at=(now - 40 * DAY).isoformat())
    assert (asserted["decision"], asserted["time_source"]) == ("recognized", "asserted")


def test_a_timestamp_after_the_end_proves_nothing_of_before(desk: SigningDesk) -> None:
    now = desk.world.now
    ended = desk.world.lock(number=6, not_after=now - 10 * DAY).signing
    late = desk.answer(message(DOCUMENT, stamped(ended, stamp(desk.clock(), now - 5 * DAY))))
    assert (late["decision"], late["reasons"][0]["code"]) == ("not_recognized", "validity.expired")
    asked = {"valid_at": (now - 20 * DAY).isoformat(), "deadline": (now - 15 * DAY).isoformat()}
    answer = desk.answer(message(DOCUMENT, stamped(ended, stamp(desk.clock(), now - 5 * DAY))), **asked)
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("not_recognized", "signature.after_deadline")
    early = desk.answer(message(DOCUMENT, stamped(ended, stamp(desk.clock(), now - 20 * DAY))))
    assert (early["decision"], early["time_source"]) == ("recognized", "proven")


def test_a_stolen_key_leaves_doubt_without_a_proven_time(desk: SigningDesk) -> None:
    now, stolen = desk.world.now, desk.world.lock(number=COMPROMISED).signing
    asked = {"valid_at": (now - 40 * DAY).isoformat()}
    claimed = desk.answer(message(DOCUMENT, Signed(by=stolen, at=now - 40 * DAY)), **asked)
    assert (claimed["decision"], claimed["reasons"][0]["code"]) == ("indeterminate", "revocation.stale")
    proven = desk.answer(message(DOCUMENT, stamped(stolen, stamp(desk.clock(), now - 40 * DAY))), **asked)
    assert proven["decision"] == "recognized"


@pytest.mark.parametrize(
    ("by", "decision", "code"),
    [
        (-SECOND, "recognized", "agreement.in_force"),
        (timedelta(0), "recognized", "agreement.in_force"),
        (SECOND, "not_recognized", "signature.after_deadline"),
    ],
)
def test_a_deadline_is_met_or_missed_by_a_second(desk: SigningDesk, by: timedelta, decision: str, code: str) -> None:
    deadline = desk.world.now - DAY
    octets = message(DOCUMENT, stamped(desk.world.lock().signing, stamp(desk.clock(), deadline + by)))
    answer = desk.answer(octets, deadline=deadline.isoformat())
    assert (answer["decision"], answer["reasons"][0]["code"]) == (decision, code)


def test_what_the_signer_says_of_the_time_speaks_only_against_him(desk: SigningDesk) -> None:
    deadline, lock = desk.world.now - DAY, desk.world.lock().signing
    for claimed, decision, code in (
        (deadline - DAY, "indeterminate", "signature.time_unproven"),
        (None, "indeterminate", "signature.time_unproven"),
        (deadline + SECOND, "not_recognized", "signature.after_deadline"),
    ):
        answer = desk.answer(message(DOCUMENT, Signed(by=lock, at=claimed)), deadline=deadline.isoformat())
        assert (answer["decision"], answer["reasons"][0]["code"]) == (decision, code)
        assert answer["reasons"][0]["remedy"]


def test_evidence_that_proves_nothing_is_told(desk: SigningDesk) -> None:
    lock, at = desk.world.lock().signing, desk.world.now - DAY
    octets = message(DOCUMENT, Signed(by=lock))
    strange = desk.clock("foreign").of(octets, at, digest="sm3")
    unfit = desk.clock(more=(usage(TIME_STAMPING, critical=False),)).of(octets, at, digest="sm3")
    over_another = desk.clock().of(DOCUMENT, at, digest="sm3")
    given = [
        *({"kind": "timestamp", "value": text(token)} for token in (strange, unfit, over_another, b"0\x00")),
        {"kind": "receipt", "value": "e30.e30.AAAA"},
    ]
    answer = desk.answer(octets, evidence=given, deadline=at.isoformat())
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("indeterminate", "signature.time_unproven")
    told = [(entry["kind"], entry["code"]) for entry in signer(answer)["evidence"]]
    assert sorted(told)[1:] == [
        ("timestamp", "path.no_anchor"),
        ("timestamp", "timestamp.imprint_wrong"),
        ("timestamp", "timestamp.malformed"),
        ("timestamp", "timestamp.usage_wrong"),
    ]
    assert sorted(told)[0][0] == "receipt"
    good = desk.clock().of(octets, at, digest="sm3")
    proven = desk.answer(octets, evidence=[*given, {"kind": "timestamp", "value": text(good)}])
    assert signer(proven)["proven_time"]["kind"] == "timestamp"


def test_an_answer_is_evidence_years_later(desk: SigningDesk) -> None:
    lock = desk.world.lock(number=5).signing
    octets = message(DOCUMENT, Signed(by=lock, at=desk.world.now - DAY))
    first = desk.answer(octets)
    evidence = [{"kind": "receipt", "value": first["receipt"]}]
    again = desk.answer(octets, evidence=evidence)
    assert signer(again)["proven_time"] == {
        "instant": first["evaluated_at"],
        "kind": "receipt",
        "by": "urn:accord:test",
        "digest": f"sha256:{hashlib.sha256(first['receipt'].encode()).hexdigest()}",
        "kid": desk.place.service.node.signer.kid,
    }
    assert (again["time_source"], again["valid_at"]) == ("proven", first["evaluated_at"])
    other = message(DOCUMENT, Signed(by=lock, at=desk.world.now - 2 * DAY))
    told = desk.answer(other, evidence=evidence)
    assert signer(told)["proven_time"] is None
    assert [entry["code"] for entry in signer(told)["evidence"]] == ["receipt.other"]
    forged = evidence[0]["value"][:-4] + "AAAA"
    told = desk.answer(octets, evidence=[{"kind": "receipt", "value": forged}])
    assert [entry["code"] for entry in signer(told)["evidence"]] == ["signature.wrong"]
    # What was known before the receipt was issued does not know of it.
    then = desk.answer(octets, evidence=evidence, known_at=(desk.world.now - MINUTE).isoformat())
    assert signer(then)["proven_time"] is None


# Several signers


def test_two_signers_and_one_is_bad(desk: SigningDesk) -> None:
    good, bad = desk.world.lock(number=1).signing, desk.world.lock(number=REVOKED).signing
    answer = desk.answer(message(DOCUMENT, Signed(by=good), Signed(by=bad)))
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("not_recognized", "status.revoked")
    assert [entry["decision"] for entry in answer["signers"]] == ["recognized", "not_recognized"]
    assert answer["certificate"]["fingerprint"] == signer(answer, 1)["certificate"]["fingerprint"]
    enough = desk.answer(message(DOCUMENT, Signed(by=good), Signed(by=bad)), requirement={"unit": 1})
    assert (enough["decision"], enough["requirement"]["met"]) == ("recognized", True)
    assert enough["certificate"]["fingerprint"] == signer(answer, 0)["certificate"]["fingerprint"]


def test_a_signer_that_breaks_a_rule_is_one_bad_signer(desk: SigningDesk) -> None:
    good, other = desk.world.lock(number=1).signing, desk.world.lock(number=2).signing
    octets = message(DOCUMENT, Signed(by=good), Signed(by=other, only=(content_type("1.2.3"),)))
    answer = desk.answer(octets)
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("not_recognized", "signature.wrong")
    assert [entry["decision"] for entry in answer["signers"]] == ["recognized", "not_recognized"]
    broken = signer(answer, 1)
    assert (broken["signature"], broken["certificate"], broken["role"]) == (None, None, "unknown")
    assert broken["reasons"][0]["remedy"]
    enough = desk.answer(octets, requirement={"unit": 1})
    assert (enough["decision"], enough["requirement"]["met"]) == ("recognized", True)
    assert desk.answer(octets, requirement={"unit": 2})["decision"] == "not_recognized"
    # Who receives the message cannot make it worse for another by what he adds; a proof goes on to prove.
    evidence = [{"kind": "receipt", "value": answer["receipt"]}]
    assert signer(desk.answer(message(DOCUMENT, Signed(by=good)), evidence=evidence))["proven_time"] is not None
    alone = message(DOCUMENT, Signed(by=other, only=(content_type("1.2.3"),)))
    assert_problem(desk.ask(alone), 422, "document.malformed", "/signature")


def test_unit_and_representative_sign_together(desk: SigningDesk) -> None:
    unit, ours, others = desk.world.lock(number=1).signing, desk.representative(1), desk.representative(2)
    asked = {"requirement": {"unit": 1, "legal_representative": 1, "same_subject": True}}
    both = desk.answer(message(DOCUMENT, Signed(by=unit), Signed(by=ours)), **asked)
    assert (both["decision"], both["requirement"]["met"]) == ("recognized", True)
    assert [entry["role"] for entry in both["signers"]] == ["unit", "legal_representative"]
    assert both["reasons"][0]["code"] == "signers.complete"
    assert signer(both, 1)["certificate"]["subject"] in (None, "测试建设1有限公司")
    foreign = desk.answer(message(DOCUMENT, Signed(by=unit), Signed(by=others)), **asked)
    assert (foreign["decision"], foreign["reasons"][0]["code"]) == ("not_recognized", "signers.other_subject")
    codes = [entry["certificate"]["uscc"] for entry in foreign["signers"]]
    assert foreign["reasons"][0]["details"] == {"subjects": ", ".join(codes)}
    assert codes[0] != codes[1]
    alone = desk.answer(message(DOCUMENT, Signed(by=unit)), **asked)
    assert (alone["decision"], alone["reasons"][0]["code"]) == ("not_recognized", "signers.missing")
    assert alone["requirement"]["missing"] == {"unit": 0, "legal_representative": 1}
    said = "Of the signatures required, valid ones are still missing: 1 of a legal representative."
    assert alone["reasons"][0]["message"] == said
    assert "mend the signatures that are there" in alone["reasons"][0]["remedy"]
    assert alone["reasons"][0]["details"] == {"unit": 0, "legal_representative": 1}
    twice = desk.answer(message(DOCUMENT, Signed(by=unit), Signed(by=unit, at=desk.world.now)), requirement={"unit": 2})
    assert (twice["decision"], twice["requirement"]["missing"]) == ("not_recognized", {"unit": 1})


def test_a_signer_whose_certificate_nobody_gave_is_reported(desk: SigningDesk) -> None:
    known, unknown = desk.world.lock(number=1).signing, desk.world.lock(number=2).signing
    octets = message(DOCUMENT, Signed(by=known), Signed(by=unknown), certificates=[known.der])
    answer = desk.answer(octets)
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("indeterminate", "signature.certificate_missing")
    assert [entry["decision"] for entry in answer["signers"]] == ["recognized", "indeterminate"]
    assert desk.answer(octets, chain=[unknown.pem])["decision"] == "recognized"
    nobody = message(DOCUMENT, Signed(by=known), certificates=[])
    assert_problem(desk.ask(nobody), 422, "document.certificate_missing", "/certificate")
    assert desk.answer(nobody, certificate=known.pem)["decision"] == "recognized"
    about_another = desk.ask(octets, certificate=desk.world.lock(number=3).signing.pem)
    assert_problem(about_another, 422, "document.certificate_other", "/certificate")


def test_the_other_certificate_of_a_lock_is_known_as_its_pair(desk: SigningDesk) -> None:
    lock, other = desk.world.lock(number=1), desk.world.lock(number=2)
    octets = message(DOCUMENT, Signed(by=lock.signing))
    answer = desk.answer(octets, chain=[other.encryption.pem, lock.encryption.pem])
    assert answer["certificate"]["pair"]["use"] == "encryption"
    shown = hashlib.sha256(lock.encryption.der).hexdigest()
    assert answer["certificate"]["pair"]["fingerprint"] == f"sha256:{shown}"
    assert desk.answer(octets, chain=[other.encryption.pem])["certificate"]["pair"] is None


# Answers to challenges


def test_a_challenge_may_be_answered_in_cms(desk: SigningDesk) -> None:
    client, lock = desk.place.client, desk.world.lock(number=8).signing
    given = client.challenge()
    octets = message(None, Signed(by=lock, more=(signing_certificate(lock.der),)), over=given.to_be_signed)
    request = client.answered(given, lock, signature=text(octets), signature_format="cms")
    del request["certificate"]
    assert codes(client.verify(request)) == ("recognized", "agreement.in_force")
    assert codes(client.verify(request)) == ("recognized", "agreement.in_force")
    again = request | {"certificate": lock.pem}
    assert codes(client.verify(again))[1] == "challenge.used"
    other = client.challenge()
    stale = request | {"challenge_id": other.id}
    assert codes(client.verify(stale))[:2] == ("not_recognized", "signature.wrong")
    two = message(None, Signed(by=lock), Signed(by=lock, only=()), over=other.to_be_signed)
    refused = client.verify(client.answered(other, lock, signature=text(two), signature_format="cms"))
    assert_problem(refused, 422, "document.malformed", "/signature")


# What is refused


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"signature": "!"}, "query.encoding_malformed", "/signature"),
        ({"signature": None}, "query.member_missing", "/signature"),
        ({"signature": 7}, "query.wrong_kind", "/signature"),
        ({"signature": text(b"0\x03\x02\x01\x00")}, "document.malformed", "/signature"),
        ({"signature_format": "pkcs7"}, "query.format_not_supported", "/signature_format"),
        ({"content": "AA==", "digest": "AA=="}, "document.content_twice", "/digest"),
        ({"digest": text(bytes(32))}, "query.member_missing", "/digest_kind"),
        ({"digest_kind": "sha256"}, "query.member_missing", "/digest"),
        ({"digest": text(bytes(31)), "digest_kind": "sha256"}, "digest.malformed", "/digest"),
        ({"digest": text(bytes(32)), "digest_kind": "md5"}, "digest.malformed", "/digest_kind"),
        ({"content": text(b"another")}, "document.content_other", "/content"),
        ({"requirement": {}}, "document.requirement_empty", "/requirement"),
        ({"requirement": {"unit": -1}}, "query.out_of_range", "/requirement/unit"),
        (
            {"requirement": {"unit": 2, "same_subject": True}},
            "document.requirement_impossible",
            "/requirement/same_subject",
        ),
        ({"requirement": {"unit": 1, "same_subject": "yes"}}, "query.wrong_kind", "/requirement/same_subject"),
        ({"requirement": {"seal": 1}}, "query.unknown_member", "/requirement/seal"),
        ({"deadline": "2026-01-01T00:00:00"}, "query.time_without_offset", "/deadline"),
        ({"evidence": {}}, "query.wrong_kind", "/evidence"),
        ({"evidence": [7]}, "query.wrong_kind", "/evidence/0"),
        ({"evidence": [{"kind": "photo", "value": "x"}]}, "query.value_not_allowed", "/evidence/0/kind"),
        ({"evidence": [{"kind": "ocsp", "value": "!"}]}, "query.encoding_malformed", "/evidence/0/value"),
        ({"evidence": [{"kind": "ocsp"}]}, "query.member_missing", "/evidence/0/value"),
        ({"evidence": [{"kind": "ocsp", "value": "AA=="}] * 17}, "query.too_long", "/evidence"),
        ({"fetch": {"deadline_ms": 0}}, "query.out_of_range", "/fetch/deadline_ms"),
        ({"purpose": "report.acceptance"}, "query.purpose_unknown_for_type", "/purpose"),
        ({"jurisdiction": None}, "query.member_missing", "/jurisdiction"),
        ({"facts": {}}, "query.unknown_member", "/facts"),
    ],
)
def test_what_cannot_be_asked(desk: SigningDesk, changes: dict[str, Any], code: str, pointer: str) -> None:
    octets = message(DOCUMENT, Signed(by=desk.world.lock().signing))
    asked: dict[str, Any] = {"signature": text(octets), "signature_format": "cms"} | changes
    response = desk.ask(b"", **asked)
    assert_problem(response, 422, code, pointer)
    assert response.json()["errors"][0]["detail"]


def test_other_kinds_of_cms_are_refused_by_name(desk: SigningDesk) -> None:
    octets = message(DOCUMENT, Signed(by=desk.world.lock().signing), outer="1.2.156.10197.6.1.4.2.3")
    response = desk.ask(octets)
    assert_problem(response, 422, "document.not_signed", "/signature")
    assert "nveloped" in response.json()["detail"]
    assert_problem(desk.ask(message(DOCUMENT)), 422, "document.no_signer", "/signature")
    many = message(DOCUMENT, *[Signed(by=desk.world.lock(number=place).signing) for place in range(1, 18)])
    assert_problem(desk.ask(many), 422, "document.too_many_signers", "/signature")
    tokens = [{"kind": "timestamp", "value": "AA=="}] * 16
    five = message(DOCUMENT, *[Signed(by=desk.world.lock(number=place).signing) for place in range(1, 6)])
    assert_problem(desk.ask(five, evidence=tokens), 422, "document.too_many_timestamps", "/evidence")


def test_a_request_that_is_too_long_is_refused(desk: SigningDesk) -> None:
    octets = message(None, Signed(by=desk.world.lock().signing), over=DOCUMENT)
    large = desk.ask(octets, content=text(bytes(1_000_000)))
    assert codes(large)[1] == "signature.wrong"
    for language in ("zh-CN", "en"):
        refused = desk.ask(octets, content=text(bytes(6_100_000)), language=language)
        assert_problem(refused, 413, "document.too_large")
        # The way out, by the members that the request has for it, and it is one: nothing of the document is sent.
        assert all(name in refused.json()["detail"] for name in ("digest", "digest_kind", "content", "sm3", "sm2-e"))
    long = message(None, Signed(by=desk.world.lock().signing), over=bytes(6_100_000))
    by_digest = desk.answer(long, digest=text(sm3(bytes(6_100_000))), digest_kind="sm3", relying_party=PLATFORM)
    assert by_digest["decision"] == "recognized"
