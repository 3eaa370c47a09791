"""The first schema: jobs, cycles, locks, links, skips, journal, activities, escrow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("watermark", sa.Text),
        sa.Column("mapping_digest", sa.Text),
        sa.Column("last_complete", sa.Text),
        sa.Column("quarantine_reason", sa.Text),
        sa.Column("quarantine_message", sa.Text),
        sa.Column("quarantine_since", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job", name="pk_jobs"),
    )
    op.create_table(
        "cycles",
        sa.Column("cycle_id", sa.Text, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("flow_run_id", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("manifest", sa.Text),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_cycles_job"),
        sa.PrimaryKeyConstraint("cycle_id", name="pk_cycles"),
    )
    op.create_index("ix_cycles_job_started_at", "cycles", ["job", "started_at"])
    op.create_index(
        "ix_cycles_running",
        "cycles",
        ["job"],
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "escrow",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("source_name", sa.Text),
        sa.Column("error_code", sa.Text, nullable=False),
        sa.Column("first_failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_retry_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("account_digest", sa.Text),
        sa.Column("mapping_digest", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_escrow_job"),
        sa.PrimaryKeyConstraint("job", "source_id", name="pk_escrow"),
    )
    op.create_table(
        "links",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("source_name", sa.Text),
        sa.Column("target_uri", sa.Text, nullable=False),
        sa.Column("target_name", sa.Text),
        sa.Column("account_digest", sa.Text),
        sa.Column("written", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_links_job"),
        sa.PrimaryKeyConstraint("job", "source_id", name="pk_links"),
        sa.UniqueConstraint("job", "target_uri", name="uq_links_job_target_uri"),
    )
    op.create_table(
        "locks",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("cycle_id", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("flow_run_id", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_locks_job"),
        sa.PrimaryKeyConstraint("job", name="pk_locks"),
    )
    op.create_table(
        "skips",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_skips_job"),
        sa.PrimaryKeyConstraint("job", "source_id", name="pk_skips"),
    )
    op.create_table(
        "activities",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("change_id", sa.Text, nullable=False),
        sa.Column("cycle_id", sa.Text, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text),
        sa.Column("source_name", sa.Text),
        sa.Column("target_uri", sa.Text),
        sa.Column("target_name", sa.Text),
        sa.Column("situation", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("remedy", sa.Text),
        sa.Column("changes", sa.Text, nullable=False),
        sa.Column("refused", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycles.cycle_id"], name="fk_activities_cycle_id"),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_activities_job"),
        sa.PrimaryKeyConstraint("number", name="pk_activities"),
        sa.UniqueConstraint("change_id", name="uq_activities_change_id"),
    )
    op.create_index("ix_activities_cycle_id", "activities", ["cycle_id"])
    op.create_index("ix_activities_job_started_at", "activities", ["job", "started_at"])
    op.create_index("ix_activities_source_id", "activities", ["source_id"])
    op.create_index("ix_activities_source_name", "activities", ["source_name"])
    op.create_table(
        "journal",
        sa.Column("change_id", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("cycle_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("unit_of_work_id", sa.Text),
        sa.Column("body", sa.LargeBinary),
        sa.Column("refused", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("source_name", sa.Text),
        sa.Column("target_uri", sa.Text),
        sa.Column("target_name", sa.Text),
        sa.Column("situation", sa.Text, nullable=False),
        sa.Column("planned", sa.Text, nullable=False),
        sa.Column("account_digest", sa.Text),
        sa.Column("mapping_digest", sa.Text, nullable=False),
        sa.Column("changes", sa.Text),
        sa.Column("why", sa.Text),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("correlation_id", sa.Text),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycles.cycle_id"], name="fk_journal_cycle_id"),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_journal_job"),
        sa.PrimaryKeyConstraint("change_id", "step", name="pk_journal"),
    )
    op.create_index("ix_journal_cycle_id", "journal", ["cycle_id"])
    op.create_index(
        "ix_journal_in_flight",
        "journal",
        ["job"],
        sqlite_where=sa.text("state <> 'done'"),
        postgresql_where=sa.text("state <> 'done'"),
    )
