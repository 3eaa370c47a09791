"""Who carries out which part of a cycle's work, where the work is cut into parts for several processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "parts",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_parts_job"),
        sa.PrimaryKeyConstraint("job", "part", name="pk_parts"),
    )
