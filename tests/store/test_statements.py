"""Statements in the store: each is judged again by the audit, and whatever is altered afterwards is named."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from app import clock
from app.bootstrap import seed_policy
from app.ports import SCOPES, PolicyMoved, Principal, StoreError, Taken
from app.store.audit import audit
from app.store.intake import SqliteIntake
from app.store.journal import Journal
from app.store.reader import SqliteReader
from app.usecases.take_statement import StatementTaker, Submission
from registry.canonical import digest
from registry.log.entry import credential_entry
from registry.log.merkle import leaf_hash
from registry.log.tiles import Edge, grow
from registry.period import from_micros
from tests.store.rows import change, rows_of
from tests.support.issuing import LICENCE, Issuing

OWN = Issuing()
CALLER = Principal(key_id="key_test", name="测试", role="issuer", issuer=OWN.issuer, scopes=SCOPES["issuer"])


def _about(named: str | None) -> str:
    return "credential" if named is None else "event"


class Counter:
    """A store that takes statements in."""

    def __init__(self, path: Path) -> None:
        self.path, self.intake = path, SqliteIntake(path)
        self.intake.enter_policies((*seed_policy(), OWN.document()))
        self.reader = SqliteReader(path)
        self.taker = StatementTaker(self.intake, self.reader.secret())

    def take(self, token: str, named: str | None = None, *expected: str) -> Taken:
        submission = Submission(
            token=token,
            principal=CALLER,
            about="credential" if named is None else "event",
            credential_id=named,
            expected=frozenset(expected),
            key=None,
        )
        return self.taker.take(submission, self.reader.load_policies(), clock.now())

    def close(self) -> None:
        self.reader.close()
        self.intake.close()


@pytest.fixture(scope="session")
def stated_once(empty: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one credential that was registered, suspended and reinstated, and one that was not touched.

    Nothing writes to it.
    """
    opened = Counter(shutil.copy(empty["test"], tmp_path_factory.mktemp("stated") / "accord.db"))
    now = clock.now()
    taken = opened.take(OWN.sign(OWN.claims(now)))
    for event in ("suspended", "reinstated"):
        token = OWN.sign(OWN.event(now, taken.id, event, now - timedelta(days=1)))
        taken = opened.take(token, taken.id, taken.version)
    opened.take(OWN.sign(OWN.claims(now, credential=LICENCE | {"number": "JY15001039920027"})))
    opened.close()
    return opened.path


