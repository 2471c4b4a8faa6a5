"""A token speaks of its own list, for its own term; whatever it does not show is no status."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import MalformedError
from registry.status_index import PLACES
from registry.status_list import INVALID, SUSPENDED, VALID, compress, compressed_member, pack, pack_exceptions
from registry.status_token import MAX_LENGTH, TTL, ListClaims, Term, read_claims, status_in, term, token_claims

URI = "https://accord.test/v1/status-lists/sl_x-2bit"
MICROS = 1_000_000
AT = 1_790_000_000
SPAN = Term(iat=AT, exp=AT + 1000, ttl=TTL)
INSTANTS = st.integers(0, 4_000_000_000)
NEAR = st.integers(-200_000 * MICROS, 200_000 * MICROS)


def payload(**changes: Any) -> bytes:
    claims = token_claims(URI, SPAN, compress(pack([0, 1, 2, 3], 2)), 2, issuer="urn:x", livemode=True)
    return json.dumps({name: value for name, value in (claims | changes).items() if value is not ...}).encode()


def refused(claims: ListClaims, index: int, at: int, uri: str | None = None) -> str:
    with pytest.raises(MalformedError) as caught:
        status_in(claims, index, at, uri)
    return caught.value.code


@given(INSTANTS, st.none() | NEAR, st.none() | NEAR, st.none() | NEAR)
def test_a_term_holds_the_instant_and_no_turn(at: int, back: int | None, ahead: int | None, learnt: int | None) -> None:
    since = None if back is None else at * MICROS - abs(back)
    until = None if ahead is None else at * MICROS + abs(ahead) + 1
    span = term(at, since, until, None if learnt is None else at * MICROS + learnt)
    assert span.iat <= at < span.exp
    assert 0 < span.ttl <= TTL
    assert at + span.ttl <= span.exp
    if since is not None:
        assert since <= span.iat * MICROS
    if until is not None:
        assert span.exp * MICROS <= until or span.exp == at + 1
    if learnt is not None and learnt <= 0:
        assert span.iat >= at + learnt // MICROS
    assert span.exp - at <= 24 * 3600
    if until is None:
        assert span.exp - at > 12 * 3600 - 1


@given(INSTANTS)
def test_a_list_that_does_not_change_has_one_term_for_half_a_day(at: int) -> None:
    slot = at - at % (12 * 3600)
    assert term(slot, None, None, None) == term(at, None, None, None) == Term(iat=slot, exp=slot + 86_400, ttl=TTL)


@given(st.integers(1, 2 * TTL))
def test_near_a_turn_few_different_terms_are_signed(left: int) -> None:
    span = term(AT, None, (AT + left) * MICROS, None)
    assert span.ttl == TTL if left >= TTL else span.ttl & span.ttl - 1 == 0


@given(st.dictionaries(st.integers(0, PLACES - 1), st.sampled_from([INVALID, SUSPENDED]), max_size=20))
def test_what_was_claimed_is_read(exceptions: dict[int, int]) -> None:
    compressed = compress(pack_exceptions(exceptions, PLACES, 2))
    claims = token_claims(URI, SPAN, compressed, 2, issuer="urn:x", livemode=False)
    said = read_claims(json.dumps(claims).encode())
    assert said == ListClaims(sub=URI, iat=SPAN.iat, exp=SPAN.exp, livemode=False, bits=2, compressed=compressed)
    for index in (*exceptions, 0, PLACES - 1):
        assert status_in(said, index, AT, URI) == exceptions.get(index, VALID)
    assert refused(said, PLACES, AT) == "status_list.index"


def test_a_status_is_of_the_list_and_the_term() -> None:
    said = read_claims(payload())
    assert [status_in(said, index, AT) for index in range(3)] == [VALID, INVALID, SUSPENDED]
    assert status_in(said, 1, SPAN.exp - 1, URI) == INVALID
    assert refused(said, 1, SPAN.exp) == "status_list.expired"
    assert refused(said, 1, AT - 1) == "status_list.not_yet"
    assert refused(said, 1, AT, URI + "/") == "status_list.other"
    assert refused(said, 3, AT) == "status_list.status"
    assert refused(said, 4, AT) == "status_list.index"
    assert refused(said, -1, AT) == "status_list.index"


@pytest.mark.parametrize(("livemode", "said"), [(True, True), (False, False), (..., True)])
def test_only_a_list_that_says_so_has_no_force(livemode: Any, said: bool) -> None:
    assert read_claims(payload(livemode=livemode)).livemode is said


def test_a_list_that_nothing_compresses_fits_into_a_token() -> None:
    """Base64 twice: in the claims, and in the token."""
    compressed = compress(random.Random(7).randbytes(PLACES // 4))
    claims = token_claims("x" * 1000, SPAN, compressed, 2, issuer="x" * 120, livemode=False)
    assert len(compressed) > PLACES // 4
    assert len(json.dumps(claims)) * 4 // 3 + 1000 < MAX_LENGTH


def test_a_list_that_swells_is_given_up() -> None:
    said = read_claims(payload(status_list=compressed_member(compress(bytes(PLACES + 1)), 1)))
    assert refused(said, 0, AT) == "status_list.malformed"


BAD: list[bytes] = [
    b"",
    b"[]",
    b'{"sub": 1, "sub": 2}',
    *(payload(**{name: value}) for name in ("iat", "exp") for value in (..., None, True, "1", 1.5)),
    *(payload(sub=value) for value in (..., None, 7)),
    *(payload(status_list=value) for value in (..., None, [], {}, {"bits": 3, "lst": ""}, {"bits": 2, "lst": "="})),
]


@pytest.mark.parametrize("content", BAD)
def test_what_is_no_token_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        read_claims(content)
    assert caught.value.code == "status_list.malformed"
