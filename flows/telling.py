"""How a run tells what it does: its name, tags and final state in Prefect, what turned, and mail. Never breaks a run.

Every flow of a job runs within `telling`. What cannot be told now is logged and stays in the ledger: mail goes out with
the next cycle, and `provision report` tells everything at any time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final, cast

import httpx
import prefect
from packaging.version import Version
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.client.schemas.objects import StateType as PrefectStateType
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for

from flows.cycle import PassedOverError
from flows.history import report_command
from flows.parts import Parts
from flows.stopping import said_of
from tasks.connectors.mail import send
from tasks.connectors.microsoft_graph.errors import SignInError
from tasks.connectors.replicon.errors import StopJobError
from tasks.model import BadInputError, HeldError, ProvisioningError
from tasks.report.causes import causes_of
from tasks.report.cycle import Told
from tasks.report.events import broken_event, turn_events
from tasks.report.mail import News, compose, wanted
from tasks.report.run_history import STATE_TYPES, RunKind, run_name, run_tags
from tasks.report.task import emit
from tasks.report.verdict import StateName

_OWN_NAMES: Final = Version(prefect.__version__) >= Version("3.9")
"""Whether states have names of ours: before 3.9 a deployment's page leaves out runs whose state's name is its own."""


class Run:
    """One run as Prefect's list shows it."""

    def __init__(self, parts: Parts, kind: RunKind) -> None:
        self._parts = parts
        self._kind = kind
        self._began = parts.ledger.now()

    def is_of(self, kind: RunKind) -> None:
        """Say what kind of run it turned out to be, and that it runs."""
        self._kind = kind
        self._name("running")

    def ended(self, told: Told, kind: RunKind | None = None) -> None:
        """Say how it went, and of what kind it was where that has turned out to be another one."""
        self._kind = kind or self._kind
        self._name(told.verdict.sentence, told.verdict.state)

    def broke_off(self, error: BaseException) -> None:
        """Say that it did not get to its end, and why."""
        said = said_of(error)
        if isinstance(error, PassedOverError):
            self._name(f"passed over: {said}")
        elif isinstance(error, HeldError):
            self._name(f"not run: {said}", StateName.FAILED)
        elif isinstance(error, Exception):
            self._name(f"failed: {said}", StateName.FAILED)
        else:
            self._name("stopped", StateName.STOPPED)

    def _name(self, did: str, outcome: StateName | None = None) -> None:
        job = self._parts.job.name
        name_run(run_name(job, self._kind, self._began, did), run_tags(job, self._kind, outcome))


@contextlib.contextmanager
def telling(parts: Parts, kind: RunKind) -> Iterator[Run]:
    """Tell a run from its begin to its end; whoever enters calls `Run.ended` once the ledger has the cycle's end.

    Left by an exception, it tells that too, and lets it go on. A run that was refused because another one holds the
    job changes nothing of what people know.
    """
    run = Run(parts, kind)
    run.is_of(kind)
    try:
        yield run
    except BaseException as error:
        run.broke_off(error)
        if not isinstance(error, Exception):
            # An order to stop waits for no mail.
            raise
        # A wrong argument of somebody at a terminal is no turn of the job's.
        mistaken = isinstance(error, BadInputError) and kind not in {RunKind.INITIAL, RunKind.INCREMENTAL}
        if not isinstance(error, HeldError) and not mistaken:
            _tell_turn(parts, error)
        raise
    _tell_turn(parts, None)


def name_run(name: str, tags: tuple[str, ...]) -> None:
    """Name and tag the run in Prefect's list, beside the tags that it was started with."""
    if not flow_run.id:
        return
    kept = [tag for tag in flow_run.tags or () if not tag.startswith(("job:", "kind:", "outcome:"))]
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=name, tags=[*kept, *tags])
    except (PrefectException, httpx.HTTPError) as error:
        get_run_logger().warning("The run could not be named %r in Prefect: %s", name, error)


def final_state(told: Told) -> State[Told]:
    """Give the state that a run ends in: the verdict's name, its sentence as the message, and `told` as its result."""
    verdict = told.verdict
    return State(
        type=PrefectStateType(STATE_TYPES[verdict.state].value),
        name=verdict.state.value if _OWN_NAMES else None,
        message=verdict.sentence,
        data=told,
    )


def told_by(state: State[Any]) -> Told:
    """Give how a run went from its final state, whatever its type; raises what broke the run off.

    Raises `HeldError` with the state's message when the run had no business and so tells nothing.
    """
    told = told_if_any(state)
    if told is None:
        raise HeldError(state.message or "Nothing was done.")
    return told


def told_if_any(state: State[Any]) -> Told | None:
    """Give how a run went, or null when it had no business; raises what broke the run off."""
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return cast("Told | None", result)


def _tell_turn(parts: Parts, error: Exception | None) -> None:
    """Remember what stands now, and tell automations and people what is new and what is over."""
    ledger, job = parts.ledger, parts.job.name
    try:
        cycles = ledger.cycles(job, 1)
        latest = None if cycles.empty else cycles.iloc[0]
        ended = None if latest is None or latest["state"] not in set(StateName) else StateName(latest["state"])
        failing = ledger.escrow(job)["error_code"].value_counts().sort_index()
        causes = causes_of(
            ledger.job_state(job),
            {str(code): int(count) for code, count in failing.items()},
            StateName.FAILED if error is not None else ended,
            said_of(error) if error is not None else "" if latest is None else str(latest["message"]),
            refused=isinstance(error, SignInError | StopJobError),
        )
        turn = ledger.note_causes(job, causes)
        cycle_id = "" if latest is None else str(latest["cycle_id"])
        if error is not None:
            emit([broken_event(job, cycle_id, said_of(error))])
        emit(turn_events(turn, job, still=causes))
        _mail(parts, cycle_id, "" if latest is None else str(latest["message"]))
    except ProvisioningError as trouble:
        get_run_logger().warning("Not everything could be told; it is told by the next cycle: %s", trouble)


def _mail(parts: Parts, cycle_id: str, sentence: str) -> None:
    """Mail what people do not know yet. What a server does not take stays to be told."""
    ledger, job, notify = parts.ledger, parts.job, parts.job.notify
    notices = ledger.notices(job.name)
    if notify is not None and notify.enabled and (due := wanted(notices, failures=notify.failures)):
        news = News(
            job=job.name,
            job_file=str(job.file),
            notices=due,
            sentence=sentence,
            activities=ledger.activities(cycle_id=cycle_id),
            link=_link(),
            see=report_command(job, cycle_id),
            now=ledger.now(),
        )
        send(compose(news, notify), notify.smtp)
    ledger.told(job.name, [notice for notice in notices if notice.over_at is not None or not notice.told])


def _link() -> str:
    """Give the address of the run in Prefect's pages; empty where there are none."""
    return (url_for("flow-run", obj_id=flow_run.id) or "") if flow_run.id else ""
