"""Prefect's server and a runner for the demo, kept up until the person has seen enough."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console
from rich.text import Text

from tasks.model import UnreachableError

_PATIENCE_SECONDS: Final = 300
"""How long a server may take to start on a slow machine."""


@contextlib.contextmanager
def prefect_server(console: Console, folder: Path) -> Iterator[str]:
    """Keep a Prefect server up on a free loopback port and give the address of its pages.

    Its log goes to `prefect.log` in `folder`. Raises `UnreachableError` when it does not come up.
    """
    port = _free_port()
    url, log = f"http://127.0.0.1:{port}", folder / "prefect.log"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    # Else the pages look for their API on Prefect's default port.
    environment = {**os.environ, "PREFECT_SERVER_UI_API_URL": f"{url}/api"}
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        with console.status("Starting Prefect's server ..."):
            _await_health(server, url, log)
        os.environ["PREFECT_API_URL"] = f"{url}/api"
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def serve_until_interrupted(console: Console, ui_url: str, job_file: Path, graph_url: str) -> None:
    """Offer the job as a deployment in Prefect's pages and run what is asked for there, until Ctrl-C."""
    from prefect import serve
    from prefect.deployments.runner import RunnerDeployment
    from prefect.types.entrypoint import EntrypointType

    from flows.provision import provision

    deployment = RunnerDeployment.from_flow(
        provision,
        name="sandbox",
        description="The demo's company, provisioned into the sandbox. Custom run lets you choose the cycle.",
        parameters={"job_file": str(job_file.resolve())},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    console.print(Text.assemble("\nPrefect's pages: ", (f"{ui_url}/runs", "bold cyan")))
    console.print(Text("The three cycles are there. To run another: Deployments, provision/sandbox, Run."))
    console.print(Text(f"Let a month pass first: curl -X POST '{graph_url}/_sandbox/month?share=0.05'"))
    console.print(Text("Ctrl-C ends it."))
    with contextlib.suppress(KeyboardInterrupt):
        serve(deployment, print_starting_message=False)


def _await_health(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/api/health", timeout=5).is_success:
                return
        time.sleep(0.3)
    raise UnreachableError(
        f"Prefect's server did not come up at {url}; its log is {log}. Mend what it says, try again."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
