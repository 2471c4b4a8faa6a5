"""Identifiers: normalisation before look-up and the check-digit systems. Pure functions over text.

Pattern, area codes and meaning of a number are data of its credential profile; what is here is arithmetic.
"""

import re
import unicodedata
from collections.abc import Callable
from operator import mul

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: no I, O, S, V, Z
_USCC_VALUE = {character: value for value, character in enumerate(_USCC_ALPHABET)}
_USCC_WEIGHTS = tuple(pow(3, position, 31) for position in range(17))
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASE36_VALUE = {character: value for value, character in enumerate(_BASE36)}
_GB11714_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

_DROPPED = str.maketrans("", "", " -‐‑‒–—―−_\t\u3000")
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")
_TYPE_APPROVAL = re.compile(r"^(?:CPA\s*)?(\d{4}|\d{2})-?([A-Z]{1,2})(\d{3,4})(?:-(\d{2}))?$", re.ASCII)


def uscc_check(first17: str) -> str:
    """The check character of a unified social credit code (GB 32100-2015) over its first 17 characters."""
    total = sum(map(mul, map(_USCC_VALUE.__getitem__, first17), _USCC_WEIGHTS))
    return _USCC_ALPHABET[(31 - total % 31) % 31]


def organisation_code_check(first8: str) -> str:
    """The check character of the organisation code inside a USCC (GB 11714), over its characters 9 to 16."""
    total = sum(_BASE36_VALUE[character] * weight for character, weight in zip(first8, _GB11714_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def mod_11_10(digits: str) -> str:
    """The ISO/IEC 7064 MOD 11,10 check digit over decimal digits."""
    product = 10
    for digit in digits.encode():
        product = ((product + digit - 48) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def mod_37_36(characters: str) -> str:
    """The ISO/IEC 7064 MOD 37,36 check character over digits and capital letters."""
    product = 36
    for character in characters:
        product = ((product + _BASE36_VALUE[character]) % 36 or 36) * 2 % 37
    return _BASE36[(37 - product) % 36]


def uscc_well_formed(uscc: str) -> bool:
    """Whether the text is 18 characters of the USCC alphabet; says nothing of the check character."""
    return len(uscc) == 18 and _USCC_VALUE.keys() >= set(uscc)


# The systems a profile may name, each over the whole checked text with its check character last.
CHECK_SYSTEMS: dict[str, Callable[[str], bool]] = {
    "none": lambda text: True,
    "uscc": lambda text: uscc_well_formed(text) and uscc_check(text[:17]) == text[17],
    "mod-11-10": lambda text: text.isascii() and text.isdigit() and mod_11_10(text[:-1]) == text[-1],
    "mod-37-36": lambda text: set(text) <= set(_BASE36) and len(text) > 1 and mod_37_36(text[:-1]) == text[-1],
}


def _nfkc_upper(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().upper()


def compact(text: str) -> str:
    """NFKC, upper case, without spaces and dashes: USCC, JY, SC, CMA and certificate serial numbers."""
    if text.isascii() and text.isalnum():
        return text.upper()
    return _nfkc_upper(text).translate(_DROPPED)


def trimmed(text: str) -> str:
    """NFKC and upper case, without space around it: laboratories' own report numbers."""
    return _nfkc_upper(text)


def type_approval(text: str) -> str:
    """The canonical writing of a type approval number: `99-F166` for old ones, `2023F123-50` for modern ones.

    A text that is neither is only trimmed, so that it can still be found as it was registered.
    """
    plain = _nfkc_upper(text).translate(_DASHES)
    match = _TYPE_APPROVAL.fullmatch(plain)
    if match is None:
        return plain
    year, letters, serial, province = match.groups()
    number = f"{year}-{letters}{serial}" if len(year) == 2 else f"{year}{letters}{serial}"
    return f"{number}-{province}" if province else number


NORMALISATIONS: dict[str, Callable[[str], str]] = {
    "compact": compact,
    "trimmed": trimmed,
    "type-approval": type_approval,
}


_KEPT_LENGTH = 128  # characters, of a text and of its form: one character can become eighteen (NFKC of U+FDFA)
_MOST_KEPT = 4096
_forms: dict[str, str] = {}


def comparable(text: str) -> str:
    """A text for comparison by meaning: NFKC, case folded, one kind of dash, no space (`GB 5009` is `ＧＢ5009`).

    Short ones are kept, as registers and questions name the same few thousand methods, items and instruments again
    and again. Long ones are not: whoever asks could fill the memory with them.
    """
    form = _forms.get(text)
    if form is None:
        form = "".join(unicodedata.normalize("NFKC", text).casefold().translate(_DASHES).split())
        if len(text) <= _KEPT_LENGTH and len(form) <= _KEPT_LENGTH:
            if len(_forms) >= _MOST_KEPT:
                _forms.clear()
            _forms[text] = form
    return form
