"""What a client says of copies that it keeps, and of how an answer may be packed."""


def tag_matches(if_none_match: bytes | None, tag: bytes) -> bool:
    """Weak comparison with a list of tags, or with any (RFC 9110 13.1.2)."""
    if if_none_match is None:
        return False
    given = [entry.strip().removeprefix(b"W/") for entry in if_none_match.split(b",")]
    return tag in given or given == [b"*"]


def accepts_gzip(accept_encoding: bytes | None) -> bool:
    """Whether gzip is acceptable (RFC 9110 12.5.3): named, or meant by a star, and not with a weight of 0."""
    weights: dict[bytes, bool] = {}
    for entry in (accept_encoding or b"").lower().split(b","):
        coding, _, weight = entry.partition(b";")
        digits = weight.strip().removeprefix(b"q=").strip()
        weights[coding.strip()] = digits.strip(b"0.") != b"" if weight.strip() else True
    return weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", False)))
