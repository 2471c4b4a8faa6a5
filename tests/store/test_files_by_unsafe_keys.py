"""What a file entered by a key that was unsafe by then: no list calls it valid."""

from datetime import timedelta
from pathlib import Path

from app import clock
from app.bootstrap import seed_policy
from app.store import schema
from app.store.audit import audit
from app.store.reader import SqliteReader
from app.store.status_lists import SqliteStatusLists
from app.store.writer import SqliteWriter
from bench.bulk import load, write_register
from registry.period import format_instant
from registry.status_list import SUSPENDED
from tests.support.issuing import Issuing


def test_rows_of_a_file_are_suspended_where_its_key_was_unsafe(tmp_path: Path) -> None:
    issuing = Issuing()
    store = schema.migrate(tmp_path / "accord.db", "test", clock.now()).path
    writer = SqliteWriter(store)
    writer.enter_policies((*seed_policy(), issuing.document()))
    write_register(tmp_path / "register.csv", 5)
    assert load(store, tmp_path / "register.csv", issuing)["new"] == 5
    # The statement itself came in before: what counts is when each row did.
    since = format_instant(clock.now() - timedelta(hours=1))
    unsafe = Issuing(key={"compromised_from": since})
    assert unsafe.public == issuing.public
    writer.enter_policies((unsafe.document(version=2),))
    writer.close()
    reader = SqliteReader(store)
    lists = SqliteStatusLists(store, lambda: reader.load_policies().latest)
    (named,) = lists._connection.execute("SELECT list_id FROM status_list").fetchone()
    found = lists.read(named)
    assert found is not None
    assert sorted(turns[-1][1] for _, _, turns in found.rows) == [SUSPENDED] * 5
    lists.close(), reader.close()
    assert audit(store, None).difference is None
