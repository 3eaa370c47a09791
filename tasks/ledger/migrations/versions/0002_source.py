"""What is remembered of the source: people, members, assignments, roles, and whom to look at again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "sources",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("default_domain", sa.Text),
        sa.Column("roles", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_sources_job"),
        sa.PrimaryKeyConstraint("job", name="pk_sources"),
    )
    op.create_table(
        "source_people",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("presence", sa.Text, nullable=False),
        sa.Column("manager", sa.Text),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_source_people_job"),
        sa.PrimaryKeyConstraint("job", "source_id", name="pk_source_people"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_source_people_job_manager", "source_people", ["job", "manager"])
    op.create_table(
        "source_members",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("member_id", sa.Text, nullable=False),
        sa.Column("group_id", sa.Text, nullable=False),
        sa.Column("direct", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_source_members_job"),
        sa.PrimaryKeyConstraint("job", "member_id", "group_id", name="pk_source_members"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_source_members_job_group_id", "source_members", ["job", "group_id"])
    op.create_table(
        "source_grants",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("assignment_id", sa.Text, nullable=False),
        sa.Column("principal_id", sa.Text),
        sa.Column("principal_type", sa.Text),
        sa.Column("principal_name", sa.Text),
        sa.Column("role_id", sa.Text),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_source_grants_job"),
        sa.PrimaryKeyConstraint("job", "assignment_id", name="pk_source_grants"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unsettled",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_unsettled_job"),
        sa.PrimaryKeyConstraint("job", "source_id", name="pk_unsettled"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_links_look_again",
        "links",
        ["job"],
        sqlite_where=sa.text("account_digest IS NULL"),
        postgresql_where=sa.text("account_digest IS NULL"),
    )
