from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_der_x509_certificate, ocsp

from keys.algorithms import schemes
from keys.algorithms.schemes import SignatureScheme, VerifyingKey
from keys.certificate import Certificate, parse_certificate
from keys.errors import AlgorithmError, KeysError, MalformedError
from keys.revocation.evidence import known_answer
from keys.revocation.ocsp import (
    OcspResponse,
    answer_about,
    needs_check,
    ocsp_urls,
    parse_ocsp,
    verify_ocsp,
    write_request,
)
from tests.support import der_writer as der
from tests.support.der_writer import Extension
from tests.support.ocsp import LIES, NO_CHECK, Responder, Said, lie, other_ca
from tests.support.pki import AT, Authority, Issued, unit
from tests.support.unsafe_sm2 import Key

KINDS = ("sm2", "rsa-2048", "p-256", "ed25519")
DIGESTS = ("sha1", "sha256", "sha384", "sha512", "sm3")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def ca(kind: str = "p-256") -> Authority:
    return Authority.root(kind, "测试根CA").subordinate("测试CA")


CA = ca()
LEAF = CA.issue(unit("p-256"))


def read(issued: Issued | Authority) -> Certificate:
    return parse_certificate(issued.certificate.der if isinstance(issued, Authority) else issued.der)


def outcome(data: bytes, authority: Authority, issued: Issued) -> str:
    """What becomes of a response at AT: the code of its refusal, or its status."""
    try:
        response = parse_ocsp(data)
        verify_ocsp(response, read(authority), AT)
    except KeysError as error:
        return error.code
    answer = answer_about(response, read(issued), read(authority))
    return "no answer" if answer is None else "unhandled" if answer.unhandled else answer.status


# Reading


def test_what_was_written_is_read() -> None:
    responder = Responder.delegated(CA)
    first = responder.about(
        LEAF, status="revoked", reason="keyCompromise", digest="sm3", cutoff=AT - 900 * DAY, next_update=AT + DAY
    )
    second = replace(first, serial=5, status="unknown", digest="sha256", next_update=None, cutoff=None)
    data = responder.respond([first, second], nonce=b"nonce", by_name=True)
    response = parse_ocsp(data)
    assert (response.der, response.nonce, response.produced_at) == (data, b"nonce", AT - HOUR / 2)
    assert (response.responder_name, response.responder_key) == (responder.name, None)
    assert [certificate.der for certificate in response.certificates] == [responder.certificate.der]
    told, unknown = response.answers
    assert (told.status, told.revoked_at, told.reason) == ("revoked", AT - 30 * DAY, "keyCompromise")
    assert (told.digest, told.serial, told.archive_cutoff) == ("sm3", LEAF.serial, AT - 900 * DAY)
    assert (told.this_update, told.next_update, told.produced_at) == (AT - HOUR, AT + DAY, response.produced_at)
    assert (unknown.status, unknown.revoked_at, unknown.reason, unknown.next_update) == ("unknown", None, None, None)
    assert (unknown.digest, unknown.archive_cutoff, unknown.unhandled) == ("sha256", None, ())
    assert response.tbs in data
    assert response.signature_algorithm == der.ALGORITHM_IDENTIFIERS["ecdsa-sha256"]


def test_a_response_is_its_bytes_and_shows_no_numbers() -> None:
    data = Responder.direct(CA).reply(LEAF)
    response, again = parse_ocsp(data), parse_ocsp(data)
    other = parse_ocsp(Responder.direct(CA).reply(LEAF, status="unknown"))
    assert (response == again, hash(response) == hash(again), response != other) == (True, True, True)
    assert response != data
    assert response.digest in repr(response)
    assert str(LEAF.serial) not in repr(response)
    assert response.__rich_repr__() == [("digest", response.digest), ("produced_at", response.produced_at)]


def test_the_date_from_which_a_key_is_invalid_counts() -> None:
    invalid = Extension("2.5.29.24", der.generalized_time(AT - 90 * DAY))
    response = parse_ocsp(Responder.direct(CA).reply(LEAF, status="revoked", more=(invalid,)))
    (answer,) = response.answers
    assert answer.entry is not None
    assert (answer.entry.revoked_at, answer.entry.effective_at) == (AT - 30 * DAY, AT - 90 * DAY)


