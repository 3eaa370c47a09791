"""Undo, drift and links from the command line against the sandbox."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from deployments.sandbox.sandbox import Sandbox
from flows.drift import drift
from tests.flows.actual import accounts
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes
from tests.flows.truth import Values

Command = Callable[..., Ended]


@dataclasses.dataclass(frozen=True)
class Company:
    """A sandbox after its first cycle, and its job."""

    sandbox: Sandbox
    job: Path


@pytest.fixture
def company(sandboxes: Sandboxes, tmp_path: Path) -> Company:
    sandbox = sandboxes(users=30, seed=6, existing=0.2, orphans=2)
    job = sandbox.job_file(tmp_path)
    run_cycle(job)
    return Company(sandbox, job)


def latest(job: Path) -> str:
    """Give the id of the latest cycle."""
    with ledger_of(job) as ledger:
        return str(ledger.cycles(limit=1)["cycle_id"].iloc[0])


def comparable(sandbox: Sandbox) -> dict[str, Values]:
    """Give the accounts by URI, without the name for single sign-on, which cannot be read and so not put back."""
    uris = {account.login: account.uri for account in sandbox.replicon.accounts.values()}
    return {
        uris[login]: {"loginName": login, **{key: value for key, value in values.items() if key != "ssoName"}}
        for login, values in accounts(sandbox).items()
    }


def test_a_cycle_is_taken_back_and_taken_back_again(company: Company, command: Command) -> None:
    before = comparable(company.sandbox)
    company.sandbox.month_passes(share=0.3)
    told = run_cycle(company.job)
    after = comparable(company.sandbox)
    assert after != before
    sent = writes(company.sandbox)
    shown = command("undo", company.job, told.facts.cycle_id[:8])
    assert (shown.code in {1, 4}, writes(company.sandbox)) == (True, sent)
    assert command("undo", company.job, told.facts.cycle_id, "--apply").code in {0, 3}
    undone = comparable(company.sandbox)
    assert {uri: undone[uri] for uri in before if uri in undone} == {
        uri: values for uri, values in before.items() if uri in undone
    }
    assert undone.keys() == after.keys()
    assert not any(undone[uri]["loginEnabled"] for uri in undone.keys() - before.keys())
    assert command("undo", company.job, latest(company.job), "--apply").code in {0, 3}
    assert comparable(company.sandbox) == after


def test_a_saved_undo_is_applied_exactly_and_refused_once_stale(
    company: Company, command: Command, tmp_path: Path
) -> None:
    before = comparable(company.sandbox)
    company.sandbox.month_passes(share=0.3)
    told = run_cycle(company.job)
    file = tmp_path / "undo.parquet"
    command("undo", company.job, told.facts.cycle_id, "--save", file)
    command("approve", company.job, file, "--why", "a mistake", "--by", "ada")
    applied = command("apply", company.job, file)
    assert applied.code in {0, 3}, applied.err
    undone = comparable(company.sandbox)
    assert {uri: undone[uri] for uri in before if uri in undone} == {
        uri: values for uri, values in before.items() if uri in undone
    }
    sent = writes(company.sandbox)
    again = command("apply", company.job, file)
    assert (again.code in {0, 3}, writes(company.sandbox)) == (True, sent), again.err


def drift_somebody(company: Company) -> str:
    """Change somebody's first name in Replicon; give the login."""
    state = company.sandbox.replicon
    with ledger_of(company.job) as ledger:
        links = ledger.links("sandbox")
    settled = links["active"] & links["written"].str.contains("FirstName") & links["account_digest"].notna()
    login = str(links.loc[settled, "target_name"].min())

    def change() -> None:
        account = state.by_login(login)
        assert account is not None
        state.put(account, dataclasses.replace(account, first_name="Else"))

    company.sandbox.run(change)
    return login


