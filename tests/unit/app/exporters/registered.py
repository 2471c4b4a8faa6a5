"""Claims as a register may hold them, of every type that issuers register, and the files that they become."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from app.exporters import row_writer
from app.importers import open_rows
from app.messages import Language
from registry.credential import REVOCATION_KINDS
from registry.field import Field
from registry.period import format_instant
from registry.profile import CredentialProfile
from tests.unit.app.importers.registers import PROFILES

ISSUER = "cq-yuzhong-amr"
REGISTERED = tuple(profile for profile in PROFILES.values() if profile.lifecycle is not None)
BEGINNINGS = "=+-@＝＋－＠'"
SEPARATORS = "、；;|｜\r\n"
PLACES = ("status_since", "successor")

# What files, spreadsheets and their readers trip over, often; and anything else that a text may hold.
_AWKWARD = '甲测试Aa09,"\u0301\ufeff😀' + BEGINNINGS
_NO_TEXT: tuple[Any, ...] = ("Cc", "Cs")
_edges = st.sampled_from(_AWKWARD) | st.characters(
    exclude_categories=(*_NO_TEXT, "Zs", "Zl", "Zp"), exclude_characters=SEPARATORS
)
_letters = st.sampled_from(_AWKWARD + " \u3000\u2028") | st.characters(
    exclude_categories=_NO_TEXT, exclude_characters=SEPARATORS
)
said = _edges | st.builds("{}{}{}".format, _edges, st.text(_letters, max_size=10), _edges)
instants = st.one_of(
    st.datetimes(timezones=st.just(UTC)),
    # Midnights in Beijing, where people write the date alone.
    st.dates(min_value=datetime(2, 1, 1, tzinfo=UTC).date()).map(
        lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=8)
    ),
).map(format_instant)
identifiers = st.from_regex(r"[A-Z0-9]{1,16}(-[0-9]{1,4})?", fullmatch=True) | said
usccs = st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=18, max_size=18)


def value_of(field: Field) -> st.SearchStrategy[Any]:
    """A value that the field can have."""
    match field.kind:
        case "texts":
            return st.lists(said, min_size=1, max_size=4)
        case "boolean":
            return st.booleans()
        case "decimal":
            return st.from_regex(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", fullmatch=True)
        case "area":
            return st.from_regex(r"[0-9]{6}", fullmatch=True)
        case "choice":
            return st.sampled_from(sorted(field.choices))
        case "instant":
            return instants
        case "table":
            return st.lists(st.fixed_dictionaries(dict.fromkeys(field.columns, said)), min_size=1, max_size=3)
    return said


@st.composite
def claims(draw: st.DrawFn, profile: CredentialProfile) -> dict[str, Any]:
    """What one row says."""
    given = {name for name, field in profile.attributes.items() if field.required or draw(st.booleans())}
    ends = sorted({draw(instants), draw(instants)}, key=datetime.fromisoformat)
    status = draw(st.sampled_from(("valid", "suspended", *REVOCATION_KINDS, "cancelled", "superseded")))
    return {
        "number": draw(identifiers),
        "subject": {
            "kind": draw(st.sampled_from(("organisation", "person"))),
            "name": draw(said),
            "uscc": draw(st.none() | usccs),
        },
        "issued_at": draw(instants),
        "valid_from": draw(st.sampled_from((ends[0], None))),
        "valid_until": draw(st.sampled_from((ends[-1], None))) if len(ends) > 1 else None,
        "attributes": {name: draw(value_of(field)) for name, field in profile.attributes.items() if name in given},
        "predecessor": draw(st.none() | identifiers),
        "status": status,
        "status_since": None if status == "valid" else draw(instants),
        "successor": draw(identifiers) if status == "superseded" else None,
    }


LICENCE_CLAIMS: dict[str, Any] = {
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
    "status": "penalty",
    "status_since": "2026-06-30T04:30:00Z",
    "successor": None,
}


def written(form: str, profile: CredentialProfile, language: Language, *rows: dict[str, Any]) -> bytes:
    """A file of these rows."""
    writer = row_writer(form, profile, ISSUER, language)
    return writer.head() + b"".join(writer.row(row) for row in rows)


def read_back(path: Path, content: bytes, profile: CredentialProfile) -> list[dict[str, Any]]:
    """What import reads from it: every row, with the members that a row need not have."""
    path.write_bytes(content)
    rows = list(open_rows(path, profile, issuer=ISSUER).rows())
    assert [row.faults for row in rows] == [()] * len(rows)
    return [dict.fromkeys(PLACES) | dict(row.claims or {}) for row in rows]
