"""A process that runs cycles for the crash tests and can be killed in the middle of one. No tests here.

`python -m tests.load.crash_child FILE` reads what to do from the JSON file, then obeys its standard input: a line
`run SECONDS` forks a process that runs one cycle with its clock so far ahead and says its number; `wait` says how the
oldest of them ended. Forking saves the imports, which would take longer than the cycles.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from tasks.ledger.ledger import Ledger
from tasks.load.apply import apply_plan
from tasks.load.settle import settle
from tasks.model import CycleKind, HeldError, Operation, Plan, Situation, Status
from tests.load.rig import BRISK, Row, gone, job_of, plan_of, target_of

DONE, SOME_FAILED, HELD, BROKEN = 0, 3, 4, 9
"""How a cycle ends."""


def main() -> None:
    """Obey the standard input until it ends."""
    orders = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    running: list[int] = []
    for line in sys.stdin:
        word, _, ahead = line.strip().partition(" ")
        if word == "run":
            running.append(_forked(orders, dt.timedelta(seconds=float(ahead))))
            print(running[-1], flush=True)
        else:
            _, status = os.waitpid(running.pop(0), 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


def _forked(orders: dict[str, Any], ahead: dt.timedelta) -> int:
    number = os.fork()
    if number:
        return number
    code = BROKEN
    try:
        code = cycle(orders, ahead)
    finally:
        if code == BROKEN:
            traceback.print_exc()
        os._exit(code)


def cycle(orders: dict[str, Any], ahead: dt.timedelta) -> int:
    """Run one cycle: settle, plan from what the ledger knows, apply."""
    job = job_of(orders["discovery_url"], Path(orders["password_file"]), workers=orders["workers"])
    target = target_of(job)
    with Ledger.open(orders["ledger_url"], clock=lambda: dt.datetime.now(dt.UTC) + ahead) as ledger:
        try:
            cycle_id = ledger.begin_cycle("acme", CycleKind.INCREMENTAL)
        except HeldError as error:
            print(error, file=sys.stderr)
            return HELD
        settle(target, ledger, job, cycle_id, patience=BRISK)
        plan = planned(orders["people"], ledger, cycle_id)
        outcomes = apply_plan(plan, target, ledger, job, second_look=gone, patience=BRISK)
        ledger.end_cycle(cycle_id, "completed")
    open_ones = outcomes["status"].ne(Status.SUCCESS).any()
    return SOME_FAILED if open_ones else DONE


def planned(people: dict[str, Any], ledger: Ledger, cycle_id: str) -> Plan:
    """Plan what makes Replicon agree with `people`, as far as the links do not say that it does."""
    links = ledger.links("acme").set_index("source_id")
    links["account_digest"] = links["account_digest"].fillna("to be looked at again")
    rows = []
    for name, wanted in people.items():
        link = links.loc[name] if name in links.index else None
        match wanted["fate"]:
            case "stays" if link is None:
                rows.append(_row(name, Operation.CREATE, wanted, links))
            case "stays" if link is not None and link["account_digest"] != wanted["digest"]:
                rows.append(_row(name, Operation.UPDATE, wanted, links, target_uri=link["target_uri"]))
            case "leaves" if link is not None and bool(link["active"]):
                rows.append(Row(name, Operation.DISABLE, target_uri=link["target_uri"], digest=None))
            case "deleted" if link is not None:
                rows.append(Row(name, Operation.DELETE, target_uri=link["target_uri"], digest=None))
            case _:
                pass
    return plan_of(cycle_id, *rows, unique=str(os.getpid()))


def _row(name: str, operation: Operation, wanted: dict[str, Any], links: Any, **more: Any) -> Row:
    values, supervisor = dict(wanted["values"]), wanted["supervisor"]
    pending = None
    if supervisor is not None:
        known = supervisor in links.index
        values["Supervisor"] = links.loc[supervisor, "target_uri"] if known else f"source:{supervisor}"
        pending = None if known else supervisor
    situation = Situation.ABSENT if operation is Operation.CREATE else Situation.CONFIRMED
    return Row(name, operation, values, waits_for=pending, digest=wanted["digest"], situation=situation, **more)


if __name__ == "__main__":
    main()
