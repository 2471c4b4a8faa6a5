"""Files that were uploaded, and what came of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "file_import",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("import_id", sa.String(), nullable=False, unique=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("once", sa.String(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("report", sa.String(), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.UniqueConstraint("key_id", "once"),
    )
    op.create_index("file_import_state", "file_import", ["state", "issuer"])


def downgrade() -> None:
    """Refused: issuers ask what came of their files."""
    raise NotImplementedError("imports are not dropped by a downgrade; restore a backup instead")
