"""The ledger's database: opening SQLite or PostgreSQL, its schema kept up to date, read and write transactions.

Knows no table. The modules named after the nouns run their statements on the connections given here.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.resources
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, IntegrityError

from tasks.model import BadInputError, UnreachableError

BUSY_SECONDS: Final = 60
"""How long a writer waits for another process to end its transaction on SQLite."""
SCHEMA: Final = "0009"
"""The newest step of `migrations/versions`."""
_MIGRATION_LOCK: Final = 7240163952
"""Key of the PostgreSQL advisory lock under which the schema is changed."""


class Database:
    """One ledger database. Safe to use from several threads; writing transactions of a process take turns.

    Raises `BadInputError` when the URL is none; every method raises `UnreachableError` when the database fails.
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        try:
            parsed = sa.make_url(url)
        except ArgumentError as error:
            raise BadInputError(f"The ledger's `url` is {url!r}, which is no database URL: {error}. {_URLS}") from error
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        elif parsed.get_backend_name() != "sqlite" or not parsed.database:
            raise BadInputError(f"The ledger's `url` is {parsed}, which is not supported. {_URLS}")
        if password is not None:
            parsed = parsed.set(password=password)
        self.shown: Final = parsed.render_as_string(hide_password=True)
        """The URL without its password, for messages."""
        self._writing = threading.RLock()
        self._engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed)
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that only reads; with `snapshot` all its reads see the same moment."""
        with self._telling(), self._engine.connect() as connection:
            if snapshot and connection.dialect.name == "postgresql":
                # SQLite sees one moment in any transaction.
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that may write; it is committed unless an exception leaves the block."""
        with self._telling(), self._writing, self._engine.connect() as connection:
            connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn a failure of the database itself into an error that says what to do."""
        try:
            yield
        except (IntegrityError, DataError):
            raise
        except DatabaseError as error:
            said = " ".join(str(error.orig).split()).rstrip(".")
            raise UnreachableError(
                f"The ledger {self.shown} cannot be used: {said}. Check the URL and password, that the database is "
                "running, and that this account may create tables or write the file."
            ) from error

    def _migrate(self) -> None:
        """Bring the schema up to date. Processes that start together take turns; the later ones find it done."""
        with self.reading() as connection:
            if _version(connection) == SCHEMA:
                return
        # Half a second to import, and not needed when there is nothing to do.
        from alembic import command
        from alembic.config import Config
        from alembic.util.exc import CommandError

        config = Config()
        config.set_main_option("script_location", str(importlib.resources.files("tasks.ledger") / "migrations"))
        with self.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise BadInputError(
                    f"The ledger {self.shown} was last used by a newer version of this program, whose schema "
                    f"{_version(connection)} this one does not know. Install that version or a later one."
                ) from error


_URLS: Final = "Write sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE."


def upsert(connection: sa.Connection, table: sa.Table, *, keep: frozenset[str] = frozenset()) -> Any:
    """Give an INSERT that replaces the row with the same primary key, except for the columns named in `keep`.

    The same object for the same table, as `execute_many` likes it.
    """
    return _upsert(connection.dialect.name, table, keep)


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    """Give an INSERT that knows ON CONFLICT and RETURNING, for the connection's database."""
    return insert_for(connection.dialect.name, table)


def insert_for(dialect: str, table: sa.Table) -> Any:
    """Give the same by the name of the database's dialect."""
    return (sqlite_insert if dialect == "sqlite" else postgresql_insert)(table)


@functools.cache
def _upsert(dialect: str, table: sa.Table, keep: frozenset[str]) -> Any:
    statement = insert_for(dialect, table)
    keys = [column.name for column in table.primary_key]
    replaced = {
        column.name: statement.excluded[column.name] for column in table.columns if column.name not in {*keys, *keep}
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=replaced)


def _sqlite(url: sa.URL) -> sa.Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(
            f"The ledger's folder {path.parent} cannot be made ({error.strerror}). Name another file under "
            "`ledger.url` in the job file."
        ) from error
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # The driver's own way of opening transactions would leave DDL and reads outside of them.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        # A row must be on the disk, not only on its way, before the request that it announces leaves.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later could find its snapshot outdated; one that writes waits
        # for its turn at the start instead.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: sa.URL) -> sa.Engine:
    return sa.create_engine(
        url, pool_pre_ping=True, connect_args={"application_name": "provision", "connect_timeout": 15}
    )


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("ledger_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM ledger_version").scalar()
