"""Headers of a file into members of a credential, as the profile names them."""

from collections.abc import Sequence

from app.importers.rows import MAX_COLUMNS, FileRefused
from app.importers.values import needed
from registry.columns import member_paths
from registry.identifiers import comparable
from registry.profile import CredentialProfile

_SHOWN = 60


def known_headers(profile: CredentialProfile) -> dict[str, str]:
    """Members by the names that a header may have, in the form in which names are compared."""
    known: dict[str, str] = {}
    for path in member_paths(profile.attributes):
        known |= dict.fromkeys(map(comparable, (path, *profile.columns.get(path, ()))), path)
    return known


def _named(profile: CredentialProfile, path: str) -> str:
    names = profile.columns.get(path)
    return f"{names[0]} ({path})" if names else path


def trimmed(cells: Sequence[str]) -> list[str]:
    """The headers without blank ones at the end."""
    headers = [cell.strip().lstrip("\ufeff") for cell in cells]
    while headers and not headers[-1]:
        headers.pop()
    return headers


def read_headers(cells: Sequence[str], profile: CredentialProfile) -> dict[str, str]:
    """Members by header, in the order of the columns. Raises `FileRefused`.

    A file must have the columns of everything that a row must say, and that of `valid_until` where the profile names
    it: a licence whose end was forgotten would count for ever.
    """
    headers = trimmed(cells)
    if not headers:
        raise FileRefused("file.header_none")
    if len(headers) > MAX_COLUMNS:
        raise FileRefused("file.columns_too_many", limit=str(MAX_COLUMNS))
    known = known_headers(profile)
    members: dict[str, str] = {}
    owners: dict[str, str] = {}
    unknown = []
    for place, header in enumerate(headers, start=1):
        if not header:
            raise FileRefused("file.header_blank", place=str(place))
        path = known.get(comparable(header)) if len(header) <= _SHOWN else None
        if path is None:
            unknown.append(_shown(header))
            continue
        if path in owners:
            raise FileRefused("file.header_twice", header=_shown(header), other=_shown(owners[path]))
        owners[path], members[header] = header, path
    if unknown:
        listed = ", ".join(_named(profile, path) for path in member_paths(profile.attributes))
        raise FileRefused("file.headers_unknown", headers=", ".join(unknown[:20]), known=listed)
    wanted = [path for path in member_paths(profile.attributes) if needed(profile, path)]
    if "valid_until" in profile.columns:
        wanted.append("valid_until")
    missing = [_named(profile, path) for path in wanted if path not in owners]
    if missing:
        raise FileRefused("file.headers_missing", headers=", ".join(missing))
    return members


def _shown(header: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in header[:_SHOWN])