@pytest.mark.parametrize("kind", KINDS)
def test_cryptography_reads_the_same(kind: str) -> None:
    if kind == "sm2":
        kind = "p-384"  # it knows no key of SM2
    authority = ca(kind)
    leaf = authority.issue(unit(kind))
    data = Responder.delegated(authority).reply(leaf, Said(by_name=True), status="revoked", reason="superseded")
    theirs, ours = ocsp.load_der_ocsp_response(data), parse_ocsp(data)
    (answer,) = ours.answers
    assert theirs.tbs_response_bytes == ours.tbs
    assert theirs.signature == ours.signature
    assert (theirs.serial_number, theirs.issuer_key_hash) == (answer.serial, answer.key_hash)
    assert theirs.issuer_name_hash == answer.name_hash
    assert (theirs.this_update_utc, theirs.next_update_utc) == (answer.this_update, answer.next_update)
    assert theirs.revocation_time_utc == answer.revoked_at
    assert theirs.produced_at_utc == ours.produced_at


# Asking


def test_a_request_asks_about_the_certificate() -> None:
    nonce = bytes(range(32))
    for digest, theirs in (("sha1", hashes.SHA1), ("sha256", hashes.SHA256), ("sha512", hashes.SHA512)):
        written = write_request(read(LEAF), read(CA), digest, nonce)
        request = ocsp.load_der_ocsp_request(written)
        leaf, issuer = load_der_x509_certificate(LEAF.der), load_der_x509_certificate(CA.certificate.der)
        built = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, theirs()).build()
        assert request.issuer_key_hash == built.issuer_key_hash
        assert request.issuer_name_hash == built.issuer_name_hash
        assert (request.serial_number, request.hash_algorithm.name) == (LEAF.serial, digest)
        assert request.extensions[0].value.nonce == nonce
    assert len(ocsp.load_der_ocsp_request(write_request(read(LEAF), read(CA), "sm3")).extensions) == 0


@pytest.mark.parametrize("serial", [0, 127, 128, 2**64, -5, 2**200])
def test_a_request_has_the_number_of_the_certificate(serial: int) -> None:
    issued = CA.issue(unit("p-256"), serial=serial)
    assert der.integer(serial) in write_request(read(issued), read(CA))
    assert outcome(Responder.direct(CA).reply(issued), CA, issued) == "good"


def test_a_request_is_not_written_for_what_nobody_answers() -> None:
    with pytest.raises(MalformedError, match=r"ocsp\.digest_unknown: digest 'md5'"):
        write_request(read(LEAF), read(CA), "md5")
    for nonce in (b"", bytes(129)):
        with pytest.raises(MalformedError, match=r"ocsp\.nonce"):
            write_request(read(LEAF), read(CA), nonce=nonce)


def information(*descriptions: bytes) -> tuple[str, ...]:
    extension = Extension("1.3.6.1.5.5.7.1.1", der.sequence(*descriptions))
    return ocsp_urls(read(CA.issue(unit("p-256"), more=(extension,))))


def test_a_certificate_names_its_responders() -> None:
    responder, issuers = der.oid("1.3.6.1.5.5.7.48.1"), der.oid("1.3.6.1.5.5.7.48.2")
    one, two = (der.uri_name(f"http://ocsp{number}.example/") for number in (1, 2))
    assert information(der.sequence(responder, one)) == ("http://ocsp1.example/",)
    several = (der.sequence(issuers, one), *3 * (der.sequence(responder, two),), der.sequence(responder, one))
    assert information(*several) == ("http://ocsp2.example/", "http://ocsp1.example/")
    assert information(der.sequence(responder, der.dns_name("a.example"))) == ()
    assert information(der.sequence(responder, one), der.sequence(responder)) == ()
    assert information(der.null()) == ()
    assert ocsp_urls(read(LEAF)) == ()


