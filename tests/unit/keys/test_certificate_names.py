import time
import unicodedata
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keys.certificate import MASK, holder_candidates, names, parse_certificate
from keys.certificate.names import holds_resident_id, read_text, shown
from keys.errors import MalformedError
from tests.support import der_writer as der
from tests.support.certificate_writer import named, written

CN, O, SERIAL = "2.5.4.3", "2.5.4.10", "2.5.4.5"  # noqa: E741 - the attribute's own name

# GB 11643-1999, appendix: the standard's own two examples.
STANDARD_IDS = ("11010519491231002X", "440524188001010014")


def check_character(first17: str) -> str:
    """ISO/IEC 7064 MOD 11-2 by its recursive form (§7.1), where our own code sums weights."""
    product = 0
    for digit in first17:
        product = (product + int(digit)) * 2 % 11
    return "0123456789X"[(12 - product) % 11]


@st.composite
def resident_ids(draw: st.DrawFn) -> str:
    born = draw(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
    first17 = f"{draw(st.integers(100000, 999999))}{born:%Y%m%d}{draw(st.integers(0, 999)):03}"
    return first17 + check_character(first17)


def common_name(value: der.Text) -> str | None:
    return parse_certificate(named((CN, value))).common_name


@pytest.mark.parametrize(
    ("value", "text", "oddity"),
    [
        (der.utf8("川渝公司"), "川渝公司", None),
        (der.printable("East-Zhongxun CA"), "East-Zhongxun CA", None),
        (der.ia5("ca@example.cn"), "ca@example.cn", None),
        (der.bmp("川渝公司"), "川渝公司", None),
        (der.bmp("𠮷"), "𠮷", None),
        (der.tlv(0x1C, "川渝".encode("utf-32-be")), "川渝", None),
        (der.tlv(0x14, b"Teletex"), "Teletex", None),
        (der.tlv(0x12, b"12 34"), "12 34", None),
        (der.gb18030("川渝公司"), "川渝公司", "name.not_utf8"),
        (der.gb18030("川渝公司", 0x14), "川渝公司", "name.not_ascii"),
        (der.gb18030("川渝公司", 0x13), "川渝公司", "name.not_ascii"),
        (der.gb18030("㐀𠮷", 0x16), "㐀𠮷", "name.not_ascii"),
        (der.tlv(0x14, "川渝公司".encode()), "川渝公司", "name.not_ascii"),
        (der.printable("a@b_c*"), "a@b_c*", "name.not_printable_string"),
        (der.tlv(0x0C, b"\xff\xff!"), "��!", "name.not_utf8"),
        (der.tlv(0x1E, b"\x5d\xdd\x6e"), "川�", "name.wide_string_malformed"),
        (der.tlv(0x1E, b"\xd8\x00\x00A"), "�A", "name.wide_string_malformed"),
        (der.tlv(0x1C, b"\x00\x11\x00\x00"), "�", "name.wide_string_malformed"),
        (der.octet_string(b"\x01\xff"), "#01ff", "name.not_text"),
        (der.bit_string(b"\x01"), "#0001", "name.not_text"),
    ],
)
def test_names_are_read_in_every_encoding_that_is_met(value: bytes, text: str, oddity: str | None) -> None:
    certificate = parse_certificate(named((CN, value)))
    assert certificate.common_name == text
    assert certificate.oddities == (() if oddity is None else (oddity,))


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=20))
def test_chinese_text_in_gb18030_is_read_unless_it_happens_to_be_utf8(text: str) -> None:
    raw = text.encode("gb18030")
    try:
        expected = raw.decode("utf-8")
    except UnicodeDecodeError:
        expected = text
    for tag in (0x0C, 0x13, 0x14, 0x16):
        assert read_text(tag, raw)[0] == expected


@given(st.integers(0, 255), st.binary(max_size=40))
def test_any_value_is_some_text(tag: int, value: bytes) -> None:
    text, oddity = read_text(tag, value)
    text.encode("utf-8")
    assert oddity is None or oddity.startswith("name.")


