"""The plan that takes an earlier cycle back: what it created is disabled, what it changed is put back as it was.

Made from the before-images in the activities and from the accounts as they are now; the flows carry it out like any
other plan. Whatever has changed since is left alone and named.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import uuid
from typing import Any, Final

import numpy as np
import pandas as pd

from tasks.job import Job
from tasks.model import (
    CHANGE_COLUMNS,
    OPERATION_COLUMNS,
    REDACTED,
    STRING,
    CycleKind,
    Decision,
    History,
    Manifest,
    Operation,
    Plan,
    Situation,
    Status,
    conform,
)
from tasks.reconcile import guards, protection
from tasks.reconcile.columns import (
    Mask,
    array_of,
    differ,
    key_of,
    mask_of,
    new_ids,
    places_of,
    series_of,
    take,
    text_of,
)
from tasks.reconcile.plan import state_digest
from tasks.reconcile.risks import risks
from tasks.reconcile.standing import LOGIN_ENABLED
from tasks.reconcile.target import TargetReader

CHANGED_SINCE: Final = "ChangedSince"
"""Our code for what an undo leaves alone because it is no longer as the cycle left it."""
NOT_UNDONE: Final = "CannotBeUndone"
"""Our code for what no undo can bring back."""
UNDO: Final = "undo"
"""What stands in an undo's plan for the digest of a mapping: it comes from none."""
_END_DATE: Final = "EndDate"


@dataclasses.dataclass(frozen=True)
class Undoing:
    """What an undo is made from: the cycle's activities, the links as they are now, and the job."""

    cycle_id: str
    activities: pd.DataFrame
    links: pd.DataFrame
    job: Job
    history: History
    deletes: bool = False
    """Whether created accounts are deleted rather than disabled, where the job allows `delete`."""


def undo_plan(undoing: Undoing, target: TargetReader, *, cycle_id: str, now: dt.datetime) -> Plan:
    """Plan to take back everything that the cycle did and that is still as it left it.

    Created accounts are disabled, and deleted only where both the caller and the job say so; deleted ones cannot be
    brought back. The guards judge the plan like any other.
    """
    done = undoing.activities[
        mask_of(undoing.activities["status"].isin([Status.SUCCESS.value, Status.WARNING.value]))
        & mask_of(undoing.activities["operation"].ne(Operation.NONE.value))
    ].reset_index(drop=True)
    accounts = target.read(done["target_uri"].dropna().drop_duplicates())
    written = _written(done, target)
    now_there = _present(written, done, accounts, target)
    written = written.assign(now=now_there, moved=_moved(written, now_there, accounts, target))
    rows = _rows(done, written, undoing, accounts)
    operations, changes = _frames(rows, done, written, undoing.history, accounts)
    evidence = guards.Evidence(
        CycleKind.ON_DEMAND,
        _nothing_read(now),
        None,
        undoing.links,
        target.identity(),
        protection.shielded(accounts, undoing.job.guards),
    )
    operations, verdict = guards.judge(operations, changes, undoing.job.guards, evidence)
    return Plan(
        plan_id=str(uuid.uuid4()),
        job=undoing.job.name,
        cycle_id=cycle_id,
        kind=CycleKind.ON_DEMAND,
        created_at=now,
        mapping_digest=UNDO,
        manifest=_nothing_read(now),
        operations=operations,
        changes=changes,
        verdict=verdict,
        state_digest=state_digest(undoing.links, operations["source_id"]),
        per_second=undoing.history.per_second,
        undoes=undoing.cycle_id,
    )


