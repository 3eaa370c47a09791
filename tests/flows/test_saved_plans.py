"""Plans saved, approved and applied from the command line against the sandbox."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from deployments.sandbox.sandbox import Sandbox
from tests.flows.actual import accounts, differences, keeps, truth_of
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes

Command = Callable[..., Ended]


@dataclasses.dataclass(frozen=True)
class Company:
    """A sandbox, its job, and where a plan is saved."""

    sandbox: Sandbox
    job: Path
    file: Path


@pytest.fixture
def company(sandboxes: Sandboxes, tmp_path: Path) -> Company:
    sandbox = sandboxes(users=30, seed=4, existing=0.2)
    return Company(sandbox, sandbox.job_file(tmp_path), tmp_path / "plan.parquet")


def test_a_first_plan_is_saved_seen_and_applied_exactly(company: Company, command: Command) -> None:
    truth = truth_of(company.sandbox)
    planned = command("plan", company.job, "--save", company.file)
    assert (planned.code in {1, 4}, writes(company.sandbox).total()) == (True, 0)
    assert f"provision apply {company.job}" in planned.out
    applied = command("apply", company.job, company.file)
    truth.cycle(company.sandbox.tenant, keeps(company.sandbox))
    assert (applied.code in {0, 3, 4}, differences(truth, company.sandbox)) == (True, [])
    sent = writes(company.sandbox)
    again = command("apply", company.job, company.file)
    assert writes(company.sandbox) == sent
    assert again.code in {0, 3, 4}, again.err


def assign_somebody(sandbox: Sandbox, name: str) -> str:
    """Put a person into the directory and assign them; give their id."""

    def add() -> str:
        tenant = sandbox.tenant
        person = tenant.add_user(givenName=name, surname="Doe", userPrincipalName=f"{name}@northwind.example")
        tenant.assign(person, tenant.role("User").id)
        return str(person)

    return sandbox.run(add)


def test_a_stale_plan_is_refused_by_name_and_what_is_new_waits(company: Company, command: Command) -> None:
    run_cycle(company.job)
    ann = assign_somebody(company.sandbox, "ann")
    command("plan", company.job, "--save", company.file)
    assign_somebody(company.sandbox, "bob")
    company.sandbox.run(lambda: company.sandbox.tenant.update_user(ann, givenName="Anna"))
    sent = writes(company.sandbox)
    refused = command("apply", company.job, company.file)
    assert (refused.code, writes(company.sandbox)) == (2, sent)
    assert "ann@northwind.example: create was planned" in refused.err
    company.sandbox.run(lambda: company.sandbox.tenant.update_user(ann, givenName="ann"))
    applied = command("apply", company.job, company.file)
    has = accounts(company.sandbox)
    assert ("ann@northwind.example" in has, "bob@northwind.example" in has) == (True, False), applied.out
    run_cycle(company.job)
    assert "bob@northwind.example" in accounts(company.sandbox)


def test_tampered_foreign_and_unknown_plans_are_refused(company: Company, command: Command, tmp_path: Path) -> None:
    command("plan", company.job, "--save", company.file)
    for folder in ("other", "elsewhere"):
        (tmp_path / folder).mkdir()
    other = company.sandbox.job_file(tmp_path / "other", name="other")
    assert "was made for the job 'sandbox' and not for 'other'" in command("apply", other, company.file).err
    elsewhere = company.sandbox.job_file(tmp_path / "elsewhere", ledger={"url": f"sqlite:///{tmp_path}/elsewhere.db"})
    assert "knows no such plan" in command("apply", elsewhere, company.file).err
    table = pq.read_table(company.file)
    reasons = table.column("reason").to_pylist()
    place = table.schema.get_field_index("reason")
    pq.write_table(table.set_column(place, "reason", [[*reasons[:-1], "another"]]), company.file)
    refused = command("apply", company.job, company.file)
    assert (refused.code, writes(company.sandbox).total()) == (2, 0)
    assert "changed or damaged after it was saved" in refused.err


def test_staged_removals_are_carried_out_once_approved(company: Company, command: Command, tmp_path: Path) -> None:
    strict = {"guards": {"removals": {"count": 0}}}
    job = company.sandbox.job_file(tmp_path, **strict)
    run_cycle(job)
    with ledger_of(job) as ledger:
        somebody = ledger.links("sandbox").iloc[0]
    company.sandbox.run(lambda: company.sandbox.tenant.update_user(somebody["source_id"], accountEnabled=False))
    assert command("plan", job, "--save", company.file).code == 4
    command("apply", job, company.file)
    login = str(somebody["target_name"])
    assert accounts(company.sandbox)[login]["loginEnabled"] is True
    rejected = command("approve", job, company.file, "--reject", "--why", "a mistake", "--by", "ada")
    assert "rejected, decided by ada: a mistake" in rejected.out
    assert "was rejected by ada (a mistake)" in command("apply", job, company.file).err
    command("approve", job, company.file, "--why", "they left", "--by", "ada")
    applied = command("apply", job, company.file)
    assert accounts(company.sandbox)[login]["loginEnabled"] is False
    assert "Approved by ada (everything): they left" in applied.out
