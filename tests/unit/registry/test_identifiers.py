"""Check digits and normalisation, held against numbers that were really published."""

import string
import tracemalloc
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.identifiers import (
    CHECK_SYSTEMS,
    NORMALISATIONS,
    compact,
    comparable,
    mod_11_10,
    mod_37_36,
    organisation_code_check,
    trimmed,
    type_approval,
    uscc_check,
    uscc_well_formed,
)

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
BASE36 = string.digits + string.ascii_uppercase
USCC = ("11100000000013338W", "11430000006122244L")
USCC_WRONG_OUTSIDE = "91350203M0001QAY9B"
FOOD = ("JY25101040047197", "JY25101090016740", "JY25101050026159", "JY13301080111719", "JY13101140093802")
FOOD_WRONG = "JY25001030000028"
PRODUCTION = ("SC11834020305037", "SC12744040400094")
LICENCE_PARTS = ("11100000000013338W011", "11430000006122244L", "20230000403", "001")
LICENCE = "".join(LICENCE_PARTS) + "U"

ISO_7064 = [("mod-11-10", number[2:], string.digits) for number in FOOD + PRODUCTION]
SAMPLES = [
    *(("uscc", code, USCC_ALPHABET) for code in USCC),
    *ISO_7064,
    ("mod-37-36", LICENCE, BASE36),
]


def substitutions(text: str, alphabet: str) -> list[str]:
    """Every text that differs in one character."""
    return [
        text[:position] + other + text[position + 1 :]
        for position, character in enumerate(text)
        for other in alphabet
        if other != character
    ]


@pytest.mark.parametrize(("system", "text", "alphabet"), SAMPLES)
def test_a_published_number_passes_its_check(system: str, text: str, alphabet: str) -> None:
    assert CHECK_SYSTEMS[system](text)


@pytest.mark.parametrize(("system", "text", "alphabet"), SAMPLES)
def test_every_substitution_of_one_character_is_caught(system: str, text: str, alphabet: str) -> None:
    mutations = substitutions(text, alphabet)
    assert len(mutations) == len(text) * (len(alphabet) - 1)
    assert [mutation for mutation in mutations if CHECK_SYSTEMS[system](mutation)] == []


def test_the_check_functions_give_the_published_characters() -> None:
    assert [uscc_check(code[:17]) for code in USCC] == ["W", "L"]
    assert [organisation_code_check(code[8:16]) for code in USCC] == ["8", "4"]
    assert [mod_11_10(number[2:15]) for number in FOOD] == ["7", "0", "9", "9", "2"]
    assert [mod_11_10(number[2:15]) for number in PRODUCTION] == ["7", "4"]
    assert mod_37_36("".join(LICENCE_PARTS)) == "U"


@pytest.mark.parametrize(
    ("check", "length", "weights", "modulus", "characters"),
    [
        # GB 32100-2015, table of weights.
        (uscc_check, 17, (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28), 31, USCC_ALPHABET),
        # GB 11714-1997, with X for ten.
        (organisation_code_check, 8, (3, 7, 9, 10, 5, 8, 4, 2), 11, "0123456789X"),
    ],
)
def test_every_position_has_the_weight_of_the_standard(
    check: Callable[[str], str], length: int, weights: tuple[int, ...], modulus: int, characters: str
) -> None:
    assert len(weights) == length
    for position, weight in enumerate(weights):
        text = "0" * position + "1" + "0" * (length - position - 1)
        assert check(text) == characters[modulus - weight]


def test_the_identifier_of_an_electronic_licence_is_checked_over_its_four_parts_joined() -> None:
    identifier = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U"
    *_, kind, issuer, serial, version, check = identifier.split(".")
    assert (kind, issuer, serial, version) == LICENCE_PARTS
    assert CHECK_SYSTEMS["mod-37-36"]("".join((kind, issuer, serial, version, check)))
    swapped = "".join((issuer, kind, serial, version, check))
    assert not CHECK_SYSTEMS["mod-37-36"](swapped)


def test_a_real_code_may_fail_the_outer_check_while_its_inner_one_is_right() -> None:
    assert uscc_well_formed(USCC_WRONG_OUTSIDE)
    assert not CHECK_SYSTEMS["uscc"](USCC_WRONG_OUTSIDE)
    assert uscc_check(USCC_WRONG_OUTSIDE[:17]) != "B"
    assert organisation_code_check(USCC_WRONG_OUTSIDE[8:16]) == USCC_WRONG_OUTSIDE[16]


