"""`accord log`: recomputed from the store and from what is served or copied; exit codes, and the first difference."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx

from app.bootstrap import load_log_signer
from app.store.log import SqliteLog
from app.store.writer import SqliteWriter
from keys.note import NoteKey, cosigned_at, sign_note
from registry.log.checkpoint import Checkpoint, TreeHead
from registry.log.merkle import HASH_SIZE, root
from registry.log.tiles import WIDTH, bundle, node_reader, tile_path
from tests.end_to_end.shell import Server, accord, assert_refused
from tests.store.rows import settings_at, version
from tests.support.lying_server import answering, lying_server, sending


def test_the_log_of_the_demonstration_is_recomputed(home: Path) -> None:
    outcome = accord(home, "log", "verify", "--json")
    report = json.loads(outcome.out)
    assert (outcome.code, report["verified"], report["difference"]) == (0, True, None)
    assert report["size"] > 1000
    plain = accord(home, "log", "verify")
    assert (plain.code, plain.errors) == (0, "")
    assert plain.out.startswith(f"日志无误 / log verified: {report['size']} 条 / entries, root {report['root']}")


def test_a_difference_is_named_with_exit_code_one(home: Path) -> None:
    with closing(sqlite3.connect(home / "accord.db")) as connection:
        connection.execute("UPDATE log_entry SET content = content || ' ' WHERE no = 40")
        connection.commit()
    outcome = accord(home, "log", "verify")
    assert (outcome.code, outcome.errors) == (1, "")
    assert outcome.out.startswith("日志不符 / log differs: entry 40 is not the one that was logged")


def test_a_checkpoint_that_was_kept_is_held_against_the_log(home: Path, tmp_path: Path) -> None:
    note = accord(home, "log", "checkpoint")
    assert (note.code, note.errors) == (0, "")
    kept = tmp_path / "kept"
    kept.write_text(note.out, encoding="utf-8")
    assert accord(home, "log", "verify", "--checkpoint", str(kept)).code == 0
    kept.write_text(note.out.replace("urn:accord:test/log\n", "urn:accord:best/log\n"), encoding="utf-8")
    outcome = accord(home, "log", "verify", "--checkpoint", str(kept))
    assert (outcome.code, outcome.out) == (2, "")
    assert str(kept) in outcome.errors
    assert accord(home, "log", "verify", "--checkpoint", str(tmp_path / "absent")).code == 2


def test_a_receipt_is_held_against_the_log(home: Path, tmp_path: Path) -> None:
    older, receipt = tmp_path / "older", tmp_path / "receipt"
    shutil.copytree(home, older)
    writer = SqliteWriter(home / "accord.db")
    writer.append([version("later", "JY19900000000001")], [])
    writer.close()
    asked = ("--type=food-operation-licence", "--number=JY15101049900024", "--jurisdiction=CN-CQ")
    given = ("--purpose=inspection.authenticity", "--fact=premises_area=510104", "--receipt", str(receipt))
    assert accord(home, "recognize", *asked, *given).code == 0
    assert accord(home, "log", "verify", "--receipt", str(receipt)).code == 0
    outcome = accord(older, "log", "verify", "--receipt", str(receipt))
    assert (outcome.code, "the log was rolled back" in outcome.out) == (1, True)
    receipt.write_text(receipt.read_text()[:-6] + "AAAA\n", encoding="utf-8")
    assert_refused(accord(home, "log", "verify", "--receipt", str(receipt)), str(receipt), code=2)


def test_a_copy_of_what_is_served_is_recomputed(home: Path, tmp_path: Path) -> None:
    key = accord(home, "log", "key").out.strip()
    copy = tmp_path / "copy"
    write_copy(home, copy)
    outcome = accord(home, "log", "verify", "--from", str(copy), "--key", key, "--json")
    assert (outcome.code, json.loads(outcome.out)["verified"]) == (0, True)
    assert accord(home, "log", "verify", "--from", str(copy)).code == 2
    kept = copy / "kept"
    kept.write_bytes((copy / "checkpoint").read_bytes())
    with_kept = ("log", "verify", "--from", str(copy), "--key", key, "--checkpoint", str(kept))
    assert accord(home, *with_kept).code == 0
    shorter = tmp_path / "shorter"
    write_copy(home, shorter, 300)
    outcome = accord(home, *with_kept[:3], str(shorter), *with_kept[4:])
    assert (outcome.code, "the log was rolled back" in outcome.out) == (1, True)
    assert accord(home, "log", "verify", "--from", str(copy), "--key", key[:-4] + "AAAA").code == 2
    changed = copy / "tile" / "entries" / "000"
    changed.write_bytes(changed.read_bytes().replace(b"CN", b"XX", 1).replace(b"policy", b"Policy", 1))
    outcome = accord(home, "log", "verify", "--from", str(copy), "--key", key)
    assert outcome.code == 1
    assert "the entries have other hashes than tile 0/0" in outcome.out


def write_copy(home: Path, copy: Path, size: int | None = None) -> None:
    """Writes all that a log serves into a folder; of a log of a size, as it was then."""
    log = SqliteLog(home / "accord.db")
    if size is None:
        size = log.head().size
        files = {"checkpoint": accord(home, "log", "checkpoint").out.encode()}
    else:
        settings = settings_at(home)
        signer = load_log_signer(settings, "test")
        assert signer is not None
        head = TreeHead(size, root(size, node_reader(log.tile)))
        text = Checkpoint("urn:accord:test/log", head).text()
        files = {"checkpoint": sign_note(text, "urn:accord:test/log", signer)}
    for number in range(-(-size // WIDTH)):
        width = min(WIDTH, size - number * WIDTH)
        files[tile_path(None, number, width)] = bundle(log.entries(number * WIDTH, number * WIDTH + width))
        files[tile_path(0, number, width)] = log.tile(0, number)[: width * HASH_SIZE]
    files[tile_path(1, 0, size // WIDTH)] = log.tile(1, 0)[: size // WIDTH * HASH_SIZE]
    for name, content in files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    log.close()


def test_what_a_node_serves_is_recomputed_from_outside(server: Server, tmp_path: Path) -> None:
    key = httpx.get(f"{server.base}/v1/about").json()["log_key"]
    outcome = accord(tmp_path / "none", "log", "verify", "--from", f"{server.base}/v1/log", "--key", key, "--json")
    assert (outcome.code, json.loads(outcome.out)["verified"]) == (0, True)


def test_a_witness_cosigns_what_only_grew(home: Path, prepared: Path, tmp_path: Path) -> None:
    key, copy, state = accord(home, "log", "key").out.strip(), tmp_path / "copy", tmp_path / "seen"
    arguments = ("log", "witness", "--from", str(copy), "--key", key, "--state", str(state))
    write_copy(home, copy)
    first = accord(prepared, *arguments)
    assert (first.code, first.errors) == (0, "")
    assert first.out == state.read_text(encoding="utf-8")
    assert first.out.startswith((copy / "checkpoint").read_text(encoding="utf-8"))
    assert cosigned_at(first.out.encode(), NoteKey.read(accord(prepared, "log", "key").out)) > 1_700_000_000
    assert accord(prepared, *arguments).code == 0

    older = tmp_path / "older"
    shutil.copytree(copy, older)
    writer = SqliteWriter(home / "accord.db")
    writer.append([version(f"{place}", f"JY{place:014d}") for place in range(300)], [])
    writer.close()
    write_copy(home, copy)
    grown = accord(prepared, *arguments)
    assert (grown.code, grown.errors) == (0, "")

    back = accord(prepared, *arguments[:3], str(older), *arguments[4:])
    assert_refused(back, "not cosigned", "the log was rolled back", code=1)
    assert state.read_text(encoding="utf-8") == grown.out
    fork = copy_home(prepared, tmp_path / "fork")
    forking = SqliteWriter(fork / "accord.db")
    forking.append([version(f"other {place}", f"JY{place:014d}") for place in range(301)], [])
    forking.close()
    forked = tmp_path / "forked"
    write_copy(fork, forked)
    assert_refused(accord(prepared, *arguments[:3], str(forked), *arguments[4:]), "not cosigned", "forked", code=1)
    shutil.rmtree(copy / "tile")
    state.unlink()
    state.write_text(first.out, encoding="utf-8")
    assert_refused(accord(prepared, *arguments), "tile/", code=1)


def copy_home(home: Path, target: Path) -> Path:
    shutil.copytree(home, target)
    return target


def test_a_server_without_an_end_is_left(home: Path) -> None:
    key = accord(home, "log", "key").out.strip()
    with lying_server({"/checkpoint": sending(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1 << 25))}) as lying:
        assert_refused(accord(home, "log", "verify", "--from", lying.base, "--key", key), "too large or too slow")


def test_a_server_that_fails_is_no_verdict(home: Path) -> None:
    key = accord(home, "log", "key").out.strip()
    broken, absent = answering(b"gone", status="500 Broken"), answering(b"", status="404 Absent")
    behaviours = {"/checkpoint": broken, "/none/checkpoint": absent}
    with lying_server(behaviours) as lying:
        assert_refused(accord(home, "log", "verify", "--from", lying.base, "--key", key), "500")
        outcome = accord(home, "log", "verify", "--from", f"{lying.base}/none", "--key", key)
        assert (outcome.code, outcome.out) == (1, "日志不符 / log differs: checkpoint is not served\n")
    assert_refused(accord(home, "log", "verify", "--from", lying.base, "--key", key), lying.base)


def test_without_a_log_key_nothing_is_signed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert accord(home, "migrate", "--mode=live").code == 0
    assert_refused(accord(home, "log", "checkpoint", ACCORD_ISSUER="urn:x"), "accord keys generate")
    assert accord(home, "log", "verify").code == 0
