"""BER as streaming signers write it: what it becomes, what is refused, and what it costs."""

import random
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import der as reading
from keys.cms import ber, parse_cms
from keys.content import Octets
from keys.errors import MalformedError
from tests.support import cms_writer as cms
from tests.support import der_writer as der
from tests.support.cms_writer import Signed, in_ber, message
from tests.support.pki import AT
from tests.unit.keys.cms_signers import CONTENT, lock, verified

END = b"\0\0"

leaves = st.one_of(
    st.binary(max_size=300).map(der.octet_string),
    st.integers(-(2**70), 2**70).map(der.integer),
    st.just(der.null()),
    st.binary(max_size=9).map(lambda contents: der.tlv(0x81, contents)),
)
values = st.recursive(
    leaves,
    lambda inner: st.tuples(st.sampled_from([0x30, 0x31, 0xA0, 0xBE]), st.lists(inner, max_size=5)).map(
        lambda said: der.tlv(said[0], b"".join(said[1]))
    ),
    max_leaves=25,
)


@given(values, st.randoms())
def test_a_value_in_ber_becomes_what_it_is_in_der(element: bytes, chance: random.Random) -> None:
    assert ber.definite(in_ber(element, lambda: chance.randrange(4))) == element
    assert ber.definite(element) == element


@given(st.binary(max_size=64))
def test_whatever_comes_is_refused_as_such_or_becomes_readable(data: bytes) -> None:
    try:
        made = ber.definite(data)
    except MalformedError as refusal:
        code = refusal.code
    else:
        code = "der.malformed"
        assert ber.definite(made) == made
        reading.parse(made)
    assert code == "der.malformed"


@given(st.randoms())
def test_a_message_in_ber_is_read_as_the_one_in_der(chance: random.Random) -> None:
    signers = [Signed(by=lock(kind), at=AT) for kind in ("p-256", "rsa-2048")]
    plain = message(CONTENT, *signers)
    streamed = in_ber(plain, lambda: chance.randrange(4))
    read, again = parse_cms(plain), parse_cms(streamed)
    assert (again.signers, again.content, again.certificates) == (read.signers, read.content, read.certificates)
    verified(streamed)


def test_content_in_a_thousand_pieces() -> None:
    content = bytes(range(256)) * 4000
    pieces = b"".join(der.octet_string(content[at : at + 1024]) for at in range(0, len(content), 1024))
    nested = b"\x24\x80" + b"\x24\x80" + pieces[: 1028 * 500] + END + pieces[1028 * 500 :] + END
    for inside in (b"\x24\x80" + pieces + END, der.tlv(0x24, pieces), nested):
        encapsulated = b"\x30\x80" + der.oid(cms.DATA["rfc5652"]) + b"\xa0\x80" + inside + END + END
        data = message(content, Signed(by=lock()), encapsulated=encapsulated)
        assert parse_cms(data).content == content
        verified(data, Octets(content))


MALFORMED = {
    "nothing": b"",
    "half a header": b"\x30",
    "a length that is cut off": b"\x04\x82\x01",
    "a length of too many bytes": b"\x04\x89" + bytes(8) + b"\x01a",
    "contents that are cut off": b"\x04\x05abc",
    "a length past everything": b"\x30\x88" + b"\xff" * 8,
    "a value that reaches out of its parent": b"\x30\x03\x04\x02ab",
    "an end inside what does not end": b"\x30\x80\x30\x03\x04\x01a",
    "no end": b"\x30\x80\x05\x00",
    "half an end": b"\x30\x80\x00",
    "an end cut off by the parent": b"\x30\x03\x30\x80\x00\x00",
    "an end where none belongs": b"\x30\x02\x00\x00",
    "an end at the start": END,
    "a primitive value without end": b"\x04\x80ab" + END,
    "a primitive SEQUENCE": b"\x10\x00",
    "a constructed INTEGER": b"\x22\x03\x02\x01\x01",
    "a constructed BIT STRING": b"\x23\x80\x03\x01\x00" + END,
    "a long tag": b"\x1f\x81\x01\x00",
    "a long tag of a context": b"\xbf\x81\x01\x00",
    "something else as a piece": b"\x24\x80\x02\x01\x01" + END,
    "a SEQUENCE as a piece": b"\x24\x80\x30\x00" + END,
    "something after it": b"\x30\x80" + END + b"\x00",
    "too deep": b"\x30\x80" * 33 + END * 33,
    "too deep in pieces": b"\x24\x80" * 33 + END * 33,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_ber_is_refused(name: str) -> None:
    with pytest.raises(MalformedError) as refusal:
        ber.definite(MALFORMED[name])
    assert refusal.value.code == "der.malformed"
    with pytest.raises(MalformedError) as refusal:
        parse_cms(MALFORMED[name])
    assert refusal.value.code == "cms.malformed"


def test_the_deepest_that_is_read() -> None:
    depth = reading.MAX_DEPTH
    made = ber.definite(b"\x30\x80" * depth + END * depth)
    assert made == b"".join(bytes((0x30, 2 * inner)) for inner in reversed(range(depth)))


def steps(data: bytes) -> tuple[int, str]:
    """How many calls the reader makes, which no busy machine changes, and the code it refuses by."""
    count, code = 0, ""

    def profile(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        parse_cms(data)
    except MalformedError as refusal:
        code = refusal.code
    finally:
        sys.setprofile(before)
    return count, code


BOMBS: dict[str, Callable[[int], bytes]] = {
    "never ending": lambda size: b"\x30\x80" * size,
    "ends only": lambda size: b"\x30\x80" + END * size,
    "empty pieces": lambda size: b"\x24\x80" + b"\x04\x00" * size + END,
    "pieces in pieces": lambda size: (b"\x24\x80" * 31 + END * 31) * (size // 32),
    "a list of lists": lambda size: b"\x30\x80" + b"\x30\x80\x00\x00" * size + END,
    "nothing, often": lambda size: b"\x30\x80" + b"\x05\x00" * size + END,
}


@pytest.mark.parametrize("name", BOMBS)
def test_work_grows_with_the_length_and_no_faster(name: str) -> None:
    small, code = steps(BOMBS[name](500))
    large, _ = steps(BOMBS[name](1000))
    assert code == "cms.malformed"
    assert large < 2.2 * small


def test_values_are_counted() -> None:
    within = b"\x30\x80" + b"\x05\x00" * (ber.MAX_ELEMENTS - 1) + END
    assert len(ber.definite(within)) == 2 * ber.MAX_ELEMENTS + 3
    with pytest.raises(MalformedError) as refusal:
        parse_cms(b"\x30\x80" + b"\x05\x00" * ber.MAX_ELEMENTS + END)
    assert refusal.value.code == "cms.too_large"
