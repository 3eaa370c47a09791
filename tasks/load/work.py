"""One operation on its way through load: what it writes, how far it has come, what is known so far.

`schedule.py` makes these from a plan, `settle.py` from the journal; `execute.py` moves them along. No I/O here.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import uuid
from collections.abc import Mapping
from typing import Final

from tasks.connectors.replicon.writing import Prepared, Written
from tasks.ledger.records import Answer, Change, Request, Value
from tasks.model import REMOVALS, Operation

SUPERVISOR: Final = "Supervisor"
"""The attribute that refers to another account."""
PENDING: Final = "source:"
"""Begins the value of a reference to an account that did not exist when the plan was made."""
LOGIN_NAME: Final = "LoginName"
"""The attribute that no two accounts have alike."""
LOGIN_ENABLED: Final = "LoginEnabled"
"""The attribute that a disable takes away."""


@dataclasses.dataclass
class Item:
    """One change under way. `operation` and `values` are those of its present step."""

    change: Change
    operation: Operation
    values: dict[str, Value]
    step: int = 1
    later: dict[str, Value] = dataclasses.field(default_factory=dict)
    """What a second step writes: a supervisor who waits for this very account."""
    after: str | None = None
    """The person whose row comes before that second step."""
    request: Request | None = None
    target_uri: str | None = None
    target_name: str | None = None
    done: Operation | None = None
    """What has been carried out so far; null before the first answer."""
    wrote: dict[str, Value] = dataclasses.field(default_factory=dict)
    """What was sent and answered."""
    refused: dict[str, str] = dataclasses.field(default_factory=dict)
    """Attributes not taken, and why; the empty name stands for what cannot be told."""
    notes: list[str] = dataclasses.field(default_factory=list)
    """Sentences for the activity's reason."""
    attempts: int = 0
    resumed: bool = False
    """Whether the present request comes from the journal of an earlier run."""
    assumed: bool = False
    """Whether it is not known that the request was carried out: reading back decides, and no blame is laid."""
    adopted: bool = False
    """Whether the account was there already when it was to be created."""
    code: str | None = None
    """The error code, where more is known than from what was refused."""
    remedy: str | None = None
    open: bool = False
    """Whether the last request is still without an answer."""
    started_at: dt.datetime | None = None
    began: float = 0.0

    @property
    def removal(self) -> bool:
        """Whether the present step takes something away from the person."""
        return self.operation in REMOVALS

    @property
    def source_id(self) -> str:
        """The person."""
        return self.change.source_id

    def begin(self, now: dt.datetime) -> None:
        """Note when the work began."""
        if self.started_at is None:
            self.started_at, self.began = now, time.monotonic()

    def took_ms(self) -> int:
        """Give how long it has taken so far, in milliseconds."""
        return 0 if self.started_at is None else round((time.monotonic() - self.began) * 1000)

    def prepared_as(self, prepared: Prepared) -> Request:
        """Give the journal's request for what was prepared."""
        self.refused.update(prepared.refused)
        for name in prepared.refused:
            self.values.pop(name, None)
        self.request = Request(
            change=self.change,
            step=self.step,
            operation=self.operation,
            service=prepared.service,
            method=prepared.operation,
            body=prepared.body,
            unit_of_work_id=prepared.unit_of_work_id,
            refused=dict(self.refused),
        )
        return self.request

    def answered(self, written: Written, attempts: int) -> Answer:
        """Take the target's answer in; give what the journal keeps of it."""
        assert self.request is not None
        self.target_uri = written.target_uri
        self.target_name = written.target_name or self.target_name
        self.refused.update(written.refused)
        self.wrote.update(self.values)
        self.done = self.operation if self.done is None or self.operation is Operation.DISABLE else self.done
        self.attempts += attempts
        return Answer(
            key=self.request.key,
            target_uri=written.target_uri,
            target_name=self.target_name,
            refused=dict(self.refused),
            attempts=attempts,
            correlation_id=written.correlation_id,
        )

    def next_step(self, operation: Operation, values: Mapping[str, Value]) -> None:
        """Go on to a further request of the same change."""
        self.step += 1
        self.operation, self.values = operation, dict(values)
        self.later, self.request, self.resumed = {}, None, False

    def refer(self, supervisor_uri: str | None) -> None:
        """Put the supervisor's account in place of `source:<id>`; without one the reference is left out."""
        if supervisor_uri is None:
            del self.values[SUPERVISOR]
            self.refused[SUPERVISOR] = (
                f"{SUPERVISOR}: the supervisor's account could not be made, so the reference waits for it."
            )
            return
        self.values[SUPERVISOR] = supervisor_uri
        differences = tuple(
            dataclasses.replace(entry, after=supervisor_uri) if entry.attribute == SUPERVISOR else entry
            for entry in self.change.differences
        )
        self.change = dataclasses.replace(self.change, differences=differences)

    def waits_for(self) -> str | None:
        """Give the source id of the supervisor that the present step refers to without knowing the account."""
        value = self.values.get(SUPERVISOR)
        return value.removeprefix(PENDING) if isinstance(value, str) and value.startswith(PENDING) else None

    def stored(self) -> Prepared:
        """Give the request as it is sent, whether it was just made or comes from the journal."""
        assert self.request is not None
        request = self.request
        return Prepared(request.service, request.method, request.body, request.unit_of_work_id, dict(request.refused))


def new_unit_of_work() -> str:
    """Give a fresh unit-of-work id; one a request, kept for all its repetitions."""
    return str(uuid.uuid4())
