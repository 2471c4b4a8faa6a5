"""JSON lines: the claims as they are stated, strictly JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.importers import open_rows
from tests.unit.app.importers.registers import CLAIMS, LICENCE, faults, only, read, refused


def lines(*documents: Any) -> str:
    return "".join(
        (entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False)) + "\n" for entry in documents
    )


def test_claims_come_out_as_they_went_in(path: Path) -> None:
    assert only(read(path, lines(CLAIMS))) == CLAIMS
    assert only(read(path, "\ufeff" + lines(CLAIMS))) == CLAIMS
    source = open_rows(path, LICENCE)
    assert (source.format, source.encoding, source.columns) == ("jsonl", "utf-8-sig", {})


def test_type_and_issuer_are_those_of_the_import(path: Path) -> None:
    stated = {"type": LICENCE.id, "issuer": "cq-yuzhong-amr", **CLAIMS}
    assert only(read(path, lines(stated), issuer="cq-yuzhong-amr")) == CLAIMS
    assert faults(read(path, lines(stated), issuer="cd-jinjiang-amr")) == [(1, "issuer", "row.member_other")]
    assert faults(read(path, lines(stated | {"type": ["x"]}), issuer="cq-yuzhong-amr")) == [
        (1, "type", "row.member_other")
    ]


def test_a_line_that_is_wrong_leaves_the_others(path: Path) -> None:
    whole = json.dumps(CLAIMS, ensure_ascii=False)
    content = lines(
        CLAIMS,
        "",
        CLAIMS | {"events": []},
        whole[:-1],
        "[]",
        '{"number": "1", "number": "2"}',
        '{"subject": {"name": "甲", "name": "乙"}}',
        '{"number": 1.5}',
        '{"number": NaN}',
        '{"number": ' + "9" * 5000 + "}",
        '{"attributes": ' + "[" * 100_000,
        '{"number": "' + "9" * 2_000_000 + '"}',
        CLAIMS,
    )
    rows = read(path, content)
    assert faults(rows) == [
        (3, "events", "row.member_unknown"),
        (4, "", "row.json_malformed"),
        (5, "", "row.json_malformed"),
        (6, "number", "row.member_twice"),
        (7, "name", "row.member_twice"),
        (8, "", "row.number_not_allowed"),
        (9, "", "row.number_not_allowed"),
        (10, "", "row.json_malformed"),
        (11, "", "row.json_malformed"),
        (12, "", "row.line_too_long"),
    ]
    assert [row.row for row in rows if row.claims] == [1, 13]


def test_another_encoding_is_refused_with_the_place(path: Path) -> None:
    content = lines(CLAIMS).encode() + lines(CLAIMS).encode("gb18030")
    code, params = refused(path, content)
    assert (code, params["line"]) == ("file.encoding_not_utf8", "2")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_last_line_may_end_as_it_likes(path: Path, end: str) -> None:
    assert only(read(path, json.dumps(CLAIMS) + end)) == CLAIMS
