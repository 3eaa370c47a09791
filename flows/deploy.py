"""Telling Prefect about a job: its deployments, from the packaged `prefect.yaml` or a copy of it."""

from __future__ import annotations

import importlib.resources
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound, PrefectException
from rich.console import Console
from rich.text import Text

from tasks.job import Job, load_job
from tasks.model import BadInputError, UnreachableError

POOL: Final = "provision"
"""The work pool that the deployments use."""


def deploy(console: Console, job_file: Path, file: Path | None = None) -> None:
    """Make or renew the deployments of the job at `job_file`, and the work pool where it is not there yet.

    `file` stands in place of the packaged `prefect.yaml`. Raises `BadInputError` when the job or the file is wrong,
    `UnreachableError` when there is no Prefect server to tell.
    """
    job = load_job(job_file)
    described = file or Path(str(importlib.resources.files("deployments") / "prefect.yaml"))
    if not described.exists():
        raise BadInputError(f"{described} is not there. Give a copy of the packaged prefect.yaml, or leave --file out.")
    _make_pool()
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--prefect-file", str(described), "--all"]
    done = subprocess.run(
        command, env={**os.environ, **named(job)}, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise BadInputError(f"Prefect does not take {described}:\n{(done.stdout + done.stderr).strip()}")
    console.print(Text(f"{job.name} is deployed. It runs while a worker does, from this folder:"))
    console.print(Text(f"  prefect worker start --pool {POOL}", style="bold"))
    console.print(Text(f"Its schedules and forms are under Deployments, tagged job:{job.name}."))


def named(job: Job) -> dict[str, str]:
    """Give the variables that `prefect.yaml` is filled from."""
    return {
        "PROVISION_JOB": str(job.file),
        "PROVISION_NAME": job.name,
        "PROVISION_HOME": str(Path.cwd()),
    }


def _make_pool() -> None:
    """Make the work pool unless it is there: processes on the worker's machine."""
    try:
        with get_client(sync_client=True) as client:
            try:
                client.read_work_pool(POOL)
            except ObjectNotFound:
                client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    except httpx.HTTPStatusError as error:
        raise UnreachableError(
            f"The Prefect server at {error.request.url.copy_with(path='/', query=None)} refuses this "
            f"({error.response.status_code}). Where it has a password, give the same one in PREFECT_API_AUTH_STRING."
        ) from error
    except (PrefectException, httpx.HTTPError, RuntimeError) as error:
        address = os.environ.get("PREFECT_API_URL", "")
        raise UnreachableError(
            f"There is no Prefect server at {address or 'the address of your Prefect profile'} "
            f"({type(error).__name__}). Start one with `prefect server start`, and name it in PREFECT_API_URL."
        ) from error
