"""A directory that is not read whole removes nobody: what cannot be proven is left for a cycle that can prove it.

One sandbox, in which people have left since the last cycle, is read under one fault after the other.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.model import CycleChoice, ExitCode, UnreachableError
from tasks.report.verdict import StateName
from tests.flows.actual import accounts, differences, keeps, truth_of
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle
from tests.flows.truth import Truth

USERS, ASSIGNMENTS = "graph:users", "graph:servicePrincipals/appRoleAssignedTo"
MEMBERS, DELETED = "graph:groups/members", "graph:deletedItems"
SHORT: list[tuple[str, str, dict[str, Any]]] = [
    (USERS, "truncated_page", {"cut": "items"}),
    (USERS, "missing_page", {}),
    (USERS, "repeated_page", {}),
    (ASSIGNMENTS, "truncated_page", {"cut": "items"}),
    (ASSIGNMENTS, "missing_page", {}),
    (MEMBERS, "truncated_page", {"cut": "items"}),
    (MEMBERS, "missing_page", {}),
    (DELETED, "missing_page", {}),
]
"""Faults that leave a read shorter than the directory, or endless."""


@dataclasses.dataclass(frozen=True)
class Company:
    """A company some of whose people have left since the last cycle."""

    sandbox: Sandbox
    job: Path
    truth: Truth

    def due(self) -> set[str]:
        """Give the login names of the accounts that are to lose their login, or to go, and still have it."""
        has, must = accounts(self.sandbox), self.truth.accounts
        return {
            login
            for login, values in has.items()
            if values["loginEnabled"] and not must.get(login, {"loginEnabled": False})["loginEnabled"]
        }

    def removed(self, since: int) -> list[str]:
        """Give the login names of the accounts that lost their login or went, from a change on."""
        return [
            change.login
            for change in self.sandbox.replicon.change_log[since:]
            if change.kind == "delete" or change.changes.get("loginEnabled") == (True, False)
        ]


@pytest.fixture(scope="module")
def company(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Company:
    sandbox = sandboxes(users=60, seed=3)
    truth, job = truth_of(sandbox), sandbox.job_file(tmp_path_factory.mktemp("faulty"))
    run_cycle(job)
    truth.cycle(sandbox.tenant, keeps(sandbox))
    sandbox.month_passes(share=0.4)
    truth.cycle(sandbox.tenant, keeps(sandbox))
    return Company(sandbox, job, truth)


@pytest.mark.parametrize(("endpoint", "kind", "parameters"), SHORT)
def test_a_short_read_removes_nobody_and_is_said_to_be_short(
    company: Company, endpoint: str, kind: str, parameters: dict[str, Any]
) -> None:
    due, since = company.due(), len(company.sandbox.replicon.change_log)
    assert due
    number = company.sandbox.faults.add(endpoint, kind, **parameters)
    told = run_cycle(company.job, CycleChoice.INITIAL)
    struck = company.sandbox.faults.struck(number)
    company.sandbox.faults.clear()
    assert struck > 0
    assert (company.removed(since), company.due()) == ([], due)
    assert (told.verdict.state, told.verdict.exit_code) == (StateName.INCOMPLETE_READ, ExitCode.SOME_FAILED)
    assert "the source was not read whole" in told.verdict.sentence


@pytest.mark.parametrize("endpoint", [USERS, ASSIGNMENTS, MEMBERS, DELETED])
def test_a_read_that_fails_ends_the_cycle_and_writes_nothing(company: Company, endpoint: str) -> None:
    due, since = company.due(), len(company.sandbox.replicon.change_log)
    assert due
    number = company.sandbox.faults.add(endpoint, "expired_token")
    with pytest.raises(UnreachableError, match="token that was just issued"):
        run_cycle(company.job, CycleChoice.INITIAL)
    struck = company.sandbox.faults.struck(number)
    company.sandbox.faults.clear()
    assert struck > 0
    assert (len(company.sandbox.replicon.change_log), company.due()) == (since, due)
    with ledger_of(company.job) as ledger:
        assert ledger.cycles("sandbox", 1)["state"].tolist() == [StateName.FAILED]


def test_a_fault_of_the_moment_does_not_make_a_read_short(company: Company) -> None:
    for endpoint in (USERS, ASSIGNMENTS, MEMBERS):
        company.sandbox.faults.add(endpoint, "truncated_page", cut="body", count=1)
        company.sandbox.faults.add(endpoint, "missing_page", count=1, after=1)
    told = run_cycle(company.job, CycleChoice.INITIAL)
    company.sandbox.faults.clear()
    assert told.verdict.state is not StateName.INCOMPLETE_READ
    assert (company.due(), differences(company.truth, company.sandbox)) == (set(), [])
