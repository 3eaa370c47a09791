"""From Microsoft's own provisioning to this one: the schema is imported, accounts are linked, nothing is written."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.sandbox.sandbox import DEFAULT_MAPPING, Sandbox
from tasks.model import ExitCode
from tests.documented import ROOT, commands
from tests.flows.actual import accounts
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes

Command = Callable[..., Ended]
# How the schema of the service before differs from the default mapping: it does not know the name for single sign-on,
# which Replicon does not tell either, and it takes care of what Replicon refuses.
THEIRS = {
    "          - targetAttributeName: SsoName\n            source: '[userPrincipalName]'\n": "",
    "source: 'Coalesce([mail], [userPrincipalName])'": (
        "source: 'NormalizeDiacritics(Coalesce([mail], [userPrincipalName]))'"
    ),
    "'[givenName]'": "'Left([givenName], 50)'",
    "'[surname]'": "'Left([surname], 50)'",
}


@dataclasses.dataclass(frozen=True)
class Company:
    """A sandbox whose people another service has provisioned, the schema that it exported, and a job that is new."""

    sandbox: Sandbox
    schema: Path
    job: Path


@pytest.fixture
def company(sandboxes: Sandboxes, tmp_path: Path, command: Command) -> Company:
    sandbox = sandboxes(users=40, seed=7)
    before = tmp_path / "before"
    before.mkdir()
    mapping, schema = DEFAULT_MAPPING.read_text(encoding="utf-8"), tmp_path / "schema.json"
    for ours, theirs in THEIRS.items():
        assert mapping.count(ours) == 1
        mapping = mapping.replace(ours, theirs)
    (before / "theirs.yaml").write_text(mapping, encoding="utf-8")
    assert command("mapping", "export", before / "theirs.yaml", "--out", schema).code == ExitCode.DONE
    for _ in range(2):
        # Supervisors whose account came later follow in the second cycle.
        run_cycle(sandbox.job_file(before, mapping=str(schema)))
    return Company(sandbox, schema, sandbox.job_file(tmp_path, name="acme", mapping="replicon.yaml"))


def test_the_first_plan_after_the_migration_has_links_and_no_changes(company: Company, command: Command) -> None:
    mapping = company.job.with_name("replicon.yaml")
    assert command("mapping", "import", company.schema, "--out", mapping).code == ExitCode.DONE
    sent, there = writes(company.sandbox), accounts(company.sandbox)
    first = command("plan", company.job)
    assert first.code in {ExitCode.DONE, ExitCode.PENDING}, first.out
    assert re.search(r"^ *\d+ to link, \d+ skipped *$", first.out, re.MULTILINE), first.out
    assert command("run", company.job, "--apply").code == ExitCode.DONE
    second = command("plan", company.job)
    assert (second.code, "Nothing to do" in second.out) == (ExitCode.DONE, True), second.out
    assert (writes(company.sandbox), accounts(company.sandbox)) == (sent, there)
    with ledger_of(company.job) as ledger:
        # All but the provisioning accounts of Replicon itself.
        assert len(ledger.links("acme")) == len(there) - 2


def test_whoever_follows_the_page_has_everybody_linked_and_nothing_written(
    company: Company, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = company.job.parent
    monkeypatch.chdir(folder)
    with ledger_of(company.sandbox.job_file(folder / "before", mapping=str(company.schema))) as ledger:
        links = ledger.links("sandbox")[["source_id", "target_uri"]]
    links.head(5).to_csv(folder / "links.csv", index=False)
    sent = writes(company.sandbox)
    lines = commands(ROOT / "deployments" / "migrating.md")
    codes = {line: command(*shlex.split(line)[1:]).code for line in lines}
    assert set(codes.values()) == {ExitCode.DONE}, codes
    assert writes(company.sandbox) == sent
    with ledger_of(company.job) as ledger:
        assert set(ledger.links("acme")["target_uri"]) == set(links["target_uri"])
