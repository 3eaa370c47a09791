"""The extract stage as a Prefect task. Flows call it; all the work is in `assignments`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.connectors.directories import open_directory
from tasks.connectors.http import TransportError
from tasks.extract.assignments import extract_assignments
from tasks.extract.changes import Since
from tasks.job import Job
from tasks.model import Extraction, Progress, silent


def _lost_on_the_way(_task: Any, _run: Any, state: Any) -> bool:
    """Tell whether the read failed for want of an answer; a refusal stays a refusal when asked again."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, TransportError) and error.sent


@task(
    name="extract-assignments",
    cache_policy=NO_CACHE,
    retries=2,
    retry_delay_seconds=[20, 60],
    retry_condition_fn=_lost_on_the_way,
)
def extract_assignments_task(
    job: Job,
    attributes: frozenset[str],
    known: pd.Series | None = None,
    progress: Progress = silent,
    since: Since | None = None,
) -> Extraction:
    """Read the job's source and give who is entitled; see `extract_assignments`."""
    return extract_assignments(open_directory(job.source), attributes, job.scope, known, progress, since)
