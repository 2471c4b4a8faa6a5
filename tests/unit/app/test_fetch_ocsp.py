"""Asking responders that may do anything: what is kept is an answer that an authority of ours stands behind."""

import asyncio
import socket
from collections.abc import Callable, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from app.fetchers import FetchError
from app.fetchers.ocsp import LIMITS, OcspFetcher
from app.fetchers.revocation import Limits
from app.ports import OcspQuestion, StoreError
from app.usecases.fetch_ocsp import AnswerFetcher, AnswerOutcome, AnswerRefused
from keys.algorithm_policy import load_default
from keys.certificate import parse_certificate
from keys.revocation.ocsp import OcspAnswer, write_request
from registry.period import Period
from registry.trust import Trust, key_digest
from tests.support import der_writer as der
from tests.support.der_writer import Extension
from tests.support.lying_server import (
    Behaviour,
    LyingServer,
    answering,
    dripping,
    endless,
    lying_server,
    redirecting,
    sending,
    silent,
)
from tests.support.ocsp import LIES, Responder, Said, asked, lie
from tests.support.pki import AT, Authority, Issued, unit
from tests.support.trust_files import anchor, trust

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROOT = Authority.root("p-256")
CA = ROOT.subordinate()
SM2 = Authority.root("sm2", "测试SM2根CA")
ISSUER = parse_certificate(CA.certificate.der)
NONCE = bytes(range(32))


def lock(*urls: str, by: Authority = CA, **changes: Any) -> Issued:
    """A lock that names these responders."""
    method = der.oid("1.3.6.1.5.5.7.48.1")
    described = (der.sequence(method, der.uri_name(url)) for url in urls)
    return by.issue(unit(by.key.kind, more=(Extension("1.3.6.1.5.5.7.1.1", der.sequence(*described)),)), **changes)


def trusting(*hosts: str) -> Trust:
    return trust(
        anchor("root", ROOT),
        anchor("ca", CA, role="intermediate", revocation_hosts=hosts),
        anchor("sm2", SM2, revocation_hosts=hosts),
    )


@dataclass
class Kept:
    """A store of answers in memory."""

    answers: list[tuple[bytes, OcspAnswer, OcspQuestion]] = field(default_factory=list)

    def add_ocsp_answer(self, data: bytes, answer: OcspAnswer, question: OcspQuestion) -> bool:
        if any(data == other for other, _, _ in self.answers):
            return False
        self.answers.append((data, answer, question))
        return True


def fetcher(held: Trust, kept: Kept, ask: Callable[..., bytes], now: datetime = AT) -> AnswerFetcher:
    return AnswerFetcher(held, kept, load_default(), ask=ask, now=lambda: now, nonce=lambda: NONCE)


def told(data: bytes | FetchError, kept: Kept | None = None) -> AnswerOutcome:
    """What becomes of a response that somebody sends."""

    def ask(url: str, request: bytes, hosts: Set[str], seconds: float | None = None) -> bytes:
        if isinstance(data, FetchError):
            raise data
        return data

    certificate = parse_certificate(LOCK.der)
    asking = fetcher(trusting("ocsp.example"), Kept() if kept is None else kept, ask)
    return asking.fetch(certificate, asking.issuer_of(certificate))


URL = "http://ocsp.example/"
LOCK = lock(URL)
DIRECT = Responder.direct(CA)
RIGHT = DIRECT.reply(LOCK)


# Over HTTP


def answers_of(responder: Responder, issued: Issued, said: Said | None = None, **changes: Any) -> Behaviour:
    """A responder that reads the request and answers it with its nonce."""

    def behave(line: socket.socket, server: LyingServer) -> None:
        wanted = asked(server.bodies[-1])
        about = responder.about(issued, digest=wanted.digest, **changes)
        content = responder.respond([replace(about, serial=wanted.serial)], said, nonce=wanted.nonce)
        answering(content, "Content-Type: application/ocsp-response")(line, server)

    return behave


