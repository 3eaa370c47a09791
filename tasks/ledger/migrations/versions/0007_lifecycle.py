"""What administrators do to a job, and under which settings it was carried out last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table and the columns."""
    op.create_table(
        "administration",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("by_whom", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_administration_job"),
        sa.PrimaryKeyConstraint("number", name="pk_administration"),
    )
    op.create_index("ix_administration_job", "administration", ["job"])
    op.add_column("jobs", sa.Column("settings", sa.Text))
    op.add_column("jobs", sa.Column("force_removals", sa.Boolean, nullable=False, server_default=sa.false()))
