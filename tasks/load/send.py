"""One request on its way: sent, sent again unchanged while its outcome is unknown, looked up where that decides.

Runs in load's worker threads; touches neither the ledger nor other operations. `execute.py` calls it.
"""

from __future__ import annotations

import dataclasses
import time

import pandas as pd

from tasks.connectors.replicon.attributes import attribute
from tasks.connectors.replicon.errors import RepliconError
from tasks.connectors.replicon.users import RepliconUsers
from tasks.connectors.replicon.writing import Prepared, Written
from tasks.ledger.records import Value
from tasks.load.concurrency import Lanes
from tasks.load.pace import Pace
from tasks.load.patience import Patience, Stop
from tasks.load.policy import Next, after
from tasks.load.work import Item
from tasks.model import STRING


@dataclasses.dataclass(frozen=True)
class Sent:
    """What came of sending. Exactly one of `written`, `error` and `existing` is set, none when it never left."""

    attempts: int
    written: Written | None = None
    error: RepliconError | None = None
    existing: Written | None = None
    """The account that was to be created, and was there already."""
    unknown: bool = False
    """Whether the request may have been carried out although `error` is set."""


class Sender:
    """Sends one request at a time for each thread that calls it, when `pace` and `lanes` allow it."""

    def __init__(self, target: RepliconUsers, pace: Pace, lanes: Lanes, stop: Stop, patience: Patience) -> None:
        self._target = target
        self._pace = pace
        self._lanes = lanes
        self._stop = stop
        self._patience = patience

    def send(self, item: Item) -> Sent:
        """Send the item's stored request until its outcome is known, patience ends, or the order to stop comes."""
        prepared = item.stored()
        operation = f"{prepared.service}.{prepared.operation}"
        attempts, gives_up, pauses = 0, 0.0, iter(self._patience.again)
        unknown: RepliconError | None = None
        while not self._stop.given:
            try:
                written = self._sent(operation, prepared)
            except RepliconError as error:
                attempts += 1
                step = after(error, item.operation)
                if step is Next.WAIT:
                    now = time.monotonic()
                    gives_up = gives_up or now + self._patience.throttled_for
                    if now < gives_up:
                        continue
                elif step is Next.AGAIN:
                    unknown = error if error.outcome_unknown else unknown
                    pause = next(pauses, None)
                    if pause is not None and not self._stop.during(pause):
                        continue
                elif step is Next.LOOK_UP:
                    return self._looked_up(item, attempts, error)
                else:
                    return Sent(attempts, error=error)
                return Sent(attempts, error=unknown or error, unknown=unknown is not None)
            if written is None:
                break
            return Sent(attempts + 1, written=written)
        return Sent(attempts, error=unknown, unknown=unknown is not None)

    def _sent(self, operation: str, prepared: Prepared) -> Written | None:
        """Send it once, in a lane of its own and with a permit; null when the order to stop came first.

        The lane comes first, so that no permit is out for long: a refusal makes those that are out worthless.
        """
        took: float | None = None
        self._lanes.take()
        try:
            if not self._pace.turn(operation):
                return None
            began = time.monotonic()
            written = self._target.send(prepared)
            took = time.monotonic() - began
            return written
        finally:
            self._lanes.leave(took)

    def _looked_up(self, item: Item, attempts: int, error: RepliconError) -> Sent:
        """Find the account that was to be created: an earlier request may have made it, or somebody else."""
        login = pd.Series([item.values["LoginName"]], dtype=STRING)
        try:
            found = self._target.find("LoginName", login)
        except RepliconError:
            return Sent(attempts, error=error, unknown=error.outcome_unknown)
        if len(found) != 1 or not _same_person(item, found):
            return Sent(attempts, error=error)
        row = found.iloc[0]
        existing = Written(str(row["target_uri"]), str(row["target_name"]), {}, error.correlation_id)
        return Sent(attempts, existing=existing)


def _same_person(item: Item, found: pd.DataFrame) -> bool:
    """Tell whether an account is the one that was to be created: everything that it can be matched by is equal."""
    row = found.iloc[0]
    return all(
        _key(name, value) == _key(name, row[name])
        for name, value in item.values.items()
        if attribute(name).matchable and name in found.columns and value is not None
    )


def _key(name: str, value: Value) -> Value:
    return value if attribute(name).case_exact or not isinstance(value, str) else value.casefold()
