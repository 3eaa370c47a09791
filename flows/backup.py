"""A job's ledger backed up to a file and restored from one. Works without Prefect, while cycles run."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from flows.parts import ledger_password
from tasks.job import Job, load_job
from tasks.ledger import backup
from tasks.ledger.backup import Copied
from tasks.ledger.database import Database
from tasks.ledger.ledger import utc_now
from tasks.ledger.locks import LEASE
from tasks.model import BadInputError


def back_up(console: Console, job_file: Path, file: Path) -> None:
    """Write the ledger of the job at `job_file` to `file` and print what is in it."""
    with _database(load_job(job_file)) as ledger:
        copied = backup.back_up(ledger, file)
    console.print(Text(f"Wrote {file}: {_told(copied)}."))


def restore(console: Console, job_file: Path, file: Path, *, confirm: str, by: str, why: str) -> None:
    """Put the ledger of the job at `job_file` back as it was when `file` was written, and print what that is.

    Raises what `tasks.ledger.backup.restore` raises, and `BadInputError` when `confirm` is another name.
    """
    job = load_job(job_file)
    if confirm not in {"", job.name}:
        raise BadInputError(
            f"Going back behind what the ledger knows is confirmed by the job's name: expected {job.name!r}, found "
            f"{confirm!r}. Nothing was restored."
        )
    with _database(job) as ledger:
        copied = backup.restore(
            ledger,
            file,
            over_newer=bool(confirm),
            lease=LEASE,
            clock=utc_now,
            by=by or getpass.getuser(),
            why=why,
        )
    console.print(Text(f"Restored {file}: {_told(copied)}. The next cycle reads everybody and looks at every account."))


def _told(copied: Copied) -> str:
    jobs = ", ".join(copied.jobs)
    return f"the job{'s' if len(copied.jobs) > 1 else ''} {jobs}, {_cycles(copied)}"


def _cycles(copied: Copied) -> str:
    if copied.latest is None:
        return "no cycle yet"
    count = "1 cycle" if copied.cycles == 1 else f"{copied.cycles:,} cycles"
    return f"{count}, the latest of {copied.latest:%Y-%m-%d %H:%M} UTC"


@contextlib.contextmanager
def _database(job: Job) -> Iterator[Database]:
    database = Database(job.ledger.url, ledger_password(job))
    try:
        yield database
    finally:
        database.close()
