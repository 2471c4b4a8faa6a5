"""Registers' files to be read, right and wrong."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import seed_policy
from app.importers import FileRefused, Row, open_rows
from registry.policy import build_policy
from registry.profile import CredentialProfile

PROFILES = build_policy(seed_policy()).profiles
LICENCE = PROFILES["food-operation-licence"]

HEADERS = (
    *("许可证编号", "经营者名称", "统一社会信用代码", "发证日期", "有效期自", "有效期至"),
    *("主体业态", "经营项目", "区划代码", "经营场所"),
)
CELLS = (
    *("JY15001039920019", "重庆测试新店食品有限公司", "91500103TT00000153", "2026-01-10", "2026-01-10", "2031-01-09"),
    *("食品销售经营者", "预包装食品销售、散装食品销售", "500103", "重庆市渝中区测试路9号"),
)
CLAIMS: dict[str, Any] = {
    "number": "JY15001039920019",
    "subject": {"kind": "organisation", "name": "重庆测试新店食品有限公司", "uscc": "91500103TT00000153"},
    "issued_at": "2026-01-09T16:00:00Z",
    "valid_from": "2026-01-09T16:00:00Z",
    "valid_until": "2031-01-09T16:00:00Z",
    "attributes": {
        "business_form": "sales",
        "items": ["预包装食品销售", "散装食品销售"],
        "premises_area": "500103",
        "premises_address": "重庆市渝中区测试路9号",
    },
    "predecessor": None,
}


def cells(**changes: str) -> tuple[str, ...]:
    """The right row with other cells, by header."""
    assert changes.keys() <= set(HEADERS)
    return tuple(changes.get(header, cell) for header, cell in zip(HEADERS, CELLS, strict=True))


def csv_text(*rows: Iterable[str], headers: Iterable[str] = HEADERS, separator: str = ",") -> str:
    """A CSV without quotes."""
    return "".join(separator.join(row) + "\r\n" for row in (headers, *rows))


def read(path: Path, content: str | bytes, profile: CredentialProfile = LICENCE, **how: Any) -> list[Row]:
    """The rows of a file with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(open_rows(path, profile, **how).rows())


def refused(path: Path, content: str | bytes, **how: Any) -> tuple[str, Mapping[str, str]]:
    """Why a file with this content is refused."""
    with pytest.raises(FileRefused) as caught:
        read(path, content, **how)
    return caught.value.code, caught.value.params


def only(rows: list[Row]) -> Any:
    """The claims of the one row."""
    (row,) = rows
    assert row.faults == ()
    return row.claims


def faults(rows: list[Row]) -> list[tuple[int, str, str]]:
    """Row, column and code of everything that is wrong."""
    assert all((row.claims is None) == bool(row.faults) for row in rows)
    return [(fault.row, fault.column, fault.code) for row in rows for fault in row.faults]
