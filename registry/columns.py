"""The names that columns of a register's file may have: data of each credential profile."""

from collections.abc import Collection, Mapping

from registry.document import Table
from registry.identifiers import comparable

MEMBERS = (
    "number",
    "subject.kind",
    "subject.name",
    "subject.uscc",
    "issued_at",
    "valid_from",
    "valid_until",
    "predecessor",
    "status",
    "status_since",
    "successor",
)
"""What every credential may say of itself; attributes are `attributes.<name>`."""
UNNAMED = frozenset({"valid_until", "status", "status_since", "successor"})
"""What a profile may leave without a name: types without an end, and types whose life no register tells."""


def member_paths(attributes: Collection[str]) -> tuple[str, ...]:
    """The members that a column can stand for, in the order in which people are told of them."""
    return (*MEMBERS, *(f"attributes.{name}" for name in attributes))


def read_columns(table: Table, attributes: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """Names by member, as the file declares them; a member's path is a name of its own without being declared.

    Names are compared blind to spaces, width and case. Only `UNNAMED` may be left out; all the other members must
    be there, as a column that nobody can name would be lost. Raises `PolicyError`.
    """
    paths = member_paths(attributes)
    owners = {comparable(path): path for path in paths}
    names: dict[str, tuple[str, ...]] = {}
    for path in paths:
        if path in UNNAMED and not table.has(path):
            continue
        names[path] = table.texts(path)
        for name in names[path]:
            key = comparable(name)
            if not key:
                raise table.refuse(path, "holds a name that is blank")
            if key in owners:
                raise table.refuse(path, f"{name!r} already stands for {owners[key]}")
            owners[key] = path
    table.done()
    return names
