"""CA locks: the revocation lists that were taken in, and the challenges that were used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates both tables."""
    op.create_table(
        "revocation_list",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("issuer_key", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False, unique=True),
        sa.Column("this_update", sa.BigInteger(), nullable=False),
        sa.Column("known_from", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_index("revocation_list_issuer", "revocation_list", ["issuer_key", "this_update"])
    op.create_table(
        "changed_entry",
        sa.Column("list_no", sa.Integer(), sa.ForeignKey("revocation_list.no"), nullable=False),
        sa.Column("issuer_key", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("issuer_key", "serial", "list_no"),
    )
    op.create_table(
        "used_challenge",
        sa.Column("challenge", sa.String(), primary_key=True),
        sa.Column("request", sa.String(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
    )
    op.create_index("used_challenge_used_at", "used_challenge", ["used_at"])


def downgrade() -> None:
    """Refused: lists that past answers rest on would be lost."""
    raise NotImplementedError("revocation lists are not dropped by a downgrade; restore a backup instead")
