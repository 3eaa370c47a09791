"""A process that runs whole cycles and can be killed in the middle of one. No tests here.

It obeys its standard input: a line `run SECONDS JOB` forks a process that runs one cycle of the job file with its clock
so far ahead, and says its number; `wait` says how the oldest of them ended. Forking saves the imports, which would take
longer than the cycles.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import traceback
from pathlib import Path

import pandas as pd

from flows.cycle import Cycle, as_read, holding, note_leaving, second_look, to_remember, watermark_of
from flows.parts import Parts, open_mapping, taken_in
from flows.quarantine import judge_quarantine
from tasks.connectors.http import RetryPolicy
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.connectors.replicon.client import RepliconClient
from tasks.connectors.replicon.users import RepliconUsers
from tasks.extract.assignments import extract_assignments
from tasks.job import GraphSource, load_job
from tasks.ledger.ledger import Ledger
from tasks.ledger.locks import BusyError
from tasks.load.apply import apply_plan
from tasks.load.patience import Patience
from tasks.load.policy import NOT_ATTEMPTED
from tasks.model import CycleChoice, Extraction, Plan, ProvisioningError, Status
from tasks.reconcile.plan import make_plan
from tasks.transform.accounts import to_accounts

DONE, SOME_FAILED, HELD, REFUSED, BROKEN = 0, 3, 4, 5, 9
"""How a cycle ends: all done; not all of it; another one runs; an end was out of reach; and a defect."""
BRISK = Patience(again=(0.01, 0.02, 0.03), throttled=(0.02, 0.05), throttled_for=0.5, dead_after=20)


def main() -> None:
    """Obey the standard input until it ends."""
    running: list[int] = []
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "run":
            ahead, _, job_file = rest.partition(" ")
            running.append(_forked(Path(job_file), dt.timedelta(seconds=float(ahead))))
            print(running[-1], flush=True)
        else:
            _, status = os.waitpid(running.pop(0), 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


def _forked(job_file: Path, ahead: dt.timedelta) -> int:
    number = os.fork()
    if number:
        return number
    code = BROKEN
    try:
        code = cycle(job_file, ahead)
    finally:
        if code == BROKEN:
            traceback.print_exc()
        os._exit(code)


def cycle(job_file: Path, ahead: dt.timedelta) -> int:
    """Run one cycle as the flow does, without Prefect and without waiting long for anything."""
    try:
        parts = brisk_parts(job_file, ahead)
        with parts.ledger, holding(parts, CycleChoice.AUTOMATIC) as held:
            return _carried_out(parts, held)
    except BusyError:
        return HELD
    except ProvisioningError:
        return REFUSED


def brisk_parts(job_file: Path, ahead: dt.timedelta) -> Parts:
    """Open what the job names, with a clock that runs ahead, to wait for no lease, and ends that hardly wait."""
    job = load_job(job_file)
    mapping, no_wait = open_mapping(job), lambda _seconds: None
    assert isinstance(job.source, GraphSource)
    client = RepliconClient(job.target, retries=RetryPolicy(attempts=4), wait=no_wait, connections=16)
    return Parts(
        job=job,
        mapping=mapping,
        directory=MicrosoftGraph(job.source, wait=no_wait),
        target=RepliconUsers(client, frozenset(mapping.by_name)),
        ledger=Ledger.open(job.ledger.url, clock=lambda: dt.datetime.now(dt.UTC) + ahead),
        patience=BRISK,
    )


def _carried_out(parts: Parts, held: Cycle) -> int:
    job, mapping, memory = parts.job, parts.mapping, held.memory
    extraction = extract_assignments(
        parts.directory, mapping.source_attributes, job.scope, memory.known, since=memory.since
    )
    held = as_read(parts, held, extraction)
    accounts = to_accounts(
        extraction.assignments,
        mapping,
        now=memory.now,
        default_domain=extraction.default_domain,
        taken=taken_in(parts.target),
        linked=memory.known,
    )
    plan = make_plan(
        accounts,
        mapping.matching,
        memory.links,
        memory.skips,
        parts.target,
        job,
        cycle_id=held.cycle_id,
        kind=held.memory.kind,
        manifest=extraction.manifest,
        now=memory.now,
        last_complete=memory.last_complete,
        leaving=note_leaving(parts, held, accounts),
        history=memory.history,
    )
    outcomes = apply_plan(
        plan, parts.target, parts.ledger, job, second_look=second_look(parts), patience=parts.patience
    )
    judge_quarantine(parts, plan, held.cycle_id, outcomes)
    _end(parts, held, extraction, plan, outcomes)
    return DONE if not outcomes["status"].isin([Status.FAILURE, Status.WARNING]).any() else SOME_FAILED


def _end(parts: Parts, held: Cycle, extraction: Extraction, plan: Plan, outcomes: pd.DataFrame) -> None:
    whole = plan.manifest.complete and not outcomes["error_code"].eq(NOT_ATTEMPTED).any()
    parts.ledger.end_cycle(
        held.cycle_id,
        "completed",
        watermark=watermark_of(held, extraction) if whole else None,
        mapping_digest=plan.mapping_digest if whole else None,
        manifest=plan.manifest,
        remember=to_remember(held, extraction, plan, outcomes) if whole else None,
        settings=held.memory.settings if whole else None,
    )


if __name__ == "__main__":
    main()
