"""Explaining one person: what is told is what a cycle then does, and nothing is written by telling it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from deployments.sandbox.sandbox import Sandbox
from flows.explain import explained
from flows.parts import open_parts
from flows.plan import plan_cycle
from tasks.model import CycleChoice
from tests.flows.actual import accounts
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes

Command = Callable[..., Ended]
ANN = "ann@northwind.example"


@pytest.fixture(scope="module")
def sandbox(sandboxes: Sandboxes) -> Sandbox:
    sandbox = sandboxes(users=25, seed=11)

    def add() -> None:
        tenant = sandbox.tenant
        ann = tenant.add_user(givenName="Ann", surname="Doe", userPrincipalName=ANN)
        tenant.assign(ann, tenant.role("User").id)
        tenant.add_user(givenName="Bob", surname="Doe", userPrincipalName="bob@northwind.example")

    sandbox.run(add)
    return sandbox


def test_what_is_told_is_what_the_cycle_does(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path)
    told = command("explain", job, ANN)
    assert (told.code, writes(sandbox).total()) == (1, 0), told.err
    assert "Not linked, and no account is theirs" in told.out
    assert "create" in told.out
    run_cycle(job)
    assert ANN in accounts(sandbox)
    after = command("explain", job, ANN)
    assert (after.code, "Linked to the account" in after.out) == (0, True)
    with ledger_of(job) as ledger:
        source_id = ledger.activities(source=ANN)["source_id"].iloc[0]
    assert command("explain", job, source_id).out.count("create") == after.out.count("create") > 0


def test_who_is_not_assigned_is_told_so(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    told = command("explain", sandbox.job_file(tmp_path), "bob@northwind.example")
    assert (told.code, "Not entitled" in told.out, "skipped" in told.out) == (0, True, True)


def test_an_unknown_name_is_refused(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    refused = command("explain", sandbox.job_file(tmp_path), "nobody@northwind.example")
    assert (refused.code, "Nobody goes by" in refused.err) == (2, True)


def test_every_expression_is_taken_apart(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    told = command("explain", sandbox.job_file(tmp_path), ANN)
    lines = [line.strip() for line in told.out.splitlines()]
    whole = "Coalesce([mail], [userPrincipalName])"
    place = next(number for number, line in enumerate(lines) if line.startswith(whole))
    assert f'"{ANN}"' in lines[place]
    assert lines[place + 1].startswith(("├─ [mail]", "└─ [mail]")), told.out
    assert any(line.startswith("└─ [appRoleAssignments]") and "Replicon.User" in line for line in lines), told.out


def test_the_clause_that_decides_is_named_with_what_the_person_has(
    sandbox: Sandbox, command: Command, tmp_path: Path
) -> None:
    mapping = (Path(__file__).parents[2] / "deployments" / "mappings" / "replicon.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(mapping)
    users = document["synchronizationRules"][0]["objectMappings"][0]
    clauses = [
        {"sourceOperandName": "surname", "operatorName": "EQUALS", "targetOperand": {"values": ["Doe"]}},
        {"sourceOperandName": "givenName", "operatorName": "EQUALS", "targetOperand": {"values": ["Zoe"]}},
    ]
    users["scope"] = {"groups": [{"name": "Zoes", "clauses": clauses}]}
    file = tmp_path / "scoped.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    told = command("explain", sandbox.job_file(tmp_path, mapping=str(file)), ANN)
    assert "Scoping filter, Zoes" in told.out, told.out + told.err
    held = {line.split("EQUALS")[0].strip(): line for line in told.out.splitlines() if " has " in line}
    assert ("does not hold" in held["givenName"], '"Ann"' in held["givenName"]) == (True, True)
    assert ("does not hold" in held["surname"], " holds " in held["surname"]) == (False, True)


def test_what_is_explained_of_everybody_is_what_the_cycle_then_does(sandboxes: Sandboxes, tmp_path: Path) -> None:
    company = sandboxes(users=40, seed=12)
    # A share of few people would be exceeded by any change of a month.
    job = company.job_file(tmp_path, guards={"removals": {"count": 1000, "percent": 100}})
    run_cycle(job)
    company.month_passes(seed=5, share=0.3)
    parts = open_parts(job)
    with parts.ledger:
        plan = plan_cycle(parts, CycleChoice.INITIAL)
        told = {name: explained(parts, name).row for name in plan.operations["source_id"]}
    run_cycle(job, CycleChoice.INITIAL)
    with ledger_of(job) as ledger:
        done = ledger.activities(cycle_id=str(ledger.cycles("sandbox", 1)["cycle_id"].iloc[0]))
    columns = ["source_id", "situation", "operation", "decision"]
    explained_rows = sorted([str(row[column]) for column in columns] for row in told.values() if row is not None)
    assert len(explained_rows) > 3
    assert explained_rows == sorted(done[columns].astype(str).to_numpy().tolist())
