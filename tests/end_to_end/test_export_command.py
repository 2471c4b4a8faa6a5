"""`accord export`: the file is what the register says, import reads it, and no half file ever has its name."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.importers import open_rows
from app.ports import VersionRow
from app.store.writer import SqliteWriter
from registry.canonical import canonical_json, digest
from registry.credential import credential_id
from tests.end_to_end.shell import Outcome, accord, assert_refused, fingerprint
from tests.store.rows import change, rows_of, seed

TYPE, ISSUER = "food-operation-licence", "cq-yuzhong-amr"
ATTRIBUTES = {"business_form": "sales", "items": ["预包装食品销售"], "premises_area": "500103"}


def export(home: Path, *more: str, type: str = TYPE, issuer: str = ISSUER) -> Outcome:
    return accord(home, "export", "--type", type, "--issuer", issuer, *more)


def imported(file: Path, type: str, issuer: str) -> list[dict[str, Any]]:
    rows = list(open_rows(file, seed().profiles[type], issuer=issuer).rows())
    assert [row.faults for row in rows] == [()] * len(rows)
    return [dict.fromkeys(("status_since", "successor")) | dict(row.claims or {}) for row in rows]


def registers(home: Path) -> Iterator[tuple[str, str, int]]:
    held = rows_of(
        home / "accord.db",
        """SELECT t.type_id, i.issuer_id, count(*) FROM credential c JOIN credential_type t ON t.no = c.type_no
           JOIN issuer i ON i.no = c.issuer_no WHERE t.type_id <> 'ca-certificate' GROUP BY 1, 2""",
    )
    assert len({type_id for type_id, _, _ in held}) == 4
    yield from held


def test_the_demonstration_is_exported_and_read_back(prepared: Path, tmp_path: Path) -> None:
    before = fingerprint(prepared)
    for type_id, issuer, count in registers(prepared):
        table, lines = tmp_path / f"{type_id}-{issuer}.csv", tmp_path / f"{type_id}-{issuer}.jsonl"
        outcome = export(prepared, "--out", str(table), type=type_id, issuer=issuer)
        again = export(prepared, "--out", str(lines), "--format", "jsonl", "--lang", "en", type=type_id, issuer=issuer)
        assert (outcome.out, again.out) == ("", "")
        read, same = imported(table, type_id, issuer), imported(lines, type_id, issuer)
        assert read == same
        # Each is in the file or named.
        named = [line for line in outcome.errors.splitlines() if line.startswith("accord: ")]
        assert len(read) + len(named) == count
        assert outcome.code == again.code == (3 if named else 0)
        assert stat.S_IMODE(table.stat().st_mode) == stat.S_IMODE(lines.stat().st_mode) == 0o600
        assert b"salt" not in lines.read_bytes()
    assert fingerprint(prepared) == before
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_standard_output_has_the_file_and_nothing_else(prepared: Path) -> None:
    outcome = export(prepared, "--format", "jsonl")
    assert export(prepared, "--format", "jsonl", "--out", "-").out == outcome.out
    said = [json.loads(line) for line in outcome.out.splitlines()]
    assert [entry["number"] for entry in said] == sorted(entry["number"] for entry in said)
    assert {(entry["type"], entry["issuer"]) for entry in said} == {(TYPE, ISSUER)}
    # What the public is never shown is the issuer's own.
    assert any(entry["subject"]["kind"] == "person" and entry["subject"]["name"] for entry in said)
    assert outcome.errors.startswith("已导出")
    assert "Exported" in export(prepared, "--lang", "en").errors
    assert export(prepared).out.startswith('\ufeff"许可证编号"')


def test_no_file_is_overwritten_unless_told(prepared: Path, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text("kept", encoding="utf-8")
    assert_refused(export(prepared, "--out", str(file)), str(file), "--force", code=2)
    assert file.read_text(encoding="utf-8") == "kept"
    assert export(prepared, "--out", str(file), "--force").code == 0
    assert len(imported(file, TYPE, ISSUER)) > 5
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["register.csv"]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--type", "driving-licence"), ("driving-licence", TYPE)),
        (("--type", "ca-certificate"), ("ca-certificate", TYPE)),
        (("--issuer", "cq-nobody"), ("cq-nobody", ISSUER)),
        (("--format", "xlsx"), ("xlsx", "csv, jsonl")),
        (("--out", "register.xlsx"), ("register.xlsx", ".csv")),
        (("--out", "."), (".csv",)),
        (("--lang", "fr"), ("fr", "zh-CN")),
        (("--valid-at", "2026-10-01"), ("--valid-at", "2026-10-01")),
        (("--known-at", "2999-01-01T00:00:00Z"), ("known_at",)),
        (("--known-at", "1999-01-01T00:00:00Z"), ("known_at",)),
    ],
)
def test_a_mistake_in_the_command_is_one(prepared: Path, tmp_path: Path, more: tuple[str, ...], named: Any) -> None:
    outcome = accord(prepared, "export", "--type", TYPE, "--issuer", ISSUER, *more, cwd=tmp_path)
    assert_refused(outcome, *named, code=2)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_done_is_said_in_one_line(prepared: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "absent" / "register.csv"
    assert_refused(export(prepared, "--out", str(nowhere)), "--out", "register.csv", code=2)
    assert_refused(export(tmp_path / "no-home"), "accord.db")
    fresh = tmp_path / "fresh"
    assert accord(fresh, "migrate", "--mode", "test").code == 0
    assert_refused(export(fresh), "policy")


def test_an_empty_register_is_a_header(prepared: Path) -> None:
    early = ("--known-at", "2020-01-02T00:00:00+08:00")
    empty = export(prepared, *early, issuer="cq-yubei-amr")
    assert (empty.code, len(empty.out.splitlines())) == (0, 1)
    assert "没有证件" in empty.errors
    assert export(prepared, *early, "--format", "jsonl", issuer="cq-yubei-amr").out == ""


def written(home: Path, number: str, **changes: Any) -> None:
    """A credential of the register, written as the register would."""
    document = {
        "type": TYPE,
        "number": number,
        "issuer": ISSUER,
        "subject": {"kind": "organisation", "name": "=重庆测试有限公司", "uscc": "91500105TT0000816G"},
        "issued_at": "2024-01-01T00:00:00Z",
        "valid_from": "2024-01-01T00:00:00Z",
        "valid_until": "2029-01-01T00:00:00Z",
        "attributes": ATTRIBUTES,
        "recorded_at": "2024-01-01T00:00:00Z",
        "predecessor": None,
        "events": [],
    } | changes
    content = canonical_json(document)
    row = VersionRow(
        credential_id=credential_id(TYPE, number, ISSUER),
        type=TYPE,
        number=number,
        issuer=ISSUER,
        known_from=None,
        digest=digest(content),
        content=content,
        subject_uscc="91500105TT0000816G",
        subject_name="=重庆测试有限公司",
    )
    writer = SqliteWriter(home / "accord.db")
    try:
        writer.append([row], [])
    finally:
        writer.close()


def test_what_is_in_doubt_or_cannot_be_said_is_named(home: Path, tmp_path: Path) -> None:
    numbers = ("JY15001039929997", "JY15001039929998", "JY15001039929999")
    nobodys = {"digest": digest(b""), "kid": "nobodys-key", "made_at": "2024-01-01T00:00:00Z"}
    written(home, numbers[0])
    written(home, numbers[1], statement=nobodys)
    written(home, numbers[2], attributes=ATTRIBUTES | {"items": ["冷食；热食"]})
    table, lines = tmp_path / "register.csv", tmp_path / "register.jsonl"
    outcome = export(home, "--out", str(table))
    assert (outcome.code, outcome.out) == (3, "")
    doubtful, unsayable, *summary = outcome.errors.splitlines()
    assert doubtful.startswith(f"accord: {numbers[1]}: ")
    assert doubtful.endswith("[issuer.key_retired]")
    assert unsayable.startswith(f"accord: {numbers[2]}: ")
    assert "--format jsonl" in unsayable
    assert len(summary) == 2
    held = {said["number"]: said for said in imported(table, TYPE, ISSUER)}
    assert held.keys() & set(numbers) == {numbers[0]}
    assert held[numbers[0]]["subject"]["name"] == "=重庆测试有限公司"
    assert '"\'=重庆测试有限公司"' in table.read_text(encoding="utf-8-sig")
    assert export(home, "--out", str(lines), "--format", "jsonl", "--lang", "en").code == 3
    held = {said["number"]: said for said in imported(lines, TYPE, ISSUER)}
    assert held.keys() & set(numbers) == {numbers[0], numbers[2]}


def test_a_damaged_register_leaves_no_file(home: Path, tmp_path: Path) -> None:
    damaged = "UPDATE credential_version SET content = replace(content, '测试', '真实') WHERE subject_uscc IS NOT NULL"
    change(home / "accord.db", damaged)
    assert_refused(export(home, "--out", str(tmp_path / "register.csv")), "damaged")
    assert [entry.name for entry in tmp_path.iterdir()] == ["home"]


def test_both_times_are_asked_about(home: Path) -> None:
    number, before = "JY15001039929997", clock.now().isoformat()
    written(
        home,
        number,
        events=[
            {
                "event": "revoked",
                "kind": "penalty",
                "effective_at": "2026-03-01T00:00:00Z",
                "recorded_at": "2026-04-01T00:00:00Z",
                "reason_code": None,
                "legal_basis": [],
                "successor": None,
                "changes": None,
            }
        ],
    )

    def status(*more: str) -> Any:
        lines = map(json.loads, export(home, "--format", "jsonl", *more).out.splitlines())
        return next(((said["status"], said.get("status_since")) for said in lines if said["number"] == number), None)

    assert status() == ("penalty", "2026-03-01T00:00:00Z")
    assert status("--valid-at", "2026-02-01T08:00:00+08:00") == ("valid", None)
    assert status("--known-at", before) is None
