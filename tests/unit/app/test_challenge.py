"""Challenges: stateless, authentic, for one relying party and one purpose, and good for five minutes."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.usecases.challenge import LIFETIME, PREFIX, Challenge, Challenger, name_of, problem_with

NOW = datetime(2026, 6, 1, 8, 30, 0, 123456, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SECRET = b"s" * 32
PARTY, PURPOSE = "cq-ggzy", "bidding.login"
CHALLENGER = Challenger(SECRET, "测试签发者")
MADE = CHALLENGER.make(PARTY, PURPOSE, NOW)


def decoded(identity: str) -> bytes:
    text = identity.removeprefix(PREFIX)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(content: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_a_challenge_is_known_again_in_every_process_of_the_store() -> None:
    assert CHALLENGER.read(MADE.id) == MADE
    assert Challenger(SECRET, "测试签发者").read(MADE.id) == MADE
    assert (MADE.relying_party, MADE.purpose, MADE.expires_at) == (PARTY, PURPOSE, NOW + timedelta(minutes=5))
    assert timedelta(minutes=5) == LIFETIME


def test_what_is_to_be_signed_is_as_the_contract_says() -> None:
    head, _, statement = MADE.to_be_signed.partition(b"\n")
    assert head == b"accord-challenge-v1"
    content = json.loads(statement)
    assert content == {
        "challenge_id": MADE.id,
        "nonce": content["nonce"],
        "relying_party": PARTY,
        "purpose": PURPOSE,
        "issuer": "测试签发者",
        "expires_at": "2026-06-01T08:35:00.123456Z",
    }
    assert len(base64.urlsafe_b64decode(content["nonce"])) == 18
    assert rfc8785.dumps(content) == statement
    assert json.loads(decoded(MADE.id)[:-16])["n"] == content["nonce"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(TEXTS, TEXTS, INSTANTS)
def test_any_party_purpose_and_instant_come_back(party: str, purpose: str, now: datetime) -> None:
    made = CHALLENGER.make(party, purpose, now)
    assert CHALLENGER.read(made.id) == made
    assert (made.relying_party, made.purpose, made.expires_at) == (party, purpose, now + LIFETIME)
    assert made.id.startswith(PREFIX)
    assert made.id.isascii()
    statement = made.to_be_signed.partition(b"\n")[2]
    assert rfc8785.dumps(json.loads(statement)) == statement
    assert problem_with(made, party, purpose, now) is None


def test_no_two_challenges_are_the_same() -> None:
    made = [CHALLENGER.make(PARTY, PURPOSE, NOW) for _ in range(100)]
    assert len({each.id for each in made}) == len({each.to_be_signed for each in made}) == 100
    assert len({name_of(each) for each in made}) == 100


# Forgeries


def test_any_flipped_bit_makes_it_unknown() -> None:
    content = decoded(MADE.id)
    for place in range(8 * len(content)):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        assert CHALLENGER.read(encoded(bytes(changed))) is None
    assert CHALLENGER.read(encoded(content)) == MADE


def test_any_changed_character_makes_it_unknown() -> None:
    alphabet = "ABCxyz019-_=+/ .\n\0é"
    for place, there in enumerate(MADE.id):
        for character in alphabet:
            if character != there:
                assert CHALLENGER.read(MADE.id[:place] + character + MADE.id[place + 1 :]) is None


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_part_of_it_is_unknown(start: int, end: int) -> None:
    part = MADE.id[start:end]
    assert CHALLENGER.read(part) == (MADE if part == MADE.id else None)


@pytest.mark.parametrize(
    "identity",
    [
        MADE.id.removeprefix(PREFIX),
        PREFIX + MADE.id,
        MADE.id.upper(),
        "CHAL_" + MADE.id.removeprefix(PREFIX),
        MADE.id + "=",
        MADE.id + "\n",
        " " + MADE.id,
        MADE.id + MADE.id,
        PREFIX,
        "",
        "chal",
        "\ud800",
        PREFIX + "A" * 21 + "Q",
        encoded(b""),
        encoded(b"\0" * 15),
        encoded(b"\0" * 16),
        encoded(decoded(MADE.id) + b"\0"),
        encoded(b"\0" + decoded(MADE.id)),
        encoded(decoded(MADE.id)[:-16]),
    ],
)
def test_what_this_store_did_not_give_out_is_unknown(identity: str) -> None:
    assert CHALLENGER.read(identity) is None


@given(st.text(max_size=200) | st.text(max_size=200).map(PREFIX.__add__) | st.binary(max_size=200).map(encoded))
def test_garbage_is_unknown(identity: str) -> None:
    assert CHALLENGER.read(identity) is None
    assert problem_with(CHALLENGER.read(identity), PARTY, PURPOSE, NOW) == "challenge.unknown"


def test_another_stores_challenge_is_unknown() -> None:
    for secret in (b"t" * 32, SECRET[:-1], SECRET + b"s", SECRET.upper()):
        assert Challenger(secret, "测试签发者").read(MADE.id) is None
        assert CHALLENGER.read(Challenger(secret, "测试签发者").make(PARTY, PURPOSE, NOW).id) is None


def test_the_key_is_not_the_stores_secret_itself() -> None:
    content = decoded(MADE.id)[:-16]
    forged = hmac.digest(SECRET, content, "sha256")
    assert CHALLENGER.read(encoded(content + forged[:16])) is None
    for digest in (hashlib.sha256(SECRET + content), hashlib.sha256(content)):
        assert CHALLENGER.read(encoded(content + digest.digest()[:16])) is None


def test_another_issuer_signs_something_else() -> None:
    other = Challenger(SECRET, "another").read(MADE.id)
    assert other is not None
    assert other.id == MADE.id
    assert other.to_be_signed != MADE.to_be_signed


# What speaks against one


@pytest.mark.parametrize(
    ("challenge", "party", "purpose", "now", "problem"),
    [
        (MADE, PARTY, PURPOSE, NOW, None),
        (MADE, PARTY, PURPOSE, NOW - timedelta(minutes=2), None),
        (MADE, PARTY, PURPOSE, MADE.expires_at - TICK, None),
        (MADE, PARTY, PURPOSE, MADE.expires_at, "challenge.expired"),
        (MADE, PARTY, PURPOSE, MADE.expires_at + timedelta(days=1), "challenge.expired"),
        (MADE, "sc-ggzy", PURPOSE, NOW, "challenge.mismatch"),
        (MADE, None, PURPOSE, NOW, "challenge.mismatch"),
        (MADE, "", PURPOSE, NOW, "challenge.mismatch"),
        (MADE, PARTY.upper(), PURPOSE, NOW, "challenge.mismatch"),
        (MADE, PURPOSE, PARTY, NOW, "challenge.mismatch"),
        (MADE, PARTY, "bidding.sign", NOW, "challenge.mismatch"),
        # That it is for somebody else says more than that it has ended.
        (MADE, "sc-ggzy", PURPOSE, MADE.expires_at, "challenge.mismatch"),
        (None, PARTY, PURPOSE, NOW, "challenge.unknown"),
        (None, None, "", MADE.expires_at, "challenge.unknown"),
    ],
)
def test_a_challenge_serves_its_party_its_purpose_and_its_time(
    challenge: Challenge | None, party: Any, purpose: str, now: datetime, problem: str | None
) -> None:
    assert problem_with(challenge, party, purpose, now) == problem


def test_a_used_challenge_is_kept_by_a_digest_of_its_id() -> None:
    assert name_of(MADE) == hashlib.sha256(MADE.id.encode()).hexdigest()
    read = CHALLENGER.read(MADE.id)
    assert read is not None
    assert name_of(read) == name_of(MADE)
