"""Reading policy files strictly: every refusal names the file, the key and what is allowed."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.document import LegalBasis, LocalText, PolicyDocument, Table, parse_document, read_legal_basis
from registry.errors import PolicyError, RegistryError
from registry.period import Period
from tests.unit.registry.specimens import SOURCE, Content, table

HEAD = 'id = "specimen"\nversion = 1\n'


def parse(text: str) -> PolicyDocument:
    return parse_document("agreement", SOURCE, text.encode())


def refused(read: Callable[[], Any]) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        read()
    assert caught.value.source == SOURCE
    assert str(caught.value).startswith(f"{SOURCE}: ")
    return caught.value


def test_a_document_is_its_content_with_instants_as_text() -> None:
    made = parse(HEAD + 'when = 2024-01-01T08:00:00+08:00\nlist = [1, true, "a", { b = 2024-01-01T00:00:00.5Z }]\n')
    assert (made.kind, made.id, made.version, made.source) == ("agreement", "specimen", 1, SOURCE)
    assert made.content == {
        "id": "specimen",
        "version": 1,
        "when": "2024-01-01T00:00:00Z",
        "list": [1, True, "a", {"b": "2024-01-01T00:00:00.500000Z"}],
    }
    assert made.digest.startswith("sha256:")


DIGESTED = HEAD + 'name = "甲"\n[inner]\na = 1\nb = 2024-01-01T08:00:00+08:00\n'


@pytest.mark.parametrize(
    "same",
    [
        "# comment\n" + DIGESTED + "# end\n",
        DIGESTED.replace("\n", "\r\n"),
        DIGESTED.replace(" = ", "="),
        'version = 1\nname = "甲"\nid = "specimen"\n[inner]\nb = 2024-01-01T00:00:00Z\na = 1\n',
        HEAD + 'inner = { a = 1, b = 2024-01-01T08:00:00+08:00 }\nname = "\\u7532"\n',
        HEAD + 'name = "甲"\ninner.a = 1\ninner.b = "2024-01-01T00:00:00Z"\n',
    ],
)
def test_the_digest_is_blind_to_comments_layout_and_order(same: str) -> None:
    assert same != DIGESTED
    assert parse(same).digest == parse(DIGESTED).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ('"specimen"', '"specimen2"'),
        ('"甲"', '"乙"'),
        ('"甲"', '"甲 "'),
        ("a = 1", "a = 2"),
        ("a = 1", "a = true"),
        ("a = 1", 'a = "1"'),
        ("a = 1", "a = [1]"),
        ("a = 1", "c = 1"),
        ("+08:00", "+07:00"),
        ("[inner]", "[other]"),
        ("[inner]", "more = []\n[inner]"),
    ],
)
def test_the_digest_sees_every_change_of_content(old: str, new: str) -> None:
    assert old in DIGESTED
    assert parse(DIGESTED.replace(old, new)).digest != parse(DIGESTED).digest


def test_the_digest_sees_the_order_of_a_list() -> None:
    assert parse(HEAD + "a = [1, 2]").digest != parse(HEAD + "a = [2, 1]").digest


def test_the_digest_is_blind_to_where_the_file_lies() -> None:
    here = parse(DIGESTED)
    assert parse_document("profile", "elsewhere.toml", DIGESTED.encode()).digest == here.digest


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("version = 1", "id", "is missing"),
        ('id = "a"', "version", "is missing"),
        ('id = ""\nversion = 1', "id", "must be a text that is not empty"),
        ("id = 1\nversion = 1", "id", "must be a text that is not empty"),
        ('id = "a"\nversion = 0', "version", "must be a whole number of at least 1"),
        ('id = "a"\nversion = true', "version", "must be a whole number of at least 1"),
        ('id = "a"\nversion = "1"', "version", "must be a whole number of at least 1"),
        (HEAD + "a = 0.5", "a", "0.5 is not allowed; decimals as texts, date-times with an offset"),
        (HEAD + "a = nan", "a", "decimals as texts"),
        (HEAD + "[b]\na = [1, [2.0]]", "b.a[1][0]", "decimals as texts"),
        (HEAD + "a = 2024-01-01T00:00:00", "a", "date-times with an offset"),
        (HEAD + "a = 2024-01-01", "a", "date-times with an offset"),
        (HEAD + "[[a]]\n[[a]]\nb = 00:00:00", "a[1].b", "date-times with an offset"),
    ],
)
def test_a_value_that_no_policy_may_hold_is_refused(text: str, key: str, problem: str) -> None:
    error = refused(lambda: parse(text))
    assert error.key == key
    assert problem in error.problem


@pytest.mark.parametrize(
    "content",
    [
        b"id = ",
        b"{}",
        b'id = "a"\nid = "b"',
        b'id = "\xff"',
        'id = "a"'.encode("utf-16"),
        b"\xef\xbb\xbf" + HEAD.encode(),
        HEAD.encode() + b"a = 2024-02-30T00:00:00Z",
        HEAD.encode() + b'a = "\\ud800"',
        HEAD.encode() + b'a = "\x00"',
    ],
)
def test_what_is_not_toml_in_utf_8_is_refused(content: bytes) -> None:
    error = refused(lambda: parse_document("agreement", SOURCE, content))
    assert error.key == ""
    assert error.problem.startswith("is not TOML in UTF-8: ")


@pytest.mark.parametrize("value", ["9007199254740992", "[" * 300 + "]" * 300])
def test_what_has_no_canonical_form_is_refused(value: str) -> None:
    assert refused(lambda: parse(HEAD + f"a = {value}")).key == ""


@pytest.mark.parametrize(
    "value",
    ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00", "9" * 5000, "[" * 3000 + "]" * 3000],
    ids=["before year 1", "after year 9999", "5000 digits", "3000 levels"],
)
def test_extremes_are_refused_like_anything_else(value: str) -> None:
    refused(lambda: parse(HEAD + f"a = {value}"))


@given(st.binary(max_size=40))
def test_any_bytes_are_a_document_or_refused(content: bytes) -> None:
    with pytest.raises(PolicyError):  # nothing so short has an id and a version
        parse_document("agreement", SOURCE, content)


READERS: dict[str, tuple[Callable[[Table], Any], Any, Any, list[Any], str]] = {
    # reader: how it is called, a value that fits, what comes back, values that do not fit, what is said to be allowed
    "text": (lambda t: t.text("k"), "a b", "a b", ["", " ", 1, True, [], {}], "must be a text that is not empty"),
    "optional_text": (lambda t: t.optional_text("k"), "a", "a", ["", 1, []], "must be a text that is not empty"),
    "choice": (lambda t: t.choice("k", ("a", "b")), "b", "b", ["c", "A"], "is not allowed; allowed: a, b"),
    "integer": (
        lambda t: t.integer("k", at_least=3),
        3,
        3,
        [2, -3, True, "3", []],
        "must be a whole number of at least 3",
    ),
    "flag": (lambda t: t.flag("k"), True, True, ["true", 1, 0, []], "must be true or false"),
    "value (text)": (lambda t: t.value("k"), "a", "a", [1, [], {}], "must be a text, true or false"),
    "value (truth)": (lambda t: t.value("k"), False, False, [0], "must be a text, true or false"),
    "texts": (
        lambda t: t.texts("k"),
        ["b", "a"],
        ("b", "a"),
        ["a", [1], ["a", ""], {}, True],
        "must be a list of texts",
    ),
    "texts not empty": (lambda t: t.texts("k"), ["a"], ("a",), [[]], "must not be empty"),
    "texts without repetition": (lambda t: t.texts("k"), ["a"], ("a",), [["a", "b", "a"]], "names something twice"),
    "mapping": (
        lambda t: t.mapping("k"),
        {"50": "CQ"},
        {"50": "CQ"},
        [[], "a", {"a": 1}, {"a": {}}],
        "must be a table of texts",
    ),
    "instant": (
        lambda t: t.instant("k"),
        "2024-01-01T08:00:00+08:00",
        datetime(2024, 1, 1, tzinfo=UTC),
        ["2024-01-01T00:00:00", "2024-02-30T00:00:00Z", "soon", 1, []],
        "must be a date-time with an offset",
    ),
    "optional_instant": (
        lambda t: t.optional_instant("k"),
        "2024-01-01T00:00:00Z",
        datetime(2024, 1, 1, tzinfo=UTC),
        ["2024-01-01", 5],
        "must be a date-time with an offset",
    ),
    "table": (lambda t: t.table("k").text("a"), {"a": "b"}, "b", ["a", [], [{}], 1], "must be a table"),
    "named_tables": (
        lambda t: {name: inner.text("a") for name, inner in t.named_tables("k").items()},
        {"x": {"a": "b"}},
        {"x": "b"},
        ["a", [], {"x": 1}, {"x": []}],
        "must be a table of tables",
    ),
    "tables": (
        lambda t: [inner.text("a") for inner in t.tables("k")],
        [{"a": "b"}, {"a": "c"}],
        ["b", "c"],
        ["a", {}, [1], [{}, "a"]],
        "must be a list of tables",
    ),
    "local_text": (
        lambda t: t.local_text("k"),
        {"zh": "甲", "en": "A"},
        LocalText(zh="甲", en="A"),
        ["甲", []],
        "must be a table",
    ),
    "legal_basis": (
        lambda t: t.legal_basis("k"),
        [{"instrument": "法", "article": "3"}],
        (LegalBasis(instrument="法", article="3"),),
        ["法", {}, ["法"]],
        "must be a list of tables",
    ),
    "some named_tables": (
        lambda t: list(t.named_tables("k", at_least=1)),
        {"a": {}},
        ["a"],
        [{}],
        "needs at least 1",
    ),
    "some tables": (lambda t: len(t.tables("k", at_least=2)), [{}, {}], 2, [[], [{}]], "needs at least 2"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("where", ["", "outer[3].inner"])
def test_a_reader_takes_what_fits_and_refuses_the_rest(reader: str, where: str) -> None:
    read, good, result, bad, allowed = READERS[reader]
    inner = table({"k": good}, where)
    assert read(inner) == result
    inner.done()
    for value in bad:
        error = refused(lambda value=value: read(table({"k": value}, where)))
        assert error.key == (f"{where}.k" if where else "k")
        assert allowed in error.problem


@pytest.mark.parametrize("reader", [name for name in READERS if "optional" not in name])
def test_a_key_that_is_needed_is_missed_by_name(reader: str) -> None:
    optional = {"flag": False, "mapping": {}, "named_tables": {}, "tables": []}
    read = READERS[reader][0]
    if reader in optional:
        assert read(table({})) == optional[reader]
        return
    error = refused(lambda: read(table({}, "outer")))
    assert error.key == "outer.k"
    assert error.problem in ("is missing", "needs at least 1", "needs at least 2")


def test_optional_keys_may_be_absent_and_are_then_known() -> None:
    inner = table({"z": 1})
    assert inner.optional_text("a") is None
    assert inner.optional_instant("b") is None
    assert inner.period() == Period()
    assert inner.flag("c", default=True) is True
    assert inner.choice("d", ("x", "y"), default="x") == "x"
    assert inner.texts("e", default=("p",)) == ("p",)
    assert inner.texts("f", default=(), allow_empty=True) == ()
    error = refused(inner.done)
    assert (error.key, error.problem) == ("z", "unknown key; known: a, b, c, d, e, f, from, until")


def test_what_was_read_is_gone_and_what_was_not_is_there() -> None:
    inner = table({"a": "x", "b": "y"})
    assert inner.has("a")
    assert inner.text("a") == "x"
    assert not inner.has("a")
    assert inner.has("b")
    assert refused(inner.done).key == "b"
    assert refused(lambda: inner.text("a")).problem == "is missing"


def test_a_misspelt_key_is_told_the_keys_that_were_looked_for() -> None:
    inner = table({"nots": "x"})
    assert not inner.has("note")
    assert "note" in refused(inner.done).problem


def test_reading_does_not_consume_the_document() -> None:
    content: Content = {"a": "x"}
    table(content).text("a")
    assert content == {"a": "x"}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"k": {"zh": "甲"}}, "k.en"),
        ({"k": {"en": "A"}}, "k.zh"),
        ({"k": {"zh": "甲", "en": ""}}, "k.en"),
        ({"k": {"zh": "甲", "en": "A", "fr": "A"}}, "k.fr"),
    ],
)
def test_a_text_has_both_languages_and_no_third(content: Content, key: str) -> None:
    assert refused(lambda: table(content).local_text("k")).key == key


@pytest.mark.parametrize(
    ("basis", "key"),
    [
        ({}, "instrument"),
        ({"instrument": "法", "number": ""}, "number"),
        ({"instrument": "法", "clause": "1"}, "clause"),
    ],
)
def test_a_citation_names_its_instrument(basis: Content, key: str) -> None:
    assert refused(lambda: read_legal_basis(table(basis))).key == key
    error = refused(lambda: table({"legal_basis": [{"instrument": "法"}, basis]}).legal_basis())
    assert error.key == f"legal_basis[1].{key}"


def test_a_citation_is_told_with_every_member() -> None:
    basis = read_legal_basis(table({"instrument": "法", "number": "〔2023〕15号", "article": "（五）"}))
    assert basis.statement() == {"instrument": "法", "number": "〔2023〕15号", "article": "（五）"}
    assert LegalBasis(instrument="法").statement() == {"instrument": "法", "number": None, "article": None}


def test_something_without_a_legal_basis_is_refused() -> None:
    assert refused(lambda: table({"legal_basis": []}).legal_basis()).problem == "needs at least 1"


@pytest.mark.parametrize("until", ["2024-01-01T00:00:00Z", "2023-01-01T00:00:00Z", "2024-01-01T08:00:00+08:00"])
def test_a_period_must_end_after_it_starts(until: str) -> None:
    error = refused(lambda: table({"from": "2024-01-01T00:00:00Z", "until": until}, "effective").period())
    assert (error.key, error.problem) == ("effective.until", "a period ends after it starts")


def test_a_period_is_half_open() -> None:
    period = table({"from": "2024-01-01T00:00:00Z", "until": "2025-01-01T00:00:00Z"}).period()
    assert period == Period(start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2025, 1, 1, tzinfo=UTC))


def test_tables_inside_tables_keep_their_path() -> None:
    content = {"a": {"b": [{}, {"c": {"d": {"e": 1}}}]}}
    inner = table(content).table("a").tables("b")[1].named_tables("c")["d"]
    assert refused(lambda: inner.text("e")).key == "a.b[1].c.d.e"
    assert refused(lambda: inner.text("f")).key == "a.b[1].c.d.f"


def test_an_error_without_a_key_names_only_the_file() -> None:
    error = PolicyError(SOURCE, "", "is wrong")
    assert str(error) == f"{SOURCE}: is wrong"
    assert isinstance(error, RegistryError)
