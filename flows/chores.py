"""Small flows that Prefect's pages start beside the cycles: the connection test, and the restart of a job."""

from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.lifecycle import reset
from flows.test_connection import try_ends
from tasks.job import load_job
from tasks.model import Probe, ResetScope


@flow(name="test-connection")
def test_connection(job_file: str) -> State[int]:
    """Try both ends of a job: what is reached, as whom, with which permissions, and what is missing.

    Args:
        job_file: Path of the job file (YAML), as the worker sees it.
    """
    findings = try_ends(Path(job_file))
    create_markdown_artifact(
        _findings(findings), key=f"provisioning-connection-{load_job(Path(job_file)).name}", description="Both ends"
    )
    missing = sum(not finding.good for finding in findings)
    if missing:
        return Failed(message=f"{missing} of {len(findings)} checks failed; see the artifact, and mend from the top")
    return Completed(message=f"All {len(findings)} checks are good", data=len(findings))


@flow(name="restart")
def restart(
    job_file: str,
    watermark: bool = True,
    escrows: bool = True,
    quarantine: bool = True,
    force_deletes: bool = False,
    links: bool = False,
    confirm: str = "",
    by: Annotated[str, Field(max_length=200)] = "",
    why: Annotated[str, Field(max_length=2000)] = "",
) -> State[str]:
    """Reset parts of what a job remembers. No cycle of the job may be running.

    Args:
        job_file: Path of the job file (YAML), as the worker sees it.
        watermark: The next cycle reads and evaluates everybody.
        escrows: Failed operations leave their calendar of retries.
        quarantine: The job leaves quarantine, until a cycle finds a reason again.
        force_deletes: The next cycle does the removals over the limit, once.
        links: Forget who is linked to which account, so that everybody is matched anew. Needs the confirmation.
        confirm: The job's name, typed, when links are to be forgotten.
        by: Who restarts it; recorded.
        why: Why; recorded.
    """
    asked = {
        ResetScope.WATERMARK: watermark,
        ResetScope.ESCROWS: escrows,
        ResetScope.QUARANTINE: quarantine,
        ResetScope.FORCE_DELETES: force_deletes,
        ResetScope.LINKS: links,
    }
    said = reset(Path(job_file), {scope for scope, on in asked.items() if on}, confirm=confirm, by=by, why=why)
    return Completed(message=said, data=said)


def _findings(findings: list[Probe]) -> str:
    """Give the findings as a table in Markdown."""
    rows = [
        f"| {'ok' if finding.good else '**missing**'} | {finding.end} | {finding.check} | "
        f"{' '.join(part for part in (finding.detail, finding.remedy) if part)} |".replace("\n", " ")
        for finding in findings
    ]
    return "\n".join(["| | End | Check | Finding |", "|---|---|---|---|", *rows])