def _written(done: pd.DataFrame, target: TargetReader) -> pd.DataFrame:
    """Give one row an attribute that the cycle wrote: `row` in `done`, `attribute`, `before`, `after` as plans show.

    `hidden` marks values that the activities do not show, or that nobody knows.
    """
    lists = {name for name, attribute in target.schema.items() if attribute.multivalued}

    def text(name: str, value: Any) -> str | None:
        if value == REDACTED:
            return REDACTED
        return json.dumps(sorted(value or []), ensure_ascii=False) if name in lists else value

    entries = [
        (row, one["attribute"], text(one["attribute"], one["before"]), text(one["attribute"], one["after"]))
        for row, (changes, refused) in enumerate(zip(done["changes"], done["refused"], strict=True))
        for one in json.loads(changes)
        if one["attribute"] in target.schema and one["attribute"] not in json.loads(refused)
    ]
    frame = pd.DataFrame(entries, columns=["row", "attribute", "before", "after"])
    frame = frame.astype({"row": "int64", "attribute": STRING, "before": STRING, "after": STRING})
    hidden = mask_of(frame["before"].eq(REDACTED)) | mask_of(frame["after"].eq(REDACTED))
    # What Replicon does not give back was there before without our knowing, unless the account is new.
    blind = [name for name, attribute in target.schema.items() if not attribute.readable]
    made = mask_of(done["operation"].eq(Operation.CREATE.value))[frame["row"].to_numpy()]
    hidden |= mask_of(frame["attribute"].isin(blind)) & mask_of(frame["before"].isna()) & ~made
    return frame.assign(hidden=hidden)


def _present(written: pd.DataFrame, done: pd.DataFrame, accounts: pd.DataFrame, target: TargetReader) -> pd.Series:
    """Give what each account has now of each attribute that was written, as plans show it."""
    uri = take(array_of(done["target_uri"]), written["row"].to_numpy())
    place = places_of(uri, array_of(accounts["target_uri"]))
    present = written["after"].copy()
    for name in written["attribute"].unique():
        if name not in accounts.columns:
            continue
        mine = mask_of(written["attribute"].eq(name))
        there = text_of(take(array_of(accounts[name]), place[mine]), target.schema[name])
        present[mine] = series_of(there).astype(STRING).to_numpy(dtype=object)
    return present.astype(STRING)


def _moved(written: pd.DataFrame, present: pd.Series, accounts: pd.DataFrame, target: TargetReader) -> Mask:
    """Mark what is no longer as the cycle left it; what cannot be read counts as it was left."""
    moved = np.zeros(len(written), bool)
    for name in written["attribute"].unique():
        if name not in accounts.columns:
            continue
        mine = mask_of(written["attribute"].eq(name))
        # Several values stand as one JSON text by now.
        attribute = dataclasses.replace(target.schema[name], multivalued=False)
        after, there = (
            key_of(array_of(one[mine].replace("[]", None)), attribute) for one in (written["after"], present)
        )
        moved[mine] = differ(after, there)
    return moved & ~mask_of(written["hidden"])


def _rows(done: pd.DataFrame, written: pd.DataFrame, undoing: Undoing, accounts: pd.DataFrame) -> pd.DataFrame:
    """Give operation, decision, code and reason for each of `done`."""
    made = mask_of(done["operation"].eq(Operation.CREATE.value))
    gone = mask_of(done["operation"].eq(Operation.DELETE.value))
    there = mask_of(done["target_uri"].isin(accounts["target_uri"]))
    linked = done["source_id"].map(undoing.links.set_index("source_id")["target_uri"]).astype(STRING)
    mine = mask_of(linked.eq(done["target_uri"]))
    moved, hidden = (_listed(written[mask_of(written[name])], done) for name in ("moved", "hidden"))
    usable = written[~mask_of(written["moved"]) & ~mask_of(written["hidden"])]
    left = mask_of(done.index.to_series().isin(usable["row"]))
    login = usable[mask_of(usable["attribute"].eq(LOGIN_ENABLED))]
    before = login.set_index("row")["before"].reindex(done.index).str.lower()
    deletes = undoing.deletes and undoing.job.allows(Operation.DELETE)
    removal = Operation.DELETE if deletes else Operation.DISABLE
    operation = np.select(
        [made, gone, mask_of(before.eq("true")), mask_of(before.eq("false"))],
        [removal.value, Operation.NONE.value, Operation.ENABLE.value, Operation.DISABLE.value],
        Operation.UPDATE.value,
    )
    since = "Changed since and left alone: " + moved + "."
    unknown = (" Left alone, because what stood there before is not known: " + hidden + ".").fillna("")
    back = pd.Series(np.where(made, "Created by that cycle.", "Put back as it was before that cycle."), dtype=STRING)
    held = made & mask_of(moved.notna())
    cases: list[tuple[Mask, Decision, str | None, pd.Series | str]] = [
        (gone, Decision.SKIP, NOT_UNDONE, "Deleted by that cycle; Replicon cannot bring an account back."),
        (~there, Decision.SKIP, CHANGED_SINCE, "The account is gone from Replicon since."),
        (~mine, Decision.SKIP, CHANGED_SINCE, "The account is no longer linked to this person."),
        (held, Decision.HOLD, CHANGED_SINCE, "Created by that cycle, and in use since. " + since),
        (~made & ~left, Decision.SKIP, CHANGED_SINCE, since.fillna("Nothing of it can be put back.") + unknown),
        (np.ones(len(done), bool), Decision.GO, None, back + (" " + since).fillna("") + unknown),
    ]
    rows = pd.DataFrame({"operation": pd.array(operation, dtype=STRING)})
    for name in ("decision", "error_code", "reason"):
        rows[name] = pd.array([None] * len(rows), dtype=STRING)
    for where, decision, code, reason in reversed(cases):
        rows.loc[where, "decision"] = decision.value
        rows.loc[where, "error_code"] = code
        rows.loc[where, "reason"] = reason[where] if isinstance(reason, pd.Series) else reason
    return rows