def test_drift_is_shown_then_put_back_and_orphans_are_listed_and_never_touched(
    company: Company, command: Command
) -> None:
    login = drift_somebody(company)
    before = accounts(company.sandbox)
    shown = command("drift", company.job)
    assert (shown.code, "changed outside provisioning" in shown.out) == (1, True)
    assert "linked to nobody; they are never touched" in shown.out
    assert accounts(company.sandbox) == before
    assert command("drift", company.job, "--apply").code == 0
    after = accounts(company.sandbox)
    assert after[login]["firstName"] != "Else"
    assert {name: values for name, values in after.items() if name != login} == {
        name: values for name, values in before.items() if name != login
    }
    assert command("drift", company.job).code == 0


def artifact_of(key: str) -> str:
    """Give the latest artifact under a key."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return str(max(found, key=lambda one: str(one.created)).data)


def test_what_a_full_compare_found_is_an_artifact_of_its_run(company: Company) -> None:
    login = drift_somebody(company)
    drift(str(company.job))
    shown = artifact_of("provisioning-drift-sandbox")
    assert "1 accounts were changed outside provisioning, 0 linked accounts are gone" in shown
    assert re.search(r"\| FirstName \| Else \| \S.* \| put back \|", shown), shown
    assert "### Linked to nobody, and never touched" in shown
    assert shown.count("| integration") == 2
    assert login in shown


def test_what_the_job_adopts_stays_and_is_told(company: Company) -> None:
    login = drift_somebody(company)
    job = company.sandbox.job_file(company.job.parent, drift={"attributes": {"FirstName": "adopt"}})
    drift(str(job))
    assert accounts(company.sandbox)[login]["firstName"] == "Else"
    assert "left so, as the job says" in artifact_of("provisioning-drift-sandbox")


def test_an_account_that_is_gone_is_made_again(company: Company, command: Command) -> None:
    login = drift_somebody(company)
    state = company.sandbox.replicon
    company.sandbox.run(lambda: state.put(state.by_login(login), None))
    assert command("drift", company.job).code in {1, 4}
    drift(str(company.job))
    assert login in accounts(company.sandbox)
    assert "### Gone from Replicon: 1" in artifact_of("provisioning-drift-sandbox")


def test_a_cycle_of_changes_only_does_not_see_drift(company: Company) -> None:
    login = drift_somebody(company)
    run_cycle(company.job)
    assert accounts(company.sandbox)[login]["firstName"] == "Else"


def test_links_are_listed_shown_removed_and_imported(company: Company, command: Command, tmp_path: Path) -> None:
    with ledger_of(company.job) as ledger:
        link = ledger.links("sandbox").iloc[0]
    assert str(link["target_name"]) in command("links", "list", company.job, "--limit", 1000).out
    assert str(link["target_uri"]) in command("links", "show", company.job, link["target_name"]).out
    assert command("links", "remove", company.job, link["source_id"]).code == 0
    assert command("links", "show", company.job, link["source_id"]).code == 2
    file = tmp_path / "links.csv"
    file.write_text(f"source_id,login_name\n{link['source_id']},{str(link['target_name']).upper()}\n", encoding="utf-8")
    imported = command("links", "import", company.job, file)
    assert "1 links imported" in imported.out, imported.err
    with ledger_of(company.job) as ledger:
        found = ledger.links("sandbox", [link["source_id"]])
    assert found["target_uri"].tolist() == [link["target_uri"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source_id\nx\n", ":1: expected the columns"),
        ("source_id,login_name\nx,nobody@there.example\n", ":2: there is no such account in Replicon"),
        ("source_id,login_name\n,nobody@there.example\n", ":2: the source id is empty"),
        ("source_id,login_name\nx,{login}\n", ":2: the account is linked to another person"),
    ],
)
def test_links_that_cannot_be_are_refused_with_their_lines(
    text: str, said: str, company: Company, command: Command, tmp_path: Path
) -> None:
    with ledger_of(company.job) as ledger:
        before = ledger.links("sandbox")
    file = tmp_path / "links.csv"
    file.write_text(text.format(login=before["target_name"].iloc[0]), encoding="utf-8")
    refused = command("links", "import", company.job, file)
    assert (refused.code, said in refused.err) == (2, True), refused.err
    with ledger_of(company.job) as ledger:
        assert len(ledger.links("sandbox")) == len(before)
