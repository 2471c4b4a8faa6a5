"""A status list gives back what was put in, whatever the size; anything else is refused, within bounds."""

import random
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import base64url
from keys.errors import KeysError, MalformedError
from registry.status_list import (
    INVALID,
    SIZES,
    SUSPENDED,
    VALID,
    claims_member,
    compress,
    expand,
    pack,
    pack_exceptions,
    read,
    read_member,
    status_at,
)

MILLION = 1_000_000
LIMIT = 4096  # bytes, above any array that is drawn here
BAD_SIZES = [0, -1, 3, 5, 16, 1.0, True, "1", None]


def lists(bits: int) -> st.SearchStrategy[tuple[int, list[int]]]:
    return st.tuples(st.just(bits), st.lists(st.integers(0, (1 << bits) - 1), max_size=200))


SIZED = st.sampled_from(SIZES).flatmap(lists)


def slowly_packed(statuses: list[int], bits: int) -> bytes:
    """The draft in its own words: bit by bit, from the least significant on."""
    array = bytearray(-(-len(statuses) * bits // 8))
    for index, status in enumerate(statuses):
        for bit in range(bits):
            place = index * bits + bit
            array[place // 8] |= (status >> bit & 1) << place % 8
    return bytes(array)


def refused(attempt: Callable[[], object], code: str = "status_list.malformed") -> MalformedError:
    with pytest.raises(MalformedError) as caught:
        attempt()
    assert caught.value.code == code
    return caught.value


def told(attempt: Callable[[], object]) -> object:
    """What an attempt gives, or the code of its refusal."""
    try:
        return attempt()
    except MalformedError as error:
        return error.code


@given(SIZED)
def test_every_status_is_read_back(sized: tuple[int, list[int]]) -> None:
    bits, statuses = sized
    compressed = compress(pack(statuses, bits))
    assert [read(compressed, bits, index, limit=LIMIT) for index in range(len(statuses))] == statuses


@given(SIZED)
def test_the_bits_lie_where_the_draft_has_them(sized: tuple[int, list[int]]) -> None:
    bits, statuses = sized
    assert pack(statuses, bits) == pack(bytes(statuses), bits) == slowly_packed(statuses, bits)


@given(SIZED)
def test_what_is_left_over_in_the_last_byte_is_valid_and_nothing_follows(sized: tuple[int, list[int]]) -> None:
    bits, statuses = sized
    array = pack(statuses, bits)
    held = len(array) * 8 // bits
    assert 0 <= held - len(statuses) < 8 // bits
    assert all(status_at(array, bits, index) == VALID for index in range(len(statuses), held))
    for outside in (held, held + 1, 2**64, -1, -held - 1):
        refused(partial(status_at, array, bits, outside), "status_list.index")


@given(st.sampled_from(SIZES), st.binary(min_size=1, max_size=60))
def test_packing_undoes_reading(bits: int, array: bytes) -> None:
    assert pack([status_at(array, bits, index) for index in range(len(array) * 8 // bits)], bits) == array


@given(st.binary(max_size=300))
def test_expanding_undoes_compressing_up_to_the_limit_and_no_further(array: bytes) -> None:
    compressed = compress(array)
    size = max(len(array), 1)
    assert expand(compressed, limit=size) == expand(compressed, limit=size + 1) == array
    if len(array) > 1:
        refused(lambda: expand(compressed, limit=len(array) - 1))


@given(st.sampled_from(SIZES), st.binary(max_size=300))
def test_a_member_is_read_back(bits: int, array: bytes) -> None:
    member = claims_member(array, bits)
    assert set(member) == {"bits", "lst"}
    assert read_member(member) == read_member({**member, "aggregation_uri": 1}) == (bits, compress(array))


@given(SIZED, st.data())
def test_a_damaged_list_passes_its_check_value_or_is_refused(sized: tuple[int, list[int]], data: st.DataObject) -> None:
    bits, statuses = sized
    array = pack(statuses, bits)
    compressed = compress(array)
    bit = data.draw(st.integers(0, len(compressed) * 8 - 1))
    damaged = bytearray(compressed)
    damaged[bit // 8] ^= 1 << bit % 8
    # Some bits of the header say nothing about the array, and a changed array may have the old check value by chance.
    answer = told(lambda: expand(bytes(damaged), limit=LIMIT))
    assert answer == "status_list.malformed" or (
        isinstance(answer, bytes) and zlib.adler32(answer) == zlib.adler32(array)
    )
    cut = data.draw(st.integers(0, len(compressed) - 1))
    refused(lambda: expand(compressed[:cut], limit=LIMIT))
    refused(lambda: expand(compressed + data.draw(st.binary(min_size=1, max_size=9)), limit=LIMIT))


@given(st.binary(max_size=200), st.sampled_from(SIZES), st.integers())
def test_any_bytes_are_read_or_refused(noise: bytes, bits: int, index: int) -> None:
    answer = told(lambda: read(noise, bits, index, limit=LIMIT))
    assert answer in {"status_list.malformed", "status_list.index", *range(1 << bits)}


def test_a_bomb_is_given_up_at_the_limit() -> None:
    bomb = compress(bytes(64 * MILLION))
    assert len(bomb) < 64_000
    assert "more than 1000 bytes" in str(refused(lambda: read(bomb, 1, 0, limit=1000)))


@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_is_a_mistake_of_ours(limit: int) -> None:
    with pytest.raises(ValueError, match="above 0"):
        expand(compress(b"a"), limit=limit)


@pytest.mark.parametrize("wbits", [-15, 31], ids=["bare DEFLATE", "gzip"])
def test_other_formats_are_refused(wbits: int) -> None:
    other = zlib.compressobj(9, wbits=wbits)
    content = other.compress(bytes(100)) + other.flush()
    assert "not in the ZLIB format" in str(refused(lambda: expand(content, limit=LIMIT)))


def test_a_list_that_needs_a_dictionary_is_refused() -> None:
    with_dictionary = zlib.compressobj(9, zdict=b"statuses")
    content = with_dictionary.compress(b"statuses") + with_dictionary.flush()
    refused(lambda: expand(content, limit=LIMIT))


@pytest.mark.parametrize("bits", BAD_SIZES)
def test_other_sizes_are_refused_from_others_and_a_mistake_of_ours(bits: Any) -> None:
    assert "1, 2, 4 or 8 bits" in str(refused(lambda: read(compress(b"a"), bits, 0, limit=LIMIT)))
    refused(lambda: read_member({"bits": bits, "lst": "eNrbuRgAAhcBXQ"}))
    with pytest.raises(ValueError, match="1, 2, 4 or 8 bits"):
        pack([VALID], bits)
    with pytest.raises(ValueError, match="1, 2, 4 or 8 bits"):
        claims_member(b"a", bits)


@pytest.mark.parametrize("bits", SIZES)
@pytest.mark.parametrize("by", [0, 1, 200])
def test_a_status_that_does_not_fit_is_a_mistake_of_ours(bits: int, by: int) -> None:
    for statuses in ([VALID, (1 << bits) + by], [-1 - by]):
        with pytest.raises(ValueError, match=r"fit into|must be in range"):
            pack(statuses, bits)


@pytest.mark.parametrize(
    "member",
    [
        {},
        {"bits": 1},
        {"lst": "eNrbuRgAAhcBXQ"},
        {"bits": 1, "lst": None},
        {"bits": 1, "lst": b"eNrbuRgAAhcBXQ"},
        {"bits": 1, "lst": "eNrbuRgAAhcBXQ=="},
        {"bits": 1, "lst": "eNrbuRgAAhcBXR"},
        {"bits": 1, "lst": "eNrb uRgAAhcBX"},
        {"bits": 1, "lst": "eNrbu"},
    ],
    ids=str,
)
def test_a_member_of_another_form_is_refused(member: dict[str, object]) -> None:
    assert isinstance(refused(lambda: read_member(member)), KeysError)


def test_the_first_example_of_the_draft() -> None:
    statuses = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
    array = pack(statuses, 1)
    assert array == bytes.fromhex("b9a3")
    assert claims_member(array, 1) == {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}
    bits, compressed = read_member({"bits": 1, "lst": "eNrbuRgAAhcBXQ"})
    assert [read(compressed, bits, index, limit=2) for index in range(16)] == statuses


def test_the_types_of_the_draft() -> None:
    assert (VALID, INVALID, SUSPENDED) == (0x00, 0x01, 0x02)
    assert pack([VALID, INVALID, SUSPENDED], 2) == b"\x24"


def test_a_million_statuses_of_which_one_in_a_hundred_is_revoked_stay_small() -> None:
    statuses = bytearray(MILLION)
    for index in random.Random(1).sample(range(MILLION), MILLION // 100):
        statuses[index] = INVALID
    array = pack(bytes(statuses), 2)
    assert len(array) == MILLION // 4
    member = claims_member(array, 2)
    assert len(base64url.decode(str(member["lst"]))) < 40_000


@given(
    st.sampled_from(SIZES).flatmap(
        lambda bits: st.tuples(
            st.just(bits), st.dictionaries(st.integers(0, 99), st.integers(0, (1 << bits) - 1), max_size=30)
        )
    ),
    st.integers(100, 140),
)
def test_exceptions_are_packed_as_all_statuses_are(sized: tuple[int, dict[int, int]], places: int) -> None:
    bits, exceptions = sized
    assert pack_exceptions(exceptions, places, bits) == pack([exceptions.get(at, VALID) for at in range(places)], bits)


@pytest.mark.parametrize(
    ("exceptions", "places", "bits"), [({8: 1}, 8, 1), ({-1: 1}, 8, 1), ({0: 2}, 8, 1), ({0: -1}, 8, 2), ({}, 8, 3)]
)
def test_exceptions_that_have_no_place_are_refused(exceptions: dict[int, int], places: int, bits: int) -> None:
    with pytest.raises(ValueError, match="status"):
        pack_exceptions(exceptions, places, bits)
