"""Progress as artifacts of a Prefect run: how far the read and the writing are, told every few seconds.

`flows.provision` keeps them beside whoever else is told. What is told and how stages count is not decided here.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Final, cast

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.exceptions import PrefectException

from tasks.load.speed import time_in_words
from tasks.model import Progress

EVERY_SECONDS: Final = 5.0
"""How often an artifact is brought up to date at most: each time costs Prefect's API some 24 ms."""
_PATIENCE_SECONDS: Final = 10.0
"""How long the end of a run waits for the last word to be stored."""
_UNITS: Final[Mapping[str, str]] = {"extract": "people read", "load": "changes carried out"}
"""The stages that take their time, and what they count."""


@contextlib.contextmanager
def progress_artifacts(job: str, told: Progress, every: float = EVERY_SECONDS) -> Iterator[Progress]:
    """Give a `Progress` that tells `told`, and keeps a progress artifact for each of the long stages of this run.

    Their keys are `provisioning-progress-STAGE-JOB`. A thread of its own stores them, `every` so many seconds and at
    the end, so that no stage waits for Prefect's API; when that fails, it is logged once and the run goes on.
    """
    keeper = _Keeper(job, told)
    # The thread has to know which run it tells of.
    context, ended = contextvars.copy_context(), threading.Event()
    thread = threading.Thread(target=context.run, args=(keeper.keep, ended, every), name="progress", daemon=True)
    thread.start()
    try:
        yield keeper
    finally:
        ended.set()
        thread.join(_PATIENCE_SECONDS)


@dataclasses.dataclass(frozen=True)
class Standing:
    """How far a stage is; `began` and `now` are seconds of one clock."""

    done: int
    total: int | None
    note: str
    began: float
    now: float

    @property
    def percent(self) -> float:
        """Share of the stage that is done; 0 while the whole is unknown."""
        if self.total is None:
            return 0.0
        return 100.0 * self.done / self.total if self.total else 100.0

    def sentence(self, unit: str) -> str:
        """Say how many are done, of how many, how fast, and how long the rest will take at that rate."""
        of = "" if self.total is None else f" of {self.total:,}"
        told = [f"{self.done:,}{of} {unit}"]
        rate = self.done / (self.now - self.began) if self.now > self.began else 0.0
        if self.note or rate:
            told.append(self.note or f"{rate:,.0f} a second")
        left = (self.total or 0) - self.done
        if left > 0:
            told.append(f"{left:,} left" + (f", about {time_in_words(left / rate)}" if rate else ""))
        return "; ".join(told)


class _Keeper:
    """Remembers the latest word of each stage; stages may speak from several threads."""

    def __init__(self, job: str, told: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._told = told
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: dict[str, Standing] = {}
        self._stored: dict[str, Standing] = {}
        self._artifacts: dict[str, uuid.UUID] = {}

    def __call__(self, stage: str, done: int, total: int | None, note: str = "") -> None:
        self._told(stage, done, total, note)
        if stage in _UNITS:
            now = self._clock()
            with self._lock:
                began = self._latest[stage].began if stage in self._latest else now
                self._latest[stage] = Standing(done, total, note, began, now)

    def keep(self, ended: threading.Event, every: float) -> None:
        """Store what is new until the run has ended, and then once more."""
        last = False
        try:
            while not last:
                last = ended.wait(every)
                self._store()
        except (PrefectException, httpx.HTTPError) as error:
            get_run_logger().warning("The progress could not be stored as an artifact; the run goes on: %s", error)

    def _store(self) -> None:
        with self._lock:
            latest = dict(self._latest)
        for stage, standing in latest.items():
            if self._stored.get(stage) == standing:
                continue
            sentence = standing.sentence(_UNITS[stage])
            if stage in self._artifacts:
                update_progress_artifact(self._artifacts[stage], standing.percent, sentence)
            else:
                key = f"provisioning-progress-{stage}-{self._job}"
                # By its annotations the id passes for a coroutine, which it is in asynchronous flows only.
                self._artifacts[stage] = cast(uuid.UUID, create_progress_artifact(standing.percent, key, sentence))
            self._stored[stage] = standing
