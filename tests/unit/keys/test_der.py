from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from itertools import product

import pytest
from asn1crypto import core
from hypothesis import example, given
from hypothesis import strategies as st

from keys import der
from keys.errors import MalformedError
from tests.support import der_writer as writer

Reader = Callable[[der.Element], object]

READERS: tuple[Reader, ...] = (
    der.members,
    der.inside,
    der.sequence,
    der.set_of,
    der.integer,
    der.boolean,
    der.null,
    der.octet_string,
    der.bits,
    der.bit_string,
    der.named_bits,
    der.oid,
    der.time,
    der.any_time,
)


def refusal(data: bytes, reader: Reader = der.members) -> str:
    with pytest.raises(MalformedError) as caught:
        reader(der.parse(data))
    assert caught.value.code == "der.malformed"
    return caught.value.detail


def refused_with(action: Callable[[], object]) -> str | None:
    try:
        action()
    except MalformedError as error:
        return error.code
    return None


def read(data: bytes, reader: Callable[[der.Element], object]) -> object:
    return reader(der.parse(data))


def walk(element: der.Element) -> Iterator[der.Element]:
    yield element
    if element.tag & 0x20:
        for member in der.members(element):
            yield from walk(member)


def test_an_element_is_a_view_with_offsets_into_the_whole() -> None:
    data = writer.sequence(writer.integer(5), writer.octet_string(b"abc"))
    whole = der.parse(data)
    first, second = der.members(whole)
    assert (whole.tag, whole.start, whole.content, whole.end, whole.depth) == (0x30, 0, 2, len(data), 0)
    assert (second.tag, second.start, second.content, second.end, second.depth) == (0x04, 5, 7, 10, 1)
    assert second.data is data
    assert (first.raw, second.value) == (writer.integer(5), b"abc")


def test_the_contents_are_never_shown() -> None:
    element = der.parse(writer.octet_string(b"secret"))
    assert repr(element) == "Element(tag=0x04, start=0, content=2, end=8)"
    assert element.__rich_repr__() == [("tag", 4), ("start", 0), ("content", 2), ("end", 8)]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_every_length_has_one_form(size: int) -> None:
    contents = bytes(size)
    assert read(writer.octet_string(contents), der.octet_string) == contents
    assert der.members(der.parse(writer.sequence(writer.octet_string(contents))))[0].value == contents
    longer = writer.tlv(0x04, contents, length_octets=len(writer.octet_string(contents)) - size - 1)
    assert "shortest form" in refusal(longer, der.octet_string)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "ends inside a header"),
        (b"\x30", "ends inside a header"),
        (b"\x30\x82\x01", "ends inside a header"),
        (b"\x30\x01", "1 bytes are announced, 0 are there"),
        (b"\x30\x80\x00\x00", "indefinite"),
        (b"\x30\x81\x00", "shortest form"),
        (b"\x30\x82\x00\x80" + bytes(128), "shortest form"),
        (b"\x30\x85\x01\x00\x00\x00\x00", "takes 5 bytes"),
        (b"\x30\xff", "takes 127 bytes"),
        (b"\x30\x84\xff\xff\xff\xff", "4294967295 bytes are announced"),
        (b"\x30\x00\x00", "1 bytes follow"),
        (b"\x00\x00", "tag 0x00"),
        (b"\x1f\x81\x01\x00", "tag 0x1f"),
        (b"\xbf\x01\x00", "tag 0xbf"),
        (b"\x10\x00", "tag 0x10"),
        (b"\x11\x00", "tag 0x11"),
        (b"\x24\x02\x04\x00", "tag 0x24"),
        (b"\x30\x02\x24\x00", "tag 0x24 is not one that DER allows here (at byte 2)"),
        (b"\x30\x03\x04\x02\x00", "2 bytes are announced, 1 are there (at byte 2)"),
        (b"\x30\x01\x04", "ends inside a header (at byte 2)"),
        (b"\x04\x00", "primitive"),
        (b"\x80\x00", "primitive"),
    ],
)
def test_what_is_not_der_is_refused_with_what_and_where(data: bytes, what: str) -> None:
    assert what in refusal(data)


def nested(depth: int, innermost: bytes = b"\x05\x00") -> bytes:
    for _ in range(depth):
        innermost = writer.sequence(innermost)
    return innermost


def test_the_depth_is_bounded() -> None:
    assert [element.depth for element in walk(der.parse(nested(der.MAX_DEPTH)))][-1] == der.MAX_DEPTH
    with pytest.raises(MalformedError, match="nested more than 32 deep"):
        list(walk(der.parse(nested(20_000))))


def test_the_depth_goes_on_through_values_that_hold_another() -> None:
    data = b"\x05\x00"
    for _ in range(der.MAX_DEPTH + 1):
        data = writer.octet_string(data)
    element = der.parse(data)
    for _ in range(der.MAX_DEPTH):
        element = der.inside(element)
    with pytest.raises(MalformedError, match="nested"):
        der.inside(element)


