"""A whole ledger copied to one file while cycles go on, and put back from it in one transaction.

The file is a SQLite ledger, whichever database the ledger is in, so that a backup of one can go into the other.
`flows/backup.py` calls it; what a restored job goes on from is `administration.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from tasks.ledger import administration, cycles, locks
from tasks.ledger.cycles import JobStatus
from tasks.ledger.database import SCHEMA, Database
from tasks.ledger.tables import CYCLES, JOBS, LOCKS, METADATA
from tasks.model import BadInputError, HeldError

_ROWS: Final = 5_000
"""How many rows are in memory at once."""


@dataclasses.dataclass(frozen=True)
class Copied:
    """What a backup holds: its jobs, how many cycles, and when the latest of them began (UTC; null without any)."""

    jobs: tuple[str, ...]
    cycles: int
    latest: dt.datetime | None


class NewerLedgerError(HeldError):
    """Raised when a ledger knows of cycles that its backup does not. Nothing was restored."""


def back_up(ledger: Database, file: Path) -> Copied:
    """Copy `ledger` to `file` as it is at one moment, readable by this user alone; say what is in it.

    Whoever reads or writes the ledger meanwhile goes on. Raises `BadInputError` when `file` is there or cannot be
    written, or there is nothing to back up.
    """
    if file.exists():
        raise BadInputError(f"{file} is there already, and a backup is never written over. Give another name.")
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        partial.touch(mode=0o600)
        with _opened(partial) as copy, ledger.reading(snapshot=True) as old, copy.writing() as new:
            _copy(old, new)
            copied = _content(new)
            if not copied.jobs:
                raise BadInputError(
                    f"The ledger {ledger.shown} knows no job, so there is nothing to back up. A relative path under "
                    "`ledger.url` counts from the current folder: call this where the cycles run."
                )
        _as_one_file(partial)
        partial.rename(file)
    except OSError as error:
        raise BadInputError(
            f"The backup {file} cannot be written ({error.strerror}). Name a file in a folder that is there."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return copied


def restore(
    ledger: Database,
    file: Path,
    *,
    over_newer: bool,
    lease: dt.timedelta,
    clock: Callable[[], dt.datetime],
    by: str,
    why: str,
) -> Copied:
    """Make `ledger` what it was when `file` was written, for who and why; say what that is.

    Each job then reads everybody and looks at every account. One that is off stays off. All in one transaction: it
    happens whole or not at all. Raises `BadInputError` when `file` is no ledger that this version knows, `BusyError`
    when a cycle runs, and `NewerLedgerError` when `ledger` knows of later cycles, unless it may go `over_newer`.
    """
    with _examined(file) as backup, backup.reading() as old, ledger.writing() as new:
        now = clock()
        found, present = _content(old), _content(new)
        _hold(new, present, lease, now)
        lost = _later(new, found)
        if lost and not over_newer:
            since = "" if found.latest is None else f" after {found.latest:%Y-%m-%d %H:%M} UTC"
            raise NewerLedgerError(
                f"The ledger {ledger.shown} knows of {lost:,} cycles that began{since} and are not in {file}. What "
                "they did stays in Replicon and is found again by matching and reading, but its record would be gone: "
                "back the ledger up, then confirm. Nothing was restored."
            )
        switches = {job: cycles.state(new, job).status for job in present.jobs}
        for table in reversed(METADATA.sorted_tables):
            new.execute(table.delete())
        _copy(old, new)
        for job in found.jobs:
            status = switches.get(job, JobStatus.ON)
            administration.restored(new, job, status, f"{file.name}: {_told(found)}", by, why, now)
    return found


def _hold(connection: sa.Connection, present: Copied, lease: dt.timedelta, now: dt.datetime) -> None:
    """Let no cycle begin until the transaction ends. Raises `BusyError` when one runs."""
    token = uuid.uuid4().hex
    for job in present.jobs:
        locks.take(connection, job, token, "", lease, now)


def _later(connection: sa.Connection, found: Copied) -> int:
    """Count the cycles that began after the latest one of a backup."""
    counted = sa.select(sa.func.count()).select_from(CYCLES)
    chosen = counted if found.latest is None else counted.where(CYCLES.c.started_at > found.latest)
    return connection.execute(chosen).scalar_one()


def _content(connection: sa.Connection) -> Copied:
    jobs = connection.execute(sa.select(JOBS.c.job).order_by(JOBS.c.job)).scalars().all()
    count, latest = connection.execute(sa.select(sa.func.count(), sa.func.max(CYCLES.c.started_at))).one()
    return Copied(tuple(jobs), count, latest)


def _told(copied: Copied) -> str:
    return "no cycle yet" if copied.latest is None else f"up to the cycle of {copied.latest:%Y-%m-%d %H:%M} UTC"


def _copy(old: sa.Connection, new: sa.Connection) -> None:
    """Copy all rows, into tables that are empty; nobody holds a job in the copy."""
    for table in METADATA.sorted_tables:
        if table is LOCKS:
            continue
        rows = old.execution_options(yield_per=_ROWS).execute(sa.select(table))
        for part in rows.mappings().partitions():
            new.execute(table.insert(), [dict(row) for row in part])
        _count_on(new, table)


def _count_on(connection: sa.Connection, table: sa.Table) -> None:
    """Let PostgreSQL number further rows after the copied ones; SQLite does so by itself."""
    counted = table.autoincrement_column
    if counted is None or connection.dialect.name != "postgresql":
        return
    connection.execute(
        sa.select(
            sa.func.setval(
                sa.func.pg_get_serial_sequence(table.name, counted.name),
                sa.select(sa.func.coalesce(sa.func.max(counted), 0) + 1).scalar_subquery(),
                sa.false(),
            )
        )
    )


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{file.resolve().as_posix()}")
    try:
        yield database
    finally:
        database.close()


@contextlib.contextmanager
def _examined(file: Path) -> Iterator[Database]:
    """Give a copy of the backup, of the newest schema. Raises `BadInputError` when `file` is no sound backup."""
    with tempfile.TemporaryDirectory(prefix="provision-restore-") as folder:
        copy = Path(folder) / "ledger.db"
        version = _copied_version(file, copy)
        if version > SCHEMA:
            raise BadInputError(
                f"{file} was written by a newer version of this program: its schema is {version}, and this one knows "
                f"those up to {SCHEMA}. Install that version or a later one. Nothing was restored."
            )
        with _opened(copy) as database:
            yield database


def _copied_version(file: Path, copy: Path) -> str:
    """Copy a SQLite file and give its schema's version. Raises `BadInputError` when it is no sound ledger."""
    if not file.is_file():
        raise BadInputError(f"There is no backup {file}. Give the file that `provision ledger backup` wrote.")
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as old,
            contextlib.closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
            damage = new.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if damage == "ok":
                return str(new.execute("SELECT version_num FROM ledger_version").fetchone()[0])
    except (sqlite3.DatabaseError, TypeError) as error:
        damage = str(error)
    raise BadInputError(
        f"{file} is no sound backup of a ledger ({damage}). Give a file that `provision ledger backup` wrote. Nothing "
        "was restored."
    )


def _as_one_file(file: Path) -> None:
    """Leave no second file beside a SQLite database."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
