"""Opening a ledger: the schema, processes that start together, and what goes wrong with URLs and files."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tasks.ledger.database import SCHEMA, Database
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import METADATA
from tasks.model import BadInputError, CycleKind, UnreachableError

OPENS = """
import sys
from tasks.ledger.ledger import Ledger
from tasks.model import CycleKind
sys.stdin.readline()
with Ledger.open(sys.argv[1]) as ledger:
    ledger.end_cycle(ledger.begin_cycle(sys.argv[2], CycleKind.INITIAL), "completed")
"""


def test_the_migrations_make_the_tables_that_the_code_knows(ledger_url: str) -> None:
    database = Database(ledger_url)
    with database.reading() as connection:
        options = {"version_table": "ledger_version"}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []
    database.close()


def test_the_newest_step_is_the_schema_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", "tasks.ledger:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA


def test_processes_that_start_together_make_one_ledger(ledger_url: str) -> None:
    # Nobody reads the line before all are there, so that they open an empty database at once.
    running = [
        subprocess.Popen([sys.executable, "-c", OPENS, ledger_url, f"job-{number}"], stdin=subprocess.PIPE)
        for number in range(3)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.wait(120) for process in running] == [0, 0, 0]
    for process in running:
        assert process.stdin is not None
        process.stdin.close()
    with Ledger.open(ledger_url) as ledger:
        assert sorted(ledger.cycles()["job"]) == ["job-0", "job-1", "job-2"]


def test_what_was_stored_is_there_after_opening_again(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        ledger.end_cycle(ledger.begin_cycle("acme", CycleKind.INITIAL), "completed", watermark={"a": 1})
    with Ledger.open(ledger_url) as ledger:
        assert ledger.job_state("acme").watermark == {"a": 1}


def test_a_ledger_of_a_newer_version_is_refused(ledger_url: str) -> None:
    Ledger.open(ledger_url).close()
    url = sa.make_url(ledger_url)
    name = "postgresql+psycopg" if url.get_backend_name() == "postgresql" else url.drivername
    engine = sa.create_engine(url.set(drivername=name))
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE ledger_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(BadInputError, match="9999"):
        Ledger.open(ledger_url)


def test_instants_need_a_time_zone_and_come_back_as_utc(ledger_url: str) -> None:
    berlin = dt.timezone(dt.timedelta(hours=2))
    with Ledger.open(ledger_url, clock=lambda: dt.datetime(2026, 7, 1, 10, 0, tzinfo=berlin)) as ledger:
        ledger.begin_cycle("acme", CycleKind.INITIAL)
        assert str(ledger.cycles()["started_at"].iloc[0]) == "2026-07-01 08:00:00+00:00"
    with (
        Ledger.open(ledger_url, clock=lambda: dt.datetime(2026, 7, 1, 10, 0)) as ledger,  # noqa: DTZ001 - on purpose
        pytest.raises(sa.exc.StatementError, match="time zone"),
    ):
        ledger.begin_cycle("acme", CycleKind.INITIAL)


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "sqlite://"])
def test_a_url_that_is_none_is_told_with_what_to_write(url: str) -> None:
    with pytest.raises(BadInputError, match="Write sqlite:///FILE"):
        Ledger.open(url)


def test_a_server_that_does_not_answer_is_told_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://provision@/ledger?host={tmp_path}"
    with pytest.raises(UnreachableError, match="Check the URL and password") as raised:
        Ledger.open(url, "s3cret-word")
    assert "s3cret-word" not in str(raised.value)
    assert "s3cret-word" not in str(raised.value.__cause__)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database " * 1000)
    with pytest.raises(UnreachableError, match="not a database"):
        Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    Ledger.open(f"sqlite:///{tmp_path / 'deep' / 'down' / 'ledger.db'}").close()
    assert (tmp_path / "deep" / "down" / "ledger.db").exists()