@pytest.mark.parametrize("kind", ["p-256", "sm2"])
def test_an_honest_responder_is_asked_and_its_answer_is_kept(kind: str) -> None:
    by = CA if kind == "p-256" else SM2
    kept = Kept()
    with lying_server({}) as server:
        issued = lock(f"{server.base}/ocsp", by=by)
        server.behaviours = {"/ocsp": answers_of(Responder.delegated(by), issued)}
        certificate = parse_certificate(issued.der)
        asking = fetcher(trusting(server.place), kept, OcspFetcher(private=True).ask)
        outcome = asking.fetch(certificate, asking.issuer_of(certificate))
        (head,), (body,) = server.requests, server.bodies
    assert (outcome.result, outcome.authority, outcome.failed) == ("stored", "ca" if by is CA else "sm2", False)
    assert head.startswith("POST /ocsp HTTP/1.1\r\n")
    assert "Content-Type: application/ocsp-request\r\n" in head
    issuer = parse_certificate(by.certificate.der)
    assert body == write_request(certificate, issuer, nonce=NONCE)
    ((_, answer, question),) = kept.answers
    assert answer.status == "good"
    assert question == OcspQuestion(
        serial=certificate.serial,
        issuer_name=certificate.issuer,
        issuer_key=key_digest(issuer),
        not_after=certificate.not_after,
        url=outcome.source,
    )


def refusal(behaviour: Behaviour, limits: Limits = LIMITS, seconds: float | None = None) -> str:
    with lying_server({"/": behaviour}) as server, pytest.raises(FetchError) as caught:
        OcspFetcher(private=True, limits=limits).ask(server.base, b"request", {server.place}, seconds)
    return caught.value.code


OPEN_ENDED = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (answering(bytes(LIMITS.size + 1)), "fetch.too_large"),
        (endless(OPEN_ENDED, bytes(4096)), "fetch.too_large"),
        (answering(RIGHT, length=len(RIGHT) + 1), "fetch.truncated"),
        (answering(RIGHT, status="404 Not Found"), "fetch.status"),
        (redirecting("/elsewhere"), "fetch.redirects"),
        (redirecting("http://169.254.169.254/", "307 Temporary Redirect"), "fetch.redirects"),
        (answering(RIGHT, "Content-Encoding: gzip"), "fetch.protocol"),
        (sending(RIGHT), "fetch.protocol"),
    ],
)
def test_what_a_lying_server_sends_becomes_one_error(behaviour: Behaviour, code: str) -> None:
    assert refusal(behaviour) == code


@pytest.mark.parametrize("behaviour", [silent, dripping(OPEN_ENDED, b"0")])
def test_a_responder_has_only_the_time_that_is_left(behaviour: Behaviour) -> None:
    assert refusal(behaviour, seconds=0.2) == "fetch.timeout"
    assert refusal(behaviour, replace(LIMITS, seconds=0.2), seconds=60) == "fetch.timeout"


def test_only_hosts_that_the_file_allows_are_asked_and_only_public_addresses() -> None:
    with lying_server({"/": answering(RIGHT)}) as server:
        issued = lock(server.base)
        certificate = parse_certificate(issued.der)
        rows = {
            ("elsewhere.example",): ("fetch.host", True),
            (): ("fetch.host", True),
            (server.place,): ("fetch.address", False),
        }
        for hosts, (code, private) in rows.items():
            asking = fetcher(trusting(*hosts), Kept(), OcspFetcher(private=private).ask)
            outcome = asking.fetch(certificate, ISSUER)
            assert (outcome.result, outcome.code) == ("not_fetched", code)
        assert server.requests == []


# What is believed


EXPECTED = LIES | {
    "wrong-issuer-name": "ocsp.about_others",
    "wrong-issuer-key": "ocsp.about_others",
    "wrong-serial": "ocsp.about_others",
    "unknown-critical-extension": "ocsp.unhandled",
    "unknown-critical-in-answer": "ocsp.unhandled",
    "stale": "ocsp.past",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_answer_that_lies_is_refused_and_nothing_changes(name: str) -> None:
    kept = Kept()
    outcome = told(lie(name, CA, LOCK), kept=kept)
    assert (outcome.result, outcome.code, outcome.failed) == ("refused", EXPECTED[name], True)
    assert outcome.detail
    assert kept.answers == []


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Said(nonce=NONCE), None),
        (Said(), None),  # signed ahead, for everybody
        (Said(nonce=NONCE[1:]), "ocsp.nonce"),
        (Said(nonce=b""), "ocsp.nonce"),
        (Said(status=3), "ocsp.not_successful"),
        (Said(kind="1.2.3.4"), "ocsp.not_basic"),
    ],
)
def test_only_an_answer_to_our_own_request_is_kept(said: Said, code: str | None) -> None:
    outcome = told(DIRECT.reply(LOCK, said))
    assert (outcome.code, outcome.result) == (code, "refused" if code else "stored")