# Who signed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_name", [False, True])
def test_the_authority_and_who_it_authorised_answer(kind: str, by_name: bool) -> None:
    authority = ca(kind)
    leaf, issuer = authority.issue(unit(kind)), read(authority)
    for responder, check in (
        (Responder.direct(authority), False),
        (Responder.delegated(authority), False),
        (Responder.delegated(authority, no_check=False), True),
        (Responder.delegated(authority, kind="sm2", key_usage=None), False),
        (Responder.delegated(authority, more=(replace(NO_CHECK, critical=True),)), False),
    ):
        for digest in ("sha1", "sm3"):
            response = parse_ocsp(responder.reply(leaf, Said(by_name=by_name), digest=digest))
            signer = verify_ocsp(response, issuer, AT)
            assert signer.der == (responder.certificate or authority.certificate).der
            assert needs_check(signer, issuer) is check
            assert answer_about(response, read(leaf), issuer) == response.answers[0]


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_not_believed(name: str) -> None:
    expected = {"stale": "good"}.get(LIES[name], LIES[name])  # how old it is, is judged elsewhere
    for kind, digest in (("p-256", "sha1"), ("sm2", "sm3")):
        authority = ca(kind)
        leaf = authority.issue(unit(kind))
        assert outcome(lie(name, authority, leaf, digest=digest), authority, leaf) == expected


def test_who_only_has_the_issuers_name_is_told_from_it() -> None:
    namesake = Responder.delegated(CA, subject=CA.subject)
    assert outcome(namesake.reply(LEAF, Said(by_name=True)), CA, LEAF) == "good"
    stranger = Responder.delegated(CA, subject=CA.subject, by=other_ca(CA))
    assert outcome(stranger.reply(LEAF, Said(by_name=True)), CA, LEAF) == "ocsp.responder_not_authorised"


def test_an_sm2_responder_signs_under_the_default_user_id() -> None:
    authority = ca("sm2")
    leaf = authority.issue(unit("sm2"))
    assert outcome(Responder.direct(authority).reply(leaf, Said(user_id=b"")), authority, leaf) == "signature.wrong"


def test_a_renewed_certificate_of_the_issuers_key_is_the_issuer() -> None:
    renewed = replace(CA, certificate=Authority.root("p-256", "测试根CA").issue(CA.certificate.spec, serial=99))
    response = parse_ocsp(Responder.direct(CA).respond([Responder.direct(CA).about(LEAF)]))
    assert not needs_check(verify_ocsp(response, read(renewed), AT), read(CA))


