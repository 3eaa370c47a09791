"""From Microsoft's own provisioning to this one: the schema is imported, accounts are linked, nothing is written."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.sandbox.sandbox import DEFAULT_MAPPING, Sandbox
from tasks.model import ExitCode
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
    return Company(sandbox, schema, sandbox.job_file(tmp_path, mapping="replicon.yaml"))


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
        assert len(ledger.links("sandbox")) == len(there) - 2


def test_accounts_that_do_not_match_are_linked_by_a_file(company: Company, command: Command, tmp_path: Path) -> None:
    command("mapping", "import", company.schema, "--out", company.job.with_name("replicon.yaml"))
    with ledger_of(company.sandbox.job_file(tmp_path / "before", mapping=str(company.schema))) as ledger:
        links = ledger.links("sandbox")[["source_id", "target_uri"]]
    file = tmp_path / "links.csv"
    links.to_csv(file, index=False)
    sent = writes(company.sandbox)
    assert command("links", "import", company.job, file).code == ExitCode.DONE
    ended = command("run", company.job, "--apply")
    assert (ended.code, writes(company.sandbox)) == (ExitCode.DONE, sent), ended.out
    with ledger_of(company.job) as ledger:
        assert len(ledger.links("sandbox")) == len(links)
