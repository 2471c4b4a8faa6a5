"""The names that a profile gives to columns."""

from typing import Any

import pytest

from app.bootstrap import seed_policy
from registry.columns import UNNAMED, member_paths, read_columns
from registry.document import Table
from registry.errors import PolicyError
from registry.identifiers import comparable
from registry.policy import build_policy
from registry.profile import CredentialProfile

PROFILES = build_policy(seed_policy()).profiles
COLUMNS: dict[str, list[str]] = {path: [f"{path} 列"] for path in member_paths(["area"])}


def read(content: dict[str, Any]) -> Any:
    return read_columns(Table("test.toml", content, "columns"), ["area"])


def test_names_are_read_by_member() -> None:
    assert read(COLUMNS) == {path: (f"{path} 列",) for path in member_paths(["area"])}


@pytest.mark.parametrize("path", sorted(UNNAMED))
def test_a_type_without_an_end_or_a_life_does_not_name_it(path: str) -> None:
    without = {key: names for key, names in COLUMNS.items() if key != path}
    assert read(without).keys() == without.keys()


@pytest.mark.parametrize("path", [path for path in COLUMNS if path not in UNNAMED])
def test_every_other_member_can_be_reached(path: str) -> None:
    with pytest.raises(PolicyError, match="is missing"):
        read({key: names for key, names in COLUMNS.items() if key != path})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"number": ["证号", "Area 列", "ＡＲＥＡ列"]}, "already stands for number"),
        ({"number": ["valid_until"]}, "already stands for valid_until"),
        ({"number": ["SUBJECT.NAME列"]}, "already stands for number"),
        ({"number": [" \u3000"]}, "blank"),
        ({"number": []}, "must not be empty"),
        ({"attributes.other": ["别的"]}, "unknown key"),
    ],
)
def test_a_name_stands_for_one_member(change: dict[str, list[str]], problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        read(COLUMNS | change)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_every_seed_profile_names_its_columns_in_both_languages(profile: CredentialProfile) -> None:
    assert set(member_paths(profile.attributes)) - profile.columns.keys() <= UNNAMED
    for names in profile.columns.values():
        assert any(comparable(name).isascii() for name in names)
        assert not all(comparable(name).isascii() for name in names)


@pytest.mark.parametrize(("name", "code"), [("渝中区", "500103"), ("没有的区", None)])
def test_an_area_is_known_by_its_name(name: str, code: str | None) -> None:
    assert build_policy(seed_policy()).gazetteer.code_of(name) == code
