"""OCSP responses that came with a request: what was asked before changes no answer, and costs nothing twice."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.algorithm_policy import AlgorithmPolicy, load_default, read_policy
from keys.certificate import Certificate
from registry import stapled
from registry.stapled import Stapled
from tests.support.ocsp import LIES, Responder, Said, lie
from tests.support.pki import AT, Issued
from tests.unit.registry.locks import DAY, HOUR, ca, certificate_of, foreign, honest_lock, root

Question = tuple[Certificate, Certificate, datetime, AlgorithmPolicy]

RULES = load_default()
ONLY_SM3 = read_policy(
    b"""
    id = "test-sm3"
    version = 1
    [[digests]]
    id = "sm3"
    source = "test"
    confidence = "G"
    digests = ["sm3"]
    [[keys]]
    id = "sm2"
    source = "test"
    confidence = "G"
    family = "sm2"
    curves = ["sm2"]
    minimum_bits = 256
    """,
    "test",
)
LOCKS = [honest_lock(number) for number in (1, 2, 3)]
CA = Responder.direct(ca())


def said(*about: Issued, by: Responder = CA, at: datetime = AT - HOUR, **changes: Any) -> bytes:
    return by.respond([by.about(issued, **changes) for issued in about], Said(produced_at=at))


RESPONSES = [
    b"",
    b"0\x00",
    said(LOCKS[0]),
    said(LOCKS[0], LOCKS[1], status="revoked"),
    said(LOCKS[1], at=AT + HOUR),
    said(LOCKS[1], by=Responder.delegated(ca(), no_check=False)),
    said(ca().certificate, by=Responder.direct(root())),
    *(lie(name, ca(), LOCKS[0]) for name in LIES),
]


def question(issued: Issued = LOCKS[0], known_at: datetime = AT, algorithms: AlgorithmPolicy = RULES) -> Question:
    return certificate_of(issued), certificate_of(ca()), known_at, algorithms


QUESTIONS = st.builds(question, st.sampled_from(LOCKS), st.sampled_from([AT - DAY, AT, AT + DAY])) | st.sampled_from(
    [
        question(algorithms=ONLY_SM3),
        (certificate_of(LOCKS[0]), certificate_of(foreign()), AT, RULES),
        (certificate_of(ca()), certificate_of(root()), AT, RULES),
    ]
)


def told(brought: Stapled) -> list[str]:
    return [refused.code for refused in brought.of_no_use()]


@settings(deadline=None)
@given(st.lists(st.sampled_from(RESPONSES), max_size=5), st.lists(QUESTIONS, max_size=6))
def test_what_was_asked_before_changes_no_answer(responses: list[bytes], asked: list[Question]) -> None:
    shared = Stapled(responses)
    answers = [shared.about(*each) for each in asked]
    assert answers == [Stapled(responses).about(*each) for each in asked]
    # Of use is what told of anything.
    heard = {known.digest for answer in answers for known in answer}
    named = {f"sha256:{sha256(data).hexdigest()}" for data in responses}
    assert {refused.digest for refused in shared.of_no_use()} == named - heard


@pytest.mark.parametrize(
    ("data", "asked", "why"),
    [
        (b"0\x00", question(), ["ocsp.malformed"]),
        (said(LOCKS[1]), question(), ["ocsp.about_others"]),
        (said(LOCKS[0]), question(), []),
        (said(LOCKS[0]), question(known_at=AT - DAY), ["ocsp.future"]),
        (said(LOCKS[0]), question(algorithms=ONLY_SM3), ["signature.algorithm_not_allowed"]),
        # A wrong signature is told as that, whatever its algorithm.
        (lie("wrong-signer", ca(), LOCKS[0]), question(algorithms=ONLY_SM3), ["signature.wrong"]),
        (lie("no-ocsp-signing", ca(), LOCKS[0]), question(), ["ocsp.responder_not_authorised"]),
    ],
)
def test_what_is_of_no_use_has_a_reason(data: bytes, asked: Question, why: list[str]) -> None:
    brought = Stapled((data, data))
    unasked = told(brought)
    brought.about(*asked)
    assert told(brought) == why
    assert unasked == [code if code == "ocsp.malformed" else "ocsp.about_others" for code in why or ["unasked"]]


def test_what_told_of_one_certificate_is_of_use_though_it_tells_nothing_of_another() -> None:
    right, early = question(), question(LOCKS[1], known_at=AT - DAY)
    for order in ((right, early), (early, right)):
        brought = Stapled((said(LOCKS[0], LOCKS[1]),))
        assert [len(brought.about(*each)) for each in order] == [int(each is right) for each in order]
        assert told(brought) == []


def test_a_response_is_read_once_and_verified_once_for_an_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Counter[str]()

    def counted(name: str, real: Callable[..., Any], *given: Any, **named: Any) -> Any:
        calls[name] += 1
        return real(*given, **named)

    for name in ("parse_ocsp", "verify_ocsp", "answer_for"):
        monkeypatch.setattr(stapled, name, partial(counted, name, getattr(stapled, name)))
    forged = Responder.direct(ca()).respond([CA.about(lock) for lock in LOCKS], Said(signature=b"\0"))
    brought = Stapled((forged, said(*LOCKS), forged))
    for _ in range(3):
        for lock in LOCKS:
            assert len(brought.about(*question(lock))) == 1
        assert told(brought) == ["signature.wrong"]
        assert calls == {"parse_ocsp": 2, "verify_ocsp": 2, "answer_for": 2 * len(LOCKS)}
