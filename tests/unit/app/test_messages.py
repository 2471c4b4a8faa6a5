"""The catalogues: complete in both languages, and every code that the core can utter has its sentence."""

import ast
import re
import tomllib
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest

import app
import keys
import registry
from app.messages import LANGUAGES, messages, negotiate
from registry.document import LocalText

CODE = re.compile(r"[a-z_]+\.[a-z_]+")
PARAMETER = re.compile(r"\{([a-z_]+)\}")
# Texts of this shape that are not codes.
OTHER = {"catalogue.id", "subject.kind", "subject.name", "subject.uscc"}


def catalogue(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads(resources.files("app.messages").joinpath(f"{language}.toml").read_text(encoding="utf-8"))


def literals(package: object) -> set[str]:
    """Every string literal in a package that looks like a code."""
    found = set()
    for path in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found.add(node.value)
    return found


APART = ("key.passphrase", "sm2.", "sm3.", "log.")
REFUSALS = ("MalformedError", "SignatureError", "AlgorithmError", "FetchError", "AnswerRefused", "_ListRefused")


def raised(path: Path) -> set[str]:
    """The codes of the errors that a file raises."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in REFUSALS and node.args:
            code = node.args[0]
            if isinstance(code, ast.Constant) and isinstance(code.value, str) and CODE.fullmatch(code.value):
                found.add(code.value)
    return found


FAMILIES = (
    "number.",
    "signature.",
    "signers.",
    "path.",
    "issuer.",
    "status.",
    "credential.",
    "validity.",
    "scope.",
    "facts.",
    "catalogue.",
    "subject.",
    "agreement.",
    "statute.",
    "jurisdiction.",
    "inspection.",
    "assumes.",
    "purpose.",
    "register.",
)
PROBLEMS = (
    "query.",
    "request.",
    "route.",
    "store.unavailable",
    "keys.",
    "internal.",
    "receipt.too",
    "receipt.key",
    "row.",
    "file.",
    "import.",
    "document.",
    "digest.",
)


def test_both_languages_have_the_same_keys() -> None:
    chinese, english = catalogue("zh-CN"), catalogue("en")
    assert chinese.keys() == english.keys()
    for section in chinese:
        assert chinese[section].keys() == english[section].keys(), section


def test_both_languages_use_the_same_parameters() -> None:
    chinese, english = catalogue("zh-CN"), catalogue("en")
    for section in ("messages", "problems", "words"):
        for key in chinese[section]:
            assert set(PARAMETER.findall(english[section][key])) <= set(PARAMETER.findall(chinese[section][key])) | {
                "facts",
                "label",
                # A technical detail is in English; a Chinese reader has it in a member of its own.
                "why",
            }, key


def test_chinese_is_chinese_and_english_is_not() -> None:
    han = re.compile(r"[\u4e00-\u9fff]")
    for section, texts in catalogue("zh-CN").items():
        for key, text in texts.items():
            assert han.search(text), f"{section}.{key}"
    allowed = re.compile(r"（[^）]*）|“[^”]*”|\([撤吊注][销回]\)")
    for section, texts in catalogue("en").items():
        for key, text in texts.items():
            assert not han.search(allowed.sub("", text)), f"{section}.{key}"


def test_every_reason_code_of_the_core_has_a_sentence() -> None:
    keys = {key.partition("#")[0] for key in catalogue("en")["messages"]}
    spoken = {code for code in literals(registry) if code.startswith(FAMILIES)} - OTHER
    assert len(spoken) > 30
    assert spoken - keys == set()


def test_every_problem_code_has_a_sentence() -> None:
    keys = set(catalogue("en")["problems"])
    spoken = {code for package in (registry, app) for code in literals(package) if code.startswith(PROBLEMS)}
    assert len(spoken) > 25
    assert spoken - keys == set()


def test_every_refusal_has_a_sentence() -> None:
    """But of custody and of the log, which have words of their own, and of what is read when the product starts."""
    spoken = set[str]()
    for package in (keys, registry, app):
        for path in Path(package.__file__ or "").parent.rglob("*.py"):
            if "custody" not in path.parts:
                spoken |= {code for code in raised(path) if not code.startswith(APART)}
    spoken |= {code for code in literals(registry) if code.startswith(("timestamp.", "evidence."))}
    assert len(spoken) > 50
    assert spoken - set(catalogue("en")["refusals"]) == {"algorithm_policy.malformed"}


def test_a_refusal_is_a_sentence_with_its_detail_behind_it() -> None:
    chinese, english = messages("zh-CN"), messages("en")
    assert chinese.refusal("cms.malformed", "tag 0x04") == "不是规范的 CMS 编码"
    assert english.refusal("cms.malformed", "tag 0x04") == "not well-formed CMS (tag 0x04)"
    assert chinese.refusal("cms.malformed") == "不是规范的 CMS 编码"
    # A code of tomorrow.
    assert (chinese.refusal("cms.new", "why"), chinese.refusal("cms.new")) == ("why", "cms.new")


def test_no_message_but_the_labels_speaks_of_recognition() -> None:
    for section in ("messages", "remedies"):
        for key, text in catalogue("zh-CN")[section].items():
            assert "互认" not in text, f"{section}.{key}"


def test_an_exclusive_end_is_read_as_its_last_day() -> None:
    end = datetime(2028, 3, 20, 16, tzinfo=UTC)  # midnight of the 21st in Beijing
    assert "2028年3月20日" in messages("zh-CN").message("validity.current", "", {"valid_until": end})
    assert "20 March 2028" in messages("en").message("validity.expired", "", {"valid_until": end})
    begin = messages("zh-CN").message("validity.not_yet", "", {"valid_from": end})
    assert "2028年3月21日" in begin


@pytest.mark.parametrize(
    ("code", "variant"),
    [
        ("signature.after_deadline", ""),
        ("signature.after_deadline", "claimed"),
        ("signature.time_unproven", ""),
        ("signature.after_valid_at", ""),
        ("signature.verified", "proven"),
        ("challenge.expired", ""),
        ("assumes.no_change", ""),
    ],
)
def test_midnight_has_its_hour_where_instants_are_compared(code: str, variant: str) -> None:
    midnight = datetime(2026, 11, 28, 16, tzinfo=UTC)
    names = ("proven_at", "claimed_at", "deadline", "valid_at", "expires_at")
    params = {"by": "测试", **dict.fromkeys(names, midnight)}
    chinese, english = messages("zh-CN").message(code, variant, params), messages("en").message(code, variant, params)
    dates, hours = chinese.count("2026年11月29日"), chinese.count("2026年11月29日00:00（北京时间）")
    assert (dates > 0, hours) == (True, dates)
    assert english.count("29 November 2026 00:00 (Beijing time)") == english.count("29 November 2026") == dates


def test_a_date_of_validity_stays_a_date() -> None:
    midnight = datetime(2026, 11, 28, 16, tzinfo=UTC)
    assert messages("zh-CN").instant(midnight) == "2026年11月29日"
    assert messages("en").moment(midnight) == "29 November 2026 00:00 (Beijing time)"
    begun = messages("zh-CN").message("status.revoked", "", {"effective_at": midnight})
    assert begun == "证件自2026年11月29日起已失去效力（被撤销、吊销或者撤回）。"


UNIT, REPRESENTATIVE = ("单位签名", "of a unit"), ("法定代表人签名", "of a legal representative")


@pytest.mark.parametrize(
    ("variant", "said", "unsaid"),
    [
        ("", (UNIT, REPRESENTATIVE), ()),
        ("unit", (UNIT,), (REPRESENTATIVE,)),
        ("legal_representative", (REPRESENTATIVE,), (UNIT,)),
        ("undecided", (UNIT, REPRESENTATIVE), ()),
        ("undecided_unit", (UNIT,), (REPRESENTATIVE,)),
        ("undecided_legal_representative", (REPRESENTATIVE,), (UNIT,)),
    ],
)
def test_missing_signatures_are_those_of_the_roles_that_lack_some(
    variant: str, said: tuple[tuple[str, str], ...], unsaid: tuple[tuple[str, str], ...]
) -> None:
    params = {"unit": 3, "legal_representative": 4}
    for place, language in enumerate(LANGUAGES):
        text = messages(language).message("signers.missing", variant, params)
        assert [words[place] in text for words in said] == [True] * len(said)
        assert [words[place] in text for words in unsaid] == [False] * len(unsaid)
        assert messages(language).remedy("signers.missing", variant, params)


def test_parameters_are_filled_once() -> None:
    text = messages("zh-CN").message("number.well_formed", "", {"number": "{number}"})
    assert text == "证号“{number}”格式正确。"
    basis = LocalText(zh="甲", en="A")
    assert messages("en").message("agreement.in_force", "", {"agreement": basis}) == "Legal basis: A."


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (None, "zh-CN"),
        ("", "zh-CN"),
        ("en", "en"),
        ("en-GB,en;q=0.9,zh;q=0.1", "en"),
        ("zh-TW, en;q=0.5", "zh-CN"),
        ("en;q=0.2, zh;q=0.3", "zh-CN"),
        ("fr, de;q=0.9", "zh-CN"),
        ("en;q=abc", "zh-CN"),
        ("en;q=0", "zh-CN"),
    ],
)
def test_language_is_negotiated(asked: str | None, language: str) -> None:
    assert negotiate(asked) == language
