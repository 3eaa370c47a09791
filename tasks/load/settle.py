"""What an earlier run left open: requests that were sent and not answered, answers that were not read back.

`apply.py` settles before it starts anything new, and flows settle before they plan, so that a plan sees the outcome.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from operator import attrgetter

import pandas as pd

from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import Job
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Ending, Moves, Request, State
from tasks.load import outcome
from tasks.load.execute import Execution, Setting
from tasks.load.pace import pace_of
from tasks.load.patience import Patience, Stop
from tasks.load.schedule import Schedule
from tasks.load.work import PENDING, SUPERVISOR, Item
from tasks.model import (
    CHANGE_COLUMNS,
    OPERATION_COLUMNS,
    REMOVALS,
    Operation,
    Progress,
    empty_frame,
    silent,
)


def settle(
    target: RepliconUsers,
    ledger: Ledger,
    job: Job,
    cycle_id: str,
    *,
    progress: Progress = silent,
    stop: Stop | None = None,
    patience: Patience | None = None,
    among: Collection[str] | None = None,
) -> pd.DataFrame:
    """Find out what became of every open request of `job`, and record it; give the outcomes (`OUTCOME_COLUMNS`).

    With `among`, only the requests of these change ids: the others are another process's.

    Requests that were never sent are forgotten: the next plan decides anew. Those that may have been sent go out
    again, unchanged and with the same unit-of-work id. Removals are looked up instead: whoever has lost nothing yet is
    left alone, for the reason to remove them may be gone. `cycle_id` must hold the job, else `LostLockError` is raised.
    """
    changes = [
        list(group) for _, group in itertools.groupby(_in_order(ledger, job, among), key=attrgetter("change.change_id"))
    ]
    unsent = [request.key for requests in changes for request in requests if request.state is State.INTENT]
    if unsent:
        ledger.record(job.name, cycle_id, Moves(dropped=unsent))
    left = [sent for requests in changes if (sent := [one for one in requests if one.state is not State.INTENT])]
    items = [_item(requests) for requests in left]
    if not items:
        return outcome.frame_of([])
    return outcome.frame_of(_run(items, target, ledger, job, cycle_id, progress, stop or Stop(), patience))


def _run(
    items: Sequence[Item],
    target: RepliconUsers,
    ledger: Ledger,
    job: Job,
    cycle_id: str,
    progress: Progress,
    stop: Stop,
    patience: Patience | None,
) -> list[Ending]:
    setting = Setting(
        target=target,
        ledger=ledger,
        job=job.name,
        cycle_id=cycle_id,
        workers=job.load.workers,
        pace=pace_of(target, ledger, job, patience or Patience()),
        patience=patience or Patience(),
        progress=lambda _, done, total, note="": progress("settle", done, total, note),
    )
    nothing = Schedule(empty_frame(OPERATION_COLUMNS), empty_frame(CHANGE_COLUMNS), "", {})
    execution = Execution(setting, nothing, {}, stop)
    execution.resume(items)
    execution.run()
    return execution.endings


def _in_order(ledger: Ledger, job: Job, among: Collection[str] | None) -> list[Request]:
    found = ledger.open_requests(job.name)
    mine = found if among is None else [request for request in found if request.change.change_id in among]
    return sorted(mine, key=attrgetter("change.change_id", "step"))


def _item(requests: Sequence[Request]) -> Item:
    """Give the operation as it stood: `requests` are its steps in order, of which the last one is taken up again."""
    last = requests[-1]
    change = last.change
    written = {entry.attribute: entry.after for entry in change.differences}
    if str(written.get(SUPERVISOR, "")).startswith(PENDING):
        del written[SUPERVISOR]
    item = Item(
        change=change,
        operation=last.operation,
        values={name: value for name, value in written.items() if name not in last.refused},
        step=last.step,
        request=last,
        target_uri=change.target_uri,
        target_name=change.target_name,
        refused=dict(last.refused),
        notes=["An earlier run was cut off before this was finished."],
        attempts=sum(request.attempts for request in requests),
        resumed=True,
    )
    answered = [request for request in requests if request.state is State.ANSWERED]
    if answered:
        item.target_uri, item.target_name = answered[-1].change.target_uri, answered[-1].change.target_name
        item.done = Operation.DISABLE if last.operation is Operation.DISABLE else answered[0].operation
        item.wrote = dict(item.values)
    if SUPERVISOR not in written and any(entry.attribute == SUPERVISOR for entry in change.differences):
        item.refused.setdefault(SUPERVISOR, f"{SUPERVISOR}: the run ended before the supervisor's account was there")
    if last.state is State.SENT and last.operation in REMOVALS:
        item.assumed, item.done, item.wrote = True, last.operation, dict(item.values)
    return item
