"""Ledgers of every earlier schema: they come up to date with everything in them, and processes may start together."""

from __future__ import annotations

import datetime as dt
import importlib.resources
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tasks.ledger.database import SCHEMA, Database
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import METADATA
from tasks.model import CycleKind

THEN = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
LIVED: dict[str, list[dict[str, Any]]] = {
    "jobs": [{"job": "acme", "status": "on", "watermark": '{"users":"1"}', "mapping_digest": "m", "created_at": THEN}],
    "cycles": [
        {
            "cycle_id": "c1",
            "job": "acme",
            "kind": "initial",
            "state": "Completed",
            "flow_run_id": "",
            "holder": "process 1",
            "started_at": THEN,
            "ended_at": THEN,
            "counts": '{"created":1}',
            "message": "1 created",
        }
    ],
    "links": [
        {
            "job": "acme",
            "source_id": "a",
            "source_name": "ada@acme.example",
            "target_uri": "urn:a",
            "target_name": "ada",
            "account_digest": "d",
            "written": '{"FirstName":"Ada"}',
            "active": True,
            "linked_at": THEN,
        }
    ],
    "activities": [
        {
            "change_id": "x1",
            "cycle_id": "c1",
            "job": "acme",
            "source_id": "a",
            "source_name": "ada@acme.example",
            "target_uri": "urn:a",
            "target_name": "ada",
            "situation": "absent",
            "operation": "create",
            "decision": "go",
            "status": "success",
            "changes": "[]",
            "refused": "[]",
            "attempts": 1,
            "started_at": THEN,
            "duration_ms": 12,
        }
    ],
    "escrow": [
        {
            "job": "acme",
            "source_id": "b",
            "error_code": "Conflict",
            "first_failed_at": THEN,
            "last_failed_at": THEN,
            "next_retry_at": THEN + dt.timedelta(hours=6),
            "attempts": 1,
            "mapping_digest": "m",
        }
    ],
}
"""What a job had in its ledger when the first schema was the newest, and in every later one."""


def scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files("tasks.ledger") / "migrations"))
    return config


RELEASED = [step.revision for step in ScriptDirectory.from_config(scripts()).walk_revisions()][:0:-1]
"""Every schema before the newest, oldest first."""


def engine_of(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    named = parsed.set(drivername="postgresql+psycopg") if parsed.get_backend_name() == "postgresql" else parsed
    return sa.create_engine(named)


@pytest.fixture
def lived(request: pytest.FixtureRequest, ledger_url: str) -> str:
    """Give the URL of a ledger as a program of the schema `request.param` left it."""
    config, engine = scripts(), engine_of(ledger_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, request.param)
        tables = sa.MetaData()
        tables.reflect(connection)
        for name, rows in LIVED.items():
            stored = [{key: _stored(connection, value) for key, value in row.items()} for row in rows]
            connection.execute(tables.tables[name].insert(), stored)
    engine.dispose()
    return ledger_url


def _stored(connection: sa.Connection, value: Any) -> Any:
    """SQLite's own type for instants knows no time zones."""
    naive = isinstance(value, dt.datetime) and connection.dialect.name == "sqlite"
    return value.replace(tzinfo=None) if naive else value


@pytest.mark.parametrize("lived", RELEASED, indirect=True)
def test_a_ledger_of_an_earlier_schema_comes_up_to_date_with_everything_in_it(lived: str) -> None:
    with Ledger.open(lived) as ledger:
        state, links = ledger.job_state("acme"), ledger.links("acme")
        assert (state.watermark, state.mapping_digest, str(state.status)) == ({"users": "1"}, "m", "on")
        assert links[["source_id", "target_uri", "written"]].to_numpy().tolist() == [
            ["a", "urn:a", '{"FirstName":"Ada"}']
        ]
        assert ledger.activities(job="acme")["change_id"].tolist() == ["x1"]
        assert ledger.escrow("acme")["source_id"].tolist() == ["b"]
        assert ledger.cycles("acme")["started_at"].tolist() == [THEN]
        cycle_id = ledger.begin_cycle("acme", CycleKind.INCREMENTAL)
        ledger.end_cycle(cycle_id, "Completed", watermark={"users": "2"})


@pytest.mark.parametrize("lived", RELEASED, indirect=True)
def test_an_upgraded_ledger_has_the_same_tables_as_a_new_one(lived: str) -> None:
    database = Database(lived)
    with database.reading() as connection:
        options = {"version_table": "ledger_version"}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []
        assert connection.exec_driver_sql("SELECT version_num FROM ledger_version").scalar() == SCHEMA
    database.close()
