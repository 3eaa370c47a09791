"""Activities in a chain that shows tampering, what retention removed, what a cycle measured, and views to query."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from typing import Any, Final

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_SEALED: Final = (
    "change_id", "cycle_id", "job", "source_id", "source_name", "target_uri", "target_name", "situation", "operation",
    "decision", "status", "error_code", "reason", "remedy", "changes", "refused", "attempts", "started_at",
    "duration_ms",
)  # fmt: skip
_ACTIVITIES: Final = sa.table(
    "activities",
    sa.column("number", sa.BigInteger),
    sa.column("position", sa.BigInteger),
    sa.column("seal", sa.Text),
    *(sa.column(name, sa.DateTime(timezone=True) if name == "started_at" else sa.Text) for name in _SEALED),
)
_PART: Final = 10_000
_GROUPS: Final = (
    "created",
    "updated",
    "enabled",
    "disabled",
    "deleted",
    "linked",
    "failed",
    "held",
    "staged",
    "skipped",
)
_DROPPED: Final = ("v_time_to_provision", "v_links", "v_escrow", "v_failures", "v_activities", "v_cycles")


def upgrade() -> None:
    """Make the tables, seal what is recorded already, and make the views."""
    for name in _DROPPED:
        op.execute(f"DROP VIEW IF EXISTS {name}")
    op.add_column("jobs", sa.Column("watermark_at", sa.DateTime(timezone=True)))
    for column in (
        sa.Column("measured", sa.Text),
        sa.Column("chain_position", sa.BigInteger),
        sa.Column("chain_head", sa.Text),
        sa.Column("pruned_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("cycles", column)
    with op.batch_alter_table("activities") as activities:
        activities.add_column(sa.Column("position", sa.BigInteger))
        activities.add_column(sa.Column("seal", sa.Text))
        activities.create_unique_constraint("uq_activities_job_position", ["job", "position"])
    op.create_table(
        "chains",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_chains_job"),
        sa.PrimaryKeyConstraint("job", name="pk_chains"),
    )
    op.create_table(
        "superseded",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("change_id", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_superseded_job"),
        sa.PrimaryKeyConstraint("job", "position", name="pk_superseded"),
    )
    op.create_table(
        "prunings",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
        sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.job"], name="fk_prunings_job"),
        sa.PrimaryKeyConstraint("job", "first", name="pk_prunings"),
    )
    connection = op.get_bind()
    for job in connection.execute(sa.select(sa.distinct(_ACTIVITIES.c.job))).scalars().all():
        _seal(connection, job)
    for name, body in _views(connection.dialect.name).items():
        op.execute(f"CREATE VIEW {name} AS {body}")


def _seal(connection: sa.Connection, job: str) -> None:
    """Seal the activities of `job` in the order in which they were recorded."""
    position, seal = 0, ""
    sealing = (
        sa.update(_ACTIVITIES)
        .where(_ACTIVITIES.c.number == sa.bindparam("row"))
        .values(position=sa.bindparam("at"), seal=sa.bindparam("by"))
    )
    for rows in _parts(connection, job):
        sealed = []
        for row in rows:
            record = orjson.dumps([_plain(row[name]) for name in _SEALED]).decode()
            position, seal = position + 1, hashlib.sha256(f"{seal}\n{record}".encode()).hexdigest()
            sealed.append({"row": row["number"], "at": position, "by": seal})
        connection.execute(sealing, sealed)
    chains = sa.table("chains", sa.column("job"), sa.column("position"), sa.column("seal"))
    connection.execute(sa.insert(chains), {"job": job, "position": position, "seal": seal})


def _parts(connection: sa.Connection, job: str) -> Iterator[Any]:
    after = -1
    while True:
        chosen = sa.select(_ACTIVITIES).where(_ACTIVITIES.c.job == job, _ACTIVITIES.c.number > after)
        rows = connection.execute(chosen.order_by(_ACTIVITIES.c.number).limit(_PART)).mappings().all()
        if not rows:
            return
        yield rows
        after = rows[-1]["number"]


def _plain(value: Any) -> Any:
    if not isinstance(value, dt.datetime):
        return value
    aware = value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    return aware.isoformat(timespec="microseconds")


def _views(dialect: str) -> dict[str, str]:
    """Give the views by name, in the database's own words for JSON and time."""
    sqlite = dialect == "sqlite"

    def number(column: str, key: str) -> str:
        found = f"json_extract({column}, '$.{key}')" if sqlite else f"({column}::json ->> '{key}')"
        return f"COALESCE(CAST({found} AS INTEGER), 0)"

    def seconds(start: str, end: str) -> str:
        if sqlite:
            return f"ROUND((julianday({end}) - julianday({start})) * 86400.0, 3)"
        return f"CAST(EXTRACT(EPOCH FROM {end} - {start}) AS DOUBLE PRECISION)"

    done_at = (
        "strftime('%Y-%m-%d %H:%M:%f', a.started_at, '+' || (a.duration_ms / 1000.0) || ' seconds')"
        if sqlite
        else "a.started_at + a.duration_ms * INTERVAL '1 millisecond'"
    )
    counted = ", ".join(f"{number('c.counts', group)} AS {group}" for group in _GROUPS)
    activity = (
        "a.job, a.cycle_id, a.change_id, a.source_id, a.source_name, a.target_uri, a.target_name, a.situation, "
        "a.operation, a.decision, a.status, a.error_code, a.reason, a.remedy, a.attempts, a.started_at, a.duration_ms"
    )
    return {
        "v_cycles": (
            "SELECT c.job, c.cycle_id, c.kind, c.state, c.started_at, c.ended_at, "
            f"{seconds('c.started_at', 'c.ended_at')} AS seconds, {counted}, c.message, c.flow_run_id, "
            "c.chain_position, c.chain_head FROM cycles c"
        ),
        "v_activities": f"SELECT {activity}, a.changes, a.refused, a.position, a.seal FROM activities a",
        "v_failures": f"SELECT {activity}, a.refused FROM activities a WHERE a.status IN ('failure', 'warning')",
        "v_escrow": (
            "SELECT e.job, e.source_id, e.source_name, e.error_code, e.first_failed_at, e.last_failed_at, "
            "e.next_retry_at, e.attempts, CASE WHEN e.next_retry_at IS NULL THEN 1 ELSE 0 END AS given_up FROM escrow e"
        ),
        "v_links": (
            "SELECT l.job, l.source_id, l.source_name, l.target_uri, l.target_name, l.active, l.linked_at FROM links l"
        ),
        "v_time_to_provision": (
            "SELECT p.job, p.source_id, p.source_name, p.first_seen_at, p.provisioned_at, "
            f"{seconds('p.first_seen_at', 'p.provisioned_at')} AS seconds FROM ("
            f"SELECT a.job, a.source_id, a.source_name, {done_at} AS provisioned_at, "
            "(SELECT MIN(c.started_at) FROM activities b JOIN cycles c ON c.cycle_id = b.cycle_id "
            "WHERE b.source_id = a.source_id AND b.job = a.job) AS first_seen_at "
            "FROM activities a WHERE a.operation = 'create' AND a.status IN ('success', 'warning') "
            "AND NOT EXISTS (SELECT 1 FROM activities d WHERE d.source_id = a.source_id AND d.job = a.job "
            "AND d.operation = 'create' AND d.status IN ('success', 'warning') AND d.position < a.position)) p"
        ),
    }