@pytest.fixture
def stated(stated_once: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return shutil.copy(stated_once, tmp_path / "accord.db")


def difference(path: Path) -> str | None:
    return audit(path, None).difference


def test_what_was_stated_is_what_is_held(stated: Path) -> None:
    assert difference(stated) is None
    assert len(rows_of(stated, "SELECT no FROM statement")) == 4
    assert len(rows_of(stated, "SELECT no FROM credential_version")) == 4


def forged(path: Path) -> None:
    """Puts another statement, rightly signed, in the place of the first: every digest of the statement agrees."""
    change(path, "UPDATE statement SET content = (SELECT content FROM statement WHERE no = 4) WHERE no = 1")


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a statement is missing": (lambda path: change(path, "DELETE FROM statement WHERE no = 2"), "missing"),
    "a statement was changed": (
        lambda path: change(path, "UPDATE statement SET content = x'00' WHERE no = 2"),
        "was changed",
    ),
    "a statement is text": (
        lambda path: change(path, "UPDATE statement SET content = CAST(content AS TEXT) WHERE no = 2"),
        "was changed",
    ),
    "another statement in its place": (forged, "was changed"),
    "a statement that nothing rests on": (
        lambda path: change(
            path,
            "INSERT INTO statement (digest, issuer_no, jti, recorded_at, content) VALUES ('x', 1, 'x', 1, x'00')",
        ),
        "nothing rests on it",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_altered_is_named(stated: Path, name: str) -> None:
    spoil, told = TAMPERED[name]
    spoil(stated)
    assert told in (difference(stated) or "")


def test_content_beside_a_right_statement_is_named(stated: Path) -> None:
    """Version, digest and log are rewritten to agree with each other: what was stated is still another thing."""
    with closing(sqlite3.connect(stated)) as connection:
        content = connection.execute("SELECT content FROM credential_version WHERE no = 4").fetchone()[0]
    altered = content.replace(b"2031-01-09", b"2041-01-09")
    assert altered != content
    rewrite(stated, 4, altered)
    assert "is not what was stated" in (difference(stated) or "")


def rewrite(path: Path, no: int, content: bytes) -> None:
    """Gives a version another content, and makes the whole log anew as if it had always been so."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE credential_version SET content = ?, digest = ? WHERE no = ?", (content, digest(content), no)
        )
        row = connection.execute(
            """SELECT c.credential_id, t.type_id, i.issuer_id, v.digest, v.known_from FROM credential_version v
            JOIN credential c ON c.no = v.credential_no JOIN credential_type t ON t.no = c.type_no
            JOIN issuer i ON i.no = c.issuer_no WHERE v.no = ?""",
            (no,),
        ).fetchone()
        stated = connection.execute(
            """SELECT s.digest FROM statement s JOIN log_entry l ON instr(l.content, s.digest)
            WHERE l.event = 'credential' AND l.row_no = ?""",
            (no,),
        ).fetchone()[0]
        entry = credential_entry(*row[:4], from_micros(row[4]), stated)
        connection.execute("UPDATE log_entry SET content = ? WHERE event = 'credential' AND row_no = ?", (entry, no))
        contents = [one for (one,) in connection.execute("SELECT content FROM log_entry ORDER BY no")]
        sizes = [size for (size,) in connection.execute("SELECT size FROM log_head ORDER BY size")]
        for size in sizes:
            edge, tiles = grow(Edge(), [leaf_hash(one) for one in contents[:size]])
            connection.execute("UPDATE log_head SET root = ? WHERE size = ?", (edge.root, size))
            for (level, number), tile in tiles.items():
                connection.execute(
                    "REPLACE INTO log_tile (level, number, hashes) VALUES (?, ?, ?)", (level, number, tile)
                )
        connection.commit()


def test_a_rewritten_log_that_is_true_is_taken(stated: Path) -> None:
    """The tool of the test before makes a log that agrees: it is the content that the audit named."""
    with closing(sqlite3.connect(stated)) as connection:
        content = connection.execute("SELECT content FROM credential_version WHERE no = 4").fetchone()[0]
    rewrite(stated, 4, content)
    assert difference(stated) is None


def test_nothing_is_entered_where_the_log_fails(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Counter(store)
    before = {
        table: rows_of(store, f"SELECT * FROM {table}")
        for table in ("statement", "credential", "credential_version", "log_entry")
    }

    def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Journal, "write", fail)
    token = OWN.sign(OWN.claims(clock.now()))
    with pytest.raises(StoreError, match="full"):
        opened.take(token)
    assert {table: rows_of(store, f"SELECT * FROM {table}") for table in before} == before
    monkeypatch.undo()
    assert opened.take(token).repeated is False
    opened.close()


def test_a_policy_that_moved_is_judged_anew(store: Path) -> None:
    opened = Counter(store)
    policies = opened.reader.load_policies()
    unsafe = Issuing(key={"compromised_from": "2026-01-01T00:00:00Z"})
    opened.intake.enter_policies([unsafe.document(version=2)])
    token = OWN.sign(OWN.claims(clock.now()))
    submission = Submission(
        token=token, principal=CALLER, about="credential", credential_id=None, expected=None, key=None
    )
    with pytest.raises(PolicyMoved):
        opened.taker.take(submission, policies, clock.now())
    assert rows_of(store, "SELECT no FROM statement") == []
    opened.close()