def test_certificates_that_came_along_cost_few_verifications(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []
    real = schemes.verify

    def counted(key: VerifyingKey, scheme: SignatureScheme, signature: bytes, message: bytes) -> None:
        calls.append(signature)
        real(key, scheme, signature, message)

    monkeypatch.setattr(schemes, "verify", counted)

    def cost(data: bytes) -> tuple[str, int]:
        calls.clear()
        return outcome(data, CA, LEAF), len(calls)

    about, intruder = Responder.direct(CA).about(LEAF), Key("p-256", "intruder")
    again = tuple(Authority.root("p-256", "别名", key=CA.key, serial=number).certificate.der for number in range(1, 9))
    forged = Responder.direct(CA).respond([about], signed_by=intruder, certificates=again)
    assert cost(forged) == ("signature.wrong", 1)
    right = Responder.delegated(CA)
    made = tuple(
        Responder.delegated(CA, key=right.key, signed_by=intruder, serial=number).certificate.der
        for number in range(1, 8)
    )
    code, tried = cost(right.respond([about], certificates=(*made, right.certificate.der)))
    assert (code, tried) == ("ocsp.responder_not_authorised", 6)
    # Who is not fit to answer costs nothing, and stands in nobody's way.
    ended = tuple(
        Responder.delegated(CA, key=right.key, serial=number, not_after=AT - DAY).certificate.der
        for number in range(1, 6)
    )
    data = right.respond([about], certificates=(*ended, *made[:2], right.certificate.der))
    assert cost(data) == ("good", 4)


def test_algorithms_may_be_refused() -> None:
    def strict(scheme: object, key: object) -> str | None:
        return "too old" if "sha1" in str(scheme) else None

    authority = ca("rsa-2048")
    leaf = authority.issue(unit("rsa-2048"))
    old = replace(authority, scheme="rsa-pkcs1-sha1")
    weak = Said(scheme="rsa-pkcs1-sha1")
    for data in (
        Responder.direct(authority).reply(leaf, weak),
        Responder.delegated(authority).reply(leaf, weak),
        Responder.delegated(authority, by=old).reply(leaf),
    ):
        verify_ocsp(parse_ocsp(data), read(authority), AT)
        with pytest.raises(AlgorithmError, match=r"signature\.algorithm_not_allowed: too old"):
            verify_ocsp(parse_ocsp(data), read(authority), AT, usable=strict)


def test_a_response_is_not_believed_before_it_was_made() -> None:
    response = parse_ocsp(Responder.direct(CA).reply(LEAF, Said(produced_at=AT)))
    verify_ocsp(response, read(CA), AT)
    with pytest.raises(KeysError, match=r"ocsp\.future"):
        verify_ocsp(response, read(CA), AT - timedelta(microseconds=1))


# About whom


@pytest.mark.parametrize("digest", DIGESTS)
def test_an_answer_is_found_by_every_digest(digest: str) -> None:
    assert outcome(Responder.direct(CA).reply(LEAF, digest=digest), CA, LEAF) == "good"
    if digest != "sha1":
        assert outcome(Responder.direct(CA).reply(LEAF, digest=digest, id_digest="sha1"), CA, LEAF) == "no answer"


def test_an_answer_by_a_digest_that_is_not_known_is_about_nobody() -> None:
    response = parse_ocsp(Responder.direct(CA).reply(LEAF, digest="md5"))
    assert answer_about(response, read(LEAF), read(CA)) is None
    assert response.answers[0].digest == "1.2.840.113549.2.5"


def answered(*changes: dict[str, object]) -> OcspResponse:
    responder = Responder.direct(CA)
    return parse_ocsp(responder.respond([responder.about(LEAF, **each) for each in changes]))


def test_of_several_answers_the_worst_counts_in_any_order() -> None:
    good, unknown, late = {"digest": "sha256"}, {"status": "unknown"}, {"this_update": AT - HOUR / 2}
    revoked = {"status": "revoked", "digest": "sha512"}
    earlier = {"status": "revoked", "revoked_at": AT - 60 * DAY}
    rows: list[tuple[list[dict[str, object]], Callable[[object], bool]]] = [
        ([good, late], lambda answer: answer.this_update == AT - HOUR / 2),
        ([good, unknown, late], lambda answer: answer.status == "unknown"),
        ([good, revoked, unknown], lambda answer: answer.status == "revoked"),
        ([revoked, earlier], lambda answer: answer.revoked_at == AT - 60 * DAY),
    ]
    for said, expected in rows:
        for order in (said, said[::-1]):
            found = answer_about(answered(*order), read(LEAF), read(CA))
            assert found is not None
            assert expected(found)


# As evidence


def test_a_response_becomes_evidence() -> None:
    issuer, leaf = read(CA), read(LEAF)
    about = (leaf.serial, leaf.issuer, issuer)
    data = Responder.direct(CA).reply(LEAF)
    known = known_answer(data, *about, instant=AT)
    assert known is not None
    assert (known.known_from, known.unchecked) == (AT - HOUR / 2, None)
    assert known.digest == parse_ocsp(data).digest
    since = datetime(2026, 2, 2, tzinfo=UTC)
    later = known_answer(data, *about, instant=AT, known_from=since)
    assert later is not None
    assert later.known_from == since
    responder = Responder.delegated(CA, no_check=False)
    checked = known_answer(responder.reply(LEAF), *about, instant=AT)
    assert checked is not None
    assert checked.unchecked is not None
    assert checked.unchecked.der == responder.certificate.der
    assert known_answer(lie("wrong-serial", CA, LEAF), *about, instant=AT) is None
    with pytest.raises(KeysError, match=r"signature\.wrong"):
        known_answer(lie("wrong-signer", CA, LEAF), *about, instant=AT)
