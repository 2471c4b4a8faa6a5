"""A signature over a document: whose it is, what it is worth, and since when it is proven to be there."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from msgspec import structs

from keys.algorithm_policy import DEFAULT_PATH
from keys.content import Octets, Stream, digested
from registry.lock_pair import pair_of
from registry.policy import Policy
from registry.receipt import core, time_source
from registry.refused_evidence import RefusedEvidence
from registry.shown_signature import insufficient, scheme_of
from tests.support.cms_writer import Signed, message, signing_certificate
from tests.support.pki import AT, Authority, Issued, Key, unit
from tests.support.timestamps import TIME_STAMPING, usage
from tests.unit.registry.document_locks import (
    DOCUMENT,
    TRUSTING,
    bare,
    clock,
    in_cms,
    judge_document,
    judged_as,
    name_of,
    of_message,
    receipt,
)
from tests.unit.registry.locks import (
    DAY,
    HOUR,
    KIND,
    Shelf,
    anchor,
    ca,
    certificate_of,
    codes,
    foreign,
    honest_lock,
    intermediate,
    long_shelf,
    root,
    shelf,
    told,
    world,
)

LOCK = honest_lock()
SECOND = timedelta(seconds=1)


def token(document: Any, at: Any, **changes: Any) -> bytes:
    return clock(**changes).of(document, at)


# Whose it is


@pytest.mark.parametrize("attributes", [True, False])
def test_a_right_signature_counts(attributes: bool) -> None:
    decision = judge_document(LOCK, in_cms(LOCK, attributes=attributes))
    assert decision.outcome == "recognized"
    assert told(decision, "signature") == ("passed", "signature.verified", "document")
    assert told(judge_document(LOCK, bare(LOCK)), "signature") == ("passed", "signature.verified", "document")


def test_a_wrong_one_does_not() -> None:
    other = honest_lock(2)
    for document in (bare(LOCK, value=other.key.sign(DOCUMENT)), in_cms(LOCK, signed_by=other.key)):
        decision = judge_document(LOCK, document)
        assert told(decision, "signature") == ("failed", "signature.wrong", "document")
        assert decision.lock is not None
        assert decision.lock.signed == document.name
    elsewhere = structs.replace(in_cms(LOCK), content=Octets(b"another bid"))
    assert told(judge_document(LOCK, elsewhere), "signature") == ("failed", "signature.wrong", "content")


def test_a_signature_that_names_another_certificate_is_of_a_wrong_form() -> None:
    decision = judge_document(honest_lock(2), in_cms(LOCK))
    assert told(decision, "signature") == ("failed", "signature.wrong", "form")


def test_the_algorithm_of_the_signature_is_judged_and_not_that_of_the_key_alone() -> None:
    lock = root(kind="rsa-2048").subordinate("重庆测试CA").issue(unit("rsa-2048", 1))
    document = in_cms(lock, scheme="rsa-pkcs1-sha1", digest="sha1")
    told_of = told(judge_document(lock, document), "format")
    assert told_of == ("failed", "signature.algorithm_not_allowed", "document")
    good = in_cms(lock, scheme="rsa-pkcs1-sha256", digest="sha256")
    assert told(judge_document(lock, good), "format")[0] == "passed"


def test_a_bare_signature_is_by_the_digest_that_was_given() -> None:
    from keys.algorithms.schemes import load_key

    lock = root(kind="rsa-2048").subordinate("重庆测试CA").issue(unit("rsa-2048", 1))
    key = load_key(certificate_of(lock).spki)
    digest = hashes.Hash(hashes.SHA512())
    digest.update(DOCUMENT)
    document = structs.replace(bare(lock), content=digested("sha512", digest.finalize()))
    assert scheme_of(document, key).name == "rsa-pkcs1-sha512"
    assert scheme_of(structs.replace(document, content=digested("sm3", bytes(32))), key).name == "rsa-pkcs1-sha256"
    assert scheme_of(bare(lock), key).name == "rsa-pkcs1-sha256"
    assert scheme_of(None, key).name == "rsa-pkcs1-sha256"


def test_whether_a_digest_is_enough_is_told_without_reading_a_stream() -> None:
    def unread() -> Any:
        raise AssertionError("the stream was read")

    stream, sm3, e = Stream(unread), digested("sm3", bytes(32)), digested("sm2-e", bytes(32))
    sm2 = ca(kind="sm2").issue(unit("sm2", 1))
    edwards = ca(kind="ed25519").issue(unit("ed25519", 1))
    cases = [
        (sm2, bare(sm2), (Octets(b""), stream, e), (sm3, digested("sha256", bytes(32)))),
        (sm2, in_cms(sm2), (Octets(b""), stream, sm3), (e, digested("sha256", bytes(32)))),
        (sm2, in_cms(sm2, attributes=False), (stream, e), (sm3,)),
        (LOCK, bare(LOCK), (stream, digested("sha256", bytes(32)), digested("sha512", bytes(64))), (sm3, e)),
        (edwards, bare(edwards), (Octets(b""),), (stream, digested("sha512", bytes(64)))),
        (edwards, in_cms(edwards), (stream, digested("sha512", bytes(64))), (sm3,)),
    ]
    for lock, document, enough, too_little in cases:
        for content in enough:
            assert insufficient(structs.replace(document, content=content), certificate_of(lock)) is None
        for content in too_little:
            assert insufficient(structs.replace(document, content=content), certificate_of(lock)), (
                lock.spec.key,
                content,
            )
    unknown = structs.replace(certificate_of(LOCK), spki=b"0\x00")
    assert insufficient(bare(LOCK), unknown) is None


def test_a_signature_over_a_digest_alone_is_said_to_be_that() -> None:
    sm2 = ca(kind="sm2").issue(unit("sm2", 1))
    digest = Octets(DOCUMENT).sm2_digest(sm2.key.point)
    document = structs.replace(bare(sm2), content=digested("sm2-e", digest))
    assert told(judge_document(sm2, document), "signature")[2] == "digest"
    proven = structs.replace(document, receipts=(receipt(AT - HOUR),))
    assert told(judge_document(sm2, proven), "signature")[2] == "proven_digest"
    whole = structs.replace(in_cms(sm2), content=digested("sm3", Octets(DOCUMENT).digest("sm3")))
    assert told(judge_document(sm2, whole), "signature")[2] == "document"


# Since when


def test_the_earliest_proof_counts_and_is_the_time_asked_about() -> None:
    document = structs.replace(
        in_cms(LOCK), receipts=(receipt(AT - HOUR), receipt(AT - 3 * HOUR), receipt(AT - 2 * HOUR))
    )
    decision = judge_document(LOCK, document)
    assert decision.lock is not None
    assert decision.lock.established is not None
    assert decision.lock.established.proven == receipt(AT - 3 * HOUR)
    assert (decision.query.valid_at, time_source(decision)) == (AT - 3 * HOUR, "proven")
    assert told(decision, "signature") == ("passed", "signature.verified", "proven")
    asked = judge_document(LOCK, document, valid_at=AT - 4 * HOUR)
    assert (asked.query.valid_at, time_source(asked)) == (AT - 4 * HOUR, "asserted")
    assert core(decision)["lock"]["proven_time"]["instant"] == AT - 3 * HOUR


def test_a_receipt_that_was_not_known_yet_proves_nothing() -> None:
    document = structs.replace(in_cms(LOCK), receipts=(receipt(AT + HOUR),))
    decision = judge_document(LOCK, document)
    assert decision.lock is not None
    assert decision.lock.established is not None
    assert decision.lock.established.proven is None
    assert [entry.code for entry in decision.lock.established.refused] == ["evidence.later"]


def test_a_timestamp_is_over_the_signature_or_over_the_whole_message() -> None:
    octets = message(DOCUMENT, Signed(by=LOCK, more=(signing_certificate(LOCK.der),)))
    signed = of_message(octets)
    for over, code in ((signed.value, None), (octets, None), (DOCUMENT, "timestamp.imprint_wrong")):
        document = structs.replace(signed, timestamps=(token(over, AT - HOUR),))
        lock = judge_document(LOCK, document).lock
        assert lock is not None
        assert lock.established is not None
        assert [entry.code for entry in lock.established.refused] == ([] if code is None else [code])
        assert (lock.established.proven is None) == (code is not None)
    # Of a bare signature there is no message but itself.
    plain = bare(LOCK, message=Octets(b"something else"))
    lock = judge_document(LOCK, structs.replace(plain, timestamps=(token(b"something else", AT - HOUR),))).lock
    assert lock is not None
    assert lock.established is not None
    assert [entry.code for entry in lock.established.refused] == ["timestamp.imprint_wrong"]


def test_a_key_that_was_made_for_a_value_that_was_stamped_proves_no_time() -> None:
    """Of RSA and ECDSA a key can be computed for a value and a document; SM2 signs what depends on the key."""
    sm2 = root(kind="sm2").subordinate("重庆测试CA").issue(unit("sm2", 1))
    for lock, more, code in (
        (LOCK, (), "timestamp.key_open"),
        (LOCK, (signing_certificate(LOCK.der),), None),
        (sm2, (), None),
    ):
        for certificates in ((), (lock.der,)):
            octets = message(DOCUMENT, Signed(by=lock, more=more), certificates=certificates)
            signed = of_message(octets)
            for over, open_to in ((signed.value, code), (octets, None if certificates else code)):
                document = structs.replace(signed, timestamps=(token(over, AT - HOUR),))
                judged = judge_document(lock, document).lock
                assert judged is not None
                assert judged.established is not None
                assert [entry.code for entry in judged.established.refused] == ([] if open_to is None else [open_to])


def test_more_evidence_makes_no_answer_worse() -> None:
    """An earlier time that covers less leaves the later one its worth."""
    stolen = ca().certificate.revoked(AT - DAY, reason="keyCompromise")
    dated = {"this_update": AT, "next_update": AT + 7 * DAY}
    lists = Shelf().add(root(), root().crl((stolen,), **dated)).add(ca(), ca().crl((), **dated))
    whole, bare_value = receipt(AT - 2 * DAY), structs.replace(receipt(AT - 3 * DAY), certificates=frozenset())
    document = structs.replace(in_cms(LOCK), receipts=(whole, bare_value))
    assert judge_document(LOCK, document, lists).outcome == "recognized"
    assert judge_document(LOCK, structs.replace(document, receipts=(bare_value,)), lists).outcome == "indeterminate"


def test_what_else_is_wrong_with_a_token_is_told_rather_than_what_it_is_over() -> None:
    octets = message(DOCUMENT, Signed(by=LOCK))
    unfit = token(octets, AT - HOUR, more=(usage(TIME_STAMPING, critical=False),))
    lock = judge_document(LOCK, structs.replace(of_message(octets), timestamps=(unfit,))).lock
    assert lock is not None
    assert lock.established is not None
    found = lock.established.refused
    assert [(entry.kind, entry.code, entry.digest) for entry in found] == [
        ("timestamp", "timestamp.usage_wrong", name_of(unfit))
    ]


def test_an_anchor_serves_timestamps_where_and_while_it_says() -> None:
    document = structs.replace(in_cms(LOCK, more=(signing_certificate(LOCK.der),)), timestamps=())
    stamped = structs.replace(document, timestamps=(token(document.value, AT - HOUR),))
    from tests.unit.registry.locks import anchor

    def policy(**said: Any) -> Any:
        made = anchor("t-root", root().certificate.der, qualifiers=["bidding", "timestamp"])
        return world(("trust-anchor", made | said))

    def codes_of(made: Any) -> list[str]:
        lock = judge_document(LOCK, stamped, policy=made).lock
        assert lock is not None
        assert lock.established is not None
        return [entry.code for entry in lock.established.refused]

    assert codes_of(policy()) == []
    assert codes_of(policy(jurisdictions=["BB"])) == []
    assert codes_of(policy(qualifiers=["bidding"])) == ["path.no_anchor"]
    assert codes_of(policy(jurisdictions=["AA"])) == ["path.no_anchor"]
    assert codes_of(policy(until=(AT - 2 * HOUR).isoformat())) == ["path.no_anchor"]


def test_a_revocation_after_the_proven_time_does_not_undo_it() -> None:
    def lists(reason: str) -> Any:
        return long_shelf(LOCK.revoked(AT - 5 * DAY, reason=reason), until=AT)

    document = structs.replace(in_cms(LOCK), receipts=(receipt(AT - 6 * DAY),))
    for reason in ("superseded", "keyCompromise"):
        assert judge_document(LOCK, document, lists(reason)).outcome == "recognized"
        late = structs.replace(document, receipts=(receipt(AT - 4 * DAY),))
        assert codes(judge_document(LOCK, late, lists(reason))) == ["status.revoked"]
    asserted = judge_document(LOCK, in_cms(LOCK), lists("keyCompromise"), valid_at=AT - 6 * DAY)
    assert (asserted.outcome, codes(asserted)[0]) == ("indeterminate", "revocation.stale")


# What algorithms are worth


def sha1_ends(policy_until: str) -> Any:
    """The standing policy, in which SHA-1 ends at an instant."""
    from registry.algorithms import KIND as ALGORITHMS

    text = DEFAULT_PATH.read_text(encoding="utf-8").replace("2018-01-01T00:00:00+08:00", policy_until)
    return world(("trust-anchor", _root_for_both()), (ALGORITHMS, {"id": "default", "version": 1, "toml": text}))


def _root_for_both() -> Any:
    from tests.unit.registry.locks import anchor

    return anchor("t-root", root().certificate.der, qualifiers=["bidding", "timestamp"])


def test_an_algorithm_is_judged_at_the_proven_time_and_never_at_a_claimed_one() -> None:
    lock = ca().issue(unit(KIND, 1))
    policy = sha1_ends((AT - DAY).isoformat())
    old: dict[str, Any] = {"scheme": "ecdsa-sha1", "digest": "sha1"}
    for document in (in_cms(lock, **old), in_cms(lock, at=AT - 2 * DAY, **old)):
        for asked in ({}, {"valid_at": AT - 2 * DAY}):
            decision = judge_document(lock, document, policy=policy, **asked)
            assert told(decision, "format")[1] == "signature.algorithm_not_allowed"
        proven = structs.replace(document, receipts=(receipt(AT - 2 * DAY),))
        assert told(judge_document(lock, proven, policy=policy), "format")[0] == "passed"
        late = structs.replace(document, receipts=(receipt(AT - HOUR),))
        assert told(judge_document(lock, late, policy=policy), "format")[1] == "signature.algorithm_not_allowed"


def test_a_proof_over_the_value_alone_says_nothing_of_the_certificate() -> None:
    weak = replace(ca(), scheme="ecdsa-sha1")
    lock = weak.issue(unit(KIND, 1))
    policy = sha1_ends((AT - DAY).isoformat())
    plain = message(DOCUMENT, Signed(by=lock))
    hashed = message(DOCUMENT, Signed(by=lock, more=(signing_certificate(lock.der),)))
    cases: list[tuple[bytes, bool, bool]] = [(plain, False, False), (plain, True, True), (hashed, False, True)]
    for octets, whole, bound in cases:
        signed = of_message(octets)
        stamped = structs.replace(signed, timestamps=(token(octets if whole else signed.value, AT - 2 * DAY),))
        decision = judge_document(lock, stamped, policy=policy)
        assert decision.lock is not None
        assert decision.lock.established is not None
        proven = decision.lock.established.proven
        assert (proven is not None and certificate_of(lock).fingerprint in proven.certificates) is bound
        assert told(decision, "format")[0] == ("passed" if bound else "failed")


# By when


@pytest.mark.parametrize(
    ("proven", "claimed", "verdict"),
    [
        (None, None, ("indeterminate", "signature.time_unproven", "")),
        (None, -SECOND, ("indeterminate", "signature.time_unproven", "")),
        (None, SECOND, ("failed", "signature.after_deadline", "claimed")),
        (-SECOND, SECOND, ("passed", "signature.verified", "proven")),
        (timedelta(0), None, ("passed", "signature.verified", "proven")),
        (SECOND, -SECOND, ("failed", "signature.after_deadline", "")),
    ],
)
def test_a_deadline(proven: timedelta | None, claimed: timedelta | None, verdict: tuple[str, str, str]) -> None:
    deadline = AT - HOUR
    document = structs.replace(
        in_cms(LOCK, at=None if claimed is None else deadline + claimed),
        deadline=deadline,
        receipts=() if proven is None else (receipt(deadline + proven),),
    )
    assert told(judge_document(LOCK, document, valid_at=deadline), "signature") == verdict


@pytest.mark.parametrize(
    ("proven", "claimed", "named", "verdict"),
    [
        (None, HOUR, 0 * HOUR, ("indeterminate", "signature.after_valid_at", "")),
        (2 * HOUR, HOUR, 0 * HOUR, ("indeterminate", "signature.after_valid_at", "")),
        # A clock may be somewhat fast, and a proof speaks before what is claimed.
        (None, timedelta(minutes=5), 0 * HOUR, ("passed", "signature.verified", "document")),
        (0 * HOUR, HOUR, 0 * HOUR, ("passed", "signature.verified", "proven")),
        (None, None, 0 * HOUR, ("passed", "signature.verified", "document")),
        # Who names no instant asks about what is proven, or about now: then the signature is there.
        (None, 9 * HOUR, None, ("passed", "signature.verified", "document")),
    ],
)
def test_who_says_that_he_signed_later_did_not_sign_then(
    proven: timedelta | None, claimed: timedelta | None, named: timedelta | None, verdict: tuple[str, str, str]
) -> None:
    start = AT - 4 * HOUR
    document = structs.replace(
        in_cms(LOCK, at=None if claimed is None else start + claimed),
        receipts=() if proven is None else (receipt(start + proven),),
    )
    asked = {} if named is None else {"valid_at": start + named}
    assert told(judge_document(LOCK, document, **asked), "signature") == verdict


def test_what_a_proof_of_time_would_settle_is_said_of_documents() -> None:
    gone = ca().issue(unit(KIND, 1, not_before=AT - 20 * DAY, not_after=AT - 10 * DAY))
    assert told(judge_document(gone, in_cms(gone)), "validity") == ("failed", "validity.expired", "document")
    revoked = shelf(LOCK.revoked(AT - DAY, reason="superseded"))
    assert told(judge_document(LOCK, in_cms(LOCK), revoked), "status") == ("failed", "status.revoked", "document")


def test_evidence_that_the_asker_could_not_read_is_kept_with_its_reason() -> None:
    refused = RefusedEvidence(kind="receipt", digest="sha256:0", code="receipt.other", detail="another one")
    lock = judge_document(LOCK, structs.replace(bare(LOCK), refused=(refused,))).lock
    assert lock is not None
    assert lock.established is not None
    assert lock.established.refused == (refused,)


# Pairs


def test_the_two_certificates_of_a_lock_find_each_other() -> None:
    pair, other = ca().pair(unit(KIND, 1)), ca().pair(unit(KIND, 2))
    signing, encryption = certificate_of(pair.signing), certificate_of(pair.encryption)
    issuer = certificate_of(ca())
    assert pair_of(signing, issuer, [certificate_of(other.encryption), encryption, signing]) == encryption
    assert pair_of(encryption, issuer, [encryption, signing]) == signing
    assert pair_of(signing, issuer, [certificate_of(other.encryption)]) is None
    assert pair_of(issuer, issuer, [signing, encryption]) is None


def test_a_pair_is_by_the_same_authority_and_of_the_same_time() -> None:
    pair = ca().pair(unit(KIND, 1))
    signing, issuer = certificate_of(pair.signing), certificate_of(ca())
    spec = pair.encryption.spec

    def made(**changes: Any) -> Issued:
        return ca().issue(replace(spec, **changes))

    forged = made(signed_by=Key(KIND, "thief"))
    gone = made(not_before=AT - 900 * DAY, not_after=AT - 800 * DAY)
    strange = foreign().issue(spec)
    for entry in (forged, gone, strange):
        assert pair_of(signing, issuer, [certificate_of(entry)]) is None
    renewed = made(key=Key(KIND, "another"), not_after=spec.not_after)
    assert pair_of(signing, issuer, [certificate_of(renewed), certificate_of(pair.encryption)]) is not None


def test_the_policy_of_these_tests_trusts_its_clock() -> None:
    assert TRUSTING.trust.by_qualifier["timestamp"]


def test_who_steals_the_authoritys_key_later_cannot_put_a_name_to_an_old_signature() -> None:
    stolen = ca().certificate.revoked(AT - DAY, reason="keyCompromise")
    lists = long_shelf(until=AT)
    lists.lists.clear()
    dated = {"this_update": AT, "next_update": AT + 7 * DAY}
    lists.add(root(), root().crl((stolen,), **dated)).add(ca(), ca().crl((), **dated))
    plain = message(DOCUMENT, Signed(by=LOCK))
    hashed = message(DOCUMENT, Signed(by=LOCK, more=(signing_certificate(LOCK.der),)))
    for octets, outcome in ((plain, "indeterminate"), (hashed, "recognized")):
        signed = of_message(octets)
        # By a timestamp authority elsewhere, whose own authority is safe.
        proof = structs.replace(receipt(AT - 2 * DAY), kind="timestamp")
        document = structs.replace(signed, receipts=(proof,))
        decision = judge_document(LOCK, document, lists)
        assert decision.lock is not None
        assert decision.lock.established is not None
        bound = structs.replace(proof, certificates=proof.certificates if octets == hashed else frozenset())
        found = structs.replace(decision.lock.established, proofs=(bound,))
        assert judged_as(document, found, lists).outcome == outcome


def below_two() -> tuple[Authority, Authority, Issued, Policy]:
    """An authority, one below it, a lock below both, and the policy that accepts them."""
    high = root().subordinate("测试上级CA")
    low = high.subordinate("测试下级CA")
    qualified = anchor("t-root", root().certificate.der, qualifiers=["bidding", "timestamp"])
    known = [
        ("trust-anchor", qualified),
        ("trust-anchor", intermediate("t-high", high.certificate.der)),
        ("trust-anchor", intermediate("t-ca", low.certificate.der)),
    ]
    return high, low, low.issue(unit(KIND, 1)), world(*known)


def test_who_steals_a_high_authoritys_key_later_cannot_put_another_below_it() -> None:
    high, low, lock, policy = below_two()
    stolen = high.certificate.revoked(AT - DAY, reason="keyCompromise")
    dated = {"this_update": AT, "next_update": AT + 7 * DAY}
    lists = Shelf().add(root(), root().crl((stolen,), **dated)).add(high, high.crl((), **dated))
    lists.add(low, low.crl((), **dated))
    signed = of_message(message(DOCUMENT, Signed(by=lock)))
    for covering, outcome in (((lock,), "indeterminate"), ((low,), "recognized"), ((lock, low), "recognized")):
        document = structs.replace(signed, receipts=(receipt(AT - 2 * DAY, *covering),))
        assert judge_document(lock, document, lists, policy).outcome == outcome


def test_a_timestamp_over_a_message_is_one_over_the_certificates_in_it() -> None:
    _, low, lock, policy = below_two()
    for inside in ((), (lock,), (lock, low.certificate)):
        octets = message(DOCUMENT, Signed(by=lock), certificates=tuple(entry.der for entry in inside))
        document = structs.replace(of_message(octets), timestamps=(token(octets, AT - 2 * DAY),))
        decision = judge_document(lock, document, policy=policy, chain=(low.certificate.der,))
        assert decision.lock is not None
        assert decision.lock.established is not None
        if not inside:
            assert [entry.code for entry in decision.lock.established.refused] == ["timestamp.key_open"]
            continue
        assert decision.lock.established.proven is not None
        there = {certificate_of(entry).fingerprint for entry in inside}
        assert decision.lock.established.proven.certificates == there
