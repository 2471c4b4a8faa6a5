"""The registers: policy documents, credentials with their versions, and how far each register reached."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _name_tables() -> None:
    op.create_table(
        "credential_type",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("type_id", sa.String(), nullable=False, unique=True),
    )
    op.create_table(
        "issuer",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("issuer_id", sa.String(), nullable=False, unique=True),
    )
    op.create_table(
        "credential",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("credential_id", sa.String(), nullable=False, unique=True),
        sa.Column("type_no", sa.Integer(), sa.ForeignKey("credential_type.no"), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("issuer_no", sa.Integer(), sa.ForeignKey("issuer.no"), nullable=False),
        sa.UniqueConstraint("type_no", "number", "issuer_no"),
    )


def _history_tables() -> None:
    op.create_table(
        "credential_version",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("credential_no", sa.Integer(), sa.ForeignKey("credential.no"), nullable=False),
        sa.Column("known_from", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("subject_uscc", sa.String(), nullable=True),
        sa.Column("subject_name", sa.String(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("credential_no", "known_from"),
    )
    op.create_index("credential_version_subject", "credential_version", ["subject_uscc"])
    op.create_table(
        "register_report",
        sa.Column("no", sa.Integer(), primary_key=True),
        sa.Column("type_no", sa.Integer(), sa.ForeignKey("credential_type.no"), nullable=False),
        sa.Column("issuer_no", sa.Integer(), sa.ForeignKey("issuer.no"), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("known_from", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("type_no", "issuer_no", "known_from"),
    )


def upgrade() -> None:
    """Creates everything."""
    op.create_table(
        "store_info",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "policy_document",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("document_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("known_from", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("kind", "document_id", "version"),
    )
    _name_tables()
    _history_tables()


def downgrade() -> None:
    """Refused: it would destroy registers."""
    raise NotImplementedError("registers are not dropped by a downgrade; restore a backup instead")
