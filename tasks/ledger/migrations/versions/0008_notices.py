"""What a job's owners have been told, so that each cause is told once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "notices",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("over_at", sa.DateTime(timezone=True)),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_notices_job"),
        sa.PrimaryKeyConstraint("job", "kind", "code", name="pk_notices"),
    )
