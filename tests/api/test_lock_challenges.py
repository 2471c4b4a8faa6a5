"""A challenge is answered once: what uses it up, what does not, and who gets the stored answer again."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import clock
from app.bootstrap import open_node
from app.ports import StoreError
from app.store.challenges import SqliteChallenges
from tests.api.lock_place import GOOD, Place, check, open_place, serving
from tests.api.service import LANGUAGES, assert_problem
from tests.support.lock_world import (
    DAY,
    REVOKED,
    VERIFICATIONS,
    another_signature,
    build_lock_world,
    codes,
    new_lock_world,
    text_of,
    written,
)
from tests.support.unsafe_sm2 import signature_raw

USED = ("not_recognized", "challenge.used")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("locks")) as opened:
        yield opened


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Sets the clock forward, and lets it go on from there."""
    present = clock.now
    monkeypatch.setattr(clock, "now", lambda: present() + by)


# The identical retry


def test_the_identical_retry_gets_the_identical_bytes(place: Place) -> None:
    client = place.client
    request = written(client.answered(client.challenge(), place.world.lock().signing))
    first = client.verify(request, "en")
    assert codes(first) == GOOD
    for language in (*LANGUAGES, None):
        again = client.verify(request, language)
        assert again.content == first.content
        assert again.headers["content-language"] == "en"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]


def test_the_identical_retry_gets_its_answer_after_the_challenge_expired(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = place.client
    request = written(client.answered(client.challenge(), place.world.lock().signing))
    first = client.verify(request)
    later(monkeypatch, timedelta(minutes=9))
    assert client.verify(request).content == first.content
    # After that it is no retry any more: the answer tells of then, and the lock may have been revoked since.
    later(monkeypatch, timedelta(minutes=2))
    assert codes(client.verify(request)) == USED
    later(monkeypatch, timedelta(days=1))
    assert codes(client.verify(request))[0] == "not_recognized"


def test_a_strangers_signature_does_not_use_a_challenge_up(place: Place) -> None:
    """Anybody can make a key and sign what he overheard; the challenge is the lock holder's all the same."""
    client, given = place.client, place.client.challenge()
    foreign = place.world.lock(authority="foreign").signing
    assert codes(client.verify(client.answered(given, foreign)))[:2] == ("not_recognized", "path.no_anchor")
    assert codes(client.verify(client.answered(given, place.world.lock().signing))) == GOOD


def test_the_identical_retry_gets_its_answer_from_any_node_of_the_store(place: Place) -> None:
    client = place.client
    request = client.answered(client.challenge(), place.world.lock().signing)
    first = client.verify(request)
    with place.reopened() as other:
        assert other.verify(request).content == first.content
        assert codes(other.verify(request | {"chain": []})) == USED
    with place.reopened() as restarted:
        assert restarted.verify(request).content == first.content


def test_a_challenge_of_one_node_is_answered_at_another(place: Place) -> None:
    given = place.client.challenge()
    with place.reopened() as other:
        request = other.answered(given, place.world.lock().signing)
        first = other.verify(request)
        assert codes(first) == GOOD
    assert place.client.verify(request).content == first.content


def test_a_restart_days_later_forgets_answers_and_never_accepts_anew(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = place.client
    request = client.answered(client.challenge(), place.world.lock().signing)
    assert codes(client.verify(request)) == GOOD
    later(monkeypatch, 26 * timedelta(hours=1))
    with place.reopened() as restarted:
        assert codes(restarted.verify(request)) == ("not_recognized", "challenge.expired")


# Any other use


def test_any_other_use_is_one_too_many(place: Place) -> None:
    world, client = place.world, place.client
    shown, given = world.lock().signing, client.challenge()
    request = client.answered(given, shown)
    assert codes(client.verify(request)) == GOOD
    signature = shown.key.sign(given.to_be_signed)
    others = {
        "another signature": {"signature": text_of(another_signature(shown.key, given.to_be_signed, 1))},
        "the same as r‖s": {"signature": text_of(signature_raw(signature))},
        "the same with a line break": {"signature": text_of(signature) + "\n"},
        "an instant": {"valid_at": clock.now().isoformat()},
        "an empty chain": {"chain": []},
        "a subject": {"expected_subject": {"name": "测试建设1有限公司"}},
        "another lock": {"certificate": text_of(world.lock(number=2).signing)},
        "a wrong signature": {"signature": text_of(bytes(64))},
        "another platform": {"relying_party": "other"},
    }
    for name, members in others.items():
        assert codes(client.verify(request | members)) == USED, name
    assert codes(client.verify(written(request) + b" ")) == USED
    assert codes(client.verify(dict(reversed(request.items())))) == USED
    refused = client.verify(request | {"jurisdiction": "CN-BJ"})
    assert_problem(refused, 422, "query.unknown_jurisdiction", "/jurisdiction")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_used_challenge_is_told_with_its_remedy(place: Place, language: str) -> None:
    client = place.client
    request = client.answered(client.challenge(), place.world.lock().signing)
    client.verify(request)
    answer = client.verify(request | {"chain": []}, language)
    signature = check(answer.json(), "signature")
    assert (signature["result"], signature["code"]) == ("failed", "challenge.used")
    assert answer.json()["reasons"][0]["remedy"]
    assert answer.headers["content-language"] == language


# What does not use a challenge up


def test_a_failed_attempt_leaves_the_challenge_as_it_was(place: Place) -> None:
    world, client = place.world, place.client
    shown, given = world.lock().signing, client.challenge()
    right = client.answered(given, shown)
    failures: list[tuple[dict[str, Any], str]] = [
        ({"signature": text_of(bytes(64))}, "signature.wrong"),
        ({"signature": text_of(shown.key.sign(b"something else"))}, "signature.wrong"),
        ({"certificate": text_of(world.lock(number=2).signing)}, "signature.wrong"),
        ({"relying_party": "other"}, "challenge.mismatch"),
        ({"purpose": "bidding.sign"}, "challenge.mismatch"),
    ]
    for members, code in failures:
        assert codes(client.verify(right | members)) == ("not_recognized", code)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"jurisdiction": "CN-BJ"}, "/jurisdiction"),
        ({"valid_at": (clock.now() + DAY).isoformat()}, "/valid_at"),
        ({"certificate": "MIIB"}, "/certificate"),
    ]
    for members, pointer in refused:
        response = client.verify(right | members)
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)
    assert codes(client.verify(right)) == GOOD


