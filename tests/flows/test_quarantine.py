"""A job that fails as a whole, seen from outside: slowed down, told, left again; and failures retried by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect import tags

from deployments.sandbox.sandbox import Sandbox
from flows.provision import SCHEDULED, provision
from tasks.ledger.cycles import JobStatus
from tasks.model import CycleKind, ExitCode
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle

Command = Callable[..., Ended]
UPSERT = "replicon:ImportService2.CreateUserOrApplyModifications"


@pytest.fixture
def sandbox(sandboxes: Sandboxes) -> Iterator[Sandbox]:
    started = sandboxes(users=30)
    yield started
    started.faults.clear()


@pytest.fixture
def failing(sandbox: Sandbox, tmp_path: Path) -> Path:
    """Give a job all of whose creates have failed once, and which quarantines for less than other jobs."""
    job = sandbox.job_file(tmp_path, quarantine={"at_least": 5})
    sandbox.faults.add(UPSERT, "not_applied")
    told = run_cycle(job)
    assert (told.verdict.exit_code, told.facts.quarantine) == (
        ExitCode.HELD,
        "EncounteredEscrowProportionThreshold",
    )
    return job


def requests(sandbox: Sandbox) -> int:
    return sum(sandbox.server.requests.values())


def test_a_scheduled_cycle_of_a_quarantined_job_ends_at_once_and_well_and_says_so(
    failing: Path, sandbox: Sandbox, command: Command
) -> None:
    asked = requests(sandbox)
    with tags(SCHEDULED):
        state = provision(str(failing), return_state=True)
    assert state.is_completed()
    assert state.result() is None
    ended = command("run", "--scheduled", failing)
    assert ended.code == ExitCode.DONE
    assert "rests. EncounteredEscrowProportionThreshold since" in ended.out
    assert requests(sandbox) == asked


def test_the_report_says_since_when_why_and_what_to_do(failing: Path, command: Command) -> None:
    said = " ".join(command("report", failing).out.split())
    assert "Quarantined" in said
    assert "operations fail (100 %), more than 40 %. Most often: NotApplied" in said
    assert "run `provision retry`" in said


def test_a_cycle_by_hand_runs_and_a_good_one_ends_the_quarantine(failing: Path, sandbox: Sandbox) -> None:
    sandbox.faults.clear()
    assert run_cycle(failing).facts.quarantine is None
    with ledger_of(failing) as ledger:
        assert ledger.job_state("sandbox").quarantine_until is None


def test_a_cycle_that_only_lets_the_failures_wait_does_not_end_the_quarantine(failing: Path, sandbox: Sandbox) -> None:
    run_cycle(failing)
    sandbox.faults.clear()
    # The failures now wait six hours for their next try.
    assert run_cycle(failing).facts.quarantine == "EncounteredEscrowProportionThreshold"


def test_failures_are_listed_and_retried_at_once_by_person_by_code_or_all(
    failing: Path, sandbox: Sandbox, command: Command
) -> None:
    run_cycle(failing)
    sandbox.faults.clear()
    with ledger_of(failing) as ledger:
        names = ledger.escrow("sandbox")["source_name"].tolist()
    listed = command("retry", "--list", failing).out
    assert "NotApplied" in listed
    assert "2 times" in listed
    assert "1 person is tried again" in command("retry", failing, "--user", names[0].upper()).out
    assert "in the next cycle" in command("retry", "--list", failing, "--user", names[0]).out
    assert f"{len(names):,} people are tried" in command("retry", failing, "--code", "notapplied", "--now").out
    with ledger_of(failing) as ledger:
        assert ledger.escrow("sandbox").empty
    assert "Nobody of the job sandbox is in escrow" in command("retry", failing).out


def test_a_retry_of_somebody_who_is_not_in_escrow_names_who_is(failing: Path, command: Command) -> None:
    ended = command("retry", failing, "--user", "nobody@acme.example")
    assert ended.code == ExitCode.BAD_INPUT
    assert "nobody@acme.example. There are: NotApplied" in ended.err


def test_a_refused_sign_in_during_the_writes_quarantines_and_stays_until_it_works(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    job = sandbox.job_file(tmp_path)
    sandbox.faults.add(UPSERT, "expired_token")
    assert run_cycle(job).facts.quarantine == "EncounteredQuarantineException"
    sandbox.faults.clear()
    assert run_cycle(job).facts.quarantine is None


@pytest.mark.parametrize("status", [JobStatus.OFF, JobStatus.DISABLED])
def test_a_job_that_is_switched_off_refuses_a_person_and_lets_a_schedule_pass(
    sandbox: Sandbox, tmp_path: Path, command: Command, status: JobStatus
) -> None:
    job = sandbox.job_file(tmp_path)
    with ledger_of(job) as ledger:
        ledger.quarantine("sandbox", "TooManyDeletes", "600 removals")
        ledger.switch("sandbox", status)
    by_hand, scheduled = command("run", job), command("run", "--scheduled", job)
    assert (by_hand.code, scheduled.code) == (ExitCode.HELD, ExitCode.DONE)
    assert "switched off" in by_hand.err


def test_of_two_schedulers_one_runs_and_the_other_says_so_and_ends_well(
    sandbox: Sandbox, tmp_path: Path, command: Command
) -> None:
    job = sandbox.job_file(tmp_path)
    with ledger_of(job) as ledger:
        running = ledger.begin_cycle("sandbox", CycleKind.INITIAL)
        by_hand, scheduled = command("run", job), command("run", "--scheduled", job)
        ledger.end_cycle(running, "completed")
    assert (by_hand.code, scheduled.code) == (ExitCode.HELD, ExitCode.DONE)
    assert f"being run by cycle {running}" in scheduled.out
