"""Explaining one person from Prefect's pages: the same five steps as `provision explain`, as an artifact of the run."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.explain import explained
from flows.explain_shown import why_markdown
from flows.parts import open_parts


@flow(name="explain")
def explain(job_file: str, person: str) -> State[str]:
    """Tell step by step why somebody is or is not provisioned, as an artifact of this run. Nothing is written.

    Args:
        job_file: Path of the job file (YAML), as the worker sees it.
        person: Object id, sign-in name, mail address, or the login name of a linked account.
    """
    parts = open_parts(Path(job_file))
    with parts.ledger:
        found = explained(parts, person)
    create_markdown_artifact(
        why_markdown(found), key=f"provisioning-explanation-{parts.job.name}", description=f"Why: {found.name}"
    )
    return Completed(message=f"{found.name}: {found.in_short}", data=found.in_short)
