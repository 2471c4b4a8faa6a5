"""Status lists: a place for every credential that the store holds, and when their statuses turn."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from registry.status_index import CAPACITY, index_of, list_id
from registry.status_timeline import turns_of, write_turns

revision = "0004"
down_revision = "0003"

_CHUNK = 10_000  # rows that are written at once

_CREDENTIALS = """
SELECT c.no, c.type_no, c.issuer_no, t.type_id, i.issuer_id FROM credential c
JOIN credential_type t ON t.no = c.type_no JOIN issuer i ON i.no = c.issuer_no ORDER BY c.no"""
_VERSIONS = """
SELECT v.credential_no, c.status_list, c.status_index, v.known_from, v.content FROM credential_version v
JOIN credential c ON c.no = v.credential_no ORDER BY v.credential_no, v.known_from"""


def upgrade() -> None:
    """Creates the tables, and gives places in the order in which the credentials came."""
    op.create_table(
        "status_list",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("list_id", sa.String(), nullable=False, unique=True),
        sa.Column("type_no", sa.Integer(), sa.ForeignKey("credential_type.no"), nullable=False),
        sa.Column("issuer_no", sa.Integer(), sa.ForeignKey("issuer.no"), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("given", sa.Integer(), nullable=False),
        sa.UniqueConstraint("type_no", "issuer_no", "ordinal"),
    )
    op.create_table(
        "status_turn",
        sa.Column("list_no", sa.Integer(), sa.ForeignKey("status_list.no"), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("known_from", sa.BigInteger(), nullable=False),
        sa.Column("turns", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("list_no", "place", "known_from"),
        sqlite_with_rowid=False,
    )
    op.add_column("credential", sa.Column("status_list", sa.Integer(), nullable=True))
    op.add_column("credential", sa.Column("status_index", sa.Integer(), nullable=True))
    connection = op.get_bind()
    _give_places(connection)
    _note_turns(connection)


def _give_places(connection: sa.Connection) -> None:
    secret = connection.execute(sa.text("SELECT secret FROM store_info")).scalar()
    given: dict[tuple[int, int], int] = {}
    numbers: dict[tuple[int, int, int], tuple[int, str]] = {}
    places: list[dict[str, int]] = []
    for no, type_no, issuer_no, type_id, issuer in connection.execute(sa.text(_CREDENTIALS)).fetchall():
        nth = given.get((type_no, issuer_no), 0)
        given[type_no, issuer_no] = nth + 1
        ordinal, nth = divmod(nth, CAPACITY)
        held = numbers.get((type_no, issuer_no, ordinal))
        if held is None:
            held = len(numbers) + 1, list_id(secret, type_id, issuer, ordinal)
            numbers[type_no, issuer_no, ordinal] = held
        places.append({"no": no, "list": held[0], "index": index_of(secret, held[1], nth)})
    rows = [
        {"no": no, "id": named, "type": type_no, "issuer": issuer_no, "ordinal": ordinal}
        | {"given": min(CAPACITY, given[type_no, issuer_no] - ordinal * CAPACITY)}
        for (type_no, issuer_no, ordinal), (no, named) in numbers.items()
    ]
    _written(connection, "INSERT INTO status_list VALUES (:no, :id, :type, :issuer, :ordinal, :given)", rows)
    _written(connection, "UPDATE credential SET status_list = :list, status_index = :index WHERE no = :no", places)


def _note_turns(connection: sa.Connection) -> None:
    _written(connection, "INSERT INTO status_turn VALUES (:list, :place, :known, :turns)", list(_turns(connection)))


def _turns(connection: sa.Connection) -> Iterator[dict[str, object]]:
    turned = None
    for no, listed, place, known, content in connection.execute(sa.text(_VERSIONS)):
        turns = turns_of(content)
        if turns or turned == no:
            turned = no
            yield {"list": listed, "place": place, "known": known, "turns": write_turns(turns)}


def _written(connection: sa.Connection, statement: str, rows: list[dict[str, object]] | list[dict[str, int]]) -> None:
    for start in range(0, len(rows), _CHUNK):
        connection.execute(sa.text(statement), rows[start : start + _CHUNK])


def downgrade() -> None:
    """Refused: indices that were given out are in the hands of others."""
    raise NotImplementedError("status lists are not dropped by a downgrade; restore a backup instead")
