from hypothesis import given
from hypothesis import strategies as st

from keys.revocation.names import folded, joined
from tests.support import der_writer as der

COUNTRY, ORGANISATION, COMMON_NAME = "2.5.4.6", "2.5.4.10", "2.5.4.3"


def common(value: bytes) -> bytes:
    return der.name([(COMMON_NAME, value)])


def relative(*attributes: bytes) -> bytes:
    return der.tlv(0x31, b"".join(attributes))


def attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), value)


def test_case_spaces_and_the_kind_of_string_do_not_count() -> None:
    same = [
        common(value)
        for value in (
            der.utf8("East Zhongxun CA"),
            der.printable("EAST  ZHONGXUN ca"),
            der.ia5(" East Zhongxun CA "),
            der.bmp("east zhongxun\u00a0CA"),
            der.tlv(0x1C, "East Zhongxun CA".encode("utf-32-be")),
            der.utf8("Ｅast Zhongxun CA"),
        )
    ]
    assert len({folded(name) for name in same}) == 1
    assert folded(common(der.utf8("EastZhongxun CA"))) != folded(same[0])
    assert folded(der.name([(ORGANISATION, der.utf8("East Zhongxun CA"))])) != folded(same[0])


def test_the_order_of_relative_names_counts_and_inside_one_it_does_not() -> None:
    cn, o = attribute(COMMON_NAME, der.utf8("a")), attribute(ORGANISATION, der.utf8("b"))
    assert folded(der.sequence(relative(cn, o))) == folded(der.sequence(relative(o, cn)))
    assert folded(der.sequence(relative(cn), relative(o))) != folded(der.sequence(relative(o), relative(cn)))
    assert folded(der.sequence(relative(cn), relative(o))) != folded(der.sequence(relative(cn, o)))


def test_what_is_not_readable_text_is_compared_byte_by_byte() -> None:
    damaged = der.gb18030("四川省数字证书认证管理中心有限公司")
    assert folded(common(damaged)) == folded(common(damaged))
    assert folded(common(damaged)) != folded(common(der.utf8("四川省数字证书认证管理中心有限公司")))
    assert folded(common(der.tlv(0x14, b"CA"))) != folded(common(der.tlv(0x14, b"ca")))


def test_what_is_no_name_stands_for_itself() -> None:
    for data in (b"", b"name", der.sequence(der.sequence()), der.sequence(relative(der.sequence(der.oid("1.2"))))):
        assert folded(data) == data
    long = common(der.utf8("a" * 9000))
    assert folded(long) == long


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_bytes_that_are_no_names_are_the_same_only_when_equal(first: bytes, second: bytes) -> None:
    assert (folded(first) == folded(second)) == (first == second)


texts = st.lists(st.tuples(st.sampled_from((COUNTRY, COMMON_NAME)), st.text("ab: ", min_size=1)), max_size=4)


@given(texts, texts)
def test_names_of_other_texts_are_not_the_same(first: list[tuple[str, str]], second: list[tuple[str, str]]) -> None:
    def made(parts: list[tuple[str, str]]) -> bytes:
        return folded(der.name([(oid, der.utf8(text)) for oid, text in parts]))

    def meant(parts: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
        return [(oid, text.split()) for oid, text in parts]

    assert (made(first) == made(second)) == (meant(first) == meant(second))


def test_a_relative_name_is_put_behind_the_issuers() -> None:
    cn, o = attribute(COMMON_NAME, der.utf8("a")), attribute(ORGANISATION, der.utf8("b" * 200))
    issuer = der.sequence(relative(o))
    assert joined(issuer, relative(cn)) == der.sequence(relative(o), relative(cn))
    assert joined(b"no name", relative(cn)) == b"no name"