def test_a_published_food_licence_number_may_have_a_wrong_check_digit() -> None:
    assert not CHECK_SYSTEMS["mod-11-10"](FOOD_WRONG[2:])
    assert mod_11_10(FOOD_WRONG[2:15]) != FOOD_WRONG[15]


@pytest.mark.parametrize("code", [*USCC, USCC_WRONG_OUTSIDE])
def test_the_inner_check_is_blind_exactly_to_characters_equal_mod_11(code: str) -> None:
    body, right = code[8:16], code[16]
    for position, character in enumerate(body):
        for other in BASE36:
            changed = body[:position] + other + body[position + 1 :]
            same_class = BASE36.index(other) % 11 == BASE36.index(character) % 11
            assert (organisation_code_check(changed) == right) == same_class


def test_the_inner_check_cannot_tell_0_from_b() -> None:
    assert organisation_code_check("00000000") == organisation_code_check("B0000000") == "0"
    # The outer check can: it looks at the same characters by another weight and modulus.
    assert uscc_check("1110000000001333" + "8") != uscc_check("11100000B0001333" + "8")


def test_the_inner_check_character_has_all_eleven_values() -> None:
    # The last of the eight weighs 2, so its values 0 to 10 reach every residue.
    assert "".join(organisation_code_check("0000000" + character) for character in BASE36[:11]) == "097531X8642"


@pytest.mark.parametrize(
    ("system", "text"),
    [
        ("uscc", ""),
        ("uscc", "11100000000013338w"),
        ("uscc", "1110000000001333 8W"),
        ("uscc", "1I100000000013338W"),
        ("uscc", "１1100000000013338W"),
        ("uscc", "11100000000013338W\n"),
        ("mod-11-10", ""),
        ("mod-11-10", "2510104004719X"),
        ("mod-11-10", "٢٥١٠١٠٤٠٠٤٧١٩٧"),
        ("mod-11-10", "2510104004719²"),
        ("mod-37-36", ""),
        ("mod-37-36", "U"),
        ("mod-37-36", LICENCE.lower()),
        ("mod-37-36", LICENCE[:-1] + "-"),
    ],
)
def test_a_text_outside_the_alphabet_is_wrong_and_not_an_error(system: str, text: str) -> None:
    assert not CHECK_SYSTEMS[system](text)


@given(st.sampled_from(sorted(set(CHECK_SYSTEMS) - {"none"})), st.text())
def test_check_systems_are_total(system: str, text: str) -> None:
    verdict = CHECK_SYSTEMS[system](text)
    assert verdict is False or (text.isascii() and text.isalnum())


@given(st.text())
def test_no_check_system_finds_nothing_wrong(text: str) -> None:
    assert CHECK_SYSTEMS["none"](text)


@given(st.text(USCC_ALPHABET, min_size=17, max_size=17))
def test_a_code_with_its_computed_check_character_is_right(first: str) -> None:
    code = first + uscc_check(first)
    assert uscc_well_formed(code)
    assert CHECK_SYSTEMS["uscc"](code)


@pytest.mark.parametrize(
    "text", ["I" * 18, "O" * 18, "S" * 18, "V" * 18, "Z" * 18, "1" * 17, "1" * 19, "1" * 18 + "\n"]
)
def test_a_uscc_has_18_characters_without_i_o_s_v_z(text: str) -> None:
    assert not uscc_well_formed(text)
    assert uscc_well_formed(USCC_ALPHABET[:18])
    assert uscc_well_formed(USCC_ALPHABET[-18:])


@pytest.mark.parametrize(
    "written",
    [
        "JY25101040047197",
        "jy25101040047197",
        "  JY25101040047197\n",
        "JY 2510104 0047197",
        "JY-25101-04004-7197",
        "ＪＹ２５１０１０４００４７１９７",
        "JY　25101040047197",
        "JY\t25101040047197",
        "JY\u00a025101040047197",
        *(f"JY25101{dash}040047197" for dash in "-‐‑‒–—―−－﹣﹘_"),
    ],
)
def test_compact_numbers_are_found_however_they_are_written(written: str) -> None:
    assert compact(written) == FOOD[0]


