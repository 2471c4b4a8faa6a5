"""Objections, and who read what is not public."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "objection",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("objection_id", sa.String(), nullable=False, unique=True),
        sa.Column("credential_id", sa.String(), nullable=True),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("issuer", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("contact", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("objection_credential", "objection", ["credential_id"])
    op.create_index("objection_issuer", "objection", ["issuer", "no"])
    op.create_table(
        "read_audit",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    """Refused: people wait for answers."""
    raise NotImplementedError("objections are not dropped by a downgrade; restore a backup instead")
