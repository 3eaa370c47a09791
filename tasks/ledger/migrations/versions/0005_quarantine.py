"""How far a quarantine slows a job down, and which of those in escrow were partly done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("jobs", sa.Column("quarantine_cycles", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("quarantine_until", sa.DateTime(timezone=True)))
    op.add_column("escrow", sa.Column("partial", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("escrow", sa.Column("reason", sa.Text))
