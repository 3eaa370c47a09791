"""What load tells the ledger about one change: requests, answers, how it ended. Plain data, no query.

`journal.py` stores these; load makes them, and gets them back when an earlier run was cut off.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from enum import StrEnum

from tasks.model import Decision, Operation, Situation, Status

Value = str | list[str] | None
"""A value of an attribute: text, several texts, or none."""


class State(StrEnum):
    """How far one request has come. Each move is part of one transaction, and none goes back."""

    INTENT = "intent"
    """Stored, and certainly not sent."""
    SENT = "sent"
    """It may have left: its outcome is unknown until there is an answer."""
    ANSWERED = "answered"
    """The target said what it did; not yet read back."""
    DONE = "done"
    """The change stands in the activities, and the link as it has to."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """One attribute that a change writes. `Supervisor` is a target URI, or `source:<source id>` if unresolved."""

    attribute: str
    before: Value
    after: Value


@dataclasses.dataclass(frozen=True)
class Change:
    """One row of a plan that is carried out: who, which account, what, and what to remember once done."""

    change_id: str
    source_id: str
    source_name: str | None
    target_uri: str | None
    target_name: str | None
    situation: Situation
    operation: Operation
    account_digest: str | None
    mapping_digest: str
    differences: tuple[Difference, ...]
    why: str | None = None
    """The plan's reason, in words."""


@dataclasses.dataclass(frozen=True)
class Request:
    """One request that writes, as it stands in the journal. `step` counts from 1 within its change."""

    change: Change
    step: int
    operation: Operation
    service: str
    method: str
    body: bytes
    unit_of_work_id: str | None
    refused: Mapping[str, str]
    """Attributes that the target did not take so far, and why; the empty name stands for what cannot be told."""
    state: State = State.INTENT
    attempts: int = 0
    intended_at: dt.datetime | None = None
    """Set by the journal."""

    @property
    def key(self) -> tuple[str, int]:
        """What names the request in the journal."""
        return self.change.change_id, self.step


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the target answered to the request `key`."""

    key: tuple[str, int]
    target_uri: str
    target_name: str | None
    refused: Mapping[str, str]
    attempts: int
    correlation_id: str


@dataclasses.dataclass(frozen=True)
class Link:
    """The link as it has to be once a change is done. `written` is merged into what the link remembers."""

    target_uri: str
    target_name: str | None
    account_digest: str | None
    written: Mapping[str, Value]
    active: bool


class Keep(StrEnum):
    """What a change that made no new link does to the one there is."""

    AS_IS = "as_is"
    """Leave it."""
    LOOK_AGAIN = "look_again"
    """Forget the digest, so that the next cycle compares the account whatever the source says."""
    END = "end"
    """Remove it: the account is gone."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a change ended: its activity, and what becomes of the link, the escrow and the journal."""

    change: Change
    operation: Operation
    status: Status
    error_code: str | None
    reason: str | None
    remedy: str | None
    target_uri: str | None
    target_name: str | None
    refused: tuple[str, ...]
    attempts: int
    started_at: dt.datetime
    duration_ms: int
    link: Link | Keep = Keep.AS_IS
    escrow: bool = False
    """Whether it is to be tried again. Otherwise a success lets the person out of the escrow."""
    open: bool = False
    """Whether its last request is still without an answer: it stays in the journal to be settled."""
    decision: Decision = Decision.GO


@dataclasses.dataclass
class Moves:
    """What one transaction records, in this order. All four may be empty."""

    intents: list[Request] = dataclasses.field(default_factory=list)
    sent: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    answers: list[Answer] = dataclasses.field(default_factory=list)
    endings: list[Ending] = dataclasses.field(default_factory=list)
    dropped: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    """Requests that were never sent, or of which a look showed that they did nothing."""

    def __bool__(self) -> bool:
        return bool(self.intents or self.sent or self.answers or self.endings or self.dropped)
