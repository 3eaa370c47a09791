"""What of a plan is to be sent, and what is only recorded: held, staged and skipped rows, links without a write, rows
that were done before, that wait in escrow, or that the plan no longer fits. Whole columns; nothing is sent here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson
import pandas as pd

from tasks.ledger.frames import records
from tasks.ledger.journal import to_json
from tasks.ledger.ledger import Ledger
from tasks.load import policy
from tasks.load.schedule import Changes
from tasks.load.work import PENDING
from tasks.model import (
    OUTCOME_COLUMNS,
    STRING,
    STRINGS,
    Decision,
    Operation,
    Plan,
    Situation,
    Status,
    TargetAttribute,
    empty_frame,
)

_BULK: Final = 5_000
_LEAVING: Final = (Situation.OUT_OF_SCOPE, Situation.SOURCE_DISABLED, Situation.SOURCE_DELETED)
_LINKING: Final = (Situation.FOUND, Situation.MISSING)
_AGAIN: Final = "Nothing to mend: the next cycle plans it again."
_LINKED: Final = ("source_id", "source_name", "target_uri", "target_name", "account_digest")
_TOLD: Final = (
    *("change_id", "source_id", "source_name", "target_uri", "target_name", "situation", "operation", "decision"),
    *("error_code", "reason", "remedy"),
)

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclasses.dataclass(frozen=True)
class Standing:
    """The rows of a plan, by what load does with them; each frame has `OPERATION_COLUMNS`."""

    going: pd.DataFrame
    """To be sent."""
    remembered: pd.DataFrame
    """Only a link to make or to renew."""
    rest: pd.DataFrame
    """Not carried out: `error_code` and `reason` say why; `remedy` is added, and `repeated` marks what was told."""
    finished: pd.DataFrame
    """Carried out before."""
    accounts: dict[str, str]
    """Target URIs of the linked people that the plan is about or refers to, by source id."""


def sort_out(plan: Plan, ledger: Ledger, job: str) -> Standing:
    """Compare the plan with what the ledger knows by now."""
    rows = plan.operations.reset_index(drop=True)
    rows = rows.assign(remedy=pd.Series(None, index=rows.index, dtype=STRING), repeated=False)
    go = _mask(rows["decision"].eq(Decision.GO))
    writes = go & _mask(rows["operation"].ne(Operation.NONE))
    links = ledger.links(job, _people(rows[go], plan.changes))
    linked_to = links.set_index("source_id")["target_uri"].reindex(rows["source_id"]).reset_index(drop=True)
    finished = _mask(rows["change_id"].isin(ledger.finished(rows.loc[writes, "change_id"].tolist())))
    left = go & ~finished
    for marked, code, reason in (
        (_in_flight(rows, ledger, job), policy.IN_FLIGHT, "An earlier request still has no answer; it goes first."),
        (_outdated(rows, linked_to), policy.OUTDATED, "The link is not the one that this was planned for."),
        (_taken(rows, linked_to, ledger, job, left & ~writes), policy.CONFLICT, "The account is linked to another."),
    ):
        rows, left = _set_aside(rows, left, marked, code, reason)
    rows, waits = _waiting(rows, left & writes, ledger, job, plan.mapping_digest)
    going, remembered = left & writes & ~waits, left & ~writes
    # Of an account that is made again, the link still has the old one.
    made = rows.loc[going & _mask(rows["operation"].eq(Operation.CREATE)), "source_id"]
    there = links[~_mask(links["source_id"].isin(made))]
    return Standing(
        going=rows[going].reset_index(drop=True),
        remembered=rows[remembered].reset_index(drop=True),
        rest=rows[~(going | remembered | finished)].reset_index(drop=True),
        finished=rows[finished].reset_index(drop=True),
        accounts=dict(zip(there["source_id"].tolist(), there["target_uri"].tolist(), strict=True)),
    )


def record_rest(
    standing: Standing, plan: Plan, ledger: Ledger, job: str, schema: Mapping[str, TargetAttribute]
) -> pd.DataFrame:
    """Record everything that is not sent; give its outcomes (`OUTCOME_COLUMNS`)."""
    return pd.concat(
        [
            _recorded(standing.finished, ledger),
            _remember(standing.remembered, plan, ledger, job),
            record_skipped(standing.rest, plan, ledger, job, schema),
        ],
        ignore_index=True,
    )


def record_skipped(
    rows: pd.DataFrame, plan: Plan, ledger: Ledger, job: str, schema: Mapping[str, TargetAttribute]
) -> pd.DataFrame:
    """Record rows that are not carried out, unless they are `repeated`; give their outcomes."""
    news = rows[~_mask(rows["repeated"])].reset_index(drop=True)
    if news.empty:
        return _outcomes(rows, Status.SKIPPED, ledger)
    differences = Changes(news["change_id"], plan.changes, schema)
    skipped = _mask(news["decision"].eq(Decision.SKIP) | news["error_code"].eq(policy.IN_ESCROW))
    told = skipped & _mask(news["source_id"].notna())
    meant = _mask(news["decision"].eq(Decision.GO))
    for start in range(0, len(news), _BULK):
        part = news.iloc[start : start + _BULK]
        changes = [to_json(differences.of(place)) for place in part.index]
        ledger.put_bulk(
            job,
            plan.cycle_id,
            _activities(part, changes, Status.SKIPPED, ledger),
            told=set(part.loc[told[part.index], "change_id"]),
            look_again=part.loc[meant[part.index], "source_id"].tolist(),
        )
    return _outcomes(rows, Status.SKIPPED, ledger)


def _remember(rows: pd.DataFrame, plan: Plan, ledger: Ledger, job: str) -> pd.DataFrame:
    """Make or renew links. Only a link that is new, or a leaver's, is told: the others are as they were."""
    leaving = _mask(rows["situation"].isin(_LEAVING))
    news = leaving | _mask(rows["situation"].isin(_LINKING))
    for start in range(0, len(rows), _BULK):
        part = rows.iloc[start : start + _BULK]
        told = part[news[part.index]]
        links = [
            {**row, "written": "{}", "active": not flag}
            for row, flag in zip(records(part, _LINKED), leaving[part.index].tolist(), strict=True)
        ]
        activities = _activities(told, ["[]"] * len(told), Status.SUCCESS, ledger)
        ledger.put_bulk(job, plan.cycle_id, activities, links_rows=links)
    return _outcomes(rows, Status.SUCCESS, ledger)


