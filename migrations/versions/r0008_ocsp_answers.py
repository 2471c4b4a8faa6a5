"""OCSP answers that were fetched and verified ahead of need."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "ocsp_answer",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("issuer_key", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("this_update", sa.BigInteger(), nullable=False),
        sa.Column("next_update", sa.BigInteger(), nullable=True),
        sa.Column("known_from", sa.BigInteger(), nullable=False),
        sa.Column("issuer_name", sa.LargeBinary(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("digest", "issuer_key", "serial"),
    )


def downgrade() -> None:
    """Refused: answers that past decisions rest on would be lost."""
    raise NotImplementedError("OCSP answers are not dropped by a downgrade; restore a backup instead")
