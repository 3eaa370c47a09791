"""People whose story is easily told wrongly: who comes back, who is gone for good, whose manager comes later.

One sandbox lives through all the stories at once; each test looks at one of them.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from deployments.sandbox.sandbox import Sandbox
from tests.flows.actual import accounts, truth_of
from tests.flows.conftest import Sandboxes
from tests.flows.running import writes, wrong_after_cycle
from tests.flows.truth import Values

LEAVES = "2026-09-30T00:00:00Z"
NAMES = ("boss", "report", "stays", "returns", "returns.for.good", "gone", "gone.with.data")
"""The people of the stories, by the first part of their addresses."""


@dataclasses.dataclass(frozen=True)
class Story:
    """Replicon's accounts after each cycle, where they differ from the truth, and how much was sent in each."""

    accounts: list[dict[str, Values]]
    wrong: list[list[str]]
    sent: list[Counter[str]]

    def after(self, cycle: int, name: str) -> Values:
        """Give somebody's account after a cycle (from 1)."""
        return self.accounts[cycle - 1][f"{name}@northwind.example"]


@pytest.fixture(scope="module")
def story(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Story:
    sandbox = sandboxes(users=30)
    ids = sandbox.run(lambda: _add(sandbox))
    truth, job = truth_of(sandbox), sandbox.job_file(tmp_path_factory.mktemp("people"))
    told = Story([], [], [])
    for change in (lambda: None, lambda: _leave(sandbox, ids), lambda: _return(sandbox, ids), lambda: None):
        sandbox.run(change)
        before = writes(sandbox)
        told.wrong.append(wrong_after_cycle(sandbox, truth, job))
        told.accounts.append(accounts(sandbox))
        told.sent.append(writes(sandbox) - before)
    return told


def test_everybody_is_as_they_must_be_after_every_cycle(story: Story) -> None:
    assert story.wrong == [[], [], [], []]


def test_a_manager_who_gets_an_account_later_becomes_the_supervisor(story: Story) -> None:
    supervisors = [story.after(cycle, "report")["supervisor"] for cycle in (1, 2)]
    assert supervisors == [None, "boss@northwind.example"]


def test_who_leaves_loses_the_login_and_nothing_else(story: Story) -> None:
    assert story.after(2, "returns") == {**story.after(1, "returns"), "loginEnabled": False}


def test_who_comes_back_gets_the_login_with_all_that_has_changed(story: Story) -> None:
    account = story.after(3, "returns")
    assert (account["loginEnabled"], account["departmentGroup"]) == (True, "Sales Operations")


def test_who_comes_back_for_good_has_no_end_date_left(story: Story) -> None:
    ends = [story.after(cycle, "returns.for.good")["endDate"] for cycle in (1, 2, 3)]
    assert ends == [LEAVES[:10], LEAVES[:10], None]


def test_who_comes_back_for_a_while_keeps_the_end_date_of_the_directory(story: Story) -> None:
    assert story.after(3, "returns")["endDate"] == LEAVES[:10]


def test_who_is_gone_for_good_loses_the_account(story: Story) -> None:
    assert "gone@northwind.example" not in story.accounts[1]


def test_an_account_with_data_is_disabled_instead_of_deleted(story: Story) -> None:
    assert story.after(2, "gone.with.data")["loginEnabled"] is False


def test_a_refused_delete_is_not_tried_again(story: Story) -> None:
    assert story.sent[3] == Counter()


def _add(sandbox: Sandbox) -> dict[str, str]:
    """Add the people; everybody is assigned but the boss."""
    tenant = sandbox.tenant
    ids = {
        name: tenant.add_user(
            givenName=name.title(),
            surname="Novák",
            userPrincipalName=f"{name}@northwind.example",
            department="Training",
        )
        for name in NAMES
    }
    tenant.update_user(ids["report"], manager=ids["boss"])
    for name in ("returns", "returns.for.good"):
        tenant.update_user(ids[name], employeeLeaveDateTime=LEAVES)
    for name in NAMES[1:]:
        tenant.assign(ids[name], tenant.role("User").id)
    return ids


def _leave(sandbox: Sandbox, ids: dict[str, str]) -> None:
    """Let people go, in the directory and for good, and give the boss a role."""
    tenant, state = sandbox.tenant, sandbox.replicon
    tenant.assign(ids["boss"], tenant.role("Supervisor").id)
    for name in ("returns", "returns.for.good"):
        tenant.update_user(ids[name], accountEnabled=False, department="Sales Operations")
    for name, has_data in (("gone", False), ("gone.with.data", True)):
        tenant.hard_delete(ids[name])
        account = state.by_login(f"{name}@northwind.example")
        assert account is not None
        state.put(account, dataclasses.replace(account, has_data=has_data))


def _return(sandbox: Sandbox, ids: dict[str, str]) -> None:
    for name in ("returns", "returns.for.good"):
        sandbox.tenant.update_user(ids[name], accountEnabled=True)
    sandbox.tenant.update_user(ids["returns.for.good"], employeeLeaveDateTime=None)