def _listed(some: pd.DataFrame, done: pd.DataFrame) -> pd.Series:
    """Name the attributes in `some` for each of `done`; null where there is none."""
    named = pd.Series(some.groupby("row")["attribute"].agg(", ".join))
    return named.reindex(done.index).astype(STRING)


def _frames(
    rows: pd.DataFrame, done: pd.DataFrame, written: pd.DataFrame, history: History, accounts: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the plan's two frames."""
    ids = new_ids(len(rows))
    back = _put_back(rows, written, done, accounts)
    place = back["row"].to_numpy(dtype=np.int64)
    changes = conform(back.drop(columns="row").assign(change_id=series_of(take(ids, place))), CHANGE_COLUMNS, "undo")
    operations = rows.assign(
        change_id=series_of(ids),
        situation=Situation.CONFIRMED.value,
        waits_for=None,
        account_digest=None,
        risks=series_of(risks({"operation": array_of(rows["operation"])}, changes, place, history)),
        **{name: done[name] for name in ("source_id", "source_name", "target_uri", "target_name")},
    )
    return conform(operations, OPERATION_COLUMNS, "undo"), changes


def _put_back(rows: pd.DataFrame, written: pd.DataFrame, done: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    """Give the attributes to write (`row`, `attribute`, `before`, `after`).

    That is everything that was changed and is still so; of an account that was created, its login. Who is enabled
    keeps the end date, which giving a login back would clear.
    """
    carried = mask_of(rows["decision"].isin([Decision.GO.value, Decision.HOLD.value]))
    made = mask_of(done["operation"].eq(Operation.CREATE.value))
    disabled = np.flatnonzero(carried & made & mask_of(rows["operation"].eq(Operation.DISABLE.value)))
    enabled = np.flatnonzero(carried & mask_of(rows["operation"].eq(Operation.ENABLE.value)))
    usable = ~mask_of(written["moved"]) & ~mask_of(written["hidden"])
    some = written[(carried & ~made)[written["row"].to_numpy()] & usable]
    parts = [
        some[["row", "attribute"]].assign(before=some["now"], after=some["before"]),
        pd.DataFrame({"row": disabled, "attribute": LOGIN_ENABLED, "before": "True", "after": "False"}),
    ]
    if _END_DATE in accounts.columns:
        uri = take(array_of(done["target_uri"]), enabled)
        ends = series_of(take(array_of(accounts[_END_DATE]), places_of(uri, array_of(accounts["target_uri"]))))
        dated = pd.DataFrame({"row": enabled, "attribute": _END_DATE, "before": ends, "after": ends}).dropna()
        named = some.loc[mask_of(some["attribute"].eq(_END_DATE)), "row"]
        parts.append(dated[~mask_of(dated["row"].isin(named))])
    whole = pd.concat(
        [part.astype({"row": "int64", "attribute": STRING, "before": STRING, "after": STRING}) for part in parts],
        ignore_index=True,
    )
    return whole.sort_values("row", kind="stable", ignore_index=True)


def _nothing_read(now: dt.datetime) -> Manifest:
    """Give the manifest of a plan that needs nothing from the source."""
    return Manifest(True, (), 0, 0, 0, 0, 0, now, now, "")
