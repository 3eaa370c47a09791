"""What a worker of a cluster does: one part of a cycle's transform, or of its load. It opens everything by itself.

`cluster.py` hands the parts out, as paths in a folder that everybody sees, and takes paths back: neither people nor
outcomes pass through Prefect or Dask. An order to stop is passed in that folder, too.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from flows.cycle import second_look
from flows.parts import open_parts, taken_in
from tasks.load.apply import apply_plan
from tasks.load.policy import NOT_ATTEMPTED
from tasks.model import BadInputError, HeldError
from tasks.reconcile.plan_file import load_plan
from tasks.transform.parts import transform_part

_ORDERS: Final = "orders"
_GO: Final = "go on"
_EVERY_SECONDS: Final = 0.5
"""How often a worker looks whether it is to stop."""


def _may_help(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Tell whether a part that failed is worth another try: not when the job is another cycle's, or a file is wrong."""
    return not isinstance(state.result(raise_on_failure=False), HeldError | BadInputError)


@task(
    name="transform-part",
    cache_policy=NO_CACHE,
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=_may_help,
)
def transform_part_task(
    job_file: str, part: str, mapping_digest: str, now: dt.datetime, default_domain: str | None
) -> str:
    """Evaluate the people in the file `part`; give the path of their accounts. See `transform_part`."""
    parts = open_parts(Path(job_file))
    with parts.ledger:
        taken = taken_in(parts.target)
        mapping = parts.mapping
        return str(
            transform_part(Path(part), mapping, mapping_digest, now=now, default_domain=default_domain, taken=taken)
        )


@task(
    name="load-part",
    task_run_name="load-part-{number}",
    cache_policy=NO_CACHE,
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=_may_help,
)
def load_part_task(job_file: str, part: str, number: int) -> str:
    """Carry out the plan in the file `part`; give the path of its outcomes (`OUTCOME_COLUMNS`). See `apply_plan`.

    It may be called again for the same part, when the worker that had it is gone: what was under way is settled, what
    is done stays done, and the other worker, should it live, records nothing more.
    """
    parts = open_parts(Path(job_file))
    ledger, job = parts.ledger, parts.job
    file = Path(part)
    with ledger, obeying(file.parent) as stop:
        plan = load_plan(file, job.name)
        ledger.take_part(job.name, plan.cycle_id, number)
        outcomes = apply_plan(plan, parts.target, ledger, job, second_look=second_look(parts), stop=stop, part=True)
    if outcomes["error_code"].eq(NOT_ATTEMPTED).any():
        # What made this part stop, a refused sign-in for example, would make the others stop one by one.
        order_stop(file.parent)
    told = file.with_name(f"outcomes-{uuid.uuid4().hex}.parquet")
    outcomes.to_parquet(told, index=False)
    return str(told)


def let_go_on(folder: Path) -> None:
    """Let the parts in `folder` be carried out."""
    (folder / _ORDERS).write_text(_GO, encoding="utf-8")


def order_stop(folder: Path) -> None:
    """Have all who work on parts in `folder` finish what is under way and start nothing else."""
    (folder / _ORDERS).write_text("stop", encoding="utf-8")


@contextlib.contextmanager
def obeying(folder: Path) -> Iterator[threading.Event]:
    """Give the event that is set once those who work on parts in `folder` are to stop, or the folder is gone."""
    stop, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while not _is_to_stop(folder):
            if ended.wait(_EVERY_SECONDS):
                return
        stop.set()

    if _is_to_stop(folder):
        stop.set()
    thread = threading.Thread(target=watch, name="orders", daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        ended.set()
        thread.join()


def _is_to_stop(folder: Path) -> bool:
    try:
        # Read, and not only looked for: network file systems remember for a while what was not there.
        return (folder / _ORDERS).read_text(encoding="utf-8") != _GO
    except FileNotFoundError:
        return True
