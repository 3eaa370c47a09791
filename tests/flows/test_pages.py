"""Prefect's pages as a person walks them: the verdict, who failed, and what to do are there to be read."""

from __future__ import annotations

import dataclasses

import pytest
from playwright.sync_api import Page, expect

from tasks.report.cycle import Told
from tasks.report.remedies import remedy_of
from tests.browser import WIDTH
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle


@dataclasses.dataclass(frozen=True)
class Lived:
    """A cycle in which somebody failed, as the ledger has it."""

    run_id: str
    told: Told
    failed: str
    code: str
    remedy: str


@pytest.fixture(scope="module")
def lived(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    # In this company Replicon lacks a department, and one person's data is such that it is refused.
    sandbox = sandboxes(users=40, seed=11, missing_departments=2)
    job = sandbox.job_file(tmp_path_factory.mktemp("pages"), name="northwind")
    told = run_cycle(job)
    with ledger_of(job) as ledger:
        failure = ledger.activities(job="northwind", status="failure").iloc[0]
        run_id = ledger.cycles("northwind", 1)["flow_run_id"].iloc[0]
    code = failure["error_code"]
    return Lived(run_id, told, failure["source_name"], code, failure["remedy"] or remedy_of(code).action)


def test_a_person_finds_the_verdict_the_failed_user_and_the_remedy(
    lived: Lived, prefect_pages: str, page: Page
) -> None:
    verdict = lived.told.verdict
    page.goto(f"{prefect_pages}/runs")
    entry = page.get_by_role("link", name=verdict.sentence)
    expect(entry.first).to_be_visible()
    expect(page.get_by_text(verdict.state.value).first).to_be_visible()

    entry.first.click()
    expect(page.get_by_text("outcome:completed-with-errors").first).to_be_visible()
    page.get_by_text("Task Runs", exact=True).click()
    for stage in ("extract-assignments", "transform-via-mapping", "reconcile", "load", "report"):
        expect(page.get_by_text(f"{stage}-").first).to_be_visible()

    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text("provisioning-summary-northwind", exact=True).first.click()
    expect(page.get_by_text("Synchronization details")).to_be_visible()
    failed = page.get_by_role("listitem").filter(has_text=lived.failed)
    expect(failed.first).to_contain_text(lived.code)
    expect(failed.first).to_contain_text("What to do:")
    expect(failed.first).to_contain_text(lived.remedy)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


def test_the_event_feed_begins_with_the_verdict_and_who_failed(lived: Lived, prefect_pages: str, page: Page) -> None:
    page.goto(f"{prefect_pages}/events")
    expect(page.get_by_text("provisioning.cycle.completed-with-errors").first).to_be_visible()
    failed = page.get_by_role("listitem").filter(has_text="provisioning.operation.failed").first
    expect(failed).to_contain_text("provisioning.job.northwind.person.")
    failed.get_by_role("link").first.click()
    page.get_by_text("Raw", exact=True).click()
    expect(page.get_by_text(lived.failed).first).to_be_visible()