def _recorded(rows: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Give the outcomes of changes that were carried out before, as the activities have them."""
    if rows.empty:
        return empty_frame(OUTCOME_COLUMNS)
    found = ledger.activities_of(rows["change_id"].tolist())
    lists = pd.Series([orjson.loads(text) for text in found["refused"]], index=found.index, dtype=STRINGS)
    return found.assign(refused=lists)[list(OUTCOME_COLUMNS)].astype(dict(OUTCOME_COLUMNS))


def _people(rows: pd.DataFrame, changes: pd.DataFrame) -> list[str]:
    """Give the source ids of the rows and of those that their references name."""
    after = changes["after"]
    referred = after[_mask(after.str.startswith(PENDING))].str.removeprefix(PENDING)
    return pd.concat([rows["source_id"], rows["waits_for"], referred]).dropna().unique().tolist()


def _set_aside(rows: pd.DataFrame, left: Mask, marked: Mask, code: str, reason: str) -> tuple[pd.DataFrame, Mask]:
    aside = left & marked
    if aside.any():
        rows.loc[aside, ["error_code", "reason", "remedy"]] = [code, reason, _AGAIN]
    return rows, left & ~aside


def _in_flight(rows: pd.DataFrame, ledger: Ledger, job: str) -> Mask:
    people = {request.change.source_id for request in ledger.open_requests(job)}
    return _mask(rows["source_id"].isin(people))


def _outdated(rows: pd.DataFrame, linked_to: pd.Series) -> Mask:
    """Mark rows whose link is not the one that they were planned for: another cycle has been at work since."""
    linked = _mask(linked_to.notna())
    same = _mask(rows["target_uri"].eq(linked_to))
    missing = _mask(rows["situation"].eq(Situation.MISSING))
    creates = _mask(rows["operation"].eq(Operation.CREATE))
    found = _mask(rows["situation"].eq(Situation.FOUND))
    return ~missing & np.where(creates, linked, np.where(found, linked & ~same, ~same))


def _taken(rows: pd.DataFrame, linked_to: pd.Series, ledger: Ledger, job: str, remembered: Mask) -> Mask:
    """Mark rows whose account would be linked a second time. Rows that are sent are checked when their turn comes."""
    new = remembered & ~_mask(rows["target_uri"].eq(linked_to))
    if not new.any():
        return np.zeros(len(rows), bool)
    holders = ledger.link_holders(job, rows.loc[new, "target_uri"].dropna().tolist())
    held_by = rows["target_uri"].map(holders)
    other = _mask(held_by.notna()) & ~_mask(held_by.astype(STRING).eq(rows["source_id"]))
    twice = _mask(rows["target_uri"].where(new).duplicated() & rows["target_uri"].notna())
    return new & (other | twice)


def _waiting(
    rows: pd.DataFrame, writes: Mask, ledger: Ledger, job: str, mapping_digest: str
) -> tuple[pd.DataFrame, Mask]:
    """Set aside whoever is in escrow, unchanged, and not due yet; mark them, too."""
    escrow = ledger.escrow(job)
    held = escrow[escrow["mapping_digest"].eq(mapping_digest)].set_index("source_id")
    mine = held.reindex(rows["source_id"]).reset_index(drop=True)
    unchanged = _mask(mine["account_digest"].fillna("").eq(rows["account_digest"].fillna("")))
    due = _mask(mine["next_retry_at"].le(pd.Timestamp(ledger.now())))
    waits = writes & _mask(mine["attempts"].notna()) & unchanged & ~due
    if waits.any():
        instants = mine["next_retry_at"].dt.strftime("%Y-%m-%d %H:%M UTC")
        until = ("It is tried again at " + instants + ".").fillna("It is not tried again until the source changes.")
        reason = "It failed before (" + mine["error_code"] + ") and nothing has changed since. " + until
        rows.loc[waits, "repeated"] = _told(rows, reason, ledger, job)[waits]
        rows.loc[waits, "error_code"] = policy.IN_ESCROW
        rows.loc[waits, "reason"] = reason[waits]
        rows.loc[waits, "remedy"] = "Mend the cause, then retry it by hand or wait."
    return rows, waits


def _told(rows: pd.DataFrame, reason: pd.Series, ledger: Ledger, job: str) -> Mask:
    skips = ledger.skips(job)
    skips = skips[skips["error_code"].eq(policy.IN_ESCROW)].set_index("source_id")
    return _mask(skips["reason"].reindex(rows["source_id"]).reset_index(drop=True).eq(reason))


def _activities(rows: pd.DataFrame, changes: Sequence[str], status: Status, ledger: Ledger) -> list[dict[str, Any]]:
    """Give rows as activities; `changes` is what each would have written, as JSON."""
    fixed = {"status": status, "refused": "[]", "attempts": 0, "started_at": ledger.now(), "duration_ms": 0}
    return [{**row, **fixed, "changes": text} for row, text in zip(records(rows, _TOLD), changes, strict=True)]


def _outcomes(rows: pd.DataFrame, status: Status, ledger: Ledger) -> pd.DataFrame:
    now = pd.Timestamp(ledger.now())
    given = rows.reindex(columns=list(OUTCOME_COLUMNS)).assign(
        status=status, attempts=0, started_at=now, duration_ms=0, refused=None
    )
    return given.astype(dict(OUTCOME_COLUMNS))


def _mask(values: pd.Series) -> Mask:
    """Give a column of flags as a plain mask, missing ones false."""
    mask: Mask = values.fillna(value=False).to_numpy(dtype=bool)
    return mask
