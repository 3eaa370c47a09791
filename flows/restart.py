"""The restart of a job as Prefect's pages start it: a form of switches, and the run's message says what it meant."""

from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.lifecycle import reset
from tasks.model import ResetScope


@flow(name="restart")
def restart(
    job_file: str,
    watermark: bool = True,
    escrows: bool = True,
    quarantine: bool = True,
    force_deletes: bool = False,
    links: bool = False,
    confirm: str = "",
    by: str = "",
    why: str = "",
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
