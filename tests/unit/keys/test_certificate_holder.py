import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.certificate import MASK, Candidate, holder_candidates, parse_certificate
from tests.support import der_writer as der
from tests.support import pki
from tests.support.certificate_writer import NAME, named, written
from tests.support.der_writer import NUMBER_ENCODINGS, NUMBER_EXTENSIONS, Extension

CN, SERIAL, ORGANISATION_IDENTIFIER = "2.5.4.3", "2.5.4.5", "2.5.4.97"
USCC, PERSON = pki.uscc(), pki.id_card_number()
CARD = NUMBER_EXTENSIONS["identity"]
CODE = NUMBER_EXTENSIONS["organisation-code"]


def found(data: bytes) -> list[tuple[str, str, bool]]:
    candidates = holder_candidates(parse_certificate(data))
    return [(candidate.source, candidate.text, candidate.personal) for candidate in candidates]


def texts(value: bytes, oid: str = CODE) -> list[str]:
    return [text for _, text, _ in found(written(Extension(oid, value), subject=der.sequence()))]


@pytest.mark.parametrize("encoding", NUMBER_ENCODINGS)
@pytest.mark.parametrize("where", NUMBER_EXTENSIONS)
def test_a_code_is_found_in_every_extension_in_every_form(where: str, encoding: str) -> None:
    oid = NUMBER_EXTENSIONS[where]
    data = written(Extension(oid, NUMBER_ENCODINGS[encoding](USCC)))
    assert found(data) == [(f"extension.{oid}", USCC, where == "identity")]


@pytest.mark.parametrize("encoding", NUMBER_ENCODINGS)
@pytest.mark.parametrize("where", NUMBER_EXTENSIONS)
def test_a_persons_number_is_found_as_one_everywhere(where: str, encoding: str) -> None:
    oid = NUMBER_EXTENSIONS[where]
    data = written(Extension(oid, NUMBER_ENCODINGS[encoding](PERSON)))
    assert found(data) == [(f"extension.{oid}", PERSON, True)]


def test_the_subject_is_searched() -> None:
    data = named(
        (SERIAL, USCC),
        (ORGANISATION_IDENTIFIER, f"NTRCN-{USCC}"),
        (CN, f"{USCC}@测试公司@01@003"),
        (CN, "第二个名称"),
    )
    assert found(data) == [
        ("subject.serialNumber", USCC, False),
        ("subject.organizationIdentifier", f"NTRCN-{USCC}", False),
        ("subject.organizationIdentifier", USCC, False),
        ("subject.commonName", USCC, False),
    ]


def test_a_persons_number_in_the_subject_is_personal() -> None:
    data = named((SERIAL, PERSON), (ORGANISATION_IDENTIFIER, f"IDCCN-{PERSON}"), (CN, f"张三@SF{PERSON}@1"))
    assert [personal for _, _, personal in found(data)] == [True] * 4


@pytest.mark.parametrize("identifier", ["NTRCN", "NTR-1234567", "12345-1234567", "测试测试测-1234567"])
def test_only_a_scheme_is_taken_off_an_organisation_identifier(identifier: str) -> None:
    assert found(named((ORGANISATION_IDENTIFIER, identifier))) == [
        ("subject.organizationIdentifier", identifier, False)
    ]


def test_the_most_telling_place_comes_first() -> None:
    extensions = [Extension(oid, der.utf8(name)) for name, oid in NUMBER_EXTENSIONS.items()]
    data = written(*extensions, subject=der.name([(CN, USCC), (SERIAL, USCC)]))
    sources = [source.removeprefix("extension.") for source, _, _ in found(data)]
    assert sources[:2] == [CODE, "subject.serialNumber"]
    assert sources[-2:] == [CARD, "subject.commonName"]
    assert set(sources) == {*NUMBER_EXTENSIONS.values(), "subject.serialNumber", "subject.commonName"}


@pytest.mark.parametrize("text", ["张三", "测试公司", "East-Zhongxun CA", "@@@", "", "A12345@B@C", "1" * 300])
def test_names_without_a_number_are_no_candidates(text: str) -> None:
    assert found(named((CN, text))) == []


