"""The log in the store: what is entered is in it, whatever is altered afterwards is named, and it can be begun late."""

import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event

from app import clock
from app.ports import StoreError
from app.store import file, schema
from app.store.audit import audit
from app.store.journal import Journal
from app.store.log import SqliteLog
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.prove_log import current_checkpoint
from keys.custody import Signer, pem_file
from keys.note import NoteKey, sign_note
from registry.log import tiles
from registry.log.checkpoint import Checkpoint, TreeHead, read_checkpoint
from registry.log.merkle import EMPTY_ROOT, leaf_hash
from registry.log.tiles import Edge, grow
from tests.store.rows import NUMBER, change, copy_store, report, rows_of, take_back, version, whole

NAME = "log.test/one"


def difference(store: Path, key: NoteKey | None = None, *known: Checkpoint) -> str | None:
    return audit(store, key, known).difference


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return pem_file.generate(tmp_path / "log.pem", b"of the test", "Ed25519")


@pytest.fixture(scope="session")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 701 versions in three writes and two reports."""
    path = schema.migrate(tmp_path_factory.mktemp("log") / "accord.db", "test", clock.now()).path
    writer, numbers = SqliteWriter(path), [f"JY{place:014d}" for place in range(700)]
    writer.append([version("one", number) for number in numbers[:300]], [report(clock.now())])
    writer.append([version("two", number) for number in numbers[300:]], [])
    writer.append([version("three", numbers[0])], [report(clock.now())])
    writer.close()
    return path


@pytest.fixture
def filled(store: Path, written_once: Path) -> Path:
    """A copy of it, in the place of the empty store."""
    return copy_store(written_once, store)


def test_every_row_has_its_entry(filled: Path) -> None:
    events = rows_of(filled, "SELECT event, count(*) FROM log_entry GROUP BY event ORDER BY event")
    assert events == [("credential", 701), ("report", 2)]
    assert [row[0] for row in rows_of(filled, "SELECT size FROM log_head ORDER BY size")] == [301, 701, 703]
    found = audit(filled, None)
    assert (found.size, found.difference, found.checkpoints) == (703, None, 0)
    assert SqliteLog(filled).head() == TreeHead(found.size, found.root)


def test_the_demonstration_is_as_its_log_says(demo_store: Path) -> None:
    found = audit(demo_store, None)
    assert found.difference is None
    tables = ("credential_version", "register_report", "policy_document")
    assert found.size == sum(rows_of(demo_store, f"SELECT count(*) FROM {table}")[0][0] for table in tables)


def test_no_entry_holds_a_name_or_a_number_of_a_holder(demo_store: Path) -> None:
    log = b"".join(row[0] for row in rows_of(demo_store, "SELECT content FROM log_entry"))
    held = rows_of(demo_store, "SELECT DISTINCT subject_name, subject_uscc FROM credential_version")
    assert len(held) > 50
    assert [said for row in held for said in row if said and said.encode() in log] == []


def test_an_empty_log_is_one_too(store: Path) -> None:
    assert difference(store) is None
    assert SqliteLog(store).head() == TreeHead(0, EMPTY_ROOT)


def test_what_changes_nothing_enters_nothing(filled: Path, writer: SqliteWriter) -> None:
    before = rows_of(filled, "SELECT count(*) FROM log_entry"), rows_of(filled, "SELECT count(*) FROM log_head")
    known_from = clock.now()
    assert writer.append([version("x", known_from=known_from)], [report(known_from, known_from)]) == 1
    assert writer.append([version("x", known_from=known_from)], [report(known_from, known_from)]) == 0
    after = rows_of(filled, "SELECT count(*) FROM log_entry"), rows_of(filled, "SELECT count(*) FROM log_head")
    assert after == ([(before[0][0][0] + 2,)], [(before[1][0][0] + 1,)])


def test_a_write_that_fails_in_the_log_leaves_nothing(
    filled: Path, writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = whole(filled)

    def fail(self: Journal, recorded_at: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Journal, "write", fail)
    with pytest.raises(Exception, match="disk is full"):
        writer.append([version("lost")], [])
    assert whole(filled) == before


DELETED = "DELETE FROM {} WHERE {}"
TAMPERING = {
    "a version's content": (
        "UPDATE credential_version SET content = replace(content, 'one', 'ten') WHERE no = 5",
        "entry 4: the row of its credential had its content changed: cred_",
    ),
    "a version's digest": (
        "UPDATE credential_version SET digest = 'sha256:00' WHERE no = 5",
        "entry 4: the row of its credential says something else: cred_",
    ),
    "when it was known": (
        "UPDATE credential_version SET known_from = known_from - 1 WHERE no = 5",
        "entry 4: the row of its credential says something else",
    ),
    "when it was known, by half a microsecond": (
        "UPDATE credential_version SET known_from = known_from + 0.5 WHERE no = 5",
        "entry 4: the row of its credential cannot be read",
    ),
    "whose it is": (
        "UPDATE credential_version SET credential_no = 650 WHERE no = 5",
        "entry 4: the row of its credential says something else",
    ),
    "the number that it is found by": (
        "UPDATE credential SET number = 'JY99999999999999' WHERE no = 5",
        "entry 4: the row of its credential is found under another number",
    ),
    "the holder that it is found by": (
        "UPDATE credential_version SET subject_uscc = '91500000000000000X' WHERE no = 5",
        "entry 4: the row of its credential is found under another holder",
    ),
    "the name that it is found by": (
        "UPDATE credential_version SET subject_name = 'x' WHERE no = 5",
        "entry 4: the row of its credential is found under another holder",
    ),
    "its credential deleted": (
        "DELETE FROM credential WHERE no = 5",
        "entry 4: the row of its credential",
    ),
    "of what an entry speaks": (
        "UPDATE log_entry SET event = 'gone' WHERE no = 4",
        "entry 4 speaks of a credential, and is kept as one of a gone",
    ),
    "of which row an entry speaks": (
        "UPDATE log_entry SET row_no = 9999 WHERE no = 4",
        "entry 4 speaks of a credential whose row is missing",
    ),
    "a tile as text": ("UPDATE log_tile SET hashes = 'abc' WHERE level = 1", "hash 0 is wrong: tile 1/0"),
    "one tile more": ("INSERT INTO log_tile VALUES (5, 5, zeroblob(32))", "there are 5 tiles where 703 entries make 4"),
    "a head of nothing": ("INSERT INTO log_head VALUES (-5, zeroblob(32), 0)", "a head of -5 entries is none"),
    "a version deleted": (DELETED.format("credential_version", "no = 5"), r"entry 4 speaks of a credential whose row"),
    "a report": (
        "UPDATE register_report SET as_of = as_of + 1 WHERE no = 1",
        "entry 300: the row of its report says something else",
    ),
    "a report deleted": (DELETED.format("register_report", "no = 1"), r"entry 300 speaks of a report whose row"),
    "an entry": (
        "UPDATE log_entry SET content = replace(content, 'cred_', 'cold_') WHERE no = 600",
        r"entry 600 is not the one that was logged: tile 0/2",
    ),
    "an entry deleted": (DELETED.format("log_entry", "no = 17"), r"entry 17 is missing"),
    "the last entry deleted": (DELETED.format("log_entry", "no = 702"), r"entry 702 is missing"),
    "an entry added": ("INSERT INTO log_entry VALUES (703, 'other', 1, '')", r"entry 703 is in no head"),
    "a tile": ("UPDATE log_tile SET hashes = zeroblob(8192) WHERE level = 0 AND number = 1", r"entry 256 is not the"),
    "a tile above": ("UPDATE log_tile SET hashes = zeroblob(64) WHERE level = 1", r"hash 0 is wrong: tile 1/0"),
    "a tile deleted": (DELETED.format("log_tile", "level = 0 AND number = 2"), r"tile 0/2 is missing"),
    "a head": ("UPDATE log_head SET root = zeroblob(32) WHERE size = 701", r"the root over the first 701 entries"),
    "a row that was never logged": (
        "INSERT INTO register_report VALUES (99, 1, 1, 5, 5)",
        r"register report 99 is in the register and not in the log",
    ),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_whatever_is_altered_is_named(filled: Path, name: str) -> None:
    statement, wanted = TAMPERING[name]
    change(filled, statement)
    found = difference(filled)
    assert found is not None
    assert wanted in found


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "CREATE TRIGGER silent AFTER INSERT ON credential_version BEGIN DELETE FROM credential_version; END",
            "trigger",
        ),
        ("CREATE VIEW report AS SELECT 1", "view"),
    ],
)
def test_what_acts_by_itself_is_named(filled: Path, statement: str, named: str) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute(statement)
    assert f"the store has a {named}" in str(difference(filled))


def test_text_that_is_none_is_named(filled: Path) -> None:
    change(filled, "UPDATE log_entry SET event = CAST(x'ff' AS TEXT) WHERE no = 4")
    assert "entry 4" in str(difference(filled))


DAMAGE = {
    "a hash less": "UPDATE log_tile SET hashes = substr(hashes, 33) WHERE level = 0 AND number = 2",
    "another hash": "UPDATE log_tile SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND number = 2",
    "no tile": "DELETE FROM log_tile WHERE level = 1",
    "text": "UPDATE log_tile SET hashes = 'abc' WHERE level = 1",
    "another root": "UPDATE log_head SET root = zeroblob(32) WHERE size = 703",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_nothing_is_built_on_a_damaged_tree(filled: Path, writer: SqliteWriter, name: str) -> None:
    change(filled, DAMAGE[name])
    before = whole(filled)
    with pytest.raises(StoreError, match="the log is damaged, and nothing was entered"):
        writer.append([version("lost")], [])
    assert whole(filled) == before


@pytest.mark.parametrize("damage", ["'abc'", "32", "zeroblob(33)", "zeroblob(8224)"])
def test_a_damaged_tile_is_not_served(filled: Path, damage: str) -> None:
    change(filled, f"UPDATE log_tile SET hashes = {damage} WHERE level = 0 AND number = 1")
    with pytest.raises(StoreError, match="see: accord log verify"):
        SqliteLog(filled).tile(0, 1)


def test_a_damaged_head_is_not_told(filled: Path) -> None:
    change(filled, "UPDATE log_head SET root = 'abc'")
    for ask in (SqliteLog(filled).head, lambda: asyncio.run(SqliteReader(filled).snapshot())):
        with pytest.raises(StoreError, match="see: accord log verify"):
            ask()


def test_a_lost_entry_is_not_skipped(filled: Path) -> None:
    change(filled, "DELETE FROM log_entry WHERE no = 10")
    with pytest.raises(StoreError, match="see: accord log verify"):
        SqliteLog(filled).entries(0, 256)


def test_a_log_whose_store_was_replaced_is_not_served(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "LOOK_SECONDS", 0.0)
    log = SqliteLog(filled)
    other = copy_store(filled, filled.with_name("other"))
    other.replace(filled)
    with pytest.raises(StoreError, match="was replaced by another file"):
        log.head()


def test_two_entries_that_change_places_are_named(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        for old, new in ((20, -1), (21, 20), (-1, 21)):
            connection.execute("UPDATE log_entry SET no = ?2 WHERE no = ?1", (old, new))
        connection.commit()
    found = difference(filled)
    assert found is not None
    assert "entry 20 is not the one that was logged" in found


def test_a_policy_that_was_altered_is_named(demo_store: Path) -> None:
    change(
        demo_store, "UPDATE policy_document SET content = replace(content, '\"version\"', '\"Version\"') WHERE seq = 3"
    )
    found = difference(demo_store)
    assert found is not None
    assert "the row of its policy had its content changed" in found


def test_a_checkpoint_is_signed_once_for_a_size(filled: Path, signer: Signer) -> None:
    key, log = NoteKey.of(NAME, signer.public), SqliteLog(filled)
    note = current_checkpoint(log, NAME, signer)
    assert current_checkpoint(SqliteLog(filled), NAME, signer) == note
    assert rows_of(filled, "SELECT size, note FROM log_checkpoint") == [(703, note)]
    found = audit(filled, key)
    assert (found.difference, found.checkpoints) == (None, 1)


def test_a_log_that_was_rolled_back_or_forked_is_told_by_whoever_kept_a_checkpoint(
    filled: Path, signer: Signer, tmp_path: Path, writer: SqliteWriter
) -> None:
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(filled)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    writer.append([version("four", "JY10000000000001")], [])
    later = read_checkpoint(current_checkpoint(SqliteLog(filled), NAME, signer).decode().partition("\n\n")[0] + "\n")
    assert difference(filled, None, later) is None
    assert difference(backup, None, later) == (
        "the log was rolled back: a checkpoint of 704 entries was signed, 703 are there"
    )
    forking = SqliteWriter(backup)
    forking.append([version("another", "JY10000000000002")], [])
    forking.close()
    assert difference(backup) is None
    assert difference(backup, None, later) == (
        "the log was forked: a checkpoint of 704 entries was signed with another root"
    )


def test_an_earlier_checkpoint_of_any_size_is_held_against_the_log(filled: Path) -> None:
    entries = [row[0] for row in rows_of(filled, "SELECT content FROM log_entry WHERE no < 400 ORDER BY no")]
    edge, _ = grow(Edge(), [leaf_hash(entry) for entry in entries])
    assert difference(filled, None, Checkpoint(NAME, TreeHead(400, edge.root))) is None
    assert "forked" in str(difference(filled, None, Checkpoint(NAME, TreeHead(399, edge.root))))


def test_a_checkpoint_by_another_key_is_no_evidence(filled: Path, signer: Signer, tmp_path: Path) -> None:
    other = pem_file.generate(tmp_path / "other.pem", b"of the test", "Ed25519")
    SqliteLog(filled).keep_checkpoint(9000, sign_note(Checkpoint(NAME, TreeHead(9000, bytes(32))).text(), NAME, other))
    found = audit(filled, NoteKey.of(NAME, signer.public))
    assert (found.difference, found.checkpoints) == (None, 0)


@pytest.mark.parametrize("note", ["'abc'", "7", "x'6162630a'"])
def test_a_damaged_checkpoint_is_named_and_not_served(filled: Path, signer: Signer, note: str) -> None:
    current_checkpoint(SqliteLog(filled), NAME, signer)
    change(filled, f"UPDATE log_checkpoint SET note = {note}")
    assert "the checkpoint that is kept for size 703" in str(difference(filled, NoteKey.of(NAME, signer.public)))
    assert current_checkpoint(SqliteLog(filled), NAME, signer).startswith(f"{NAME}\n703\n".encode())


def test_a_checkpoint_kept_under_another_size_is_named(filled: Path, signer: Signer) -> None:
    current_checkpoint(SqliteLog(filled), NAME, signer)
    change(filled, "UPDATE log_checkpoint SET size = 701")
    found = difference(filled, NoteKey.of(NAME, signer.public))
    assert found == "the checkpoint that is kept for size 701 is one of size 703"


def test_a_forged_checkpoint_is_named(filled: Path, signer: Signer) -> None:
    current_checkpoint(SqliteLog(filled), NAME, signer)
    change(filled, "UPDATE log_checkpoint SET note = CAST(replace(CAST(note AS TEXT), '703', '702') AS BLOB)")
    assert "not by this key" in str(difference(filled, NoteKey.of(NAME, signer.public)))


def test_a_checkpoint_that_cannot_be_kept_is_given_all_the_same(filled: Path, signer: Signer) -> None:
    log = SqliteLog(filled)
    with closing(sqlite3.connect(filled, isolation_level=None)) as writing:
        writing.execute("BEGIN IMMEDIATE")
        assert b"\n703\n" in current_checkpoint(log, NAME, signer)
        writing.execute("ROLLBACK")
    assert rows_of(filled, "SELECT count(*) FROM log_checkpoint") == [(0,)]


def test_a_reader_tells_the_head_of_its_snapshot(filled: Path) -> None:
    reader = SqliteReader(filled)
    found = asyncio.run(reader.find("food-operation-licence", NUMBER, None, clock.now()))
    assert found.snapshot.head == SqliteLog(filled).head()
    reader.close()


def test_a_store_from_before_the_log_begins_it_with_what_it_holds(demo_store: Path) -> None:
    before = audit(demo_store, None)
    take_back(demo_store, "0002")
    schema.migrate(demo_store, "test", clock.now())
    after = audit(demo_store, None)
    assert (after.size, after.difference) == (before.size, None)


@pytest.mark.parametrize("when", ["before the log is written", "damaged rows"])
def test_a_migration_that_fails_leaves_the_store_as_it_was(
    demo_store: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    take_back(demo_store, "0002")
    with closing(sqlite3.connect(demo_store)) as connection:
        (known,) = connection.execute("SELECT known_from FROM credential_version WHERE no = 9").fetchone()
        if when == "damaged rows":
            connection.execute("UPDATE credential_version SET known_from = ?1 WHERE no = 9", (2**62,))
        connection.commit()
    if when != "damaged rows":
        monkeypatch.setattr(tiles, "hash_of", lambda parts: 1 / 0)
    before = whole(demo_store)
    with pytest.raises((StoreError, ZeroDivisionError)):
        schema.migrate(demo_store, "test", clock.now())
    assert whole(demo_store) == before
    monkeypatch.undo()
    change(demo_store, "UPDATE credential_version SET known_from = ?1 WHERE no = 9", known)
    schema.migrate(demo_store, "test", clock.now())
    assert difference(demo_store) is None


def test_an_append_reads_the_edge_and_no_more(filled: Path) -> None:
    # By a clock of its own: on a busy machine a write may be done twice.
    began, ticks, statements = clock.now(), iter(range(1, 1000)), list[str]()
    now = lambda: began + timedelta(milliseconds=50 * next(ticks))  # noqa: E731
    writer = SqliteWriter(filled, now=now, wait=lambda seconds: None)
    event.listen(writer._engine, "connect", lambda driver, _: driver.set_trace_callback(statements.append))
    writer.append([version("five", "JY10000000000003")], [])
    assert sum("FROM log_tile" in statement for statement in statements) <= 2
    assert sum("INTO log_tile" in statement for statement in statements) == 1
    writer.close()


def test_a_downgrade_is_refused(store: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[2] / "migrations"))
    engine = create_engine(f"sqlite:///{store}")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(NotImplementedError, match="restore a backup"):
            command.downgrade(config, "0002")
    engine.dispose()
    assert os.path.getsize(store) > 0