def test_what_is_inside_has_offsets_into_the_whole_and_nothing_after_it() -> None:
    data = writer.sequence(writer.octet_string(writer.integer(7)))
    inner = der.inside(der.members(der.parse(data))[0])
    assert (inner.start, inner.raw, der.integer(inner)) == (4, writer.integer(7), 7)
    assert "1 bytes follow the end of the value (at byte 4)" in refusal(b"\x04\x03\x05\x00\x00", der.inside)
    assert "ends inside a header" in refusal(b"\x04\x00", der.inside)


def test_an_implicit_tag_is_read_as_what_it_hides() -> None:
    hidden = der.parse(writer.implicit(2, writer.integer(300)))
    assert "tag 0x82 where INTEGER belongs" in refusal(hidden.raw, der.integer)
    assert der.integer(der.retagged(hidden, der.INTEGER)) == 300


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader not in (der.members, der.inside)])
def test_every_reader_refuses_another_tag(reader: Reader) -> None:
    assert "tag 0x99" in refusal(b"\x99\x00", reader)


@given(st.integers(-(2**200), 2**200))
@example(0)
@example(127)
@example(128)
@example(-128)
@example(-129)
def test_integers_are_those_of_asn1crypto(number: int) -> None:
    data = core.Integer(number).dump()
    assert read(data, der.integer) == number
    padded = bytes((0x00 if number >= 0 else 0xFF,)) + data[2:]
    assert "more bytes than it needs" in refusal(writer.tlv(0x02, padded), der.integer)


def test_an_integer_has_contents() -> None:
    assert "without contents" in refusal(b"\x02\x00", der.integer)


@pytest.mark.parametrize("contents", [b"", b"\x01", b"\xfe", b"\x00\x00", b"\xff\xff"])
def test_a_boolean_is_00_or_ff(contents: bytes) -> None:
    assert "00 or FF" in refusal(writer.tlv(0x01, contents), der.boolean)
    assert (read(b"\x01\x01\x00", der.boolean), read(b"\x01\x01\xff", der.boolean)) == (False, True)


def test_a_null_is_empty() -> None:
    der.null(der.parse(b"\x05\x00"))
    assert "with contents" in refusal(b"\x05\x01\x00", der.null)


@pytest.mark.parametrize(
    ("contents", "what"),
    [
        (b"", "without contents"),
        (b"\x08\x00", "8 unused bits"),
        (b"\x01", "0 bytes with 1 unused"),
        (b"\x01\x01", "not zero"),
        (b"\x07\xc0", "not zero"),
    ],
)
def test_a_bit_string_counts_its_unused_bits_right(contents: bytes, what: str) -> None:
    for reader in (der.bits, der.bit_string, der.named_bits):
        assert what in refusal(writer.tlv(0x03, contents), reader)


def test_keys_and_signatures_are_whole_bytes() -> None:
    assert read(b"\x03\x03\x00\x01\x02", der.bit_string) == b"\x01\x02"
    assert "whole bytes" in refusal(b"\x03\x02\x01\x02", der.bit_string)
    assert read(b"\x03\x02\x01\x02", der.bits) == (b"\x02", 1)


@given(st.frozensets(st.integers(0, 40)), st.integers(0, 3))
def test_named_bits_are_those_that_were_set_whatever_zeros_follow(numbers: frozenset[int], more: int) -> None:
    data = writer.named_bits(numbers)
    assert read(data, der.named_bits) == numbers
    padded = writer.bit_string(writer.contents_of(data)[1:] + bytes(more))
    assert read(padded, der.named_bits) == numbers


@given(
    st.sampled_from(["0", "1", "2"]),
    st.integers(0, 39),
    st.lists(st.integers(0, 2**70), max_size=8),
)
@example("2", 39, [2**64])
def test_object_identifiers_are_those_of_asn1crypto(first: str, second: int, arcs: list[int]) -> None:
    dotted = ".".join([first, str(second), *map(str, arcs)])
    assert read(core.ObjectIdentifier(dotted).dump(), der.oid) == dotted


def test_the_second_arc_under_2_has_no_bound() -> None:
    assert read(bytes.fromhex("0603883703"), der.oid) == "2.999.3"  # X.660: the OID for examples


@pytest.mark.parametrize("contents", [b"", b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x86", b"\x2a" * 129])
def test_an_object_identifier_is_whole_and_short(contents: bytes) -> None:
    assert "empty, cut off, padded or too long" in refusal(writer.tlv(0x06, contents), der.oid)


INSTANTS = st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2049, 12, 31)).map(
    lambda instant: instant.replace(microsecond=0, tzinfo=UTC)
)


@given(INSTANTS)
@example(datetime(1950, 1, 1, tzinfo=UTC))
@example(datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC))
def test_times_are_those_of_asn1crypto(instant: datetime) -> None:
    for kind in (core.UTCTime, core.GeneralizedTime):
        assert read(kind(instant).dump(), der.time) == instant


