"""The report stage as a Prefect task: verdict, events and artifacts of a cycle. Only flows import it."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
import pandas as pd
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.exceptions import PrefectException

from tasks.model import Plan
from tasks.report.artifacts import activity_rows, plan_markdown, summary_markdown
from tasks.report.cycle import CycleFacts, Told
from tasks.report.events import Said, operation_events, verdict_event
from tasks.report.verdict import CycleVerdict, judge


@task(name="report", cache_policy=NO_CACHE)
def report_task(
    activities: pd.DataFrame, facts: CycleFacts, plan: Plan | None = None, failure: str | None = None
) -> CycleVerdict:
    """Tell a cycle: give its verdict, send its events, and leave its summary, activity and plan as artifacts.

    `activities` has `activity.COLUMNS`; `plan` is given when there is one to show; `failure` is why the cycle broke
    off. When Prefect's API does not take an artifact, that is logged and the verdict is given all the same.
    """
    complete = facts.manifest is None or facts.manifest.complete
    verdict = judge(activities, complete=complete, quarantine=facts.quarantine, failure=failure, stopped=facts.stopped)
    told = Told(facts, verdict)
    # Prefect's feed begins with the newest: the verdict, and below it what went wrong.
    emit([*reversed([*operation_events(activities, facts.job)]), verdict_event(told)])
    logger = get_run_logger()
    try:
        create_markdown_artifact(
            summary_markdown(activities, told),
            key=f"provisioning-summary-{facts.job}",
            description=f"{facts.title}: {verdict.state.value}",
        )
        create_table_artifact(
            activity_rows(activities, facts.names),
            key=f"provisioning-activity-{facts.job}",
            description=f"{verdict.sentence}. Worst first; everything: {facts.see}",
        )
        if plan is not None:
            create_markdown_artifact(
                plan_markdown(plan, facts.see, facts.names),
                key=f"provisioning-plan-{facts.job}",
                description=f"Plan {plan.plan_id}",
            )
    except (PrefectException, httpx.HTTPError) as error:
        logger.warning("The cycle's artifacts could not be stored; the ledger has everything: %s", error)
    logger.info("%s: %s", verdict.state.value, verdict.sentence)
    return verdict


def emit(events: Iterable[Said]) -> None:
    """Send events to Prefect. Its client does that in a thread of its own, so that nobody waits.

    When its API is down they are lost; the ledger and the next verdict tell the same.
    """
    for said in events:
        emit_event(
            said.event,
            resource=dict(said.resource),
            related=[dict(one) for one in said.related],
            payload=dict(said.payload),
        )
