"""UTF-8 or GB18030, never a mixture, never a guess."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.importers.encoding import PIECE, text_encoding
from tests.unit.app.importers.registers import CELLS, cells, csv_text, refused

HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=7, max_size=30)


def is_utf8(content: bytes) -> bool:
    """一 and some more are, in GB18030, also two-byte characters of UTF-8: a line of nothing else tells nothing."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


LINE = HAN.filter(lambda text: not is_utf8(text.encode("gb18030"))).map(lambda text: f"JY,{text},2026")


@pytest.mark.parametrize(
    ("first", "second"), [("utf-8", "gb18030"), ("gb18030", "utf-8")], ids=["GB after UTF-8", "UTF-8 after GB"]
)
def test_mixed_encodings_are_refused_with_the_place_where_the_file_turns(path: Path, first: str, second: str) -> None:
    before = csv_text(CELLS, CELLS).encode(first)
    turning = b"JY15001039920027,"
    code, params = refused(path, before + turning + csv_text(headers=CELLS[1:]).encode(second))
    assert (code, params["line"]) == ("file.encoding_mixed", "4")
    assert len(before) <= int(params["offset"]) <= len(before + turning) + 8


def test_a_short_line_in_utf8_is_found_by_characters_that_nobody_uses(path: Path) -> None:
    path.write_bytes("许可证编号,经营者名称\n".encode("gb18030") + "JY1,中国\n".encode() + b"JY2,abc\n")
    assert refused(path, path.read_bytes())[0] == "file.encoding_mixed"


@settings(max_examples=60, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=5), st.lists(LINE, min_size=1, max_size=5), st.booleans())
def test_a_mixture_never_passes(
    tmp_path_factory: pytest.TempPathFactory, one: list[str], two: list[str], turned: bool
) -> None:
    first, second = ("gb18030", "utf-8") if turned else ("utf-8", "gb18030")
    path = tmp_path_factory.mktemp("mixed") / "register.csv"
    content = "\n".join(one).encode(first) + b"\n" + "\n".join(two).encode(second)
    assert refused(path, content)[0] in ("file.encoding_mixed", "file.encoding_unknown")


@settings(max_examples=60, deadline=None)
@given(st.lists(HAN, min_size=1, max_size=20), st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]))
def test_one_encoding_is_recognised(tmp_path_factory: pytest.TempPathFactory, lines: list[str], encoding: str) -> None:
    path = tmp_path_factory.mktemp("pure") / "register.csv"
    path.write_bytes("\n".join(lines).encode(encoding))
    assert text_encoding(path) == encoding


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("shift", range(4))
def test_a_character_may_lie_across_two_pieces(path: Path, encoding: str, shift: int) -> None:
    path.write_bytes(b"a" * shift + ("测" * PIECE).encode(encoding) + "𠀀".encode(encoding))
    assert text_encoding(path) == encoding


@pytest.mark.parametrize("start", [0, 5, PIECE - 1, PIECE, PIECE + 7])
def test_a_wrong_byte_is_told_by_offset_and_line(path: Path, start: int) -> None:
    code, params = refused(path, b"\n" * start + b"\xff\n")
    assert code == "file.encoding_unknown"
    assert params == {"offset": str(start), "line": str(start + 1), "gb_offset": str(start), "gb_line": str(start + 1)}


@pytest.mark.parametrize("kept", [1, 2])
def test_a_character_cut_off_at_the_end_is_told_where_it_begins(path: Path, kept: int) -> None:
    whole = csv_text(CELLS).encode()
    code, params = refused(path, whole + "测".encode()[:kept])
    assert (code, params["offset"], params["line"]) == ("file.encoding_mixed", str(len(whole)), "3")


def test_a_mark_is_a_promise(path: Path) -> None:
    assert refused(path, b"\xef\xbb\xbf" + csv_text(CELLS).encode("gb18030"))[0] == "file.encoding_mixed"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf16_is_refused(path: Path, encoding: str) -> None:
    code, _ = refused(path, csv_text(cells()).encode(encoding))
    assert code in ("file.utf16", "file.encoding_unknown", "file.headers_unknown")
