"""An incremental cycle plans, from changes alone, what a cycle that reads everything would plan at that moment."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.graph_settings import GraphSettings
from deployments.sandbox.sandbox import Sandbox
from flows.parts import open_parts
from flows.plan import plan_cycle
from tasks.model import REMOVALS, CycleChoice, CycleKind, Decision, HeldError, Operation, Plan
from tasks.report.verdict import StateName
from tests.connectors.microsoft_graph.edits import edit
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes

SILENT: list[tuple[str, str, dict[str, Any]]] = [
    ("graph:servicePrincipals/appRoleAssignedTo", "missing_page", {}),
    ("graph:servicePrincipals/appRoleAssignedTo", "truncated_page", {"cut": "items"}),
    ("graph:users/id", "internal500", {}),
    ("graph:users/memberOf", "internal500", {}),
]
"""Faults that leave an incremental read short."""


def plan(job: Path, choice: CycleChoice) -> Plan:
    parts = open_parts(job)
    with parts.ledger:
        return plan_cycle(parts, choice)


def said(job: Path, choice: CycleChoice) -> set[tuple[Any, ...]]:
    """Give what a plan does or holds: person, operation, decision, and every attribute that it writes.

    Whoever is in escrow is left out: a whole read plans for them too, and load sets them aside until they are due.
    """
    found = plan(job, choice)
    with ledger_of(job) as ledger:
        waiting = ledger.escrow("sandbox")["source_id"]
    operations = found.operations[~found.operations["source_id"].isin(waiting)]
    kept = operations[operations["operation"].ne(Operation.NONE) | operations["decision"].eq(Decision.HOLD)]
    changes = found.changes.fillna("").groupby("change_id")[["attribute", "before", "after"]]
    written = {change: frozenset(map(tuple, rows.to_numpy().tolist())) for change, rows in changes}
    return {
        (row["source_id"], row["operation"], row["decision"], written.get(row["change_id"], frozenset()))
        for row in kept.to_dict("records")
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3] if os.environ.get("PROVISION_LONG") else [1])
def test_changes_alone_lead_to_the_plan_of_a_whole_read(sandboxes: Sandboxes, tmp_path: Path, seed: int) -> None:
    sandbox, chance = sandboxes(users=60, seed=seed, existing=0.1), random.Random(seed)
    run_cycle(job := sandbox.job_file(tmp_path))
    for _ in range(3):
        sandbox.month_passes(share=0.15)
        for _ in range(6):
            sandbox.run(lambda: edit(sandbox, chance))
        assert plan(job, CycleChoice.INCREMENTAL).kind is CycleKind.INCREMENTAL
        assert said(job, CycleChoice.INCREMENTAL) == said(job, CycleChoice.INITIAL)
        assert run_cycle(job).facts.kind is CycleKind.INCREMENTAL
        assert said(job, CycleChoice.INCREMENTAL) == said(job, CycleChoice.INITIAL)


def test_a_cycle_without_a_change_reads_nobody_and_writes_nothing(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=40)
    run_cycle(job := sandbox.job_file(tmp_path))
    run_cycle(job)
    people, sent = _lookups(sandbox), writes(sandbox)
    run_cycle(job)
    assert (_lookups(sandbox), writes(sandbox)) == (people, sent)


def test_a_watermark_that_graph_forgot_makes_it_an_initial_cycle_and_the_record_says_so(
    sandboxes: Sandboxes, tmp_path: Path
) -> None:
    sandbox = sandboxes(users=40, graph_settings=GraphSettings(delta_token_life=-1))
    run_cycle(job := sandbox.job_file(tmp_path))
    changed = len(sandbox.replicon.change_log)
    told = run_cycle(job)
    with ledger_of(job) as ledger:
        recorded = ledger.cycles("sandbox")["kind"].tolist()
    assert (told.facts.kind, recorded) == (CycleKind.INITIAL, ["initial", "initial"])
    assert len(sandbox.replicon.change_log) == changed


@pytest.mark.parametrize(("endpoint", "kind", "parameters"), SILENT)
def test_a_short_read_of_changes_plans_no_removal_and_its_changes_come_again(
    sandboxes: Sandboxes, tmp_path: Path, endpoint: str, kind: str, parameters: dict[str, Any]
) -> None:
    sandbox = sandboxes(users=40, graph_settings=GraphSettings(fullest_page=5))
    # Fewer attempts than a job makes by itself find the same fault, seconds earlier.
    run_cycle(job := sandbox.job_file(tmp_path, source={"attempts": 2}))
    sandbox.month_passes(share=0.3)
    expected = said(job, CycleChoice.INITIAL)
    number = sandbox.faults.add(endpoint, kind, **parameters)
    short = plan(job, CycleChoice.INCREMENTAL)
    told = run_cycle(job)
    assert sandbox.faults.struck(number) > 0
    sandbox.faults.clear()
    removed = short.operations["operation"].isin(REMOVALS) & short.operations["decision"].eq(Decision.GO)
    assert (short.manifest.complete, int(removed.sum())) == (False, 0)
    assert told.verdict.state is StateName.INCOMPLETE_READ
    leavers = {row[0] for row in expected if row[1] in REMOVALS}
    assert leavers
    assert leavers <= {row[0] for row in said(job, CycleChoice.INCREMENTAL)}


def test_who_was_held_is_looked_at_again_though_nothing_changed(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=40)
    run_cycle(job := sandbox.job_file(tmp_path, guards={"removals": {"count": 0, "percent": None}}))
    sandbox.month_passes(share=0.3)
    run_cycle(job)
    run_cycle(job)
    run_cycle(job)
    waiting = plan(job, CycleChoice.INCREMENTAL).operations
    assert "staged" in set(waiting["decision"])
    assert said(job, CycleChoice.INCREMENTAL) == said(job, CycleChoice.INITIAL)


def test_another_scope_makes_the_next_cycle_read_everything(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=40)
    run_cycle(sandbox.job_file(tmp_path))
    job = sandbox.job_file(tmp_path, scope={"exclude_default_access": False})
    with pytest.raises(HeldError, match="reads its source in another way"):
        plan(job, CycleChoice.INCREMENTAL)
    assert run_cycle(job).facts.kind is CycleKind.INITIAL
    assert run_cycle(job).facts.kind is CycleKind.INCREMENTAL


def test_everybody_is_read_again_once_the_last_whole_read_is_older_than_the_job_allows(
    sandboxes: Sandboxes, tmp_path: Path
) -> None:
    sandbox = sandboxes(users=20)
    kinds = [
        run_cycle(sandbox.job_file(tmp_path, source={"full_read_hours": hours}), choice).facts.kind
        for hours, choice in [
            (24, CycleChoice.AUTOMATIC),
            (24, CycleChoice.AUTOMATIC),
            (1e-6, CycleChoice.INCREMENTAL),
            (1e-6, CycleChoice.AUTOMATIC),
            (24, CycleChoice.AUTOMATIC),
        ]
    ]
    initial, incremental = CycleKind.INITIAL, CycleKind.INCREMENTAL
    assert kinds == [initial, incremental, incremental, initial, incremental]


def _lookups(sandbox: Sandbox) -> int:
    counted = sandbox.server.requests
    return sum(counted[f"graph:{name}"] for name in ("users", "batch", "groups/members", "deletedItems"))
