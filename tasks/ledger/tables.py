"""The ledger's tables: what is remembered between cycles, and the indexes that keep work proportional to change.

No queries here; the modules named after the nouns hold those. `migrations/` makes the same tables step by step.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa


class Instant(sa.types.TypeDecorator[dt.datetime]):
    """An instant, always UTC: `timestamptz` on PostgreSQL, sortable UTC text on SQLite. Takes aware datetimes only."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, _dialect: sa.Dialect) -> dt.datetime | None:
        """Turn an aware datetime to UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"expected an instant with its time zone, found {value!r}")
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: Any, _dialect: sa.Dialect) -> dt.datetime | None:
        """Give an aware UTC datetime."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


METADATA: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of the ledger."""

JOBS: Final = sa.Table(
    "jobs",
    METADATA,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("watermark", sa.Text),
    sa.Column("watermark_at", Instant),
    sa.Column("mapping_digest", sa.Text),
    sa.Column("last_complete", sa.Text),
    sa.Column("quarantine_reason", sa.Text),
    sa.Column("quarantine_message", sa.Text),
    sa.Column("quarantine_since", Instant),
    sa.Column("quarantine_cycles", sa.Integer, nullable=False, server_default="0"),
    sa.Column("quarantine_until", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("settings", sa.Text),
    sa.Column("force_removals", sa.Boolean, nullable=False, server_default=sa.false()),
)
"""One row a job: what the next cycle starts from. `watermark` and `last_complete` are JSON.

`watermark_at` is when the cycle began that read up to the watermark. `quarantine_cycles` counts the bad cycles that
lengthened the pause, which lasts to `quarantine_until`. `settings` names the scope and source that were carried out
last; `force_removals` lets the next cycle exceed the limit of removals."""


ADMINISTRATION: Final = sa.Table(
    "administration",
    METADATA,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("by_whom", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Index(None, "job"),
)
"""One row whatever an administrator did to a job: switched it on or off, restarted it."""

CYCLES: Final = sa.Table(
    "cycles",
    METADATA,
    sa.Column("cycle_id", sa.Text, primary_key=True),
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("flow_run_id", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("counts", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("manifest", sa.Text),
    sa.Column("measured", sa.Text),
    sa.Column("chain_position", sa.BigInteger),
    sa.Column("chain_head", sa.Text),
    sa.Column("pruned_at", Instant),
    sa.Index(None, "job", "started_at"),
    sa.Index(
        "ix_cycles_running",
        "job",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    ),
)
"""One row a run of a job; `counts`, `manifest` and `measured` are JSON objects. `chain_position` and `chain_head` are
where the job's chain stood at the end; `pruned_at` is when some of its activities were removed."""

