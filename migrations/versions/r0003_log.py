"""The log: entries for everything entered so far, the tiles over them, the heads and the checkpoints."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from registry.log.entry import credential_entry, policy_entry, report_entry
from registry.log.merkle import leaf_hash
from registry.log.tiles import Edge, grow
from registry.period import from_micros

revision = "0003"
down_revision = "0002"

_POLICIES = "SELECT seq, kind, document_id, version, digest, known_from FROM policy_document ORDER BY seq"
_VERSIONS = """
SELECT v.no, c.credential_id, t.type_id, i.issuer_id, v.digest, v.known_from FROM credential_version v
JOIN credential c ON c.no = v.credential_no JOIN credential_type t ON t.no = c.type_no
JOIN issuer i ON i.no = c.issuer_no ORDER BY v.no"""
_REPORTS = """
SELECT r.no, t.type_id, i.issuer_id, r.as_of, r.known_from FROM register_report r
JOIN credential_type t ON t.no = r.type_no JOIN issuer i ON i.no = r.issuer_no ORDER BY r.no"""


def upgrade() -> None:
    """Creates the tables and begins the log with what the store holds, in the order of its rows."""
    op.create_table(
        "log_entry",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("event", "row_no"),
    )
    op.create_table(
        "log_tile",
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number"),
    )
    op.create_table(
        "log_head",
        sa.Column("size", sa.Integer(), primary_key=True),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "log_checkpoint",
        sa.Column("size", sa.Integer(), primary_key=True),
        sa.Column("note", sa.LargeBinary(), nullable=False),
    )
    _begin_log(op.get_bind())


def _begin_log(connection: sa.Connection) -> None:
    found = list(_entries(connection))
    if not found:
        return
    edge, tiles = grow(Edge(), [leaf_hash(content) for _, _, content in found])
    entries = [
        {"no": no, "event": event, "row_no": row_no, "content": content}
        for no, (event, row_no, content) in enumerate(found)
    ]
    connection.execute(sa.text("INSERT INTO log_entry VALUES (:no, :event, :row_no, :content)"), entries)
    written = [{"level": level, "number": number, "hashes": tile} for (level, number), tile in tiles.items()]
    connection.execute(sa.text("INSERT INTO log_tile VALUES (:level, :number, :hashes)"), written)
    connection.execute(
        sa.text("INSERT INTO log_head SELECT :size, :root, last_recorded_at FROM store_info"),
        {"size": edge.size, "root": edge.root},
    )


def _entries(connection: sa.Connection) -> Iterator[tuple[str, int, bytes]]:
    for seq, kind, document, version, digest, known in connection.execute(sa.text(_POLICIES)):
        yield "policy", seq, policy_entry(kind, document, version, digest, from_micros(known))
    for no, credential, type_id, issuer, digest, known in connection.execute(sa.text(_VERSIONS)):
        yield "credential", no, credential_entry(credential, type_id, issuer, digest, from_micros(known))
    for no, type_id, issuer, as_of, known in connection.execute(sa.text(_REPORTS)):
        yield "report", no, report_entry(type_id, issuer, from_micros(as_of), from_micros(known))


def downgrade() -> None:
    """Refused: the log is there so that nothing of it can be taken away."""
    raise NotImplementedError("the log is not dropped by a downgrade; restore a backup instead")
