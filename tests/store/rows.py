"""Small rows to write, and what a store file holds."""

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from app.bootstrap import seed_policy
from app.ports import RegisterReport, VersionRow
from app.settings import Settings
from registry.canonical import canonical_json, digest
from registry.credential import credential_id
from registry.policy import Policy, build_policy

TYPE = "food-operation-licence"
ISSUER = "cq-yuzhong-amr"
NUMBER = "JY15001039900010"
DOCUMENT: dict[str, Any] = {
    "type": TYPE,
    "number": NUMBER,
    "issuer": ISSUER,
    "subject": {"kind": "organisation", "name": "重庆测试有限公司", "uscc": "91500105TT0000816G"},
    "issued_at": "2024-01-01T00:00:00Z",
    "valid_from": "2024-01-01T00:00:00Z",
    "valid_until": "2029-01-01T00:00:00Z",
    "attributes": {},
    "recorded_at": "2024-01-01T00:00:00Z",
    "predecessor": None,
    "events": [],
}


def settings_at(home: Path) -> Settings:
    """The settings of a node at home there, blind to the environment of the test run."""
    return Settings(
        home=home, store=None, keys=None, policy=None, key_passphrase=None, key_passphrase_file=None, issuer=None
    )


def copy_store(store: Path, target: Path) -> Path:
    """A copy of a store that nobody writes to, hence without its side files."""
    shutil.copyfile(store, target)
    return target


def version(mark: str, number: str = NUMBER, known_from: datetime | None = None) -> VersionRow:
    """A version of a credential; the mark makes its content different from others'."""
    content = canonical_json(DOCUMENT | {"number": number, "attributes": {"mark": mark}})
    return VersionRow(
        credential_id=credential_id(TYPE, number, ISSUER),
        type=TYPE,
        number=number,
        issuer=ISSUER,
        known_from=known_from,
        digest=digest(content),
        content=content,
        subject_uscc="91500105TT0000816G",
        subject_name="重庆测试有限公司",
    )


def report(as_of: datetime, known_from: datetime | None = None) -> RegisterReport:
    """A register's report."""
    return RegisterReport(issuer=ISSUER, type=TYPE, as_of=as_of, known_from=known_from)


def rows_of(store: Path, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """What a statement finds in a store file."""
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(statement, parameters).fetchall()


@cache
def seed() -> Policy:
    """The policy that comes with the software."""
    return build_policy(seed_policy())


def change(store: Path, statement: str, *parameters: object) -> None:
    """Changes a store file behind everybody's back; something must have changed."""
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute(statement, parameters).rowcount != 0
        connection.commit()


LOG_TABLES = ("log_entry", "log_tile", "log_head", "log_checkpoint")


def take_back(store: Path, revision: str) -> None:
    """Makes a store what it was at an older revision."""
    with closing(sqlite3.connect(store)) as connection:
        if revision < "0008":
            connection.execute("DROP TABLE ocsp_answer")
        if revision < "0007":
            connection.execute("DROP TABLE file_import")
        if revision < "0006":
            for table in ("objection", "read_audit"):
                connection.execute(f"DROP TABLE {table}")
        if revision < "0005":
            for table in ("statement", "done_once", "api_key"):
                connection.execute(f"DROP TABLE {table}")
        if revision < "0004":
            for table in ("status_turn", "status_list"):
                connection.execute(f"DROP TABLE {table}")
            for column in ("status_list", "status_index"):
                connection.execute(f"ALTER TABLE credential DROP COLUMN {column}")
        if revision < "0003":
            for table in LOG_TABLES:
                connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE alembic_version SET version_num = ?1", (revision,))
        connection.commit()


def whole(store: Path) -> list[tuple[Any, ...]]:
    """Everything that a store holds, table by table."""
    tables = [row[0] for row in rows_of(store, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return [(table, *row) for table in tables for row in rows_of(store, f"SELECT * FROM {table} ORDER BY 1")]