@pytest.mark.parametrize("status", ["good", "revoked", "unknown"])
def test_whatever_is_said_is_kept_once(status: str) -> None:
    kept, data = Kept(), DIRECT.reply(LOCK, status=status)
    assert [told(data, kept=kept).result for _ in range(2)] == ["stored", "unchanged"]
    ((_, answer, _),) = kept.answers
    assert answer.status == status


def test_clocks_may_differ_by_five_minutes() -> None:
    ahead = timedelta(minutes=5)
    for instant, code in ((AT + ahead, None), (AT + ahead + timedelta(seconds=1), "ocsp.future")):
        assert told(DIRECT.reply(LOCK, Said(produced_at=instant))).code == code
        assert told(DIRECT.reply(LOCK, this_update=instant)).code == code
    assert told(DIRECT.reply(LOCK, next_update=AT)).code is None
    assert told(DIRECT.reply(LOCK, next_update=None)).code is None


def test_an_algorithm_that_may_not_be_relied_on_now_proves_nothing() -> None:
    assert told(DIRECT.reply(LOCK, Said(scheme="ecdsa-sha1"))).code == "signature.algorithm_not_allowed"


def test_a_failed_fetch_and_any_bytes_are_told() -> None:
    outcome = told(FetchError("fetch.timeout", "took too long"))
    assert (outcome.result, outcome.code, outcome.detail) == ("not_fetched", "fetch.timeout", "took too long")
    for data in (b"", RIGHT[:-1], b"<html>"):
        assert (told(data).result, told(data).code) == ("refused", "ocsp.malformed")


# Who is asked


def asking_by(respond: Callable[[str, bytes], bytes], held: Trust | None = None) -> tuple[AnswerFetcher, list[str]]:
    """A fetcher that asks a function, and the addresses that were asked."""
    urls: list[str] = []

    def ask(url: str, request: bytes, hosts: Set[str], seconds: float | None = None) -> bytes:
        urls.append(url)
        return respond(url, request)

    return fetcher(held or trusting("ocsp.example"), Kept(), ask), urls


def test_a_responder_of_an_sm2_authority_may_take_only_sm3() -> None:
    issued = lock(URL, by=SM2)
    responder = Responder.direct(SM2)
    for silence in (responder.respond([], status=6), Responder.direct(CA).reply(issued)):

        def respond(url: str, request: bytes, silence: bytes = silence) -> bytes:
            wanted = asked(request)
            return silence if wanted.digest == "sha1" else responder.reply(issued, digest=wanted.digest)

        asking, urls = asking_by(respond)
        certificate = parse_certificate(issued.der)
        assert asking.fetch(certificate, asking.issuer_of(certificate)).result == "stored"
        assert urls == [URL, URL]
    asking, urls = asking_by(lambda url, request: responder.reply(issued, Said(user_id=b"")))
    assert asking.fetch(certificate, asking.issuer_of(certificate)).code == "signature.wrong"
    assert urls == [URL]


def test_one_responder_after_the_other_is_asked() -> None:
    names = [f"http://ocsp.example/{number}" for number in range(4)]
    issued = lock("ldap://ocsp.example/", *names)

    def respond(url: str, request: bytes) -> bytes:
        return DIRECT.reply(issued) if url == names[1] else b""

    asking, urls = asking_by(respond)
    outcome = asking.fetch(parse_certificate(issued.der), ISSUER)
    assert (outcome.result, outcome.source, urls) == ("stored", names[1], names[:2])
    asking, urls = asking_by(lambda url, request: b"")
    assert asking.fetch(parse_certificate(issued.der), ISSUER).code == "ocsp.malformed"
    assert urls == names[:3]


def test_nobody_is_asked_about_what_has_ended_or_names_nobody() -> None:
    asking, urls = asking_by(lambda url, request: b"")
    rows = {
        "ocsp.no_address": lock("ldap://ocsp.example/"),
        "ocsp.ended": lock(URL, not_after=AT - timedelta(seconds=1)),
    }
    for code, issued in rows.items():
        outcome = asking.fetch(parse_certificate(issued.der), ISSUER)
        assert (outcome.result, outcome.code, outcome.source) == ("not_fetched", code, "-")
    assert urls == []


