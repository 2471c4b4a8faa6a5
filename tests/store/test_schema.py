"""Creating a store, bringing it up to date, and telling what is wrong with a file that is none."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import app.store.tables  # noqa: F401  (declares the tables in SQLModel.metadata)
from app import clock
from app.ports import StoreError
from app.store import schema
from tests.store.rows import change, rows_of, whole

NOW = datetime(2026, 10, 1, tzinfo=UTC)


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")))
    return ScriptDirectory.from_config(config)


def test_the_head_is_the_one_that_starts_expect() -> None:
    assert scripts().get_heads() == [schema.HEAD]


def test_the_migrations_make_the_tables_that_are_declared(store: Path) -> None:
    engine = create_engine(f"sqlite:///{store}")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )
            assert compare_metadata(context, SQLModel.metadata) == []
    finally:
        engine.dispose()


def test_the_comparison_sees_a_difference(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("DROP INDEX credential_version_subject")
        connection.execute("ALTER TABLE issuer ADD COLUMN colour TEXT")
        connection.commit()
    engine = create_engine(f"sqlite:///{store}")
    try:
        with engine.connect() as connection:
            found = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    finally:
        engine.dispose()
    assert {difference[0] for difference in found} == {"add_index", "remove_column"}


@pytest.mark.parametrize("mode", schema.MODES)
def test_a_new_store(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "deep" / "in" / "accord.db"
    state = schema.migrate(path, mode, NOW)
    assert (state.path, state.mode, state.revision) == (path, mode, schema.HEAD)
    assert schema.check(path) == state
    assert rows_of(path, "PRAGMA journal_mode") == [("wal",)]
    assert sorted(entry.name for entry in path.parent.iterdir() if "new" in entry.name) == []
    again = path.read_bytes()
    assert schema.migrate(path, mode, clock.now()) == state
    assert path.read_bytes() == again


def test_a_mode_is_stamped_once(store: Path) -> None:
    before = store.read_bytes()
    with pytest.raises(StoreError, match="test mode; its mode cannot change to live"):
        schema.migrate(store, "live", clock.now())
    with pytest.raises(StoreError, match="not one of: test, live"):
        schema.migrate(store, "demo", clock.now())
    assert store.read_bytes() == before


def test_many_processes_make_one_store(tmp_path: Path) -> None:
    path = tmp_path / "accord.db"
    program = (
        "import sys; from pathlib import Path; from app import clock; from app.store import schema;"
        "print(schema.migrate(Path(sys.argv[1]), sys.argv[2], clock.now()).mode)"
    )
    command = [sys.executable, "-c", program, str(path)]
    running = [subprocess.Popen([*command, mode], stdout=-1, stderr=-1, text=True) for mode in ("test", "live") * 2]
    ended = [(*process.communicate(), process.returncode) for process in running]
    (mode,) = {out.strip() for out, _, code in ended if code == 0}
    assert sum(code == 0 for _, _, code in ended) == 2
    assert all(f"is in {mode} mode" in errors for _, errors, code in ended if code != 0)
    assert schema.check(path).mode == mode
    assert [entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("accord.db")] == []
    assert [entry.name for entry in tmp_path.glob("*new*")] == []


def test_registers_are_not_dropped(store: Path) -> None:
    script = scripts().get_revision(schema.HEAD)
    assert script is not None
    with pytest.raises(NotImplementedError, match="restore a backup"):
        script.module.downgrade()


def random_bytes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle - 8192 : middle + 8192] = random.Random(7).randbytes(16384)
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("this is a text and no database\n" * 100)


def gone(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def no_revision(path: Path) -> None:
    change(path, "DROP TABLE alembic_version")


def empty_revision(path: Path) -> None:
    change(path, "DELETE FROM alembic_version")


def no_mode(path: Path) -> None:
    change(path, "DELETE FROM store_info")


def other_mode(path: Path) -> None:
    change(path, "UPDATE store_info SET mode = 'demo'")


def older(path: Path) -> None:
    change(path, "UPDATE alembic_version SET version_num = '0000'")


UNFIT: dict[Callable[[Path], None], str] = {
    random_bytes: "damaged|malformed|not a database",
    cut: "damaged|malformed|not a database",
    empty: "is no Accord store, or was never finished",
    text: "not a database",
    gone: "does not exist; create it with: accord migrate",
    folder: "does not exist",
    no_revision: "is no Accord store, or was never finished",
    empty_revision: "was never finished",
    no_mode: "was never finished",
    other_mode: "was never finished",
    older: "is at revision 0000, not 0008; run: accord migrate",
}


@pytest.mark.parametrize("spoil", UNFIT, ids=lambda spoil: spoil.__name__)
def test_a_file_that_cannot_be_served(demo_store: Path, spoil: Callable[[Path], None]) -> None:
    spoil(demo_store)
    before = demo_store.read_bytes() if demo_store.is_file() else None
    with pytest.raises(StoreError, match=UNFIT[spoil]) as refusal:
        schema.check(demo_store)
    assert str(demo_store) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert (demo_store.read_bytes() if demo_store.is_file() else None) == before


@pytest.mark.parametrize("spoil", [spoil for spoil in UNFIT if spoil is not gone], ids=lambda spoil: spoil.__name__)
def test_a_file_that_cannot_be_brought_up_to_date(demo_store: Path, spoil: Callable[[Path], None]) -> None:
    """Migrating neither mends nor overwrites what it does not understand."""
    spoil(demo_store)
    before = demo_store.read_bytes() if demo_store.is_file() else None
    with pytest.raises(StoreError) as refusal:
        schema.migrate(demo_store, "test", clock.now())
    assert str(demo_store) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert (demo_store.read_bytes() if demo_store.is_file() else None) == before


def test_a_store_of_a_newer_software_is_left_alone(demo_store: Path) -> None:
    change(demo_store, "UPDATE alembic_version SET version_num = '9999'")
    before = whole(demo_store)
    for refused in (schema.check, lambda path: schema.migrate(path, "test", clock.now())):
        with pytest.raises(StoreError, match="9999"):
            refused(demo_store)
    assert whole(demo_store) == before