def test_the_last_attribute_of_a_type_counts_and_none_is_none() -> None:
    certificate = parse_certificate(named((O, "CA"), (CN, "first"), (CN, "last"), (O, "holder")))
    assert (certificate.common_name, certificate.organisation) == ("last", "holder")
    certificate = parse_certificate(written(subject=der.sequence()))
    assert (certificate.common_name, certificate.organisation, certificate.subject_text) == (None, None, "")


def test_a_name_is_written_in_the_order_of_the_certificate() -> None:
    together = der.set_of(der.attribute("2.5.4.11", "部门"), der.attribute("0.9.2342.19200300.100.1.1", "u1"))
    subject = der.sequence(
        der.set_of(der.attribute("2.5.4.6", "CN")),
        together,
        der.set_of(der.attribute(CN, 'A, "B" <C>; D+E\\F')),
        der.set_of(der.attribute("1.2.3.4", "x")),
    )
    certificate = parse_certificate(written(subject=subject))
    expected = [
        "C=CN",
        " + ".join(sorted(["OU=部门", "UID=u1"], reverse=together.find(b"u1") < together.find("部门".encode()))),
        r"CN=A\, \"B\" \<C\>\; D\+E\\F",
        "1.2.3.4=x",
    ]
    assert certificate.subject_text == ", ".join(expected)
    assert certificate.issuer_text == "C=CN, O=测试CA, CN=测试CA"


def test_a_name_of_many_parts_is_cut_off_when_it_is_shown() -> None:
    assert parse_certificate(named(*[("2.5.4.11", "部")] * 32)).subject_text == ", ".join(["OU=部"] * 32)
    assert parse_certificate(named(*[("2.5.4.11", "部")] * 33)).subject_text == ", ".join(["OU=部"] * 32 + ["…"])


@pytest.mark.parametrize(
    "name",
    [
        der.set_of(),
        der.sequence(der.sequence()),
        der.sequence(der.set_of(der.null())),
        der.sequence(der.set_of(der.sequence())),
        der.sequence(der.set_of(der.sequence(der.oid(CN)))),
        der.sequence(der.set_of(der.sequence(der.oid(CN), der.utf8("a"), der.utf8("b")))),
        der.sequence(der.set_of(der.sequence(der.utf8("a"), der.oid(CN)))),
        der.sequence(der.set_of()),
    ],
)
def test_a_name_of_another_structure_is_refused(name: bytes) -> None:
    for part in ("subject", "issuer"):
        with pytest.raises(MalformedError, match=f"certificate.malformed: {part}: "):
            parse_certificate(written(**{part: name}))


def test_a_long_issuer_is_read_like_a_short_one() -> None:
    long = der.name([(O, "长" * 400), (CN, der.gb18030("长"))])
    for _ in range(2):
        certificate = parse_certificate(written(issuer=long))
        assert certificate.issuer_text == f"O={'长' * 256}…, CN=长"
        assert certificate.oddities == ("name.not_utf8",)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\x00b\r\nc\x1b[31m", "a�b��c�[31m"),
        ("abc\u202ecba", "abc�cba"),
        ("a\u200bb\ufeffc\u2066d\u00ade", "a�b�c�d�e"),
        ("a\u2028b\u3000c\u00a0d", "a�b c d"),
        ("\ue000", "�"),
    ],
)
def test_what_cannot_be_seen_is_not_shown(text: str, safe: str) -> None:
    certificate = parse_certificate(named((CN, text)))
    assert (certificate.common_name, certificate.subject_text) == (safe, f"CN={safe}")
    assert certificate.oddities == ("name.hidden_characters",)


@given(st.text(max_size=600))
@example("\u202e" * 600)
def test_what_is_shown_is_one_bounded_line_that_can_be_seen(text: str) -> None:
    safe = shown(text)
    assert safe.isprintable()
    assert len(safe) <= 257
    assert not any(unicodedata.bidirectional(character) in ("RLO", "LRO", "RLI", "PDF") for character in safe)


def test_the_standards_own_numbers_are_known() -> None:
    # The second was born in 1880, before anybody who holds a lock.
    assert [holds_resident_id(number) for number in STANDARD_IDS] == [True, False]
    assert [check_character(number[:17]) for number in STANDARD_IDS] == ["X", "4"]