def test_a_text_is_given_once_per_place_without_space_around_it() -> None:
    data = named((CN, f"{USCC}@ {USCC}\u3000@\t{USCC}"), (SERIAL, der.utf8(f"{USCC}\0\0")))
    assert found(data) == [("subject.serialNumber", USCC, False), ("subject.commonName", USCC, False)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (der.octet_string(der.octet_string(der.printable(USCC))), [USCC]),
        (der.octet_string(USCC.encode()), [USCC]),
        (der.sequence(der.utf8("1234567890"), der.set_of(der.ia5(USCC))), ["1234567890", USCC]),
        (der.gb18030("川渝"), ["川渝"]),
        ("川渝".encode("gb18030"), ["川渝"]),
        (der.bmp(USCC), [USCC]),
        (USCC.encode() + b"\r\n", [USCC]),
        (der.sequence(der.null(), der.integer(5)), []),
        (der.utf8(""), []),
        (b"", []),
        (der.utf8("a\x00b"), []),
        (der.utf8("1" * 257), []),
        (der.utf8("1" * 256), ["1" * 256]),
        (bytes(2000), []),
        (der.sequence(*(der.utf8(str(number)) for number in range(20))), [str(number) for number in range(16)]),
    ],
)
def test_values_are_read_however_they_are_wrapped(value: bytes, expected: list[str]) -> None:
    assert texts(value) == expected


def test_nesting_is_bounded() -> None:
    value = der.utf8(USCC)
    for _ in range(100):
        value = der.octet_string(value)
    assert len(texts(value)) <= 1
    value = der.utf8(USCC)
    for _ in range(100):
        value = der.sequence(value)
    assert len(texts(value)) <= 1


def test_places_with_too_many_texts_are_cut_off() -> None:
    numbers = [f"{number:018d}" for number in range(100, 130)]
    assert len(found(named((CN, "@".join(numbers))))) == 16
    assert len(found(named(*((SERIAL, number) for number in numbers)))) == 16


def test_what_the_id_cards_extension_holds_is_masked_wherever_it_is_repeated() -> None:
    passport = "G12345678"
    data = written(
        Extension(CARD, der.set_of(der.implicit(2, der.printable(passport)))),
        subject=der.name([(CN, f"李四@{passport}@1"), (SERIAL, passport)]),
        issuer=der.name([(CN, passport)]),
    )
    certificate = parse_certificate(data)
    assert found(data) == [
        ("subject.serialNumber", passport, True),
        (f"extension.{CARD}", passport, True),
        ("subject.commonName", passport, True),
    ]
    assert certificate.common_name == f"李四@{MASK}@1"
    assert certificate.subject_text == f"CN=李四@{MASK}@1, serialNumber={MASK}"
    assert certificate.issuer_text == f"CN={MASK}"


def test_a_card_of_three_characters_masks_nothing() -> None:
    certificate = parse_certificate(written(Extension(CARD, der.utf8("CA1")), subject=NAME))
    assert certificate.common_name == "测试CA"
    assert found(certificate.der) == [(f"extension.{CARD}", "CA1", True)]


def test_no_candidate_shows_its_text() -> None:
    for number in (USCC, PERSON):
        for candidate in holder_candidates(parse_certificate(named((SERIAL, number), (CN, number)))):
            assert number not in repr(candidate)
            assert number not in str(candidate)
            assert candidate.source in repr(candidate)


@given(st.sampled_from(list(NUMBER_EXTENSIONS.values())), st.binary(max_size=1100))
def test_any_value_of_an_extension_gives_texts_or_nothing(oid: str, value: bytes) -> None:
    for candidate in holder_candidates(parse_certificate(written(Extension(oid, value)))):
        assert isinstance(candidate, Candidate)
        assert 0 < len(candidate.text) <= 256
        assert candidate.text.isprintable()


@pytest.mark.parametrize("make", [pki.unit, pki.representative])
def test_the_simulators_locks_have_their_units_code(make: object) -> None:
    assert callable(make)
    candidates = holder_candidates(parse_certificate(pki.Authority.root().issue(make()).der))
    assert USCC in [candidate.text for candidate in candidates if not candidate.personal]


def test_the_simulators_persons_have_no_code() -> None:
    for where in ("subject", "common-name", *NUMBER_EXTENSIONS):
        certificate = parse_certificate(pki.Authority.root().issue(pki.person(where=where)).der)
        candidates = holder_candidates(certificate)
        assert [candidate.text for candidate in candidates] == [PERSON]
        assert candidates[0].personal
        assert PERSON not in certificate.subject_text + repr(certificate)