LOCKS: Final = sa.Table(
    "locks",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("cycle_id", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("flow_run_id", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)
"""Who runs a job now. A holder that stops renewing loses the job when `expires_at` has passed."""

PARTS: Final = sa.Table(
    "parts",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("taken_at", Instant, nullable=False),
)
"""Who carries out a part of the work of the cycle that runs, where it is cut into parts: whoever took it last."""

LINKS: Final = sa.Table(
    "links",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("source_name", sa.Text),
    sa.Column("target_uri", sa.Text, nullable=False),
    sa.Column("target_name", sa.Text),
    sa.Column("account_digest", sa.Text),
    sa.Column("written", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("linked_at", Instant, nullable=False),
    sa.UniqueConstraint("job", "target_uri"),
    sa.Index(
        "ix_links_look_again",
        "job",
        sqlite_where=sa.text("account_digest IS NULL"),
        postgresql_where=sa.text("account_digest IS NULL"),
    ),
)
"""One row a linked pair of source object and account; an account is linked once within a job.

`account_digest` is null when the account is to be looked at again; `written` is JSON."""

SKIPS: Final = sa.Table(
    "skips",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("error_code", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("told_at", Instant, nullable=False),
)
"""One row a person whose skip has been told, so that it is told again only when it changes."""

JOURNAL: Final = sa.Table(
    "journal",
    METADATA,
    sa.Column("change_id", sa.Text, primary_key=True),
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), nullable=False),
    sa.Column("cycle_id", sa.Text, sa.ForeignKey(CYCLES.c.cycle_id), nullable=False),
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
    sa.Column("intended_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("correlation_id", sa.Text),
    sa.Index(
        "ix_journal_in_flight",
        "job",
        sqlite_where=sa.text("state <> 'done'"),
        postgresql_where=sa.text("state <> 'done'"),
    ),
    sa.Index(None, "cycle_id"),
)
"""One row a request that writes, made before the request leaves; a change has one or more, its steps.

`planned` is the operation that was planned and `operation` what this step does: a refused delete goes on as a disable.
`body` (the exact request) and `changes` (JSON) are forgotten once the change is done, for they hold personal data."""

ACTIVITIES: Final = sa.Table(
    "activities",
    METADATA,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("change_id", sa.Text, nullable=False, unique=True),
    sa.Column("cycle_id", sa.Text, sa.ForeignKey(CYCLES.c.cycle_id), nullable=False),
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), nullable=False),
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
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("duration_ms", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger),
    sa.Column("seal", sa.Text),
    sa.UniqueConstraint("job", "position"),
    sa.Index(None, "cycle_id"),
    sa.Index(None, "job", "started_at"),
    sa.Index(None, "source_id"),
    sa.Index(None, "source_name"),
)
"""One row a change: how it ended, as far as it is known; `changes` and `refused` are JSON.

`position` is the row's place in its job's chain, from 1, and `seal` the hash over the row and the seal before it."""

CHAINS: Final = sa.Table(
    "chains",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
)
"""One row a job: the last position and seal of its activities. Whoever records activities holds this row."""

SUPERSEDED: Final = sa.Table(
    "superseded",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("change_id", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
)
"""One row an activity that was brought up to date: `record` is what it said before, as it was sealed."""

PRUNINGS: Final = sa.Table(
    "prunings",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
    sa.Column("pruned_at", Instant, nullable=False),
)
"""One row a stretch of the chain that retention removed: its first and last position, and the seal of the last."""

ESCROW: Final = sa.Table(
    "escrow",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("source_name", sa.Text),
    sa.Column("error_code", sa.Text, nullable=False),
    sa.Column("first_failed_at", Instant, nullable=False),
    sa.Column("last_failed_at", Instant, nullable=False),
    sa.Column("next_retry_at", Instant),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("account_digest", sa.Text),
    sa.Column("mapping_digest", sa.Text, nullable=False),
    sa.Column("partial", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reason", sa.Text),
)
"""One row a person whose last operation failed or was not wholly done, and when it is tried again.

`next_retry_at` is null once given up: then only a changed source or mapping, or a person, brings it back. `partial`
tells that a part of the operation was done."""

PLANS: Final = sa.Table(
    "plans",
    METADATA,
    sa.Column("plan_id", sa.Text, primary_key=True),
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("saved_at", Instant, nullable=False),
    sa.Column("choice", sa.Text),
    sa.Column("decided_by", sa.Text),
    sa.Column("why", sa.Text),
    sa.Column("decided_at", Instant),
)
"""One row a plan that was saved to a file: its digest, and what somebody decided about it, and why."""

LEAVING: Final = sa.Table(
    "leaving",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("since", Instant, nullable=False),
)
"""One row a linked person who is to lose the login once the job's days of grace are over."""


SOURCES: Final = sa.Table(
    "sources",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("settings", sa.Text, nullable=False),
    sa.Column("default_domain", sa.Text),
    sa.Column("roles", sa.Text, nullable=False),
)
"""One row a job whose source is remembered: under which settings it was read, and the application's roles (JSON)."""

SOURCE_PEOPLE: Final = sa.Table(
    "source_people",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("presence", sa.Text, nullable=False),
    sa.Column("manager", sa.Text),
    sa.Column("attributes", sa.Text, nullable=False),
    sa.Index(None, "job", "manager"),
    sqlite_with_rowid=False,
)
"""One row a person who is entitled or linked: the whole source object, `attributes` a JSON object without its nulls.

`manager` is the last one that was known, kept while that manager is deleted, so that their reports are found."""

SOURCE_MEMBERS: Final = sa.Table(
    "source_members",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("member_id", sa.Text, primary_key=True),
    sa.Column("group_id", sa.Text, primary_key=True),
    sa.Column("direct", sa.Boolean, nullable=False),
    sa.Index(None, "job", "group_id"),
    sqlite_with_rowid=False,
)
"""One row an assigned group and one of its members."""

SOURCE_GRANTS: Final = sa.Table(
    "source_grants",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("assignment_id", sa.Text, primary_key=True),
    sa.Column("principal_id", sa.Text),
    sa.Column("principal_type", sa.Text),
    sa.Column("principal_name", sa.Text),
    sa.Column("role_id", sa.Text),
    sqlite_with_rowid=False,
)
"""One row an assignment, as the directory listed it last."""

UNSETTLED: Final = sa.Table(
    "unsettled",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)
"""One row a person whose operation was held, staged or not come to: looked at again whether or not they change."""

BUDGETS: Final = sa.Table(
    "budgets",
    METADATA,
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)
"""One row a target: the calls made of late, the permits out, and the rate limits found, as JSON."""

NOTICES: Final = sa.Table(
    "notices",
    METADATA,
    sa.Column("job", sa.Text, sa.ForeignKey(JOBS.c.job), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("over_at", Instant),
    sa.Column("told", sa.Boolean, nullable=False),
)
"""One row a thing that people have to know: standing since when, over when, and whether they were told it stands."""
