"""Encodings against third-party data: status lists of the IETF and the W3C, and canonical JSON (RFC 8785)."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.suite import Row
from keys import base64url
from keys.errors import MalformedError
from registry.canonical import canonical_json
from registry.errors import CanonicalError
from registry.status_list import VALID, claims_member, compress, expand, pack, read, read_member

TOKEN_LISTS, TOKEN_EXAMPLES = 4, 2
STATUSES = 2**20  # in each of the four
W3C_LISTS = 2
W3C_BYTES = 16 * 1024  # the least that the W3C allows: 131,072 statuses of one bit
CANONICAL = 6

_BY_DESIGN = frozenset({"structures.json", "values.json"})  # the inputs with floats
_WITH_FRACTION_OR_EXPONENT = re.compile(rb"-?\d+(?:\.\d+(?:e[+-]\d+)?|e[+-]\d+)")

Judged = Iterator[tuple[str, str | None]]
"""Cases by name, with None where the software did as expected, else what it did."""


def rows(folder: Path) -> Iterator[Row]:
    """Gives the rows of every encoding."""
    lists = json.loads((folder / "status-list/token_status_list_vectors.json").read_bytes())
    yield _row("Token Status List, bits", _bits(lists["appendix"]), 2 * TOKEN_LISTS)
    yield _row("Token Status List, recompressed", _recompressed(lists), 2 * (TOKEN_LISTS + TOKEN_EXAMPLES))
    bitstrings = json.loads((folder / "status-list/w3c_bitstring_examples.json").read_bytes())["examples"]
    yield _row("W3C Bitstring Status List, expansion", _bitstrings(bitstrings), W3C_LISTS)
    yield _canonical(folder / "jcs" / "testdata")
    yield _row("RFC 8785, floats aside", _floats_aside(folder / "jcs" / "testdata"), CANONICAL)


def _row(name: str, judged: Judged, expected: int) -> Row:
    """Counts. Fewer or more cases than there should be is a deviation too."""
    cases = list(judged)
    deviations = [(case, why) for case, why in cases if why is not None]
    if len(cases) != expected:
        deviations.append(("all", f"{len(cases)} cases, not {expected}"))
    passed = sum(why is None for _, why in cases)
    return Row(
        name=name,
        passed=passed,
        total=expected,
        deviations=tuple(deviations),
        goal="all",
        met=not deviations,
    )


def _bits(vectors: list[dict[str, Any]]) -> Judged:
    """The statuses that the draft names in each list are read, and the array is made from them, VALID elsewhere."""
    for vector in vectors:
        bits, compressed = read_member({"bits": vector["bits"], "lst": vector["lst"]})
        named: dict[int, int] = dict(vector["set"])
        wrong = [at for at, status in named.items() if read(compressed, bits, at, limit=STATUSES) != status]
        yield f"{bits} bits, read", f"another status at {wrong[:5]}" if wrong else None
        array = pack([named.get(index, VALID) for index in range(STATUSES)], bits)
        yield f"{bits} bits, packed", None if array == expand(compressed, limit=STATUSES) else "another array"


def _recompressed(lists: dict[str, Any]) -> Judged:
    """The JSON and the CBOR form of each list and small example, made again from the array."""
    arrays = [
        (f"{each['bits']} bits", expand(base64url.decode(each["lst"]), limit=STATUSES), each["lst"], each["cbor"])
        for each in lists["appendix"]
    ]
    for name in ("status_list_encoding", "status_list_encoding2"):
        before, _, member = lists["examples"][f"{name}_json"].partition("encoded:")
        cbor = lists["examples"][f"{name}_cbor"].partition("encoded:")[2]
        array = bytes(int(byte, 16) for byte in re.findall(r"0x(\w\w)", before))
        arrays.append((name, array, json.loads(member)["lst"], cbor))
    for name, array, lst, cbor in arrays:
        # The size plays no part in how an array is compressed.
        yield f"{name}, JSON", None if claims_member(array, 1)["lst"] == lst else "other bytes"
        # The byte string of the list comes last in the CBOR map.
        yield f"{name}, CBOR", None if bytes.fromhex(cbor).endswith(compress(array)) else "other bytes"


def _bitstrings(examples: list[dict[str, str]]) -> Judged:
    """The lists expand to the least size, all zero, and none passes for a list of the IETF: they are gzip."""
    for example in examples:
        found = re.search(r'"encodedList": "u([^"]*)"', example["raw"])  # u: base64url in multibase
        if found is None:
            continue
        name = f"list {found[1][:12]}"
        try:
            content = base64url.decode(found[1])
        except MalformedError as error:
            yield name, f"refused: {error}"
            continue
        if gzip.decompress(content) != bytes(W3C_BYTES):
            yield name, "expands to something else"
            continue
        try:
            expand(content, limit=W3C_BYTES)
        except MalformedError:
            yield name, None
        else:
            yield name, "accepted as a Token Status List"


def _expected(folder: Path, name: str) -> bytes:
    return bytes.fromhex((folder / "outhex" / name).with_suffix(".txt").read_text(encoding="ascii"))


def _canonical(folder: Path) -> Row:
    """The documents as they are. Those with floats must be refused, as signed statements carry none."""
    deviations: list[tuple[str, str]] = []
    met = True
    names = sorted(path.name for path in (folder / "input").iterdir())
    for name in names:
        try:
            written = canonical_json(json.loads((folder / "input" / name).read_bytes()))
        except CanonicalError as error:
            by_design = name in _BY_DESIGN
            deviations.append((name, f"refused{' by design' if by_design else ''}: {error}"))
            met &= by_design
        else:
            if written != _expected(folder, name):
                deviations.append((name, "other bytes"))
                met = False
    return Row(
        name="RFC 8785, documents as they are",
        passed=len(names) - len(deviations),
        total=len(names),
        deviations=tuple(deviations),
        goal="4 of 6 byte-identical, the 2 with floats refused",
        met=met and len(names) == CANONICAL and len(deviations) == len(_BY_DESIGN),
    )


def _floats_aside(folder: Path) -> Judged:
    """The same with whole numbers as integers, and null for every number that has to be written as a float."""
    for path in sorted((folder / "input").iterdir()):
        written = canonical_json(json.loads(path.read_bytes(), parse_float=_whole))
        expected = _WITH_FRACTION_OR_EXPONENT.sub(b"null", _expected(folder, path.name))
        yield path.name, None if written == expected else "other bytes"


def _whole(text: str) -> int | None:
    # RFC 8785 3.2.2.3: 56.0 is written 56, while 1E30 keeps its exponent.
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else None
