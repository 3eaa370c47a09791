"""What a retried run takes up: the plan and the read of its first attempt, kept in files until the cycle is done.

`flows/provision.py` keeps before load and takes up after. Runs that nobody can retry, those without a deployment, keep
nothing. The files hold personal data: they are readable by their owner only, and go when the run ends well, when the
job's next run keeps its own, and with pruning.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
import uuid
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from prefect import get_run_logger
from prefect.runtime import deployment, flow_run

from flows.cycle import Cycle, as_read
from flows.parts import Parts
from tasks.extract.extraction_file import load_read, save_read
from tasks.load.policy import STOPPING_CODES
from tasks.model import BadInputError, Extraction, Plan, Status
from tasks.reconcile.plan_file import load_plan, save_plan

RUNS: Final = Path(".provision/runs")
"""Where it is kept, from the folder that the worker runs in: a folder a job, in it one of its latest run's id."""
GOOD_FOR_SECONDS: Final = 3600
"""How old a plan may be that is taken up: removals are looked at again anyway, the rest as it was an hour ago."""
_HEAD: Final = "cycle.json"
_PLAN: Final = "plan.parquet"


class StaleError(Exception):
    """Raised when what is kept cannot be taken up; its text says why. The cycle plans anew."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What the first three stages give to the rest of a cycle, and the cycle as it turned out with them.

    `first_look` is why a person has to see the plan before it is carried out; null when nobody has to.
    """

    cycle: Cycle
    extraction: Extraction
    plan: Plan
    first_look: str | None


def is_retry() -> bool:
    """Tell whether this run has been run before: somebody clicked Retry."""
    return (flow_run.run_count or 0) > 1


def taken_up(parts: Parts, cycle: Cycle) -> Prepared | None:
    """Give what is left of what the run's earlier attempt prepared, now for `cycle`; null when it is stale.

    Says in the run's log what is taken up or why not.
    """
    if not is_retry():
        return None
    for code in STOPPING_CODES:
        # Who met a refused sign-in failed for no reason of their own, and need not wait for their next try.
        parts.ledger.retry_now(parts.job.name, error_code=code)
    try:
        prepared, before = _read(parts, cycle)
        _check_nothing_happened(parts, cycle, before)
    except StaleError as stale:
        get_run_logger().warning("This retry reads and plans anew: %s.", stale)
        return None
    _write_head(parts, cycle)
    get_run_logger().info(
        "Reading, mapping and reconciling are kept from the first attempt (cycle %s): plan %s goes on.",
        before["cycle_id"],
        prepared.plan.plan_id,
    )
    plan = _left(parts, dataclasses.replace(prepared.plan, cycle_id=cycle.cycle_id))
    return dataclasses.replace(prepared, cycle=as_read(parts, cycle, prepared.extraction), plan=plan)


def keep(parts: Parts, prepared: Prepared) -> None:
    """Keep what a retry would take up. A disk that does not take it is logged, and the retry plans anew then."""
    if not deployment.id:
        return
    forget(parts.job.name)
    if prepared.plan.changes["attribute"].isin(list(parts.mapping.redacted)).any():
        # Values that the mapping hides are never written to a disk.
        return
    folder = _folder(parts)
    try:
        folder.mkdir(parents=True, mode=0o700)
        save_read(prepared.extraction, folder)
        save_plan(prepared.plan, folder / _PLAN)
        _write_head(parts, prepared.cycle, first_look=prepared.first_look, kept_at=time.time())
    except (OSError, pa.ArrowException) as error:
        get_run_logger().warning("A retry of this run will read and plan anew, for nothing could be kept: %s", error)
        forget(parts.job.name)


def forget(job: str) -> None:
    """Remove what is kept of a job's runs."""
    shutil.rmtree(RUNS / job, ignore_errors=True)


def forget_old(job: str) -> None:
    """Remove what is kept of a job's runs and can no longer be taken up."""
    for head in (RUNS / job).glob(f"*/{_HEAD}"):
        if time.time() - head.stat().st_mtime > GOOD_FOR_SECONDS:
            shutil.rmtree(head.parent)


def _read(parts: Parts, cycle: Cycle) -> tuple[Prepared, dict[str, Any]]:
    folder = _folder(parts)
    try:
        head = json.loads((folder / _HEAD).read_text(encoding="utf-8"))
        plan = load_plan(folder / _PLAN, parts.job.name)
        return Prepared(cycle, load_read(folder), plan, head["first_look"]), head
    except FileNotFoundError as error:
        raise StaleError(
            "nothing is kept of the first attempt here: it got no plan, was done, or ran on another machine"
        ) from error
    except (BadInputError, OSError, ValueError, KeyError, TypeError) as error:
        raise StaleError(f"what the first attempt left cannot be read ({error})") from error


def _check_nothing_happened(parts: Parts, cycle: Cycle, head: dict[str, Any]) -> None:
    """Make sure that the plan is what would be planned now, as far as can be told without reading either end."""
    age = time.time() - head["kept_at"]
    if age > GOOD_FOR_SECONDS:
        raise StaleError(f"the plan of the first attempt is {age / 60:.0f} minutes old")
    if head["inputs"] != _inputs(parts):
        raise StaleError("the job file or the mapping has changed since the first attempt")
    job = parts.job.name
    cycles = parts.ledger.cycles(job, 2)["cycle_id"].tolist()
    if cycles != [cycle.cycle_id, head["cycle_id"]]:
        raise StaleError("another cycle has run since the first attempt")
    if head["administered"] != _administered(parts):
        raise StaleError("the job was restarted or switched since the first attempt")


def _left(parts: Parts, plan: Plan) -> Plan:
    """Give what of a plan has not been carried out yet, and what failed only because no request could succeed.

    Whatever else failed is told already, and waits in escrow.
    """
    done = list(parts.ledger.finished(plan.operations["change_id"].tolist()))
    told = parts.ledger.activities_of(done)
    met = told.loc[told["status"].eq(Status.FAILURE) & told["error_code"].isin(STOPPING_CODES), "change_id"].tolist()
    # The failure stays in the record; what is sent now is another change.
    again = {change_id: str(uuid.uuid4()) for change_id in met}
    done = [change_id for change_id in done if change_id not in again]
    operations, changes = (
        frame[~frame["change_id"].isin(done)]
        .assign(change_id=lambda rows: rows["change_id"].replace(again))
        .reset_index(drop=True)
        for frame in (plan.operations, plan.changes)
    )
    return dataclasses.replace(plan, operations=operations, changes=changes)


def _inputs(parts: Parts) -> str:
    """Name what the plan was made by: the job file as it stands, and the mapping."""
    return hashlib.sha256(Path(parts.job.file).read_bytes() + parts.mapping.digest.encode()).hexdigest()


def _administered(parts: Parts) -> str:
    """Name what administrators did last to the job."""
    latest = parts.ledger.administration(parts.job.name, 1)
    return "" if latest.empty else str(latest.iloc[0]["at"])


def _write_head(parts: Parts, cycle: Cycle, **more: Any) -> None:
    """Write last what makes the rest count, or whose it is by now."""
    file = _folder(parts) / _HEAD
    before = {} if more else json.loads(file.read_text(encoding="utf-8"))
    inputs = {"cycle_id": cycle.cycle_id, "inputs": _inputs(parts), "administered": _administered(parts)}
    scratch = file.with_suffix(".new")
    scratch.write_text(json.dumps({**before, **more, **inputs}), encoding="utf-8")
    scratch.replace(file)


def _folder(parts: Parts) -> Path:
    return RUNS / parts.job.name / str(flow_run.id)
