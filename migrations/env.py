"""Alembic's entry: runs on the connection that the caller hands over in the config's attributes."""

from alembic import context
from sqlmodel import SQLModel

import app.store.tables  # noqa: F401  (declares the tables in SQLModel.metadata)

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run migrations with: accord migrate")
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
