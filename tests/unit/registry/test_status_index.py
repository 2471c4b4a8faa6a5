"""Places in status lists: every one once, in an order that tells nothing, and the same wherever it is computed."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.status_index import CAPACITY, PLACES, index_of, list_id

SECRET = bytes(range(32))
LISTED = "sl_" + "a" * 24
KNOWN = [803607, 772603, 11432, 648600]
KNOWN_ID = "sl_huegl74kjbm7rhcouo75npez"
SECRETS = st.binary(min_size=32, max_size=32)


@pytest.mark.no_cover
def test_no_place_is_given_out_twice_and_some_to_nobody() -> None:
    given_out = {index_of(SECRET, LISTED, nth) for nth in range(CAPACITY)}
    assert len(given_out) == CAPACITY
    assert min(given_out) >= 0
    assert max(given_out) < PLACES
    assert PLACES - CAPACITY > 40_000


@pytest.mark.parametrize("nth", [-1, CAPACITY, PLACES])
def test_beyond_its_capacity_a_list_gives_nothing(nth: int) -> None:
    with pytest.raises(ValueError, match="gives out 1000000 places"):
        index_of(SECRET, LISTED, nth)


@given(SECRETS, st.integers(0, CAPACITY - 1), st.integers(0, CAPACITY - 1))
def test_two_credentials_have_two_places(secret: bytes, one: int, other: int) -> None:
    assert (index_of(secret, LISTED, one) == index_of(secret, LISTED, other)) == (one == other)


def test_an_order_of_places_is_none_of_registration() -> None:
    """As often up as down, spread over all, and another order in another list or store."""
    places = [index_of(SECRET, LISTED, nth) for nth in range(20_000)]
    rises = sum(later > earlier for earlier, later in pairwise(places))
    assert 9_500 < rises < 10_500
    assert all(1_000 < sum(place // (PLACES // 16) == part for place in places) < 1_500 for part in range(16))
    for secret, listed in ((SECRET, LISTED[:-1] + "b"), (SECRET[:-1] + b"x", LISTED)):
        same = sum(index_of(secret, listed, nth) == place for nth, place in enumerate(places))
        assert same < 5


def test_places_stay_what_they_were() -> None:
    """What was given out is in the hands of others: whoever changes the order breaks every list."""
    assert [index_of(SECRET, LISTED, nth) for nth in (0, 1, 2, CAPACITY - 1)] == KNOWN
    assert list_id(SECRET, "a-type", "an-issuer", 0) == KNOWN_ID


@given(SECRETS, st.sampled_from(["a", "b", "ab"]), st.sampled_from(["a", "b", "ab"]), st.integers(0, 3))
def test_an_id_is_of_one_list_only(secret: bytes, type_id: str, issuer: str, ordinal: int) -> None:
    named = list_id(secret, type_id, issuer, ordinal)
    assert len(named) == 27
    assert named[:3] == "sl_"
    others = [(type_id + "x", issuer, ordinal), (type_id, issuer + "x", ordinal), (type_id, issuer, ordinal + 1)]
    assert named not in {list_id(secret, *other) for other in others}
    assert named != list_id(secret + b"x", type_id, issuer, ordinal)
