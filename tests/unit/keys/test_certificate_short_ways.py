"""Reading what is usual in one step gives what reading it piece by piece gives, of damaged certificates too."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from keys import der
from keys.certificate import Certificate, extensions, holder_candidates, names, parse_certificate, structure
from keys.errors import MalformedError
from tests.support import der_writer
from tests.support.pki import Authority, unit

CA = Authority.root("sm2").subordinate("测试CA")
RICH = replace(
    unit("rsa-2048", number=2),
    extensions=(
        der_writer.key_usage(("digitalSignature", "nonRepudiation")),
        der_writer.basic_constraints(False),
        der_writer.extended_key_usage(("1.3.6.1.5.5.7.3.2",)),
        der_writer.distribution_points(der_writer.distribution_point(("http://crl.example/a.crl",))),
    ),
)
SEEDS = [CA.certificate.der, CA.issue(unit("sm2", number=1)).der, CA.issue(RICH).der]


@contextmanager
def piece_by_piece() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "_single", lambda relative: None)
        patch.setattr(structure, "_plain_extension", lambda extension: None)
        patch.setattr(structure, "_usual_algorithm", lambda raw: False)
        patch.setattr(extensions, "_recall", lambda understood, oid, value, oddities: False)
        yield


def outcome(data: bytes) -> object:
    try:
        found = parse_certificate(data)
    except MalformedError as error:
        return error.code, error.detail
    return {name: told(found, name) for name in Certificate.__struct_fields__}


def told(found: Certificate, name: str) -> object:
    value = getattr(found, name)
    return structs.asdict(value) if name == "_understood" else value


@pytest.mark.no_cover
@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3))
def test_what_is_usual_is_read_as_piece_by_piece(seed: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for place, value in changes:
        data[place % len(data)] = value
    short = outcome(bytes(data))
    with piece_by_piece():
        assert outcome(bytes(data)) == short


def test_the_short_ways_are_taken() -> None:
    data = SEEDS[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "_several", None)
        patch.setattr(structure._Reader, "_odd_extension", None)
        assert parse_certificate(data).der == data


@pytest.mark.parametrize(
    "value", ["20261301000000Z", "20260230000000Z", "20260101240000Z", "20260101006000Z", "20260101000060Z"]
)
def test_a_time_that_does_not_exist_is_none(value: str) -> None:
    for tag, text in ((der.GENERALIZED_TIME, value), (der.UTC_TIME, value[2:])):
        element = der.parse(bytes((tag, len(text))) + text.encode())
        with pytest.raises(MalformedError, match="does not exist"):
            der.time(element)


def test_a_long_extension_is_read_like_a_short_one() -> None:
    uris = tuple(f"http://crl{number}.example/{'a' * 40}.crl" for number in range(12))
    spec = replace(RICH, extensions=(der_writer.distribution_points(der_writer.distribution_point(uris)),))
    assert parse_certificate(CA.issue(spec).der).distribution_points[0].uris == uris


def test_nothing_of_the_holder_is_shown_by_accident() -> None:
    certificate = parse_certificate(SEEDS[1])
    code = certificate.subject_attributes[-1].text
    for shown in (certificate, *holder_candidates(certificate)):
        assert not {code, "测试建设1有限公司"} & set(map(str, (value for _, value in shown.__rich_repr__())))
        assert code not in repr(shown)