@given(resident_ids())
def test_a_resident_id_is_known_in_every_form(number: str) -> None:
    wide = number.translate({ordinal: ordinal + 0xFEE0 for ordinal in range(0x30, 0x5B)})
    spaced = " ".join((number[:6], number[6:14], number[14:]))
    for form in (number, number.lower(), wide, spaced, number.replace("X", "Ⅹ"), f"SF{number}", f"9{number}0"):
        assert holds_resident_id(form)
        assert MASK in shown(form)
        assert form not in shown(form)


@given(resident_ids(), st.integers(0, 17), st.sampled_from("0123456789X"))
def test_another_check_character_is_no_resident_id(number: str, place: int, other: str) -> None:
    changed = number[:place] + other + number[place + 1 :]
    # X stands only at the end, and one changed character is always noticed by MOD 11-2.
    assert holds_resident_id(changed) == (changed == number)


@pytest.mark.parametrize("middle", ["19991301", "19990230", "18991231", "21000101", "00000000"])
def test_a_birth_date_must_be_plausible(middle: str) -> None:
    first17 = f"110105{middle}002"
    assert not holds_resident_id(first17 + check_character(first17))


def test_codes_of_organisations_are_shown() -> None:
    # GB 32100-2015, appendix, and domain.md: real codes.
    for code in ("91350100M000100Y43", "12100000K00002351Y", "915001077398XXXXXX"):
        assert common_name(code) == code


@given(
    st.text(alphabet="0123456789Xx 张三@-，", max_size=40),
    resident_ids(),
    st.text(alphabet="0123456789Xx 张三@-，", max_size=300),
)
@example("", "11010519491231002X", "11010519491231002X")
@example("张" * 250, "11010519491231002X", "")
def test_no_text_shows_a_resident_id(before: str, number: str, after: str) -> None:
    text = before + number + after
    certificate = parse_certificate(named((O, text), (CN, text), (SERIAL, der.utf8(text))))
    for safe in (certificate.common_name, certificate.organisation, certificate.subject_text, repr(certificate)):
        assert safe is not None
        assert number not in safe
        assert not holds_resident_id(safe.replace("\\", ""))
    assert number not in repr(certificate.subject_attributes)
    assert number not in str([attribute.__rich_repr__() for attribute in certificate.subject_attributes])


def test_only_the_number_is_masked() -> None:
    number = STANDARD_IDS[0]
    assert common_name(f"张三@{number}@01@003") == f"张三@{MASK}@01@003"
    assert common_name(f"{number}和{number}") == f"{MASK}和{MASK}"
    certificate = parse_certificate(written(issuer=der.name([(CN, number)])))
    assert certificate.issuer_text == f"CN={MASK}"


def test_a_number_at_the_edge_of_what_is_shown_is_masked_whole() -> None:
    number = STANDARD_IDS[0]
    for filler in range(235, 260):
        safe = shown("张" * filler + number)
        assert number[:4] not in safe
        assert (MASK in safe) == (filler < 256)


def test_only_issuers_of_others_are_remembered() -> None:
    before = names._remembered.cache_info().currsize
    person = der.name([(CN, f"张三{STANDARD_IDS[0]}")])
    certificate = parse_certificate(written(issuer=person, subject=person))
    assert certificate.issuer_attributes == certificate.subject_attributes
    assert names._remembered.cache_info().currsize == before


@pytest.mark.parametrize("digits", ["1", "19", "190101", "20000101", "Ⅹ9", "1 9", "１９"])
def test_no_text_takes_long_to_mask(digits: str) -> None:
    text = digits * (60_000 // len(digits.encode()))
    certificate = parse_certificate(named((CN, text), *[(SERIAL, der.utf8(text[:256]))] * 3))
    begun = time.process_time()
    assert certificate.subject_text.startswith("CN=")
    assert len(holder_candidates(certificate)) <= 1
    assert time.process_time() - begun < 0.5


def test_an_error_shows_no_name() -> None:
    number = STANDARD_IDS[0]
    for data in (
        named((CN, number))[:-40],
        written(subject=der.sequence(der.set_of(der.sequence(der.utf8(number), der.utf8(number))))),
        written(serial=der.utf8(number), subject=der.name([(CN, number)])),
    ):
        with pytest.raises(MalformedError) as caught:
            parse_certificate(data)
        assert number not in str(caught.value)
        assert number not in repr(caught.value)
