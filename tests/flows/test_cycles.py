"""Whole cycles over the wire: after each of them Replicon's accounts are what the mapping's definition says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.model import CycleChoice, CycleKind
from tests.flows.actual import accounts, differences, keeps, truth_of
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes, wrong_after_cycle

COMPANY: dict[str, Any] = {"users": 150, "existing": 0.15, "orphans": 3, "missing_departments": 1}


def test_three_cycles_make_replicon_what_it_must_be_and_the_third_writes_nothing(
    sandboxes: Sandboxes, tmp_path: Path, ledger_url: str
) -> None:
    sandbox = sandboxes(**COMPANY)
    truth, job = truth_of(sandbox), sandbox.job_file(tmp_path, ledger={"url": ledger_url})

    first = run_cycle(job)
    truth.cycle(sandbox.tenant, keeps(sandbox))
    assert (first.facts.kind, differences(truth, sandbox)) == (CycleKind.INITIAL, [])

    sandbox.month_passes(share=0.2)
    before = truth.accounts
    second = run_cycle(job)
    truth.cycle(sandbox.tenant, keeps(sandbox))
    assert (second.facts.kind, differences(truth, sandbox)) == (CycleKind.INCREMENTAL, [])
    assert truth.accounts != before

    sent = writes(sandbox)
    run_cycle(job)
    assert (writes(sandbox), differences(truth, sandbox)) == (sent, [])


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_months_of_changes_are_followed(sandboxes: Sandboxes, tmp_path: Path, seed: int) -> None:
    sandbox = sandboxes(users=80, seed=seed, existing=0.1)
    truth, job = truth_of(sandbox), sandbox.job_file(tmp_path)
    assert wrong_after_cycle(sandbox, truth, job) == []
    for _ in range(3):
        sandbox.month_passes(share=0.3)
        assert wrong_after_cycle(sandbox, truth, job) == []


def test_reading_everything_again_finds_nothing_to_do(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(**COMPANY)
    job = sandbox.job_file(tmp_path)
    run_cycle(job)
    sent = writes(sandbox)
    again = run_cycle(job, CycleChoice.INITIAL)
    assert (again.facts.kind, writes(sandbox)) == (CycleKind.INITIAL, sent)


def test_existing_accounts_are_linked_and_never_doubled(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=80, existing=0.5)
    found = {account.uri for account in sandbox.replicon.accounts.values()}
    run_cycle(job := sandbox.job_file(tmp_path))
    with ledger_of(job) as ledger:
        linked = set(ledger.links("sandbox")["target_uri"])
    created = {change.uri for change in sandbox.replicon.change_log if change.kind == "create"}
    mails = [values["emailAddress"] for values in accounts(sandbox).values() if values["emailAddress"]]
    assert len(linked & found) > 20
    assert linked == created | (linked & found)
    assert len(mails) == len(set(mails))


def test_accounts_of_nobody_are_never_touched(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=40, orphans=5)
    before = accounts(sandbox)
    run_cycle(job := sandbox.job_file(tmp_path))
    sandbox.month_passes(share=0.3)
    run_cycle(job, CycleChoice.INITIAL)
    after = accounts(sandbox)
    assert {login: after[login] for login in before} == before
    assert not {change.login for change in sandbox.replicon.change_log} & set(before)


def test_a_first_cycle_only_plans_unless_told_to_apply(sandboxes: Sandboxes, tmp_path: Path) -> None:
    from flows.provision import provision

    sandbox = sandboxes(users=30)
    told = provision(str(sandbox.job_file(tmp_path)), return_state=True).result()
    assert (writes(sandbox).total(), told.verdict.exit_code) == (0, 4)


def test_a_manager_who_gets_an_account_later_becomes_the_supervisor(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=30)
    boss, report = _pair(sandbox, boss_is_assigned=False)
    truth, job = truth_of(sandbox), sandbox.job_file(tmp_path)
    assert wrong_after_cycle(sandbox, truth, job) == []
    assert _account(sandbox, "report")["supervisor"] is None
    sandbox.run(lambda: sandbox.tenant.assign(boss, sandbox.tenant.role("Supervisor").id))
    assert wrong_after_cycle(sandbox, truth, job) == []
    assert _account(sandbox, "report")["supervisor"] == f"boss@{sandbox.tenant.domain}"
    assert report in truth.people


@pytest.mark.parametrize("leaves", [None, "2026-09-30T00:00:00Z"])
def test_who_comes_back_gets_the_login_and_the_end_date_that_the_directory_has(
    sandboxes: Sandboxes, tmp_path: Path, leaves: str | None
) -> None:
    sandbox = sandboxes(users=30)
    _, report = _pair(sandbox, boss_is_assigned=True)
    edit = sandbox.tenant.update_user
    sandbox.run(lambda: edit(report, employeeLeaveDateTime="2026-09-30T00:00:00Z"))
    truth, job = truth_of(sandbox), sandbox.job_file(tmp_path)
    assert wrong_after_cycle(sandbox, truth, job) == []
    sandbox.run(lambda: edit(report, accountEnabled=False, department="Sales Operations"))
    assert wrong_after_cycle(sandbox, truth, job) == []
    assert _account(sandbox, "report")["loginEnabled"] is False
    sandbox.run(lambda: edit(report, accountEnabled=True, employeeLeaveDateTime=leaves))
    assert wrong_after_cycle(sandbox, truth, job) == []
    assert _account(sandbox, "report")["endDate"] == (leaves and leaves[:10])


@pytest.mark.parametrize("has_data", [True, False])
def test_who_is_gone_for_good_loses_the_account_unless_it_has_data(
    sandboxes: Sandboxes, tmp_path: Path, has_data: bool
) -> None:
    sandbox = sandboxes(users=30)
    sandbox.replicon.settings.change(data_share=1.0 if has_data else 0.0)
    _, report = _pair(sandbox, boss_is_assigned=True)
    truth, job = truth_of(sandbox), sandbox.job_file(tmp_path)
    assert wrong_after_cycle(sandbox, truth, job) == []
    sandbox.run(lambda: sandbox.tenant.hard_delete(report))
    assert wrong_after_cycle(sandbox, truth, job) == []
    assert (f"report@{sandbox.tenant.domain}" in accounts(sandbox)) is has_data
    sent = writes(sandbox)
    assert wrong_after_cycle(sandbox, truth, job) == []
    assert writes(sandbox) == sent


def _pair(sandbox: Sandbox, *, boss_is_assigned: bool) -> tuple[str, str]:
    """Add a manager and somebody who reports to them and is assigned; give their ids."""
    tenant = sandbox.tenant

    def add() -> tuple[str, str]:
        boss, report = (
            tenant.add_user(givenName=name.title(), surname="Novák", userPrincipalName=f"{name}@{tenant.domain}")
            for name in ("boss", "report")
        )
        tenant.update_user(report, manager=boss)
        tenant.assign(report, tenant.role("User").id)
        if boss_is_assigned:
            tenant.assign(boss, tenant.role("Supervisor").id)
        return boss, report

    return sandbox.run(add)


def _account(sandbox: Sandbox, name: str) -> dict[str, Any]:
    return accounts(sandbox)[f"{name}@{sandbox.tenant.domain}"]
