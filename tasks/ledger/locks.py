"""Who runs a job now: one cycle at a time, held by a lease that its process renews and that dies with it.

`ledger.py` takes, checks and gives back; `Heartbeat` renews from a thread of its own.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import getpass
import os
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from tasks.ledger.database import Database, insert
from tasks.ledger.tables import LOCKS
from tasks.model import HeldError, UnreachableError

LEASE: Final = dt.timedelta(seconds=90)
"""How long a job stays held without a sign of life from its holder; renewed three times as often."""


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who runs a job: which cycle, in which process, since when and with which last sign of life (UTC)."""

    cycle_id: str
    holder: str
    host: str
    flow_run_id: str
    since: dt.datetime
    seen_at: dt.datetime


class BusyError(HeldError):
    """Raised when another cycle holds the job. Nothing was done."""


class LostLockError(HeldError):
    """Raised when a cycle finds that it holds its job no more, having been silent for too long. Nothing was written."""


def take(
    connection: sa.Connection, job: str, cycle_id: str, flow_run_id: str, lease: dt.timedelta, now: dt.datetime
) -> None:
    """Hold `job` for `cycle_id`. Raises `BusyError` naming the holder when another cycle does and is alive."""
    values: dict[str, Any] = {
        "cycle_id": cycle_id,
        "holder": holder(),
        "host": socket.gethostname(),
        "flow_run_id": flow_run_id,
        "since": now,
        "seen_at": now,
        "expires_at": now + lease,
    }
    taken = (
        insert(connection, LOCKS)
        .values(job=job, **values)
        .on_conflict_do_update(index_elements=["job"], set_=values, where=LOCKS.c.expires_at <= now)
        .returning(LOCKS.c.cycle_id)
    )
    if connection.execute(taken).scalar() is None:
        row = connection.execute(sa.select(LOCKS).where(LOCKS.c.job == job)).one()
        raise BusyError(_held(job, row, now))


def check(connection: sa.Connection, job: str, cycle_id: str) -> None:
    """Make sure, within a writing transaction, that `cycle_id` still holds `job`. Raises `LostLockError`."""
    row = connection.execute(sa.select(LOCKS).where(LOCKS.c.job == job).with_for_update(read=True)).one_or_none()
    if row is None or row.cycle_id != cycle_id:
        other = "nobody" if row is None else f"cycle {row.cycle_id} ({row.holder} on {row.host})"
        raise LostLockError(
            f"Cycle {cycle_id} does not hold the job {job} any more: {other} does. This process must have been stopped "
            "or cut off from the ledger for longer than its lease. It writes nothing further; the other cycle, or the "
            "next one, settles what was under way."
        )


def held_by(connection: sa.Connection, job: str, now: dt.datetime) -> Holder | None:
    """Give who holds `job`; null when nobody does or the lease has run out."""
    alive = sa.select(LOCKS).where(LOCKS.c.job == job, LOCKS.c.expires_at > now)
    row = connection.execute(alive).one_or_none()
    if row is None:
        return None
    return Holder(row.cycle_id, row.holder, row.host, row.flow_run_id, row.since, row.seen_at)


def give_back(connection: sa.Connection, cycle_id: str) -> None:
    """Stop holding a job."""
    connection.execute(LOCKS.delete().where(LOCKS.c.cycle_id == cycle_id))


def holder() -> str:
    """Name this process, as people would look for it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        user = "unknown user"
    return f"process {os.getpid()} of {user}"


class Heartbeat:
    """Renews a lease until stopped, from a thread that dies with the process."""

    def __init__(
        self, database: Database, cycle_id: str, lease: dt.timedelta, clock: Callable[[], dt.datetime]
    ) -> None:
        self._database = database
        self._cycle_id = cycle_id
        self._lease = lease
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat {cycle_id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing, and wait until the thread has ended."""
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self._lease.total_seconds() / 3):
            now = self._clock()
            renewed = (
                LOCKS.update()
                .where(LOCKS.c.cycle_id == self._cycle_id)
                .values(seen_at=now, expires_at=now + self._lease)
            )
            try:
                with self._database.writing() as connection:
                    connection.execute(renewed)
            except UnreachableError:
                # The database may be back before the lease ends; if not, `check` refuses the next write.
                continue


def _held(job: str, row: Any, now: dt.datetime) -> str:
    silent = max(0, round((now - row.seen_at).total_seconds()))
    run = f", flow run {row.flow_run_id}" if row.flow_run_id else ""
    return (
        f"The job {job} is being run by cycle {row.cycle_id}: {row.holder} on {row.host}{run}, since "
        f"{row.since:%Y-%m-%d %H:%M:%S} UTC, last sign of life {silent} s ago. One cycle of a job runs at a time, so "
        f"nothing was done. Wait for it to end or cancel it; if it was killed, the job is free from "
        f"{row.expires_at:%H:%M:%S} UTC on."
    )
