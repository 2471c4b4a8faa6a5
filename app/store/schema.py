"""Creating, upgrading and checking a store file. Whatever is wrong with it becomes one `StoreError` line."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

from app.ports import StoreError
from registry.period import to_micros

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision that this software can bring up to date, oldest first."""
HEAD = REVISIONS[-1]
"""The newest revision under migrations/; a test holds the two equal, so that starting needs no Alembic."""
MODES = ("test", "live")

_CHECKED_WHOLE = 256 * 1024 * 1024  # bytes up to which a start checks every page


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What a store file says of itself."""

    path: Path
    mode: str
    revision: str


@contextmanager
def failing_clearly(path: Path) -> Iterator[None]:
    """Turns whatever SQLite raises into a `StoreError` that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"store {path}: {error}; nothing was changed, restore a backup") from error


def migrate(path: Path, mode: str, now: datetime) -> StoreState:
    """Creates the store in a mode, or brings an existing one to the newest revision. The mode is stamped once.

    A new store is made beside its place and renamed into it, so that a crash leaves none rather than half of one.
    Raises `StoreError` when the file is damaged or has another mode.
    """
    if mode not in MODES:
        raise StoreError(f"mode {mode!r} is not one of: {', '.join(MODES)}")
    if path.exists():
        state = inspect(path)
        if state.mode != mode:
            raise StoreError(f"store {path} is in {state.mode} mode; its mode cannot change to {mode}")
        if state.revision not in REVISIONS:
            raise StoreError(
                f"store {path} is at revision {state.revision}, which this software does not know"
                f" (it knows {', '.join(REVISIONS)}); nothing was changed"
            )
        if state.revision != HEAD:
            with failing_clearly(path):
                _upgrade(path)
        return inspect(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        # A register names people: its file is nobody else's to read. What SQLite puts beside it has the same mode.
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with failing_clearly(path):
            _upgrade(fresh)
            connection = sqlite3.connect(fresh)
            try:
                stamp = to_micros(now)
                connection.execute("INSERT INTO store_info VALUES (1, ?, ?, 0, ?)", (mode, stamp, os.urandom(32)))
                connection.commit()
                connection.execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()
        # A link fails where another process was first; a rename would destroy that one's store.
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        for leftover in path.parent.glob(f"{fresh.name}*"):
            leftover.unlink()
    return migrate(path, mode, now)


def _upgrade(path: Path) -> None:
    # Imported here: a start on an up-to-date store does without (and SQLAlchemy takes a while to import).
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import SQLAlchemyError

    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")))
    engine = create_engine(f"sqlite:///{path}")
    # The driver would end its transaction at each CREATE TABLE: a crash would leave half of a revision.
    event.listen(engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (SQLAlchemyError, OverflowError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise StoreError(f"store {path} cannot be brought up to date: {why[:300]}; nothing was changed") from error
    finally:
        engine.dispose()


def inspect(path: Path, *, whole: bool = True) -> StoreState:
    """Reads mode and revision, and checks the file: every page of a small one if `whole`. Raises `StoreError`."""
    if not path.is_file():
        raise StoreError(f"store {path} does not exist; create it with: accord migrate --mode test|live")
    with failing_clearly(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)
        try:
            if whole and path.stat().st_size <= _CHECKED_WHOLE:
                verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                if verdict != "ok":
                    raise StoreError(
                        f"store {path} is damaged ({' '.join(verdict.split())}); nothing was changed, restore a backup"
                    )
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not {"alembic_version", "store_info"} <= tables:
                raise StoreError(f"store {path} is no Accord store, or was never finished; nothing was changed")
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            mode = connection.execute("SELECT mode FROM store_info").fetchone()
        finally:
            connection.close()
    if revision is None or mode is None or mode[0] not in MODES:
        raise StoreError(f"store {path} was never finished; nothing was changed, move it away and migrate anew")
    return StoreState(path=path, mode=str(mode[0]), revision=str(revision[0]))


def check(path: Path) -> StoreState:
    """The state of a store that can be served. Raises `StoreError` when it is not at the newest revision."""
    state = inspect(path)
    if state.revision != HEAD:
        raise StoreError(f"store {path} is at revision {state.revision}, not {HEAD}; run: accord migrate")
    return state