@given(st.datetimes().map(lambda instant: instant.replace(microsecond=0, tzinfo=UTC)))
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
def test_generalized_times_have_all_years(instant: datetime) -> None:
    text = f"{instant:%Y}".rjust(4, "0") + f"{instant:%m%d%H%M%SZ}"
    assert read(writer.tlv(0x18, text.encode()), der.time) == instant


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        (0x17, b"2601020304Z", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        (0x17, b"2601020304+0800", datetime(2026, 1, 1, 19, 4, tzinfo=UTC)),
        (0x17, b"260102030405-0130", datetime(2026, 1, 2, 4, 34, 5, tzinfo=UTC)),
        (0x17, b"500102030405+0000", datetime(1950, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (0x18, b"2026010203Z", datetime(2026, 1, 2, 3, tzinfo=UTC)),
        (0x18, b"202601020304Z", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        (0x18, b"20260102030405+08", datetime(2026, 1, 1, 19, 4, 5, tzinfo=UTC)),
        (0x18, b"20260102030405.5Z", datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        (0x18, b"20260102030405,123456789+0800", datetime(2026, 1, 1, 19, 4, 5, 123_456, tzinfo=UTC)),
    ],
)
def test_other_forms_are_read_when_they_are_asked_for(tag: int, text: bytes, expected: datetime) -> None:
    data = writer.tlv(tag, text)
    assert read(data, der.any_time) == (expected, False)
    assert "to the second and ends in Z" in refusal(data, der.time)


def test_an_offset_says_the_same_instant() -> None:
    instant = datetime(2026, 5, 6, 7, 8, 9, tzinfo=timezone(timedelta(hours=8)))
    east = writer.tlv(0x17, f"{instant:%y%m%d%H%M%S%z}".encode())
    assert read(east, der.any_time) == (instant, False)
    assert read(writer.utc_time(instant), der.any_time) == (instant, True)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x17, b"260230000000Z"),
        (0x17, b"261301000000Z"),
        (0x17, b"260101240000Z"),
        (0x17, b"260101006000Z"),
        (0x17, b"260101000060Z"),
        (0x17, b"260101000000+0060"),
        (0x17, b"260101000000+2400"),
        (0x18, b"00000101000000Z"),
        (0x18, b"00010101000000+0001"),
        (0x18, b"99991231235959-0001"),
        (0x18, b"21000229000000Z"),
    ],
)
def test_times_that_do_not_exist_are_refused(tag: int, text: bytes) -> None:
    assert "does not exist" in refusal(writer.tlv(tag, text), der.any_time)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x17, b""),
        (0x17, b"260101000000"),
        (0x17, b"260101000000z"),
        (0x17, b"260101000000Z "),
        (0x17, b"260101000000.0Z"),
        (0x17, b"20260101000000Z"),
        (0x17, "２６０１０１００００００Z".encode()),
        (0x18, b"20260101000000"),
        (0x18, b"20260101000000.Z"),
        (0x18, b"20260101000000." + b"1" * 33 + b"Z"),
        (0x18, b"+2026010100000Z"),
    ],
)
def test_what_names_no_instant_is_refused(tag: int, text: bytes) -> None:
    assert "not a time" in refusal(writer.tlv(tag, text), der.any_time)


@given(st.binary(max_size=200))
@example(b"\x30\x80")
@example(b"\x30\x06\x02\x01\x05\x04\x01\x00")
@example(b"\x31\x02\x05\x00")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    code = refused_with(lambda: list(walk(der.parse(data))))
    assert code in (None, "der.malformed")
    if code is None:
        # There is one encoding: what was taken is what a writer would write.
        whole = der.parse(data)
        assert writer.tlv(whole.tag, whole.value) == data
        for element, reader in product(walk(whole), READERS):
            assert refused_with(partial(reader, element)) in (None, "der.malformed")


PRIMITIVES = st.one_of(
    st.integers().map(writer.integer),
    st.binary(max_size=300).map(writer.octet_string),
    st.booleans().map(writer.boolean),
    st.just(writer.null()),
    st.frozensets(st.integers(0, 20)).map(writer.named_bits),
)
TREES = st.recursive(PRIMITIVES, lambda inner: st.lists(inner, max_size=5).map(lambda parts: writer.sequence(*parts)))


@given(TREES)
def test_what_is_written_is_read_back_member_by_member(data: bytes) -> None:
    def rewritten(element: der.Element) -> bytes:
        if element.tag & 0x20:
            return writer.tlv(element.tag, b"".join(map(rewritten, der.members(element))))
        return writer.tlv(element.tag, element.value)

    assert rewritten(der.parse(data)) == data


@given(TREES, st.data())
def test_a_value_that_is_cut_or_lengthened_is_refused(data: bytes, draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(data) - 1))
    for wrong in (data[:cut], data + draw.draw(st.binary(min_size=1, max_size=3))):
        with pytest.raises(MalformedError):
            der.parse(wrong)
