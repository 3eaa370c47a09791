"""Alembic's way in: runs the steps on the connection, and in the transaction, that `database.py` hands over."""

from __future__ import annotations

from alembic import context

from tasks.ledger.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table="ledger_version"
)
with context.begin_transaction():
    context.run_migrations()
