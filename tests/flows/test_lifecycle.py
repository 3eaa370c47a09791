"""A job's life as an administrator leads it: a changed mapping waits for a look, on and off, restarts, status."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from deployments.sandbox.sandbox import DEFAULT_MAPPING, Sandbox
from flows.chores import restart
from tests.flows.actual import accounts
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes

Command = Callable[..., Ended]


@dataclasses.dataclass(frozen=True)
class Company:
    """A sandbox whose people have been provisioned, with a job and a mapping of this test's own."""

    sandbox: Sandbox
    job: Path
    mapping: Path

    def sent(self) -> int:
        """Count the writes asked of Replicon so far."""
        return writes(self.sandbox).total()

    def change_job(self, **settings: object) -> None:
        """Change keys of the job file."""
        self.job.write_text(yaml.safe_dump({**yaml.safe_load(self.job.read_text()), **settings}), encoding="utf-8")


@pytest.fixture
def company(sandboxes: Sandboxes, tmp_path: Path) -> Company:
    sandbox = sandboxes(users=25, seed=3)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(DEFAULT_MAPPING.read_text(encoding="utf-8"), encoding="utf-8")
    job = sandbox.job_file(tmp_path, mapping=str(mapping))
    run_cycle(job)
    return Company(sandbox, job, mapping)


def shouting(company: Company) -> None:
    """Have the mapping write first names in capitals."""
    text = company.mapping.read_text(encoding="utf-8")
    changed = text.replace("[givenName]", "ToUpper([givenName])")
    assert changed != text
    company.mapping.write_text(changed, encoding="utf-8")


def block(sandbox: Sandbox, people: list[str]) -> None:
    """Block the sign-in of these people."""

    def change() -> None:
        for person in people:
            sandbox.tenant.update_user(person, accountEnabled=False)

    sandbox.run(change)


def test_a_changed_mapping_only_plans_until_a_person_applies_it(company: Company, command: Command) -> None:
    shouting(company)
    before = company.sent()
    held = command("run", company.job)
    assert (held.code, company.sent()) == (4, before), held.out
    assert "The mapping changed since the last cycle" in held.out
    again = command("run", company.job)
    assert (again.code, company.sent()) == (4, before), again.out
    applied = command("run", company.job, "--apply")
    assert company.sent() > before, applied.out
    later = command("run", company.job)
    assert "only planned" not in later.out


def test_a_changed_scope_only_plans_too(company: Company, command: Command) -> None:
    before = company.sent()
    company.change_job(scope={"who": "all"})
    held = command("run", company.job)
    assert (held.code, company.sent()) == (4, before), held.out
    assert "The scope, the allowed actions or the source changed" in held.out


def test_a_job_may_do_without_the_look(company: Company, command: Command) -> None:
    company.change_job(guards={"preview_changes": False})
    shouting(company)
    before = company.sent()
    command("run", company.job)
    assert company.sent() > before


def test_a_mapping_that_changes_nothing_for_anybody_needs_no_look(company: Company, command: Command) -> None:
    # A changed mapping has whoever failed tried again, which is a change to look at.
    with ledger_of(company.job) as ledger:
        block(company.sandbox, ledger.escrow("sandbox")["source_id"].tolist())
    run_cycle(company.job)
    text = company.mapping.read_text(encoding="utf-8")
    company.mapping.write_text(text.replace("[givenName]", 'Append([givenName], "")'), encoding="utf-8")
    before = company.sent()
    first = command("run", company.job)
    assert (first.code in {0, 3, 4}, "only planned" in first.out, company.sent()) == (True, False, before), first.out


def test_a_job_that_is_off_does_nothing_until_it_is_on(company: Company, command: Command) -> None:
    assert command("off", company.job, "--by", "ada", "--why", "a move").code == 0
    refused = command("run", company.job)
    assert (refused.code, "switched off" in refused.err) == (4, True)
    shown = command("status", company.job)
    assert (shown.code, "off" in shown.out, "a move" in shown.out) == (0, True, True)
    assert command("on", company.job).code == 0
    assert command("run", company.job).code in {0, 3, 4}


def test_status_tells_programs_what_a_job_stands_at(company: Company, command: Command) -> None:
    standing = json.loads(command("status", company.job, "--json").out)
    with ledger_of(company.job) as ledger:
        linked = len(ledger.links("sandbox"))
    assert (standing["status"], standing["linked"], standing["running"]) == ("on", linked, None)
    assert standing["lastCycle"]["kind"] == "initial"


def test_links_are_forgotten_only_for_the_typed_name(company: Company, command: Command) -> None:
    refused = command("restart", company.job, "--reset", "links")
    assert (refused.code, "expected 'sandbox'" in refused.err) == (2, True)
    with ledger_of(company.job) as ledger:
        linked = set(ledger.links("sandbox")["source_id"])
    assert command("restart", company.job, "--reset", "links", "--confirm", "sandbox").code == 0
    before = accounts(company.sandbox)
    command("run", company.job)
    with ledger_of(company.job) as ledger:
        assert set(ledger.links("sandbox")["source_id"]) == linked
    assert accounts(company.sandbox) == before


def test_force_deletes_does_the_removals_over_the_limit_once(company: Company, command: Command) -> None:
    company.change_job(guards={"removals": {"count": 1}})
    command("run", company.job, "--apply")
    with ledger_of(company.job) as ledger:
        active = ledger.links("sandbox").query("active")["source_id"].tolist()[:4]
    block(company.sandbox, active)
    staged = command("run", company.job)
    assert (staged.code, "TooManyDeletes" in staged.out) == (4, True), staged.out
    only = {"watermark": False, "escrows": False, "quarantine": False, "force_deletes": True}
    state = restart(str(company.job), **only, by="ada", return_state=True)
    assert "removals over the limit, once" in str(state.message)
    command("run", company.job)
    with ledger_of(company.job) as ledger:
        links = ledger.links("sandbox")
        assert not links.loc[links["source_id"].isin(active), "active"].any()
        assert not ledger.job_state("sandbox").force_removals
        assert ledger.job_state("sandbox").quarantine_reason is None
