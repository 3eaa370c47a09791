"""A saved plan carried out exactly: what was decided about it, and whether everything is still as it was planned.

The flows plan again just before they apply a saved plan, and let `exactly` compare the two. Nothing is written here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Final

import pandas as pd

from tasks.model import REDACTED, REMOVALS, Approval, BadInputError, Decision, Operation, Plan
from tasks.reconcile.columns import Mask, mask_of

NOT_APPROVED: Final = "RemovalNotApproved"
"""Our code for a removal of a plan that was approved without its removals."""
NOT_IN_PLAN: Final = "NotInPlan"
"""Our code for what came up after the plan was saved that is carried out now."""
_COMPARED: Final = ("situation", "operation", "decision", "target_uri", "account_digest")
_WRITES: Final = ["source_id", "attribute", "before", "after"]
_NAMED: Final = 5


def decided(plan: Plan, choice: Approval | None, by: str = "", why: str = "") -> Plan:
    """Give `plan` with what somebody decided about it; without a decision what is staged stays so.

    Raises `BadInputError` when the plan was rejected.
    """
    if choice is None:
        return plan
    if choice is Approval.REJECTED:
        raise BadInputError(
            f"The plan {plan.plan_id} was rejected by {by} ({why}), so it is not carried out; nothing was changed. "
            "Make a new plan, or let somebody decide again."
        )
    operations = plan.operations.copy()
    staged = mask_of(operations["decision"].eq(Decision.STAGED.value))
    operations.loc[staged, "decision"] = Decision.GO.value
    operations.loc[staged, "error_code"] = pd.NA
    if choice is Approval.WITHOUT_REMOVALS:
        removals = _removals(operations) & mask_of(operations["decision"].eq(Decision.GO.value))
        reason = f"The plan was approved without its removals by {by}: {why}"
        operations.loc[removals, ["decision", "error_code", "reason"]] = Decision.HOLD.value, NOT_APPROVED, reason
    said = f"Approved by {by} ({choice.value.replace('_', ' ')}): {why}"
    verdict = dataclasses.replace(plan.verdict, reasons=(said,), quarantine=None, stopped=False)
    return dataclasses.replace(plan, operations=operations, verdict=verdict)


def exactly(saved: Plan, approved: Plan, fresh: Plan, finished: Collection[str]) -> Plan:
    """Give what is carried out of a saved plan in the cycle that `fresh` was just planned for.

    `saved` is the plan as it stands in its file and `approved` the same one as `decided` gave it; `finished` are its
    changes that an earlier, interrupted run has carried out. Everybody else whom the plan writes must be found exactly
    as then: same account, same situation, same operation, same values before and after. What has come up since is
    held until the next cycle.

    Raises `BadInputError` naming whom the plan no longer fits; then nothing is carried out.
    """
    if saved.mapping_digest != fresh.mapping_digest:
        raise BadInputError(_stale(saved, "the mapping is another one since"))
    rows = saved.operations
    carried = mask_of(rows["decision"].isin([Decision.GO.value, Decision.STAGED.value]))
    carried &= ~mask_of(rows["change_id"].isin(list(finished)))
    writes = carried & mask_of(rows["operation"].ne(Operation.NONE.value))
    now = rows[["source_id"]].merge(fresh.operations, on="source_id", how="left")
    differs = mask_of(now["change_id"].isna()) & writes
    for name in _COMPARED:
        same = mask_of(now[name].fillna("").eq(rows[name].reset_index(drop=True).fillna("")))
        differs |= carried & ~mask_of(now["change_id"].isna()) & ~same
    differs |= writes & mask_of(rows["source_id"].isin(_written_otherwise(saved, fresh)))
    if differs.any():
        raise BadInputError(_stale(saved, _named(rows[differs], now[differs])))
    new = fresh.operations[~mask_of(fresh.operations["source_id"].isin(rows["source_id"]))]
    operations = pd.concat([approved.operations, _later(new)], ignore_index=True)
    changes = pd.concat(
        [saved.changes, fresh.changes[mask_of(fresh.changes["change_id"].isin(new["change_id"]))]], ignore_index=True
    )
    return dataclasses.replace(
        fresh,
        plan_id=saved.plan_id,
        operations=operations.astype(saved.operations.dtypes.to_dict()),
        changes=changes.astype(saved.changes.dtypes.to_dict()),
        verdict=approved.verdict,
    )


def with_values(plan: Plan, fresh: Plan) -> Plan:
    """Give `plan` with the values that its file hides (`REDACTED`), as `fresh` has them."""
    changes = plan.changes
    hidden = mask_of(changes["before"].eq(REDACTED)) | mask_of(changes["after"].eq(REDACTED))
    if not hidden.any():
        return plan
    people, known = (
        one.changes.merge(one.operations[["change_id", "source_id"]], on="change_id", how="left")
        for one in (plan, fresh)
    )
    true = people[["source_id", "attribute"]].merge(known, on=["source_id", "attribute"], how="left")
    changes = changes.copy()
    for name in ("before", "after"):
        changes[name] = changes[name].mask(hidden, true[name].astype(changes[name].dtype))
    return dataclasses.replace(plan, changes=changes)


def _written_otherwise(saved: Plan, fresh: Plan) -> pd.Series:
    """Give the source ids of people for whom the two plans write different attributes or values."""
    sides = [_writes(plan).assign(side=side) for side, plan in enumerate((saved, fresh))]
    whole = pd.concat(sides, ignore_index=True).fillna({"before": "\0", "after": "\0"})
    alone = ~mask_of(whole.duplicated(_WRITES, keep=False))
    return whole.loc[alone, "source_id"].drop_duplicates()


def _writes(plan: Plan) -> pd.DataFrame:
    return plan.changes.merge(plan.operations[["change_id", "source_id"]], on="change_id")[_WRITES]


def _later(rows: pd.DataFrame) -> pd.DataFrame:
    """Hold what has come up since the plan was saved; links without a write are left to the next cycle too."""
    going = mask_of(rows["decision"].isin([Decision.GO.value, Decision.STAGED.value]))
    rows = rows[~going | mask_of(rows["operation"].ne(Operation.NONE.value))].copy()
    going = mask_of(rows["decision"].isin([Decision.GO.value, Decision.STAGED.value]))
    reason = "It came up after the plan was saved that is carried out now, so it waits for the next cycle. "
    rows["reason"] = rows["reason"].mask(going, reason + rows["reason"])
    rows.loc[going, ["decision", "error_code"]] = Decision.HOLD.value, NOT_IN_PLAN
    return rows


def _removals(operations: pd.DataFrame) -> Mask:
    return mask_of(operations["operation"].isin([one.value for one in REMOVALS]))


def _named(rows: pd.DataFrame, now: pd.DataFrame) -> str:
    """Name the first few people whom the plan no longer fits, with what was planned and what would be now."""
    was = _in_words(rows.reset_index(drop=True))
    found = _in_words(now.reset_index(drop=True))
    found = found.mask(found.eq(was), found + " with other values").fillna("nothing is left to do")
    said = rows["source_name"].reset_index(drop=True) + ": " + was + " was planned, now " + found
    more = len(rows) - _NAMED
    return "; ".join(said.head(_NAMED)) + (f"; and {more:,} more" if more > 0 else "")


def _in_words(rows: pd.DataFrame) -> pd.Series:
    """Say what each row does: "update", or "update (hold)" where it is not carried out; null where there is none."""
    operation = rows["operation"].replace(Operation.NONE.value, "a link")
    return operation + (" (" + rows["decision"] + ")").mask(rows["decision"].eq(Decision.GO.value), "")


def _stale(plan: Plan, why: str) -> str:
    return (
        f"The plan {plan.plan_id} of {plan.created_at:%Y-%m-%d %H:%M} UTC does not fit any more: {why}. "
        "It is not carried out; nothing was changed. Make the plan again."
    )