def test_the_issuer_is_found_by_name_and_signature() -> None:
    asking, _ = asking_by(lambda url, request: b"")
    assert asking.issuer_of(parse_certificate(LOCK.der)) == ISSUER
    twin = Authority.root("p-256", "重庆测试CA", seed="twin")
    for stranger in (lock(URL, by=twin), lock(URL, by=Authority.root("p-256", "乙CA"))):
        with pytest.raises(AnswerRefused, match=r"ocsp\.authority_unknown"):
            asking.issuer_of(parse_certificate(stranger.der))


def test_what_is_due_is_asked_again_of_authorities_in_effect() -> None:
    certificate = parse_certificate(LOCK.der)
    question = OcspQuestion(
        serial=certificate.serial,
        issuer_name=certificate.issuer,
        issuer_key=key_digest(ISSUER),
        not_after=certificate.not_after,
        url=URL,
    )
    asking, urls = asking_by(lambda url, request: DIRECT.reply(LOCK))
    assert [outcome.result for outcome in asking.refresh([question, question])] == ["stored", "unchanged"]
    assert urls == [URL, URL]
    ended = trust(anchor("ca", CA, role="intermediate", effective=Period(end=AT)))
    asking, urls = asking_by(lambda url, request: DIRECT.reply(LOCK), ended)
    assert list(asking.refresh([question, structs.replace(question, issuer_key="sha256:0")])) == []
    assert urls == []


def test_an_issuer_whose_key_cannot_be_read_is_asked_by_sha1_only() -> None:
    odd = Authority.root("p-256", "测试奇CA", spki=der.sequence(der.sequence(der.oid("1.2.3")), der.bit_string(b"\0")))
    asking, urls = asking_by(lambda url, request: DIRECT.respond([], status=6))
    outcome = asking.fetch(parse_certificate(LOCK.der), parse_certificate(odd.certificate.der))
    assert (outcome.code, len(urls)) == ("ocsp.not_successful", 1)


# Until an instant


def awaited(ask: Callable[..., bytes], seconds: float) -> AnswerOutcome | None:
    asking = fetcher(trusting("ocsp.example"), Kept(), ask)
    deadline = AT + timedelta(seconds=seconds)
    return asyncio.run(asking.fetch_answers(parse_certificate(LOCK.der), ISSUER, deadline))


def test_who_awaits_an_answer_gets_it_in_time_or_none() -> None:
    given: list[float | None] = []

    def prompt(url: str, request: bytes, hosts: Set[str], seconds: float | None = None) -> bytes:
        given.append(seconds)
        return DIRECT.reply(LOCK)

    outcome = awaited(prompt, 30)
    assert outcome is not None
    assert (outcome.result, given) == ("stored", [30])
    assert awaited(prompt, 0) is None
    assert given == [30]


def test_nobody_is_asked_when_the_time_is_over() -> None:
    asking, urls = asking_by(lambda url, request: DIRECT.reply(LOCK))
    outcome = asking.fetch(parse_certificate(LOCK.der), ISSUER, AT)
    assert (outcome.result, outcome.code, urls) == ("not_fetched", "fetch.timeout", [])


def test_who_does_not_get_an_answer_in_time_goes_on() -> None:
    with lying_server({"/": silent}) as server:
        certificate = parse_certificate(lock(server.base).der)
        asking = fetcher(trusting(server.place), Kept(), OcspFetcher(private=True).ask)
        deadline = AT + timedelta(seconds=0.2)
        outcome = asyncio.run(asking.fetch_answers(certificate, ISSUER, deadline))
    assert outcome is None or outcome.code == "fetch.timeout"


def test_a_failing_store_is_told_who_awaits() -> None:
    class Failing(Kept):
        def add_ocsp_answer(self, data: bytes, answer: OcspAnswer, question: OcspQuestion) -> bool:
            raise StoreError("the disk is full")

    asking = fetcher(trusting("ocsp.example"), Failing(), lambda *asked, **more: DIRECT.reply(LOCK))
    with pytest.raises(StoreError, match="the disk is full"):
        asyncio.run(asking.fetch_answers(parse_certificate(LOCK.der), ISSUER, AT + HOUR))
