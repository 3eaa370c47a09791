"""Prefect's API goes away in the middle of a cycle: the cycle gets to its end, and the ledger tells it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from deployments.sandbox.sandbox import Sandbox
from flows.history import told_again
from tasks.job import load_job
from tasks.model import ExitCode
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, writes


class Wire:
    """A way to a server through this process, which can be cut: then nobody answers at its port any more."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._ends: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections and take no further one."""
        for end in (self._listening, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._to)
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@pytest.fixture
def wire(prefect_pages: str) -> Iterator[Wire]:
    """Put a wire between flows and Prefect's server; a client whose server is gone gives up at once."""
    server = urlsplit(prefect_pages)
    wire = Wire(str(server.hostname), int(server.port or 0))
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{wire.port}/api", PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield wire
    wire.cut()


def cut_at_the_first_write(wire: Wire, sandbox: Sandbox) -> threading.Thread:
    """Cut the wire as soon as the cycle has begun to write."""

    def watch() -> None:
        while not writes(sandbox):
            threading.Event().wait(0.01)
        wire.cut()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    return watching


def test_a_cycle_outlives_prefects_api(
    sandboxes: Sandboxes, wire: Wire, tmp_path: Path, command: Callable[..., Ended]
) -> None:
    sandbox = sandboxes(users=60, seed=9)
    job = sandbox.job_file(tmp_path, load={"workers": 1})
    watching = cut_at_the_first_write(wire, sandbox)
    ended = command("run", job, "--apply")
    watching.join()
    assert ended.code == ExitCode.UNREACHABLE
    assert f"provision report {job}" in ended.err
    _, told = told_again(load_job(job))
    with ledger_of(job) as ledger:
        cycle, linked = ledger.cycles("sandbox", 1).iloc[0], ledger.links("sandbox")
    created = [change for change in sandbox.replicon.change_log if change.kind == "create"]
    assert (cycle["state"], cycle["message"]) == (told.verdict.state.value, told.verdict.sentence)
    assert len(created) == len(linked) > 30
