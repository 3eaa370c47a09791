"""How these tests run cycles: the flow itself, as a schedule would start it. Nothing is judged here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from deployments.sandbox.sandbox import Sandbox
from flows.provision import provision
from flows.telling import told_by
from tasks.job import load_job
from tasks.ledger.ledger import Ledger
from tasks.model import CycleChoice
from tasks.report.cycle import Told
from tests.flows.actual import differences, keeps
from tests.flows.truth import Truth


def run_cycle(job_file: Path, choice: CycleChoice = CycleChoice.AUTOMATIC, *, apply_first_plan: bool = True) -> Told:
    """Run one cycle of the job, its first plan applied at once, and give how it went. Raises what the flow raises."""
    state = provision(str(job_file), choice, apply_first_plan, return_state=True)
    return told_by(state)


def ledger_of(job_file: Path) -> Ledger:
    """Open the job's ledger."""
    return Ledger.open(load_job(job_file).ledger.url)


def writes(sandbox: Sandbox) -> Counter[str]:
    """Give how often each operation that writes has been asked of the sandbox's Replicon so far."""
    return Counter(sandbox.replicon.writes_requested)


def wrong_after_cycle(sandbox: Sandbox, truth: Truth, job_file: Path) -> list[str]:
    """Run one cycle and say where Replicon then differs from the truth."""
    run_cycle(job_file)
    truth.cycle(sandbox.tenant, keeps(sandbox))
    return differences(truth, sandbox)
