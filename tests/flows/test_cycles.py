"""Whole cycles over the wire: after each of them Replicon's accounts are what the mapping's definition says."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.model import CycleChoice, CycleKind, ExitCode
from tasks.report.cycle import Told
from tests.flows.actual import accounts, differences, keeps, truth_of
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes, wrong_after_cycle
from tests.flows.truth import Values


def test_three_cycles_make_replicon_what_it_must_be_and_the_third_writes_nothing(
    sandboxes: Sandboxes, tmp_path: Path, ledger_url: str
) -> None:
    sandbox = sandboxes(users=120, seed=1, existing=0.15, orphans=3)
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


@pytest.mark.parametrize("seed", [2, 3])
def test_months_of_changes_are_followed(sandboxes: Sandboxes, tmp_path: Path, seed: int) -> None:
    sandbox = sandboxes(users=80, seed=seed, existing=0.1, missing_departments=1)
    truth, job = truth_of(sandbox), sandbox.job_file(tmp_path)
    assert wrong_after_cycle(sandbox, truth, job) == []
    for _ in range(2):
        sandbox.month_passes(share=0.3)
        assert wrong_after_cycle(sandbox, truth, job) == []


def test_a_first_cycle_only_plans_unless_told_to_apply(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes()
    told = run_cycle(sandbox.job_file(tmp_path), apply_first_plan=False)
    assert (writes(sandbox).total(), told.verdict.exit_code) == (0, ExitCode.HELD)


@dataclasses.dataclass(frozen=True)
class Lived:
    """A company that had accounts in Replicon before, after an initial cycle, a month, and everything read again."""

    sandbox: Sandbox
    found: dict[str, Values]
    """The accounts that were there before the first cycle."""
    linked: frozenset[str]
    """URIs of the accounts linked after the first cycle."""
    again: Told
    sent: Counter[str]
    """Writes sent before the last cycle, which had nothing to do."""


@pytest.fixture(scope="module")
def lived(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    sandbox = sandboxes(users=80, seed=5, existing=0.5, orphans=5)
    found, job = accounts(sandbox), sandbox.job_file(tmp_path_factory.mktemp("lived"))
    run_cycle(job)
    with ledger_of(job) as ledger:
        linked = frozenset(ledger.links("sandbox")["target_uri"])
    run_cycle(job)
    sent = writes(sandbox)
    return Lived(sandbox, found, linked, run_cycle(job, CycleChoice.INITIAL), sent)


def test_reading_everything_again_finds_nothing_to_do(lived: Lived) -> None:
    assert (lived.again.facts.kind, writes(lived.sandbox)) == (CycleKind.INITIAL, lived.sent)


def test_existing_accounts_are_linked_and_never_doubled(lived: Lived) -> None:
    has = accounts(lived.sandbox)
    kept = {account.uri for account in lived.sandbox.replicon.accounts.values() if account.login in lived.found}
    created = {change.uri for change in lived.sandbox.replicon.change_log if change.kind == "create"}
    mails = Counter(values["emailAddress"] for values in has.values() if values["emailAddress"])
    assert len(lived.linked & kept) > len(lived.found) / 2
    assert lived.linked - kept == created
    assert mails.most_common(1)[0][1] == 1


def test_accounts_of_nobody_are_never_touched(lived: Lived) -> None:
    has = accounts(lived.sandbox)
    nobodys = [login for login in lived.found if login.startswith(("integration", "svc."))]
    assert len(nobodys) == 7
    assert [has[login] for login in nobodys] == [lived.found[login] for login in nobodys]
    assert not {change.login for change in lived.sandbox.replicon.change_log} & {*nobodys}
