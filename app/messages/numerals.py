"""Numbers as Chinese statutes count their articles."""

_DIGITS = "零一二三四五六七八九"
_PLACES = ((1000, "千"), (100, "百"), (10, "十"))


def chinese(number: int) -> str:
    """A number from 1 to 9999: 14 is 十四, 126 is 一百二十六, 1005 is 一千零五. Raises ValueError for any other."""
    if not 1 <= number <= 9999:
        raise ValueError(f"{number} is not counted here")
    written, rest, gap = "", number, False
    for size, place in _PLACES:
        digit, rest = divmod(rest, size)
        if digit:
            written += f"{_DIGITS[0] if gap else ''}{_DIGITS[digit]}{place}"
        gap = bool(written) and not digit
    if rest:
        written += f"{_DIGITS[0] if gap else ''}{_DIGITS[rest]}"
    # 十四, and not 一十四, at the beginning.
    return written.removeprefix("一") if 10 <= number < 20 else written
