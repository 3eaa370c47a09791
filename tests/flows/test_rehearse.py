"""Rehearsing: the same plan against a sandbox made after the real Replicon, which itself gets no write."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.sandbox.sandbox import Sandbox
from flows.parts import open_parts
from flows.rehearse import USUAL_FAULTS, Rehearsal, read_fault, rehearse
from tasks.model import BadInputError, CycleChoice
from tests.flows.actual import accounts
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes

Command = Callable[..., Ended]


@pytest.fixture
def raw(sandboxes: Sandboxes) -> Sandbox:
    """A company with what companies have, such as mail addresses that Replicon does not take."""
    return sandboxes(users=30, seed=9, existing=0.3, orphans=2)


@pytest.fixture
def sandbox(raw: Sandbox) -> Sandbox:
    """The same without what Replicon would refuse."""
    return mended(raw)


def mended(raw: Sandbox) -> Sandbox:
    """Give everybody a mail address that Replicon takes."""

    def mend() -> None:
        for person in list(raw.tenant.users()):
            if not (person["mail"] or person["userPrincipalName"]).isascii():
                raw.tenant.update_user(person["id"], mail=f"{person['id']}@northwind.example")

    raw.run(mend)
    return raw


def rehearsed(job: Path, *, faults: bool = False) -> Rehearsal:
    """Rehearse the job's next plan."""
    parts = open_parts(job)
    with parts.ledger:
        return rehearse(parts, None, CycleChoice.AUTOMATIC, USUAL_FAULTS if faults else ())


def remembered(job: Path) -> str:
    """Give a digest of the job's ledger file."""
    return hashlib.sha256(job.with_name("ledger.db").read_bytes()).hexdigest()


def told(found: Rehearsal) -> dict[str, tuple[str, str]]:
    """Give operation and status by person."""
    return {row["source_id"]: (row["operation"], row["status"]) for row in found.activities.to_dict("records")}


@pytest.mark.parametrize("faults", [False, True], ids=["smoothly", "with faults"])
def test_a_first_plan_ends_as_planned_and_costs_no_write(sandbox: Sandbox, tmp_path: Path, *, faults: bool) -> None:
    job = sandbox.job_file(tmp_path)
    open_parts(job).ledger.close()
    before, ledger = accounts(sandbox), remembered(job)
    found = rehearsed(job, faults=faults)
    assert (writes(sandbox).total(), accounts(sandbox), remembered(job)) == (0, before, ledger)
    assert found.plan.writes.sum() > 10
    assert (found.otherwise, found.elsewhere, found.again.writes.any()) == ((), (), False)
    run_cycle(job)
    with ledger_of(job) as real:
        cycle = real.cycles(limit=1)["cycle_id"].iloc[0]
        carried = real.activities(cycle_id=cycle)
    assert told(found) == {row["source_id"]: (row["operation"], row["status"]) for row in carried.to_dict("records")}


def test_what_replicon_will_refuse_is_found_out_before(raw: Sandbox, tmp_path: Path) -> None:
    job = raw.job_file(tmp_path)
    found = rehearsed(job)
    assert any("Replicon takes plain ASCII here" in line for line in found.otherwise)
    assert (found.exit_code, writes(raw).total()) == (3, 0)


def test_a_later_plan_ends_as_planned(sandbox: Sandbox, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path, guards={"removals": {"percent": 100}})
    run_cycle(job)
    sandbox.month_passes(share=0.4)
    sent = writes(sandbox)
    found = rehearsed(job)
    assert writes(sandbox) == sent
    assert {"create", "update", "disable"} <= set(found.plan.operations.loc[found.plan.writes, "operation"])
    assert (found.otherwise, found.elsewhere, found.again.writes.any()) == ((), (), False)


def test_few_reads_are_asked_of_the_real_replicon(sandbox: Sandbox, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path)
    before = sandbox.replicon.calls.total()
    parts = open_parts(job)
    with parts.ledger:
        found = rehearse(parts, None, CycleChoice.AUTOMATIC)
    assert sandbox.replicon.calls.total() - before < 40 < 2 * len(found.activities)


def test_a_saved_plan_is_rehearsed_from_the_command_line(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    job, file = sandbox.job_file(tmp_path), tmp_path / "plan.parquet"
    command("plan", job, "--save", file)
    shown = command("rehearse", job, file, "--fault", "rate_limit,limit=20,window=1,retry_after=1")
    assert "a second plan over the result is empty" in shown.out, shown.err
    assert (shown.code in {0, 4}, writes(sandbox).total()) == (True, 0), shown.out
    assert "northwind got no write" in shown.out
    command("approve", job, file, "--reject", "--why", "a mistake", "--by", "ada")
    refused = command("rehearse", job, file)
    assert (refused.code, "was rejected by ada" in refused.err) == (2, True)


def test_a_saved_undo_is_rehearsed(sandboxes: Sandboxes, command: Command, tmp_path: Path) -> None:
    sandbox = mended(sandboxes(users=20, seed=9))
    job, file = sandbox.job_file(tmp_path, guards={"removals": {"percent": 100}}), tmp_path / "undo.parquet"
    told = run_cycle(job)
    command("undo", job, told.facts.cycle_id, "--save", file)
    command("approve", job, file, "--why", "a mistake", "--by", "ada")
    before = accounts(sandbox)
    shown = command("rehearse", job, file)
    assert "a second plan over the result is empty" in shown.out, shown.err
    assert accounts(sandbox) == before


def test_what_goes_wrong_is_told(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path)
    shown = command("rehearse", job, "--fault", "not_applied@replicon:ImportService*")
    assert (shown.code, "still has" in shown.out, writes(sandbox).total()) == (3, True, 0), shown.out


@pytest.mark.parametrize("text", ["storm", "rate_limit,limit=many", "latency,colour=red"])
def test_a_fault_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="expected KIND"):
        read_fault(text)
