"""Stopping: what counts as an order to stop, how the shell gives it, and how a cycle that breaks off is recorded.

An order to stop strikes as an exception: Ctrl-C, SIGTERM, a cancellation in Prefect, a flow that runs out of time.
Load finishes and records what is under way before it passes on (`tasks.load.execute`).
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from tasks.ledger.ledger import Ledger
from tasks.model import ExitCode, ProvisioningError
from tasks.report.verdict import StateName, judge


class StoppedError(ProvisioningError):
    """Raised when a run from the command line was stopped: what was under way is finished, the next run goes on."""

    exit_code = ExitCode.SOME_FAILED


def end_broken_off(ledger: Ledger, cycle_id: str, error: BaseException) -> None:
    """Record how a cycle ended that `error` broke off: stopped, with what it got done, or failed, with the error.

    Raises `LostLockError` when another cycle holds the job by now.
    """
    if not _is_order(error):
        ledger.end_cycle(cycle_id, StateName.FAILED, message=said_of(error))
        return
    verdict = judge(ledger.activities(cycle_id=cycle_id), stopped=True)
    ledger.end_cycle(cycle_id, StateName.STOPPED, counts=verdict.recorded, message=verdict.sentence)


def said_of(error: BaseException) -> str:
    """Give what records and lists say of an error: its text where it is meant for people, else its name."""
    return str(error) if isinstance(error, ProvisioningError) else type(error).__name__


@contextlib.contextmanager
def stoppable(job_file: Path) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop what runs within; raises `StoppedError` then, which says how to go on."""
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except BaseException as order:
        if not _is_order(order):
            raise
        raise StoppedError(
            "The run was stopped. What was under way is finished and recorded, nothing else was started, and the next "
            f"run goes on from there. `provision report {job_file}` tells what was done."
        ) from order
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _is_order(error: BaseException) -> bool:
    """Tell an order from a failure: interrupts, terminations, cancellations and time-outs are no `Exception`."""
    return not isinstance(error, Exception | SystemExit | GeneratorExit)
