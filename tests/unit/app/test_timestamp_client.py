"""Asking a timestamp authority over HTTP: an honest answer is taken, every lie has its code, and nothing goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from app.fetchers import FetchError
from app.fetchers.revocation import Limits
from app.fetchers.timestamp import TimestampFetcher
from app.usecases.obtain_timestamp import obtain_timestamp
from keys.errors import KeysError
from keys.timestamp import parse_token
from tests.support.lying_server import Behaviour, silent
from tests.support.timestamps import CONTENT, hashed
from tests.support.tsa import LIES, Answer, elsewhere, flooding, honest, replying, standing_clock, tsa, unwilling

NONCE = 0xFEDCBA9876543210
LIMITS = Limits(seconds=5.0, size=50_000)


def obtained(url: str, digest: str = "sha256", limits: Limits = LIMITS) -> bytes:
    fetcher = TimestampFetcher(private=True, limits=limits)
    value = hashed(digest, CONTENT)
    return obtain_timestamp(lambda request: fetcher.ask(url, request), digest, value, NONCE, datetime.now(UTC))


@pytest.mark.parametrize(("kind", "digest", "dialect"), [("p-256", "sha256", "rfc5652"), ("sm2", "sm3", "gm")])
def test_an_honest_answer_is_taken(kind: str, digest: str, dialect: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    with tsa(replying(honest(standing_clock(kind), dialect=dialect))) as url:
        token = parse_token(obtained(url, digest))
    assert (token.info.nonce, token.info.imprint) == (NONCE, hashed(digest, CONTENT))
    assert before <= token.gen_time <= datetime.now(UTC)


@pytest.mark.parametrize(("answer", "code"), LIES.values(), ids=LIES)
def test_every_lie_is_refused(answer: Answer, code: str) -> None:
    value = hashed("sha256", CONTENT)
    with pytest.raises(KeysError) as caught:
        obtain_timestamp(answer, "sha256", value, NONCE, datetime.now(UTC))
    assert caught.value.code == code


def test_a_clock_may_be_a_little_off() -> None:
    value, late = hashed("sha256", CONTENT), timedelta(minutes=4)
    for after in (late, -late):
        assert obtain_timestamp(honest(after=after), "sha256", value, NONCE, datetime.now(UTC))


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [(flooding, "fetch.too_large"), (unwilling, "fetch.status"), (elsewhere, "fetch.status")],
)
def test_an_authority_that_gives_no_answer_is_left(behaviour: Behaviour, code: str) -> None:
    with tsa(behaviour) as url, pytest.raises(FetchError) as caught:
        obtained(url)
    assert caught.value.code == code


def test_nobody_waits_for_ever() -> None:
    with tsa(silent) as url, pytest.raises(FetchError) as caught:
        obtained(url, limits=Limits(seconds=0.2))
    assert caught.value.code == "fetch.timeout"


def test_an_address_must_be_one() -> None:
    with pytest.raises(FetchError) as caught:
        obtained("ftp://tsa.example/")
    assert caught.value.code == "fetch.url"
    with pytest.raises(FetchError) as caught:
        TimestampFetcher().ask("http://127.0.0.1:9/", b"")
    assert caught.value.code == "fetch.address"