@pytest.mark.parametrize("dash", list("-‐‑‒–—―−－﹣﹘"))
def test_any_dash_serves_in_a_type_approval_number(dash: str) -> None:
    assert type_approval(f"CPA 99{dash}F166") == "99-F166"
    assert type_approval(f"2023F123{dash}50") == "2023F123-50"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("CPA 99-F166", "99-F166"),
        ("CPA99-F166", "99-F166"),
        ("cpa 99-f166", "99-F166"),
        ("99-F166", "99-F166"),
        ("99F166", "99-F166"),
        ("  99F166 ", "99-F166"),
        ("ＣＰＡ　９９－Ｆ１６６", "99-F166"),
        ("2023F123-50", "2023F123-50"),
        ("2023-F123-50", "2023F123-50"),
        ("２０２３Ｆ１２３－５０", "2023F123-50"),
        ("2023F123", "2023F123"),
        ("99-FA1234-51", "99-FA1234-51"),
    ],
)
def test_type_approval_numbers_have_one_writing(written: str, canonical: str) -> None:
    assert type_approval(written) == canonical
    assert type_approval(canonical) == canonical


@pytest.mark.parametrize("odd", ["99-F16", "99-FABC166", "199-F166", "99-F166-5", "渝制 00000123 号", "CPA"])
def test_a_number_of_another_form_is_only_trimmed(odd: str) -> None:
    assert type_approval(f"  {odd.lower()} ") == odd


def test_report_numbers_keep_their_inner_dashes_and_spaces() -> None:
    assert trimmed("  xspj-2024 –０００１　") == "XSPJ-2024 –0001"


def test_a_profile_may_name_these_normalisations() -> None:
    assert {"compact": compact, "trimmed": trimmed, "type-approval": type_approval} == NORMALISATIONS


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF, categories=("L", "N", "P", "Z"))))
def test_normalisation_is_total_and_leaves_no_space_around(text: str) -> None:
    for normalise in NORMALISATIONS.values():
        assert normalise(text) == normalise(text).strip()


@given(st.sampled_from(FOOD + PRODUCTION + USCC), st.lists(st.tuples(st.integers(0, 18), st.sampled_from(" -－　"))))
def test_spaces_and_dashes_anywhere_do_not_matter(number: str, inserted: list[tuple[int, str]]) -> None:
    written = number
    for position, character in inserted:
        written = written[:position] + character + written[position:]
    assert compact(written.lower()) == number


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GB 5009.12-2023", "ＧＢ5009.12-2023"),
        ("Ⅲ级", "iii 级"),
        ("m³/h", "M3/H"),
        ("冷水 水表", "冷水水表"),
        ("STRASSE", "straße"),
        ("GB 5009.12–2023", "GB 5009.12-2023"),
        ("GB 5009.12‑2023", "GB5009.12−2023"),
    ],
)
def test_texts_are_compared_by_meaning(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(("one", "other"), [("GB 5009.12-2023", "GB 5009.12-2017"), ("1.5级", "15级"), ("A-1", "A1")])
def test_other_texts_stay_different(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


@given(st.text(max_size=200))
def test_a_text_has_one_form_whether_it_is_kept_or_not(text: str) -> None:
    form = comparable(text)
    assert comparable(text) == form
    assert form == "".join(unicodedata.normalize("NFKC", text).casefold().split()).translate(
        dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")
    )


def kept_after(many: int, *texts: Callable[[int], str]) -> int:
    """Bytes that are still held when so many texts of each sort were compared and let go."""
    comparable("first")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for text in texts:
            for number in range(many):
                comparable(text(number))
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_whoever_asks_cannot_fill_the_memory_with_texts() -> None:
    """Long ones are not kept, nor those that become long; of short ones as many as a policy needs."""
    swelling = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}"
    assert len(unicodedata.normalize("NFKC", swelling)) == 18
    assert (
        kept_after(200, lambda number: f"{number} {'长' * 5_000}", lambda number: f"{number} {swelling * 120}")
        < 100_000
    )
    assert kept_after(10_000, lambda number: f"{number}{'短' * 100}") < 5_000_000
