"""A real Dask cluster for the tests: a scheduler and workers as processes of their own, which can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from distributed import Client

_SECONDS = 120
"""How long processes may take to start on a busy machine."""
_FAREWELL = 15
"""How long they may take to end when told to."""


class DaskCluster:
    """One scheduler on loopback with workers of one thread each; `folder` is for what they write."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self._folder = folder
        self._file = folder / "scheduler.json"
        self._wanted = workers
        self._scheduler = self._started("scheduler", "--port", "0", "--host", "127.0.0.1")
        self._workers: list[subprocess.Popen[bytes]] = []
        self._client: Client | None = None

    def __enter__(self) -> Self:
        try:
            self.complete()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        assert self._client is not None
        assert self._client.scheduler is not None
        return str(self._client.scheduler.address)

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers."""
        return [process.pid for process in self._workers]

    def complete(self) -> None:
        """Start the workers that are missing, and wait until all are there."""
        while len(self._workers) < self._wanted:
            self._workers.append(self._worker())
        if self._client is None:
            self._client = Client(scheduler_file=str(self._file), timeout=_SECONDS, set_as_default=False)
        self._client.wait_for_workers(self._wanted, timeout=_SECONDS)

    def kill(self, number: int) -> None:
        """Kill the worker with this process id; it can do nothing about it."""
        (process,) = [process for process in self._workers if process.pid == number]
        process.send_signal(signal.SIGKILL)
        process.wait(_SECONDS)
        self._workers.remove(process)

    def _worker(self) -> subprocess.Popen[bytes]:
        ready = ("--nthreads", "1", "--no-nanny", "--preload", "flows.cluster_work")
        return self._started("worker", *ready, "--local-directory", str(self._folder))

    def _started(self, role: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{role}", "--scheduler-file", str(self._file)]
        # Workers read secrets from their own environment; the project is found from here.
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        with (self._folder / f"{role}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--no-dashboard", *options], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def _end(self) -> None:
        if self._client is not None:
            self._client.close()
        processes = [*self._workers, self._scheduler]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(_FAREWELL)
            except subprocess.TimeoutExpired:
                # Whatever still keeps it from ending is none of the tests' business.
                process.kill()
                process.wait(_SECONDS)