def test_a_right_signature_uses_the_challenge_up_whatever_the_lock_is_worth(place: Place) -> None:
    """A revoked lock's answer is an answer: the same challenge is not tried with the next lock."""
    client, revoked, good = place.client, place.world.lock(number=REVOKED).signing, place.world.lock().signing
    given = client.challenge()
    request = client.answered(given, revoked)
    first = client.verify(request)
    assert codes(first) == ("not_recognized", "status.revoked")
    assert codes(client.verify(client.answered(given, good))) == USED
    assert client.verify(request).content == first.content


# Out of time, or of another store


def test_a_challenge_expires(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    client, shown = place.client, place.world.lock().signing
    given = client.challenge()
    expires_at = datetime.fromisoformat(given.expires_at)
    request = client.answered(given, shown)
    messages = set()
    monkeypatch.setattr(clock, "now", lambda: expires_at)
    for language in LANGUAGES:
        answer = client.verify(request, language)
        assert codes(answer) == ("not_recognized", "challenge.expired")
        messages.add(check(answer.json(), "signature")["message"])
    assert len(messages) == 2
    monkeypatch.setattr(clock, "now", lambda: expires_at - timedelta(microseconds=1))
    assert codes(client.verify(request)) == GOOD


def test_a_challenge_of_another_store_is_unknown(place: Place, tmp_path: Path) -> None:
    with serving(new_lock_world(tmp_path / "home")) as other:
        given = other.client.challenge()
        request = other.client.answered(given, place.world.lock().signing)
        assert codes(place.client.verify(request)) == ("not_recognized", "challenge.unknown")
        assert codes(other.client.verify(request)) == GOOD


def test_a_store_whose_answers_cannot_be_kept_accepts_nothing(tmp_path: Path) -> None:
    """An answer that nobody remembers could be accepted twice: better none."""
    world = build_lock_world(tmp_path / "home")
    with serving(world) as place:
        request = place.client.answered(place.client.challenge(), world.lock().signing)
        with closing(sqlite3.connect(world.settings.store_path)) as connection:
            connection.execute("ALTER TABLE used_challenge RENAME TO away")
            connection.commit()
            assert_problem(place.client.verify(request), 503, "store.unavailable")
            connection.execute("ALTER TABLE away RENAME TO used_challenge")
            connection.commit()
        assert codes(place.client.verify(request)) == GOOD


def test_two_at_once_in_one_process_and_one_is_accepted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both find the challenge unused; who comes second to the store is told so, and not given an empty answer."""
    client, shown = place.client, place.world.lock().signing
    given = client.challenge()
    mine, theirs = (
        client.answered(given, shown, signature=text_of(another_signature(shown.key, given.to_be_signed, number)))
        for number in (1, 2)
    )
    answers: list[httpx.Response] = []
    find = SqliteChallenges.find

    with ExitStack() as stack:
        other = stack.enter_context(place.reopened())

        def find_and_be_overtaken(store: SqliteChallenges, challenge: str) -> tuple[str, bytes] | None:
            found = find(store, challenge)
            monkeypatch.setattr(SqliteChallenges, "find", find)
            answers.append(in_a_thread(other.verify, mine))
            return found

        monkeypatch.setattr(SqliteChallenges, "find", find_and_be_overtaken)
        second = client.verify(theirs)
        assert codes(answers[0]) == GOOD
        assert codes(second) == USED


def test_an_identical_request_that_comes_in_between_gives_one_answer(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = place.client
    request = client.answered(client.challenge(), place.world.lock().signing)
    answers: list[httpx.Response] = []
    find = SqliteChallenges.find

    def find_and_be_overtaken(store: SqliteChallenges, challenge: str) -> tuple[str, bytes] | None:
        found = find(store, challenge)
        monkeypatch.setattr(SqliteChallenges, "find", find)
        answers.append(in_a_thread(client.verify, request))
        return found

    monkeypatch.setattr(SqliteChallenges, "find", find_and_be_overtaken)
    second = client.verify(request)
    assert codes(second) == GOOD
    assert second.content == answers[0].content


def in_a_thread(ask: Any, request: dict[str, Any]) -> httpx.Response:
    """A call that runs an event loop of its own, from within one."""
    with ThreadPoolExecutor(1) as pool:
        answer: httpx.Response = pool.submit(ask, request).result()
        return answer


# Long names


@pytest.mark.parametrize("name", ["x" * 200, "交" * 200, "𠮷" * 200, '"\\' * 100, "a b/ç~1"])
def test_a_challenge_that_was_given_out_can_be_answered(place: Place, name: str) -> None:
    client, shown = place.client, place.world.lock().signing
    given = client.challenge(relying_party=name)
    assert codes(client.verify(client.answered(given, shown, relying_party=name))) == GOOD


def test_a_store_that_is_gone_is_told_in_one_line(tmp_path: Path) -> None:
    world = build_lock_world(tmp_path / "home")
    with closing(sqlite3.connect(world.settings.store_path)) as connection:
        connection.execute("DROP TABLE used_challenge")
        connection.commit()
    with pytest.raises(StoreError, match="used_challenge"):
        open_node(world.settings)


def test_the_address_takes_no_parameters(place: Place) -> None:
    request = place.client.answered(place.client.challenge(), place.world.lock().signing)
    refused = place.service.post(f"{VERIFICATIONS}?purpose=bidding.login", request)
    assert refused.status_code == 422
    assert codes(place.client.verify(request)) == GOOD
