"""What the report counts over a month of cycles with faults is what really happened in Replicon, by its own log."""

from __future__ import annotations

import contextlib
import os
import random
from collections import defaultdict
from pathlib import Path

import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.model import ProvisioningError
from tests.connectors.microsoft_graph.edits import edit
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle

CYCLES = 30 if os.environ.get("PROVISION_LONG") == "1" else 6
FAULTS = (
    ("replicon:*CreateUserOrApply*", "error_on_200", {"probability": 0.3}),
    ("replicon:*CreateUserOrApply*", "lost_response", {"count": 2}),
    ("replicon:*CreateUserOrApply*", "internal500", {"committed": True, "count": 3}),
    ("replicon:*", "rate_limit", {"limit": 20, "window": 0.5, "retry_after": 0}),
    ("graph:users", "missing_page", {"count": 1}),
    ("replicon:*", "reset", {"probability": 0.05}),
)
"""What goes wrong, one after the other."""


def really_happened(sandbox: Sandbox, since: int) -> dict[str, set[str]]:
    """Give whose accounts were created, enabled, disabled, deleted or only updated, from a change on, by their URIs."""
    found: dict[str, set[str]] = defaultdict(set)
    for change in sandbox.replicon.change_log[since:]:
        flipped = change.changes.get("loginEnabled")
        if change.kind != "update":
            found[change.kind].add(change.uri)
        elif flipped == (True, False):
            found["disable"].add(change.uri)
        elif flipped == (False, True):
            found["enable"].add(change.uri)
        else:
            found["update"].add(change.uri)
    more = found["create"] | found["enable"] | found["disable"] | found["delete"]
    return {kind: uris - more if kind == "update" else uris for kind, uris in found.items() if uris}


def reported(job: Path) -> dict[str, set[str]]:
    """Give the same by the activities of the latest cycle."""
    with ledger_of(job) as ledger:
        told = ledger.activities(cycle_id=str(ledger.cycles("sandbox", 1)["cycle_id"].iloc[0]))
    done = told[told["status"].isin(["success", "warning"]) & told["operation"].ne("none") & told["decision"].eq("go")]
    return {str(kind): set(rows["target_uri"]) for kind, rows in done.groupby("operation") if len(rows)}


@pytest.mark.slow
def test_the_report_counts_what_the_sandboxs_own_log_has(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox, chance = sandboxes(users=60, seed=4, existing=0.2), random.Random(4)
    job = sandbox.job_file(tmp_path, guards={"removals": {"count": 500, "percent": 100}})
    wrong = []
    for number in range(CYCLES):
        since = len(sandbox.replicon.change_log)
        endpoint, kind, parameters = FAULTS[number % len(FAULTS)]
        if number:
            sandbox.faults.add(endpoint, kind, **parameters)
            for _ in range(8):
                sandbox.run(lambda: edit(sandbox, chance))
        if number % 10 == 1:
            sandbox.month_passes(share=0.2)
        # A cycle that cannot go on has told what it did until then.
        with contextlib.suppress(ProvisioningError):
            run_cycle(job)
        sandbox.faults.clear()
        log, told = really_happened(sandbox, since), reported(job)
        wrong += [(number, kind, log.get(kind, set()) ^ told.get(kind, set())) for kind in {*log, *told}]
    assert [one for one in wrong if one[2]] == []
    with ledger_of(job) as ledger:
        assert ledger.verify("sandbox").sound
