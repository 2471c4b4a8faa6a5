"""What reading a register's file costs: rows a second of food operation licences, from CSV, XLSX and JSON lines.

`--rows` is the length of the CSV and of the JSON lines; the sheet has a twentieth. The formats take turns, so that a
noisy machine is noisy to all of them; the medians are told, and the ratio to the standard library's reader alone.
"""

import argparse
import csv
import json
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

import openpyxl

from app.bootstrap import seed_policy
from app.importers import open_rows
from registry.policy import build_policy

_HEADERS = (
    *("许可证编号", "经营者名称", "统一社会信用代码", "发证日期", "有效期自", "有效期至"),
    *("主体业态", "经营项目", "区划代码", "经营场所"),
)
_ITEMS = ("预包装食品销售", "预包装食品销售、散装食品销售", "热食类食品制售；冷食类食品制售")
_PROFILE = build_policy(seed_policy()).profiles["food-operation-licence"]


def made_up(count: int) -> Iterator[tuple[str, ...]]:
    """So many rows of test companies, no two alike."""
    for number in range(count):
        issued = date(2020, 1, 1) + timedelta(days=number % 2000)
        yield (
            f"JY1500103{number:07d}",
            f"重庆测试第{number}食品有限公司",
            f"91500103TT{number:08d}",
            issued.isoformat(),
            issued.isoformat(),
            (issued + timedelta(days=1825)).isoformat(),
            ("食品销售经营者", "餐饮服务经营者", "集中用餐单位食堂")[number % 3],
            _ITEMS[number % 3],
            ("500103", "500112", "510104")[number % 3],
            f"重庆市渝中区测试路{number}号",
        )


def write_csv(path: Path, count: int, encoding: str = "utf-8-sig") -> Path:
    """A CSV as Excel saves it."""
    return write_rows(path, made_up(count), encoding)


def write_rows(path: Path, rows: Iterable[tuple[str, ...]], encoding: str = "utf-8-sig") -> Path:
    """The same of rows that are given."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADERS)
        writer.writerows(rows)
    return path


def _write_sheet(path: Path, count: int) -> Path:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(_HEADERS)
    for row in made_up(count):
        sheet.append(row)
    book.save(path)
    return path


def _write_lines(path: Path, source: Path) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for row in open_rows(source, _PROFILE).rows():
            file.write(json.dumps(row.claims, ensure_ascii=False) + "\n")
    return path


def _plain(path: Path) -> int:
    """The standard library's reader alone: what cannot be undercut."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def _ours(path: Path) -> int:
    return sum(row.claims is not None for row in open_rows(path, _PROFILE).rows())


def _spent(work: Callable[[Path], int], path: Path, expected: int) -> float:
    """Microseconds of CPU for each row."""
    before = time.process_time_ns()
    count = work(path)
    spent = time.process_time_ns() - before
    if count != expected:
        raise SystemExit(f"{path.name}: {count} rows of {expected}")
    return spent / count / 1000


def _peak(path: Path) -> int:
    tracemalloc.start()
    _ours(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    """Prints what reading costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--blocks", type=int, default=5)
    arguments = parser.parse_args()
    rows = arguments.rows
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        utf8, gb = write_csv(place / "utf8.csv", rows), write_csv(place / "gb.csv", rows, "gb18030")
        lines, few = _write_lines(place / "rows.jsonl", utf8), rows // 20
        runs: dict[str, tuple[Callable[[Path], int], Path, int]] = {
            "csv module alone": (_plain, utf8, rows),
            "CSV in UTF-8": (_ours, utf8, rows),
            "CSV in GB18030": (_ours, gb, rows),
            "JSON lines": (_ours, lines, rows),
            "XLSX": (_ours, _write_sheet(place / "rows.xlsx", few), few),
        }
        spent: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(arguments.blocks):
            for name, (work, path, expected) in runs.items():
                spent[name].append(_spent(work, path, expected))
        for name, costs in spent.items():
            middle = statistics.median(costs)
            goal = " (goal < 15)" if name == "CSV in UTF-8" else ""
            ratio = statistics.median(one / other for one, other in zip(costs, spent["csv module alone"], strict=True))
            speed = f"{middle:6.1f} us a row{goal}, {1e6 / middle:9,.0f} rows/s"
            print(f"{name:18} {speed}, {ratio:5.1f} times the csv module")
        print(f"peak memory, CSV   {_peak(utf8) / 1e6:.1f} MB at {rows:,} rows (goal < 50 at 1,000,000)")


if __name__ == "__main__":
    main()
