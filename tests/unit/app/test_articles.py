"""Articles of laws are cited as statutes count them: in Chinese numerals."""

import re
import tomllib
from pathlib import Path

import pytest

from app.cli.recognize import render
from app.messages import messages
from app.messages.numerals import chinese

ROOT = Path(__file__).parents[3]
VALUES = {digit: value for value, digit in enumerate("零一二三四五六七八九")}
PLACES = {"千": 1000, "百": 100, "十": 10}


def _read(numeral: str) -> int:
    """The number that a numeral stands for."""
    total, digit = 0, 0
    for sign in numeral:
        if sign in PLACES:
            total, digit = total + (digit or 1) * PLACES[sign], 0
        else:
            digit = VALUES[sign]
    return total + digit


@pytest.mark.parametrize(
    ("number", "written"),
    [
        *((1, "一"), (10, "十"), (14, "十四"), (20, "二十"), (41, "四十一"), (101, "一百零一"), (110, "一百一十")),
        *((126, "一百二十六"), (1005, "一千零五"), (1010, "一千零一十"), (1260, "一千二百六十")),
    ],
)
def test_numbers_are_written_as_in_statutes(number: int, written: str) -> None:
    assert chinese(number) == written


def test_every_numeral_stands_for_its_number() -> None:
    assert [_read(chinese(number)) for number in range(1, 10_000)] == list(range(1, 10_000))


@pytest.mark.parametrize("number", [0, -1, 10_000])
def test_other_numbers_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="not counted"):
        chinese(number)


@pytest.mark.parametrize(
    ("article", "in_chinese", "in_english"),
    [("14", "第十四条", "art. 14"), ("（十九）", "（十九）", "（十九）"), ("0", "0", "0"), ("99999", "99999", "99999")],
)
def test_an_article_is_written_out_where_it_is_a_bare_number(article: str, in_chinese: str, in_english: str) -> None:
    assert messages("zh-CN").article(article) == in_chinese
    assert messages("en").article(article) == in_english


def test_the_shell_cites_laws_as_each_language_does() -> None:
    bases = [
        {"instrument": "电子签名法", "number": None, "article": "14"},
        {"instrument": "要点", "number": "渝府办发〔2023〕15号", "article": "（十九）"},
        {"instrument": "办法", "number": None, "article": None},
    ]
    reason = {"code": "x", "message": "y", "remedy": None, "contact": None, "legal_basis": bases}
    view = {"label": "z", "decision": "recognized", "credential": None, "conditions": [], "checks": []}
    view["reasons"] = [reason]
    told = {language: "\n".join(render(view, messages(language))) for language in ("zh-CN", "en")}
    assert "《电子签名法》第十四条；《要点》（渝府办发〔2023〕15号）（十九）；《办法》" in told["zh-CN"]
    assert "电子签名法 art. 14; 要点 渝府办发〔2023〕15号 （十九）; 办法" in told["en"]


def test_no_chinese_text_counts_articles_in_figures() -> None:
    texts = [ROOT / "README.zh-CN.md", *ROOT.glob("app/**/*.toml"), *ROOT.glob("registry/**/*.toml")]
    texts += [*ROOT.glob("app/**/*.py"), *ROOT.glob("tests/scenarios/*.toml")]
    assert len(texts) > 50
    found = {str(path): re.findall(r"第 ?\d+ ?条", path.read_text(encoding="utf-8")) for path in texts}
    assert {path: said for path, said in found.items() if said} == {}


def test_the_law_on_electronic_signatures_is_cited_with_its_article() -> None:
    profile = tomllib.loads((ROOT / "registry/profiles/ca-certificate.toml").read_text(encoding="utf-8"))
    cited = [basis for basis in profile["legal_basis"] if basis["instrument"] == "电子签名法"]
    assert [messages("zh-CN").article(basis["article"]) for basis in cited] == ["第十四条"]
