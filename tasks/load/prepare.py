"""Making requests ready, some at a time: the second look before a removal, current values, the exact request.

Runs in load's worker threads; touches neither the ledger nor other operations. `execute.py` calls it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from tasks.connectors.replicon.users import RepliconUsers
from tasks.connectors.replicon.writing import Prepared
from tasks.load.work import Item, new_unit_of_work
from tasks.model import STRING, Operation, Presence, ProvisioningError

SecondLook = Callable[[list[str]], pd.DataFrame]
"""Reads people again from the source, by source id. Gives `source_id`, `presence` and either `active` (as in
`PEOPLE_COLUMNS`) or `entitled` and `accountEnabled` (as in Assignments). Who is absent was not read."""

_DATES = frozenset({"StartDate", "EndDate"})


@dataclasses.dataclass(frozen=True)
class Ready:
    """One operation made ready: a request, or why there is none. Exactly one of the three is set."""

    item: Item
    prepared: Prepared | None = None
    held: str | None = None
    """Why a person has to look at it: the source does not confirm the removal."""
    error: Exception | None = None


def make_ready(items: Sequence[Item], target: RepliconUsers, second_look: SecondLook | None) -> list[Ready]:
    """Make the next request of each item ready. References have been resolved before."""
    doubts = _doubts([item for item in items if item.removal], second_look)
    going = [item for item in items if item.source_id not in doubts]
    try:
        current = _current([item for item in going if _needs_current(item)], target)
    except ProvisioningError as error:
        current, going = {}, [item for item in going if not _needs_current(item)]
        failed = [Ready(item, error=error) for item in items if _needs_current(item) and item.source_id not in doubts]
    else:
        failed = []
    held = [Ready(item, held=doubts[item.source_id]) for item in items if item.source_id in doubts]
    return held + failed + [_prepared(item, target, current.get(item.target_uri or "")) for item in going]


def _prepared(item: Item, target: RepliconUsers, current: Mapping[str, Any] | None) -> Ready:
    try:
        prepared = target.prepare(item.operation, item.target_uri, item.values, new_unit_of_work(), current=current)
    except (ProvisioningError, ValueError, TypeError, LookupError) as error:
        # A value that nobody thought of stops this one operation and not those beside it.
        return Ready(item, error=error)
    return Ready(item, prepared=prepared)


def _needs_current(item: Item) -> bool:
    """Tell whether the request depends on what the account has: one end of a date range, or enabling."""
    return item.operation is Operation.ENABLE or (
        item.operation is not Operation.CREATE and len(_DATES & item.values.keys()) == 1
    )


def _current(items: Sequence[Item], target: RepliconUsers) -> dict[str, Mapping[str, Any]]:
    """Read the accounts of these items; those that are gone are absent, which preparing then finds out."""
    if not items:
        return {}
    found = target.read(pd.Series([item.target_uri for item in items], dtype=STRING))
    return {str(row["target_uri"]): row for row in found.to_dict("records")}


def _doubts(items: Sequence[Item], second_look: SecondLook | None) -> dict[str, str]:
    """Give, by source id, why a removal is not confirmed by the source; nothing for those that are."""
    if not items:
        return {}
    people = [item.source_id for item in items]
    if second_look is None:
        return dict.fromkeys(people, "the source cannot be read a second time in this run")
    try:
        seen = second_look(people)
    except ProvisioningError as error:
        return dict.fromkeys(people, f"the source could not be read a second time: {error}")
    state = _seen(seen)
    return {item.source_id: doubt for item in items if (doubt := _doubt(item, state)) is not None}


def _doubt(item: Item, state: Mapping[str, tuple[bool, str]]) -> str | None:
    if item.source_id not in state:
        return "the second look did not give this person, so their state is not known"
    active, presence = state[item.source_id]
    if active:
        return "the second look found this person active and entitled"
    if item.change.operation is Operation.DELETE and presence != Presence.HARD_DELETED:
        return f"the second look found this person {presence.replace('_', ' ')}, not deleted for good"
    return None


def _seen(frame: pd.DataFrame) -> dict[str, tuple[bool, str]]:
    """Give, by source id, whether the person is active, and their presence."""
    if "active" in frame.columns:
        active = frame["active"].fillna(value=False)
    else:
        active = frame["entitled"].fillna(value=False) & frame["presence"].eq(Presence.PRESENT)
        if "accountEnabled" in frame.columns:
            active &= frame["accountEnabled"].fillna("True").ne("False")
    people, presences = frame["source_id"].tolist(), frame["presence"].tolist()
    return dict(zip(people, zip(map(bool, active.tolist()), presences, strict=True), strict=True))
