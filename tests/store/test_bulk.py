"""A file that is loaded: what stands is entered once, what does not is named, and the audit judges it all again."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.bootstrap import seed_policy
from app.importers import FileRefused
from app.ports import StoreError
from app.store.audit import audit
from app.usecases.import_register import ImportReport
from registry.errors import QueryRefused
from registry.period import format_instant
from tests.store.rows import change, rows_of
from tests.store.test_statements import rewrite
from tests.support.issuing import Issuing
from tests.support.loading import Office, licence, write_lines
from tests.unit.app.importers.registers import cells, csv_text

OWN, FOREIGN, SECOND = Issuing(), Issuing(issuer="cd-jinjiang-amr"), Issuing(mark="second")
SINCE = "2026-10-01T00:00:00+08:00"
FOREIGN_AREA = {"premises_area": "510104"}


@pytest.fixture(scope="session")
def store_with_issuers(empty: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the policy of the software and keys of two issuers. Nothing writes to it."""
    store = shutil.copy(empty["test"], tmp_path_factory.mktemp("issuers") / "accord.db")
    Office(store).enter_policies(*seed_policy(), OWN.document(), FOREIGN.document())
    return store


@pytest.fixture
def office(store_with_issuers: Path, tmp_path: Path) -> Office:
    return Office(shutil.copy(store_with_issuers, tmp_path / "accord.db"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three licences."""
    return write_lines(tmp_path / "register.jsonl", map(licence, range(3)))


@pytest.fixture
def small_batches(office: Office) -> None:
    office.batch = 2


def counts(report: ImportReport) -> tuple[int, int, int, int, int]:
    return report.new, report.changed, report.unchanged, report.refused, report.missing


def entries(office: Office, kind: str = "credential") -> int:
    """How many entries of a kind the log has."""
    return len(rows_of(office.store, "SELECT no FROM log_entry WHERE event = ?", kind))


def versions(office: Office) -> int:
    return len(rows_of(office.store, "SELECT no FROM credential_version"))


def difference(office: Office) -> str | None:
    return audit(office.store, None).difference


def refusal(load: Callable[[], object]) -> str:
    with pytest.raises(QueryRefused) as caught:
        load()
    (fault,) = caught.value.faults
    return fault.code


def test_a_file_is_registered_once(office: Office, file: Path) -> None:
    report = office.load(file, OWN)
    assert (report.rows, *counts(report)) == (3, 3, 0, 0, 0, 0)
    assert report.reported is not None
    assert (entries(office), entries(office, "report"), office.faults) == (3, 1, [])
    assert counts(office.load(file, OWN)) == (0, 0, 3, 0, 0)
    assert (entries(office), versions(office), difference(office)) == (3, 3, None)


def test_a_table_says_the_same(office: Office, tmp_path: Path) -> None:
    rows = [cells(许可证编号=f"JY1500103000000{place}") for place in range(3)]
    table = tmp_path / "register.csv"
    table.write_text(csv_text(*rows), encoding="utf-8")
    assert counts(office.load(table, OWN)) == (3, 0, 0, 0, 0)
    lines = [
        licence(
            place,
            valid_until="2031-01-10T00:00:00+08:00",
            attributes={"items": ["预包装食品销售", "散装食品销售"]},
        )
        for place in range(3)
    ]
    assert counts(office.load(write_lines(tmp_path / "register.jsonl", lines), OWN)) == (0, 0, 3, 0, 0)
    assert difference(office) is None


def test_a_newer_extract_gives_the_steps_that_differ(office: Office, file: Path) -> None:
    office.load(file, OWN)
    moved = licence(1, attributes={"premises_address": "重庆市渝中区测试路10号"})
    suspended = licence(2, status="suspended", status_since=SINCE)
    write_lines(file, [licence(0), moved, suspended, licence(3)])
    for counted in ((1, 2, 1, 0, 0), (0, 0, 4, 0, 0)):
        report = office.load(file, OWN)
        assert counts(report) == counted
        assert report.reported is not None
    assert (entries(office), len(rows_of(office.store, "SELECT no FROM credential")), difference(office)) == (
        6,
        4,
        None,
    )


def test_what_is_missing_is_told_and_nothing_is_said_to_be_complete(office: Office, file: Path) -> None:
    office.load(file, OWN)
    report = office.load(write_lines(file, [licence(0)]), OWN)
    assert (counts(report), report.reported) == ((0, 0, 1, 0, 2), None)
    assert office.told() == [(0, "", "row.not_in_file")] * 2
    assert [fault.value for fault in office.faults] == [licence(1)["number"], licence(2)["number"]]
    assert entries(office, "report") == 1


def test_what_is_over_is_not_missing(office: Office, file: Path) -> None:
    over = [licence(1, status="cancelled", status_since=SINCE), licence(2, valid_until="2026-02-01T00:00:00+08:00")]
    office.load(write_lines(file, [licence(0), *over]), OWN)
    report = office.load(write_lines(file, [licence(0)]), OWN)
    assert (counts(report), report.reported is not None) == ((0, 0, 1, 0, 0), True)


def test_bad_rows_are_named_and_good_ones_entered(office: Office, tmp_path: Path) -> None:
    rows = [cells(), cells(许可证编号="XX1"), cells(许可证编号="JY15001039920027", 区划代码="510104")]
    rows += [cells(许可证编号="JY15001039920035", 发证日期="soon"), cells(许可证编号="JY15001039920043")]
    table = tmp_path / "register.csv"
    table.write_text(csv_text(*rows), encoding="utf-8")
    for new, same in ((2, 0), (0, 2)):
        report = office.load(table, OWN)
        assert (counts(report), report.reported) == ((new, 0, same, 3, 0), None)
        assert sorted(office.told()) == [
            (3, "许可证编号", "statement.number_malformed"),
            (4, "", "statement.not_competent"),
            (5, "发证日期", "row.time_malformed"),
        ]
    assert (entries(office, "report"), difference(office)) == (0, None)


@pytest.mark.parametrize("enter", [False, True])
@pytest.mark.parametrize("places", [(0, 0, 1), (0, 1, 0), (0, 1, 2, 0)])
@pytest.mark.usefixtures("small_batches")
def test_a_number_twice_is_refused_the_second_time(
    office: Office, file: Path, places: tuple[int, ...], enter: bool
) -> None:
    rows = [licence(place, attributes={"premises_address": f"测试路{row}号"}) for row, place in enumerate(places)]
    report = office.load(write_lines(file, rows), OWN, enter=enter)
    assert counts(report) == (len(set(places)), 0, 0, 1, 0)
    second = len(places) - places[::-1].index(0)
    assert office.told() == [(second, "number", "row.number_twice")]


def test_a_number_of_another_issuer_is_taken(office: Office, file: Path, tmp_path: Path) -> None:
    office.load(file, OWN)
    theirs = write_lines(tmp_path / "theirs.jsonl", [licence(0, attributes=FOREIGN_AREA)])
    for enter in (False, True):
        assert counts(office.load(theirs, FOREIGN, enter=enter)) == (0, 0, 0, 1, 0)
        assert office.told() == [(1, "number", "credential.number_taken")]


def test_a_trial_writes_nothing(office: Office, file: Path) -> None:
    before = rows_of(office.store, "SELECT * FROM log_entry")
    report = office.load(file, OWN, enter=False)
    assert (counts(report), report.reported is not None) == ((3, 0, 0, 0, 0), True)
    assert (rows_of(office.store, "SELECT * FROM log_entry"), versions(office)) == (before, 0)
    assert rows_of(office.store, "SELECT no FROM statement") == []


@pytest.mark.parametrize(
    ("stated", "code"),
    [({"file": f"sha256:{0:064}"}, "statement.file_other"), ({"rows": 4}, "statement.rows_other")],
)
def test_a_statement_about_another_file_is_refused(office: Office, file: Path, stated: Any, code: str) -> None:
    assert refusal(lambda: office.load(file, OWN, stated=stated)) == code
    assert versions(office) == 0


def test_a_key_that_is_distrusted_enters_nothing(office: Office, file: Path) -> None:
    unsafe = Issuing(key={"compromised_from": "2026-01-01T00:00:00Z"})
    office.enter_policies(unsafe.document(version=2))
    assert refusal(lambda: office.load(file, OWN)) == "statement.key_compromised"
    assert versions(office) == 0


@pytest.mark.usefixtures("small_batches")
def test_a_policy_that_moves_between_batches_is_judged_by(office: Office, file: Path) -> None:
    def move(done: int) -> None:
        if done == 2:
            office.enter_policies(OWN.document(SECOND, version=2))

    assert counts(office.load(file, OWN, progress=move)) == (3, 0, 0, 0, 0)
    unsafe = Issuing(key={"compromised_from": "2026-01-01T00:00:00Z"})

    def distrust(done: int) -> None:
        office.enter_policies(unsafe.document(SECOND, version=3))

    write_lines(file, map(licence, range(10, 13)))
    assert refusal(lambda: office.load(file, OWN, progress=distrust)) == "statement.key_compromised"
    assert versions(office) == 5


def test_a_policy_that_moves_on_and_on_ends_the_load(office: Office, file: Path) -> None:
    stale = office.policies()
    office.enter_policies(OWN.document(SECOND, version=2))
    with pytest.raises(StoreError, match="again and again"):
        office.load(file, OWN, policies=lambda: stale)
    assert versions(office) == 0


def test_a_statement_covers_one_file(office: Office, file: Path) -> None:
    named = {"jti": "only-once-0001"}
    office.load(file, OWN, claimed=named)
    write_lines(file, [licence(7)])
    assert refusal(lambda: office.load(file, OWN, claimed=named)) == "statement.replayed"
    assert versions(office) == 3


@pytest.mark.usefixtures("small_batches")
def test_a_file_that_changes_meanwhile_ends_the_load(office: Office, file: Path) -> None:
    def spoil(done: int) -> None:
        with file.open("a", encoding="utf-8") as appended:
            appended.write("\n")

    with pytest.raises(FileRefused) as caught:
        office.load(file, OWN, progress=spoil)
    assert (caught.value.code, versions(office), difference(office)) == ("file.changed", 2, None)
    assert counts(office.load(file, OWN)) == (1, 0, 2, 0, 0)


def test_more_versions_than_rows_are_found(office: Office, file: Path) -> None:
    office.load(file, OWN, rows=2)
    assert "fewer rows" in (difference(office) or "")


def content(office: Office, no: int) -> bytes:
    with closing(sqlite3.connect(office.store)) as connection:
        found: bytes = connection.execute("SELECT content FROM credential_version WHERE no = ?", (no,)).fetchone()[0]
    return found


@pytest.mark.parametrize(
    ("no", "right", "wrong"),
    [
        (1, b'"premises_area":"500103"', b'"premises_area":"510104"'),
        (1, b'"issuer":"cq-yuzhong-amr"', b'"issuer":"cd-jinjiang-amr"'),
        (4, b'"reason_code":"register_extract"', b'"reason_code":"said_by_somebody"'),
        (4, "测试路9号".encode(), "测试路8号".encode()),
    ],
)
def test_an_altered_version_is_found(office: Office, file: Path, no: int, right: bytes, wrong: bytes) -> None:
    """Version, digest and log agree: what a row cannot have made is not what was stated."""
    office.load(file, OWN)
    rows = [licence(0, status="suspended", status_since=SINCE), licence(1), licence(2)]
    office.load(write_lines(file, rows), OWN)
    held = content(office, no)
    assert right in held
    assert difference(office) is None
    rewrite(office.store, no, held.replace(right, wrong))
    assert "is not what was stated" in (difference(office) or "")


def test_a_statement_that_was_removed_is_missed(office: Office, file: Path) -> None:
    office.load(file, OWN)
    change(office.store, "DELETE FROM statement")
    assert "missing" in (difference(office) or "")


def test_an_extract_does_not_take_back_a_newer_word(office: Office, file: Path) -> None:
    office.load(file, OWN)
    earlier = clock.now() - timedelta(hours=2)
    write_lines(file, [licence(0, status="suspended", status_since=SINCE), licence(1), licence(2)])
    late = {"iat": int(earlier.timestamp())}
    assert counts(office.load(file, OWN, as_of=earlier, claimed=late)) == (0, 0, 2, 1, 0)
    assert office.told() == [(1, "number", "row.newer_known")]


def test_an_older_extract_makes_nothing_less_complete(office: Office, file: Path) -> None:
    office.load(file, OWN)
    report = office.load(file, OWN, as_of=datetime(2026, 2, 1, tzinfo=UTC))
    assert (format_instant(report.reported or clock.now()), entries(office, "report")) == ("2026-02-01T00:00:00Z", 1)


def test_a_policy_that_moves_after_the_last_row_is_judged_by(office: Office, file: Path) -> None:
    def move(done: int) -> None:
        office.enter_policies(OWN.document(SECOND, version=2))

    assert office.load(file, OWN, progress=move).reported is not None
    assert entries(office, "report") == 1
    unsafe = Issuing(key={"compromised_from": "2026-01-01T00:00:00Z"})

    def distrust(done: int) -> None:
        office.enter_policies(unsafe.document(SECOND, version=3))

    assert refusal(lambda: office.load(file, OWN, progress=distrust)) == "statement.key_compromised"
    assert (entries(office, "report"), difference(office)) == (1, None)


def test_an_empty_register_is_complete_by_a_safe_key_only(office: Office, tmp_path: Path) -> None:
    empty = tmp_path / "register.csv"
    empty.write_text(csv_text(), encoding="utf-8")
    unsafe = Issuing(mark="second", key={"compromised_from": "2026-01-01T00:00:00Z"})
    office.enter_policies(OWN.document(unsafe, version=2))
    assert refusal(lambda: office.load(empty, unsafe)) == "statement.key_compromised"
    assert entries(office, "report") == 0
    assert office.load(empty, OWN).reported is not None
    assert (entries(office, "report"), difference(office)) == (1, None)
